import type { Placement } from '#api/policy/placement.ts';
import { decide } from '#scheduler/algorithm/decide.ts';
import { cell, inputOf, snapshotOf, template } from '#scheduler/algorithm/testing/cells.ts';
import { type Row, row } from './table.ts';

const clusterAffinity = { labelSelector: { matchLabels: { tier: 'edge' } } };
const weighted = { replicaSchedulingType: 'Divided', replicaDivisionPreference: 'Weighted' } as const;

const placements: { readonly [name: string]: Placement } = {
  duplicated: { clusterAffinity },
  'static weights': {
    clusterAffinity,
    replicaScheduling: {
      ...weighted,
      weightPreference: {
        staticWeightList: [
          { targetCluster: { labelSelector: { matchLabels: { half: 'a' } } }, weight: 2 },
          { targetCluster: { labelSelector: { matchLabels: { half: 'b' } } }, weight: 1 },
        ],
      },
    },
  },
  'dynamic weights': {
    clusterAffinity,
    replicaScheduling: { ...weighted, weightPreference: { dynamicWeight: 'AvailableReplicas' } },
  },
  aggregated: {
    clusterAffinity,
    replicaScheduling: { replicaSchedulingType: 'Divided', replicaDivisionPreference: 'Aggregated' },
  },
  'cell spread': {
    clusterAffinity,
    spreadConstraints: [{ spreadByField: 'cluster', minGroups: 2, maxGroups: 5 }],
  },
  'region spread': {
    clusterAffinity,
    spreadConstraints: [
      { spreadByField: 'region', minGroups: 3, maxGroups: 5 },
      { spreadByField: 'cluster', minGroups: 5, maxGroups: 10 },
    ],
  },
};

const goals: { readonly [cells: number]: string | undefined } = { 100: 'goal 20,000', 1000: 'goal 3,000' };

const bindingsCount = 10_000;

/** What 10,000 objects ask for: each its own replicas, one of seven sizes. */
const templates = Array.from({ length: bindingsCount }, (_, i) =>
  template({
    uid: `uid-${i}`,
    key: `default/web-${i}`,
    replicas: 1 + ((i * 7) % 60),
    request: [
      ['cpu', 0.1 * (1 + (i % 7))],
      ['memory', 2 ** 28],
    ],
  }),
);

function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/**
 * Pure decisions: filter, score, select and divide over an immutable snapshot, once for each of 10,000 bindings, and what the heap
 * has grown by then. Five cells make a region.
 */
export async function benchDecisions(): Promise<Row[]> {
  return [10, 100, 1_000].flatMap((count) => {
    const cells = Array.from({ length: count }, (_, index) =>
      cell(`cell-${index}`, {
        labels: { tier: 'edge', half: index % 2 === 0 ? 'a' : 'b' },
        region: `region-${Math.floor(index / 5)}`,
        free: new Map([
          ['cpu', 64 + (index % 7)],
          ['memory', 2 ** 37],
          ['pods', 110],
        ]),
      }),
    );
    const snapshot = snapshotOf(...cells);
    return Object.entries(placements).flatMap(([name, placement]) => {
      const decideFor = (from: number, to: number): void => {
        for (let i = from; i < to; i++) decide(inputOf(snapshot, { template: templates[i] }), placement);
      };
      decideFor(0, 1_000);
      const beforeBytes = heapBytes();
      const startedMs = performance.now();
      decideFor(0, bindingsCount);
      const seconds = (performance.now() - startedMs) / 1_000;
      const grownKiB = (heapBytes() - beforeBytes) / 1_024;
      const what = `decisions over ${count} cells, ${name}`;
      return [
        row(what, bindingsCount / seconds, '/s', goals[count]),
        row(`${what}, heap`, grownKiB, 'KiB', 'more after 10,000 bindings'),
      ];
    });
  });
}
