import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Placement } from '#api/policy/placement.ts';
import { decide } from './decide.ts';
import { cell, free, inputOf, snapshotOf, template } from './testing/cells.ts';
import { aggregated, dynamic } from './testing/placements.ts';

test('speed: 20,000 decisions a second at 100 cells', { concurrency: false }, () => {
  const cells = Array.from({ length: 100 }, (_, i) =>
    cell(`cell-${String(i).padStart(3, '0')}`, {
      labels: { tier: i % 2 === 0 ? 'edge' : 'core' },
      free: new Map([
        ['pods', 100 + i],
        ['cpu', 64],
      ]),
    }),
  );
  const snapshot = snapshotOf(...cells);
  const placement: Placement = {
    ...dynamic,
    clusterAffinity: { labelSelector: { matchLabels: { tier: 'edge' } } },
  };
  const run = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const one = template({ replicas: 1 + (i % 50), request: [['cpu', 0.1]], uid: `u${i}` });
      decide(inputOf(snapshot, { template: one }), placement);
    }
  };
  run(2_000);
  const before = process.cpuUsage();
  run(2_000);
  // Time of the processor, not of the day: what else the machine does must not matter. The wanted rate is measured by the
  // benchmark; here only a collapse is caught.
  const { user, system } = process.cpuUsage(before);
  const perSecond = 2_000 / ((user + system) / 1e6);
  assert.ok(perSecond > 1_000, `${Math.round(perSecond)} decisions/s`);
});

test('the heap does not grow with bindings times cells', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heapBytes = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const cells = Array.from({ length: 1_000 }, (_, i) =>
    cell(`cell-${i}`, { region: `region-${i % 200}`, ...free(100 + (i % 9)) }),
  );
  const snapshot = snapshotOf(...cells);
  const spread: Placement = {
    ...dynamic,
    spreadConstraints: [{ spreadByField: 'region', minGroups: 3, maxGroups: 5 }],
  };
  const run = (from: number, to: number): void => {
    for (let i = from; i < to; i++) {
      const one = template({ replicas: 1 + (i % 50), request: [['pods', 1 + (i % 3)]], uid: `u${i}` });
      for (const placement of [dynamic, aggregated, spread, {}])
        decide(inputOf(snapshot, { template: one }), placement);
    }
  };
  run(0, 20);
  const before = heapBytes();
  const bindings = 300;
  run(20, 20 + bindings);
  const grown = heapBytes() - before;
  // A byte for each pair of a binding and a cell, in each of four placements, would be more.
  assert.ok(grown < bindings * cells.length * 4, `${grown} bytes`);
});
