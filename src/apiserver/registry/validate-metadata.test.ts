import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { pathSegmentName } from '#apimachinery/names.ts';
import type { ObjectMeta } from '#apimachinery/object.ts';
import { widgets } from '../verbs/testing/widgets.ts';
import {
  metadataTypeErrors,
  normalizeMetadata,
  updatedMetadataErrors,
  validateMetadata,
  validateMetadataUpdate,
} from './validate-metadata.ts';

const namespaced = widgets();
const clusterScoped = { ...namespaced, namespaced: false };
const byPath = { ...clusterScoped, strategy: { validateName: pathSegmentName } };

const fine: ObjectMeta = { name: 'a', namespace: 'n' };

test('what may not stand in metadata (O4)', () => {
  const rows: [string, ObjectMeta, string[]][] = [
    ['plain', fine, []],
    ['subdomain', { ...fine, name: 'a.b-c.d' }, []],
    ['no name', { namespace: 'n' }, ['metadata.name: Required value: name or generateName is required']],
    ['no namespace', { name: 'a' }, ['metadata.namespace: Required value']],
    [
      'namespace with a dot',
      { name: 'a', namespace: 'a.b' },
      ['metadata.namespace: Invalid value: "a.b": must not contain dots'],
    ],
    ['prefix ending in a dash', { ...fine, generateName: 'job-' }, []],
    ['label key with a prefix', { ...fine, labels: { 'example.com/a': 'b' } }, []],
    ['empty label value', { ...fine, labels: { a: '' } }, []],
    [
      'long label value',
      { ...fine, labels: { a: 'x'.repeat(64) } },
      [`metadata.labels: Invalid value: "${'x'.repeat(64)}": must be no more than 63 bytes`],
    ],
    ['annotation key in capitals', { ...fine, annotations: { 'Example.com/A': 'any \u00e9 text' } }, []],
    [
      'annotation key with two slashes',
      { ...fine, annotations: { 'a/b/c': '' } },
      [/metadata.annotations: Invalid value: "a\/b\/c": a valid label key/.source],
    ],
    ['annotations at the limit', { ...fine, annotations: { a: 'x'.repeat(256 * 1024 - 1) } }, []],
    [
      'annotations over the limit',
      { ...fine, annotations: { a: 'x'.repeat(256 * 1024 - 2), bc: '' } },
      [/Too long: may not be more than 262144 bytes/.source],
    ],
    [
      'both propagation finalizers',
      { ...fine, finalizers: ['orphan', 'foregroundDeletion'] },
      [/finalizer orphan and foregroundDeletion cannot be both set/.source],
    ],
    [
      'an Event as owner',
      { ...fine, ownerReferences: [{ apiVersion: 'v1', kind: 'Event', name: 'e', uid: 'u' }] },
      [/is disallowed from being an owner/.source],
    ],
  ];
  for (const [why, metadata, expected] of rows) {
    const found = validateMetadata(metadata, namespaced).map(({ field, message }) => `${field}: ${message}`);
    assert.equal(found.length, expected.length, `${why}: ${found.join('\n')}`);
    expected.forEach((text, index) => {
      assert.ok(found[index] === text || new RegExp(text).test(found[index]!), `${why}: ${found[index]}`);
    });
  }
});

test('names by the kind’s own rule, never with a slash or a control character', () => {
  assert.deepEqual(validateMetadata({ name: 'system:node' }, byPath), []);
  for (const name of ['a/b', 'a\u0000b', 'a\u007fb', '.', 'a%b']) {
    assert.notDeepEqual(validateMetadata({ name }, byPath), [], JSON.stringify(name));
  }
  assert.equal(
    validateMetadata({ name: 'a', namespace: 'n' }, clusterScoped)[0]?.type,
    'FieldValueForbidden',
  );
});

