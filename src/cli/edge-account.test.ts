import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rulesFor } from './edge-account.ts';

const kind = (group: string, resource: string, isSyncable = true) => ({
  group,
  version: 'v1',
  resource,
  kind: '',
  namespaced: true,
  hasStatus: false,
  isSyncable,
});
const kinds = [
  kind('', 'configmaps'),
  kind('', 'pods'),
  kind('', 'events'),
  kind('', 'nodes'),
  kind('discovery.k8s.io', 'endpointslices'),
  kind('apps', 'deployments'),
  kind('apps', 'deployments'),
  kind('authorization.k8s.io', 'selfsubjectaccessreviews', false),
  kind('rbac.authorization.k8s.io', 'clusterroles'),
  kind('acme.example', 'widgets'),
];

test('the role has the kinds that copies can be of, by name, and what reads discovery', () => {
  const rules = rulesFor(kinds, { apiGroups: [], allowPrivileged: false, watchNodes: false });
  assert.deepEqual(
    rules.map(({ apiGroups, resources }) => [apiGroups, resources]),
    [
      [[''], ['configmaps', 'pods']],
      [['apps'], ['deployments']],
      [['acme.example'], ['widgets']],
      [[''], ['events']],
      [['discovery.k8s.io'], ['endpointslices']],
      [['apiregistration.k8s.io'], ['apiservices']],
      [undefined, undefined],
    ],
  );
  for (const { verbs } of rules.slice(3, 5)) assert.deepEqual(verbs, ['get', 'list', 'watch']);
  assert.ok(!JSON.stringify(rules).includes('"*"'), 'nothing is granted wholesale');
  for (const { verbs } of rules.slice(0, -1)) assert.ok(!JSON.stringify(verbs).includes('escalate'));
});

test('groups of CRDs to come, and kinds that grant authority, only where asked for', () => {
  const rules = rulesFor(kinds, {
    apiGroups: ['acme.example'],
    allowPrivileged: true,
    watchNodes: true,
  });
  assert.deepEqual(rules.map(({ apiGroups, resources }) => [apiGroups, resources]).slice(2, 6), [
    [['rbac.authorization.k8s.io'], ['clusterroles']],
    [[''], ['events']],
    [['discovery.k8s.io'], ['endpointslices']],
    [['acme.example'], ['*']],
  ]);
  assert.deepEqual(rules[6]?.['verbs'], ['bind', 'escalate']);
  assert.deepEqual(rules[7], { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] });
});
