import { setTimeout } from 'node:timers/promises';
import { isJsonObject } from '#apimachinery/json.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { cpuRows, cpusOf, spentBetween } from './cpu-report.ts';
import { atRest } from './cpu-times.ts';
import type { EdgeMake } from './edge-farm-process.ts';
import {
  benchProject,
  cellsReady,
  inParallel,
  type ManyCells,
  makeNamespace,
  placeNamespace,
  startManyCells,
} from './many-cells.ts';
import { turnMark } from './paced-job.ts';
import { pacedName, pacedNameOf, startPacedLoad } from './paced-load.ts';
import { reached } from './progress.ts';
import { sampleConfigMap, sampleDeployment } from './samples.ts';
import { percentile, type Row, row } from './table.ts';

const deploymentsGvr = { group: 'apps', version: 'v1', resource: 'deployments' } as const;
const seconds = 8;
const statusesPerSecond = 50;
/** After so long an object's gatherings begin anew (scheduler/gather/gather-pace.ts). */
const restMs = 3_000;
const warmObjects = 3_000;
const warmPerSecond = 150;

/**
 * Many cells at once: create→applied with each object going to one of them, and the way back of a status. `scale` 1: 20 cells
 * and 100 objects/s; 5: 100 cells and 500 objects/s, as the goals are set. `rates`: other numbers of objects each second, in
 * turn. Edges run elsewhere in earnest, so those that run here are thin.
 */
export async function benchCells(
  scale: number,
  { rates = [], edges = 'thin' }: { readonly rates?: readonly number[]; readonly edges?: EdgeMake } = {},
): Promise<Row[]> {
  const count = Math.max(2, Math.round(20 * scale));
  const perSecond = Math.max(10, Math.round(100 * scale));
  await using many = await startManyCells(count, { edges });
  await cellsReady(many);
  await inParallel(count, 8, async (index) => {
    await makeNamespace(many, namespaceOf(index));
    await placeNamespace(many, namespaceOf(index), [many.cells[index] ?? ''], 1, [
      ['v1', 'ConfigMap'],
      ['apps/v1', 'Deployment'],
    ]);
  });
  const arrivals: Arrivals = {};
  many.onArrival((name, atMs, namespace) => {
    // Not what the federator keeps there for itself.
    if (name.startsWith('object-')) arrivals.onObject?.(name, atMs);
    else if (name.startsWith('web-')) arrivals.onDeployment?.(name, namespace);
  });
  const rows = await applied(many, arrivals, rates.length === 0 ? [perSecond] : rates);
  return [...rows, ...(await statusBack(many, arrivals))];
}

/** Who is told of what the edges have stored. */
interface Arrivals {
  onObject?: (name: string, atMs: number) => void;
  onDeployment?: ((name: string, namespace: string) => void) | undefined;
}

function namespaceOf(index: number): string {
  return `bench-${String(index).padStart(4, '0')}`;
}

/** From the moment at which each CREATE is to be sent to the moment at which its edge has stored the object. */
async function applied(many: ManyCells, arrivals: Arrivals, rates: readonly number[]): Promise<Row[]> {
  const cells = many.cells.length;
  const load = await startPacedLoad(many.federation, {
    path: `/clusters/${benchProject}/api/v1/namespaces/${turnMark}/configmaps`,
    body: JSON.stringify(sampleConfigMap(pacedName, 1_000, turnMark)),
    turns: many.cells.map((_, index) => namespaceOf(index)),
    connections: 64,
  });
  const processes = new Map([...(await many.processIds()), ['load generator', load.pid]]);
  const arrivedAtMs = new Map<string, number>();
  let next = 0;
  arrivals.onObject = (name, atMs) => arrivedAtMs.set(name, atMs);
  const send = async (count: number, perSecond: number): Promise<number[]> => {
    const from = next;
    next += count;
    arrivedAtMs.clear();
    const { sentAtMs } = await load.run({ from, count, perSecond });
    await reached('objects at their edges', () => arrivedAtMs.size, count, { everyMs: 100 });
    const tookMs = sentAtMs.map((ms, offset) => (arrivedAtMs.get(pacedNameOf(from + offset)) ?? 0) - ms);
    return tookMs.sort((a, b) => a - b);
  };
  const rows: Row[] = [];
  try {
    // Bring namespaces, and warm every process up; nothing of them is left when it is measured.
    await load.connect();
    await send(warmObjects, Math.min(warmPerSecond, ...rates));
    for (const perSecond of rates) {
      await load.connect();
      await atRest(processes);
      const before = await cpusOf(processes);
      const count = perSecond * seconds;
      const startedMs = performance.now();
      const tookMs = await send(count, perSecond);
      const ranMs = performance.now() - startedMs;
      await atRest(processes);
      const after = await cpusOf(processes);
      const name = `create→applied, ${cells} cells, ${perSecond} objects/s`;
      rows.push(
        row(
          name,
          percentile(tookMs, 0.5),
          'ms',
          `p50; ${((count * 1_000) / ranMs).toFixed(0)}/s went through`,
        ),
        row(name, percentile(tookMs, 0.99), 'ms', 'p99; goal 100 at 100 cells and 500/s'),
        ...cpuRows(spentBetween(before, after), count),
      );
    }
  } finally {
    load.end();
  }
  return rows;
}

