import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareKubeVersions } from './kube-version.ts';

// Source: the example of kubernetes.io, "Versions in CustomResourceDefinitions".
test('versions are ordered by preference', () => {
  const ordered = [
    'v10',
    'v2',
    'v1',
    'v11beta2',
    'v10beta3',
    'v3beta1',
    'v12alpha1',
    'v11alpha2',
    'foo1',
    'foo10',
  ];
  assert.deepEqual([...ordered].reverse().sort(compareKubeVersions), ordered);
});
