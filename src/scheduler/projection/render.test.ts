import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyAnnotations, copyLabels, edgeFinalizer } from '#api/federation/copy-contract.ts';
import type { Overriders } from '#api/policy/placement.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { configMap, deployment } from '../testing/objects.ts';
import { readPointer } from './json-pointer.ts';
import { overridesOfRules } from './overrides.ts';
import { type Rendering, renderNamespace } from './render.ts';
import {
  affinityAt,
  gateway,
  mapper,
  ns,
  object,
  projectLabels,
  rbac,
  render,
  rendered,
  term,
  view,
} from './testing/render.ts';

test('what the server owns is stripped, what a person wrote is kept', () => {
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'a',
      namespace: 'web',
      uid: 'u1',
      resourceVersion: '5',
      generation: 2,
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { app: 'a', 'federation.cellplane.io/origin-cluster': 'forged' },
      annotations: {
        note: 'n',
        'kcp.io/cluster': 'project1',
        'kubectl.kubernetes.io/last-applied-configuration': '{}',
        'federation.cellplane.io/content-hash': 'forged',
      },
      ownerReferences: [{ apiVersion: 'v1', kind: 'X', name: 'x', uid: 'u' }],
      finalizers: ['example.com/mine'],
      managedFields: [{ manager: 'm' }],
    },
    data: { x: '1' },
  };
  const copy = rendered(object, { resource: 'configmaps' });
  assert.deepEqual(copy['data'], { x: '1' });
  assert.deepEqual(copy.metadata.labels, { app: 'a', ...projectLabels });
  const { [copyAnnotations.contentHash]: hash, ...annotations } = copy.metadata.annotations ?? {};
  assert.match(hash ?? '', /^[a-z2-7]{32}$/);
  assert.deepEqual(annotations, {
    note: 'n',
    [copyAnnotations.originPath]: 'root:shop',
    [copyAnnotations.originGroup]: '',
    [copyAnnotations.originResource]: 'configmaps',
    [copyAnnotations.originNamespace]: 'web',
    [copyAnnotations.originName]: 'a',
    [copyAnnotations.originUid]: 'u1',
    [copyAnnotations.mappingVersion]: '1',
  });
  assert.deepEqual(Object.keys(copy.metadata).sort(), [
    'annotations',
    'finalizers',
    'labels',
    'name',
    'namespace',
  ]);
  assert.deepEqual(copy.metadata.finalizers, [edgeFinalizer]);
  assert.equal(copy.metadata.namespace, ns('web'));
});

test('the hash is of the content: equal for equal, another for another', () => {
  const make = (data: JsonObject, order: 'ab' | 'ba'): KubeObject => {
    const metadata = { name: 'a', namespace: 'n' };
    return order === 'ab'
      ? { apiVersion: 'v1', kind: 'ConfigMap', metadata, data }
      : { data, metadata, kind: 'ConfigMap', apiVersion: 'v1' };
  };
  const hash = (object: KubeObject): string | undefined =>
    render(object, { resource: 'configmaps' }).copies[0]?.contentHash;
  assert.equal(hash(make({ a: '1', b: '2' }, 'ab')), hash(make({ b: '2', a: '1' }, 'ba')));
  assert.notEqual(hash(make({ a: '1' }, 'ab')), hash(make({ a: '2' }, 'ab')));
});

test('policy options become annotations', () => {
  const object: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'n' } };
  const copy = rendered(object, {
    resource: 'configmaps',
    contract: { conflictResolution: 'Overwrite', orphan: true, retained: ['/data/a'] },
  });
  assert.equal(copy.metadata.annotations?.[copyAnnotations.retainedFields], '["/data/a"]');
  assert.equal(copy.metadata.annotations?.[copyAnnotations.conflictResolution], 'Overwrite');
  assert.equal(copy.metadata.annotations?.[copyAnnotations.deletionPolicy], 'Orphan');
});