test('types are looked at before anything relies on them', () => {
  const rows: [JsonObject, string | undefined][] = [
    [{ name: 'a', labels: { a: 'b' }, creationTimestamp: null, generation: 1 }, undefined],
    [{ name: 5 }, 'metadata.name'],
    [{ labels: [] }, 'metadata.labels'],
    [{ labels: { a: 1 } }, 'metadata.labels.a'],
    [{ annotations: { a: true } }, 'metadata.annotations.a'],
    [{ finalizers: [1] }, 'metadata.finalizers[0]'],
    [{ finalizers: 'x' }, 'metadata.finalizers'],
    [{ ownerReferences: ['x'] }, 'metadata.ownerReferences[0]'],
    [{ ownerReferences: [{ uid: 1 }] }, 'metadata.ownerReferences[0]'],
    [{ managedFields: [null] }, 'metadata.managedFields[0]'],
    [{ creationTimestamp: 'yesterday' }, 'metadata.creationTimestamp'],
    [{ deletionTimestamp: 5 }, 'metadata.deletionTimestamp'],
    [{ generation: 1.5 }, 'metadata.generation'],
    [{ resourceVersion: 5 }, 'metadata.resourceVersion'],
  ];
  for (const [metadata, field] of rows) {
    assert.equal(metadataTypeErrors(metadata)[0]?.field, field, JSON.stringify(metadata));
  }
});

test('what a typed decoder would leave out is left out', () => {
  const metadata = {
    name: 'a',
    generateName: '',
    creationTimestamp: null,
    labels: {},
    annotations: { a: null },
    finalizers: [],
    ownerReferences: null,
    selfLink: '/x',
  } as unknown as ObjectMeta;
  normalizeMetadata(metadata);
  assert.deepEqual(metadata, { name: 'a', annotations: { a: '' } });
});

test('what may not change (C3, X3)', () => {
  const old: ObjectMeta = {
    ...fine,
    uid: 'u',
    creationTimestamp: '2026-01-01T00:00:00Z',
    deletionTimestamp: '2026-01-02T00:00:00Z',
    finalizers: ['a.b/c'],
  };
  const rows: [ObjectMeta, string | undefined][] = [
    [old, undefined],
    [{ ...old, finalizers: [] }, undefined],
    [{ ...old, labels: { a: 'b' } }, undefined],
    [{ ...old, name: 'b' }, 'metadata.name'],
    [{ ...old, namespace: 'm' }, 'metadata.namespace'],
    [{ ...old, uid: 'v' }, 'metadata.uid'],
    [{ ...old, creationTimestamp: '2026-01-01T00:00:01Z' }, 'metadata.creationTimestamp'],
    [{ ...old, finalizers: ['a.b/c', 'a.b/d'] }, 'metadata.finalizers'],
  ];
  for (const [metadata, field] of rows) {
    assert.equal(validateMetadataUpdate(metadata, old)[0]?.field, field, JSON.stringify(metadata));
  }
});

test('an update is looked at as a whole, for its change, and again by its kind (rest.BeforeUpdate)', () => {
  const kind = { ...namespaced, origin: 'builtin', group: '' } as const;
  const of = (look: 'change' | 'whole' | 'both' | 'none', metadata: ObjectMeta, subresource = '') =>
    updatedMetadataErrors(metadata, fine, { ...kind, strategy: { metadataLooks: look } }, subresource);
  const looks = ['none', 'change', 'whole', 'both'] as const;
  const counts = (metadata: ObjectMeta, subresource = '') =>
    looks.map((look) => of(look, metadata, subresource).length);
  assert.deepEqual(counts(fine), [0, 0, 0, 0]);
  assert.deepEqual(counts({ ...fine, labels: { a: '-' } }), [2, 3, 3, 4]);
  assert.deepEqual(counts({ ...fine, labels: { a: '-' } }, 'status'), [2, 3, 3, 3]);
  assert.deepEqual(counts({ ...fine, finalizers: ['plain'] }), [0, 1, 1, 2], 'core finalizers have a domain');
  assert.deepEqual(
    counts({ ...fine, generateName: 'Not_A_Name' }),
    [0, 0, 1, 1],
    'the kind’s rule for names',
  );
  assert.deepEqual(counts({ ...fine, generateName: 'a/b' }), [1, 1, 2, 2], 'what no path holds');
  const owners = [{ apiVersion: 'x', kind: 'x', name: 'x', uid: '' }];
  const volume = builtinDefinitions().find(({ kind: name }) => name === 'PersistentVolume')!;
  const told = updatedMetadataErrors({ name: 'a', ownerReferences: owners }, { name: 'a' }, volume, '');
  assert.equal(told.length, 4, 'a volume is looked at as a whole twice');
});
