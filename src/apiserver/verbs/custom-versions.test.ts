import assert from 'node:assert/strict';
import { test } from 'node:test';
import { definitionFromCrd } from '#api/apiextensions/definition-from-crd.ts';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { createScheme } from '#apimachinery/scheme-build.ts';
import { renderAsStored } from '../registry/conversion.ts';
import { Harness } from './testing/harness.ts';

/** A CRD `things.example.com` whose versions have these properties in their specs; conversion None. */
function things(versions: { readonly [name: string]: JsonObject }, storage: string): ResourceDefinition {
  return definitionFromCrd({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
      versions: Object.entries(versions).map(([name, properties]) => ({
        name,
        served: true,
        storage: name === storage,
        schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } } } },
      })),
    },
  });
}

const text = { type: 'string' };
const url = (version: string) => `/apis/example.com/${version}/namespaces/default/things`;
const thing = (version: string, spec: JsonObject): JsonObject => ({
  apiVersion: `example.com/${version}`,
  kind: 'Thing',
  metadata: { name: 'a' },
  spec,
});

/** What a change of the CRD does to a server that runs. */
function redefine(harness: Harness, definition: ResourceDefinition): void {
  const root = harness.workspaces.get('root');
  assert.ok(root !== undefined);
  const scheme = createScheme([...builtinDefinitions(), definition]);
  harness.workspaces.set('root', { ...root, scheme });
}

const specOf = async (harness: Harness, version: string) =>
  (await harness.get(`${url(version)}/a`)).object['spec'];

// apiextensions customresource_handler.go: schemaCoercingDecoder, schemaCoercingConverter, unstructuredDefaulter.
test('what the storage version does not know is not stored; what the served one does not know is not shown (R7)', async () => {
  const v1 = { both: text, one: text };
  const v2 = { both: text, two: { ...text, default: 'of storage' } };
  await using harness = await Harness.open({ definitions: [things({ v1, v2 }, 'v2')] });
  const made = await harness.post(url('v1'), thing('v1', { both: 'b', one: 'lost' }));
  assert.deepEqual(made.object['spec'], { both: 'b' });
  assert.deepEqual(await specOf(harness, 'v2'), { both: 'b', two: 'of storage' });
  assert.deepEqual(await specOf(harness, 'v1'), { both: 'b' });
  const { body } = await harness.send('GET', url('v1'));
  assert.deepEqual((body['items'] as JsonObject[] | undefined)?.[0]?.['spec'], { both: 'b' });

  const trial = await harness.patch(`${url('v1')}/a?dryRun=All`, 'merge', {
    spec: { one: 'lost', both: 'c' },
  });
  assert.deepEqual(trial.object['spec'], { both: 'c' });
});

test('a default of the served version is one for what is written, not for what is read (R7)', async () => {
  const v1 = { size: { type: 'integer', default: 1 } };
  const v2 = { size: { type: 'integer' } };
  await using harness = await Harness.open({ definitions: [things({ v1, v2 }, 'v2')] });
  await harness.post(url('v2'), thing('v2', {}));
  assert.deepEqual(await specOf(harness, 'v1'), {});
  const { object } = await harness.patch(`${url('v1')}/a`, 'merge', { metadata: { labels: { a: 'b' } } });
  assert.deepEqual(object['spec'], { size: 1 });
});

test('a default that the storage version had from another version’s write is that of the day (R7)', async () => {
  const v1 = { a: text };
  const two = (value: string) => ({ a: text, two: { ...text, default: value } });
  await using harness = await Harness.open({ definitions: [things({ v1, v2: two('old') }, 'v2')] });
  await harness.post(url('v1'), thing('v1', { a: 'a' }));
  redefine(harness, things({ v1, v2: two('new') }, 'v2'));
  assert.deepEqual(await specOf(harness, 'v2'), { a: 'a', two: 'new' });
});

