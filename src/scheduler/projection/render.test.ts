import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyAnnotations, copyLabels, edgeFinalizer } from '#api/federation/copy-contract.ts';
import type { Overriders } from '#api/policy/placement.ts';
import { cloneJson, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CellInfo } from '../algorithm/cell.ts';
import { cell } from '../algorithm/testing/cells.ts';
import { deployment } from '../testing/objects.ts';
import { readPointer } from './json-pointer.ts';
import { createNameMapper } from './names.ts';
import { type CellView, type RenderInput, type Rendering, renderCopy, renderNamespace } from './render.ts';

const mapper = createNameMapper({ controlPlaneId: 'cp', clusterId: 'project1', prefix: 'shop' });
const ns = (name: string): string => mapper.namespace(name);
const projectLabels = { [copyLabels.originCluster]: 'project1', [copyLabels.originControlPlane]: 'cp' };

function view(changes: Partial<CellView> = {}, info: Partial<CellInfo> = {}): CellView {
  return {
    info: cell('fra', info),
    allowsPodSecurity: false,
    allowsClusterRole: () => false,
    projectNamespaces: () => [],
    ...changes,
  };
}

interface RenderOptions extends Partial<Omit<RenderInput, 'object' | 'kind'>> {
  readonly resource: string;
  readonly view?: CellView;
}

function render(
  object: KubeObject,
  { resource, view: cellView = view(), ...more }: RenderOptions,
): Rendering {
  const slash = object.apiVersion.indexOf('/');
  const group = slash < 0 ? '' : object.apiVersion.slice(0, slash);
  const before = cloneJson(object);
  const rendering = renderCopy(
    {
      object,
      version: object.apiVersion.slice(slash + 1),
      origin: {
        controlPlane: 'cp',
        cluster: 'project1',
        path: 'root:shop',
        group,
        resource,
        namespace: object.metadata.namespace ?? '',
        name: object.metadata.name ?? '',
        uid: object.metadata.uid ?? '',
      },
      kind: { group, resource, scalable: false },
      custom: false,
      targets: [{ name: 'fra', replicas: undefined }],
      divided: false,
      overrides: [],
      mapper,
      owns: () => false,
      contract: { conflictResolution: 'Abort', orphan: false },
      ...more,
    },
    cellView,
  );
  assert.deepEqual(object, before, 'rendering leaves the project object as it is');
  return rendering;
}

function rendered(object: KubeObject, options: RenderOptions): KubeObject {
  const { copies } = render(object, options);
  assert.equal(copies.length, 1);
  return copies[0]?.object as KubeObject;
}

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
    contract: { conflictResolution: 'Overwrite', orphan: true },
  });
  assert.equal(copy.metadata.annotations?.[copyAnnotations.conflictResolution], 'Overwrite');
  assert.equal(copy.metadata.annotations?.[copyAnnotations.deletionPolicy], 'Orphan');
});

/** Each row: what lies at a pointer before, and what the copy has there. `undefined`: nothing. */
interface Row {
  readonly what: string;
  readonly resource: string;
  readonly object: JsonObject;
  readonly at: string;
  readonly want: JsonValue | undefined;
  readonly owns?: string;
}

const pod = (spec: JsonObject): JsonObject => ({ ...deployment('web', 1, spec, 'web') });
const term = (rule: JsonObject) => ({
  affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [rule] } },
});
const affinityAt =
  '/spec/template/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/0';
const object = (
  apiVersion: string,
  kind: string,
  rest: JsonObject,
  namespace: string | undefined = 'web',
): JsonObject => ({
  apiVersion,
  kind,
  metadata: { name: 'x', ...(namespace === undefined ? {} : { namespace }) },
  ...rest,
});
const gateway = 'gateway.networking.k8s.io/v1';
const rbac = 'rbac.authorization.k8s.io/v1';
const admission = 'admissionregistration.k8s.io/v1';

