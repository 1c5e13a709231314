import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openCachedStorage } from '../cache/caching-storage.ts';
import { isStorageError, type StorageErrorCode } from '../errors.ts';
import { createClassicLevel } from '../level/database.ts';
import { recordKey } from '../level/key-codec.ts';
import { openLevelStorage } from '../level/level-storage.ts';
import { databaseFolder } from '../level/marker.ts';
import { createMemoryStorage } from '../memory/memory-storage.ts';
import type { Storage } from '../storage.ts';
import { del, guard, key, plain, put, revision, write } from '../testing/storage-fixture.ts';
import { contentDigest } from './content-digest.ts';
import { restoreLevelStorage, restoreRevisionStep } from './restore-level.ts';
import { writeBackup } from './write-backup.ts';

const nowMs = Date.UTC(2026, 0, 1);

async function collect(storage: Storage): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of writeBackup(storage, { nowMs })) chunks.push(Buffer.from(chunk));
  return chunks;
}

async function* stream(bytes: Buffer, chunkBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

describe('backup and restore', () => {
  let base: string;
  let folders = 0;
  let original: Storage;
  let backup: Buffer;

  const newFolder = (): string => join(base, String(folders++));

  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'cellplane-backup-'));
    original = createMemoryStorage({ controlPlaneId: 'origin' });
    for (let index = 0; index < 1_200; index++)
      await write(original, put(`/g/r/c/n/${index}`, `value ${index}`));
    await write(original, del('/g/r/c/n/7'), put('/rbac/roles/c//é😀', 'unicode'), put('/g/r/c/n/empty', ''));
    backup = Buffer.concat(await collect(original));
  });
  after(async () => {
    await original.close();
    await rm(base, { recursive: true, force: true });
  });

  async function refused(source: Buffer, code: StorageErrorCode, directory = newFolder()): Promise<string> {
    const restoring = restoreLevelStorage({ directory, source: stream(source, 10_000), nowMs });
    await assert.rejects(restoring, (error) => isStorageError(error, code));
    return directory;
  }

  it('brings everything back at one revision far beyond, with all before compacted', async () => {
    const directory = newFolder();
    const summary = await restoreLevelStorage({ directory, source: stream(backup, 777), nowMs });
    const expected = (await original.range({ prefix: '' })).items.map(({ key, value }) => [
      key,
      value.toString(),
    ]);
    assert.equal(summary.keys, expected.length);
    assert.equal(summary.controlPlaneId, 'origin');
    assert.equal(summary.backupRevision, await original.currentRevision());
    assert.equal(summary.revision, summary.backupRevision + restoreRevisionStep);
    const restored = await openCachedStorage(await openLevelStorage({ directory, verifyValues: true }));
    assert.equal(restored.controlPlaneId, 'origin');
    assert.equal(restored.incarnationId, summary.incarnationId);
    assert.notEqual(restored.incarnationId, original.incarnationId);
    assert.equal(restored.revision, summary.revision);
    assert.equal(await restored.compactedRevision(), summary.revision);
    const { items } = await restored.range({ prefix: '' });
    assert.deepEqual(
      items.map(({ key, value }) => [key, value.toString()]),
      expected,
    );
    await assert.rejects(
      restored.watch(
        { prefix: '', afterRevision: revision(summary.backupRevision) },
        { events() {}, end() {} },
      ),
      (error) => isStorageError(error, 'compacted'),
    );
    const changed = await restored.transact({
      guards: [guard('/g/r/c/n/1', summary.revision)],
      operations: [put('/g/r/c/n/1', 'changed')],
    });
    assert.deepEqual(changed, { committed: true, revision: summary.revision + 1 });
    await restored.close();
    const reopened = await openLevelStorage({ directory });
    assert.deepEqual(plain(await reopened.get(key('/g/r/c/n/1')))?.value, 'changed');
    const again = Buffer.concat(await collect(reopened));
    await reopened.close();
    await restoreLevelStorage({ directory: newFolder(), source: stream(again, 1_000_000), nowMs });
  });

  it('gives a clone a control-plane id of its own', async () => {
    const source = stream(backup, 100_000);
    const summary = await restoreLevelStorage({ directory: newFolder(), source, asClone: true, nowMs });
    assert.notEqual(summary.controlPlaneId, 'origin');
  });

  it('is the state at one revision although others write meanwhile', async () => {
    const storage = createMemoryStorage();
    for (let index = 0; index < 1_500; index++) await write(storage, put(`/g/r/c/n/${index}`, 'before'));
    const chunks: Buffer[] = [];
    for await (const chunk of writeBackup(storage, { nowMs })) {
      chunks.push(chunk);
      for (let index = 0; index < 1_500; index += 100)
        await write(storage, put(`/g/r/c/n/${index}`, 'after'));
      await write(storage, del(`/g/r/c/n/${1_499 - chunks.length}`));
    }
    const directory = newFolder();
    await restoreLevelStorage({ directory, source: stream(Buffer.concat(chunks), 4_096), nowMs });
    const restored = await openLevelStorage({ directory });
    const { items } = await restored.range({ prefix: '' });
    assert.equal(items.length, 1_500);
    assert.ok(items.every((item) => item.value.toString() === 'before'));
    await restored.close();
    await storage.close();
  });

  it('refuses what is damaged, cut short or no backup, and leaves no store that opens', async () => {
    for (const at of [30, 200, 5_000, backup.length - 5]) {
      const flipped = Buffer.from(backup);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      await refused(flipped, 'corrupt');
    }
    await refused(Buffer.from('something else entirely'), 'corrupt');
    await refused(Buffer.concat([backup, Buffer.from('more')]), 'corrupt');
    const [header, first, second, ...rest] = await collect(original);
    assert.ok(header !== undefined && first !== undefined && second !== undefined);
    await refused(Buffer.concat([header, second, first, ...rest]), 'corrupt');
    const directory = await refused(backup.subarray(0, backup.length - 40), 'corrupt');
    await assert.rejects(openLevelStorage({ directory }), (error) => isStorageError(error, 'unusable'));
  });

  it('removes what an unfinished restore has left, when asked to, and nothing else', async () => {
    const directory = await refused(backup.subarray(0, backup.length - 40), 'corrupt');
    await refused(backup, 'unusable', directory);
    const source = () => stream(backup, 50_000);
    const told: number[] = [];
    const onProgress = (keys: number, expected: number | undefined): void => {
      told.push(keys);
      assert.equal(expected, 1_201);
    };
    await restoreLevelStorage({ directory, source: source(), nowMs, discardUnfinished: true, onProgress });
    assert.equal(told.at(-1), 1_201);
    const restored = await openLevelStorage({ directory, verifyValues: true });
    const restoring = restoreLevelStorage({ directory, source: source(), nowMs, discardUnfinished: true });
    await assert.rejects(restoring, (error) => isStorageError(error, 'unusable'));
    assert.deepEqual(await contentDigest(restored), await contentDigest(original));
    await write(restored, put('/g/r/c/n/1', 'other'));
    assert.notEqual((await contentDigest(restored)).sha256, (await contentDigest(original)).sha256);
    await restored.close();
  });

  it('goes on where it was cut short, also when the store has changed since', async () => {
    const origin = createMemoryStorage({ controlPlaneId: 'moved' });
    for (let index = 0; index < 1_300; index++)
      await write(origin, put(`/g/r/c/n/${index}`, `value ${index}`));
    const directory = newFolder();
    const chunks = await collect(origin);
    const cut = async function* (): AsyncGenerator<Buffer> {
      yield* chunks.slice(0, 3);
      throw new Error('cut short');
    };
    await assert.rejects(restoreLevelStorage({ directory, source: cut(), nowMs }), /cut short/);
    await write(origin, put('/g/r/c/n/1', 'other'), del('/g/r/c/n/100'), put('/g/r/c/n/0/new', 'new'));
    const changed = Buffer.concat(await collect(origin));
    const again = () => ({ directory, source: stream(changed, 10_000), nowMs });
    await assert.rejects(restoreLevelStorage(again()), (error) => isStorageError(error, 'unusable'));
    await assert.rejects(
      restoreLevelStorage({ directory, source: stream(backup, 10_000), nowMs, resume: true }),
      (error) => isStorageError(error, 'unusable') && error.message.includes('another control plane'),
    );
    // A value that does not match its checksum is written again.
    const database = createClassicLevel(databaseFolder(directory));
    await database.open({ createIfMissing: false });
    const damaged = recordKey(revision(1_301 + restoreRevisionStep), '/g/r/c/n/10');
    await database.batch([{ type: 'put', key: damaged, value: Buffer.from('damaged') }], { sync: true });
    await database.close();
    const summary = await restoreLevelStorage({ ...again(), resume: true });
    assert.equal(summary.keys, 1_300);
    // Of the first thousand: one changed, one deleted, one damaged.
    assert.equal(summary.kept, 997);
    assert.equal(summary.revision, 1_301 + restoreRevisionStep);
    const restored = await openLevelStorage({ directory, verifyValues: true });
    assert.equal(restored.incarnationId, summary.incarnationId);
    assert.deepEqual(await contentDigest(restored), await contentDigest(origin));
    await restored.close();
    await refused(changed, 'unusable', directory);
    await assert.rejects(restoreLevelStorage({ ...again(), resume: true }), (error) =>
      isStorageError(error, 'unusable'),
    );
    await origin.close();
  });

  it('never writes over a store', async () => {
    const directory = newFolder();
    const storage = await openLevelStorage({ directory });
    await write(storage, put('/g/r/c/n/a', '1'));
    await storage.close();
    await refused(backup, 'unusable', directory);
    await (await openLevelStorage({ directory })).close();
  });
});
