import { setTimeout } from 'node:timers/promises';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { until } from '../harness/until.ts';
import {
  benchProject,
  cellsReady,
  configMapsGvr,
  inParallel,
  type ManyCells,
  makeNamespace,
  placeNamespace,
  startManyCells,
} from './many-cells.ts';
import { sampleConfigMap, sampleDeployment } from './samples.ts';
import { percentile, type Row, row } from './table.ts';

const deploymentsGvr = { group: 'apps', version: 'v1', resource: 'deployments' } as const;
const seconds = 8;
const statusesPerSecond = 50;

/**
 * Many cells at once: create→applied with each object going to one of them, and the way back of a status. `scale` 1: 20 cells
 * and 100 objects/s; 5: 100 cells and 500 objects/s, as the goals are set.
 */
export async function benchCells(scale: number): Promise<Row[]> {
  const count = Math.max(2, Math.round(20 * scale));
  const perSecond = Math.max(10, Math.round(100 * scale));
  await using many = await startManyCells(count);
  await cellsReady(many);
  const clients = many.edges.map((edge) => new RemoteClient(edge, { userAgent: 'cellplane-bench' }));
  await inParallel(count, 8, async (index) => {
    await makeNamespace(many, namespaceOf(index));
    await placeNamespace(many, namespaceOf(index), [many.cells[index] ?? ''], 1, [
      ['v1', 'ConfigMap'],
      ['apps/v1', 'Deployment'],
    ]);
  });
  try {
    return [...(await applied(many, clients, perSecond)), ...(await statusBack(many, clients))];
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

function namespaceOf(index: number): string {
  return `bench-${index}`;
}

async function applied(
  { admin }: ManyCells,
  clients: readonly RemoteClient[],
  perSecond: number,
): Promise<Row[]> {
  const sentAtMs = new Map<string, number>();
  const latencies: number[] = [];
  const stopping = new AbortController();
  const watching = clients.map(async (client) => {
    const options = { resourceVersion: '0', metadataOnly: true, signal: stopping.signal };
    for await (const event of client.watch({ cluster: undefined, gvr: configMapsGvr }, options)) {
      if (event.type !== 'ADDED') continue;
      const sent = sentAtMs.get(event.object.metadata.name ?? '');
      if (sent !== undefined) latencies.push(performance.now() - sent);
    }
  });
  // The first objects bring namespaces and warm every process up; they are not counted.
  const warm = 2 * perSecond;
  const total = warm + perSecond * seconds;
  const pending: Promise<unknown>[] = [];
  const startedMs = performance.now();
  for (let index = 0; index < total; index++) {
    const aheadMs = (index * 1_000) / perSecond - (performance.now() - startedMs);
    if (aheadMs > 1) await setTimeout(aheadMs);
    const namespace = namespaceOf(index % clients.length);
    const name = `object-${index}`;
    sentAtMs.set(name, performance.now());
    const collection = { cluster: benchProject, gvr: configMapsGvr, namespace };
    pending.push(admin.create(collection, sampleConfigMap(name, 1_000, namespace), { metadataOnly: true }));
  }
  await Promise.all(pending);
  await until('every object is at its edge', () => latencies.length >= total, { timeoutMs: 120_000 });
  stopping.abort();
  await Promise.all(watching);
  const counted = latencies.slice(warm).sort((a, b) => a - b);
  const name = `create→applied, ${clients.length} cells, ${perSecond} objects/s`;
  return [
    row(name, percentile(counted, 0.5), 'ms', 'p50'),
    row(name, percentile(counted, 0.99), 'ms', 'p99; goal 100 at 100 cells and 500/s'),
  ];
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
    return atEdge.size >= count;
  };
  await until('every deployment is at its edge', find, { timeoutMs: 60_000, everyMs: 500 });
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
  await until('every status is back', () => latencies.length >= count, { timeoutMs: 60_000 });
  stopping.abort();
  await watching;
  latencies.sort((a, b) => a - b);
  const name = `status back, ${clients.length} cells, ${statusesPerSecond}/s`;
  return [
    row(name, percentile(latencies, 0.5), 'ms', 'p50'),
    row(name, percentile(latencies, 0.99), 'ms', 'p99; goal 100'),
  ];
}
