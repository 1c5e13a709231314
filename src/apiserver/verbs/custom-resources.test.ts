import assert from 'node:assert/strict';
import { test } from 'node:test';
import { definitionFromCrd } from '#api/apiextensions/definition-from-crd.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { apiError, Harness } from './testing/harness.ts';

/** A CRD `things.example.com` whose one version has these properties in its spec and status. */
function things(spec: JsonObject, status: JsonObject = {}, scope = 'Namespaced'): ResourceDefinition {
  const schema = {
    type: 'object',
    properties: {
      spec: { type: 'object', properties: spec },
      status: { type: 'object', properties: status },
    },
  };
  const scale = {
    specReplicasPath: '.spec.size',
    statusReplicasPath: '.status.ready',
    labelSelectorPath: '.status.selector',
  };
  return definitionFromCrd({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.example.com' },
    spec: {
      group: 'example.com',
      scope,
      names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schema },
          subresources: { status: {}, scale },
        },
      ],
    },
  });
}

const url = '/apis/example.com/v1/namespaces/default/things';

function thing(spec: JsonObject, metadata: JsonObject = {}): JsonObject {
  return { apiVersion: 'example.com/v1', kind: 'Thing', metadata: { name: 'a', ...metadata }, spec };
}

async function causesOf(request: Promise<unknown>): Promise<readonly string[]> {
  const error = await request.then(
    () => assert.fail('it was accepted'),
    (reason: unknown) => reason,
  );
  if (!isApiError(error, 'Invalid')) throw error;
  return (error.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
}

test('what an owner of a custom object lacks is told once, as of any object', async () => {
  await using harness = await Harness.open({ definitions: [things({})] });
  const owned = (owner: JsonObject) => causesOf(harness.post(url, thing({}, { ownerReferences: [owner] })));
  const of = (field: string) => `metadata.ownerReferences.${field}: Invalid value: "": must not be empty`;
  assert.deepEqual(await owned({ apiVersion: 'v1', kind: 'ConfigMap', name: 'x' }), [of('uid')]);
  assert.deepEqual(await owned({ apiVersion: 'v1', kind: 'ConfigMap', uid: 'u' }), [of('name')]);
});

// apiextensions-apiserver's customresource strategy: generateWarningsFromObj.
test('finalizers of a custom object that have no domain are warned of, once (O4)', async () => {
  await using harness = await Harness.open({ definitions: [things({})] });
  const why = 'to avoid accidental conflicts with other finalizer writers';
  const finalizers = ['b', 'a.b', 'example.com/c', 'orphan'];
  assert.deepEqual((await harness.post(url, thing({}, { finalizers }))).warnings, [
    `metadata.finalizers: "a.b": prefer a domain-qualified finalizer name including a path (/) ${why}`,
    `metadata.finalizers: "b": prefer a domain-qualified finalizer name ${why}`,
  ]);
  const patch = { metadata: { finalizers: [...finalizers, 'd'] } };
  assert.deepEqual((await harness.patch(`${url}/a`, 'merge', patch)).warnings, [
    `metadata.finalizers: "d": prefer a domain-qualified finalizer name ${why}`,
  ]);
});

const embedded = {
  type: 'object',
  'x-kubernetes-embedded-resource': true,
  'x-kubernetes-preserve-unknown-fields': true,
};

// apiextensions pkg/apiserver/schema/objectmeta: CoerceWithOptions.
test('resources within an object are brought into form (R3)', async () => {
  const list = { type: 'array', items: embedded };
  const map = { type: 'object', additionalProperties: embedded };
  await using harness = await Harness.open({ definitions: [things({ one: embedded, list, map })] });
  const pod = (metadata: JsonObject) => ({ apiVersion: 'v1', kind: 'Pod', metadata, spec: { any: 1 } });
  const given = {
    one: pod({ name: 'x', creationTimestamp: null, labels: {}, annotations: null, frob: 1 }),
    list: [pod({ labels: { a: 'b' }, managedFields: [] }), pod({ grob: {} })],
    map: { k: { ...pod({}), metadata: null } },
  };
  const { object, warnings } = await harness.post(url, thing(given));
  assert.deepEqual(object['spec'], {
    one: pod({ name: 'x' }),
    list: [pod({ labels: { a: 'b' } }), pod({})],
    map: { k: pod({}) },
  });
  assert.deepEqual(warnings, [
    'unknown field "spec.list[1].metadata.grob"',
    'unknown field "spec.one.metadata.frob"',
  ]);
  const refused: [JsonObject, string][] = [
    [{ ...pod({}), kind: 2 }, 'spec.one.kind: Invalid value: 2: must be a string'],
    [
      pod({ name: 'x', labels: { a: 1 } }),
      'spec.one.metadata: Invalid value: {"labels":{"a":1},"name":"x"}: json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string',
    ],
    [
      { ...pod({}), metadata: 'x' },
      'spec.one.metadata: Invalid value: "x": json: cannot unmarshal string into Go value of type v1.ObjectMeta',
    ],
  ];
  for (const [one, why] of refused) {
    await assert.rejects(
      harness.post(url, thing({ one })),
      apiError('BadRequest', `Thing in version "v1" cannot be handled as a Thing: ${why}`),
    );
  }
});

// apiextensions pkg/apiserver/schema/objectmeta: Validate, of updates as of creations.
test('the metadata of resources within an object is checked (R3)', async () => {
  await using harness = await Harness.open({
    definitions: [things({ one: embedded, other: { type: 'string' } })],
  });
  const one = (metadata: JsonObject) => thing({ one: { apiVersion: 'v1', kind: 'P', metadata } });
  await harness.post(url, one({ name: 'Any_Thing', namespace: 'n' }));
  const metadata = { name: 'a/b', namespace: 'N', labels: { 'a b': '' }, finalizers: ['b c'] };
  const fields = (await causesOf(harness.patch(`${url}/a`, 'merge', one(metadata)))).map(
    (cause) => cause.split(':')[0],
  );
  assert.deepEqual(
    fields.sort(),
    ['finalizers', 'labels', 'name', 'namespace'].map((name) => `spec.one.metadata.${name}`),
  );
});

// structured-merge-diff over apiextensions pkg/controller/openapi/builder addEmbeddedProperties.
test('an embedded resource is owned as any resource is (P6)', async () => {
  await using harness = await Harness.open({ definitions: [things({ one: embedded })] });
  const one = { apiVersion: 'v1', kind: 'P', metadata: { labels: { a: 'b' } }, spec: { x: { y: 1 } } };
  const { object } = await harness.patch(`${url}/a?fieldManager=m`, 'apply', thing({ one }));
  const [entry] = object.metadata.managedFields ?? [];
  assert.deepEqual(entry?.['fieldsV1'], {
    'f:spec': {
      'f:one': {
        'f:apiVersion': {},
        'f:kind': {},
        'f:metadata': { 'f:labels': { 'f:a': {} } },
        'f:spec': { '.': {}, 'f:x': { '.': {}, 'f:y': {} } },
      },
    },
  });
});

// apiextensions customResourceValidator.ValidateScaleSpec and ValidateScaleStatus.
test('what a scale reads must be a number of replicas (R6)', async () => {
  const untyped = { 'x-kubernetes-preserve-unknown-fields': true };
  await using harness = await Harness.open({
    definitions: [things({ size: untyped }, { ready: untyped, selector: untyped })],
  });
  assert.deepEqual(await causesOf(harness.post(url, thing({ size: -1 }))), [
    '.spec.size: Invalid value: -1: should be a non-negative integer',
  ]);
  assert.deepEqual(await causesOf(harness.post(url, thing({ size: 2 ** 31 }))), [
    '.spec.size: Invalid value: 2147483648: should be less than or equal to 2147483647',
  ]);
  assert.deepEqual(await causesOf(harness.post(url, thing({ size: 'x' }))), [
    '.spec.size: Invalid value: 0: .spec.size accessor error: x is of the type string, expected int64',
  ]);
  assert.deepEqual(await causesOf(harness.post(url, { ...thing({}), spec: true })), [
    'spec: Invalid value: "boolean": spec in body must be of type object: "boolean"',
    '.spec.size: Invalid value: 0: .spec.size accessor error: true is of the type bool, expected map[string]interface{}',
  ]);
  await harness.post(url, thing({}));
  const status = harness.patch(`${url}/a/status`, 'merge', { status: { ready: 'x', selector: { a: 1 } } });
  assert.deepEqual(await causesOf(status), [
    '.status.ready: Invalid value: 0: .status.ready accessor error: x is of the type string, expected int64',
    '.status.selector: Invalid value: "": .status.selector accessor error: map[a:1] is of the type map[string]interface {}, expected string',
  ]);
});

// structured-merge-diff typed/validate.go over the types that kube-openapi's schemaconv makes.
test('what is applied is checked as far as OpenAPI tells its types (P6)', async () => {
  const set = { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } };
  await using harness = await Harness.open({
    definitions: [
      things({
        either: { 'x-kubernetes-int-or-string': true },
        formed: { type: 'string', format: 'uuid' },
        bytes: { type: 'string', format: 'byte' },
        set,
      }),
    ],
  });
  const applied = (spec: JsonObject) => harness.patch(`${url}/a?fieldManager=m`, 'apply', thing(spec));
  assert.deepEqual(await causesOf(applied({ either: true })), [
    'spec.either: Invalid value: "boolean": spec.either in body must be of type integer,string: "boolean"',
  ]);
  assert.deepEqual(await causesOf(applied({ formed: 1 })), [
    'spec.formed: Invalid value: "int64": spec.formed in body must be of type uuid: "int64"',
  ]);
  const rows: readonly (readonly [JsonObject, RegExp])[] = [
    [{ formed: [] }, /Kind=Thing\): \.spec\.formed: expected any scalar, got &\{\[\]\}$/],
    [{ bytes: 1 }, /\.spec\.bytes: expected string, got &value\.valueUnstructured\{Value:1\}$/],
    [
      { set: [{ a: 1 }, { a: 1 }] },
      /Kind=Thing\): \.spec\.set: element 0: associative list without keys has an element that's a map type$/,
    ],
  ];
  for (const [spec, expected] of rows) await assert.rejects(applied(spec), apiError('', expected));
});