const rows: Row[] = [
  {
    what: 'names in the pod’s own namespace stay',
    resource: 'deployments',
    object: pod({
      serviceAccountName: 'app',
      imagePullSecrets: [{ name: 'pull' }],
      volumes: [{ name: 'v', secret: { secretName: 's' } }],
    }),
    at: '/spec/template/spec/serviceAccountName',
    want: 'app',
  },
  {
    what: 'affinity namespaces',
    resource: 'deployments',
    object: pod(term({ namespaces: ['other'] })),
    at: `${affinityAt}/namespaces`,
    want: [ns('other')],
  },
  {
    what: 'an empty namespaceSelector means the project',
    resource: 'deployments',
    object: pod(term({ namespaceSelector: {} })),
    at: `${affinityAt}/namespaceSelector`,
    want: { matchLabels: projectLabels },
  },
  {
    what: 'no namespaceSelector stays none',
    resource: 'deployments',
    object: pod(term({ topologyKey: 'z' })),
    at: `${affinityAt}/namespaceSelector`,
    want: undefined,
  },
  {
    what: 'a platform class that the project does not have',
    resource: 'deployments',
    object: pod({ priorityClassName: 'high' }),
    at: '/spec/template/spec/priorityClassName',
    want: 'high',
  },
  {
    what: 'a platform class of the project',
    resource: 'deployments',
    object: pod({ priorityClassName: 'high' }),
    owns: 'scheduling.k8s.io/priorityclasses/high',
    at: '/spec/template/spec/priorityClassName',
    want: mapper.clusterScoped('scheduling.k8s.io', 'priorityclasses', 'high'),
  },
  {
    what: 'metadata.name in a namespaceSelector is the mapped name',
    resource: 'networkpolicies',
    object: object('networking.k8s.io/v1', 'NetworkPolicy', {
      spec: {
        ingress: [
          {
            from: [
              {
                namespaceSelector: {
                  matchLabels: { 'kubernetes.io/metadata.name': 'api' },
                  matchExpressions: [{ key: 'a', operator: 'Exists' }],
                },
              },
            ],
          },
        ],
      },
    }),
    at: '/spec/ingress/0/from/0/namespaceSelector',
    want: {
      matchLabels: { 'kubernetes.io/metadata.name': ns('api'), ...projectLabels },
      matchExpressions: [{ key: 'a', operator: 'Exists' }],
    },
  },
  {
    what: 'RoleBinding subjects',
    resource: 'rolebindings',
    object: object(rbac, 'RoleBinding', {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
      subjects: [
        { kind: 'ServiceAccount', name: 'a', namespace: 'api' },
        { kind: 'User', name: 'system:serviceaccount:api:a' },
        { kind: 'Group', name: 'system:serviceaccounts:api' },
        { kind: 'User', name: 'jane' },
      ],
    }),
    at: '/subjects',
    want: [
      { kind: 'ServiceAccount', name: 'a', namespace: ns('api') },
      { kind: 'User', name: `system:serviceaccount:${ns('api')}:a` },
      { kind: 'Group', name: `system:serviceaccounts:${ns('api')}` },
      { kind: 'User', name: 'jane' },
    ],
  },
  {
    what: 'webhooks are confined',
    resource: 'validatingwebhookconfigurations',
    object: object(
      admission,
      'ValidatingWebhookConfiguration',
      {
        webhooks: [
          {
            name: 'w',
            clientConfig: { service: { name: 's', namespace: 'api' } },
            rules: [{ operations: ['*'], scope: '*' }],
          },
        ],
      },
      undefined,
    ),
    at: '/webhooks/0',
    want: {
      name: 'w',
      clientConfig: { service: { name: 's', namespace: ns('api') } },
      rules: [{ operations: ['*'], scope: 'Namespaced' }],
      namespaceSelector: { matchLabels: projectLabels },
    },
  },
  {
    what: 'a policy binding names the project’s policy and is confined',
    resource: 'validatingadmissionpolicybindings',
    object: object(
      admission,
      'ValidatingAdmissionPolicyBinding',
      { spec: { policyName: 'p', paramRef: { namespace: 'api', name: 'x' } } },
      undefined,
    ),
    at: '/spec/policyName',
    want: mapper.clusterScoped('admissionregistration.k8s.io', 'validatingadmissionpolicies', 'p'),
  },
  {
    what: 'a claim of a volume',
    resource: 'persistentvolumes',
    object: object(
      'v1',
      'PersistentVolume',
      { spec: { claimRef: { namespace: 'api', name: 'c', uid: 'u' } } },
      undefined,
    ),
    at: '/spec/claimRef',
    want: { namespace: ns('api'), name: 'c' },
  },
  {
    what: 'routes: parents and backends in other namespaces, local ones stay',
    resource: 'httproutes',
    object: object(gateway, 'HTTPRoute', {
      spec: {
        parentRefs: [{ name: 'g', namespace: 'infra' }],
        rules: [{ backendRefs: [{ name: 's' }, { name: 't', namespace: 'api' }] }],
      },
    }),
    at: '/spec',
    want: {
      parentRefs: [{ name: 'g', namespace: ns('infra') }],
      rules: [{ backendRefs: [{ name: 's' }, { name: 't', namespace: ns('api') }] }],
    },
  },
  {
    what: 'a gateway open to all is open to the project',
    resource: 'gateways',
    object: object(gateway, 'Gateway', {
      spec: { listeners: [{ name: 'l', allowedRoutes: { namespaces: { from: 'All' } } }] },
    }),
    at: '/spec/listeners/0/allowedRoutes/namespaces',
    want: { from: 'Selector', selector: { matchLabels: projectLabels } },
  },
  {
    what: 'a GatewayClass of the project',
    resource: 'gateways',
    object: object(gateway, 'Gateway', { spec: { gatewayClassName: 'mine' } }),
    owns: 'gateway.networking.k8s.io/gatewayclasses/mine',
    at: '/spec/gatewayClassName',
    want: mapper.clusterScoped('gateway.networking.k8s.io', 'gatewayclasses', 'mine'),
  },
  {
    what: 'ReferenceGrant',
    resource: 'referencegrants',
    object: object('gateway.networking.k8s.io/v1beta1', 'ReferenceGrant', {
      spec: { from: [{ group: '', kind: 'X', namespace: 'api' }] },
    }),
    at: '/spec/from/0/namespace',
    want: ns('api'),
  },
  {
    what: 'a namespaced issuer stays',
    resource: 'certificates',
    object: object('cert-manager.io/v1', 'Certificate', {
      spec: { issuerRef: { kind: 'Issuer', name: 'i' } },
    }),
    owns: 'cert-manager.io/clusterissuers/i',
    at: '/spec/issuerRef/name',
    want: 'i',
  },
  {
    what: 'a default class is no default at the edge',
    resource: 'storageclasses',
    object: {
      ...object('storage.k8s.io/v1', 'StorageClass', {}, undefined),
      metadata: { name: 'x', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    },
    at: '/metadata/annotations/storageclass.kubernetes.io~1is-default-class',
    want: undefined,
  },
  {
    what: 'allocated addresses and ports of a Service go',
    resource: 'services',
    object: object('v1', 'Service', {
      spec: {
        type: 'NodePort',
        clusterIP: '10.0.0.1',
        clusterIPs: ['10.0.0.1'],
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
        ports: [{ port: 80, nodePort: 30001 }],
      },
    }),
    at: '/spec',
    want: { type: 'NodePort', ports: [{ port: 80 }] },
  },
  {
    what: 'a headless Service stays headless',
    resource: 'services',
    object: object('v1', 'Service', { spec: { clusterIP: 'None', clusterIPs: ['None'], ports: [] } }),
    at: '/spec',
    want: { clusterIP: 'None', ports: [] },
  },
  {
    what: 'what the server made of a Job goes',
    resource: 'jobs',
    object: object('batch/v1', 'Job', {
      spec: {
        selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': 'u' } },
        template: { metadata: { labels: { app: 'a', 'controller-uid': 'u', 'job-name': 'x' } }, spec: {} },
      },
    }),
    at: '/spec',
    want: { template: { metadata: { labels: { app: 'a' } }, spec: {} } },
  },
];

for (const row of rows) {
  test(`references: ${row.what}`, () => {
    const owns = (group: string, resource: string, name: string): boolean =>
      `${group}/${resource}/${name}` === row.owns;
    const copy = rendered(row.object as KubeObject, { resource: row.resource, owns });
    assert.deepEqual(readPointer(copy, row.at), row.want);
  });
}

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
  const role = object(rbac, 'ClusterRole', { aggregationRule }, undefined) as KubeObject;
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
  render(base, { resource: 'deployments', overrides: [{ matches: () => true, overriders }] });

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
  const source = object('v1', 'Namespace', {}, undefined) as KubeObject;
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
