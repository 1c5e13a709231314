import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { conditionsOf, statusOf, storedVersionsOf } from '#api/apiextensions/crd.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { createScheme } from '#apimachinery/scheme-build.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import { createMemoryStorage } from '#storage/memory/memory-storage.ts';
import { until } from '#test/harness/until.ts';
import { CrdCatalog } from './crd-catalog.ts';
import { CrdController } from './crd-controller.ts';
import { nextCrdStatus } from './crd-status.ts';
import { CrdStore, crdKey } from './testing/crd-store.ts';

async function harness(t: TestContext) {
  const storage = await openCachedStorage(createMemoryStorage());
  const store = new CrdStore(storage);
  const stopping = new AbortController();
  const catalog = new CrdCatalog({ storage, objectOf: store.objectOf, bodyOf: (entry) => entry.value });
  t.after(async () => {
    stopping.abort();
    await storage.close();
  });
  const start = () => catalog.start(stopping.signal);
  const control = (options: Partial<ConstructorParameters<typeof CrdController>[0]> = {}) => {
    const controller = new CrdController({ catalog, client: store.client, ...options });
    controller.start();
    t.after(() => controller.stop());
    return controller;
  };
  const condition = (cluster: string, name: string, type: string) =>
    conditionsOf(store.crd(cluster, name) ?? ({ metadata: {} } as KubeObject)).find(
      (one) => one.type === type,
    );
  const isTrue = (cluster: string, name: string, type: string) =>
    condition(cluster, name, type)?.status === 'True';
  return { storage, store, catalog, start, control, condition, isTrue };
}

const names = (plural: string, kind: string, more: JsonObject = {}): JsonObject => ({
  plural,
  kind,
  ...more,
});

test('a CRD is established, and then served in its workspace alone', async (t) => {
  const { store, catalog, start, control, condition, isTrue } = await harness(t);
  start();
  control();
  const changes: string[] = [];
  catalog.onChange((clusterId) => changes.push(clusterId));
  assert.deepEqual(catalog.definitionsOf('a'), []);
  assert.equal(catalog.generationOf('a'), 0);
  const name = await store.createCrd('a', names('widgets', 'Widget', { shortNames: ['wd'] }));
  await until('established', () => isTrue('a', name, 'Established'));
  assert.equal(condition('a', name, 'NamesAccepted')?.reason, 'NoConflicts');
  assert.equal(condition('a', name, 'Established')?.reason, 'InitialNamesAccepted');
  assert.equal(condition('a', name, 'NonStructuralSchema'), undefined);
  const crd = store.crd('a', name) as KubeObject;
  assert.deepEqual(statusOf(crd)['acceptedNames'], {
    plural: 'widgets',
    kind: 'Widget',
    singular: 'widget',
    listKind: 'WidgetList',
    shortNames: ['wd'],
  });
  assert.deepEqual(storedVersionsOf(crd), ['v1']);
  assert.deepEqual(
    catalog.definitionsOf('a').map((definition) => definition.resource),
    ['widgets'],
  );
  assert.deepEqual(catalog.definitionsOf('b'), []);
  assert.deepEqual([...new Set(changes)], ['a']);
  assert.ok(catalog.generationOf('a') > 0);
});

test('equal CRDs of many workspaces share one definition', async (t) => {
  const { store, catalog, start, control, isTrue } = await harness(t);
  start();
  control();
  for (const cluster of ['a', 'b', 'c']) await store.createCrd(cluster, names('widgets', 'Widget'));
  await until('all', () =>
    ['a', 'b', 'c'].every((cluster) => isTrue(cluster, 'widgets.example.com', 'Established')),
  );
  assert.equal(catalog.definitionsOf('a')[0], catalog.definitionsOf('c')[0]);
  assert.equal([...catalog.allDefinitions()].length, 1);
});