// apiserver transformDecodeError, jsonPatcher: what is no Scale is refused before the object is looked for.
test('a Scale that cannot be decoded (C10)', async () => {
  await using harness = await Harness.open({ definitions: [things({ size: { type: 'integer' } })] });
  const scale = (name: string, replicas: JsonValue) => ({
    ...{ apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name } },
    spec: { replicas },
  });
  const unknown = 'no kind is registered for the type v1.Scale in scheme "pkg/runtime/scheme.go:111"';
  await assert.rejects(
    harness.put(`${url}/none/scale`, scale('none', 'x')),
    (error) => isApiError(error, 'BadRequest') && error.message === unknown,
  );
  const deployments = '/apis/apps/v1/namespaces/default/deployments';
  await assert.rejects(
    harness.put(`${deployments}/none/scale`, scale('none', 1.5)),
    apiError(
      'BadRequest',
      /^Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal number 1\.5 into Go struct field ScaleSpec\.spec\.replicas of type int32$/,
    ),
  );
  await harness.post(url, thing({ size: 1 }));
  assert.deepEqual(await causesOf(harness.patch(`${url}/a/scale`, 'merge', { spec: { replicas: 'x' } })), [
    'patch: Invalid value: "{\\"spec\\":{\\"replicas\\":\\"x\\"}}": json: cannot unmarshal string into Go struct field ScaleSpec.spec.replicas of type int32',
  ]);
});

