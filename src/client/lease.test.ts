import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { until } from '#test/harness/until.ts';
import type { KubeClient, ObjectRef } from './client.ts';
import { LeaseHolder, type LeaseOptions } from './lease.ts';
import { silentLogger } from './logger.ts';
import { ScriptedClient } from './testing/scripted-client.ts';

const lease: ObjectRef = {
  cluster: 'root',
  gvr: { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' },
  namespace: 'kube-system',
  name: 'one',
};

/** One Lease, written by compare-and-swap; `beforeUpdate` is called before each write is looked at. */
class LeaseStore {
  present: KubeObject | undefined;
  beforeUpdate: () => void = () => {};
  updates = 0;
  #revision = 0;

  put(object: KubeObject): KubeObject {
    const resourceVersion = String(++this.#revision);
    this.present = { ...object, metadata: { ...object.metadata, resourceVersion } };
    return structuredClone(this.present);
  }

  get holder(): unknown {
    return (this.present?.['spec'] as { holderIdentity?: string } | undefined)?.holderIdentity;
  }

  get client(): KubeClient {
    return {
      ...new ScriptedClient().client,
      get: async () => {
        if (this.present === undefined) throw new ApiError('NotFound', 'no such lease');
        return structuredClone(this.present);
      },
      create: async (_collection, object) => this.put(object),
      update: async (_ref, object) => {
        this.updates++;
        this.beforeUpdate();
        if (object.metadata.resourceVersion !== this.present?.metadata.resourceVersion)
          throw new ApiError('Conflict', 'it was changed meanwhile');
        return this.put(object);
      },
    };
  }
}

/** One that holds the lease as `me` for 10 s from each renewal on. */
function leaseHolder(
  options: Pick<LeaseOptions, 'client' | 'clock' | 'renewIntervalMs' | 'onAnsweredAgain'>,
): LeaseHolder {
  return new LeaseHolder({ lease, identity: 'me', logger: silentLogger, durationMs: 10_000, ...options });
}

async function holding(store: LeaseStore): Promise<LeaseHolder> {
  const holder = leaseHolder({
    client: store.client,
    clock: new ManualClock(),
    renewIntervalMs: 2_000,
  });
  const told = new EventTarget();
  holder.onChange(() => told.dispatchEvent(new Event('change')));
  const changed = once(told, 'change');
  holder.start();
  await changed;
  assert.equal(holder.held, true);
  return holder;
}

test('a lease is given up although a renewal that was cut off comes through at the same time', async () => {
  const store = new LeaseStore();
  const holder = await holding(store);
  store.beforeUpdate = () => {
    store.beforeUpdate = () => {};
    store.put(structuredClone(store.present) as KubeObject);
  };
  await holder.stop();
  assert.equal(store.holder, '');
  assert.equal(store.updates, 2);
});

test('a lease that another has taken meanwhile is left alone', async () => {
  const store = new LeaseStore();
  const holder = await holding(store);
  store.beforeUpdate = () => {
    store.put({ ...(store.present as KubeObject), spec: { holderIdentity: 'other' } });
  };
  await holder.stop();
  assert.equal(store.holder, 'other');
  assert.equal(store.updates, 1);
});

test('that the server answers again is told once, after it did not', async () => {
  const store = new LeaseStore();
  const clock = new ManualClock();
  let isAway = false;
  let again = 0;
  let looks = 0;
  const holder = leaseHolder({
    client: {
      ...store.client,
      get: (ref, options) => {
        looks++;
        if (isAway) return Promise.reject(new ApiError('ServiceUnavailable', 'away'));
        return store.client.get(ref, options);
      },
    },
    clock,
    renewIntervalMs: 1_000,
    onAnsweredAgain: () => again++,
  });
  holder.start();
  const look = async () => {
    const before = looks;
    await clock.advanceAsync(2_000, 100);
    assert.ok(looks > before);
  };
  await look();
  assert.equal(again, 0);
  isAway = true;
  await look();
  await look();
  assert.equal(again, 0);
  isAway = false;
  await look();
  await look();
  assert.equal(again, 1);
  await holder.stop();
});

test('the lease of another is taken once it was seen unchanged for its whole time, by our own clock', async () => {
  const store = new LeaseStore();
  const renew = (renewTime: string) =>
    store.put({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'one' },
      // A clock that is years behind ours.
      spec: { holderIdentity: 'other', leaseDurationSeconds: 10, renewTime },
    });
  renew('2001-01-01T00:00:00.000000Z');
  const clock = new ManualClock();
  const holder = leaseHolder({
    client: store.client,
    clock,
    renewIntervalMs: 1_000,
  });
  holder.start();
  await clock.advanceAsync(8_000, 500);
  assert.equal(store.holder, 'other');
  renew('2001-01-01T00:00:08.000000Z');
  await clock.advanceAsync(9_000, 500);
  assert.equal(store.holder, 'other', 'it was renewed meanwhile');
  assert.equal(holder.held, false);
  await clock.advanceAsync(4_000, 500);
  assert.equal(store.holder, 'me');
  assert.equal(holder.held, true);
  await holder.stop();
});

test('a lease that is renewed after its time was lost meanwhile, and whoever asks is told both', async () => {
  const store = new LeaseStore();
  const clock = new ManualClock();
  let slowly: Promise<void> | undefined;
  let asked = 0;
  const holder = leaseHolder({
    client: {
      ...store.client,
      update: async (ref, object, options) => {
        asked++;
        await slowly;
        return store.client.update(ref, object, options);
      },
    },
    clock,
    renewIntervalMs: 2_000,
  });
  const told: [told: boolean, held: boolean][] = [];
  holder.onChange((held) => told.push([held, holder.held]));
  holder.start();
  await until('it is held', () => holder.held);
  let answer = () => {};
  slowly = new Promise((resolve) => {
    answer = resolve;
  });
  await clock.advanceAsync(2_000);
  await until('its renewal is under way', () => asked === 1);
  await clock.advanceAsync(9_000);
  assert.equal(holder.held, false, 'nobody is told yet');
  assert.deepEqual(told, [[true, true]]);
  answer();
  slowly = undefined;
  // What was asked for 9 s ago counts from then on.
  await until('it is held again', () => holder.held);
  await clock.advanceAsync(900);
  assert.equal(holder.held, true);
  assert.deepEqual(told, [
    [true, true],
    [false, false],
    [true, true],
  ]);
  await clock.advanceAsync(1_200);
  await until('it is renewed again', () => asked === 2);
  await holder.stop();
});

/** As a ManualClock, with a wall clock that can be set beside. */
class SetClock extends ManualClock {
  setByMs = 0;

  override now(): number {
    return super.now() + this.setByMs;
  }
}

test('a clock that is set neither prolongs a lease that is not renewed nor ends one that is', async () => {
  const store = new LeaseStore();
  const clock = new SetClock();
  let isAway = false;
  const holder = leaseHolder({
    client: {
      ...store.client,
      get: (ref, options) =>
        isAway ? Promise.reject(new ApiError('ServiceUnavailable', 'away')) : store.client.get(ref, options),
    },
    clock,
    renewIntervalMs: 2_000,
  });
  holder.start();
  await until('it is held', () => holder.held);
  clock.setByMs = 600_000;
  assert.equal(holder.held, true);
  await clock.advanceAsync(2_000);
  clock.setByMs = -600_000;
  isAway = true;
  await clock.advanceAsync(11_000, 500);
  assert.equal(holder.held, false);
  await holder.stop();
});

test('the lease of another is taken no sooner and no later because a clock is set', async () => {
  for (const setByMs of [600_000, -600_000]) {
    const store = new LeaseStore();
    store.put({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'one' },
      spec: { holderIdentity: 'other', leaseDurationSeconds: 10, renewTime: '2026-01-01T00:00:00.000000Z' },
    });
    const clock = new SetClock();
    const holder = leaseHolder({
      client: store.client,
      clock,
      renewIntervalMs: 1_000,
    });
    holder.start();
    await clock.advanceAsync(2_000, 500);
    clock.setByMs = setByMs;
    await clock.advanceAsync(6_000, 500);
    assert.equal(store.holder, 'other');
    await clock.advanceAsync(5_000, 500);
    assert.equal(store.holder, 'me');
    await holder.stop();
  }
});
