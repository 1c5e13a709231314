import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isStorageError } from '../errors.ts';
import { key, plain, put, write } from '../testing/storage-fixture.ts';
import { openLevelStorage } from './level-storage.ts';
import { levelFormatVersion } from './marker.ts';
import { type LevelUpgrade, levelUpgrades } from './upgrade.ts';

describe('formats of the embedded store', () => {
  let base: string;
  let folders = 0;

  const newFolder = (): string => join(base, String(folders++));

  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'cellplane-upgrade-'));
  });
  after(() => rm(base, { recursive: true, force: true }));

  async function filled(upgrades: readonly LevelUpgrade[] = []): Promise<string> {
    const directory = newFolder();
    const storage = await openLevelStorage({ directory, upgrades });
    await write(storage, put('/g/r/c/n/a', '1'));
    await storage.close();
    return directory;
  }

  it('counts one more than there are upgrades', () => {
    assert.equal(levelFormatVersion, 1 + levelUpgrades.length);
  });

  it('brings an older store to the newest format, once, step by step, keeping what is in it', async () => {
    const directory = await filled();
    const done: string[] = [];
    const upgrades: LevelUpgrade[] = [
      async (database) => {
        const [value] = await database.getMany([Buffer.from('absent')]);
        done.push(`to 2, ${value}`);
      },
      async () => {
        done.push('to 3');
      },
    ];
    for (let round = 0; round < 2; round++) {
      const storage = await openLevelStorage({ directory, upgrades, verifyValues: true });
      assert.equal(plain(await storage.get(key('/g/r/c/n/a')))?.value, '1');
      await storage.close();
    }
    assert.deepEqual(done, ['to 2, undefined', 'to 3']);
    await assert.rejects(openLevelStorage({ directory }), (error) => {
      assert.ok(isStorageError(error, 'unusable'));
      assert.match(error.message, /has format 3, this program knows 1: use a newer one/);
      return true;
    });
  });

  it('does an upgrade again that was cut short, and no step twice that was done', async () => {
    const directory = await filled();
    const done: string[] = [];
    let fails = true;
    const upgrades: LevelUpgrade[] = [
      async () => {
        done.push('to 2');
      },
      async () => {
        done.push('to 3');
        if (fails) throw new Error('power cut');
      },
    ];
    await assert.rejects(openLevelStorage({ directory, upgrades }), /power cut/);
    fails = false;
    await (await openLevelStorage({ directory, upgrades })).close();
    assert.deepEqual(done, ['to 2', 'to 3', 'to 3']);
  });

  it('makes new stores in the newest format', async () => {
    const upgrade: LevelUpgrade = async () => assert.fail('nothing to upgrade');
    const directory = await filled([upgrade]);
    await (await openLevelStorage({ directory, upgrades: [upgrade] })).close();
    await assert.rejects(openLevelStorage({ directory }), /has format 2, this program knows 1/);
  });
});
