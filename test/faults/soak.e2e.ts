// Steady work for a long time: memory, file descriptors and disk of the API server stay where they are. Half an hour and
// more with `npm run faults -- --minutes …`, a few seconds with a short history otherwise.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { ServerConnection } from '#client/remote/connection.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { bundleScript } from '../harness/bundle-script.ts';
import { Random } from '../harness/random.ts';
import { until } from '../harness/until.ts';
import { configMap, inRoot } from '../simulation/register-client.ts';
import { ApiWatch } from './api-watch.ts';
import { budgetOf } from './budget.ts';
import { scratchFolder } from './disk-shim.ts';
import type { SoakProcessOptions } from './soak-process.ts';

interface Sample {
  /** The least since the sample before: what is left after the collector ran. */
  readonly heapMiB: number;
  readonly residentMiB: number;
  readonly files: number;
  readonly diskMiB: number;
}

const objects = 300;
/** A third of them is compared with another: a machine that does other things takes few in the time. */
const samplesMin = 12;

describe('soak', { skip: process.platform === 'linux' ? false : 'reads /proc' }, () => {
  let folder: Awaited<ReturnType<typeof scratchFolder>>;
  before(async () => {
    folder = await scratchFolder();
  });
  after(() => folder?.[Symbol.asyncDispose]());

  test('memory, file descriptors and disk stay bounded', async (t) => {
    const budget = budgetOf(4_000, 1);
    t.diagnostic(`seed ${budget.seed}`);
    const directory = path.join(folder.path, 'store');
    await mkdir(directory);
    // In half an hour the store's own history and the cache's own ring fill and are cut; in less, shorter ones must.
    const options: SoakProcessOptions =
      budget.durationMs > 25 * 60_000
        ? { directory }
        : { directory, historyAgeMs: Math.max(500, budget.durationMs / 20), ringEventsMax: 500 };
    const script = await bundleScript(new URL('./soak-process.ts', import.meta.url), folder.path);
    const child = spawn(process.execPath, [script, JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    const killIt = () => child.kill('SIGKILL');
    process.once('exit', killIt);
    const lines = createInterface({ input: child.stdout });
    const [line] = (await once(lines, 'line')) as [string];
    let heapMiB = Number.POSITIVE_INFINITY;
    lines.on('line', (text: string) => {
      heapMiB = Math.min(heapMiB, Number(text));
    });
    const connection = JSON.parse(line) as ServerConnection;
    const random = new Random(budget.seed);
    const clients = Array.from({ length: 4 }, () => new RemoteClient(connection, { userAgent: 'soak' }));
    try {
      const pid = child.pid ?? 0;
      const idleFiles = filesOf(pid);
      const samples = await work(clients, random, budget.durationMs, async () => {
        const least = heapMiB;
        heapMiB = Number.POSITIVE_INFINITY;
        return { heapMiB: Number.isFinite(least) ? least : 0, ...(await sampleOf(pid, directory)) };
      });
      const [middle, end] = [
        samples.slice(samples.length / 3, (2 * samples.length) / 3),
        samples.slice((2 * samples.length) / 3),
      ];
      if (budget.isLong) {
        const tenths = Array.from({ length: 10 }, (_, tenth) =>
          samples.slice((tenth * samples.length) / 10, ((tenth + 1) * samples.length) / 10),
        );
        for (const name of ['heapMiB', 'residentMiB', 'diskMiB'] as const) {
          const ofTenths = tenths.map((tenth) => Math.round(Math.min(...tenth.map((one) => one[name]))));
          t.diagnostic(`${name}, least in each tenth: ${ofTenths.join(' ')}`);
          if (name !== 'heapMiB') continue;
          // What the collector cannot take is told more sharply than what the process has been given.
          const [before, now] = [Math.max(...ofTenths.slice(4, 7)), Math.max(...ofTenths.slice(7))];
          assert.ok(now <= before * 1.1 + 4, `the heap grows: ${ofTenths.join(' ')} MiB`);
        }
      }
      for (const name of ['residentMiB', 'files', 'diskMiB'] as const) {
        const before = Math.max(...middle.map((sample) => sample[name]));
        const now = Math.max(...end.map((sample) => sample[name]));
        t.diagnostic(
          `${name}: at most ${Math.round(before)} in the middle third, ${Math.round(now)} in the last`,
        );
        const slack = { residentMiB: 60, files: 16, diskMiB: 40 }[name];
        assert.ok(
          now <= before * 1.2 + slack,
          `${name} grows: ${Math.round(before)}, then ${Math.round(now)}`,
        );
      }
      await Promise.all(clients.map((client) => client.close()));
      await until('connections are gone', () => filesOf(pid) <= idleFiles + 8);
    } finally {
      await Promise.all(clients.map((client) => client.close()));
      child.kill('SIGTERM');
      await exited;
      process.off('exit', killIt);
    }
    assert.equal(child.exitCode, 0);
  });
});

/** Creates, updates, deletes, lists and watches for so long; what `sample` says meanwhile. */
async function work(
  clients: readonly RemoteClient[],
  random: Random,
  durationMs: number,
  sample: () => Promise<Sample>,
): Promise<Sample[]> {
  let isOver = false;
  const [first] = clients;
  if (first === undefined) throw new RangeError('no client');
  const watches = await Promise.all(Array.from({ length: 8 }, () => ApiWatch.start(first, inRoot)));
  const loops = clients.map(async (client, index) => {
    const chance = random.fork();
    const present = new Set<string>();
    while (!isOver) {
      // Each works on names of its own, so that every answer is known.
      const name = `soak-${index}-${chance.between(0, objects / clients.length)}`;
      const ref = { ...inRoot, name };
      const value = String(chance.next()).padEnd(chance.between(10, 4_000), 'x');
      if (!present.has(name)) {
        await client.create(inRoot, configMap(name, value));
        present.add(name);
      } else if (chance.next() < 0.7) {
        await client.patch(ref, { type: 'merge', body: { data: { value } } });
      } else {
        await client.delete(ref);
        present.delete(name);
      }
      if (chance.next() < 0.01) await client.list(inRoot);
      // Steady, not as fast as it goes.
      await pause(4);
    }
  });
  const disturbing = (async () => {
    while (!isOver) {
      random.pick(watches).disturb();
      await pause(50);
    }
  })();
  const done = Promise.all([...loops, disturbing]);
  done.catch(() => {});
  const samples: Sample[] = [];
  const endMs = performance.now() + durationMs;
  while (performance.now() < endMs || samples.length < samplesMin) {
    await Promise.race([pause(Math.max(100, durationMs / 300)), done]);
    samples.push(await sample());
  }
  isOver = true;
  await done;
  for (const watch of watches) {
    await watch.assertAgrees(first);
    await watch.close();
    assert.equal(watch.expired, 0);
  }
  return samples;
}

async function sampleOf(pid: number, directory: string): Promise<Omit<Sample, 'heapMiB'>> {
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return {
    residentMiB: Number(resident ?? 0) / 1_024,
    files: filesOf(pid),
    diskMiB: (await bytesUnder(directory)) / 1_048_576,
  };
}

function filesOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

async function bytesUnder(directory: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    // Files come and go.
    bytes += await stat(path.join(entry.parentPath, entry.name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return bytes;
}
