import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createClassicLevel } from './database.ts';
import { LogNames } from './log-names.ts';

describe('names of LevelDB’s logs', {
  skip: process.platform === 'win32' ? 'folders have no sync' : false,
}, () => {
  async function withNames(
    test: (folder: string, names: LogNames) => Promise<void>,
    now?: (folder: string) => number,
  ): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'cellplane-names-'));
    await writeFile(join(folder, '000003.log'), '');
    const names = await LogNames.of(folder, 1_000, now === undefined ? undefined : () => now(folder));
    assert.ok(names !== undefined);
    try {
      await test(folder, names);
    } finally {
      await names.close();
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** As if the last change were long ago. */
  async function age(folder: string): Promise<void> {
    const { mtimeMs } = await stat(folder);
    await utimes(folder, new Date(), new Date(mtimeMs - 60_000 + 0.5));
  }

  it('asks the disk nothing before LevelDB can have begun a new log', () =>
    withNames(async (folder, names) => {
      names.wrote(1, 300);
      await writeFile(join(folder, '000004.log'), '');
      assert.equal(names.synced(), undefined);
      names.wrote(3, 300);
      const looking = names.synced();
      assert.ok(looking !== undefined);
      await looking;
    }));

  it('looks for as long as a new log can have the time that was seen, and again after each change', () => {
    let sinceChangeMs = 0;
    const test = async (folder: string, names: LogNames) => {
      names.expectNew();
      for (let look = 0; look < 2; look++) {
        const looking = names.synced();
        assert.ok(looking !== undefined);
        await looking;
      }
      sinceChangeMs = 60_000;
      await age(folder);
      await names.synced();
      assert.equal(names.synced(), undefined);
      await writeFile(join(folder, '000005.ldb'), '');
      const again = names.synced();
      assert.ok(again !== undefined);
      await again;
    };
    return withNames(test, (folder) => statSync(folder).mtimeMs + sinceChangeMs);
  });

  it('counts anew from the write that a new log was found after', () =>
    withNames(async (folder, names) => {
      names.wrote(10, 10_000);
      await names.synced();
      await writeFile(join(folder, '1000000.log'), '');
      names.wrote(1, 100);
      await names.synced();
      assert.equal(names.synced(), undefined);
      names.wrote(1, 900);
      await writeFile(join(folder, '1000001.log'), '');
      const looking = names.synced();
      assert.ok(looking !== undefined);
      await looking;
    }));

  it('says so when the folder cannot be read', () =>
    withNames(async (folder, names) => {
      names.expectNew();
      await rm(folder, { recursive: true });
      await assert.rejects(async () => names.synced());
    }));

  it('finds the log that LevelDB begins when its buffer is full, or when it compacts', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cellplane-names-'));
    const database = createClassicLevel(join(folder, 'db'));
    try {
      await database.open({ createIfMissing: true });
      const value = Buffer.alloc(1024 * 1024);
      for (let index = 0; index < 20; index++) {
        await database.batch([{ type: 'put', key: Buffer.from(`r${index}`), value }], { sync: true });
      }
      await database.compactRange(Buffer.from('r'), Buffer.from('s'));
      await database.batch([{ type: 'put', key: Buffer.from('r'), value }], { sync: true });
    } finally {
      await database.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
