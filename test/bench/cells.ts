import { setTimeout } from 'node:timers/promises';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
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
  const rows = await applied(many, rates.length === 0 ? [perSecond] : rates);
  const clients = many.edges.map((edge) => new RemoteClient(edge, { userAgent: 'cellplane-bench' }));
  try {
    return [...rows, ...(await statusBack(many, clients))];
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

function namespaceOf(index: number): string {
  return `bench-${String(index).padStart(4, '0')}`;
}

/** From the moment at which each CREATE is to be sent to the moment at which its edge has stored the object. */
async function applied(many: ManyCells, rates: readonly number[]): Promise<Row[]> {
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
  many.onArrival((name, atMs) => {
    // Not what the federator keeps there for itself.
    if (name.startsWith('object-')) arrivedAtMs.set(name, atMs);
  });
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

/** From the status being written at the edge to its event in the project. */
async function statusBack({ admin }: ManyCells, clients: readonly RemoteClient[]): Promise<Row[]> {
  const count = Math.min(300, 10 * clients.length);
  await inParallel(count, 16, (index) => {
    const namespace = namespaceOf(index % clients.length);
    return admin.create(
      { cluster: benchProject, gvr: deploymentsGvr, namespace },
      sampleDeployment(`web-${index}`, namespace),
    );
  });
  const atEdge = new Map<string, { readonly client: RemoteClient; readonly object: KubeObject }>();
  const find = async () => {
    for (const client of clients) {
      for (const object of (await client.list({ cluster: undefined, gvr: deploymentsGvr })).items) {
        atEdge.set(object.metadata.name ?? '', { client, object });
      }
    }
    return atEdge.size;
  };
  await reached('deployments at their edges', find, count, { everyMs: 500 });
  const sentAtMs = new Map<string, number>();
  const latencies: number[] = [];
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
      if (sent === undefined || !isJsonObject(status) || status['readyReplicas'] !== 3) continue;
      sentAtMs.delete(metadata.name ?? '');
      latencies.push(performance.now() - sent);
    }
  })();
  for (const [name, { client, object }] of atEdge) {
    await setTimeout(1_000 / statusesPerSecond);
    sentAtMs.set(name, performance.now());
    const status = {
      observedGeneration: object.metadata.generation ?? 1,
      replicas: 3,
      updatedReplicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
    };
    const { namespace } = object.metadata;
    await client.patch(
      { cluster: undefined, gvr: deploymentsGvr, namespace, name },
      { type: 'merge', body: { status } },
      { subresource: 'status' },
    );
  }
  await reached('statuses that are back', () => latencies.length, count);
  stopping.abort();
  await watching;
  latencies.sort((a, b) => a - b);
  const name = `status back, ${clients.length} cells, ${statusesPerSecond}/s`;
  return [
    row(name, percentile(latencies, 0.5), 'ms', 'p50'),
    row(name, percentile(latencies, 0.99), 'ms', 'p99; goal 100'),
  ];
}
