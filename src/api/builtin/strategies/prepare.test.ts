import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Strategy } from '#apimachinery/resource-definition.ts';
import { builtinDefinitions } from '../definitions.ts';
import { podQos } from './pod-qos.ts';

function strategyOf(group: string, resource: string): Strategy {
  return builtinDefinitions().find((one) => one.group === group && one.resource === resource)!.strategy;
}

function object(kind: string, fields: JsonObject): KubeObject {
  return {
    apiVersion: 'v1',
    kind,
    ...fields,
    metadata: { name: 'x', ...(fields['metadata'] as JsonObject) },
  };
}

test('a namespace begins with its finalizer and its phase; an update keeps the finalizers', () => {
  const { prepareForCreate, prepareForUpdate } = strategyOf('', 'namespaces');
  const created = object('Namespace', { spec: { finalizers: ['a.b/c'] } });
  prepareForCreate!(created);
  assert.deepEqual(created['spec'], { finalizers: ['a.b/c', 'kubernetes'] });
  assert.deepEqual(created['status'], { phase: 'Active' });
  const emptied = object('Namespace', { spec: {} });
  prepareForUpdate!(emptied, created, '');
  assert.deepEqual(emptied['spec'], created['spec']);
  const finalized = object('Namespace', { spec: { finalizers: [] }, status: { phase: 'X' } });
  prepareForUpdate!(finalized, created, 'finalize');
  assert.deepEqual(finalized['spec'], { finalizers: [] });
  assert.deepEqual(finalized['status'], { phase: 'Active' });
});

test('a pod begins pending with its class of service', () => {
  const { prepareForCreate } = strategyOf('', 'pods');
  const containers = [{ name: 'c', resources: { limits: { cpu: '1', memory: '1Gi' } } }];
  const pod = object('Pod', { spec: { containers, schedulingGates: [{ name: 'g' }] } });
  prepareForCreate!(pod);
  const status = pod['status'] as { phase: string; conditions: JsonObject[] };
  assert.equal(status.phase, 'Pending');
  assert.equal(status.conditions[0]!['reason'], 'SchedulingGated');
});

