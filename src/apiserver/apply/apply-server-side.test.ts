import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { apply, config, later, now, update } from './testing/appliers.ts';

type Step =
  | { readonly apply: string; readonly spec: JsonObject; readonly force?: true }
  | { readonly update: string; readonly spec: JsonObject };

/** [rule, steps, the spec that comes out, the managers that remain] */
const rows: [string, Step[], JsonObject | undefined, string[]][] = [
  ['P3: absent object is created', [{ apply: 'a', spec: { replicas: 1 } }], { replicas: 1 }, ['a']],
  [
    'P5: dropped field of one owner goes',
    [
      { apply: 'a', spec: { replicas: 1, title: 't' } },
      { apply: 'a', spec: { replicas: 1 } },
    ],
    { replicas: 1 },
    ['a'],
  ],
  [
    'P5: dropping everything removes the struct',
    [
      { apply: 'a', spec: { nested: { inner: { leaf: 'x' } }, title: 't' } },
      { apply: 'a', spec: { title: 't' } },
    ],
    { title: 't' },
    ['a'],
  ],
  [
    'P5: dropped field of two owners stays',
    [
      { apply: 'a', spec: { replicas: 1 } },
      { apply: 'b', spec: { replicas: 1 } },
      { apply: 'a', spec: {} },
    ],
    { replicas: 1 },
    ['a', 'b'],
  ],
  [
    'P5: same values co-own',
    [
      { apply: 'a', spec: { replicas: 1 } },
      { apply: 'b', spec: { replicas: 1 } },
    ],
    { replicas: 1 },
    ['a', 'b'],
  ],
  [
    'P5: force takes ownership',
    [
      { apply: 'a', spec: { replicas: 1 } },
      { apply: 'b', spec: { replicas: 2 }, force: true },
    ],
    { replicas: 2 },
    ['b'],
  ],
  [
    'P5: an update takes ownership; the applier may then drop the field',
    [
      { apply: 'a', spec: { replicas: 1, title: 't' } },
      { update: 'u', spec: { replicas: 2, title: 't' } },
      { apply: 'a', spec: { title: 't' } },
    ],
    { replicas: 2, title: 't' },
    ['a', 'u'],
  ],
  [
    'P5: fields that others added stay',
    [
      { apply: 'a', spec: { labels: { x: '1' } } },
      { update: 'u', spec: { labels: { x: '1', y: '1' } } },
      { apply: 'a', spec: { labels: { z: '1' } } },
    ],
    { labels: { y: '1', z: '1' } },
    ['a', 'u'],
  ],
  [
    'P5: a dropped map with members of others stays',
    [
      { apply: 'a', spec: { labels: { x: '1' } } },
      { update: 'u', spec: { labels: { x: '1', y: '1' } } },
      { apply: 'a', spec: {} },
    ],
    { labels: { y: '1' } },
    ['a', 'u'],
  ],
  [
    'P5: all members dropped takes the map',
    [
      { apply: 'a', spec: { labels: { x: '1' }, title: 't' } },
      { apply: 'a', spec: { title: 't' } },
    ],
    { title: 't' },
    ['a'],
  ],
  [
    'P5: an empty map applied stays',
    [
      { apply: 'a', spec: { labels: { x: '1' }, title: 't' } },
      { apply: 'a', spec: { title: 't', labels: {} } },
    ],
    { title: 't', labels: {} },
    ['a'],
  ],
  [
    'P6: set elements merge',
    [
      { apply: 'a', spec: { set: ['x'] } },
      { apply: 'b', spec: { set: ['y'] } },
    ],
    { set: ['x', 'y'] },
    ['a', 'b'],
  ],
  [
    'P6: set element dropped',
    [
      { apply: 'a', spec: { set: ['x', 'z'] } },
      { apply: 'b', spec: { set: ['y', 'z'] } },
      { apply: 'a', spec: { set: ['x'] } },
    ],
    { set: ['x', 'y', 'z'] },
    ['a', 'b'],
  ],
  [
    'P6: set order as applied, live ones in place',
    [
      { apply: 'a', spec: { set: ['x', 'y'] } },
      { apply: 'b', spec: { set: ['y', 'n', 'x'] } },
    ],
    { set: ['y', 'n', 'x'] },
    ['a', 'b'],
  ],
  [
    'P6: keyed list merges by all keys',
    [
      { apply: 'a', spec: { ports: [{ port: 80, protocol: 'TCP', name: 'a' }] } },
      { apply: 'b', spec: { ports: [{ port: 80, protocol: 'UDP', name: 'b' }] } },
    ],
    {
      ports: [
        { port: 80, protocol: 'TCP', name: 'a' },
        { port: 80, protocol: 'UDP', name: 'b' },
      ],
    },
    ['a', 'b'],
  ],
  [
    'P6: keys left out take their default',
    [
      { apply: 'a', spec: { ports: [{ port: 80, protocol: 'TCP', name: 'a' }] } },
      { apply: 'b', spec: { ports: [{ port: 80, note: 'n' }] } },
    ],
    { ports: [{ port: 80, protocol: 'TCP', name: 'a', note: 'n' }] },
    ['a', 'b'],
  ],
  [
    'P6: element dropped',
    [
      { apply: 'a', spec: { items: [{ name: 'x' }, { name: 'y', value: '1' }] } },
      { apply: 'a', spec: { items: [{ name: 'x' }] } },
    ],
    { items: [{ name: 'x' }] },
    ['a'],
  ],
  [
    'P6: element dropped that another owns in part stays in that part',
    [
      { apply: 'a', spec: { items: [{ name: 'x', value: '1' }] } },
      { apply: 'b', spec: { items: [{ name: 'x', set: ['s'] }] } },
      { apply: 'a', spec: { items: [] } },
    ],
    { items: [{ name: 'x', set: ['s'] }] },
    ['b'],
  ],
  [
    'P6: field of an element dropped',
    [
      { apply: 'a', spec: { items: [{ name: 'x', value: '1' }] } },
      { apply: 'a', spec: { items: [{ name: 'x' }] } },
    ],
    { items: [{ name: 'x' }] },
    ['a'],
  ],
  [
    'P6: nested list in a keyed list',
    [
      { apply: 'a', spec: { items: [{ name: 'x', set: ['1', '2'] }] } },
      { apply: 'b', spec: { items: [{ name: 'x', set: ['3'] }] } },
      { apply: 'a', spec: { items: [{ name: 'x', set: ['2'] }] } },
    ],
    { items: [{ name: 'x', set: ['2', '3'] }] },
    ['a', 'b'],
  ],
  [
    'P6: atomic list replaced whole',
    [
      { apply: 'a', spec: { atomicList: ['1', '2'] } },
      { apply: 'a', spec: { atomicList: ['3'] } },
    ],
    { atomicList: ['3'] },
    ['a'],
  ],
  [
    'P6: atomic map replaced whole',
    [
      { apply: 'a', spec: { atomicMap: { a: '1', b: '1' } } },
      { apply: 'a', spec: { atomicMap: { c: '1' } } },
    ],
    { atomicMap: { c: '1' } },
    ['a'],
  ],
  [
    'P6: unknown fields are granular maps, atomic lists',
    [
      { apply: 'a', spec: { open: { m: { x: 1 }, l: [1, 2] } } },
      { apply: 'b', spec: { open: { m: { y: 1 } } } },
      { apply: 'a', spec: { open: { l: [3] } } },
    ],
    { open: { m: { y: 1 }, l: [3] } },
    ['a', 'b'],
  ],
  [
    'P6: int-or-string is one value',
    [
      { apply: 'a', spec: { amount: 1 } },
      { apply: 'a', spec: { amount: '50%' } },
    ],
    { amount: '50%' },
    ['a'],
  ],
  [
    'P6: element order follows the applied one',
    [
      { apply: 'a', spec: { items: [{ name: 'x' }, { name: 'y' }] } },
      { apply: 'b', spec: { items: [{ name: 'n' }] } },
      { apply: 'a', spec: { items: [{ name: 'y' }, { name: 'x' }] } },
    ],
    { items: [{ name: 'y' }, { name: 'n' }, { name: 'x' }] },
    ['a', 'b'],
  ],
  [
    'null of a nullable field is kept',
    [
      { apply: 'a', spec: { optional: 'x' } },
      { apply: 'a', spec: { optional: null } },
    ],
    { optional: null },
    ['a'],
  ],
  [
    'a null map claims nothing of a filled one',
    [
      { update: 'u', spec: { labels: { x: '1' } } },
      { apply: 'a', spec: { labels: null } },
    ],
    { labels: { x: '1' } },
    ['a', 'u'],
  ],
];

