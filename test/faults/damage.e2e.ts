// Bits flipped, stretches zeroed, files cut, removed and put back from before, anywhere in a store: it is refused, or what
// is read is what was written.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { openLevelStorage } from '#storage/level/level-storage.ts';
import { bundleScript } from '../harness/bundle-script.ts';
import { Random } from '../harness/random.ts';
import { budgetOf, repeat } from './budget.ts';
import { scratchFolder } from './disk-shim.ts';
import { hashOfState } from './state-hash.ts';
import { StoreChecker } from './store-checker.ts';
import { runLoad } from './store-load.ts';

const copiesPerRound = 8;

interface Whole {
  readonly directory: string;
  readonly head: number;
  /** Of its state. */
  readonly hash: string;
}

describe('level: damage', () => {
  let folder: Awaited<ReturnType<typeof scratchFolder>>;
  let script: string;
  before(async () => {
    folder = await scratchFolder();
    script = await bundleScript(new URL('./damaged-process.ts', import.meta.url), folder.path);
  });
  after(() => folder?.[Symbol.asyncDispose]());

  /** A store that was opened and stopped several times, so that it has tables and logs. */
  async function makeWhole(random: Random): Promise<Whole> {
    const directory = path.join(folder.path, 'whole');
    await rm(directory, { recursive: true, force: true });
    const options = { directory, historyRevisionsMax: random.pick([30, 100_000]), compactIntervalMs: 10 };
    for (let session = 0; session < 3; session++) {
      const storage = await openLevelStorage(options);
      const stopping = new AbortController();
      const load = runLoad({
        storage,
        seed: random.between(1, 2 ** 30),
        writers: 3,
        session: String(session),
        valueBytesMax: random.pick([400, 100_000]),
        report: new StoreChecker(),
        signal: stopping.signal,
      });
      await pause(random.between(10, 60));
      stopping.abort();
      await load;
      await storage.close();
    }
    const storage = await openLevelStorage({ directory });
    const head = await storage.currentRevision();
    const hash = hashOfState((await storage.range({ prefix: '' })).items);
    await storage.close();
    return { directory, head, hash };
  }

  test('is refused, or does no harm', async (t) => {
    const budget = budgetOf(1_500, 1);
    t.diagnostic(`seed ${budget.seed}`);
    const outcomes: { [outcome: string]: number } = {};
    const round = async (seed: number) => {
      const random = new Random(seed);
      const whole = await makeWhole(random);
      const copies: { readonly directory: string; readonly damage: string }[] = [];
      for (let copy = 0; copy < copiesPerRound; copy++) {
        const directory = path.join(folder.path, `copy-${copy}`);
        await rm(directory, { recursive: true, force: true });
        await cp(whole.directory, directory, { recursive: true });
        copies.push({ directory, damage: await damage(directory, random) });
      }
      const lines = await readInChildren(
        script,
        copies.map(({ directory }) => directory),
      );
      for (const [index, line] of lines.entries()) {
        const [what = '', detail = '', hash = ''] = line.split(' ');
        outcomes[what === 'refused' ? line : what] = (outcomes[what === 'refused' ? line : what] ?? 0) + 1;
        if (what !== 'read') continue;
        assert.equal(Number(detail), whole.head, `${copies[index]?.damage}: read at ${detail}`);
        assert.equal(hash, whole.hash, `${copies[index]?.damage}: another state`);
      }
    };
    await repeat(budget, round, () => (outcomes['refused corrupt'] ?? 0) > 0);
    t.diagnostic(JSON.stringify(outcomes));
    assert.ok((outcomes['refused corrupt'] ?? 0) > 0);
  });
});

/** Does something to one file, and says what. */
async function damage(directory: string, random: Random): Promise<string> {
  const names = (await readdir(directory, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !/^LO(CK|G)/.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
  const file = random.pick(names);
  const { size } = await stat(file);
  const what = random.weighted({ flip: 10, zero: 4, cut: 3, remove: 1, empty: 1, grow: 1 });
  const at = random.between(0, Math.max(0, size - 1));
  switch (what) {
    case 'flip': {
      const bytes = await readFile(file);
      for (let flips = random.between(1, 3); flips > 0 && size > 0; flips--) {
        const place = random.between(0, size - 1);
        bytes[place] = (bytes[place] ?? 0) ^ (1 << random.between(0, 7));
      }
      await writeFile(file, bytes);
      break;
    }
    case 'zero': {
      const handle = await open(file, 'r+');
      await handle.write(Buffer.alloc(Math.min(512, size - at)), 0, undefined, at);
      await handle.close();
      break;
    }
    case 'cut':
      await truncate(file, at);
      break;
    case 'empty':
      await truncate(file, 0);
      break;
    case 'grow':
      await writeFile(file, Buffer.alloc(700, 7), { flag: 'a' });
      break;
    case 'remove':
      await rm(file);
  }
  return `${what} ${path.relative(directory, file)} at ${at} of ${size}`;
}

/** What the process says of each folder; `ended` where LevelDB ended it. */
async function readInChildren(script: string, directories: readonly string[]): Promise<string[]> {
  const lines: string[] = [];
  while (lines.length < directories.length) {
    const child = spawn(process.execPath, [script, ...directories.slice(lines.length)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    const exited = once(child, 'exit');
    for await (const line of createInterface({ input: child.stdout })) lines.push(line);
    const [code, signal] = (await exited) as [number | null, NodeJS.Signals | null];
    if (signal !== null) lines.push('ended');
    else assert.equal(code, 0, errors);
  }
  return lines;
}
