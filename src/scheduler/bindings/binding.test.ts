import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { decide } from '../algorithm/decide.ts';
import { cell, inputOf, snapshotOf, template } from '../algorithm/testing/cells.ts';
import { gatheredStatus } from '../gather/gathered-status.ts';
import { triggerDigests } from '../rescheduling/triggers.ts';
import {
  type BindingInput,
  bindingOf,
  parseTemplateAnnotation,
  previousTargets,
  templateAnnotation,
  withProblems,
} from './binding.ts';

const now = '2026-01-01T00:00:00Z';
const cells = Array.from({ length: 1_100 }, (_, i) =>
  cell(`cell-${String(i).padStart(4, '0')}`, { ready: i < 1_000 }),
);
const snapshot = snapshotOf(...cells);

function input(more: Partial<BindingInput> = {}): BindingInput {
  const policy = {
    key: 'k',
    cluster: 'p',
    namespace: 'default',
    name: 'policy',
    uid: 'u',
    spec: { resourceSelectors: [] },
    selectors: [],
  };
  return {
    key: { group: 'apps', resource: 'deployments', cluster: 'p', namespace: 'default', name: 'web' },
    resource: {
      group: 'apps',
      version: 'v1',
      resource: 'deployments',
      kind: 'Deployment',
      namespaced: true,
      hasStatus: true,
      hasScale: true,
    },
    uid: 'u',
    replicas: 3,
    policy,
    decision: decide(inputOf(snapshot, { template: template({ replicas: 3 }) }), {}),
    snapshot,
    problems: {},
    now,
    ...more,
  };
}

test('at 1,000 cells a binding stays under 64 KiB, with everything gathered into it', () => {
  const on = ['CellJoined', 'CellLabelsChanged', 'CellAPIsChanged', 'PolicyChanged'] as const;
  const triggers = triggerDigests(on, { spec: {} }, snapshot, template());
  const binding = bindingOf(input({ triggers }), undefined);
  assert.equal(binding.spec.clusters?.length, 1_000);
  assert.deepEqual(binding.status?.refusals, [
    { code: 'CellNotReady', count: 100, examples: ['cell-1000', 'cell-1001', 'cell-1002'] },
  ]);
  const reports = previousTargets(binding).map(({ name }) => ({
    cell: name,
    applied: false,
    message: 'm'.repeat(200),
    health: 'Unhealthy' as const,
    status: undefined,
  }));
  const full: ResourceBinding = { ...binding, status: gatheredStatus(binding.status, reports, now) };
  const bytes = JSON.stringify(full).length;
  assert.ok(bytes < 64 * 1024, `${bytes} bytes`);
});

test('nothing changed gives the same object; times alone change nothing', () => {
  const first = bindingOf(input(), undefined);
  assert.equal(bindingOf(input({ now: '2026-01-02T00:00:00Z' }), first), first);
  const second = bindingOf(input({ replicas: 4, now: '2026-01-02T00:00:00Z' }), first);
  assert.notEqual(second, first);
  assert.equal(second.status?.lastScheduledTime, '2026-01-02T00:00:00Z');
});

test('the annotation tells the object again', () => {
  const binding = bindingOf(input(), undefined);
  assert.deepEqual(parseTemplateAnnotation(binding.metadata.annotations?.[templateAnnotation]), {
    version: 'v1',
    resource: 'deployments',
    group: 'apps',
    name: 'web',
  });
  assert.deepEqual(parseTemplateAnnotation('v1/configmaps./a'), {
    version: 'v1',
    resource: 'configmaps',
    group: '',
    name: 'a',
  });
  assert.equal(parseTemplateAnnotation('x'), undefined);
});

test('a problem is True while it lasts, False afterwards, and nowhere before', () => {
  assert.deepEqual(withProblems([], { nameCollision: undefined }, now), []);
  const during = withProblems([], { nameCollision: 'cell a: taken' }, now);
  assert.deepEqual(
    during.map(({ type, status }) => [type, status]),
    [['NameCollision', 'True']],
  );
  assert.deepEqual(withProblems(during, {}, now), during, 'what is not asked about stays');
  assert.equal(withProblems(during, { nameCollision: undefined }, now)[0]?.status, 'False');
});
