// The disk of the embedded store is full, fails to write, to sync, to read, to open: for a while or at any one call.
// The store goes on when the disk does, refuses with its reason otherwise, and never loses or makes up anything.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { openLevelStorage } from '#storage/level/level-storage.ts';
import { Random } from '../harness/random.ts';
import { until } from '../harness/until.ts';
import { budgetOf, repeat } from './budget.ts';
import { type ControlName, errnos, failing, scratchFolder, skipWithoutShim } from './disk-shim.ts';
import { Machine } from './machine.ts';
import { StoreChecker } from './store-checker.ts';
import { type StoreRun, startStore } from './store-runner.ts';

type Fault = Partial<Record<ControlName, number>>;

/** Codes with which a store may say that it cannot be opened on a disk that fails. */
const refusals = ['unusable', 'unavailable', 'corrupt'];

function randomFault(random: Random): Fault {
  const error = random.pick([errnos.EIO, errnos.ENOSPC, errnos.EIO, errnos.EROFS, errnos.EMFILE]);
  const operation = random.weighted({
    write: 5,
    sync: 5,
    open: 2,
    rename: 1,
    unlink: 1,
    read: 2,
    map: 1,
    make: 1,
    space: 4,
    writeAndSync: 2,
  });
  const times = random.pick([1, 1, 3, 100, -1]);
  const skip = random.pick([0, 0, random.between(0, 30)]);
  if (operation === 'space') return { space: random.pick([0, random.between(0, 200_000)]) };
  const bits = operation === 'writeAndSync' ? failing.write + failing.sync : failing[operation];
  return { error, times, skip, failing: bits };
}

const health: Fault = { failing: 0, space: -1, times: 0, skip: 0, onlyLogs: 0 };

describe('level: errors of the disk', { skip: skipWithoutShim }, () => {
  let folder: Awaited<ReturnType<typeof scratchFolder>>;
  let machine: Machine;

  before(async () => {
    folder = await scratchFolder();
    machine = await Machine.make(folder.path, { withShim: true });
  });
  after(() => folder?.[Symbol.asyncDispose]());

  function start(random: Random, checker: StoreChecker, session: string): StoreRun {
    return startStore(
      machine.script,
      {
        directory: machine.store,
        seed: random.between(1, 2 ** 30),
        session,
        writers: random.between(1, 8),
        sync: true,
        syncNames: true,
        valueBytesMax: random.pick([400, 100_000, 1_000_000]),
        historyRevisionsMax: random.pick([50, 1_000, 100_000]),
        isCached: random.next() < 0.7,
      },
      machine.environment({ seed: random.between(1, 2 ** 30), writeback: random.pick([0, 20]) }),
      checker,
    );
  }

  async function check(checker: StoreChecker): Promise<void> {
    const storage = await openLevelStorage({ directory: await machine.copyStore(), verifyValues: true });
    try {
      await checker.check(storage, { hasEveryRevision: true });
    } finally {
      await storage.close();
    }
  }

  test('while it is written: writes stop, the store is reopened, they go on', async (t) => {
    const budget = budgetOf(2_500, 0.5);
    t.diagnostic(`seed ${budget.seed}`);
    let faults = 0;
    let powerCuts = 0;
    const round = async (seed: number) => {
      const random = new Random(seed);
      const checker = new StoreChecker();
      await machine.wipe();
      await machine.control.reset();
      for (let session = 0; session < 2; session++) {
        const run = start(random, checker, `${session}`);
        await run.ready;
        for (let fault = random.between(1, 3); fault > 0; fault--) {
          await pause(random.between(5, 60));
          const chosen = randomFault(random);
          await machine.control.set(chosen);
          await pause(random.between(5, 120));
          await machine.control.set(health);
          const before = run.acknowledged();
          await Promise.race([
            until('writes go on', () => run.acknowledged() > before + 5).catch((error) => {
              throw new Error(`${error.message} after ${JSON.stringify(chosen)}`);
            }),
            run.ended.then((end) => {
              throw new Error(`ended after ${JSON.stringify(chosen)}: ${JSON.stringify(end)}`);
            }),
          ]);
        }
        const end = random.pick(['stop', 'kill', 'cut'] as const);
        run.child.kill(end === 'stop' ? 'SIGTERM' : 'SIGKILL');
        const { failure, isClosed } = await run.ended;
        assert.equal(failure, undefined, failure?.message);
        if (end === 'stop') assert.ok(isClosed);
        faults += await machine.control.get('failed');
        if (end === 'cut') {
          powerCuts++;
          await machine.cutPower(random);
        } else {
          await machine.settle();
        }
        await check(checker);
      }
    };
    await repeat(budget, round, () => faults > 0);
    t.diagnostic(JSON.stringify({ faults, powerCuts }));
    assert.ok(faults > 0);
  });

  test('while it is opened: refused with its reason, and whole when the disk is', async (t) => {
    const budget = budgetOf(2_000, 0.5);
    t.diagnostic(`seed ${budget.seed}`);
    const outcomes: { [code: string]: number } = {};
    await repeat(budget, async (seed) => {
      const random = new Random(seed);
      const checker = new StoreChecker();
      await machine.wipe();
      await machine.control.reset();
      const first = start(random, checker, 'first');
      await first.ready;
      const least = random.between(20, 200);
      await until('something is written', () => first.acknowledged() > least);
      first.child.kill(random.next() < 0.3 ? 'SIGTERM' : 'SIGKILL');
      await first.ended;
      await machine.settle();
      for (let attempt = 0; attempt < 4; attempt++) {
        await machine.control.reset();
        const fault = { ...randomFault(random), skip: random.between(0, 25), times: random.pick([1, 2, -1]) };
        await machine.control.set(fault);
        const run = start(random, checker, `attempt-${attempt}`);
        await Promise.race([run.ready.then(() => pause(20)), run.ended]);
        run.child.kill('SIGKILL');
        const { failure, errors } = await run.ended;
        const what = `${JSON.stringify(fault)}: ${failure?.message} ${errors}`;
        outcomes[failure?.code ?? 'opened'] = (outcomes[failure?.code ?? 'opened'] ?? 0) + 1;
        if (failure !== undefined) {
          assert.ok(refusals.includes(failure.code), what);
          assert.ok(failure.message.includes(machine.store), what);
        }
        if (random.next() < 0.5) await machine.cutPower(random);
        else await machine.settle();
        await check(checker).catch((error: Error) => {
          throw new Error(`${error.message} after ${what}`, { cause: error });
        });
      }
    });
    t.diagnostic(JSON.stringify(outcomes));
  });

  test('a log that cannot be read is not taken for one that ends there', async () => {
    const random = new Random(budgetOf(0, 0).seed);
    const checker = new StoreChecker();
    await machine.wipe();
    await machine.control.reset();
    const first = start(random, checker, 'first');
    await until('something is written', () => first.acknowledged() > 50);
    first.child.kill('SIGKILL');
    await first.ended;
    await machine.settle();
    // Whoever reads it after LevelDB has tried is answered again: only so does it matter who noticed.
    await machine.control.set({ failing: failing.read, error: errnos.EIO, times: 1, onlyLogs: 1 });
    const second = start(random, checker, 'second');
    const { failure } = await second.ended;
    assert.equal(failure?.code, 'unusable', failure?.message);
    assert.match(failure?.message ?? '', /cannot be read: .*IO error/);
    await machine.settle();
    await check(checker);
  });
});
