import { setTimeout } from 'node:timers/promises';
import { startConstellation } from '../harness/started.ts';
import { until } from '../harness/until.ts';
import { percentile, type Row, row } from './table.ts';

const perSecond = 200;
const seconds = 10;
const warm = 4_000;
const restMs = 1_000;
const configMaps = { group: '', version: 'v1', resource: 'configmaps' } as const;

/** From a project's acknowledged CREATE being asked for to the object's event at the edge, at a steady rate. */
export async function benchLatency(): Promise<Row[]> {
  await using constellation = await startConstellation();
  const project = await constellation.client('acme-shop');
  const edge = await constellation.client('edge-pop-a-cell-a');
  await project.create(
    {
      cluster: undefined,
      gvr: { group: 'policy.karmada.io', version: 'v1alpha1', resource: 'propagationpolicies' },
      namespace: 'default',
    },
    {
      apiVersion: 'policy.karmada.io/v1alpha1',
      kind: 'PropagationPolicy',
      metadata: { name: 'bench', namespace: 'default' },
      spec: {
        resourceSelectors: [{ apiVersion: 'v1', kind: 'ConfigMap' }],
        placement: { clusterAffinity: { clusterNames: ['pop-a-cell-a'] } },
      },
    },
  );
  const sentAtMs = new Map<string, number>();
  const latencies: number[] = [];
  const stopping = new AbortController();
  const watching = (async () => {
    const events = edge.watch(
      { cluster: undefined, gvr: configMaps },
      { resourceVersion: '0', metadataOnly: true, signal: stopping.signal },
    );
    for await (const event of events) {
      if (event.type !== 'ADDED') continue;
      const sent = sentAtMs.get(event.object.metadata.name ?? '');
      if (sent !== undefined) latencies.push(performance.now() - sent);
    }
  })();
  const create = (name: string) => {
    sentAtMs.set(name, performance.now());
    return project.create(
      { cluster: undefined, gvr: configMaps, namespace: 'default' },
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, namespace: 'default' },
        data: { text: 'x'.repeat(1_000) },
      },
      { metadataOnly: true },
    );
  };
  const send = async (from: number, count: number) => {
    const pending: Promise<unknown>[] = [];
    const startedMs = performance.now();
    for (let index = 0; index < count; index++) {
      const aheadMs = (index * 1_000) / perSecond - (performance.now() - startedMs);
      if (aheadMs > 1) await setTimeout(aheadMs);
      pending.push(create(`object-${from + index}`));
    }
    await Promise.all(pending);
    await until('every object is at the edge', () => latencies.length >= from + count, { timeoutMs: 60_000 });
  };
  // The first objects bring the namespace and warm every process up; they are not counted, nor what queued up behind them.
  await send(0, warm);
  await setTimeout(restMs);
  await send(warm, perSecond * seconds);
  stopping.abort();
  await watching;
  const counted = latencies.slice(warm).sort((a, b) => a - b);
  return [
    row(`create→applied at the edge, ${perSecond} objects/s`, percentile(counted, 0.5), 'ms', 'p50'),
    row(
      `create→applied at the edge, ${perSecond} objects/s`,
      percentile(counted, 0.99),
      'ms',
      'p99; goal 100',
    ),
  ];
}
