import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { reconciledBootstrap } from './reconciled-bootstrap.ts';

const autoupdate = 'rbac.authorization.kubernetes.io/autoupdate';
const marks = {
  labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' },
  annotations: { [autoupdate]: 'true' },
};
const rule = (resource: string, ...verbs: string[]): JsonObject => ({
  verbs,
  apiGroups: [''],
  resources: [resource],
});
const role = (more: JsonObject, metadata: JsonObject = marks): KubeObject => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: { name: 'r', ...metadata },
  ...more,
});
const group = (name: string) => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name });
const binding = (to: string, subjects: readonly JsonObject[], metadata: JsonObject = marks): KubeObject =>
  role(
    {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: to },
      subjects: [...subjects],
    },
    metadata,
  );
const selecting = (...names: string[]): JsonObject => ({
  aggregationRule: { clusterRoleSelectors: names.map((name) => ({ matchLabels: { [name]: 'true' } })) },
});

test('U4: what a changed bootstrap role lacks is added, what it has beyond stays', () => {
  const expected = role({ rules: [rule('pods', 'get', 'list'), rule('nodes', 'get')] });
  const rows: readonly (readonly [name: string, existing: KubeObject, wanted: KubeObject | undefined])[] = [
    ['the same', expected, undefined],
    [
      'more than it',
      role({ rules: [rule('*', '*')] }),
      undefined, // All that is expected is covered.
    ],
    [
      'a verb less, and a rule of its own',
      role({ rules: [rule('pods', 'get'), rule('nodes', 'get'), rule('secrets', 'get')] }),
      role({
        rules: [rule('pods', 'get'), rule('nodes', 'get'), rule('secrets', 'get'), rule('pods', 'list')],
      }),
    ],
    ['no rules', role({ rules: [] }), expected],
    [
      'neither label nor annotation',
      role({ rules: expected['rules'] as JsonObject[] }, { labels: { own: 'x' } }),
      role({ rules: expected['rules'] as JsonObject[] }, { ...marks, labels: { ...marks.labels, own: 'x' } }),
    ],
    ['told to be let alone', role({ rules: [] }, { annotations: { [autoupdate]: 'false' } }), undefined],
    [
      'an aggregation that nobody expects',
      role({ rules: expected['rules'] as JsonObject[], ...selecting('a') }),
      role({ rules: expected['rules'] as JsonObject[], aggregationRule: null }),
    ],
  ];
  for (const [name, existing, wanted] of rows)
    assert.deepEqual(reconciledBootstrap(existing, expected), wanted, name);
});

test('U4: an aggregated bootstrap role gets the selectors that it lacks, and no rules', () => {
  const expected = role({ rules: [rule('pods', 'get')], ...selecting('a', 'b') });
  assert.deepEqual(
    reconciledBootstrap(role({ rules: [], ...selecting('c', 'a') }), expected),
    role({ rules: [], ...selecting('c', 'a', 'b') }),
  );
  assert.deepEqual(
    reconciledBootstrap(role({ rules: [] }), expected),
    role({ rules: [], ...selecting('a', 'b') }),
  );
  assert.equal(reconciledBootstrap(role({ rules: [], ...selecting('b', 'a') }), expected), undefined);
});

test('U4: a changed bootstrap binding gets the subjects that it lacks; one to another role goes', () => {
  const expected = binding('r', [group('a'), group('b')]);
  assert.equal(reconciledBootstrap(binding('r', [group('b'), group('c'), group('a')]), expected), undefined);
  assert.deepEqual(
    reconciledBootstrap(binding('r', [group('b'), group('c')]), expected),
    binding('r', [group('b'), group('c'), group('a')]),
  );
  assert.equal(reconciledBootstrap(binding('other', [group('a'), group('b')]), expected), 'delete');
  const alone = binding('other', [], { annotations: { [autoupdate]: 'false' } });
  assert.equal(reconciledBootstrap(alone, expected), undefined);
});
