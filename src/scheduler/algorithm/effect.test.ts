// Fields of a placement by pairs: whatever stands beside a field, it decides something, or the writer is refused or told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Placement } from '#api/policy/placement.ts';
import {
  type PropagationPolicy,
  propagationPolicyDefinition,
  validatePropagationPolicy,
} from '#api/policy/propagation-policy.ts';
import type { CellInfo } from './cell.ts';
import { decide } from './decide.ts';
import type { DecisionInput } from './decision.ts';
import { compileProfile } from './profile.ts';
import { cell, inputOf, show, snapshotOf, targets, template } from './testing/cells.ts';
import { getPath, setPath } from './testing/paths.ts';

const free = (pods: number) => new Map([['pods', pods]]);
const morning = [{ from: '06:00', to: '12:00' }];
const names = (...clusterNames: string[]) => ({ targetCluster: { clusterNames } });

/** A field, and values of it that say something. */
const fields: readonly (readonly [path: string, ...values: unknown[]])[] = [
  ['replicaScheduling.replicaSchedulingType', 'Duplicated'],
  ['replicaScheduling.replicaDivisionPreference', 'Aggregated'],
  ['replicaScheduling.weightPreference.dynamicWeight', 'AvailableReplicas'],
  [
    'replicaScheduling.weightPreference.staticWeightList',
    [
      { ...names('a', 'b'), weight: 1 },
      { ...names('c', 'd', 'e'), weight: 3 },
    ],
    [
      { ...names('a', 'b', 'c'), weight: 2, minReplicas: 2, maxReplicas: 3 },
      { ...names('d', 'e'), weight: 1, priority: 2 },
    ],
  ],
  ['replicaScheduling.rebalance', true],
  [
    'spreadConstraints',
    [{ spreadByField: 'cluster', maxGroups: 2 }],
    [{ spreadByField: 'region', minGroups: 2, maxGroups: 2 }],
    [{ spreadByLabel: 'tier', maxGroups: 1 }],
    [{ spreadByField: 'region', maxSkew: 1 }],
  ],
  ['clusterAffinity.clusterNames', ['a', 'b', 'd', 'e']],
  ['clusterAffinity.exclude', ['b', 'c']],
  ['clusterAffinity.labelSelector', { matchExpressions: [{ key: 'old', operator: 'DoesNotExist' }] }],
  [
    'clusterAffinity.fieldSelector',
    { matchExpressions: [{ key: 'region', operator: 'In', values: ['r1', 'r3'] }] },
  ],
  ['clusterAffinity.celSelector', { celExpressions: ["cell.name != 'a' && cell.name != 'f'"] }],
  [
    'clusterAffinities',
    [{ affinityName: 'x', clusterNames: ['a', 'e', 'f'] }],
    [{ affinityName: 'x', clusterNames: ['a', 'f'], overflowAffinities: [{ clusterNames: ['b', 'c'] }] }],
  ],
  [
    'clusterTolerations',
    [{ key: 'new', operator: 'Exists', effect: 'NoSchedule' }],
    [{ operator: 'Exists' }],
  ],
  ['near', { latitude: 50, longitude: 8 }],
  ['data', ['set']],
  ['activeHours', morning],
  ['workloadAffinity', { antiAffinity: { groupByLabelKey: 'x' } }, { affinity: { groupByLabelKey: 'x' } }],
];

const cells: CellInfo[] = [
  cell('a', {
    region: 'r1',
    labels: { tier: 'gold' },
    free: free(2),
    location: { latitude: 0, longitude: 0 },
  }),
  cell('b', { region: 'r1', labels: { tier: 'tin', old: '' }, free: free(9) }),
  cell('c', { region: 'r2', labels: { tier: 'gold', 'data.cellplane.io/set': '' }, free: free(9) }),
  cell('d', {
    region: 'r2',
    labels: { tier: 'tin', 'data.cellplane.io/set': '', old: '' },
    location: { latitude: 50, longitude: 8 },
  }),
  cell('e', {
    region: 'r3',
    labels: { tier: 'gold' },
    taints: [{ key: 'new', effect: 'NoSchedule', value: '', timeAddedMs: 0 }],
    free: free(5),
  }),
  cell('f', {
    region: 'r3',
    labels: { tier: 'tin' },
    taints: [{ key: 'soft', effect: 'PreferNoSchedule', value: '', timeAddedMs: 0 }],
  }),
];
/** Alike but for where they lie and what they hold. */
const alike = cells.map((one) => ({ ...one, free: undefined, taints: [] }));
/** Most of them in one region. */
const crowded = alike.map((one) => ({ ...one, region: one.region === 'r3' ? 'r2' : one.region }));
const profile = compileProfile({
  apiVersion: 'x/v1',
  kind: 'SchedulingProfile',
  metadata: { name: 'x' },
  spec: {
    scores: [
      { name: 'Distance', weight: 3 },
      { name: 'DataLocality', weight: 2 },
      { name: 'SoftTaints', weight: 1 },
      { name: 'Room', weight: 1 },
    ],
  },
});

