import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import { type Clock, systemClock } from '#apimachinery/clock.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { CollectionRef, KubeClient } from '#client/client.ts';
import { silentLogger } from '#client/logger.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { type Room, RoomWatch } from './room-watch.ts';

function node(cpu: string, resourceVersion: string): KubeObject {
  const status = { allocatable: { cpu }, conditions: [{ type: 'Ready', status: 'True' }] };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n', resourceVersion }, status };
}

function pod(name: string, resourceVersion: string, more: JsonObject = {}): KubeObject {
  const containers = [{ name: 'c', resources: { requests: { cpu: '1' } } }];
  const metadata = { name, namespace: 'ns', resourceVersion };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers, nodeName: 'n' }, ...more };
}

class Edge {
  readonly nodes = new ScriptedClient();
  readonly pods = new ScriptedClient();
  refusal: Error | undefined;
  nodeLists = 0;
  #changed: (() => void)[] = [];
  readonly watch: RoomWatch;

  constructor({ clock = systemClock, podsMax }: { readonly clock?: Clock; readonly podsMax?: number } = {}) {
    this.watch = new RoomWatch({
      edgeClient: this.#client(),
      clock,
      logger: silentLogger,
      podsMax,
      onChange: () => {
        for (const changed of this.#changed.splice(0)) changed();
      },
    });
  }

  /** The next room that is as asked for. Every change is told, so that none is missed between two looks. */
  async room(isIt: (room: Room | undefined) => boolean): Promise<Room | undefined> {
    for (;;) {
      const changed = new Promise<void>((resolve) => this.#changed.push(resolve));
      const { room } = this.watch;
      if (isIt(room)) return room;
      await changed;
    }
  }

  #client(): KubeClient {
    const of = ({ gvr }: CollectionRef) => (gvr.resource === 'nodes' ? this.nodes : this.pods).client;
    return {
      ...this.nodes.client,
      list: (collection, options) => {
        if (collection.gvr.resource === 'nodes') this.nodeLists++;
        if (this.refusal !== undefined && collection.gvr.resource === 'nodes')
          return Promise.reject(this.refusal);
        return of(collection).list(collection, options);
      },
      watch: (collection, options) => of(collection).watch(collection, options),
    };
  }
}

const taken = (cpu: string) => (room: Room | undefined) =>
  room?.state === 'known' && room.allocated['cpu'] === cpu;

test('sums follow nodes and pods', { timeout: 120_000 }, async (t) => {
  const edge = new Edge();
  edge.nodes.items = [node('4', '1')];
  edge.pods.items = [pod('a', '1'), pod('b', '1')];
  assert.equal(edge.watch.room, undefined);
  edge.watch.start();
  t.after(() => edge.watch.stop());
  const first = await edge.room(taken('2'));
  assert.deepEqual(first, {
    state: 'known',
    allocatable: { cpu: '4' },
    allocated: { cpu: '2', pods: '2' },
    nodeRoom: [{ nodes: 1, free: { cpu: '2' }, kind: 0 }],
    nodeKinds: { kinds: [{}] },
    unschedulable: { workloads: [] },
  });
  assert.equal(edge.pods.lists[0]?.fieldSelector, 'status.phase!=Succeeded,status.phase!=Failed');
  edge.pods.push({ type: 'ADDED', object: pod('c', '2') });
  await edge.room(taken('3'));
  // To a server that knows no such field selector too, one that has ended takes nothing.
  edge.pods.push({ type: 'MODIFIED', object: pod('a', '3', { status: { phase: 'Succeeded' } }) });
  await edge.room(taken('2'));
  edge.nodes.push({ type: 'DELETED', object: node('4', '4') });
  assert.deepEqual(await edge.room((room) => room?.state === 'no-nodes'), { state: 'no-nodes' });
});

test('a list that is refused is told, and forgotten when it is not any more', {
  timeout: 120_000,
}, async (t) => {
  const edge = new Edge();
  edge.refusal = new ApiError('Forbidden', 'nodes is forbidden');
  edge.watch.start();
  t.after(() => edge.watch.stop());
  assert.deepEqual(await edge.room((room) => room !== undefined), {
    state: 'unknown',
    reason: 'Forbidden',
    message: "the edge's nodes cannot be watched: nodes is forbidden",
  });
  edge.nodes.items = [node('4', '1')];
  edge.refusal = undefined;
  await edge.room((room) => room?.state === 'known');
});

test('an edge without nodes is told as that, and not asked for its pods', { timeout: 120_000 }, async (t) => {
  const edge = new Edge();
  edge.watch.start();
  t.after(() => edge.watch.stop());
  await edge.room((room) => room?.state === 'no-nodes');
  assert.equal(edge.pods.lists.length, 0);
  edge.pods.items = [pod('a', '1')];
  edge.nodes.push({ type: 'ADDED', object: node('4', '2') });
  await edge.room(taken('1'));
});

test('more pods than can be kept are told as that, and not kept', { timeout: 120_000 }, async (t) => {
  const edge = new Edge({ podsMax: 2 });
  edge.nodes.items = [node('4', '1')];
  edge.pods.items = [pod('a', '1'), pod('b', '1')];
  edge.watch.start();
  t.after(() => edge.watch.stop());
  await edge.room(taken('2'));
  edge.pods.items = [...edge.pods.items, pod('c', '2')];
  edge.pods.push({ type: 'ADDED', object: pod('c', '2') });
  assert.deepEqual(await edge.room((room) => room?.state === 'unknown'), {
    state: 'unknown',
    reason: 'TooManyObjects',
    message: "the edge's room is not counted: there are more than 2 pods",
  });
});

test('what is refused is asked for ever more rarely', { timeout: 120_000 }, async (t) => {
  const clock = new ManualClock();
  const edge = new Edge({ clock });
  edge.refusal = new ApiError('Forbidden', 'nodes is forbidden');
  edge.watch.start();
  t.after(() => edge.watch.stop());
  await edge.room((room) => room !== undefined);
  let asked = 0;
  for (let minutes = 0; minutes < 60; minutes++) {
    await clock.advanceAsync(60_000, 1_000);
    if (minutes === 9) asked = edge.nodeLists;
  }
  const lately = edge.nodeLists - asked;
  assert.ok(
    asked < 20 && lately >= 7 && lately <= 15,
    `${asked} times in ten minutes, then ${lately} in fifty`,
  );
});

test('a right to nodes that is taken away is heard of within two minutes', {
  timeout: 120_000,
}, async (t) => {
  const edge = new Edge();
  edge.nodes.items = [node('4', '1')];
  edge.watch.start();
  t.after(() => edge.watch.stop());
  await edge.room((room) => room?.state === 'known');
  const seconds = edge.nodes.watches[0]?.timeoutSeconds ?? Number.POSITIVE_INFINITY;
  assert.ok(seconds >= 60 && seconds <= 120, `its watch lasts ${seconds} s`);
  // So an API server does: a watch goes on as it was allowed, and what follows it is refused.
  edge.refusal = new ApiError('Forbidden', 'nodes is forbidden');
  edge.nodes.push({ type: 'END' }, { type: 'FAIL', error: edge.refusal });
  const refused = await edge.room((room) => room?.state === 'unknown');
  assert.equal(refused?.state === 'unknown' && refused.reason, 'Forbidden');
});