for (const [name, steps, spec, managers] of rows) {
  test(`apply: ${name}`, () => {
    let object: KubeObject | undefined;
    for (const step of steps) {
      object =
        'apply' in step
          ? apply(object, step.apply, config(step.spec), { force: step.force === true })
          : update(object, step.update, { ...(object ?? config({})), spec: step.spec });
    }
    assert.deepEqual(object?.['spec'], spec);
    const last = steps.at(-1);
    assert.deepEqual(
      [...new Set(object?.metadata.managedFields?.map((one) => one.manager))].sort(),
      managers,
      JSON.stringify(last),
    );
  });
}

test('P6: the same manager is another one per subresource', () => {
  let live = apply(undefined, 'a', config({ replicas: 1 }), { resetFields: ['status'] });
  live = apply(
    live,
    'a',
    { ...config(undefined), status: { phase: 'ok' } },
    { subresource: 'status', resetFields: ['spec'] },
  );
  assert.deepEqual(live['spec'], { replicas: 1 });
  assert.deepEqual(live['status'], { phase: 'ok' });
  assert.deepEqual(
    live.metadata.managedFields?.map((one) => [one.operation, one.subresource, one.fieldsV1]),
    [
      ['Apply', undefined, { 'f:spec': { 'f:replicas': {} } }],
      ['Apply', 'status', { 'f:status': { 'f:phase': {} } }],
    ],
  );
});

