import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Placement } from '#api/policy/placement.ts';
import { decide } from './decide.ts';
import { cell, inputOf, outcomeOf, snapshotOf, template } from './testing/cells.ts';
import { aggregated, dynamic, equally, oneOf, staticWeights } from './testing/placements.ts';

const anyCells = fc
  .array(
    fc.record({
      pods: fc.option(fc.integer({ min: 0, max: 40 }), { nil: undefined }),
      ready: fc.boolean(),
      weight: fc.integer({ min: 0, max: 5 }),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((specs) =>
    specs.map(({ pods, ready, weight }, i) =>
      cell(`c${i}`, {
        ready,
        labels: { weight: `${weight}` },
        free: pods === undefined ? undefined : new Map([['pods', pods]]),
      }),
    ),
  );
const anyPlacement = fc.constantFrom<Placement>(
  staticWeights({ c0: 1, c1: 2, c2: 3 }),
  equally,
  dynamic,
  aggregated,
  { ...dynamic, spreadConstraints: [{ spreadByField: 'cluster', maxGroups: 3 }] },
  { ...staticWeights({ c0: 1, c1: 2, c2: 3 }), ...oneOf },
  oneOf,
);

test('properties: the sum is what was asked, equal input gives equal output, a decision is a fixed point', () => {
  fc.assert(
    fc.property(
      anyCells,
      anyPlacement,
      fc.integer({ min: 1, max: 60 }),
      fc.string(),
      (cells, placement, replicas, uid) => {
        const input = inputOf(snapshotOf(...cells), { template: template({ replicas, uid }) });
        const decision = decide(input, placement);
        decision.considered?.detailsOf(decision.considered.candidates);
        assert.deepEqual(outcomeOf(decide(input, placement)), outcomeOf(decision));
        const sum = decision.targets.reduce((total, target) => total + (target.replicas ?? 0), 0);
        assert.equal(sum, decision.outcome === 'Scheduled' ? replicas : 0);
        const names = decision.targets.map(({ name }) => name);
        assert.deepEqual(names, [...new Set(names)].sort());
        if (decision.outcome === 'Scheduled') {
          assert.deepEqual(
            decide({ ...input, previous: decision.targets }, placement).targets,
            decision.targets,
          );
        }
        for (let i = 0; i < cells.length; i++) {
          assert.equal(
            decision.refusals[i] === undefined,
            names.includes(`c${i}`) ||
              (decision.outcome !== 'Scheduled' && decision.refusals[i] === undefined),
          );
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('properties: no cell gets more than it has room for', () => {
  fc.assert(
    fc.property(
      anyCells,
      fc.constantFrom(dynamic, aggregated, { ...dynamic, ...oneOf }, { ...aggregated, ...oneOf }),
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 60 }),
      (cells, placement, replicas, more) => {
        const snapshot = snapshotOf(...cells);
        const roomIn = (name: string): number =>
          cells.find((one) => one.name === name)?.free?.get('pods') ?? Number.POSITIVE_INFINITY;
        const first = decide(inputOf(snapshot, { template: template({ replicas }) }), placement);
        for (const { name, replicas: share = 0 } of first.targets) assert.ok(share <= roomIn(name));
        const previous = first.targets;
        const next = inputOf(snapshot, { template: template({ replicas: more }), previous });
        for (const { name, replicas: share = 0 } of decide(next, placement).targets) {
          const had = previous.find((one) => one.name === name)?.replicas ?? 0;
          assert.ok(share <= had + roomIn(name), 'what it has is not part of what is free');
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('properties: growing by dynamic division takes nothing from any cell, shrinking gives nothing to any', () => {
  fc.assert(
    fc.property(
      anyCells,
      fc.constantFrom(dynamic, aggregated),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 0, max: 30 }),
      (cells, placement, base, more) => {
        const snapshot = snapshotOf(...cells);
        const first = decide(inputOf(snapshot, { template: template({ replicas: base }) }), placement);
        if (first.outcome !== 'Scheduled') return;
        const of = (list: typeof first.targets, name: string) =>
          list.find((one) => one.name === name)?.replicas ?? 0;
        const grown = decide(
          inputOf(snapshot, { template: template({ replicas: base + more }), previous: first.targets }),
          placement,
        );
        for (const { name, replicas } of first.targets) assert.ok(of(grown.targets, name) >= (replicas ?? 0));
        const shrunk = decide(
          inputOf(snapshot, {
            template: template({ replicas: Math.max(1, base - more) }),
            previous: first.targets,
          }),
          placement,
        );
        for (const { name, replicas } of shrunk.targets)
          assert.ok(of(first.targets, name) >= (replicas ?? 0));
      },
    ),
    { numRuns: 300 },
  );
});
