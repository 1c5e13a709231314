import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { copyDefinition, copyName } from '#api/federation/copy.ts';
import { copyAnnotations, copyLabels, syncAnnotations } from '#api/federation/copy-contract.ts';
import type { KubeObject, ManagedFieldsEntry, ObjectMeta } from '#apimachinery/object.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import { objectKey, parseObjectKey } from '#storage/keys.ts';
import type { Revision } from '#storage/storage.ts';
import { encodeStored } from '../registry/encode-stored.ts';
import { entryOf, headerOf, objectOf } from '../registry/stored-object.ts';
import { encodeCopy, parsedCopy, splicedCopy } from './copy-encoding.ts';

const revision = 41 as Revision;
const manager: ManagedFieldsEntry = {
  manager: 'cellplane-scheduler',
  operation: 'Apply',
  apiVersion: 'v1',
  time: '2026-01-02T03:04:05Z',
  fieldsType: 'FieldsV1',
  fieldsV1: { 'f:data': { 'f:key': {} }, 'f:metadata': { 'f:annotations': { 'f:x': {} } } },
};

interface Made {
  readonly metadata?: ObjectMeta;
  readonly annotations?: { readonly [key: string]: string };
  readonly rest?: { readonly [member: string]: never } | object;
  readonly resource?: string;
}

function copyEntry({
  metadata = {},
  annotations = {},
  rest = {},
  resource = 'configmaps',
}: Made): CacheEntry {
  const object = {
    apiVersion: 'v1',
    kind: resource === 'secrets' ? 'Secret' : 'ConfigMap',
    metadata: {
      name: 'web',
      namespace: 'shop-default-x',
      labels: { [copyLabels.originCluster]: 'c1', name: 'web' },
      annotations: {
        name: 'web',
        [copyAnnotations.originName]: 'web',
        [copyAnnotations.contentHash]: 'h1',
        ...annotations,
      },
      uid: 'u1',
      creationTimestamp: '2026-01-02T03:04:05Z',
      generation: 1,
      managedFields: [manager],
      ...metadata,
    },
    ...rest,
  } as KubeObject;
  const { name = '', namespace = '' } = object.metadata;
  const key = objectKey({ group: '', resource, clusterId: 'cell', namespace, name });
  return entryOf({ key, value: encodeStored(object, copyDefinition), revision });
}

function shown(value: Buffer | undefined): KubeObject {
  assert.ok(value !== undefined);
  return objectOf({ key: '/k' as CacheEntry['key'], value, revision });
}

/** Both ways give the same Copy, and the same header. */
function assertSame(entry: CacheEntry, withObject: boolean): void {
  const place = parseObjectKey(entry.key);
  const spliced = splicedCopy(entry, place, withObject);
  const parsed = parsedCopy(entry, place, withObject);
  assert.deepEqual(shown(spliced), shown(parsed));
  const header = (value: Buffer) => headerOf(entryOf({ key: entry.key, value, revision }));
  assert.deepEqual(header(spliced as Buffer), header(parsed));
}

describe('a Copy made of stored bytes', () => {
  it('is what parsing makes of them', () => {
    const entry = copyEntry({ rest: { data: { key: 'value "quoted"' } } });
    for (const withObject of [true, false]) assertSame(entry, withObject);
    const copy = shown(encodeCopy(entry, parseObjectKey(entry.key), true));
    assert.equal(copy.metadata.name, copyName({ group: '', resource: 'configmaps' }, 'web'));
    assert.equal(copy['contentHash'], 'h1');
    assert.deepEqual(copy['target'], {
      group: '',
      version: 'v1',
      resource: 'configmaps',
      kind: 'ConfigMap',
      namespace: 'shop-default-x',
      name: 'web',
    });
    const { object } = copy as { object?: KubeObject };
    assert.equal(object?.metadata.name, 'web');
    assert.equal(object?.metadata.resourceVersion, String(revision));
    assert.equal(object?.metadata.managedFields, undefined);
    assert.deepEqual(object?.['data'], { key: 'value "quoted"' });
  });

  it('bears the copy itself only where a syncer will want it', () => {
    const told = (made: Made) => {
      const entry = copyEntry(made);
      assertSame(entry, true);
      return 'object' in shown(encodeCopy(entry, parseObjectKey(entry.key), true));
    };
    assert.equal(told({}), true);
    assert.equal(told({ annotations: { [syncAnnotations.syncedHash]: 'h0' } }), true);
    assert.equal(told({ annotations: { [syncAnnotations.syncedHash]: 'h1' } }), false);
    assert.equal(told({ metadata: { deletionTimestamp: '2026-01-02T03:04:06Z', finalizers: ['f'] } }), false);
    assert.equal(told({ resource: 'secrets' }), false);
    assert.equal(told({ rest: { data: { key: 'x'.repeat(70_000) } } }), false);
  });

  it('is parsed where something lies otherwise, with the same result', () => {
    const otherwise: Made[] = [
      { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u' }] } },
      { annotations: { [copyAnnotations.contentHash]: 'a"b' } },
      { metadata: { labels: { [copyLabels.originCluster]: 'c1', [syncAnnotations.syncedHash]: 'h1' } } },
      { rest: { data: { key: 'Grüße' } } },
      { metadata: { name: 'a"b' } },
    ];
    for (const made of otherwise) {
      const entry = copyEntry(made);
      const place = parseObjectKey(entry.key);
      assert.equal(splicedCopy(entry, place, true), undefined, JSON.stringify(made));
      assert.deepEqual(encodeCopy(entry, place, true), parsedCopy(entry, place, true));
    }
    const unmanaged = copyEntry({});
    const { managedFields: _, ...metadata } = objectOf(unmanaged).metadata;
    const value = encodeStored({ apiVersion: 'v1', kind: 'ConfigMap', metadata }, copyDefinition);
    const entry = entryOf({ key: unmanaged.key, value, revision });
    assert.equal(splicedCopy(entry, parseObjectKey(entry.key), true), undefined);
  });

  it('is the same for any copy (property)', () => {
    const text = fc.string({ maxLength: 20 });
    const annotations = fc.dictionary(
      fc.oneof(text, fc.constantFrom(syncAnnotations.syncedHash, copyAnnotations.contentHash)),
      fc.oneof(text, fc.constantFrom('h1', '"federation.cellplane.io/content-hash":"h2"')),
    );
    const made = fc.record({
      annotations,
      rest: fc.record({ data: fc.dictionary(text, text), spec: fc.jsonValue({ maxDepth: 3 }) }),
    });
    fc.assert(
      fc.property(made, fc.boolean(), (one, withObject) => {
        const entry = copyEntry(one);
        const place = parseObjectKey(entry.key);
        const expected = shown(parsedCopy(entry, place, withObject));
        assert.deepEqual(shown(encodeCopy(entry, place, withObject)), expected);
      }),
      { numRuns: 100 },
    );
  });
});
