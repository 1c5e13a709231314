import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { del, key, put, revision, until, write } from '../testing/storage-fixture.ts';
import { type LevelStorageOptions, openLevelStorage } from './level-storage.ts';

interface Opened {
  readonly disk: SimulatedDisk;
  readonly clock: ManualClock;
  open(options?: Partial<LevelStorageOptions>): ReturnType<typeof openLevelStorage>;
}

async function withDisk(run: (opened: Opened) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'cellplane-compaction-'));
  const disk = new SimulatedDisk();
  const clock = new ManualClock();
  try {
    await run({
      disk,
      clock,
      open: (options = {}) =>
        openLevelStorage({
          directory,
          createDatabase: disk.boot(),
          clock,
          compactIntervalMs: 1_000,
          ...options,
        }),
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** How many entries of a tag (`r` records, `k` pointers) are on the disk. */
const countOf = (disk: SimulatedDisk, tag: string): number =>
  disk.names().filter((name) => name.startsWith(tag)).length;

describe('level: compaction', () => {
  it('keeps what is younger than the age, by the injected clock', () =>
    withDisk(async ({ clock, open }) => {
      const storage = await open({ historyAgeMs: 60_000 });
      await write(storage, put('/g/r/c/n/a', '1'));
      clock.advance(30_000);
      await write(storage, put('/g/r/c/n/a', '2'));
      assert.equal(await storage.compactedRevision(), 1);
      clock.advance(31_000);
      await until('the first', async () => (await storage.compactedRevision()) === 2);
      clock.advance(60_000);
      await until('the second', async () => (await storage.compactedRevision()) === 3);
      assert.equal((await storage.get(key('/g/r/c/n/a')))?.value.toString(), '2');
      await storage.close();
    }));

  it('knows the age of what was written before a restart', () =>
    withDisk(async ({ clock, open }) => {
      const first = await open({ historyAgeMs: 60_000 });
      await write(first, put('/g/r/c/n/a', '1'));
      await write(first, put('/g/r/c/n/a', '2'));
      await first.close();
      const storage = await open({ historyAgeMs: 60_000 });
      clock.advance(61_000);
      await until('both', async () => (await storage.compactedRevision()) >= 2);
      await storage.close();
    }));

  it('keeps at most the count, and deletes from the disk what nothing can ask for', () =>
    withDisk(async ({ disk, clock, open }) => {
      const storage = await open({ historyRevisionsMax: 10 });
      for (let index = 0; index < 100; index++)
        await write(storage, put(`/g/r/c/n/${index % 5}`, String(index)));
      for (let index = 0; index < 4; index++) await write(storage, del(`/g/r/c/n/${index}`));
      assert.equal(countOf(disk, 'r'), 104);
      clock.advance(1_000);
      await until('the compaction', async () => (await storage.compactedRevision()) === 95);
      // 10 revisions of the log, and what stood at revision 95 under the five keys.
      await until('the pruning', () => countOf(disk, 'r') <= 15);
      await storage.compact(await storage.currentRevision());
      await until('the last pruning', () => countOf(disk, 'r') === 1 && countOf(disk, 'k') === 1);
      await storage.close();
      await (await open({ verifyValues: true })).close();
    }));

  it('goes on after a restart where pruning was cut short, and spares keys made again', () =>
    withDisk(async ({ disk, clock, open }) => {
      const storage = await open();
      for (let index = 0; index < 700; index++)
        await write(storage, put(`/g/r/c/n/${index}`, 'x'), del('/none'));
      for (let index = 0; index < 700; index++) await write(storage, del(`/g/r/c/n/${index}`));
      await storage.compact(await storage.currentRevision());
      await write(storage, put('/g/r/c/n/3', 'again'));
      await storage.close();
      assert.ok(countOf(disk, 'r') > 1);
      const reopened = await open({ verifyValues: true });
      clock.advance(1_000);
      await until('the pruning', () => countOf(disk, 'r') === 1 && countOf(disk, 'k') === 1);
      assert.equal((await reopened.get(key('/g/r/c/n/3')))?.value.toString(), 'again');
      await reopened.close();
    }));

  it('lets a watch that reads the log finish what it has begun', () =>
    withDisk(async ({ open }) => {
      const storage = await open();
      for (let index = 0; index < 50; index++) await write(storage, put('/g/r/c/n/a', String(index)));
      const seen: number[] = [];
      await storage.watch(
        { prefix: '', afterRevision: revision(1) },
        { events: (events) => seen.push(...events.map((event) => event.revision)), end() {} },
      );
      await storage.compact(await storage.currentRevision());
      await until('all events', () => seen.length === 50);
      await storage.close();
    }));
});
