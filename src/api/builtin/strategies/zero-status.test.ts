import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { builtinDefinitions } from '../definitions.ts';

/** What a Kubernetes 1.36 server prints of a status that nobody has written yet; what Go prints as null is left out. */
const statuses: { readonly [kind: string]: JsonObject } = {
  Deployment: {},
  StatefulSet: { replicas: 0, availableReplicas: 0 },
  ReplicaSet: { replicas: 0 },
  DaemonSet: {
    currentNumberScheduled: 0,
    numberMisscheduled: 0,
    desiredNumberScheduled: 0,
    numberReady: 0,
  },
  Service: { loadBalancer: {} },
  Ingress: { loadBalancer: {} },
  HorizontalPodAutoscaler: { desiredReplicas: 0 },
  PodDisruptionBudget: { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
  Job: {},
  CronJob: {},
  ResourceClaim: {},
  VolumeAttachment: { attached: false },
  Pod: { phase: 'Pending', qosClass: 'BestEffort' },
  Namespace: { phase: 'Active' },
};

test('C11: a new object has the status that Go cannot leave out', () => {
  for (const [kind, status] of Object.entries(statuses)) {
    const { group, versions, strategy } = builtinDefinitions().find((one) => one.kind === kind)!;
    const version = versions[0]?.version ?? '';
    const object: KubeObject = {
      apiVersion: group === '' ? version : `${group}/${version}`,
      kind,
      metadata: { name: 'x', uid: 'u' },
      spec: { template: { spec: { containers: [] } }, containers: [] },
    };
    strategy.prepareForCreate?.(object);
    assert.deepEqual(object['status'], status, kind);
  }
  const without = builtinDefinitions().find(({ kind }) => kind === 'ConfigMap')!;
  const map: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' } };
  without.strategy.prepareForCreate?.(map);
  assert.equal('status' in map, false);
});

test('what has a status keeps it, and no two objects share one', () => {
  const { strategy } = builtinDefinitions().find(({ kind }) => kind === 'Service')!;
  const made = (status?: JsonObject): KubeObject => {
    const object: KubeObject = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'x' }, spec: {} };
    if (status !== undefined) object['status'] = status;
    strategy.prepareForCreate?.(object);
    return object;
  };
  assert.deepEqual(made({ conditions: [] })['status'], { conditions: [] });
  assert.notEqual(made()['status'], made()['status']);
});
