/**
 * A process to be killed: `crash-writer.ts <data folder> <writers>` writes pairs of keys in one transaction each, as
 * fast as it can, and prints `<writer> <count> <revision>` after each acknowledgement.
 */
import { openCachedStorage } from '../cache/caching-storage.ts';
import { openLevelStorage } from '../level/level-storage.ts';
import { key } from './storage-fixture.ts';
import { writeLine } from './write-line.ts';

const [directory = '', writers = '8'] = process.argv.slice(2);
const storage = await openCachedStorage(
  await openLevelStorage({ directory, historyRevisionsMax: 500, compactIntervalMs: 20 }),
);

async function run(writer: number): Promise<never> {
  const left = key(`/left/r/c/n/${writer}`);
  const right = key(`/right/r/c/n/${writer}`);
  const last = await storage.get(left);
  let count = last === undefined ? 0 : Number(last.value.toString().split(' ')[0]);
  for (;;) {
    count++;
    const value = Buffer.from(`${count} ${'x'.repeat(500)}`);
    const { revision } = await storage.transact({
      guards: [],
      operations: [
        { type: 'put', key: left, value },
        { type: 'put', key: right, value },
        { type: 'put', key: key(`/log/r/c/n/${writer}-${count % 50}`), value },
        { type: 'delete', key: key(`/log/r/c/n/${writer}-${(count + 25) % 50}`) },
      ],
    });
    writeLine(`${writer} ${count} ${revision}`);
  }
}

await Promise.all(Array.from({ length: Number(writers) }, (_, writer) => run(writer)));