test('what today’s schema does not know is not shown, and goes with the next write, be it of nothing (R3, C5)', async () => {
  const old = things({ v1: { a: text, b: text } }, 'v1');
  await using harness = await Harness.open({ definitions: [old] });
  await harness.post(url('v1'), thing('v1', { a: 'a', b: 'b' }));
  redefine(harness, things({ v1: { a: text } }, 'v1'));
  const { object: read } = await harness.get(`${url('v1')}/a`);
  assert.deepEqual(read['spec'], { a: 'a' });
  const { object: written } = await harness.patch(`${url('v1')}/a`, 'merge', {});
  assert.notEqual(written.metadata.resourceVersion, read.metadata.resourceVersion);
  const { object: again } = await harness.patch(`${url('v1')}/a`, 'merge', {});
  assert.equal(again.metadata.resourceVersion, written.metadata.resourceVersion);
  redefine(harness, old);
  assert.deepEqual(await specOf(harness, 'v1'), { a: 'a' });
});

test('what is as another schema would have it is read anew once, and then sent as it lies there (R3)', async () => {
  const old = things({ v1: { a: text } }, 'v1');
  await using harness = await Harness.open({ definitions: [old] });
  await harness.post(url('v1'), thing('v1', { a: 'a' }));
  const isSentAsStored = (definition: ResourceDefinition) => {
    const [entry] = [...harness.storage.snapshot('/example.com/').entries()];
    assert.ok(entry !== undefined);
    return renderAsStored(entry, { definition, version: definition.versions[0]! }) !== undefined;
  };
  assert.ok(isSentAsStored(old), 'it was written so');
  const wider = things({ v1: { a: text, b: text } }, 'v1');
  redefine(harness, wider);
  assert.ok(!isSentAsStored(wider), 'nobody has looked yet');
  assert.deepEqual(await specOf(harness, 'v1'), { a: 'a' });
  assert.ok(isSentAsStored(wider));
  const defaulting = things({ v1: { a: text, b: { ...text, default: 'b' } } }, 'v1');
  redefine(harness, defaulting);
  for (const _ of [1, 2]) {
    assert.deepEqual(await specOf(harness, 'v1'), { a: 'a', b: 'b' });
    assert.ok(!isSentAsStored(defaulting), 'a default is that of the day');
  }
  redefine(harness, wider);
  assert.deepEqual(await specOf(harness, 'v1'), { a: 'a' });
  assert.ok(isSentAsStored(wider));
});

// What a storage version migration relies on: it writes each object as it read it.
test('a write of nothing moves an object to the storage version (R7, C5)', async () => {
  const versions = { v1: { a: text }, v2: { a: text } };
  await using harness = await Harness.open({ definitions: [things(versions, 'v1')] });
  const { object: made } = await harness.post(url('v1'), thing('v1', { a: 'a' }));
  redefine(harness, things(versions, 'v2'));
  const { object: read } = await harness.get(`${url('v2')}/a`);
  assert.equal(read.metadata.resourceVersion, made.metadata.resourceVersion);
  const { object: moved } = await harness.put(`${url('v2')}/a`, read);
  assert.notEqual(moved.metadata.resourceVersion, read.metadata.resourceVersion);
  const { object: again } = await harness.put(`${url('v2')}/a`, moved);
  assert.equal(again.metadata.resourceVersion, moved.metadata.resourceVersion);
});

// structured-merge-diff merge/update.go compares in each manager's version, by that version's schema.
test('what a manager owns in another version is compared by that version’s list types (P6, R7)', async () => {
  const list = (type: string) => ({ l: { type: 'array', items: text, 'x-kubernetes-list-type': type } });
  const versions = { v1: list('atomic'), v2: list('set') };
  await using harness = await Harness.open({ definitions: [things(versions, 'v1')] });
  await harness.patch(`${url('v2')}/a?fieldManager=one`, 'apply', thing('v2', { l: ['a', 'b'] }));
  const two = `${url('v1')}/a?fieldManager=two`;
  const { object } = await harness.patch(two, 'merge', { spec: { l: ['b', 'c'] } });
  const owned = Object.fromEntries(
    (object.metadata.managedFields ?? []).map(({ manager = '', fieldsV1 }) => [manager, fieldsV1]),
  );
  assert.deepEqual(owned, {
    one: { 'f:spec': { 'f:l': { 'v:"b"': {} } } },
    two: { 'f:spec': { 'f:l': {} } },
  });
});
