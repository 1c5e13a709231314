import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPropagatedResource } from '#api/policy/selected-kinds.ts';
import { canonicalJson } from '#apimachinery/canonical-json.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { formatImage, overrideImage, parseImage } from './image.ts';
import { patchAt, readPointer } from './json-pointer.ts';
import { isPropagatedMetadata, isPropagatedObject } from './kinds.ts';
import { parseFieldPath, rewriteAt } from './paths.ts';
import { requestOf } from './replicas.ts';

test('images in their parts', () => {
  const rows: [string, string, string, string][] = [
    ['nginx', '', 'nginx', ''],
    ['nginx:1', '', 'nginx', ':1'],
    ['library/nginx:1', '', 'library/nginx', ':1'],
    ['localhost/a', 'localhost', 'a', ''],
    ['reg.example.com:5000/a/b:1', 'reg.example.com:5000', 'a/b', ':1'],
    ['reg.example.com/a@sha256:ab', 'reg.example.com', 'a', '@sha256:ab'],
    ['reg.example.com/a:1@sha256:ab', 'reg.example.com', 'a', ':1@sha256:ab'],
  ];
  for (const [image, registry, repository, version] of rows) {
    assert.deepEqual(parseImage(image), { registry, repository, version }, image);
    assert.equal(formatImage(parseImage(image)), image);
  }
});

test('image overrides', () => {
  const rows: [
    string,
    Parameters<typeof overrideImage>[1],
    Parameters<typeof overrideImage>[2],
    string,
    string,
  ][] = [
    ['nginx:1', 'Registry', 'add', 'r.io', 'r.io/nginx:1'],
    ['r.io/nginx:1', 'Registry', 'remove', '', 'nginx:1'],
    ['r.io/nginx:1', 'Repository', 'replace', 'x/y', 'r.io/x/y:1'],
    ['r.io/nginx:1', 'Repository', 'add', '-slim', 'r.io/nginx-slim:1'],
    ['r.io/nginx', 'Tag', 'add', '2', 'r.io/nginx:2'],
    ['r.io/nginx:1', 'Tag', 'remove', '', 'r.io/nginx'],
    ['r.io/nginx:1', 'Tag', 'replace', 'sha256:ab', 'r.io/nginx@sha256:ab'],
  ];
  for (const [image, component, operator, value, want] of rows) {
    assert.equal(overrideImage(image, component, operator, value), want);
  }
});

test('JSON pointers: add, replace, remove, and what is refused', () => {
  const rows: [string, 'add' | 'replace' | 'remove', JsonObject | undefined][] = [
    ['/a/b', 'add', { a: { b: 9 }, l: [1, 2] }],
    ['/a/x~1y', 'add', { a: { b: 1, 'x/y': 9 }, l: [1, 2] }],
    ['/l/1', 'add', { a: { b: 1 }, l: [1, 9, 2] }],
    ['/l/-', 'add', { a: { b: 1 }, l: [1, 2, 9] }],
    ['/l/0', 'replace', { a: { b: 1 }, l: [9, 2] }],
    ['/l/0', 'remove', { a: { b: 1 }, l: [2] }],
    ['/a/b', 'remove', { a: {}, l: [1, 2] }],
    ['/l/2', 'replace', undefined],
    ['/l/01', 'replace', undefined],
    ['/l/3', 'add', undefined],
    ['/a/c', 'replace', undefined],
    ['/a/__proto__', 'add', undefined],
    ['/x/y', 'add', undefined],
    ['a', 'add', undefined],
  ];
  for (const [pointer, operator, want] of rows) {
    const root: JsonObject = { a: { b: 1 }, l: [1, 2] };
    const error = patchAt(root, pointer, operator, 9);
    assert.equal(error === undefined, want !== undefined, pointer);
    assert.deepEqual(root, want ?? { a: { b: 1 }, l: [1, 2] }, `${operator} ${pointer}`);
  }
  assert.equal(readPointer({ a: [{ b: 1 }] }, '/a/0/b'), 1);
});

test('field paths', () => {
  const root: JsonObject = {
    a: [{ b: 'x' }, { b: 'y' }, 'odd'],
    m: { 'k.1': 'z' },
    n: { p: { q: 'u' }, r: { q: 'v' } },
  };
  const seen: string[] = [];
  const note = (text: string): void => {
    rewriteAt(root, parseFieldPath(text), (value) => {
      seen.push(String(value));
      return value;
    });
  };
  for (const path of ['a[].b', "m['k.1']", 'n.{}.q', 'a[].c', 'x.y', 'a.b']) note(path);
  assert.deepEqual(seen, ['x', 'y', 'z', 'u', 'v']);
  assert.throws(() => parseFieldPath('a]['), RangeError);
});

