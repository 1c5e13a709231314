// etcd is killed at random moments of a heavy load, and started again on what it left.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { systemClock } from '#apimachinery/clock.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import { openEtcdStorage } from '#storage/etcd/etcd-storage.ts';
import type { Storage } from '#storage/storage.ts';
import { EtcdServer, limitFlags, skipWithoutEtcd } from '../harness/etcd-server.ts';
import { Random } from '../harness/random.ts';
import { until } from '../harness/until.ts';
import { budgetOf, repeat } from './budget.ts';
import { StoreChecker } from './store-checker.ts';
import { runLoad } from './store-load.ts';

describe('etcd: crashes', { skip: skipWithoutEtcd }, () => {
  let etcd: EtcdServer;
  let stores = 0;

  before(async () => {
    etcd = await EtcdServer.start({
      flags: [...limitFlags, '--heartbeat-interval=20', '--election-timeout=200'],
    });
  });
  after(() => etcd?.dispose());

  test('kill -9: order, atomicity, no revision back, nothing acknowledged lost, no gap in the watch', async (t) => {
    const budget = budgetOf(2_000, 1);
    t.diagnostic(`seed ${budget.seed}`);
    const sums = { kills: 0, acknowledged: 0, unknown: 0, refused: 0 };
    await repeat(budget, async (seed) => {
      const random = new Random(seed);
      const checker = new StoreChecker();
      const prefix = `/store-${stores++}`;
      const open = (requestTimeoutMs: number, compactionIntervalMs: number, isCached: boolean) =>
        // A machine that is busy with something else may take longer than the shortest timeout.
        until('the store opens', async (): Promise<Storage> => {
          const bare = await openEtcdStorage({
            endpoints: [etcd.endpoint],
            prefix,
            clock: systemClock,
            requestTimeoutMs,
            compactionIntervalMs,
          });
          if (!isCached) return bare;
          try {
            return await openCachedStorage(bare);
          } catch (error) {
            await bare.close();
            throw error;
          }
        });
      for (let session = 0; session < 2; session++) {
        const storage = await open(random.pick([400, 3_000]), random.pick([0, 300]), random.next() < 0.6);
        const stopping = new AbortController();
        const load = runLoad({
          storage,
          seed: random.between(1, 2 ** 30),
          writers: random.between(2, 16),
          session: String(session),
          valueBytesMax: random.pick([400, 200_000]),
          report: checker,
          signal: stopping.signal,
        });
        load.catch(() => {}); // told where it is awaited
        for (let kill = random.between(1, 3); kill > 0; kill--) {
          await pause(random.between(20, 300));
          await etcd.kill();
          sums.kills++;
          if (random.next() < 0.3) await pause(random.between(0, 500));
          await etcd.resume();
          const before = checker.acknowledgedCount;
          await Promise.race([until('writes go on', () => checker.acknowledgedCount > before + 3), load]);
        }
        stopping.abort();
        await load;
        await storage.close();
        // What is checked is the history: it stays while it is read.
        const reopened = await open(10_000, 0, false);
        try {
          await checker.check(reopened, { hasEveryRevision: false });
        } finally {
          await reopened.close();
        }
      }
      sums.acknowledged += checker.acknowledgedCount;
      sums.unknown += checker.unknownCount;
      sums.refused += checker.refusedCount;
    });
    t.diagnostic(JSON.stringify(sums));
    assert.ok(sums.acknowledged > 0);
  });
});