/** Within the hours above and outside of them. */
const times = ['2026-01-01T09:00:00Z', '2026-01-01T12:30:00Z'].map((time) => Date.parse(time));
const inputs: DecisionInput[] = [];
for (const replicas of [undefined, 3, 8]) {
  for (const previous of ['', 'a:1 b:2 c:2', 'd:3 f:9']) {
    for (const world of [cells, cells.slice(1, 5), alike, crowded]) {
      const snapshot = snapshotOf(...world);
      const told = replicas === undefined ? previous.replaceAll(/:\d+/g, '') : previous;
      const base = { template: template({ replicas }), previous: targets(told), profile };
      for (const nowMs of times) inputs.push(inputOf(snapshot, { ...base, nowMs }));
    }
  }
}

/** What is decided everywhere; the peers of a workload are what its `workloadAffinity` makes of them. */
function decisions(placement: Placement): string {
  const { affinity, antiAffinity } = placement.workloadAffinity ?? {};
  const peers = {
    affinity: affinity === undefined ? undefined : new Set(['b', 'c', 'e', 'f']),
    antiAffinity: new Set(antiAffinity === undefined ? [] : ['a', 'c']),
  };
  return inputs.map((input) => show(decide({ ...input, peers }, placement).targets)).join('\n');
}

function policyOf(placement: Placement): PropagationPolicy {
  return {
    apiVersion: 'policy.karmada.io/v1alpha1',
    kind: 'PropagationPolicy',
    metadata: { name: 'p', namespace: 'default' },
    spec: { resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment' }], placement },
  };
}

/** With the default that the schema gives. */
function completed(placement: Placement): Placement {
  const scheduling = placement.replicaScheduling;
  if (scheduling === undefined) return placement;
  return { ...placement, replicaScheduling: { replicaSchedulingType: 'Divided', ...scheduling } };
}

const isValid = (placement: Placement): boolean =>
  validatePropagationPolicy(policyOf(placement)).length === 0;

test('whatever stands beside a field of a placement, it decides something, or is refused, or the writer is told', () => {
  const choice = fc
    .subarray(Array.from(fields.keys()), { minLength: 2, maxLength: 4 })
    .chain((chosen) => fc.tuple(...chosen.map((i) => fc.record({ i: fc.constant(i), value: fc.nat(3) }))));
  /** `<field> beside <other>` → whether it ever decided or was told of. */
  const seen = new Map<string, { looked: number; speaks: boolean }>();
  for (const chosen of fc.sample(choice, { seed: 5, numRuns: 1_500 })) {
    let raw: Placement = {};
    const labels = chosen.map(({ i, value }) => {
      const [path = '', ...values] = fields[i] ?? [];
      const at = value % values.length;
      raw = setPath(raw, path, values[at]);
      return { path, label: values.length > 1 ? `${path}[${at}]` : path };
    });
    const placement = completed(raw);
    if (!isValid(placement)) continue;
    const decided = decisions(placement);
    const warnings = propagationPolicyDefinition.strategy.warnings?.(policyOf(placement), undefined) ?? [];
    for (const { path, label } of labels) {
      assert.notEqual(getPath(placement, path), undefined);
      const without = completed(setPath(raw, path, undefined));
      const isTold = warnings.some(
        (text) => text.startsWith(`spec.placement.${path}`) || isAbove(text, path),
      );
      // What another field needs beside it says something by that.
      const speaks = isTold || !isValid(without) || decisions(without) !== decided;
      for (const other of labels) {
        if (other.label === label) continue;
        const key = `${label} beside ${other.label}`;
        const pair = seen.get(key) ?? { looked: 0, speaks: false };
        pair.looked++;
        pair.speaks ||= speaks;
        seen.set(key, pair);
      }
    }
  }
  const silent = [...seen].filter(([, { looked, speaks }]) => looked >= 9 && !speaks);
  assert.deepEqual(
    silent.map(([pair, { looked }]) => `${pair} (${looked})`),
    [],
  );
  const often = [...seen.values()].filter(({ looked }) => looked >= 9).length;
  assert.ok(often > 150, `the test must see the pairs: ${often}`);
});

function isAbove(warning: string, path: string): boolean {
  return `spec.placement.${path}`.startsWith(warning.slice(0, warning.indexOf(': ')));
}