test('names in use are refused by kind of name, and accepted once they are free (R2)', async (t) => {
  const { store, start, control, condition, isTrue } = await harness(t);
  start();
  control();
  const first = await store.createCrd('a', names('widgets', 'Widget', { shortNames: ['wd'] }));
  await until('the first', () => isTrue('a', first, 'Established'));
  const rows: readonly [JsonObject, string, string][] = [
    [
      names('gadgets', 'Widget', { listKind: 'GadgetList', singular: 'gadget' }),
      'KindConflict',
      '"Widget" is already in use',
    ],
    [
      names('things', 'Thing', { listKind: 'WidgetList' }),
      'ListKindConflict',
      '"WidgetList" is already in use',
    ],
    [names('wd', 'Wd', { singular: 'wdx' }), 'PluralConflict', '"wd" is already in use'],
    [names('others', 'Other', { singular: 'widget' }), 'SingularConflict', '"widget" is already in use'],
    [names('shorts', 'Short', { shortNames: ['wd', 'sh'] }), 'ShortNamesConflict', '"wd" is already in use'],
  ];
  for (const [requested, reason, message] of rows) {
    const name = await store.createCrd('a', requested);
    await until(reason, () => condition('a', name, 'NamesAccepted') !== undefined);
    assert.equal(condition('a', name, 'NamesAccepted')?.reason, reason, name);
    assert.equal(condition('a', name, 'NamesAccepted')?.message, message);
    assert.equal(condition('a', name, 'Established')?.status, 'False');
  }
  await store.createCrd('b', names('gadgets', 'Widget'));
  await until('another workspace', () => isTrue('b', 'gadgets.example.com', 'Established'));
  await store.createCrd('a', names('widgets', 'Widget'), 'other.com');
  await until('another group', () => isTrue('a', 'widgets.other.com', 'Established'));
  await store.deleteCrd('a', first);
  await until('the first to go', () => store.crd('a', first) === undefined);
  await until('the kind to be free', () => isTrue('a', 'gadgets.example.com', 'Established'));
  await until('the singular to be free', () => isTrue('a', 'others.example.com', 'Established'));
  await until('the list kind to be free', () => isTrue('a', 'things.example.com', 'Established'));
});

test('two CRDs that come at once never get the same name', async (t) => {
  const { store, start, control, condition } = await harness(t);
  start();
  control();
  await Promise.all([
    store.createCrd('a', names('ones', 'Same', { singular: 'one' })),
    store.createCrd('a', names('twos', 'Same', { singular: 'two' })),
  ]);
  const both = ['ones.example.com', 'twos.example.com'];
  await until('both to be decided', () =>
    both.every((name) => condition('a', name, 'NamesAccepted') !== undefined),
  );
  const established = both.filter((name) => condition('a', name, 'Established')?.status === 'True');
  assert.equal(established.length, 1);
});

test('names of the system are taken', async (t) => {
  const { store, start, control, condition } = await harness(t);
  start();
  const version = {
    version: 'v1',
    served: true,
    schema: {},
    verbs: [],
    subresources: [],
    columns: [],
    selectableFields: new Map(),
  };
  const system = createScheme([
    {
      group: 'example.com',
      resource: 'cells',
      kind: 'Cell',
      listKind: 'CellList',
      singular: 'cell',
      shortNames: [],
      categories: [],
      namespaced: false,
      storedAs: { group: 'example.com', resource: 'cells' },
      storageVersion: 'v1',
      versions: [version],
      strategy: {},
      origin: 'system',
    },
  ]);
  control({ baseScheme: () => system });
  const name = await store.createCrd('a', names('cells', 'Cell'));
  await until('a decision', () => condition('a', name, 'NamesAccepted') !== undefined);
  assert.equal(condition('a', name, 'NamesAccepted')?.status, 'False');
});

test('deletion takes the instances first, waiting for their finalizers', async (t) => {
  const { storage, store, catalog, start, control, condition, isTrue } = await harness(t);
  start();
  control();
  const name = await store.createCrd('a', names('widgets', 'Widget'));
  await until('established', () => isTrue('a', name, 'Established'));
  for (let i = 0; i < 40; i++) await store.createInstance('a', 'widgets', `w${i}`);
  const held = await store.createInstance('a', 'widgets', 'held', ['example.com/hold']);
  const foreign = await store.createInstance('b', 'widgets', 'other');
  await store.deleteCrd('a', name);
  assert.equal(catalog.definitionsOf('a')[0]?.isTerminating, true);
  await until('only what is held remains', () => storage.snapshot('/example.com/widgets/a/').count() === 1);
  assert.equal(condition('a', name, 'Terminating')?.reason, 'InstanceDeletionInProgress');
  await store.put(held, undefined);
  await until('the CRD to go', () => store.crd('a', name) === undefined);
  assert.deepEqual(catalog.definitionsOf('a'), []);
  assert.notEqual(storage.peek(foreign), undefined);
});

