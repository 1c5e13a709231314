import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { crdConflict, mergeCrdVersions, normalizeCrd, storedAsServed } from './crd-normalize.ts';

const version = (name: string, properties: JsonObject, more: JsonObject = {}): JsonObject => ({
  name,
  served: true,
  storage: true,
  schema: { openAPIV3Schema: { type: 'object', properties } },
  ...more,
});
const crd = (versions: JsonObject[], more: JsonObject = {}): JsonObject => ({
  spec: {
    group: 'e.com',
    scope: 'Namespaced',
    names: { plural: 'things', kind: 'Thing' },
    versions,
    ...more,
  },
});
const text = { type: 'string' };

const rows: [string, JsonObject, JsonObject, string | undefined][] = [
  ['equal', crd([version('v1', { a: text })]), crd([version('v1', { a: text })]), undefined],
  [
    'prose, columns and the storage flag do not count',
    crd([version('v1', { a: text })]),
    crd([
      version(
        'v1',
        { a: { type: 'string', description: 'd' } },
        { storage: false, additionalPrinterColumns: [{}] },
      ),
    ]),
    undefined,
  ],
  [
    'a property named description counts',
    crd([version('v1', { description: text })]),
    crd([version('v1', { description: { type: 'integer' } })]),
    'spec.versions[v1].schema.openAPIV3Schema.properties.description.type',
  ],
  [
    'defaulted names',
    crd([version('v1', {})]),
    crd([version('v1', {})], {
      names: { plural: 'things', kind: 'Thing', singular: 'thing', listKind: 'ThingList' },
    }),
    undefined,
  ],
  ['scope', crd([version('v1', {})]), crd([version('v1', {})], { scope: 'Cluster' }), 'spec.scope'],
  [
    'kind',
    crd([version('v1', {})]),
    crd([version('v1', {})], { names: { plural: 'things', kind: 'Other' } }),
    'spec.names.kind',
  ],
  ['another version alone', crd([version('v1', {})]), crd([version('v2', { b: text })]), undefined],
  [
    'a field more',
    crd([version('v1', { a: text, b: text })]),
    crd([version('v1', { a: text })]),
    'spec.versions[v1].schema.openAPIV3Schema.properties.b',
  ],
  [
    'a subresource',
    crd([version('v1', {}, { subresources: { status: {} } })]),
    crd([version('v1', {})]),
    'spec.versions[v1].subresources.status',
  ],
];
for (const [what, ours, theirs, want] of rows) {
  test(`definitions: ${what}`, () => {
    assert.equal(crdConflict(normalizeCrd(ours), normalizeCrd(theirs)), want);
  });
}

test('merging adds versions and keeps one storage version', () => {
  const theirs = crd([version('v1', {})])['spec'] as JsonObject;
  const ours = crd([version('v1', {}), version('v2', {})])['spec'] as JsonObject;
  const merged = mergeCrdVersions(theirs, ours)['versions'] as JsonObject[];
  assert.deepEqual(
    merged.map(({ name, storage }) => [name, storage]),
    [
      ['v1', true],
      ['v2', false],
    ],
  );
  assert.equal(mergeCrdVersions(theirs, theirs), theirs);
});

test('a definition is stored in a version that the edge serves, if there is one', () => {
  const spec = crd([
    version('v1', {}, { served: true, storage: true }),
    version('v1beta1', {}, { served: true, storage: false }),
  ])['spec'] as JsonObject;
  const kind = String((spec['names'] as JsonObject)['kind']);
  const stored = (...served: string[]) => {
    const kinds = served.map((name) => `${String(spec['group'])}/${name}/${kind}`);
    const versions = storedAsServed(spec, kinds)['versions'] as JsonObject[];
    return versions.filter(({ storage }) => storage === true).map(({ name }) => name);
  };
  assert.deepEqual(stored('v1beta1'), ['v1beta1']);
  assert.deepEqual(stored('v1', 'v1beta1'), ['v1']);
  assert.deepEqual(stored('v2'), ['v1']);
  assert.equal(storedAsServed(spec, undefined), spec);
});
