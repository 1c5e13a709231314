import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { builtinSchema } from '#api/builtin/builtin-schema.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { applyServerSide } from './apply-server-side.ts';
import { lastAppliedAnnotation } from './last-applied.ts';
import { widgetSchema } from './testing/widget-schema.ts';
import { updateManagedFields } from './update-managed-fields.ts';

const apiVersion = 'example.com/v1';
const kind = 'Widget';
const now = '2026-01-01T00:00:00Z';
const later = '2026-01-02T00:00:00Z';

function config(spec: JsonObject | undefined, metadata: JsonObject = {}): JsonObject {
  return { apiVersion, kind, metadata: { name: 'w', ...metadata }, ...(spec === undefined ? {} : { spec }) };
}

interface ApplyOptions {
  readonly force?: boolean;
  readonly subresource?: string;
  readonly at?: string;
  readonly resetFields?: readonly string[];
}

function apply(
  live: KubeObject | undefined,
  manager: string,
  applied: JsonObject,
  { force = false, subresource = '', at = now, resetFields }: ApplyOptions = {},
): KubeObject {
  const inputs = JSON.stringify([live, applied]);
  const request = {
    schema: widgetSchema,
    live,
    applied,
    manager,
    force,
    apiVersion,
    subresource,
    now: at,
    resetFields,
  };
  try {
    return applyServerSide(request).object;
  } finally {
    assert.equal(JSON.stringify([live, applied]), inputs, 'inputs changed');
  }
}

function update(
  live: KubeObject | undefined,
  manager: string,
  updated: JsonObject,
  subresource = '',
): KubeObject {
  const object = { ...updated, metadata: { ...(updated['metadata'] as JsonObject) } } as KubeObject;
  delete object.metadata.managedFields;
  const managedFields = updateManagedFields({
    schema: widgetSchema,
    live,
    updated: object,
    manager,
    operation: 'Update',
    apiVersion,
    subresource,
    now,
  });
  if (managedFields.length > 0) object.metadata.managedFields = managedFields;
  return object;
}

function fieldsOf(object: KubeObject, manager: string): unknown {
  return object.metadata.managedFields?.find((one) => one.manager === manager)?.fieldsV1;
}

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

test('P5: one conflict, its message and cause', () => {
  const live = update(undefined, 'other', config({ replicas: 3 }));
  assert.throws(
    () => apply(live, 'a', config({ replicas: 1 })),
    (error) => {
      assert.ok(isApiError(error, 'Conflict'));
      assert.equal(error.code, 409);
      assert.equal(
        error.message,
        'Apply failed with 1 conflict: conflict with "other" using example.com/v1: .spec.replicas',
      );
      assert.deepEqual(error.details?.causes, [
        {
          reason: 'FieldManagerConflict',
          message: 'conflict with "other" using example.com/v1',
          field: '.spec.replicas',
        },
      ]);
      return true;
    },
  );
});

test('P5: several conflicts, sorted by manager; subresources and appliers named', () => {
  let live = apply(undefined, 'first', config({ title: 'x', labels: { a: '1' } }));
  live = update(live, 'second', { ...live, status: { phase: 'a' } }, 'status');
  assert.throws(
    () => apply(live, 'a', { ...config({ title: 'y', labels: { a: '2' } }), status: { phase: 'b' } }),
    (error) => {
      assert.ok(isApiError(error, 'Conflict'));
      assert.equal(
        error.message,
        'Apply failed with 3 conflicts: conflicts with "first":\n- .spec.title\n- .spec.labels.a\nconflicts with "second" with subresource "status" using example.com/v1:\n- .status.phase',
      );
      assert.equal(error.details?.causes?.length, 3);
      return true;
    },
  );
});

test('P5: an atomic list conflicts as a whole, a keyed one by element', () => {
  const live = update(undefined, 'u', config({ atomicList: ['1'], items: [{ name: 'x', value: '1' }] }));
  assert.throws(
    () =>
      apply(live, 'a', config({ atomicList: ['1', '2'], items: [{ name: 'x', value: '2' }, { name: 'n' }] })),
    (error) =>
      isApiError(error, 'Conflict') &&
      JSON.stringify(error.details?.causes?.map((one) => one.field)) ===
        JSON.stringify(['.spec.atomicList', '.spec.items[name="x"].value']),
  );
});

test('P4: the first apply to an untracked object', () => {
  const live = { ...config({ replicas: 1, title: 't' }), status: { phase: 'x' } } as unknown as KubeObject;
  const object = apply(live, 'a', config({ replicas: 1, labels: { n: '1' } }), { resetFields: ['status'] });
  assert.deepEqual(fieldsOf(object, 'before-first-apply'), {
    'f:spec': { '.': {}, 'f:replicas': {}, 'f:title': {} },
  });
  assert.deepEqual(fieldsOf(object, 'a'), { 'f:spec': { 'f:labels': { 'f:n': {} }, 'f:replicas': {} } });
  assert.throws(() => apply(live, 'a', config({ replicas: 2 })), /conflict with "before-first-apply" using/);
});

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

