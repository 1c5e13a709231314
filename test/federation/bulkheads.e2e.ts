// Cells that hang, err, crawl, reset, flood, sprawl, lie, are locked out or full cost themselves alone, and each says what ails it.
// docs/federation-contract.md: FB1, FB2, FB3, FS2
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { conditionOf } from '#api/conditions.ts';
import { renderKubeconfig } from '#cli/kubeconfig-file.ts';
import type { KubeClient } from '#client/client.ts';
import { MetricText } from '#client/metrics/metric-text.ts';
import { Constellation } from '../harness/constellation.ts';
import { CopyWriter } from '../harness/copies.ts';
import { configMaps } from '../harness/edge-objects.ts';
import { temporaryFolder } from '../harness/processes.ts';
import { SickEdge, type Sickness } from '../harness/sick-edge.ts';
import { adminConnectionTo } from '../harness/test-pki.ts';
import { until } from '../harness/until.ts';

/** What each is to say: a condition, its reason, and what its message tells. */
const ailments: {
  readonly [cell: string]: readonly [Sickness, 'Ready' | 'Reachable' | 'Synced', string, RegExp];
} = {
  hangs: ['hanging', 'Reachable', 'EdgeTimeout', /did not answer/],
  errs: ['errors', 'Ready', 'InternalError', /on fire/],
  crawls: ['slow', 'Reachable', 'EdgeSlow', /longer than 500 ms/],
  resets: ['resetting', 'Reachable', 'ConnectionReset', /./],
  floods: ['flooding', 'Reachable', 'EdgeFloods', /more than is read/],
  sprawls: ['sprawling', 'Reachable', 'WatchBroken', /there are more than \d+ configmaps/],
  swells: ['huge', 'Synced', 'RequestEntityTooLarge', /more than is accepted/],
  lies: ['lying', 'Synced', 'InternalError', /the edge answered with/],
  expired: ['expired', 'Ready', 'CertificateNotTrusted', /expired/],
  blind: ['unwatchable', 'Reachable', 'WatchBroken', /configmaps cannot be watched: .*cache is away/],
  quota: ['over-quota', 'Synced', 'Forbidden', /exceeded quota/],
  full: ['full', 'Synced', 'InsufficientStorage', /no space left/],
};
const healthy = Array.from({ length: 8 }, (_, index) => `healthy-${index}`);
const roundsOfLoad = 8;
/** Loads until one is as fast as it should be. */
const loadsMax = 12;
const saidWithin = { timeoutMs: 240_000 };

