import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OverrideSpec } from '#api/policy/placement.ts';
import { cell } from '../algorithm/testing/cells.ts';
import { deployment } from '../testing/objects.ts';
import { applyOverrides, type OverrideSource, overrideChain } from './overrides.ts';

const resource = { group: 'apps', resource: 'deployments' };

test('what cannot be applied is told with the policy that asks for it', () => {
  const replacing = (path: string): OverrideSpec => ({
    overrideRules: [{ overriders: { plaintext: [{ path, operator: 'replace', value: 1 }] } }],
  });
  const sources: OverrideSource[] = [
    { name: 'own', namespace: 'default', spec: replacing('/spec/a/b') },
    { name: 'wide', namespace: undefined, spec: replacing('/spec/c/d') },
    { name: 'high', namespace: undefined, inheritedFrom: 1, spec: replacing('/spec/e/f') },
    { name: 'well', namespace: 'default', spec: replacing('/spec/replicas') },
  ];
  const object = deployment('web', 2);
  const chain = overrideChain(sources, {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment' },
    ...{ namespace: 'default', name: 'web', labels: undefined },
  });
  assert.deepEqual(applyOverrides(object, resource, cell('a'), chain), [
    'ClusterOverridePolicy wide: /spec/c/d: nothing is there',
    'OverridePolicy own: /spec/a/b: nothing is there',
    'ClusterOverridePolicy high above the project: /spec/e/f: nothing is there',
  ]);
});