// apiextensions customResourceValidator.ValidateStatusUpdate.
test('a write to /status is checked for the status alone (C7)', async () => {
  const phase = { type: 'string', maxLength: 2 };
  await using harness = await Harness.open({ definitions: [things({ one: embedded }, { phase })] });
  await harness.post(url, thing({}));
  assert.deepEqual(await causesOf(harness.patch(`${url}/a/status`, 'merge', { status: { phase: 1 } })), [
    'status.phase: Invalid value: "integer": phase in body must be of type string: "integer"',
  ]);
  const { object } = await harness.patch(`${url}/a/status`, 'merge', { status: { phase: 'ok' } });
  assert.deepEqual(object['status'], { phase: 'ok' });
  assert.deepEqual(await causesOf(harness.patch(`${url}/a/status`, 'merge', { status: 'x' })), [
    'status: Invalid value: "string":  in body must be of type object: "string"',
    '.status.ready: Invalid value: 0: .status.ready accessor error: x is of the type string, expected map[string]interface{}',
    '.status.selector: Invalid value: "": .status.selector accessor error: x is of the type string, expected map[string]interface{}',
  ]);
});

// apiextensions customResourceStrategy and statusStrategy: schema, scale, resources within, lists; these not within a status.
test('what is wrong with a custom resource is told in the order in which it is looked at (R3, R6)', async () => {
  const list = { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'integer', maximum: 5 } };
  const properties = { size: { type: 'integer' }, list, one: embedded };
  await using harness = await Harness.open({
    definitions: [things(properties, { ready: { type: 'integer' }, list, one: embedded })],
  });
  const wrong = { list: [9, 9, 9], one: { kind: 'P' } };
  assert.deepEqual(await causesOf(harness.post(url, thing({ size: -1, ...wrong }))), [
    'spec.list[0]: Invalid value: 9: spec.list[0] in body should be less than or equal to 5',
    'spec.list[1]: Invalid value: 9: spec.list[1] in body should be less than or equal to 5',
    'spec.list[2]: Invalid value: 9: spec.list[2] in body should be less than or equal to 5',
    '.spec.size: Invalid value: -1: should be a non-negative integer',
    'spec.one.apiVersion: Required value',
    'spec.list[1]: Duplicate value: 9',
  ]);
  await harness.post(url, thing({}));
  const status = { ready: -1, list: [1, 1], one: { kind: 'P' } };
  assert.deepEqual(await causesOf(harness.patch(`${url}/a/status`, 'merge', { status })), [
    '.status.ready: Invalid value: -1: should be a non-negative integer',
    'status.list[1]: Duplicate value: 1',
  ]);
});

