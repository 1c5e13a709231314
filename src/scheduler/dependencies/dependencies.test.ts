import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { dependenciesOf } from './dependency-table.ts';
import { isSuspendedIn, needOf, requiredBySnapshots, requirementOf, withFollowed } from './need.ts';
import { type Requirement, Requirements } from './requirements.ts';

const pod: JsonObject = {
  serviceAccountName: 'sa',
  imagePullSecrets: [{ name: 'pull' }],
  initContainers: [{ name: 'i', envFrom: [{ configMapRef: { name: 'cm-from' } }] }],
  containers: [
    {
      name: 'c',
      envFrom: [{ secretRef: { name: 's-from' } }],
      env: [
        { name: 'A', value: 'x' },
        { name: 'B', valueFrom: { configMapKeyRef: { name: 'cm-key', key: 'k' } } },
        { name: 'C', valueFrom: { secretKeyRef: { name: 's-key', key: 'k' } } },
      ],
    },
  ],
  volumes: [
    { name: 'a', configMap: { name: 'cm-vol' } },
    { name: 'b', secret: { secretName: 's-vol' } },
    { name: 'c', persistentVolumeClaim: { claimName: 'data' } },
    {
      name: 'd',
      projected: { sources: [{ configMap: { name: 'cm-proj' } }, { secret: { name: 's-proj' } }] },
    },
    { name: 'e', csi: { driver: 'x', nodePublishSecretRef: { name: 's-csi' } } },
    { name: 'f', emptyDir: {} },
  ],
};
const ofPod = [
  'configmaps/cm-from',
  'configmaps/cm-key',
  'configmaps/cm-proj',
  'configmaps/cm-vol',
  'persistentvolumeclaims/data',
  'secrets/pull',
  'secrets/s-csi',
  'secrets/s-from',
  'secrets/s-key',
  'secrets/s-proj',
  'secrets/s-vol',
  'serviceaccounts/sa',
];
const named = (group: string, resource: string, body: JsonObject): string[] => {
  const object = { apiVersion: 'v1', kind: 'X', metadata: { name: 'x', namespace: 'default' }, ...body };
  return dependenciesOf(group, resource, object as KubeObject)
    .map((one) => `${one.resource}/${one.name}`)
    .sort();
};

const rows: [string, string, string, JsonObject, string[]][] = [
  ['a pod', '', 'pods', { spec: pod }, ofPod],
  ['a deployment', 'apps', 'deployments', { spec: { template: { spec: pod } } }, ofPod],
  [
    'a cron job',
    'batch',
    'cronjobs',
    { spec: { jobTemplate: { spec: { template: { spec: pod } } } } },
    ofPod,
  ],
  [
    'a stateful set: its headless service, and no claim that a template makes',
    'apps',
    'statefulsets',
    {
      spec: {
        serviceName: 'db',
        template: { spec: { volumes: [{ persistentVolumeClaim: { claimName: 'data' } }] } },
        volumeClaimTemplates: [{ metadata: { name: 'data' } }],
      },
    },
    ['services/db'],
  ],
  [
    'an ingress',
    'networking.k8s.io',
    'ingresses',
    {
      spec: {
        tls: [{ secretName: 'cert' }],
        defaultBackend: { service: { name: 'fallback' } },
        rules: [{ http: { paths: [{ backend: { service: { name: 'web' } } }] } }],
      },
    },
    ['secrets/cert', 'services/fallback', 'services/web'],
  ],
  ['a service account', '', 'serviceaccounts', { imagePullSecrets: [{ name: 'pull' }] }, ['secrets/pull']],
  [
    'what never travels is no dependency',
    '',
    'pods',
    {
      spec: {
        serviceAccountName: 'default',
        containers: [{ envFrom: [{ configMapRef: { name: 'kube-root-ca.crt' } }] }],
      },
    },
    [],
  ],
  ['a kind without rules', '', 'configmaps', { data: { a: 'b' } }, []],
  ['what is malformed', 'apps', 'deployments', { spec: { template: { spec: { containers: 'x' } } } }, []],
];
for (const [what, group, resource, body, expected] of rows) {
  test(`dependencies of ${what}`, () => assert.deepEqual(named(group, resource, body), expected));
}

