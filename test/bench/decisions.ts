import type { Placement } from '#api/policy/placement.ts';
import { decide } from '#scheduler/algorithm/decide.ts';
import { cell, inputOf, snapshotOf, template } from '#scheduler/algorithm/testing/cells.ts';
import { type Row, row } from './table.ts';

const placement: Placement = {
  clusterAffinity: { labelSelector: { matchLabels: { tier: 'edge' } } },
  replicaScheduling: {
    replicaSchedulingType: 'Divided',
    replicaDivisionPreference: 'Weighted',
    weightPreference: {
      staticWeightList: [
        { targetCluster: { labelSelector: { matchLabels: { half: 'a' } } }, weight: 2 },
        { targetCluster: { labelSelector: { matchLabels: { half: 'b' } } }, weight: 1 },
      ],
    },
  },
};

/** Pure decisions: filter, score, select and divide over an immutable snapshot. */
export async function benchDecisions(): Promise<Row[]> {
  return [10, 100, 1_000].map((count) => {
    const cells = Array.from({ length: count }, (_, index) =>
      cell(`cell-${index}`, { labels: { tier: 'edge', half: index % 2 === 0 ? 'a' : 'b' } }),
    );
    const snapshot = snapshotOf(...cells);
    const input = inputOf(snapshot, { template: template({ replicas: 30 }) });
    const measure = (milliseconds: number): number => {
      let done = 0;
      const startedMs = performance.now();
      while (performance.now() - startedMs < milliseconds) {
        for (let i = 0; i < 16; i++) decide(input, placement);
        done += 16;
      }
      return done / ((performance.now() - startedMs) / 1_000);
    };
    measure(500);
    return row(
      `decisions over ${count} cells, static weights`,
      measure(2_000),
      '/s',
      count === 100 ? 'goal 20,000' : undefined,
    );
  });
}
