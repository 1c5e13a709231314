import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PropagationSpec, ResourceSelector } from '#api/policy/placement.ts';
import type { DiscoveredResource } from '../discovery.ts';
import { PolicyIndex, policyKeyOf } from './policy-index.ts';

const deployments: DiscoveredResource = {
  group: 'apps',
  version: 'v1',
  resource: 'deployments',
  kind: 'Deployment',
  namespaced: true,
  hasStatus: true,
  hasScale: true,
};
const kind: ResourceSelector = { apiVersion: 'apps/v1', kind: 'Deployment' };
const labels: ResourceSelector = { ...kind, labelSelector: { matchLabels: { app: 'web' } } };
const byName: ResourceSelector = { ...kind, name: 'web' };

interface Entry {
  readonly name: string;
  readonly wide?: boolean;
  readonly selector?: ResourceSelector;
  readonly spec?: Partial<PropagationSpec>;
}

function indexOf(entries: readonly Entry[]): PolicyIndex {
  const index = new PolicyIndex();
  for (const { name, wide = false, selector = kind, spec = {} } of entries) {
    const namespace = wide ? undefined : 'default';
    index.put({
      key: policyKeyOf('p', namespace, name),
      cluster: 'p',
      namespace,
      name,
      uid: '',
      spec: { resourceSelectors: [selector], ...spec },
      selectors: [{ selector, resource: deployments }],
    });
  }
  return index;
}

const web = { namespace: 'default', name: 'web', labels: { app: 'web' } };
const key = (name: string, wide = false): string => policyKeyOf('p', wide ? undefined : 'default', name);

/** PLACEMENT.md 1: PP before CPP, priority, specificity, name; ownership; preemption. */
const rows: [string, Entry[], string | undefined, string | undefined][] = [
  ['none', [], undefined, undefined],
  [
    'namespaced before cluster-wide, whatever the priority',
    [{ name: 'a' }, { name: 'b', wide: true, spec: { priority: 9 } }],
    undefined,
    'a',
  ],
  [
    'priority before specificity',
    [
      { name: 'a', spec: { priority: 1 } },
      { name: 'b', selector: byName },
    ],
    undefined,
    'a',
  ],
  [
    'name before labels before kind',
    [{ name: 'a' }, { name: 'b', selector: labels }, { name: 'c', selector: byName }],
    undefined,
    'c',
  ],
  ['labels before kind', [{ name: 'a' }, { name: 'b', selector: labels }], undefined, 'b'],
  ['then the alphabet', [{ name: 'b' }, { name: 'a' }], undefined, 'a'],
  [
    'a selector that does not match',
    [{ name: 'a', selector: { ...kind, name: 'other' } }],
    undefined,
    undefined,
  ],
  [
    'name wins over labels',
    [{ name: 'a', selector: { ...byName, labelSelector: { matchLabels: { app: 'x' } } } }],
    undefined,
    'a',
  ],
  ['owned stays owned', [{ name: 'a' }, { name: 'b', spec: { priority: 9 } }], key('a'), 'a'],
  [
    'an owner that no longer selects does not',
    [{ name: 'a', selector: { ...kind, name: 'x' } }, { name: 'b' }],
    key('a'),
    'b',
  ],
  [
    'preemption by higher priority',
    [{ name: 'a' }, { name: 'b', spec: { priority: 1, preemption: 'Always' } }],
    key('a'),
    'b',
  ],
  [
    'no preemption by equal priority',
    [{ name: 'a' }, { name: 'b', selector: byName, spec: { preemption: 'Always' } }],
    key('a'),
    'a',
  ],
  [
    'a namespaced one preempts any cluster-wide one',
    [
      { name: 'a', wide: true, spec: { priority: 9 } },
      { name: 'b', spec: { preemption: 'Always' } },
    ],
    key('a', true),
    'b',
  ],
  [
    'a cluster-wide one preempts no namespaced one',
    [{ name: 'a' }, { name: 'b', wide: true, spec: { priority: 9, preemption: 'Always' } }],
    key('a'),
    'a',
  ],
];
for (const [what, entries, owner, want] of rows) {
  test(`ownership: ${what}`, () => {
    assert.equal(indexOf(entries).ownerOf('p', 'deployments.apps', web, owner)?.policy.name, want);
    assert.equal(
      indexOf([...entries].reverse()).ownerOf('p', 'deployments.apps', web, owner)?.policy.name,
      want,
    );
  });
}

test('a policy says nothing about other namespaces and projects, and nothing once it is gone', () => {
  const index = indexOf([{ name: 'a' }]);
  assert.equal(index.ownerOf('p', 'deployments.apps', { ...web, namespace: 'other' }, undefined), undefined);
  assert.equal(index.ownerOf('q', 'deployments.apps', web, undefined), undefined);
  assert.ok(index.selectsIn('p', 'deployments.apps') && index.selectsResource('deployments.apps'));
  index.remove(key('a'));
  assert.ok(!index.selectsIn('p', 'deployments.apps') && !index.selectsResource('deployments.apps'));
});
