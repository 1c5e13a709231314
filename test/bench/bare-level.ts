import path from 'node:path';
import { ClassicLevel } from 'classic-level';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import { objectKey } from '#storage/keys.ts';
import { openLevelStorage } from '#storage/level/level-storage.ts';
import type { Revision } from '#storage/storage.ts';
import { temporaryFolder } from '../harness/processes.ts';
import { cpuOf } from './raw-load.ts';
import { type Row, row } from './table.ts';

const writers = 64;
const value = Buffer.alloc(1_500, 'x');
const warmPuts = 8_000;
const roundPuts = 4_000;
const rounds = 10;

/** One way of writing durably, and what it took. */
interface Side {
  put(index: number): Promise<unknown>;
  next: number;
  seconds: number;
  mainUs: number;
  allUs: number;
}

/**
 * The yardstick for writes: LevelDB alone, one fsync for all that wait, and one for each; and what of it is left through
 * the storage interface: guard, log, pointer, cache and event. Both take turns of a fraction of a second each, so that
 * whatever else the machine does disturbs both alike.
 */
export async function benchBareLevel(): Promise<Row[]> {
  await using folder = await temporaryFolder();
  const db = new ClassicLevel<string, Buffer>(path.join(folder.path, 'db'), { valueEncoding: 'buffer' });
  await db.open();
  const storage = await openCachedStorage(
    await openLevelStorage({ directory: path.join(folder.path, 'store') }),
  );
  const groupedPut = groupCommit(db);
  const bare = side((index) => groupedPut(`grouped${index}`));
  const ours = side(async (index) => {
    const key = objectKey({
      group: 'apps',
      resource: 'deployments',
      clusterId: 'bench',
      namespace: 'default',
      name: `grouped${index}`,
    });
    const result = await storage.transact({
      guards: [{ key, revision: 0 as Revision }],
      operations: [{ type: 'put', key, value }],
    });
    if (!result.committed) throw new Error(`${key} is there already`);
  });
  for (const each of [bare, ours]) await write(each, warmPuts);
  for (const each of [bare, ours]) reset(each);
  for (let round = 0; round < rounds; round++) {
    for (const each of [bare, ours]) await write(each, roundPuts);
  }
  await storage.close();
  let written = 0;
  const startedMs = performance.now();
  while (performance.now() - startedMs < 2_000) await db.put(`single${written++}`, value, { sync: true });
  const single = written / ((performance.now() - startedMs) / 1_000);
  await db.close();
  const puts = rounds * roundPuts;
  const cpu = ({ mainUs, allUs }: Side) =>
    `CPU each: main thread ${(mainUs / puts).toFixed(1)} µs, all threads ${(allUs / puts).toFixed(1)}`;
  return [
    row(
      'bare LevelDB: durable puts of 1.5 KB, 64 writers',
      puts / bare.seconds,
      '/s',
      `one fsync for a group; ${cpu(bare)}`,
    ),
    row('storage interface: the same, guarded, into the cache', puts / ours.seconds, '/s', cpu(ours)),
    row('share of bare LevelDB', bare.seconds / ours.seconds, '', 'goal: 0.5'),
    row('share of bare LevelDB by CPU time of all threads', bare.allUs / ours.allUs, ''),
    row('bare LevelDB: durable puts of 1.5 KB, 1 writer', single, '/s', 'one fsync each'),
  ];
}

function side(put: (index: number) => Promise<unknown>): Side {
  return { put, next: 0, seconds: 0, mainUs: 0, allUs: 0 };
}

function reset(side: Side): void {
  side.seconds = 0;
  side.mainUs = 0;
  side.allUs = 0;
}

async function write(side: Side, count: number): Promise<void> {
  const end = side.next + count;
  const before = await cpuOf(process.pid);
  const startedMs = performance.now();
  await Promise.all(
    Array.from({ length: writers }, async () => {
      while (side.next < end) await side.put(side.next++);
    }),
  );
  side.seconds += (performance.now() - startedMs) / 1_000;
  const after = await cpuOf(process.pid);
  side.mainUs += after.mainUs - before.mainUs;
  side.allUs += after.allUs - before.allUs;
}

/** Puts that wait while a batch is written go into the next one. */
function groupCommit(db: ClassicLevel<string, Buffer>): (key: string) => Promise<void> {
  let open:
    | { readonly ops: { type: 'put'; key: string; value: Buffer }[]; readonly done: Promise<void> }
    | undefined;
  let flushing = Promise.resolve();
  return (key) => {
    if (open === undefined) {
      const ops: { type: 'put'; key: string; value: Buffer }[] = [];
      const done = flushing.then(() => {
        open = undefined;
        return db.batch(ops, { sync: true });
      });
      flushing = done;
      open = { ops, done };
    }
    open.ops.push({ type: 'put', key, value });
    return open.done;
  };
}