test('what is never propagated', () => {
  for (const [group, resource] of [
    ['', 'events'],
    ['', 'endpoints'],
    ['', 'nodes'],
    ['coordination.k8s.io', 'leases'],
    ['discovery.k8s.io', 'endpointslices'],
    ['apiregistration.k8s.io', 'apiservices'],
    ['policy.karmada.io', 'propagationpolicies'],
    ['tenancy.kcp.io', 'workspaces'],
    ['federation.cellplane.io', 'cells'],
  ] as const) {
    assert.equal(isPropagatedResource(group, resource), false, resource);
  }
  assert.equal(isPropagatedResource('apps', 'deployments'), true);
  const owned = [{ apiVersion: 'v1', kind: 'X', name: 'x', uid: 'u', controller: true }];
  assert.equal(
    isPropagatedMetadata('', 'pods', { name: 'a', namespace: 'n', ownerReferences: owned }),
    false,
  );
  assert.equal(isPropagatedMetadata('', 'pods', { name: 'a', namespace: 'n' }), true);
  assert.equal(
    isPropagatedMetadata('apps', 'replicasets', { name: 'a', namespace: 'n', ownerReferences: owned }),
    false,
  );
  assert.equal(isPropagatedMetadata('', 'configmaps', { name: 'kube-root-ca.crt', namespace: 'n' }), false);
  assert.equal(isPropagatedMetadata('', 'serviceaccounts', { name: 'default', namespace: 'n' }), false);
  assert.equal(isPropagatedMetadata('', 'secrets', { name: 'a', namespace: 'kube-system' }), false);
  assert.equal(isPropagatedMetadata('', 'namespaces', { name: 'kube-public' }), false);
  const token = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {},
    type: 'kubernetes.io/service-account-token',
  };
  assert.equal(isPropagatedObject(token), false);
  assert.equal(isPropagatedObject({ ...token, type: 'Opaque' }), true);
});

test('canonical JSON does not depend on order, and skips what is undefined', () => {
  assert.equal(canonicalJson({ b: [1, { d: null, c: 'x' }], a: undefined }), '{"b":[1,{"c":"x","d":null}]}');
  assert.equal(canonicalJson({ b: 1, '-': 2, a: { 10: 1, 9: 2 } }), '{"-":2,"a":{"10":1,"9":2},"b":1}');
  assert.equal(canonicalJson(undefined), 'null');
  const inherited: JsonObject = { toString: 1, constructor: 'x', a: [{ z: 1, y: [] }, 'ü"'] };
  assert.equal(canonicalJson(inherited), '{"a":[{"y":[],"z":1},"ü\\""],"constructor":"x","toString":1}');
});

const requests = (amounts: JsonObject, more: JsonObject = {}): JsonObject => ({
  name: 'c',
  resources: { requests: amounts },
  ...more,
});
const limits = (amounts: JsonObject): JsonObject => ({ name: 'l', resources: { limits: amounts } });
const always = { restartPolicy: 'Always' };

/** Of pods that an API server of Kubernetes 1.36 makes of it: SetDefaults_Pod, then component-helpers' PodRequests. */
const asked: readonly [
  what: string,
  spec: JsonObject,
  cpu: number | undefined,
  memoryMi: number | undefined,
][] = [
  [
    'containers together; a limit where nothing is requested',
    { containers: [requests({ cpu: '500m', memory: '1Gi' }), limits({ cpu: '1' })] },
    1.5,
    1024,
  ],
  [
    'init containers one after the other, the sidecars before them beside',
    {
      containers: [requests({ cpu: '1' })],
      initContainers: [
        requests({ cpu: '500m', memory: '100Mi' }, always),
        requests({ cpu: '4' }),
        requests({ cpu: '1', memory: '1Gi' }, always),
      ],
    },
    4.5,
    1124,
  ],
  [
    'a sidecar after an init container is not there yet while that runs',
    {
      containers: [requests({ cpu: '1' })],
      initContainers: [requests({ cpu: '4' }), requests({ cpu: '1' }, always)],
    },
    4,
    undefined,
  ],
  [
    'overhead on top',
    { containers: [requests({ cpu: '1' })], overhead: { cpu: '250m', memory: '120Mi' } },
    1.25,
    120,
  ],
  [
    'what the pod as a whole is given, in place of its containers',
    {
      containers: [requests({ cpu: '1', memory: '1Gi' }), requests({ cpu: '1' })],
      resources: { requests: { cpu: '4' } },
      overhead: { cpu: '1' },
    },
    5,
    1024,
  ],
  [
    'a limit of the pod as a whole where no container requests',
    { containers: [requests({ cpu: '1' })], resources: { limits: { cpu: '2', memory: '2Gi' } } },
    1,
    2048,
  ],
  [
    'a quantity that is none asks for nothing',
    { containers: [requests({ cpu: 'much', memory: '1Mi' })] },
    undefined,
    1,
  ],
];
for (const [what, spec, cpu, memoryMi] of asked) {
  test(`what a replica asks for: ${what}`, () => {
    const before = JSON.stringify(spec);
    const object = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: {}, spec: { template: { spec } } };
    const request = new Map(requestOf(object, { group: 'apps', resource: 'deployments', scalable: true }));
    assert.equal(request.get('cpu'), cpu);
    assert.equal(request.get('memory'), memoryMi === undefined ? undefined : memoryMi * 2 ** 20);
    assert.equal(JSON.stringify(spec), before, 'the template stays as it is');
  });
}

test('a kind without pods asks for nothing', () => {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: {} };
  assert.deepEqual(requestOf(object, { group: '', resource: 'configmaps', scalable: false }), []);
});
