import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import { numberAt, textAt, valueAt } from '#api/builtin/read.ts';
import { variant } from '#api/builtin/testing/vectors.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { apiError, Harness } from './testing/harness.ts';

const base = '/api/v1/namespaces/default';
const template = (labels: JsonObject): JsonObject => ({
  metadata: { labels },
  spec: { containers: [{ name: 'c', image: 'i' }] },
});

test('the selector of a Scale is text, whatever form the kind has it in (C10)', async () => {
  await using harness = await Harness.open();
  const labels = { tier: 'web', app: 'shop' };
  await harness.post('/apis/apps/v1/namespaces/default/deployments', {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd' },
    spec: {
      replicas: 2,
      selector: {
        matchLabels: labels,
        matchExpressions: [{ key: 'env', operator: 'In', values: ['b', 'a'] }],
      },
      template: template({ ...labels, env: 'a' }),
    },
  });
  const deployment = await harness.get('/apis/apps/v1/namespaces/default/deployments/d/scale');
  assert.equal(textAt(deployment.body, 'status', 'selector'), 'app=shop,env in (a,b),tier=web');
  // A plain map: a label may be called like a field of LabelSelector.
  const odd = { app: 'shop', matchLabels: 'x' };
  await harness.post(`${base}/replicationcontrollers`, {
    apiVersion: 'v1',
    kind: 'ReplicationController',
    metadata: { name: 'rc' },
    spec: { replicas: 3, selector: odd, template: template(odd) },
  });
  const controller = await harness.get(`${base}/replicationcontrollers/rc/scale`);
  assert.equal(textAt(controller.body, 'status', 'selector'), 'app=shop,matchLabels=x');
  assert.equal(numberAt(controller.body, 'spec', 'replicas'), 3);
});

test('a node keeps the status it is registered with, others lose it (C7)', async () => {
  await using harness = await Harness.open();
  const node = await harness.post('/api/v1/nodes', {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n' },
    status: { capacity: { cpu: '4' } },
  });
  assert.equal(valueAt(node.object, 'status', 'capacity', 'cpu'), '4');
  const { object } = await harness.post(`${base}/services`, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 's' },
    spec: { ports: [{ port: 80 }] },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
  });
  assert.equal(valueAt(object, 'status', 'loadBalancer', 'ingress'), undefined);
});

test('POST to bindings gives the named pod to a node (C10)', async () => {
  await using harness = await Harness.open();
  await harness.post(`${base}/pods`, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: template({})['spec'] as JsonObject,
  });
  const binding = (name: string) => ({
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name },
    target: { kind: 'Node', name: 'n' },
  });
  const answer = await harness.post(`${base}/bindings`, binding('p'));
  assert.equal(answer.code, 201);
  const { object } = await harness.get(`${base}/pods/p`);
  assert.equal(textAt(object, 'spec', 'nodeName'), 'n');
  await assert.rejects(harness.post(`${base}/bindings`, binding('p')), apiError('Conflict'));
  await assert.rejects(harness.post(`${base}/bindings`, binding('gone')), apiError('NotFound'));
  await assert.rejects(harness.post(`${base}/bindings`, binding('')), apiError('BadRequest'));
});

test('each error stands once, and as often as Kubernetes finds it (E1)', async () => {
  await using harness = await Harness.open();
  const causesOf = async (url: string, body: JsonObject): Promise<string[]> => {
    try {
      await harness.post(url, body);
    } catch (error) {
      if (!isApiError(error)) throw error;
      return (error.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
    }
    return [];
  };
  const roles = '/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles';
  const role = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'a/b' },
    rules: [],
  };
  assert.deepEqual(await causesOf(roles, role), [
    'metadata.name: Invalid value: "a/b": may not contain \'/\'',
  ]);
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 's' },
    spec: { type: 'Odd', ports: [{ port: 80 }] },
  };
  const odd = await causesOf(`${base}/services`, service);
  assert.equal(odd.filter((one) => one.startsWith('spec.type')).length, 1, odd.join('\n'));
});