const errorRows: [name: string, applied: JsonObject, message: RegExp, reason?: 'BadRequest'][] = [
  [
    'P3: managedFields in the body',
    config({}, { managedFields: [] }),
    /metadata.managedFields must be nil/,
    'BadRequest',
  ],
  [
    'P3: other version',
    { ...config({}), apiVersion: 'example.com/v2' },
    /Incorrect version specified in apply patch\. Specified patch version: example\.com\/v2, expected: example\.com\/v1/,
    'BadRequest',
  ],
  [
    'C9: unknown field',
    config({ frob: 1 }),
    /failed to create typed patch object \(\/w; example\.com\/v1, Kind=Widget\): \.spec\.frob: field not declared in schema/,
  ],
  [
    'wrong type',
    config({ replicas: 'x' }),
    /\.spec\.replicas: expected numeric \(int or float\), got string/,
  ],
  ['wrong form', config({ labels: [] }), /\.spec\.labels: expected map, got \[\]/],
  ['P6: duplicate in a set', config({ set: ['a', 'a'] }), /\.spec\.set: duplicate entries for key \[="a"\]/],
  [
    'P6: duplicate in a keyed list',
    config({ ports: [{ port: 80 }, { port: 80, protocol: 'TCP' }] }),
    /\.spec\.ports: duplicate entries for key \[port=80,protocol="TCP"\]/,
  ],
  [
    'P6: element without keys',
    config({ items: [{ value: '1' }] }),
    /\.spec\.items: element 0: associative list with keys has an element that omits all key fields \["name"\]/,
  ],
  ['several faults', config({ frob: 1, grob: 1 }), /errors:\n {2}\.spec\.frob: .*\n {2}\.spec\.grob: /],
];

// What does not fit the schema has no class in Kubernetes: 500 without a reason (structuredMergeManager.Apply).
for (const [name, applied, message, reason = ''] of errorRows) {
  test(`apply error: ${name}`, () => {
    assert.throws(
      () => apply(undefined, 'a', applied),
      (error) => isApiError(error, reason) && message.test(error.message),
    );
  });
}

test('apply error: other kind than the live object', () => {
  const live = apply(undefined, 'a', config({}));
  assert.throws(
    () => apply(live, 'a', { ...config({}), kind: 'Gadget' }),
    /invalid object type: example.com\/v1, Kind=Gadget/,
  );
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

test('P7: kubectl takes over what client-side apply owned, others do not', () => {
  const first = config({ replicas: 1, title: 't' });
  const annotations = { [lastAppliedAnnotation]: JSON.stringify(first) };
  const live = update(
    undefined,
    'kubectl-client-side-apply',
    config({ replicas: 1, title: 't', flag: true }, { annotations }),
  );
  const object = apply(live, 'kubectl', config({ replicas: 2, title: 't' }));
  assert.deepEqual(object['spec'], { replicas: 2, title: 't', flag: true });
  assert.equal(
    object.metadata.annotations?.[lastAppliedAnnotation],
    `${JSON.stringify(config({ replicas: 2, title: 't' }))}\n`,
  );
  assert.throws(
    () => apply(live, 'argocd', config({ replicas: 2 })),
    /conflict with "kubectl-client-side-apply"/,
  );
  assert.throws(() => apply(live, 'kubectl', config({ flag: false })), /1 conflict: .*\.spec\.flag/);
});

test('P7: what changed since the last client-side apply is not taken over', () => {
  const annotations = { [lastAppliedAnnotation]: JSON.stringify(config({ replicas: 1 })) };
  const live = update(undefined, 'hpa', config({ replicas: 5 }, { annotations }));
  assert.throws(() => apply(live, 'kubectl', config({ replicas: 2 })), /conflict with "hpa"/);
});

test('a built-in kind: HPA owns replicas, a sidecar injector its container, the applier the rest', () => {
  const schema = builtinSchema('io.k8s.api.apps.v1.Deployment');
  assert.ok(schema !== undefined);
  const request = {
    schema,
    apiVersion: 'apps/v1',
    subresource: '',
    now,
    force: false,
    resetFields: ['status'],
  };
  const deployment = (spec: JsonObject, containers: JsonObject[]): JsonObject => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd', namespace: 'default' },
    spec: {
      selector: { matchLabels: { app: 'x' } },
      template: { metadata: { labels: { app: 'x' } }, spec: { containers } },
      ...spec,
    },
  });
  const web = { name: 'web', image: 'v1', ports: [{ containerPort: 80 }] };
  let { object } = applyServerSide({
    ...request,
    live: undefined,
    manager: 'ci',
    applied: deployment({ replicas: 1 }, [web]),
  });
  object = applyServerSide({
    ...request,
    live: object,
    manager: 'injector',
    applied: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd' },
      spec: { template: { spec: { containers: [{ name: 'proxy', image: 'p' }] } } },
    },
  }).object;
  const scaled = { ...object, spec: { ...(object['spec'] as JsonObject), replicas: 5 } };
  const managedFields = updateManagedFields({
    ...request,
    live: object,
    updated: scaled,
    manager: 'hpa',
    operation: 'Update',
    subresource: 'scale',
  });
  object = { ...scaled, metadata: { ...object.metadata, managedFields } };
  object = applyServerSide({
    ...request,
    live: object,
    manager: 'ci',
    applied: deployment({}, [{ ...web, image: 'v2' }]),
  }).object;
  const spec = object['spec'] as { replicas: number; template: { spec: { containers: JsonObject[] } } };
  assert.equal(spec.replicas, 5);
  assert.deepEqual(spec.template.spec.containers, [
    { ...web, image: 'v2' },
    { name: 'proxy', image: 'p' },
  ]);
});

