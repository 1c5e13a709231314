import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { KubeClient } from '#client/client.ts';
import { silentLogger } from '#client/logger.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { type KeyParts, keyOf } from '../object-key.ts';
import { PlacementEvents, type PlacementEventsOptions } from './placement-events.ts';

type State = 'Success' | 'NoClusterFit' | 'Unschedulable' | 'SchedulingSuspended';

function partsOf(name: string): KeyParts {
  return { group: 'apps', resource: 'deployments', cluster: 'p', namespace: 'ns', name };
}

function bindingIn(name: string, reason: State): ResourceBinding {
  const status = reason === 'Success' ? 'True' : 'False';
  return {
    apiVersion: 'work.karmada.io/v1alpha2',
    kind: 'ResourceBinding',
    metadata: { name: `${name}-deployments`, namespace: 'ns', uid: 'binding-uid' },
    spec: {
      resource: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        resource: 'deployments',
        namespace: 'ns',
        name,
        uid: 'u',
      },
      clusters: [],
    },
    status: { conditions: [{ type: 'Scheduled', status, reason, message: `says ${reason}` }] },
  };
}

/** What is decided one after the other, over a server that keeps Events. */
function world(options: Partial<PlacementEventsOptions> = {}, refusal?: ApiError) {
  const clock = new ManualClock();
  const stored = new Map<string, KubeObject>();
  const decided = new Map<string, ResourceBinding>();
  let writes = 0;
  const client: KubeClient = {
    ...new ScriptedClient().client,
    get: async ({ name }) => {
      const found = stored.get(name);
      if (found === undefined) throw new ApiError('NotFound', 'no');
      return found;
    },
    create: async (_collection, object) => {
      writes++;
      if (refusal !== undefined) throw refusal;
      const { name = '' } = object.metadata;
      if (stored.has(name)) throw new ApiError('AlreadyExists', 'there');
      stored.set(name, object);
      return object;
    },
    update: async ({ name }, object) => {
      writes++;
      stored.set(name, object);
      return object;
    },
  };
  const events = new PlacementEvents({
    client,
    clock,
    logger: silentLogger,
    bindings: { read: async ({ name }) => decided.get(name) },
    bindingUidOf: () => 'binding-uid',
    ...options,
  });
  events.loop.start();
  return {
    clock,
    events,
    writes: () => writes,
    decide: (state: State, name = 'web', present = decided.get(name)) => {
      const binding = bindingIn(name, state);
      decided.set(name, binding);
      events.decided(partsOf(name), binding, present);
    },
    /** Of the object itself, as `<type> <reason> <count>: <message>`. */
    told: () =>
      [...stored.values()]
        .filter(({ involvedObject }) => (involvedObject as { kind?: string }).kind === 'Deployment')
        .map(({ type, reason, count, message }) => `${type} ${reason} ${count}: ${message}`),
    stored,
  };
}

test('what is placed at once, or held back by its policy, is told of by nothing', async () => {
  const { decide, clock, writes, events } = world();
  decide('Success');
  decide('Success');
  decide('SchedulingSuspended', 'held');
  decide('Success', 'held');
  await clock.advanceAsync(60_000, 1_000);
  assert.equal(writes(), 0);
  await events.loop.stop();
});

test('what fits nowhere is told with its reason, on the object and on its binding; that it does then, once', async () => {
  const { decide, clock, told, stored, events } = world();
  decide('NoClusterFit');
  await clock.advanceAsync(1_000, 100);
  assert.deepEqual(told(), ['Warning ScheduleBindingFailed 1: says NoClusterFit']);
  const [one, other] = [...stored.values()];
  assert.deepEqual(one?.['involvedObject'], {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    name: 'web',
    uid: 'u',
    namespace: 'ns',
  });
  assert.deepEqual(other?.['involvedObject'], {
    apiVersion: 'work.karmada.io/v1alpha2',
    kind: 'ResourceBinding',
    name: 'web-deployments',
    uid: 'binding-uid',
    namespace: 'ns',
  });
  decide('NoClusterFit');
  decide('Success');
  await clock.advanceAsync(40_000, 1_000);
  const both = [
    'Warning ScheduleBindingFailed 1: says NoClusterFit',
    'Normal ScheduleBindingSucceed 1: says Success',
  ];
  assert.deepEqual(told(), both);
  decide('Success');
  await clock.advanceAsync(4_000_000, 100_000);
  assert.deepEqual(told(), both);
  await events.loop.stop();
});

test('what fits nowhere for less than a second is not told', async () => {
  const { decide, clock, writes, events } = world();
  decide('NoClusterFit');
  await clock.advanceAsync(900, 100);
  decide('Success');
  await clock.advanceAsync(60_000, 1_000);
  assert.equal(writes(), 0);
  await events.loop.stop();
});

test('what goes on fitting nowhere is told again before the server forgets it, as one Event that is counted', async () => {
  const { decide, clock, told, events } = world();
  decide('NoClusterFit');
  await clock.advanceAsync(2 * 3_600_000, 30_000);
  assert.deepEqual(told(), ['Warning ScheduleBindingFailed 4: says NoClusterFit']);
  await events.loop.stop();
});

test('what comes and goes is told of twice a minute at most', async () => {
  const { decide, clock, writes, events } = world();
  for (let i = 0; i < 300; i++) {
    decide(i % 2 === 0 ? 'NoClusterFit' : 'Success');
    await clock.advanceAsync(2_000, 500);
  }
  assert.ok(writes() / 4 <= 21, `${writes()} writes in ten minutes`); // two Events, counted by at most two writes each
  await events.loop.stop();
});

test('many objects are told of at a pace, and no more of them than are remembered', async () => {
  const { decide, clock, told, events } = world({ perSecond: 10, objectsMax: 50 });
  for (let i = 0; i < 100; i++) decide('NoClusterFit', `web-${i}`);
  await clock.advanceAsync(3_000, 50);
  assert.ok(told().length <= 21, `${told().length} objects in two seconds`);
  await clock.advanceAsync(30_000, 50);
  assert.equal(told().length, 50);
  events.drop(keyOf(partsOf('web-0')));
  decide('NoClusterFit', 'web-99');
  await clock.advanceAsync(2_000, 50);
  assert.equal(told().length, 51);
  await events.loop.stop();
});

test('a scheduler that begins anew tells that an object fits which did not before', async () => {
  const { decide, clock, told, events } = world();
  decide('Success', 'web', bindingIn('web', 'Unschedulable'));
  await clock.advanceAsync(2_000, 100);
  assert.deepEqual(told(), ['Normal ScheduleBindingSucceed 1: says Success']);
  await events.loop.stop();
});

test('an Event that is refused is left out', async () => {
  const { decide, clock, writes, events } = world(
    {},
    new ApiError('Forbidden', 'the namespace is being deleted'),
  );
  decide('NoClusterFit');
  await clock.advanceAsync(3_600_000, 10_000);
  assert.equal(writes(), 1);
  await events.loop.stop();
});