test('ports that a person asked for stay', () => {
  const service = object('v1', 'Service', {
    spec: { ports: [{ port: 80, protocol: 'TCP', nodePort: 30001 }] },
  }) as KubeObject;
  service.metadata.managedFields = [
    {
      manager: 'm',
      operation: 'Update',
      fieldsV1: { 'f:spec': { 'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { 'f:nodePort': {} } } } },
    },
  ];
  assert.equal(readPointer(rendered(service, { resource: 'services' }), '/spec/ports/0/nodePort'), 30001);
});

test('a roleRef must name the project’s ClusterRole or one on the cell’s list', () => {
  const binding = object(rbac, 'RoleBinding', {
    roleRef: { kind: 'ClusterRole', name: 'admin' },
    subjects: [],
  }) as KubeObject;
  assert.match(render(binding, { resource: 'rolebindings' }).refused ?? '', /"admin" is neither/);
  const listed = render(binding, {
    resource: 'rolebindings',
    view: view({ allowsClusterRole: (name) => name === 'admin' }),
  });
  assert.equal(readPointer(listed.copies[0]?.object as JsonObject, '/roleRef/name'), 'admin');
  const everyone = object(rbac, 'RoleBinding', {
    roleRef: { kind: 'Role', name: 'r' },
    subjects: [{ kind: 'Group', name: 'system:serviceaccounts' }],
  });
  assert.match(
    render(everyone as KubeObject, { resource: 'rolebindings' }).refused ?? '',
    /beyond the project/,
  );
});

test('a ClusterRole adds nothing to the edge’s own roles', () => {
  const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] };
  const role = object(rbac, 'ClusterRole', { aggregationRule }, null) as KubeObject;
  role.metadata.labels = { 'rbac.authorization.k8s.io/aggregate-to-admin': 'true', mine: 'yes' };
  const copy = rendered(role, { resource: 'clusterroles' });
  assert.deepEqual(copy.metadata.labels, { mine: 'yes', ...projectLabels });
  assert.deepEqual(readPointer(copy, '/aggregationRule/clusterRoleSelectors/0/matchLabels'), {
    a: 'b',
    ...projectLabels,
  });
  assert.equal(copy.metadata.name, mapper.clusterScoped('rbac.authorization.k8s.io', 'clusterroles', 'x'));
});

test('a custom resource tells fields named namespace that nothing maps', () => {
  const widget = object('example.com/v1', 'Widget', {
    spec: { a: [{ namespace: 'x' }], b: { namespace: '' } },
  }) as KubeObject;
  assert.deepEqual(render(widget, { resource: 'widgets', custom: true }).unmapped, ['spec.a[0].namespace']);
  // As Velero's Backup and Flux' HelmRelease name them.
  const spec = {
    includedNamespaces: ['default'],
    excludedNamespaces: ['*'],
    to: { targetNamespace: 'shop' },
  };
  const backup = { ...widget, spec };
  assert.deepEqual(render(backup, { resource: 'widgets', custom: true }).unmapped, [
    'spec.includedNamespaces',
    'spec.to.targetNamespace',
  ]);
  const route = object(gateway, 'HTTPRoute', { spec: { parentRefs: [{ namespace: 'x' }] } }) as KubeObject;
  assert.deepEqual(render(route, { resource: 'httproutes', custom: true }).unmapped, []);
});

test('replicas: a cell’s share, and a Job’s completions in proportion', () => {
  const targets = [
    { name: 'ams', replicas: 1 },
    { name: 'fra', replicas: 3 },
  ];
  const web = rendered(deployment('web', 4), { resource: 'deployments', targets, divided: true });
  assert.equal(readPointer(web, '/spec/replicas'), 3);
  const job = object('batch/v1', 'Job', {
    spec: { parallelism: 4, completions: 8, template: { spec: {} } },
  }) as KubeObject;
  const copy = rendered(job, { resource: 'jobs', targets, divided: true });
  assert.equal(readPointer(copy, '/spec/parallelism'), 3);
  assert.equal(readPointer(copy, '/spec/completions'), 6);
});

const overridden = (overriders: Overriders, base = deployment('web', 1)): Rendering =>
  render(base, {
    resource: 'deployments',
    overrides: overridesOfRules([{ overriders }]),
  });

