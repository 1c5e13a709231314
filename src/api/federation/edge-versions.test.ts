import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { edgeVersionOf, edgeVersionsOf } from './edge-versions.ts';

const stored = (apiVersion: string, kind: string, spec: JsonObject): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name: 'x' },
  spec,
});

function written(version: string, resource: string, object: KubeObject): KubeObject {
  const [group = ''] = object.apiVersion.split('/');
  const converted = edgeVersionOf(group, version, resource)?.toEdge(object);
  assert.ok(converted, `${resource} is written in ${version}`);
  assert.equal(converted.apiVersion, `${group}/${version}`);
  return converted;
}

test('a version of the same form changes its name alone, and what was given is not written to', () => {
  const cronJob = stored('batch/v1', 'CronJob', { schedule: '* * * * *' });
  const before = structuredClone(cronJob);
  assert.deepEqual(written('v1beta1', 'cronjobs', cronJob), { ...cronJob, apiVersion: 'batch/v1beta1' });
  assert.deepEqual(cronJob, before);
  const hpa = stored('autoscaling/v2', 'HorizontalPodAutoscaler', { maxReplicas: 3, metrics: [] });
  assert.deepEqual(written('v2beta2', 'horizontalpodautoscalers', hpa)['spec'], hpa['spec']);
  assert.deepEqual(
    edgeVersionsOf('autoscaling', 'horizontalpodautoscalers').map(({ version }) => version),
    ['v2beta2', 'v1'],
    'the one that holds all comes first',
  );
  assert.deepEqual(edgeVersionsOf('example.com', 'gizmos'), []);
});

test('Ingress: networking.k8s.io/v1beta1 names services and the default backend otherwise', () => {
  const named = (port: JsonObject) => ({ backend: { service: { name: 'web', port } }, path: '/' });
  const resource = { apiGroup: 'example.com', kind: 'Bucket', name: 'static' };
  const ingress = stored('networking.k8s.io/v1', 'Ingress', {
    ingressClassName: 'nginx',
    defaultBackend: { service: { name: 'rest', port: { number: 8080 } } },
    rules: [
      { host: 'a', http: { paths: [{ ...named({ number: 80 }), pathType: 'Prefix' }] } },
      { host: 'b', http: { paths: [named({ name: 'http' }), { path: '/s', backend: { resource } }] } },
      { host: 'c' },
    ],
  });
  assert.deepEqual(written('v1beta1', 'ingresses', ingress)['spec'], {
    ingressClassName: 'nginx',
    backend: { serviceName: 'rest', servicePort: 8080 },
    rules: [
      {
        host: 'a',
        http: {
          paths: [{ path: '/', pathType: 'Prefix', backend: { serviceName: 'web', servicePort: 80 } }],
        },
      },
      {
        host: 'b',
        http: {
          paths: [
            { path: '/', backend: { serviceName: 'web', servicePort: 'http' } },
            { path: '/s', backend: { resource } },
          ],
        },
      },
      { host: 'c' },
    ],
  });
});

test('PodDisruptionBudget: what selects all selects all in policy/v1beta1 too, where an empty selector selects nothing', () => {
  const selectorOf = (selector: JsonObject | undefined) =>
    written(
      'v1beta1',
      'poddisruptionbudgets',
      stored('policy/v1', 'PodDisruptionBudget', selector === undefined ? {} : { selector }),
    )['spec'];
  const all = {
    selector: {
      matchExpressions: [
        { key: 'pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match', operator: 'DoesNotExist' },
      ],
    },
  };
  assert.deepEqual(selectorOf({}), all);
  assert.deepEqual(selectorOf({ matchLabels: {}, matchExpressions: [] }), all);
  assert.deepEqual(selectorOf({ matchLabels: { a: 'b' } }), { selector: { matchLabels: { a: 'b' } } });
  assert.deepEqual(selectorOf(undefined), {}, 'which selects nothing in both');
});

test('PriorityLevelConfiguration: shares by their former name; none are told apart from none given', () => {
  const level = (shares: number) =>
    stored('flowcontrol.apiserver.k8s.io/v1', 'PriorityLevelConfiguration', {
      type: 'Limited',
      limited: { nominalConcurrencyShares: shares, limitResponse: { type: 'Reject' } },
    });
  for (const version of ['v1beta1', 'v1beta2']) {
    assert.deepEqual(written(version, 'prioritylevelconfigurations', level(5))['spec'], {
      type: 'Limited',
      limited: { assuredConcurrencyShares: 5, limitResponse: { type: 'Reject' } },
    });
  }
  const annotationsOf = (shares: number) =>
    written('v1beta3', 'prioritylevelconfigurations', level(shares)).metadata.annotations;
  assert.equal(annotationsOf(5), undefined);
  assert.deepEqual(annotationsOf(0), {
    'flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares': '',
  });
});

test('a status is read in the form of the stored version', () => {
  const hpa = edgeVersionOf('autoscaling', 'v1', 'horizontalpodautoscalers');
  const conditions = [{ type: 'ScalingActive', status: 'True' }];
  const status = hpa?.statusOf({
    apiVersion: 'autoscaling/v1',
    kind: 'HorizontalPodAutoscaler',
    metadata: {
      name: 'x',
      annotations: { 'autoscaling.alpha.kubernetes.io/conditions': JSON.stringify(conditions) },
    },
    spec: { maxReplicas: 3 },
    status: { desiredReplicas: 2, currentReplicas: 1 },
  });
  assert.deepEqual(status, { desiredReplicas: 2, currentReplicas: 1, conditions });
  const ingress = edgeVersionOf('networking.k8s.io', 'v1beta1', 'ingresses');
  const loadBalancer = { ingress: [{ ip: '10.0.0.1' }] };
  assert.deepEqual(
    ingress?.statusOf({
      apiVersion: 'networking.k8s.io/v1beta1',
      kind: 'Ingress',
      metadata: {},
      status: { loadBalancer },
    }),
    { loadBalancer },
  );
});