/**
 * From a status being written at an edge to its event in the project: the first of each object, written as soon as the object is
 * there, as controllers do, and one that comes after a rest.
 */
async function statusBack(many: ManyCells, arrivals: Arrivals): Promise<Row[]> {
  const { admin, cells } = many;
  const clients = many.edges.map((edge) => new RemoteClient(edge, { userAgent: 'cellplane-bench' }));
  const count = Math.min(300, 10 * cells.length);
  const nameOf = (index: number) => `web-${index}`;
  const indexOf = (name: string) => Number(name.slice('web-'.length));
  const edgeNamespaces = new Map<string, string>();
  const sentAtMs = new Map<string, number>();
  const patches: Promise<unknown>[] = [];
  const latencies: number[] = [];
  let wanted = 3;
  const write = (name: string, readyReplicas: number): void => {
    sentAtMs.set(name, performance.now());
    const status = { observedGeneration: 1, replicas: 3, updatedReplicas: 3, readyReplicas };
    const namespace = edgeNamespaces.get(name);
    const sent = clients[indexOf(name) % clients.length]!.patch(
      { cluster: undefined, gvr: deploymentsGvr, namespace, name },
      { type: 'merge', body: { status } },
      { subresource: 'status' },
    );
    patches.push(sent);
  };
  arrivals.onDeployment = (name, namespace) => {
    edgeNamespaces.set(name, namespace);
    write(name, wanted);
  };
  const stopping = new AbortController();
  const watching = (async () => {
    const options = { resourceVersion: '0', signal: stopping.signal };
    for await (const { type, ...event } of admin.watch(
      { cluster: benchProject, gvr: deploymentsGvr },
      options,
    )) {
      if (type !== 'MODIFIED' || !('object' in event)) continue;
      const { metadata, status } = event.object;
      const sent = sentAtMs.get(metadata.name ?? '');
      if (sent === undefined || !isJsonObject(status) || status['readyReplicas'] !== wanted) continue;
      sentAtMs.delete(metadata.name ?? '');
      latencies.push(performance.now() - sent);
    }
  })();
  const rows: Row[] = [];
  /** What so many statuses took, sorted, once all of them are back. */
  const back = async (expected: number): Promise<number[]> => {
    await reached('statuses that are back', () => latencies.length, expected, { everyMs: 100 });
    await Promise.all(patches.splice(0));
    return latencies.splice(0).sort((a, b) => a - b);
  };
  const end = async (what: string) => {
    const tookMs = await back(count);
    const name = `status back, ${what}, ${cells.length} cells, ${statusesPerSecond}/s`;
    rows.push(row(name, percentile(tookMs, 0.5), 'ms', 'p50'));
    rows.push(row(name, percentile(tookMs, 0.99), 'ms', 'p99; goal 100'));
  };
  try {
    const create = async (index: number): Promise<void> => {
      const namespace = namespaceOf(index % cells.length);
      const object = sampleDeployment(nameOf(index), namespace);
      await admin.create({ cluster: benchProject, gvr: deploymentsGvr, namespace }, object);
    };
    // Each edge's first Deployment has it listed and watched there: that is measured by nobody.
    await paced(cells.length, create);
    await back(cells.length);
    await paced(count, (index) => create(cells.length + index));
    await end('the first');
    await setTimeout(restMs);
    wanted = 2;
    await paced(count, async (index) => write(nameOf(cells.length + index), wanted));
    await end('a later one');
  } finally {
    arrivals.onDeployment = undefined;
    stopping.abort();
    await watching;
    await Promise.all(clients.map((client) => client.close()));
  }
  return rows;
}

/** Begins `work` for 0 … count − 1 at the rate of the statuses, and resolves when all of it is done. */
async function paced(count: number, work: (index: number) => Promise<void>): Promise<void> {
  const startedMs = performance.now();
  const begun: Promise<void>[] = [];
  for (let index = 0; index < count; index++) {
    const dueMs = startedMs + (index * 1_000) / statusesPerSecond;
    await setTimeout(Math.max(0, dueMs - performance.now()));
    begun.push(work(index));
  }
  await Promise.all(begun);
}
