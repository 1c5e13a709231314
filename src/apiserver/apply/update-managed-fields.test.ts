import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { builtinSchema } from '#api/builtin/builtin-schema.ts';
import { cloneJson, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject, ManagedFieldsEntry } from '#apimachinery/object.ts';
import { widgetSchema } from './testing/widget-schema.ts';
import { type UpdateRequest, updateManagedFields } from './update-managed-fields.ts';

const apiVersion = 'example.com/v1';
const t0 = '2026-01-01T00:00:00Z';
const t1 = '2026-01-02T00:00:00Z';

function widget(spec: JsonObject, metadata: JsonObject = {}, status?: JsonObject): KubeObject {
  return {
    apiVersion,
    kind: 'Widget',
    metadata: { name: 'w', uid: 'u', ...metadata },
    spec,
    ...(status === undefined ? {} : { status }),
  } as KubeObject;
}

function update(
  request: Partial<UpdateRequest> & Pick<UpdateRequest, 'live' | 'updated'>,
): ManagedFieldsEntry[] {
  const inputs = JSON.stringify([request.live, request.updated]);
  const result = updateManagedFields({
    schema: widgetSchema,
    manager: 'm',
    operation: 'Update',
    apiVersion,
    subresource: '',
    now: t1,
    ...request,
  });
  assert.equal(JSON.stringify([request.live, request.updated]), inputs, 'inputs changed');
  return result;
}

/** An object as stored after `manager` created it. */
function created(object: KubeObject, manager = 'a', now = t0): KubeObject {
  const managedFields = update({ live: undefined, updated: object, manager, now });
  return { ...object, metadata: { ...object.metadata, managedFields } };
}

function entryOf(entries: readonly ManagedFieldsEntry[], manager: string): JsonValue | undefined {
  return entries.find((one) => one.manager === manager)?.fieldsV1;
}

test('P4: the entry of a creator, all forms of ownership', () => {
  const [entry, ...rest] = update({
    live: undefined,
    updated: widget(
      {
        replicas: 1,
        labels: { b: '1', a: '2' },
        set: ['y', 'x'],
        atomicList: ['1'],
        atomicMap: { a: '1' },
        ports: [{ port: 443 }, { port: 80, protocol: 'UDP' }],
        items: [{ name: 'i', set: [] }],
        open: { any: { thing: [1] }, empty: {} },
        optional: null,
        title: null,
      },
      { labels: { l: '1' }, generateName: 'w-', resourceVersion: '1', finalizers: ['f'] },
    ),
  });
  assert.deepEqual(rest, []);
  assert.equal(
    JSON.stringify(entry),
    JSON.stringify({
      manager: 'm',
      operation: 'Update',
      apiVersion,
      time: t1,
      fieldsType: 'FieldsV1',
      fieldsV1: {
        'f:metadata': {
          'f:finalizers': { '.': {}, 'v:"f"': {} },
          'f:generateName': {},
          'f:labels': { '.': {}, 'f:l': {} },
        },
        'f:spec': {
          '.': {},
          'f:atomicList': {},
          'f:atomicMap': {},
          'f:items': { '.': {}, 'k:{"name":"i"}': { '.': {}, 'f:name': {}, 'f:set': {} } },
          'f:labels': { '.': {}, 'f:a': {}, 'f:b': {} },
          'f:open': { '.': {}, 'f:any': { '.': {}, 'f:thing': {} }, 'f:empty': {} },
          'f:optional': {},
          'f:ports': {
            '.': {},
            'k:{"port":80,"protocol":"UDP"}': { '.': {}, 'f:port': {}, 'f:protocol': {} },
            'k:{"port":443,"protocol":"TCP"}': { '.': {}, 'f:port': {} },
          },
          'f:replicas': {},
          'f:set': { '.': {}, 'v:"x"': {}, 'v:"y"': {} },
        },
      },
    }),
  );
});

test('P4: a built-in kind has no entry for structs that its empty object holds already', () => {
  const schema = builtinSchema('io.k8s.api.apps.v1.Deployment');
  assert.ok(schema !== undefined);
  const [entry] = update({
    schema,
    apiVersion: 'apps/v1',
    live: undefined,
    updated: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd', labels: { app: 'x' }, creationTimestamp: null as never },
      spec: {
        selector: { matchLabels: { app: 'x' } },
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%' } },
        template: {
          metadata: { creationTimestamp: null, labels: { app: 'x' } },
          spec: { containers: [{ name: 'c', image: 'i', resources: {} }], securityContext: {} },
        },
      },
      status: {},
    },
  });
  assert.deepEqual(entry?.fieldsV1, {
    'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
    'f:spec': {
      'f:selector': {},
      'f:strategy': { 'f:rollingUpdate': { '.': {}, 'f:maxSurge': {} }, 'f:type': {} },
      'f:template': {
        'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
        'f:spec': {
          'f:containers': { 'k:{"name":"c"}': { '.': {}, 'f:image': {}, 'f:name': {}, 'f:resources': {} } },
          'f:securityContext': {},
        },
      },
    },
  });
});

