import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#apimachinery/object.ts';
import { stripServerFields } from './strip.ts';

test('a pod’s node and what its class was resolved to stay behind; the class itself travels', () => {
  const pod: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'n', uid: 'u', resourceVersion: '7' },
    spec: {
      nodeName: 'n1',
      priority: 1_000,
      preemptionPolicy: 'Never',
      priorityClassName: 'gold',
      containers: [{ name: 'c', image: 'i' }],
    },
    status: { phase: 'Running' },
  };
  stripServerFields(pod, { podSecurityLabels: false });
  assert.deepEqual(pod['spec'], { priorityClassName: 'gold', containers: [{ name: 'c', image: 'i' }] });
  assert.deepEqual(
    [pod['status'], pod.metadata.uid, pod.metadata.resourceVersion],
    [undefined, undefined, undefined],
  );
});

test('the rules of a ClusterRole that takes others in are the edge’s to fill', () => {
  const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] };
  const role: KubeObject = {
    ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'r' } },
    ...{ aggregationRule, rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }] },
  };
  const plain: KubeObject = { ...role, aggregationRule: null };
  for (const one of [role, plain]) stripServerFields(one, { podSecurityLabels: false });
  assert.deepEqual([role['rules'], role['aggregationRule']], [undefined, aggregationRule]);
  assert.notEqual(plain['rules'], undefined);
});