describe('bulkheads', { timeout: 600_000 }, () => {
  let constellation: Constellation;
  const sick = new Map<string, SickEdge>();

  before(async () => {
    constellation = await Constellation.start({
      scheduler: false,
      cells: healthy,
      // Everything shares this process with edges that flood: who renews late is not gone.
      leaseDurationMs: 60_000,
      cellSpec: { healthCheck: { intervalSeconds: 5, timeoutSeconds: 5, failureThreshold: 2 } },
      cellLimits: {
        edgeTimeoutMs: 5_000,
        slowAnswerMs: 500,
        edgeReadBurstBytes: 2 * 1024 * 1024,
        edgeReadBytesPerSecond: 2 * 1024 * 1024,
        // Some 400 events each second, a fifth of what is usual: a flood is one on a machine that is busy with other things, too.
        edgeEventMsPerSecond: 20,
        edgeEventBurstMs: 50,
        edgeObjectsMax: 2_000,
      },
    });
    for (const cell of Object.keys(ailments)) {
      const { server } = await constellation.addEdge(cell);
      const edge = await SickEdge.start({
        pki: constellation.pki,
        target: { ...constellation.edge(cell).connection, server: server.url },
        slowMs: 800,
      });
      // Ill from the beginning: no connection to it has ever stood.
      if (cell === 'expired') edge.set('expired');
      sick.set(cell, edge);
      constellation.onEnd(() => edge[Symbol.asyncDispose]());
      await constellation.addCell(cell, {}, edge.connection);
    }
  });
  after(() => constellation?.[Symbol.asyncDispose]());

  const condition = async (cell: string, type: string) =>
    conditionOf((await constellation.cell(cell)).status?.conditions, type);

  /** Writes one object after another into every cell at once; returns the healthy ones' times to the edge, sorted. */
  const load = async (round: string): Promise<number[]> => {
    const latencies: number[] = [];
    const rejected: string[] = [];
    await Promise.all(
      healthy.map(async (cell) => {
        const copies = new CopyWriter(constellation.admin, cell);
        const arrivals = new Arrivals(constellation.edge(cell).client);
        for (let index = 0; index < roundsOfLoad; index++) {
          const name = `${round}-${index}`;
          const startedMs = performance.now();
          await copies.configMap(name, { index: String(index) });
          const arrived = await arrivals.of(name, 180_000);
          if (arrived) latencies.push(performance.now() - startedMs);
          else rejected.push(`${cell}/${name}`);
        }
        await arrivals.stop();
      }),
    );
    assert.deepEqual(rejected, [], 'everything arrives at the healthy cells');
    return latencies.sort((a, b) => a - b);
  };

  test('the healthy cells go on as before, and each sick one says what ails it', async () => {
    const { admin } = constellation;
    const cells = [...healthy, ...sick.keys()];
    await Promise.all(cells.map((cell) => new CopyWriter(admin, cell).namespace()));
    await Promise.all(cells.map((cell) => new CopyWriter(admin, cell).configMap('first', {})));
    for (const cell of cells) {
      if (cell === 'expired') continue;
      await until(`${cell} is in sync`, async () => (await condition(cell, 'Synced'))?.reason === 'InSync');
    }
    await load('warm');
    const quiet = await load('quiet');
    for (const [cell, [sickness]] of Object.entries(ailments)) {
      sick.get(cell)?.set(sickness);
      // There is work for the sick ones too.
      for (let index = 0; index < 20; index++) {
        await new CopyWriter(admin, cell).configMap(`more-${index}`, { index: String(index) });
      }
    }
    // The sick edges share this process, and it its machine: only what is far off, again and again, shows here. The bench
    // measures closely.
    const before = percentile(quiet, 0.5);
    const medians: number[] = [];
    do medians.push(percentile(await load(`troubled-${medians.length}`), 0.5));
    while (Math.min(...medians) > 5 * before + 1_500 && medians.length < loadsMax);
    const found = medians.map((median) => median.toFixed(0)).join(', ');
    assert.ok(Math.min(...medians) <= 5 * before + 1_500, `median ${before.toFixed(0)} → ${found} ms`);
    for (const [cell, [, type, reason, message]] of Object.entries(ailments)) {
      const found = await until(
        `${cell} says ${reason}`,
        async () => {
          const one = await condition(cell, type);
          if (one?.reason === reason) return one;
          throw new Error(`${one?.status} ${one?.reason}: ${one?.message}`);
        },
        saidWithin,
      );
      assert.match(found.message ?? '', message, cell);
    }
    // The same is told in the metrics, and to who lists the cells.
    await until(
      'the metrics tell the same',
      () => {
        const text = new MetricText();
        Array.from(constellation.federator().process?.writeMetrics(text) ?? []);
        const metrics = text.toString();
        for (const [cell, [, type, reason]] of Object.entries(ailments)) {
          const series = `cellplane_cell_condition{cell="${cell}",condition="${type}",reason="${reason}"}`;
          assert.ok(metrics.includes(series), series);
        }
        return true;
      },
      saidWithin,
    );
    await until(
      'the list of cells tells the same',
      async () => {
        const listed = await cellList();
        for (const [cell, [, type, reason]] of Object.entries(ailments)) {
          const line = listed.split('\n').find((one) => one.startsWith(`${cell} `)) ?? '';
          // Of several things that are wrong the first is shown.
          if (type === 'Ready') assert.match(line, new RegExp(reason));
          else assert.match(line, /[A-Z][A-Za-z]+: \S/, `${cell}: ${line}`);
        }
        for (const cell of healthy) {
          assert.match(listed, new RegExp(`^${cell} +True +True .* synced, 0 pending, 0 failed +0s *$`, 'm'));
        }
        return true;
      },
      saidWithin,
    );
    for (const cell of healthy) {
      await until(
        `${cell} is in sync and reached`,
        async () => {
          const [synced, reachable] = [await condition(cell, 'Synced'), await condition(cell, 'Reachable')];
          return synced?.reason === 'InSync' && synced.status === 'True' && reachable?.reason === 'Reachable';
        },
        saidWithin,
      );
    }
  });

  /** What `cellplane cell list` prints. */
  const cellList = async () => {
    await using folder = await temporaryFolder();
    const kubeconfig = path.join(folder.path, 'kubeconfig');
    const connection = adminConnectionTo(constellation.pki, constellation.server.url);
    await writeFile(kubeconfig, renderKubeconfig([{ name: 'root', connection }], 'root'));
    const args = ['bin/cellplane.js', 'cell', 'list', '--kubeconfig', kubeconfig];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    return stdout;
  };

  test('those that are well again catch up', async () => {
    for (const edge of sick.values()) edge.set('none');
    for (const cell of sick.keys()) {
      await until(
        `${cell} is in sync again`,
        async () => (await condition(cell, 'Synced'))?.reason === 'InSync',
      );
      const reachable = await until(`${cell} is reached`, async () => {
        const one = await condition(cell, 'Reachable');
        return one?.status === 'True' ? one : undefined;
      });
      assert.equal(reachable.status, 'True');
    }
  });
});

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Tells when ConfigMaps come at one edge, by one watch. */
class Arrivals {
  readonly #seen = new Set<string>();
  readonly #waiting = new Map<string, () => void>();
  readonly #stopping = new AbortController();
  readonly #watching: Promise<void>;

  constructor(client: KubeClient) {
    this.#watching = this.#watch(client);
  }

  of(name: string, timeoutMs: number): Promise<boolean> {
    if (this.#seen.has(name)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      this.#waiting.set(name, () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#watching;
  }

  async #watch(client: KubeClient): Promise<void> {
    const collection = { cluster: undefined, gvr: configMaps, namespace: 'ns' };
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      // One that ends is begun anew: what it told is told again.
      try {
        for await (const event of client.watch(collection, { resourceVersion: '0', signal })) {
          if (event.type !== 'ADDED') continue;
          const name = event.object.metadata.name ?? '';
          this.#seen.add(name);
          this.#waiting.get(name)?.();
        }
      } catch {
        await pause(100, undefined, { signal }).catch(() => {});
      }
    }
  }
}