test('classes of service (core helper GetPodQOS)', () => {
  const rows: [JsonObject[], string][] = [
    [[{}], 'BestEffort'],
    [[{ requests: { cpu: '1' } }], 'Burstable'],
    [[{ requests: { cpu: '0' } }], 'BestEffort'],
    [[{ limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1', memory: '1Gi' } }], 'Guaranteed'],
    [[{ limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m', memory: '1Gi' } }], 'Burstable'],
    [[{ limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1000m', memory: '1Gi' } }, {}], 'Burstable'],
    [[{ limits: { cpu: '1' }, requests: { cpu: '1' } }], 'Burstable'],
  ];
  for (const [resources, expected] of rows) {
    const containers = resources.map((one, i) => ({ name: `c${i}`, resources: one }));
    assert.equal(podQos(object('Pod', { spec: { containers } })), expected, JSON.stringify(resources));
  }
});

test('a pod’s selectors take the values of its own labels (KEP-3243, KEP-3633)', () => {
  const { prepareForCreate } = strategyOf('', 'pods');
  const constraint = () => ({
    labelSelector: { matchLabels: { app: 'a' } },
    matchLabelKeys: ['rev', 'none'],
  });
  const pod = object('Pod', {
    metadata: { labels: { app: 'a', rev: '1' } },
    spec: { containers: [], topologySpreadConstraints: [constraint()] },
  });
  prepareForCreate!(pod);
  const [made] = (pod['spec'] as { topologySpreadConstraints: JsonObject[] }).topologySpreadConstraints;
  assert.deepEqual(made!['labelSelector'], {
    matchLabels: { app: 'a' },
    matchExpressions: [{ key: 'rev', operator: 'In', values: ['1'] }],
  });
});

test('a pod’s subresources change only what is theirs', () => {
  const { prepareForUpdate } = strategyOf('', 'pods');
  const old = object('Pod', {
    spec: { nodeName: 'n', containers: [{ name: 'c', image: 'i', resources: { limits: { cpu: '1' } } }] },
    status: { phase: 'Running' },
  });
  const resized = object('Pod', {
    spec: { nodeName: 'other', containers: [{ name: 'c', image: 'j', resources: { limits: { cpu: '2' } } }] },
  });
  prepareForUpdate!(resized, old, 'resize');
  assert.deepEqual(resized['spec'], {
    nodeName: 'n',
    containers: [{ name: 'c', image: 'i', resources: { limits: { cpu: '2' } } }],
  });
  const debugged = object('Pod', { spec: { containers: [], ephemeralContainers: [{ name: 'd' }] } });
  prepareForUpdate!(debugged, old, 'ephemeralcontainers');
  assert.deepEqual(debugged['spec'], {
    ...(old['spec'] as JsonObject),
    ephemeralContainers: [{ name: 'd' }],
  });
  assert.deepEqual(debugged['status'], { phase: 'Running' });
});

test('a Job selects its own pods, unless told how', () => {
  const { prepareForCreate, completeNew, renameNew } = strategyOf('batch', 'jobs');
  const job = object('Job', { metadata: { uid: 'u1' }, spec: { template: {} } });
  prepareForCreate!(job);
  const labels = {
    'job-name': 'x',
    'batch.kubernetes.io/job-name': 'x',
    'controller-uid': 'u1',
    'batch.kubernetes.io/controller-uid': 'u1',
  };
  assert.deepEqual(job['spec'], {
    template: { metadata: { labels } },
    selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': 'u1' } },
  });
  assert.equal(job.metadata.labels, undefined, 'before it is read back nobody sees those');
  job.metadata.name = 'y';
  renameNew!(job, 'x');
  completeNew!(job);
  const renamed = { ...labels, 'job-name': 'y', 'batch.kubernetes.io/job-name': 'y' };
  assert.deepEqual((job['spec'] as JsonObject)['template'], { metadata: { labels: renamed } });
  assert.deepEqual(job.metadata.labels, renamed);
  job.metadata.name = 'z';
  renameNew!(job, 'y');
  assert.equal(job.metadata.labels['job-name'], 'z');
  const manual = object('Job', { spec: { manualSelector: true, template: {} } });
  prepareForCreate!(manual);
  assert.deepEqual(manual['spec'], { manualSelector: true, template: {} });
});

test('a Service loses what its new type does not have, if the user left it as it was', () => {
  const { prepareForUpdate } = strategyOf('', 'services');
  const balanced = {
    type: 'LoadBalancer',
    externalTrafficPolicy: 'Cluster',
    allocateLoadBalancerNodePorts: true,
    loadBalancerClass: 'a.b/c',
  };
  const old = object('Service', {
    spec: balanced,
    status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } },
  });
  const service = object('Service', { spec: { ...balanced, type: 'ClusterIP' }, status: old['status']! });
  prepareForUpdate!(service, old, '');
  assert.deepEqual(service['spec'], { type: 'ClusterIP' });
  assert.deepEqual(service['status'], { loadBalancer: {} });
  const changed = object('Service', { spec: { ...balanced, type: 'ClusterIP', loadBalancerClass: 'd.e/f' } });
  prepareForUpdate!(changed, old, '');
  assert.deepEqual(changed['spec'], { type: 'ClusterIP', loadBalancerClass: 'd.e/f' });
});

test('a claim says its source twice (KEP-1495)', () => {
  const { prepareForCreate } = strategyOf('', 'persistentvolumeclaims');
  const snapshot = { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 's' };
  const claim = object('PersistentVolumeClaim', { spec: { dataSource: { ...snapshot } } });
  prepareForCreate!(claim);
  assert.deepEqual(claim['spec'], { dataSource: snapshot, dataSourceRef: snapshot });
  assert.deepEqual(claim['status'], { phase: 'Pending' });
  const other = object('PersistentVolumeClaim', {
    spec: { dataSource: { apiGroup: 'a', kind: 'B', name: 'c' } },
  });
  prepareForCreate!(other);
  assert.deepEqual(other['spec'], {});
});

test('who asks for a certificate is not the asker’s to say; approval and status keep to their parts', () => {
  const { prepareForCreate, prepareForUpdate } = strategyOf(
    'certificates.k8s.io',
    'certificatesigningrequests',
  );
  const kind = 'CertificateSigningRequest';
  const made = object(kind, { spec: { request: 'r', username: 'root', groups: ['g'], uid: 'u', extra: {} } });
  prepareForCreate!(made);
  assert.deepEqual(made['spec'], { request: 'r' });

  const approved = object(kind, {
    spec: { request: 'other' },
    status: { certificate: 'c', conditions: [{ type: 'Approved', status: 'True' }] },
  });
  prepareForUpdate!(approved, made, 'approval');
  assert.deepEqual(approved['spec'], { request: 'r' });
  const status = approved['status'] as { certificate?: string; conditions: JsonObject[] };
  assert.equal(status.certificate, undefined);
  assert.match(String(status.conditions[0]!['lastUpdateTime']), /^\d{4}-.*Z$/);

  const signed = object(kind, {
    spec: { request: 'r' },
    status: { certificate: 'c', conditions: [{ type: 'Approved', status: 'False' }] },
  });
  prepareForUpdate!(signed, approved, 'status');
  const after = signed['status'] as { certificate?: string; conditions: JsonObject[] };
  assert.equal(after.certificate, 'c');
  assert.deepEqual(after.conditions, status.conditions);

  const plain = object(kind, { spec: { request: 'other' }, status: {} });
  prepareForUpdate!(plain, approved, '');
  assert.deepEqual([plain['spec'], plain['status']], [approved['spec'], approved['status']]);
});

test('a DaemonSet’s annotation counts the changes of its template (daemonSetStrategy)', () => {
  const { prepareForCreate, prepareForUpdate } = strategyOf('apps', 'daemonsets');
  const key = 'deprecated.daemonset.template.generation';
  const set = (image: string, annotations: { [key: string]: string } = {}) =>
    object('DaemonSet', {
      metadata: { annotations },
      spec: { template: { spec: { containers: [{ name: 'c', image }] } } },
    });
  const made = set('a', { [key]: 'many' });
  prepareForCreate!(made);
  assert.equal(made.metadata.annotations?.[key], '1');
  const same = set('a', { [key]: '7' });
  prepareForUpdate!(same, made, '');
  assert.equal(same.metadata.annotations?.[key], '1', 'nobody else counts');
  const changed = set('b');
  prepareForUpdate!(changed, made, '');
  assert.equal(changed.metadata.annotations?.[key], '2');
});

test('a LimitRange without a name gets one (limitrangeStrategy)', () => {
  const { prepareForCreate } = strategyOf('', 'limitranges');
  const range: KubeObject = { apiVersion: 'v1', kind: 'LimitRange', metadata: {} };
  prepareForCreate!(range);
  assert.match(range.metadata.name ?? '', /^[0-9a-f]{8}-/);
});

test('what of a v1 autoscaler’s status is in annotations is not its writer’s (hpaStrategy)', () => {
  const { prepareForCreate, prepareForUpdate } = strategyOf('autoscaling', 'horizontalpodautoscalers');
  const conditions = 'autoscaling.alpha.kubernetes.io/conditions';
  const v1 = (annotations: { [key: string]: string }): KubeObject => ({
    apiVersion: 'autoscaling/v1',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'x', annotations },
  });
  const made = v1({ [conditions]: '[]', a: 'b' });
  prepareForCreate!(made);
  assert.deepEqual(made.metadata.annotations, { a: 'b' });
  const updated = v1({ c: 'd' });
  prepareForUpdate!(updated, v1({ [conditions]: '[1]' }), '');
  assert.deepEqual(updated.metadata.annotations, { c: 'd', [conditions]: '[1]' });
});

test('when a volume’s phase changed is its writer’s to say (persistentvolumeStatusStrategy)', () => {
  const { prepareForUpdate } = strategyOf('', 'persistentvolumes');
  const before = '2024-01-01T00:00:00Z';
  const old = object('PersistentVolume', { status: { phase: 'Pending', lastPhaseTransitionTime: before } });
  const after = (status: JsonObject) => {
    const updated = object('PersistentVolume', { status });
    prepareForUpdate!(updated, old, 'status');
    return (updated['status'] as JsonObject)['lastPhaseTransitionTime'];
  };
  assert.equal(after({ phase: 'Pending' }), before);
  const told = '2024-02-02T00:00:00Z';
  assert.equal(after({ phase: 'Bound', lastPhaseTransitionTime: told }), told);
  assert.equal(after({ phase: 'Pending', lastPhaseTransitionTime: told }), told);
  for (const status of [{ phase: 'Bound' }, { phase: 'Bound', lastPhaseTransitionTime: before }])
    assert.notEqual(after(status), before);
});
