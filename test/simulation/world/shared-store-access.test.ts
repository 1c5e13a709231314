import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import { isStorageError } from '#storage/errors.ts';
import { createMemoryStorage } from '#storage/memory/memory-storage.ts';
import type { Storage } from '#storage/storage.ts';
import { runStorageConformance } from '#storage/testing/storage-conformance.ts';
import { key, put, record, revision, write } from '#storage/testing/storage-fixture.ts';
import { Random } from '../../harness/random.ts';
import { seedFrom } from '../../harness/seed.ts';
import { SimulatedProcess } from './process.ts';
import { newStoreLine, SharedStoreAccess, type StoreLine } from './shared-store-access.ts';
import { VirtualTime } from './virtual-time.ts';

const seed = seedFrom('CELLPLANE_PROPERTY_SEED', 1);

/** On the clock of this machine, as the conformance suite waits. */
function accessOf(inner: Storage): SharedStoreAccess {
  return new SharedStoreAccess({
    inner,
    line: newStoreLine(),
    process: { isAlive: true, awake: async () => {}, atWrite: async () => {} },
    time: {
      get nowMs() {
        return performance.now();
      },
      sleep: (ms) => pause(ms),
    },
    random: new Random(seed),
  });
}

runStorageConformance(
  'a simulated store that servers share',
  async () => {
    const storage = accessOf(createMemoryStorage());
    return { storage, dispose: () => storage.close() };
  },
  { reopen: false, answersAfterEvents: false },
);

runStorageConformance(
  'cache over a simulated store that servers share',
  async () => {
    const storage = await openCachedStorage(accessOf(createMemoryStorage()), { freshWaitMs: 60_000 });
    return { storage, dispose: () => storage.close() };
  },
  { reopen: false },
);

interface Two {
  readonly time: VirtualTime;
  readonly origin: Storage;
  readonly lines: readonly StoreLine[];
  readonly servers: readonly SharedStoreAccess[];
}

/** Two servers of one store, in virtual time. */
function withTwo<T>(act: (two: Two) => Promise<T>): Promise<T> {
  const time = new VirtualTime(seed);
  return time.run(async () => {
    const origin = createMemoryStorage();
    const lines = [newStoreLine(), newStoreLine()];
    const servers = lines.map((line, i) => {
      const process = new SimulatedProcess(`server-${i}`, time);
      return new SharedStoreAccess({ inner: origin, line, process, time, random: new Random(seed + i) });
    });
    return act({ time, origin, lines, servers });
  });
}

describe('servers that share a simulated store', () => {
  it('tells one of them late what the other has written, and in order', async () => {
    await withTwo(async ({ time, lines, servers }) => {
      const [one, two] = servers as [SharedStoreAccess, SharedStoreAccess];
      const late = await record(two, { prefix: '', afterRevision: revision(1) });
      (lines[1] as StoreLine).heldUntilMs = time.nowMs + 5_000;
      for (const value of ['1', '2', '3']) await write(one, put('/g/r/c/n/a', value));
      assert.equal((await two.get(key('/g/r/c/n/a')))?.value.toString(), '3');
      await time.sleep(4_000);
      assert.deepEqual(late.events, []);
      await time.sleep(1_100);
      assert.deepEqual(
        late.events.map(({ value }) => value),
        ['1', '2', '3'],
      );
    });
  });

  it('answers nothing to one that is cut off, and leaves open what became of its write', async () => {
    await withTwo(async ({ time, origin, lines, servers }) => {
      const [one] = servers as [SharedStoreAccess];
      const line = lines[0] as StoreLine;
      line.isCut = true;
      await assert.rejects(one.currentRevision(), (error) => isStorageError(error, 'unavailable'));
      await assert.rejects(write(one, put('/g/r/c/n/a', '1')), (error) =>
        isStorageError(error, 'outcome-unknown'),
      );
      await time.sleep(60_000);
      assert.equal(await origin.currentRevision(), 1, 'what was given up is not done later');
      line.isCut = false;
      line.answerLossRate = 1;
      await assert.rejects(write(one, put('/g/r/c/n/a', '2')), (error) =>
        isStorageError(error, 'outcome-unknown'),
      );
      assert.equal((await origin.get(key('/g/r/c/n/a')))?.value.toString(), '2');
    });
  });

  it('ends the watches of one whose history is gone, and tells what it had not told never', async () => {
    await withTwo(async ({ time, lines, servers }) => {
      const [one, two] = servers as [SharedStoreAccess, SharedStoreAccess];
      const lost = await record(two, { prefix: '', afterRevision: revision(1) });
      (lines[1] as StoreLine).heldUntilMs = time.nowMs + 5_000;
      await write(one, put('/g/r/c/n/a', '1'));
      two.loseWatches();
      await time.sleep(10_000);
      assert.deepEqual(lost.events, []);
      assert.equal(lost.ended.length, 1);
      assert.ok(isStorageError(lost.ended[0], 'compacted'));
    });
  });
});
