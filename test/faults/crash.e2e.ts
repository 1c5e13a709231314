// The embedded store is killed, and the power of its machine cut, at random instructions of a heavy load.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { openLevelStorage } from '#storage/level/level-storage.ts';
import { Random } from '../harness/random.ts';
import { until } from '../harness/until.ts';
import { budgetOf, repeat } from './budget.ts';
import { scratchFolder, skipWithoutShim } from './disk-shim.ts';
import { Machine } from './machine.ts';
import { StoreChecker } from './store-checker.ts';
import { startStore } from './store-runner.ts';

/** Power cuts until a loss that has to show does: one in some ten shows it. */
const lossRoundsMax = 400;

interface Crashes {
  readonly isPowerCut: boolean;
  readonly sync: boolean;
  /** False: LevelDB's new logs are left to the file system, and that is one that keeps a name only when its folder is synced. */
  readonly syncNames: boolean;
  /** Crashes of one store, before the next round begins with an empty disk. */
  readonly crashes: number;
}

interface Sums {
  kills: number;
  acknowledged: number;
  unknown: number;
}

describe('level: crashes', () => {
  let folder: Awaited<ReturnType<typeof scratchFolder>>;
  let machine: Machine;

  before(async () => {
    folder = await scratchFolder();
    machine = await Machine.make(folder.path, { withShim: skipWithoutShim === false });
  });
  after(() => folder?.[Symbol.asyncDispose]());

  /** One store over several crashes. Throws when anything is not as it was promised. */
  async function crashAgainAndAgain(
    seed: number,
    { isPowerCut, sync, syncNames, crashes }: Crashes,
    sums: Sums,
  ): Promise<void> {
    const random = new Random(seed);
    const checker = new StoreChecker();
    await machine.wipe();
    for (let crash = 0; crash < crashes; crash++) {
      const behaviour = {
        seed: random.between(1, 2 ** 30),
        writeback: sync && syncNames ? random.pick([0, 0, 20, 200]) : 0,
        names: syncNames ? random.pick(['journal', 'folder'] as const) : 'folder',
      };
      await machine.control.reset();
      const atChange = random.next() < 0.7 ? random.between(1, random.pick([60, 600, 3_000])) : 0;
      if (skipWithoutShim === false) await machine.control.set({ killAt: atChange });
      const run = startStore(
        machine.script,
        {
          directory: machine.store,
          seed: random.between(1, 2 ** 30),
          session: `${crash}`,
          writers: random.between(1, 12),
          sync,
          syncNames,
          // The largest soon fill a log.
          valueBytesMax: syncNames ? random.pick([400, 100_000, 3_000_000]) : 3_000_000,
          historyRevisionsMax: random.pick([50, 1_000, 100_000]),
          isCached: random.next() < 0.7,
        },
        machine.environment(behaviour),
        checker,
      );
      // Sometimes stopped in an orderly way: then even more must hold.
      const isOrderly = random.next() < 0.1;
      await run.ready;
      const patience = pause(random.between(5, 250), undefined, { ref: false });
      await Promise.race([patience, run.ended]);
      // Only what was acknowledged can be lost, and names only where a log is full.
      const least = sync && syncNames ? 0 : random.between(1, 8);
      let hasEnded = false;
      const end = () => {
        hasEnded = true;
      };
      run.ended.then(end, end);
      await until('it is written', () => hasEnded || run.acknowledged() >= least);
      run.child.kill(isOrderly ? 'SIGTERM' : 'SIGKILL');
      const { signal, failure, isClosed, errors } = await run.ended;
      assert.equal(failure, undefined, `${failure?.message}\n${errors}`);
      assert.ok(signal === 'SIGKILL' || isClosed, `ended with ${signal}: ${errors}`);
      if (signal === 'SIGKILL') sums.kills++;
      if (isPowerCut) await machine.cutPower(random);
      else await machine.settle();
      if (random.next() < 0.5 || crash === crashes - 1) {
        const storage = await openLevelStorage({ directory: await machine.copyStore(), verifyValues: true });
        try {
          await checker.check(storage, { hasEveryRevision: true });
        } finally {
          await storage.close();
        }
      }
    }
    sums.acknowledged += checker.acknowledgedCount;
    sums.unknown += checker.unknownCount;
  }

  test('kill -9: order, atomicity, no revision back, nothing acknowledged lost', async (t) => {
    const budget = budgetOf(2_000, 0.5);
    t.diagnostic(`seed ${budget.seed}`);
    const sums = { kills: 0, acknowledged: 0, unknown: 0 };
    await repeat(
      budget,
      (seed) =>
        crashAgainAndAgain(seed, { isPowerCut: false, sync: true, syncNames: true, crashes: 3 }, sums),
      () => sums.acknowledged > 0,
    );
    t.diagnostic(JSON.stringify(sums));
    assert.ok(sums.acknowledged > 0);
  });

  test('power cuts: what was not synced is gone, nothing acknowledged is', {
    skip: skipWithoutShim,
  }, async (t) => {
    const budget = budgetOf(2_000, 0.5);
    t.diagnostic(`seed ${budget.seed}`);
    const sums = { kills: 0, acknowledged: 0, unknown: 0 };
    await repeat(
      budget,
      (seed) => crashAgainAndAgain(seed, { isPowerCut: true, sync: true, syncNames: true, crashes: 3 }, sums),
      () => sums.acknowledged > 0,
    );
    t.diagnostic(JSON.stringify(sums));
    assert.ok(sums.acknowledged > 0);
  });

  for (const [what, syncs] of [
    ['sync is off', { sync: false, syncNames: true }],
    ['names of logs are not synced where they have to be', { sync: true, syncNames: false }],
  ] as const) {
    test(`power cuts lose acknowledged writes when ${what}`, { skip: skipWithoutShim }, async (t) => {
      const { seed } = budgetOf(0, 0);
      t.diagnostic(`seed ${seed}`);
      await assert.rejects(async () => {
        const sums = { kills: 0, acknowledged: 0, unknown: 0 };
        for (let round = 0; round < lossRoundsMax; round++) {
          await crashAgainAndAgain(seed + round, { isPowerCut: true, ...syncs, crashes: 1 }, sums);
        }
      }, /has told of|is lost|had \d+ writes acknowledged|has lost its key|older than at its last orderly stop|was given to|is damaged/);
    });
  }
});