test('P4: an update owns what it changes, alone; what is removed is owned by nobody', () => {
  const live = created(widget({ replicas: 1, title: 'a', labels: { x: '1', y: '1' } }));
  const after = update({
    live,
    updated: widget({ replicas: 2, title: 'a', labels: { x: '1', z: '1' } }),
    manager: 'b',
  });
  assert.deepEqual(entryOf(after, 'a'), {
    'f:spec': { '.': {}, 'f:title': {}, 'f:labels': { '.': {}, 'f:x': {} } },
  });
  assert.deepEqual(entryOf(after, 'b'), { 'f:spec': { 'f:labels': { 'f:z': {} }, 'f:replicas': {} } });
  assert.deepEqual(
    after.map((one) => one.time),
    [t0, t1],
  );
});

test('P4: nothing changed gives the very entries, times kept', () => {
  const live = created(widget({ replicas: 1, set: ['a'] }));
  assert.equal(update({ live, updated: cloneJson(live), manager: 'b' }).length, 1);
  assert.equal(
    updateManagedFields({
      schema: widgetSchema,
      live,
      updated: { ...live },
      manager: 'b',
      operation: 'Update',
      apiVersion,
      subresource: '',
      now: t1,
    }),
    live.metadata.managedFields,
  );
});

test('P4: reordering a set or keyed list changes nothing, reordering an atomic list does', () => {
  const live = created(
    widget({ set: ['a', 'b'], items: [{ name: 'x' }, { name: 'y' }], atomicList: ['1', '2'] }),
  );
  const same = update({
    live,
    updated: widget({ set: ['b', 'a'], items: [{ name: 'y' }, { name: 'x' }], atomicList: ['1', '2'] }),
    manager: 'b',
  });
  assert.deepEqual(same, live.metadata.managedFields);
  const other = update({
    live,
    updated: widget({ set: ['b', 'a'], items: [{ name: 'y' }, { name: 'x' }], atomicList: ['2', '1'] }),
    manager: 'b',
  });
  assert.deepEqual(entryOf(other, 'b'), { 'f:spec': { 'f:atomicList': {} } });
});

test('P4: changes of form move ownership with the members', () => {
  const live = created(widget({ open: { v: { a: 1 } } }));
  const after = update({ live, updated: widget({ open: { v: 'text' } }), manager: 'b' });
  assert.deepEqual(entryOf(after, 'a'), { 'f:spec': { '.': {}, 'f:open': {} } });
  assert.deepEqual(entryOf(after, 'b'), { 'f:spec': { 'f:open': { 'f:v': {} } } });
});

test('P4: managers are told apart by operation, version and subresource', () => {
  const live = created(widget({ replicas: 1 }), 'm');
  const viaStatus = update({
    live,
    updated: { ...live, status: { phase: 'ok' } },
    subresource: 'status',
    resetFields: ['spec'],
  });
  assert.deepEqual(
    viaStatus.map(({ manager, subresource }) => [manager, subresource]),
    [
      ['m', undefined],
      ['m', 'status'],
    ],
  );
  assert.deepEqual(viaStatus[1]?.fieldsV1, { 'f:status': { '.': {}, 'f:phase': {} } });
  const otherVersion = update({
    live,
    updated: { ...live, apiVersion: 'example.com/v2', spec: { replicas: 2 } },
    apiVersion: 'example.com/v2',
  });
  assert.deepEqual(
    otherVersion.map((one) => one.apiVersion),
    ['example.com/v1', 'example.com/v2'],
  );
});

test('P4: what the endpoint resets is never owned', () => {
  const [entry] = update({
    live: undefined,
    updated: widget({ replicas: 1 }, {}, { phase: 'x' }),
    resetFields: ['status'],
  });
  assert.deepEqual(entry?.fieldsV1, { 'f:spec': { '.': {}, 'f:replicas': {} } });
  const [status] = update({
    live: undefined,
    updated: widget({ replicas: 1 }, { labels: { a: '1' } }, { phase: 'x' }),
    resetFields: ['!status'],
  });
  assert.deepEqual(status?.fieldsV1, { 'f:status': { '.': {}, 'f:phase': {} } });
});

for (const reset of [[], [{}]] as const) {
  test(`P4: writing ${JSON.stringify(reset)} resets`, () => {
    const live = created(widget({ replicas: 1 }));
    const updated = widget({ replicas: 2 }, { managedFields: reset as unknown as JsonValue });
    assert.deepEqual(update({ live, updated }), []);
    assert.notDeepEqual(update({ live, updated, subresource: 'status' }), [], 'not through a subresource');
  });
}

test('P4: an untracked object stays untracked', () => {
  assert.deepEqual(update({ live: widget({ replicas: 1 }), updated: widget({ replicas: 2 }) }), []);
});