test('overrides apply in their order, and cannot take a copy’s identity', () => {
  const { copies, overrideErrors } = overridden({
    imageOverrider: [
      { component: 'Registry', operator: 'replace', value: 'eu.example.com' },
      { component: 'Tag', operator: 'replace', value: '2' },
    ],
    commandOverrider: [{ containerName: 'main', operator: 'add', value: ['run'] }],
    argsOverrider: [{ containerName: 'main', operator: 'add', value: ['--a', '--b'] }],
    labelsOverrider: [
      { operator: 'add', value: { tier: 'edge', [copyLabels.originCluster]: 'forged' } },
      { operator: 'replace', value: { app: 'other', none: 'x' } },
    ],
    annotationsOverrider: [{ operator: 'add', value: { note: 'n' } }],
    plaintext: [
      { path: '/spec/minReadySeconds', operator: 'add', value: 5 },
      { path: '/metadata/namespace', operator: 'replace', value: 'kube-system' },
      { path: '/spec/nothing/here', operator: 'replace', value: 1 },
    ],
  });
  const copy = copies[0]?.object as KubeObject;
  const main = readPointer(copy, '/spec/template/spec/containers/0') as JsonObject;
  assert.deepEqual(main, {
    name: 'main',
    image: 'eu.example.com/app:2',
    command: ['run'],
    args: ['--a', '--b'],
  });
  assert.deepEqual(copy.metadata.labels, { app: 'other', tier: 'edge', ...projectLabels });
  assert.equal(copy.metadata.annotations?.['note'], 'n');
  assert.equal(readPointer(copy, '/spec/minReadySeconds'), 5);
  assert.equal(copy.metadata.namespace, ns('default'));
  assert.deepEqual(overrideErrors, ['/spec/nothing/here: nothing is there']);
});

test('what an override writes is mapped like anything else', () => {
  const affinity = term({ namespaces: ['kube-system'], namespaceSelector: {} })['affinity'];
  const { copies } = overridden({
    plaintext: [{ path: '/spec/template/spec/affinity', operator: 'add', value: affinity as JsonObject }],
  });
  assert.deepEqual(readPointer(copies[0]?.object as JsonObject, affinityAt), {
    namespaces: [ns('kube-system')],
    namespaceSelector: { matchLabels: projectLabels },
  });
});

test('a mapped namespace carries the project’s labels, pod security only where allowed', () => {
  const source = object('v1', 'Namespace', {}, null) as KubeObject;
  source.metadata.labels = {
    team: 'a',
    'kubernetes.io/metadata.name': 'x',
    'pod-security.kubernetes.io/enforce': 'privileged',
  };
  const origin = {
    controlPlane: 'cp',
    cluster: 'project1',
    path: 'root:shop',
    group: '',
    resource: 'namespaces',
    namespace: '',
    name: 'x',
    uid: 'u',
  };
  const plain = renderNamespace(source, origin, mapper, false).object;
  assert.equal(plain.metadata.name, ns('x'));
  assert.deepEqual(plain.metadata.labels, { team: 'a', ...projectLabels });
  const allowed = renderNamespace(source, origin, mapper, true).object;
  assert.equal(allowed.metadata.labels?.['pod-security.kubernetes.io/enforce'], 'privileged');
});

test('text within an object is changed as JSON or YAML, and left as it is when it is neither', () => {
  const base = configMap('settings', {
    'db.yaml': 'server:\n  port: 80\n',
    'db.json': '{"a":[1]}',
    plain: 'x: [',
  });
  const { copies, overrideErrors } = render(base, {
    resource: 'configmaps',
    overrides: overridesOfRules([
      {
        overriders: {
          fieldOverrider: [
            {
              fieldPath: '/data/db.yaml',
              yaml: [{ subPath: '/server/port', operator: 'replace', value: 8080 }],
            },
            { fieldPath: '/data/db.json', json: [{ subPath: '/a/-', operator: 'add', value: 2 }] },
            { fieldPath: '/data/plain', yaml: [{ subPath: '/x', operator: 'remove' }] },
            { fieldPath: '/data/absent', json: [{ subPath: '/x', operator: 'remove' }] },
          ],
        },
      },
    ]),
  });
  assert.deepEqual(copies[0]?.object['data'], {
    'db.yaml': 'server:\n  port: 8080\n',
    'db.json': '{"a":[1,2]}',
    plain: 'x: [',
  });
  assert.equal(overrideErrors.length, 2);
});
