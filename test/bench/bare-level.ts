import path from 'node:path';
import { ClassicLevel } from 'classic-level';
import { temporaryFolder } from '../harness/processes.ts';
import { type Row, row } from './table.ts';

/** The yardstick for writes: LevelDB alone, 64 writers, one fsync for all that wait, and one for each. */
export async function benchBareLevel(): Promise<Row[]> {
  await using folder = await temporaryFolder();
  const value = Buffer.alloc(1_500, 'x');
  const db = new ClassicLevel<string, Buffer>(path.join(folder.path, 'db'), { valueEncoding: 'buffer' });
  await db.open();
  const grouped = await groupCommit(db, value, 40_000);
  let written = 0;
  const startedMs = performance.now();
  while (performance.now() - startedMs < 2_000) await db.put(`single${written++}`, value, { sync: true });
  const single = written / ((performance.now() - startedMs) / 1_000);
  await db.close();
  return [
    row('bare LevelDB: durable puts of 1.5 KB, 64 writers', grouped, '/s', 'one fsync for a group'),
    row('bare LevelDB: durable puts of 1.5 KB, 1 writer', single, '/s', 'one fsync each'),
  ];
}

async function groupCommit(db: ClassicLevel<string, Buffer>, value: Buffer, count: number): Promise<number> {
  let next = 0;
  let open:
    | { readonly ops: { type: 'put'; key: string; value: Buffer }[]; readonly done: Promise<void> }
    | undefined;
  let flushing = Promise.resolve();
  const put = (key: string): Promise<void> => {
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
  const startedMs = performance.now();
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (next < count) await put(`grouped${next++}`);
    }),
  );
  return count / ((performance.now() - startedMs) / 1_000);
}
