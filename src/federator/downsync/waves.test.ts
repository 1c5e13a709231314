import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wavePriority } from './waves.ts';

const order = [
  { group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' },
  { group: '', resource: 'namespaces' },
  { group: '', resource: 'secrets' },
  { group: '', resource: 'services' },
  { group: 'apps', resource: 'deployments' },
  { group: 'example.com', resource: 'deployments' },
];

// docs/federation-contract.md: FD1, FD5
test('what others refer to comes first and goes last, and all of it after what somebody changes just now', () => {
  const coming = order.map((place) => wavePriority(place, false));
  assert.deepEqual(coming, [-1, -2, -3, -4, -5, -6]);
  assert.deepEqual(
    order.map((place) => wavePriority(place, true)),
    [...coming].reverse(),
  );
});