test('P4: entries sent are taken, malformed ones count for nothing', () => {
  const live = created(widget({ replicas: 1, title: 't' }));
  const entry = {
    manager: 'z',
    operation: 'Apply',
    apiVersion,
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:spec': { 'f:title': {} } },
  };
  const send = (managedFields: JsonValue) =>
    update({ live, updated: widget({ replicas: 1, title: 't' }, { managedFields }) });
  assert.deepEqual(send([entry]), [entry]);
  const rows: JsonValue[] = [
    [{ ...entry, operation: 'Frob' }],
    [{ ...entry, apiVersion: '' }],
    [{ ...entry, fieldsType: 'FieldsV2' }],
    [{ ...entry, fieldsV1: { 'f:a': 1 } }],
    [entry, 1],
    'text',
    null,
  ];
  for (const row of rows) assert.deepEqual(send(row), live.metadata.managedFields, JSON.stringify(row));
});

test('P4: ten Update managers are kept, older ones become ancient-changes', () => {
  let live = created(widget({ labels: {} }), 'm0', '2026-01-01T00:00:00Z');
  const labels: { [key: string]: string } = {};
  for (let i = 1; i <= 14; i++) {
    labels[`l${i}`] = '1';
    const updated = { ...live, spec: { labels: { ...labels } } };
    const now = `2026-01-${String(i + 1).padStart(2, '0')}T00:00:00Z`;
    const managedFields = update({ live, updated, manager: `m${i}`, now });
    live = { ...updated, metadata: { ...updated.metadata, managedFields } };
  }
  const entries = live.metadata.managedFields ?? [];
  assert.equal(entries.length, 10);
  const ancient = entries.find((one) => one.manager === 'ancient-changes');
  assert.equal(ancient?.time, '2026-01-06T00:00:00Z');
  assert.deepEqual(
    entries.filter((one) => one !== ancient).map((one) => one.manager),
    ['m6', 'm7', 'm8', 'm9', 'm10', 'm11', 'm12', 'm13', 'm14'],
  );
});

test('P6: ownership follows conversion; versions that are gone are forgotten', () => {
  const old: ManagedFieldsEntry = {
    manager: 'old',
    operation: 'Update',
    apiVersion: 'example.com/v0',
    time: t0,
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:spec': { 'f:size': {}, 'f:title': {} } },
  };
  const gone: ManagedFieldsEntry = { ...old, manager: 'gone', apiVersion: 'example.com/v00' };
  const live = widget({ replicas: 1, title: 't' }, { managedFields: [old, gone] });
  const convert: UpdateRequest['convert'] = (object, version) => {
    if (version !== 'example.com/v0') return undefined;
    const { replicas, ...rest } = object['spec'] as JsonObject;
    return {
      object: { ...object, apiVersion: version, spec: { ...rest, size: replicas } },
      schema: {
        type: 'object',
        properties: new Map([['spec', { type: 'object', preserveUnknownFields: true }]]),
      },
    };
  };
  const after = update({ live, updated: { ...live, spec: { replicas: 2, title: 't' } }, convert });
  assert.deepEqual(
    after.map((one) => [one.manager, one.fieldsV1]),
    [
      ['old', { 'f:spec': { 'f:title': {} } }],
      ['m', { 'f:spec': { 'f:replicas': {} } }],
    ],
  );
});

const leafValue = fc.constantFrom('1', '2', '3');
const spec = fc.record(
  {
    replicas: fc.integer({ min: 0, max: 3 }),
    labels: fc.dictionary(fc.constantFrom('a', 'b', 'c'), leafValue, { noNullPrototype: true }),
    set: fc.uniqueArray(leafValue),
    items: fc.uniqueArray(fc.record({ name: leafValue, value: leafValue }), { selector: (one) => one.name }),
    atomicList: fc.array(leafValue, { maxLength: 3 }),
  },
  { requiredKeys: [], noNullPrototype: true },
);

test('property: what two updaters own together is what the object holds', () => {
  fc.assert(
    fc.property(spec, spec, (first, second) => {
      const live = created(widget(first as JsonObject), 'a');
      const after = update({ live, updated: { ...live, spec: second as JsonObject }, manager: 'b' });
      const [whole] = update({ live: undefined, updated: widget(second as JsonObject), manager: 'c' });
      const paths = new Set<string>();
      for (const entry of after) collect(entry.fieldsV1 as JsonObject, '', paths);
      const expected = new Set<string>();
      collect((whole?.fieldsV1 ?? {}) as JsonObject, '', expected);
      assert.deepEqual(paths, expected);
    }),
  );
});

function collect(node: JsonObject, at: string, into: Set<string>): void {
  const keys = Object.keys(node);
  if (at !== '' && (keys.length === 0 || keys.includes('.'))) into.add(at);
  for (const key of keys) if (key !== '.') collect(node[key] as JsonObject, `${at}/${key}`, into);
}
