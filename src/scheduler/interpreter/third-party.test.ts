import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { dependenciesOf } from '../dependencies/dependency-table.ts';
import { aggregateStatus } from '../gather/aggregate.ts';
import { healthOf } from '../gather/health.ts';
import { replicasOf, requestOf } from '../projection/replicas.ts';

const copy = (status: JsonObject, replicas?: number) => ({
  applied: true,
  observed: true,
  hasStatus: true,
  replicas,
  spec: {},
  status,
});
const health: [string, JsonObject, number | undefined, string][] = [
  ['rollouts.argoproj.io', { phase: 'Healthy' }, 3, 'Healthy'],
  ['rollouts.argoproj.io', { phase: 'Degraded' }, 3, 'Unhealthy'],
  ['rollouts.argoproj.io', { updatedReplicas: 3, availableReplicas: 2 }, 3, 'Unhealthy'],
  ['clonesets.apps.kruise.io', { updatedReplicas: 3, availableReplicas: 3 }, 3, 'Healthy'],
  ['statefulsets.apps.kruise.io', { updatedReplicas: 2, readyReplicas: 3 }, 3, 'Unhealthy'],
  [
    'daemonsets.apps.kruise.io',
    { desiredNumberScheduled: 2, updatedNumberScheduled: 2 },
    undefined,
    'Unhealthy',
  ],
  ['flinkdeployments.flink.apache.org', { jobStatus: { state: 'RUNNING' } }, undefined, 'Healthy'],
  ['flinkdeployments.flink.apache.org', { jobStatus: { state: 'FAILED' } }, undefined, 'Unhealthy'],
  ['flinkdeployments.flink.apache.org', { jobStatus: { state: 'CREATED' } }, undefined, 'Unknown'],
  [
    'helmreleases.helm.toolkit.fluxcd.io',
    { conditions: [{ type: 'Ready', status: 'False' }] },
    undefined,
    'Unhealthy',
  ],
  ['certificates.cert-manager.io', { conditions: [{ type: 'Ready', status: 'True' }] }, undefined, 'Healthy'],
  ['pytorchjobs.kubeflow.org', { conditions: [{ type: 'Failed', status: 'True' }] }, undefined, 'Unhealthy'],
  ['jobs.batch.volcano.sh', { state: { phase: 'Running' } }, undefined, 'Healthy'],
];
for (const [resource, status, replicas, expected] of health) {
  test(`health of ${resource} ${JSON.stringify(status)} is ${expected}`, () => {
    assert.equal(healthOf(resource, copy(status, replicas)), expected);
  });
}

test('what custom workloads ask for, need and report', () => {
  const object = {
    apiVersion: 'apps.kruise.io/v1alpha1',
    kind: 'CloneSet',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas: 4,
      template: {
        spec: {
          containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '250m' } } }],
          volumes: [{ name: 'v', configMap: { name: 'config' } }],
        },
      },
    },
  };
  const kind = { group: 'apps.kruise.io', resource: 'clonesets', scalable: false };
  assert.equal(replicasOf(object, kind), 4);
  assert.deepEqual(requestOf(object, kind), [['cpu', 0.25]]);
  assert.deepEqual(dependenciesOf(kind.group, kind.resource, object), [
    { resource: 'configmaps', name: 'config' },
  ]);
  const statuses = [
    { cell: 'a', status: { replicas: 3, readyReplicas: 2, updateRevision: 'x' } },
    { cell: 'b', status: { replicas: 1, readyReplicas: 1, updateRevision: 'x' } },
  ];
  assert.deepEqual(aggregateStatus('clonesets.apps.kruise.io', statuses, '2026-01-01T00:00:00Z'), {
    replicas: 4,
    readyReplicas: 3,
    updateRevision: 'x',
  });
});

test('a source needs its Secret, an application its service account', () => {
  const source = {
    apiVersion: 'source.toolkit.fluxcd.io/v1',
    kind: 'GitRepository',
    metadata: { name: 'app', namespace: 'default' },
    spec: { secretRef: { name: 'key' } },
  };
  assert.deepEqual(dependenciesOf('source.toolkit.fluxcd.io', 'gitrepositories', source), [
    { resource: 'secrets', name: 'key' },
  ]);
  const flink = {
    apiVersion: 'flink.apache.org/v1beta1',
    kind: 'FlinkDeployment',
    metadata: { name: 'app', namespace: 'default' },
    spec: { serviceAccount: 'flink', podTemplate: { spec: { volumes: [{ secret: { secretName: 's' } }] } } },
  };
  assert.deepEqual(
    dependenciesOf('flink.apache.org', 'flinkdeployments', flink).map(({ name }) => name),
    ['s', 'flink'],
  );
});