test('applying the same twice changes nothing, not even times (C5)', () => {
  const applied = config(
    { replicas: 1, set: ['b', 'a'], ports: [{ port: 80 }], open: { x: [1] } },
    { labels: { l: '1' } },
  );
  const once = apply(undefined, 'a', applied);
  assert.deepEqual(apply(once, 'a', applied, { at: later }), once);
  const timeOf = (object: KubeObject, manager: string) =>
    object.metadata.managedFields?.find((one) => one.manager === manager)?.time;
  const other = apply(once, 'b', config({ replicas: 1, title: 't' }), { at: later });
  assert.equal(timeOf(other, 'b'), later);
  assert.equal(timeOf(other, 'a'), now);
  // managedFieldsUpdater.Apply: no time is taken where the object stays as it is, though owned by more.
  const coOwner = apply(once, 'b', config({ replicas: 1 }), { at: later });
  assert.equal(timeOf(coOwner, 'b'), undefined);
  assert.equal(timeOf(apply(other, 'b', config({ title: 't' }), { at: '2026-01-03T00:00:00Z' }), 'b'), later);
});

test('P5: metadata that nobody owns outlasts the last that somebody owned', () => {
  const live = apply(undefined, 'a', config({ title: 't' }, { finalizers: ['x.y/z'] }));
  const labelled = { ...live, metadata: { ...live.metadata, labels: { nobody: '1' } } };
  const { metadata } = apply(labelled, 'a', config({ title: 't' }));
  assert.deepEqual(metadata.labels, { nobody: '1' });
  assert.equal(metadata['finalizers'], undefined);
});

test('P5: what another manager claims as empty stays when its last member goes', () => {
  const claimed = apply(undefined, 'b', config({ labels: {} }));
  const filled = apply(claimed, 'a', config({ labels: { x: '1' } }));
  const emptied = apply(filled, 'a', config({}));
  assert.deepEqual(emptied['spec'], { labels: {} });
  assert.deepEqual(emptied.metadata.managedFields?.find((one) => one.manager === 'b')?.fieldsV1, {
    'f:spec': { 'f:labels': {} },
  });
  assert.deepEqual(apply(emptied, 'b', config({}))['spec'], {});
});

test('P6: live duplicates are tolerated and give way to the applied element', () => {
  const live = update(
    undefined,
    'u',
    config({ items: [{ name: 'x', value: '1' }, { name: 'y' }, { name: 'x', value: '2' }] }),
  );
  const same = apply(live, 'a', config({ title: 't' }));
  assert.deepEqual((same['spec'] as JsonObject)['items'], (live['spec'] as JsonObject)['items']);
  const forced = apply(live, 'a', config({ items: [{ name: 'x', value: '3' }] }), { force: true });
  assert.deepEqual((forced['spec'] as JsonObject)['items'], [{ name: 'x', value: '3' }, { name: 'y' }]);
});

test('metadata: nulls do not wipe what the server set, labels merge', () => {
  const live = apply(undefined, 'a', config({}, { labels: { a: '1' } }));
  live.metadata.uid = 'u';
  live.metadata.creationTimestamp = now;
  const object = apply(live, 'b', config({}, { creationTimestamp: null, labels: { b: '1' } }));
  assert.equal(object.metadata.creationTimestamp, now);
  assert.equal(object.metadata.uid, 'u');
  assert.deepEqual(object.metadata.labels, { a: '1', b: '1' });
  const dropped = apply(object, 'b', config({}));
  assert.deepEqual(dropped.metadata.labels, { a: '1' });
  assert.equal(dropped.metadata.name, 'w');
});