test('nulls in lists are zero values, as Go decodes them (C11)', async () => {
  await using harness = await Harness.open();
  const role = await harness.post('/apis/rbac.authorization.k8s.io/v1/clusterroles', {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'r' },
    rules: [{ apiGroups: [null], resources: ['pods'], verbs: ['get'] }],
  });
  assert.deepEqual(valueAt(role.object, 'rules'), [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }]);
  // A time that was never set is left out of a map too.
  const budget = {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'b' },
    spec: { minAvailable: 1, selector: { matchLabels: { a: 'b' } } },
    status: { disruptedPods: { a: null } },
  };
  const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
  await harness.post(budgets, budget);
  const { object } = await harness.patch(`${budgets}/b/status`, 'merge', { status: { disruptedPods: {} } });
  const { status: _, ...rest } = object;
  const set = await harness.put(`${budgets}/b/status`, { ...rest, status: budget.status } as never);
  assert.equal(valueAt(set.object, 'status', 'disruptedPods', 'a'), undefined);
  const finalizers = [null] as unknown as string[];
  await assert.rejects(
    harness.post(`${base}/configmaps`, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'm', finalizers },
    }),
    apiError('Invalid', /metadata\.finalizers: Invalid value: "": name part must be non-empty/),
  );
});

test('what no revision is may stand in a new object, and generations of kinds that do not count (C1, C6)', async () => {
  await using harness = await Harness.open();
  const map = (name: string, metadata: JsonObject) =>
    harness.post(`${base}/configmaps`, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, ...metadata },
    });
  const { object } = await map('a', { resourceVersion: 'x', generation: 7 });
  assert.equal(object.metadata.generation, 7);
  await assert.rejects(map('b', { resourceVersion: '7' }), apiError('InternalError'));
  await assert.rejects(
    map('b', { generation: -1 }),
    apiError('Invalid', /must be greater than or equal to 0/),
  );
});

test('kinds with a status whose changes nobody counts (C6)', async () => {
  await using harness = await Harness.open();
  const others: { readonly [kind: string]: JsonObject } = {
    APIService: {
      ...{ apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService', metadata: { name: 'v1.a.example' } },
      spec: { group: 'a.example', version: 'v1', groupPriorityMinimum: 1, versionPriority: 1 },
    },
    ResourceClaim: {
      apiVersion: 'resource.k8s.io/v1',
      kind: 'ResourceClaim',
      metadata: { name: 'x' },
      spec: {},
    },
  };
  const kinds = [
    ...Object.keys(others),
    'CertificateSigningRequest',
    'Namespace',
    'Node',
    'PersistentVolume',
    'PersistentVolumeClaim',
    'ResourceQuota',
    'Service',
    'ServiceCIDR',
    'VolumeAttachment',
  ];
  for (const kind of kinds) {
    const object = (others[kind] ?? variant(kind, {})) as unknown as KubeObject;
    const { group, version } = parseApiVersion(object.apiVersion)!;
    const definition = builtinDefinitions().find((one) => one.group === group && one.kind === kind)!;
    const base = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
    const collection = `${base}${definition.namespaced ? '/namespaces/default' : ''}/${definition.resource}`;
    const made = await harness.post(collection, object as never);
    assert.equal(made.code, 201, kind);
    const changed = await harness.patch(`${collection}/${made.object.metadata.name}`, 'merge', {
      metadata: { labels: { a: 'b' } },
    });
    assert.deepEqual(changed.object.metadata.labels?.['a'], 'b', kind);
    for (const one of [made, changed]) assert.equal(one.object.metadata.generation, undefined, kind);
  }
});

test('a status writer takes away neither a Job’s labels nor a DaemonSet’s count; kubelet configs are gone (C7)', async () => {
  await using harness = await Harness.open();
  const put = async (path: string, object: JsonObject) => {
    const { metadata } = await harness.post(path, object as never).then((made) => made.object);
    const bare = { ...object, metadata: { name: metadata.name }, status: {} };
    return harness.put(`${path}/${metadata.name}/status`, bare as never);
  };
  const job = await put('/apis/batch/v1/namespaces/default/jobs', {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'j' },
    spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } } },
  });
  assert.equal(job.object.metadata.labels?.['job-name'], 'j');
  const set = await put('/apis/apps/v1/namespaces/default/daemonsets', {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'd' },
    spec: { selector: { matchLabels: { a: 'b' } }, template: template({ a: 'b' }) },
  });
  assert.equal(set.object.metadata.annotations?.['deprecated.daemonset.template.generation'], '1');
  const node = await harness.post('/api/v1/nodes', {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n' },
    status: { config: { error: 'x' } },
  });
  assert.equal(valueAt(node.object, 'status', 'config'), undefined);
});