// apiextensions customresource_handler ServeHTTP: what is none of its subresources is no object.
test('a subresource that a custom resource has not is not found (C10)', async () => {
  await using harness = await Harness.open({ definitions: [things({})] });
  await assert.rejects(
    harness.get(`${url}/a/frob`),
    apiError('NotFound', 'things.example.com "a" not found'),
  );
});

// apiserver rest.EnsureObjectNamespaceMatchesRequestNamespace.
test('a patch that gives a cluster-scoped object a namespace changes nothing (C3)', async () => {
  await using harness = await Harness.open({ definitions: [things({}, {}, 'Cluster')] });
  const cluster = '/apis/example.com/v1/things';
  const before = await harness.post(cluster, thing({}));
  const { object } = await harness.patch(`${cluster}/a`, 'merge', { metadata: { namespace: 'x' } });
  assert.deepEqual(object, before.object);
});

// structured-merge-diff typed/compare.go doMap, doList: null is like an empty one unless both sides are empty.
test('members put where another owns null take nothing from that owner (P5)', async () => {
  const text = { type: 'string' };
  const properties: { [name: string]: JsonObject } = {
    map: { type: 'object', nullable: true, additionalProperties: text },
    set: { type: 'array', nullable: true, 'x-kubernetes-list-type': 'set', items: text },
    list: { type: 'array', nullable: true, items: text },
    open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  };
  await using harness = await Harness.open({ definitions: [things(properties)] });
  const apply = (manager: string, spec: JsonObject) =>
    harness.patch(`${url}/a?fieldManager=${manager}`, 'apply', thing(spec));
  await apply('first', { map: null, set: null, list: null, open: { k: null } });
  const { object } = await apply('second', { map: { a: 'b' }, set: ['a'], open: { k: { a: 1 } } });
  const fields = Object.fromEntries(
    (object.metadata.managedFields ?? []).map((one) => [one.manager, one['fieldsV1']]),
  );
  assert.deepEqual(fields, {
    first: { 'f:spec': { 'f:map': {}, 'f:set': {}, 'f:list': {}, 'f:open': { 'f:k': {} } } },
    second: {
      'f:spec': {
        'f:map': { 'f:a': {} },
        'f:set': { 'v:"a"': {} },
        'f:open': { 'f:k': { '.': {}, 'f:a': {} } },
      },
    },
  });
  await assert.rejects(apply('third', { list: ['a'] }), apiError('Conflict', /"first": \.spec\.list$/));
});