test('a CRD that another finalizer keeps says that its instances are gone', async (t) => {
  const { store, start, control, condition, isTrue } = await harness(t);
  start();
  control();
  const name = await store.createCrd('a', names('widgets', 'Widget'));
  await until('established', () => isTrue('a', name, 'Established'));
  const crd = store.crd('a', name);
  assert.ok(crd);
  const finalizers = [...(crd.metadata.finalizers ?? []), 'example.com/hold'];
  await store.put(crdKey('a', name), { ...crd, metadata: { ...crd.metadata, finalizers } });
  await store.deleteCrd('a', name);
  await until('told', () => condition('a', name, 'Terminating')?.status === 'False');
  assert.equal(condition('a', name, 'Terminating')?.reason, 'InstanceDeletionCompleted');
  assert.deepEqual(store.crd('a', name)?.metadata.finalizers, ['example.com/hold']);
});

test('conflicts with other writers are overcome', async (t) => {
  const { store, start, control, isTrue } = await harness(t);
  start();
  control();
  store.conflicts = 2;
  const name = await store.createCrd('a', names('widgets', 'Widget'));
  await until('established in spite of conflicts', () => isTrue('a', name, 'Established'));
});

test('what was written before the start is found, and settled CRDs are not written again', async (t) => {
  const { storage, store, catalog, start, control, isTrue } = await harness(t);
  const name = await store.createCrd('a', names('widgets', 'Widget'));
  start();
  assert.equal(catalog.recordOf('a', name)?.established, false);
  control();
  await until('established', () => isTrue('a', name, 'Established'));
  const { revision } = storage;
  const second = new CrdCatalog({ storage, objectOf: store.objectOf });
  const stopping = new AbortController();
  second.start(stopping.signal);
  t.after(() => stopping.abort());
  assert.deepEqual(
    second.definitionsOf('a').map((definition) => definition.kind),
    ['Widget'],
  );
  const seen: string[] = [];
  second.onCrd((clusterId, crd, record) => seen.push(`${clusterId}/${crd} ${record?.settled}`));
  await until('the background', () => seen.length > 0);
  assert.deepEqual([...new Set(seen)], [`a/${name} true`]);
  assert.equal(storage.revision, revision);
});

test('a stored CRD that cannot be read serves nothing and harms nobody', async (t) => {
  const { storage, store, catalog, start, control, isTrue } = await harness(t);
  const key = crdKey('a', 'broken.example.com');
  await storage.transact({ guards: [], operations: [{ type: 'put', key, value: Buffer.from('{') }] });
  start();
  control();
  const name = await store.createCrd('a', names('widgets', 'Widget'));
  await until('the other one', () => isTrue('a', name, 'Established'));
  assert.equal(catalog.definitionsOf('a').length, 1);
});

test('protected groups need an approval, which a condition tells (KEP-1111)', () => {
  const taken = { resources: new Set<string>(), kinds: new Set<string>() };
  const rows: readonly [string | undefined, string, string][] = [
    ['https://github.com/kubernetes/x/pull/1', 'True', 'ApprovedAnnotation'],
    ['unapproved, experimental', 'False', 'UnapprovedAnnotation'],
    ['nonsense', 'False', 'InvalidAnnotation'],
    [undefined, 'False', 'MissingAnnotation'],
  ];
  for (const [annotation, status, reason] of rows) {
    const crd: KubeObject = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: {
        name: 'x.sig.k8s.io',
        annotations: annotation === undefined ? {} : { 'api-approved.kubernetes.io': annotation },
      },
      spec: { group: 'sig.k8s.io', names: names('x', 'X'), versions: [] },
    };
    const conditions = nextCrdStatus(crd, taken, '2026-01-01T00:00:00Z')?.['conditions'] as JsonObject[];
    const condition = conditions.find((one) => one['type'] === 'KubernetesAPIApprovalPolicyConformant');
    assert.deepEqual([condition?.['status'], condition?.['reason']], [status, reason]);
  }
});