test('conditions of flow control have types, each once; a Scale’s unknown fields are told (C9)', async () => {
  await using harness = await Harness.open();
  const schemas = '/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas';
  await harness.post(schemas, {
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    kind: 'FlowSchema',
    metadata: { name: 's' },
    spec: { priorityLevelConfiguration: { name: 'global-default' } },
  });
  await assert.rejects(
    harness.patch(`${schemas}/s/status`, 'merge', { status: { conditions: [{}, {}] } }),
    apiError(
      'Invalid',
      /conditions\[0\]\.type: Required value, status\.conditions\[1\]\.type: Duplicate value/,
    ),
  );
  const deployments = '/apis/apps/v1/namespaces/default/deployments';
  await harness.post(deployments, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd' },
    spec: { selector: { matchLabels: { a: 'b' } }, template: template({ a: 'b' }) },
  });
  const odd = { spec: { replicas: 2, size: 1 } };
  await assert.rejects(
    harness.patch(`${deployments}/d/scale?fieldValidation=Strict`, 'merge', odd),
    (error) => isApiError(error) && /unknown field "spec\.size"/.test(error.message),
  );
});

test('options are told in Kubernetes’ order; an empty policy is none (C8, X2)', async () => {
  await using harness = await Harness.open();
  const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' } };
  await harness.post(`${base}/configmaps`, map);
  await assert.rejects(
    harness.patch(`${base}/configmaps/m?dryRun=None&force=false`, 'merge', {}),
    apiError('Invalid', /force: Forbidden: .*, dryRun: Unsupported value/),
  );
  await assert.rejects(
    harness.delete(`${base}/configmaps/m?propagationPolicy=`),
    apiError('Invalid', /propagationPolicy: Unsupported value: ""/),
  );
});

test('what single changed fields found: managers forgotten, dry runs in other versions, pods that go at once (P4, C8, X3)', async () => {
  await using harness = await Harness.open();
  const map: JsonObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' }, data: { a: '1' } };
  const made = await harness.post(`${base}/configmaps`, map);
  assert.ok(Array.isArray(valueAt(made.body, 'metadata', 'managedFields')));
  const forgotten = await harness.put(`${base}/configmaps/m`, {
    ...map,
    metadata: { name: 'm', managedFields: [] },
  });
  assert.equal(valueAt(forgotten.body, 'metadata', 'managedFields'), undefined);

  const scalers = '/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers';
  const scaler: JsonObject = {
    apiVersion: 'autoscaling/v1',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'h' },
    spec: { maxReplicas: 2, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' } },
  };
  await harness.post(scalers, scaler);
  const tried = await harness.put(`${scalers}/h/status?dryRun=All`, {
    ...scaler,
    status: { currentReplicas: 1, desiredReplicas: 1, currentCPUUtilizationPercentage: 7 },
  });
  assert.match(
    textAt(tried.body, 'metadata', 'annotations', 'autoscaling.alpha.kubernetes.io/current-metrics'),
    /"currentAverageUtilization":7/,
  );

  await harness.post(`${base}/pods`, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  });
  const gone = await harness.delete(`${base}/pods/p`);
  assert.equal(numberAt(gone.body, 'metadata', 'generation'), 2);
  assert.equal(numberAt(gone.body, 'metadata', 'deletionGracePeriodSeconds'), 0);
});

// Source: rest.BeforeCreate, the strategy of whose PodDisruptionBudget does not look at metadata.
test('metadata of a new PodDisruptionBudget are told of where nothing else is wrong with it', async () => {
  await using harness = await Harness.open();
  const path = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
  const create = (operator: string) => {
    const selector = { matchExpressions: [{ key: 'a', operator }] };
    const budget = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: {}, spec: { selector } };
    return harness.post(path, budget);
  };
  await assert.rejects(create('Exists'), apiError('Invalid', /is invalid: metadata\.name: Required/));
  await assert.rejects(create('Nonsense'), apiError('Invalid', /is invalid: spec\.selector\./));
});