test('null handling: an applied null unsets a field of a built-in kind, and conflicts like any value', () => {
  const schema = builtinSchema('io.k8s.api.apps.v1.Deployment');
  assert.ok(schema !== undefined);
  const request = { schema, apiVersion: 'apps/v1', subresource: '', now };
  const live = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd' },
    spec: { replicas: 3, paused: true },
  };
  const managedFields = updateManagedFields({
    ...request,
    live: undefined,
    updated: live,
    manager: 'u',
    operation: 'Update',
  });
  const tracked = { ...live, metadata: { ...live.metadata, managedFields } } as KubeObject;
  const applied: JsonObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd', creationTimestamp: null },
    spec: { replicas: null, template: { metadata: { creationTimestamp: null, labels: { a: '1' } } } },
  };
  assert.throws(
    () => applyServerSide({ ...request, live: tracked, manager: 'a', applied, force: false }),
    /1 conflict: conflict with "u" using apps\/v1: \.spec\.replicas/,
  );
  const { object } = applyServerSide({ ...request, live: tracked, manager: 'a', applied, force: true });
  assert.deepEqual(object['spec'], { paused: true, template: { metadata: { labels: { a: '1' } } } });
});

const value = fc.constantFrom('1', '2', '3');
const specs = fc.record(
  {
    replicas: fc.integer({ min: 0, max: 2 }),
    title: value,
    labels: fc.dictionary(fc.constantFrom('a', 'b', 'c'), value, { noNullPrototype: true }),
    set: fc.uniqueArray(value),
    atomicList: fc.array(value, { maxLength: 2 }),
    items: fc.uniqueArray(
      fc.record(
        { name: value, value, set: fc.uniqueArray(value) },
        { requiredKeys: ['name'], noNullPrototype: true },
      ),
      { selector: (one) => one.name },
    ),
  },
  { requiredKeys: [], noNullPrototype: true },
) as fc.Arbitrary<JsonObject>;

test('property: one applier alone: the last configuration is the object', () => {
  fc.assert(
    fc.property(fc.array(specs, { minLength: 1, maxLength: 4 }), (history) => {
      let object: KubeObject | undefined;
      for (const spec of history) object = apply(object, 'a', config({ title: 'fix', ...spec }));
      const fresh = apply(undefined, 'a', config({ title: 'fix', ...(history.at(-1) as JsonObject) }));
      assert.deepEqual(withoutEmpty(object?.['spec']), withoutEmpty(fresh['spec']));
      assert.deepEqual(fieldsOf(object as KubeObject, 'a'), fieldsOf(fresh, 'a'));
    }),
  );
});

test('property: applying again is a no-op; forcing never fails; the forced configuration is in the object', () => {
  fc.assert(
    fc.property(specs, specs, specs, (first, second, third) => {
      const created = update(undefined, 'u', config(first));
      const one = apply(created, 'a', config(second), { force: true });
      const two = apply(one, 'b', config(third), { force: true });
      assert.deepEqual(apply(two, 'b', config(third), { at: later }), two);
      // What the last applier claims must now merge without changing a thing.
      assert.deepEqual(apply(two, 'c', config(third))['spec'], two['spec']);
    }),
  );
});

/** Upstream keeps no promise about empty containers that nobody claims. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, child]) => [key, withoutEmpty(child)] as const)
      .filter(([, child]) => typeof child !== 'object' || child === null || Object.keys(child).length > 0),
  );
}
