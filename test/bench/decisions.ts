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

/** Pure decisions: filter, score, select and divide over an immutable snapshot. Five cells make a region. */
export async function benchDecisions(): Promise<Row[]> {
  return [10, 100, 1_000].flatMap((count) => {
    const cells = Array.from({ length: count }, (_, index) =>
      cell(`cell-${index}`, {
        labels: { tier: 'edge', half: index % 2 === 0 ? 'a' : 'b' },
        region: `region-${Math.floor(index / 5)}`,
        free: new Map([
          ['cpu', 4 + (index % 7)],
          ['memory', 2 ** 33],
          ['pods', 110],
        ]),
      }),
    );
    const request = [
      ['cpu', 0.5],
      ['memory', 2 ** 28],
    ] as const;
    const input = inputOf(snapshotOf(...cells), { template: template({ replicas: 30, request }) });
    return Object.entries(placements).map(([name, placement]) => {
      const measure = (milliseconds: number): number => {
        let done = 0;
        const startedMs = performance.now();
        while (performance.now() - startedMs < milliseconds) {
          for (let i = 0; i < 16; i++) decide(input, placement);
          done += 16;
        }
        return done / ((performance.now() - startedMs) / 1_000);
      };
      measure(200);
      return row(`decisions over ${count} cells, ${name}`, measure(800), '/s', goals[count]);
    });
  });
}
