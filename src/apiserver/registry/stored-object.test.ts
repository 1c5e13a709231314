import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { jsonFromOutside } from '#apimachinery/testing/json-arbitrary.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import type { Revision, StorageKey } from '#storage/storage.ts';
import { encodeStored } from './encode-stored.ts';
import {
  bodyOf,
  leanMetadataBodyOf,
  metadataBodyOf,
  metadataObjectOf,
  storedApiVersionOf,
} from './stored-body.ts';
import { hasDeletionTimestamp, hasOwnerReferences, headerOf, headOf, objectOf } from './stored-object.ts';

const definition: ResourceDefinition = {
  group: 'apps',
  resource: 'widgets',
  kind: 'Widget',
  listKind: 'WidgetList',
  singular: 'widget',
  shortNames: [],
  categories: [],
  namespaced: true,
  storedAs: { group: 'apps', resource: 'widgets' },
  storageVersion: 'v1',
  versions: [
    {
      version: 'v1',
      served: true,
      schema: {},
      verbs: [],
      subresources: [],
      columns: [],
      selectableFields: new Map([['spec.node', '.spec.node']]),
    },
  ],
  strategy: { fields: (object) => ({ derived: `${object.kind}!` }) },
  origin: 'custom',
};

function entry(object: KubeObject, revision = 7): CacheEntry {
  return {
    key: '/apps/widgets/root/ns/x' as StorageKey,
    value: encodeStored(object, definition),
    revision: revision as Revision,
    memo: undefined,
  };
}

/** What `headOf` gives, put together. */
function inParts(stored: CacheEntry): KubeObject {
  const { head, rest } = headOf(stored);
  assert.deepEqual(Object.keys(head), ['apiVersion', 'kind', 'metadata']);
  return { ...head, ...rest() };
}

const full: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Widget',
  metadata: {
    name: 'x',
    namespace: 'ns',
    uid: 'u-1',
    resourceVersion: '3',
    deletionTimestamp: '2026-01-01T00:00:00Z',
    labels: { a: 'ä', b: '' },
    ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u-2' }],
    finalizers: ['f'],
  },
  spec: { node: 'n1', text: 'üñí🙂"\\' },
  status: { ready: true },
};

test('a body carries the revision and nothing of the old one', () => {
  const parsed = JSON.parse(bodyOf(entry(full)).toString()) as KubeObject;
  assert.deepEqual(parsed, { ...full, metadata: { ...full.metadata, resourceVersion: '7' } });
  assert.deepEqual(objectOf(entry(full)), parsed);
  assert.deepEqual(inParts(entry(full)), parsed);
  const deleted = JSON.parse(bodyOf(entry(full), 99 as Revision).toString()) as KubeObject;
  assert.equal(deleted.metadata.resourceVersion, '99');
});

test('another apiVersion can be spliced in', () => {
  const parsed = JSON.parse(bodyOf(entry(full), undefined, 'apps/v1beta1').toString()) as KubeObject;
  assert.equal(parsed.apiVersion, 'apps/v1beta1');
  assert.equal(storedApiVersionOf(entry(full)), 'apps/v1');
});

test('PartialObjectMetadata is a slice (N4)', () => {
  const expected = {
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { ...full.metadata, resourceVersion: '7' },
  };
  assert.deepEqual(JSON.parse(metadataBodyOf(entry(full)).toString()), expected);
  assert.deepEqual(metadataObjectOf(entry(full)), expected);
});

test('lean metadata is metadata without managedFields, wherever they lie', () => {
  const manager = (name: string, fieldsV1?: JsonObject) => ({ manager: name, ...(fieldsV1 && { fieldsV1 }) });
  const fields = { 'f:data': { '.': {} } };
  const cases: readonly KubeObject['metadata'][] = [
    full.metadata,
    { name: 'a' },
    {},
    { managedFields: [manager('a', fields)] },
    { name: 'a', managedFields: [] },
    { name: 'a', managedFields: [manager('a', fields), manager('b', fields)], labels: { z: '1' } },
    { name: 'a', managedFields: [manager('a'), manager('b', fields)] },
    { name: 'a', managedFields: [manager('a', fields), manager('b')] },
    { name: 'a', annotations: { note: 'naïve' }, managedFields: [manager('a', fields)] },
    {
      name: 'a',
      annotations: { managedFields: '[', note: ',"managedFields":[{"fieldsV1":{}}]}' },
      managedFields: [manager(',"managedFields":[', fields)],
    },
  ];
  for (const metadata of cases) {
    const { managedFields: _, ...rest } = metadata;
    const one = entry({ apiVersion: 'apps/v1', kind: 'Widget', metadata, spec: { a: '"managedFields":[' } });
    assert.deepEqual(JSON.parse(leanMetadataBodyOf(one).toString('utf8')), {
      kind: 'PartialObjectMetadata',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { ...rest, resourceVersion: '7' },
    });
    const deleted = JSON.parse(leanMetadataBodyOf(one, 99 as Revision).toString('utf8')) as KubeObject;
    assert.equal(deleted.metadata.resourceVersion, '99');
  }
});

test('the header holds what selectors and garbage collection need', () => {
  const one = entry(full);
  const header = headerOf(one);
  assert.deepEqual(
    { ...header },
    {
      uid: 'u-1',
      labels: full.metadata.labels,
      ownerReferences: full.metadata.ownerReferences,
      finalizers: ['f'],
      deletionTimestamp: '2026-01-01T00:00:00Z',
      fields: { 'spec.node': 'n1', derived: 'Widget!' },
      schemaMark: '',
      differsFrom: undefined,
    },
  );
  assert.equal(headerOf(one), header, 'memoised');
  assert.equal(hasDeletionTimestamp(one), true);
  assert.equal(hasOwnerReferences(one), true);
});

test('empty metadata and no further fields', () => {
  const one = entry({ apiVersion: 'apps/v1', kind: 'Widget', metadata: {} });
  assert.deepEqual(JSON.parse(bodyOf(one).toString()), {
    apiVersion: 'apps/v1',
    kind: 'Widget',
    metadata: { resourceVersion: '7' },
  });
  assert.equal(hasDeletionTimestamp(one), false);
  assert.deepEqual(JSON.parse(metadataBodyOf(one).toString()).metadata, { resourceVersion: '7' });
});

test('decode after encode is the identity, whatever the object holds', () => {
  const text = fc.string({ unit: 'grapheme' });
  const key = text.filter((one) => one !== '__proto__');
  const labels = fc.dictionary(key, text, { noNullPrototype: true });
  const object = fc.record({
    apiVersion: fc.constantFrom('v1', 'apps/v1', 'very.long.group.example.com/v1alpha1'),
    kind: fc.constantFrom('Widget', 'X'),
    metadata: fc.record({ name: text, uid: text, labels, annotations: labels }, { noNullPrototype: true }),
    spec: fc.dictionary(key, jsonFromOutside({ maxDepth: 3 }) as fc.Arbitrary<JsonObject>, {
      noNullPrototype: true,
    }),
  });
  fc.assert(
    fc.property(object, fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (one, revision) => {
      const given: KubeObject = { ...one };
      const stored = entry(given, revision);
      const expected = {
        ...given,
        metadata: { ...given.metadata, resourceVersion: String(revision) },
      };
      assert.deepEqual(objectOf(stored), expected);
      assert.deepEqual(inParts(stored), expected);
      assert.deepEqual(JSON.parse(bodyOf(stored).toString('utf8')), expected);
      assert.deepEqual(headerOf(stored).labels, given.metadata.labels);
    }),
    { numRuns: 200 },
  );
});
