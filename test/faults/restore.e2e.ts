// The power is cut at random calls of a restore, and right after it: the folder is refused as an unfinished restore, or
// holds everything.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { writeBackup } from '#storage/backup/write-backup.ts';
import { isStorageError } from '#storage/errors.ts';
import { openLevelStorage } from '#storage/level/level-storage.ts';
import { createMemoryStorage } from '#storage/memory/memory-storage.ts';
import { bundleScript } from '../harness/bundle-script.ts';
import { Random } from '../harness/random.ts';
import { budgetOf, repeat } from './budget.ts';
import { scratchFolder, skipWithoutShim } from './disk-shim.ts';
import { Machine } from './machine.ts';
import { keyOf } from './watch-history.ts';

const items = 260;
/** Enough for LevelDB to begin a second log. */
const valueBytes = 100_000;

describe('level: a restore that is cut short', { skip: skipWithoutShim }, () => {
  let folder: Awaited<ReturnType<typeof scratchFolder>>;
  let machine: Machine;
  let script: string;
  let backup: string;
  before(async () => {
    folder = await scratchFolder();
    machine = await Machine.make(folder.path, { withShim: true });
    script = await bundleScript(new URL('./restore-process.ts', import.meta.url), folder.path);
    backup = path.join(folder.path, 'backup');
    const storage = createMemoryStorage();
    for (let index = 0; index < items; index++) {
      const value = Buffer.from(`${index} `.repeat(valueBytes / 4));
      await storage.transact({
        guards: [],
        operations: [{ type: 'put', key: keyOf(`/g/r/c/n/${index}`), value }],
      });
    }
    const file = await open(backup, 'w');
    for await (const chunk of writeBackup(storage, { nowMs: Date.now() })) await file.write(chunk);
    await file.close();
    await storage.close();
  });
  after(() => folder?.[Symbol.asyncDispose]());

  test('is refused, or whole', async (t) => {
    const budget = budgetOf(1_500, 1);
    t.diagnostic(`seed ${budget.seed}`);
    const outcomes: { [outcome: string]: number } = {};
    await repeat(budget, async (seed) => {
      const random = new Random(seed);
      await machine.wipe();
      await machine.control.reset();
      if (random.next() < 0.5) await machine.control.set({ killAt: random.between(1, 400) });
      const child = spawn(process.execPath, [script, backup, machine.store], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: {
          ...process.env,
          ...machine.environment({
            seed,
            writeback: random.pick([0, 0, 50]),
            names: random.pick(['journal', 'folder'] as const),
          }),
        },
      });
      // With all that it has said.
      const closed = once(child, 'close');
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        // At the very moment that it says that it is done.
        child.kill('SIGKILL');
      });
      await closed;
      assert.ok(!said.startsWith('refused'), said);
      await machine.cutPower();
      const isRestored = said.startsWith('restored');
      let outcome: string;
      try {
        const storage = await openLevelStorage({
          directory: machine.store,
          createIfMissing: false,
          verifyValues: true,
        });
        const { items: found } = await storage.range({ prefix: '' });
        await storage.close();
        assert.equal(found.length, items);
        outcome = 'whole';
      } catch (error) {
        assert.ok(isStorageError(error, 'unusable') && !isRestored, `${said}: ${String(error)}`);
        outcome = error.message.includes('unfinished restore') ? 'unfinished' : 'nothing';
      }
      outcomes[`${isRestored ? 'restored' : 'killed'}: ${outcome}`] =
        (outcomes[`${isRestored ? 'restored' : 'killed'}: ${outcome}`] ?? 0) + 1;
    });
    t.diagnostic(JSON.stringify(outcomes));
  });
});