const requirement = (...cells: string[]): Requirement => requirementOf({ resourceSelectors: [] }, cells);
const web = { group: 'apps', resource: 'deployments', cluster: 'p', namespace: 'default', name: 'web' };
const webKey = 'deployments.apps|p|default|web';
const config = { group: '', resource: 'configmaps', cluster: 'p', namespace: 'default', name: 'config' };
const configKey = 'configmaps.|p|default|config';

test('requirements tell whom a change concerns, and nobody when nothing changed', () => {
  const all = new Requirements();
  assert.deepEqual([...all.set('a', new Set(['x', 'y']), requirement('c1'))], ['x', 'y']);
  assert.deepEqual([...all.set('a', new Set(['x', 'y']), requirement('c1'))], []);
  assert.deepEqual([...all.set('a', new Set(['y', 'z']), requirement('c1'))], ['x', 'z']);
  assert.equal(all.isRequired('x'), false);
  assert.deepEqual([...all.set('a', new Set(['y', 'z']), requirement('c1', 'c2'))], ['y', 'z']);
  all.set('b', new Set(['y']), requirement('c3'));
  assert.deepEqual([...all.drop('a')], ['y', 'z']);
  assert.deepEqual([...all.of('y').keys()], ['b']);
  assert.equal(all.isSettled('a'), false);
});

test('after a restart nothing is decided before all recorded requirers were looked at', () => {
  const all = new Requirements();
  all.set(webKey, new Set([configKey]), requirement('c1', 'c2'));
  const recorded = requiredBySnapshots({ requirers: all.of(configKey), cells: new Set(), uncertain: false });
  assert.deepEqual(recorded, [
    {
      namespace: 'default',
      name: recorded[0]?.name,
      resource: 'deployments.apps',
      resourceName: 'web',
      clusters: [{ name: 'c1' }, { name: 'c2' }],
    },
  ]);
  const present = {
    apiVersion: 'work.karmada.io/v1alpha2',
    kind: 'ResourceBinding',
    metadata: {},
    spec: {
      resource: { apiVersion: 'v1', kind: 'ConfigMap', resource: 'configmaps', name: 'config' },
      requiredBy: recorded,
    },
  };
  const after = new Requirements();
  const bound = () => true;
  assert.equal(needOf(config, present, after, bound), 'waiting');
  // One that failed: it stays uncertain, and a later success still tells.
  assert.deepEqual([...after.fail(webKey)], [configKey]);
  assert.deepEqual([...after.fail(webKey)], []);
  const uncertain = needOf(config, present, after, bound);
  assert.ok(uncertain !== 'waiting' && uncertain.uncertain && uncertain.cells.size === 0);
  assert.deepEqual([...after.set(webKey, new Set(), requirement())], [configKey]);
  const settled = needOf(config, present, after, bound);
  assert.ok(settled !== 'waiting' && !settled.uncertain && settled.cells.size === 0);
  // A requirer without a binding is gone.
  assert.deepEqual(
    needOf(config, present, new Requirements(), () => false),
    {
      requirers: new Map(),
      cells: new Set(),
      uncertain: false,
    },
  );
  assert.equal(web.name, 'web');
});

test('a copy is held back only where all who want it there are suspended', () => {
  const requirers = new Map<string, Requirement>([
    ['a', { ...requirement('c1', 'c2'), suspended: true }],
    ['b', { ...requirement('c2', 'c3'), suspended: ['c3'] }],
  ]);
  const need = { requirers, cells: new Set(['c1', 'c2', 'c3']), uncertain: false };
  const own = new Set(['c1']);
  const held = (cell: string, suspended: boolean) => isSuspendedIn(cell, own, suspended, need);
  assert.deepEqual(
    ['c1', 'c2', 'c3', 'c4'].map((cell) => held(cell, false)),
    [false, false, true, false],
  );
  assert.deepEqual(
    ['c1', 'c2', 'c3', 'c4'].map((cell) => held(cell, true)),
    [true, false, true, true],
  );
});

test('cells are joined by name, each once', () => {
  const own = [{ name: 'b', replicas: undefined }];
  assert.deepEqual(
    withFollowed(own, new Set(['c', 'a', 'b'])).map(({ name }) => name),
    ['a', 'b', 'c'],
  );
  assert.equal(withFollowed(own, new Set(['b'])), own);
});
