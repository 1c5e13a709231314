import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isStorageError, type StorageErrorCode } from '../errors.ts';
import { put, write } from '../testing/storage-fixture.ts';
import { type LevelStorageOptions, openLevelStorage } from './level-storage.ts';
import { databaseFolder } from './marker.ts';

describe('level: damaged and foreign data folders', () => {
  let base: string;
  let folders = 0;

  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'cellplane-damage-'));
  });
  after(() => rm(base, { recursive: true, force: true }));

  const newFolder = (): string => join(base, String(folders++));

  async function fill(directory: string, count: number): Promise<void> {
    const storage = await openLevelStorage({ directory });
    for (let index = 0; index < count; index++) {
      await write(storage, put(`/g/r/c/n/${index}`, `${index}:`.repeat(50)));
    }
    await storage.close();
  }

  async function refused(
    directory: string,
    code: StorageErrorCode,
    options: Partial<LevelStorageOptions> = {},
  ): Promise<void> {
    await assert.rejects(openLevelStorage({ directory, ...options }), (error) => {
      assert.ok(isStorageError(error, code), `expected ${code}, got ${String(error)}`);
      assert.equal(error.fields['directory'], directory);
      assert.ok(error.message.includes(directory));
      return true;
    });
  }

  async function fileOf(directory: string, ending: string): Promise<string> {
    const folder = databaseFolder(directory);
    const names = (await readdir(folder)).filter((name) => name.endsWith(ending));
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
    const largest = names[sizes.indexOf(Math.max(...sizes))];
    assert.ok(largest !== undefined, `a ${ending} file`);
    return join(folder, largest);
  }

  async function flipByte(path: string, at: number): Promise<void> {
    const bytes = await readFile(path);
    const index = Math.floor(bytes.length * at);
    bytes[index] = (bytes[index] ?? 0) ^ 0x20;
    await writeFile(path, bytes);
  }

  for (const at of [0.3, 0.5, 0.95]) {
    it(`finds a flipped byte in the log, at ${at}`, async () => {
      const directory = newFolder();
      await fill(directory, 100);
      await flipByte(await fileOf(directory, '.log'), at);
      await refused(directory, 'corrupt');
    });
  }

  it('leaves a damaged store as it was, byte for byte, however often it is tried', async () => {
    const directory = newFolder();
    await fill(directory, 50);
    const log = await fileOf(directory, '.log');
    await flipByte(log, 0.5);
    const filesNow = async (): Promise<string> => {
      const names = (await readdir(databaseFolder(directory))).sort();
      const contents = await Promise.all(
        names.map((name) => readFile(join(databaseFolder(directory), name), 'hex')),
      );
      return JSON.stringify([await readdir(directory), names, contents]);
    };
    const before = await filesNow();
    for (let attempt = 0; attempt < 3; attempt++) {
      await refused(directory, 'corrupt');
      assert.equal(await filesNow(), before);
    }
    await flipByte(log, 0.5);
    const mended = await openLevelStorage({ directory, verifyValues: true });
    assert.equal((await mended.range({ prefix: '' })).items.length, 50);
    await mended.close();
    assert.deepEqual((await readdir(directory)).sort(), ['cellplane-store.json', 'leveldb']);
  });

  it('never answers wrongly from a table with a flipped byte', async () => {
    const whole = newFolder();
    await fill(whole, 100);
    // LevelDB turns its log into a table when it opens.
    await (await openLevelStorage({ directory: whole })).close();
    const damaged: string[] = [];
    for (let step = 0; step < 12; step++) {
      const directory = newFolder();
      await cp(whole, directory, { recursive: true });
      await flipByte(await fileOf(directory, '.ldb'), (step + 0.5) / 12);
      damaged.push(directory);
    }
    const [expected, ...found] = await readInChildren([whole, ...damaged]);
    assert.match(expected ?? '', /^[0-9a-f]{64}$/);
    for (const outcome of found) {
      // A byte that changes nothing lay in what was overwritten since: head records of earlier batches.
      assert.ok(outcome === expected || outcome === 'corrupt' || outcome === 'aborted', outcome);
    }
    assert.ok(found.filter((outcome) => outcome !== expected).length >= 6, found.join());
  });

  it('finds a flipped byte in a value older than the compaction when it is read', async () => {
    const directory = newFolder();
    const storage = await openLevelStorage({ directory });
    await write(storage, put('/g/r/c/n/a', 'needle in the haystack'));
    await storage.compact(await write(storage, put('/g/r/c/n/b', '1')));
    await storage.close();
    await (await openLevelStorage({ directory })).close();
    const path = await fileOf(directory, '.ldb');
    const bytes = await readFile(path);
    // Snappy leaves as it is what comes for the first time.
    const index = bytes.indexOf('needle');
    assert.notEqual(index, -1);
    bytes[index] = 0x4e;
    await writeFile(path, bytes);
    const reopened = await openLevelStorage({ directory });
    try {
      await assert.rejects(reopened.range({ prefix: '' }), (error) => isStorageError(error, 'corrupt'));
    } finally {
      await reopened.close();
    }
    await refused(directory, 'corrupt', { verifyValues: true });
  });

  it('opens with what is whole when a crash tore the tail, but not after an orderly stop', async () => {
    const directory = newFolder();
    const storage = await openLevelStorage({ directory });
    for (let index = 0; index < 50; index++) await write(storage, put(`/g/r/c/n/${index}`, 'x'.repeat(100)));
    const crashed = newFolder();
    await cp(directory, crashed, { recursive: true });
    await storage.close();
    for (const folder of [crashed, directory]) {
      const log = await fileOf(folder, '.log');
      await truncate(log, (await stat(log)).size - 20);
    }
    const reopened = await openLevelStorage({ directory: crashed, verifyValues: true });
    assert.equal(await reopened.currentRevision(), 50);
    assert.equal((await reopened.range({ prefix: '' })).items.length, 49);
    assert.equal(await write(reopened, put('/g/r/c/n/new', '1')), 51);
    await reopened.close();
    await refused(directory, 'corrupt');
  });

  it('never makes an empty store where CURRENT is missing', async () => {
    const directory = newFolder();
    await fill(directory, 10);
    await unlink(join(databaseFolder(directory), 'CURRENT'));
    const files = await readdir(databaseFolder(directory));
    await refused(directory, 'corrupt');
    for (const name of files) assert.ok((await readdir(databaseFolder(directory))).includes(name), name);
  });

  it('refuses a missing database folder, a foreign folder, a file, a newer format, another database', async () => {
    const lost = newFolder();
    await fill(lost, 1);
    await rm(databaseFolder(lost), { recursive: true });
    await refused(lost, 'corrupt');

    const foreign = newFolder();
    await mkdir(foreign);
    await writeFile(join(foreign, 'precious.txt'), 'x');
    await refused(foreign, 'unusable');
    assert.deepEqual(await readdir(foreign), ['precious.txt']);

    await refused(join(foreign, 'precious.txt', 'below'), 'unusable');
    const missing = newFolder();
    await refused(missing, 'unusable', { createIfMissing: false });
    await assert.rejects(readdir(missing), { code: 'ENOENT' }, 'nothing is made');

    const newer = newFolder();
    await fill(newer, 1);
    const path = join(newer, 'cellplane-store.json');
    const marker = JSON.parse(await readFile(path, 'utf8'));
    await writeFile(path, JSON.stringify({ ...marker, version: 2 }));
    await refused(newer, 'unusable');
    await writeFile(path, JSON.stringify({ ...marker, incarnationId: 'other' }));
    await refused(newer, 'corrupt');
    await writeFile(path, '{');
    await refused(newer, 'unusable');
  });

  it('says which folder is locked, and leaves the holder alone', async () => {
    const directory = newFolder();
    const holder = await openLevelStorage({ directory });
    await refused(directory, 'locked');
    await write(holder, put('/g/r/c/n/a', '1'));
    await holder.close();
    await (await openLevelStorage({ directory })).close();
  });

  it('finishes a creation that was cut short at any step', async () => {
    const complete = newFolder();
    await fill(complete, 0);
    const path = join(complete, 'cellplane-store.json');
    const marker = JSON.parse(await readFile(path, 'utf8'));
    // The database was made but the marker still says `creating`, with ids that are not the database's.
    await writeFile(path, JSON.stringify({ ...marker, state: 'creating', incarnationId: 'other' }));
    const storage = await openLevelStorage({ directory: complete });
    assert.equal(storage.incarnationId, marker.incarnationId);
    await storage.close();

    const begun = newFolder();
    await mkdir(begun);
    await writeFile(join(begun, 'cellplane-store.json'), JSON.stringify({ ...marker, state: 'creating' }));
    const made = await openLevelStorage({ directory: begun });
    assert.equal(made.controlPlaneId, marker.controlPlaneId);
    assert.equal(await made.currentRevision(), 1);
    await made.close();

    // Cut short in the middle of LevelDB's own making: it names its files before it syncs them.
    const halfway = newFolder();
    await mkdir(databaseFolder(halfway), { recursive: true });
    await writeFile(join(halfway, 'cellplane-store.json'), JSON.stringify({ ...marker, state: 'creating' }));
    await writeFile(join(databaseFolder(halfway), 'CURRENT'), 'MANIFEST-000001\n');
    await writeFile(join(databaseFolder(halfway), 'MANIFEST-000001'), '');
    const again = await openLevelStorage({ directory: halfway });
    assert.equal(again.controlPlaneId, marker.controlPlaneId);
    await again.close();
  });
});

/** What damaged-reader.ts says of each folder; `aborted` where LevelDB ended the process. */
async function readInChildren(directories: readonly string[]): Promise<string[]> {
  const outcomes: string[] = [];
  while (outcomes.length < directories.length) {
    const script = fileURLToPath(new URL('../testing/damaged-reader.ts', import.meta.url));
    const rest = directories.slice(outcomes.length);
    const child = spawn(process.execPath, ['--import', 'tsx', script, ...rest], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const errors: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
    const exited = once(child, 'exit');
    for await (const line of createInterface({ input: child.stdout })) outcomes.push(line);
    const [code, signal] = await exited;
    if (signal !== null) outcomes.push('aborted');
    else assert.equal(code, 0, Buffer.concat(errors).toString());
  }
  return outcomes;
}