// apiextensions registry/customresource ScaleREST.
test('a custom resource without replicas is no Scale until it is given some (R6)', async () => {
  await using harness = await Harness.open({ definitions: [things({ size: { type: 'integer' } })] });
  await harness.post(url, thing({}));
  const absent = 'the spec replicas field ".spec.size"';
  await assert.rejects(
    harness.get(`${url}/a/scale`),
    apiError('InternalError', `Internal error occurred: ${absent} does not exist`),
  );
  await assert.rejects(
    harness.patch(`${url}/a/scale`, 'merge', { metadata: {} }),
    apiError('BadRequest', `${absent} cannot be empty`),
  );
  await assert.rejects(harness.patch(`${url}/a/scale`, 'strategic', {}), apiError('UnsupportedMediaType'));
  assert.deepEqual(await causesOf(harness.patch(`${url}/a/scale`, 'merge', { spec: { replicas: -1 } })), [
    '.spec.size: Invalid value: -1: should be a non-negative integer',
  ]);
  const { object } = await harness.patch(`${url}/a/scale`, 'merge', { spec: { replicas: 2 } });
  assert.deepEqual(object['spec'], { replicas: 2 });
  // Taken away they are none, which is not the same as never given.
  await harness.post(url, thing({}, { name: 'b' }));
  const none = await harness.patch(`${url}/b/scale`, 'merge', { spec: { replicas: null } });
  assert.deepEqual(none.object['spec'], {});
});

// apiextensions: what is applied is defaulted, but never decoded by the schema (managedfields structuredMergeManager.Apply).
test('a null that is applied is refused where the schema has neither place nor default for it (P3, R3)', async () => {
  const text = { type: 'string' };
  const open = { 'x-kubernetes-preserve-unknown-fields': true };
  const properties = {
    plain: text,
    defaulted: { ...text, default: 'd' },
    free: { ...text, nullable: true },
    open,
  };
  await using harness = await Harness.open({ definitions: [things(properties)] });
  const apply = (spec: JsonObject) => harness.patch(`${url}/a?fieldManager=m`, 'apply', thing(spec));
  assert.deepEqual(await causesOf(apply({ plain: null })), [
    'spec.plain: Invalid value: "null": spec.plain in body must be of type string: "null"',
  ]);
  const { object } = await apply({ defaulted: null, free: null });
  assert.deepEqual(object['spec'], { defaulted: 'd', free: null });
  // Nobody refuses it where all is open, and reading it from the store takes it out.
  assert.deepEqual((await apply({ plain: 'p', open: null })).object['spec'], { plain: 'p', defaulted: 'd' });
});

// apiextensions: what is applied is never decoded by the schema, which is asked before it is stored and prunes what is read.
test('of fields within an object that the schema says nothing of an apply is not told (C9, P3)', async () => {
  const object = { type: 'object', minProperties: 1 };
  await using harness = await Harness.open({ definitions: [things({ object })] });
  const body = thing({ object: { a: 1 } });
  const applied = await harness.patch(`${url}/a?fieldManager=m&fieldValidation=Strict`, 'apply', body);
  assert.deepEqual(applied.warnings, []);
  assert.deepEqual(applied.object['spec'], { object: {} });
  assert.deepEqual((await harness.get(`${url}/a`)).object['spec'], { object: {} });
  await assert.rejects(
    harness.post(`${url}?fieldValidation=Strict`, thing({ object: { a: 1 } }, { name: 'b' })),
    apiError('BadRequest', /unknown field "spec\.object\.a"/),
  );
  assert.deepEqual(await causesOf(harness.post(url, thing({ object: { a: 1 } }, { name: 'b' }))), [
    'spec.object: Invalid value: 0: spec.object in body should have at least 1 properties',
  ]);
});

// kube-openapi schemaconv visitSpec: a schema that preserves unknown fields opts its descendants in.
test('below a field that preserves unknown ones any field may be applied (P3)', async () => {
  const inner = { type: 'object', properties: { known: { type: 'string' } } };
  const outer = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { inner } };
  await using harness = await Harness.open({ definitions: [things({ outer, inner })] });
  const apply = (spec: JsonObject) => harness.patch(`${url}/a?fieldManager=m`, 'apply', thing(spec));
  const { object } = await apply({ outer: { inner: { known: 'a', unknown: 'b' } } });
  assert.deepEqual(object['spec'], { outer: { inner: { known: 'a' } } });
  await assert.rejects(
    apply({ inner: { unknown: 'b' } }),
    /\.spec\.inner\.unknown: field not declared in schema/,
  );
});
