import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { builtinSchema } from '#api/builtin/builtin-schema.ts';
import { cloneJson, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { appliedFields, checkConfig } from './applied-config.ts';
import { type ApplyType, rootTypeOf } from './apply-type.ts';
import { type FieldSet, isEmptySet } from './field-set.ts';
import { claimedFields, createdFields, fieldSetOfText, isInOrder, textOfFieldSet } from './field-shapes.ts';
import { widgetSchema } from './testing/widget-schema.ts';

const widgets = rootTypeOf(widgetSchema);
const pods = builtinType('io.k8s.api.core.v1.Pod');

function builtinType(definition: string): ApplyType {
  const schema = builtinSchema(definition);
  assert.ok(schema !== undefined);
  return rootTypeOf(schema);
}

function pod(name: string, env: readonly string[], more: JsonObject = {}): KubeObject {
  const variables = env.map((one) => ({ name: one, value: `value of ${one}` }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: { containers: [{ name: 'main', image: name, env: variables, ...more }] },
  };
}

/**
 * What `make` gives first and what it gives then. Everything is forgotten whenever 8 MiB are full, which may be between
 * the two, but not twice in a row.
 */
function twice(make: () => FieldSet): readonly [FieldSet, FieldSet] {
  const pair = [make(), make()] as const;
  return pair[0] === pair[1] ? pair : [make(), make()];
}

test('objects of one shape share one set, whatever their values are', () => {
  const names = ['a', 'b'];
  const [first, second] = twice(() => createdFields(pods, pod(names.reverse()[0] as string, ['X', 'Y'])));
  assert.equal(first, second);
  assert.ok(isInOrder(first));
  assert.ok(Object.isFrozen(first));
  assert.notEqual(first, createdFields(pods, pod('c', ['X', 'Z'])));
  assert.equal(
    textOfFieldSet(first),
    '{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:containers":{"k:{\\"name\\":\\"main\\"}":{".":{},"f:env":{".":{},"k:{\\"name\\":\\"X\\"}":{".":{},"f:name":{},"f:value":{}},"k:{\\"name\\":\\"Y\\"}":{".":{},"f:name":{},"f:value":{}}},"f:image":{},"f:name":{}}}}}',
  );
});

test('an atomic struct that Go holds by value counts only with what is in it (NetworkPolicySpec.PodSelector)', () => {
  const type = builtinType('io.k8s.api.networking.v1.NetworkPolicy');
  const policy = (podSelector: JsonObject): KubeObject => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'a' },
    spec: { podSelector, ingress: [{ from: [{ podSelector: {} }] }], policyTypes: ['Ingress'] },
  });
  const others = '"f:ingress":{},"f:policyTypes":{}';
  for (let i = 0; i < 2; i++) {
    assert.equal(textOfFieldSet(createdFields(type, policy({}))), `{"f:spec":{${others}}}`);
    assert.equal(
      textOfFieldSet(createdFields(type, policy({ matchLabels: { a: 'b' } }))),
      '{"f:spec":{"f:ingress":{},"f:podSelector":{},"f:policyTypes":{}}}',
    );
  }
  const claimed = textOfFieldSet(claimedFields(type, policy({})));
  assert.ok(claimed.includes('"f:podSelector":{}'), claimed);
});

test('another order of members, and of keyed elements, gives an equal set', () => {
  const { apiVersion, kind, metadata, spec } = pod('a', ['X', 'Y']);
  const turned = { spec, metadata, kind, apiVersion } as KubeObject;
  const first = createdFields(pods, { apiVersion, kind, metadata, spec } as KubeObject);
  assert.equal(textOfFieldSet(createdFields(pods, turned)), textOfFieldSet(first));
  assert.equal(
    textOfFieldSet(createdFields(pods, pod('a', ['Y', 'X']))),
    textOfFieldSet(createdFields(pods, pod('a', ['X', 'Y']))),
  );
});

test('repeated elements have no members of their own, an element without a key has its zero value', () => {
  const ports: JsonValue[] = [
    { containerPort: 80, hostPort: 1 },
    { containerPort: 80, protocol: 'TCP', name: 'again' },
    { containerPort: 80, protocol: 'UDP' },
    { name: 'no key' },
  ];
  const set = createdFields(pods, pod('a', [], { ports })) as JsonObject;
  const containers = (set['f:spec'] as JsonObject)['f:containers'] as JsonObject;
  const found = (containers['k:{"name":"main"}'] as JsonObject)['f:ports'];
  assert.deepEqual(found, {
    '.': {},
    'k:{"containerPort":0,"protocol":"TCP"}': { '.': {}, 'f:name': {} },
    'k:{"containerPort":80,"protocol":"TCP"}': {},
    'k:{"containerPort":80,"protocol":"UDP"}': { '.': {}, 'f:containerPort': {}, 'f:protocol': {} },
  });
});

test('containers too large to be kept give the same set as small ones would', () => {
  const data: JsonObject = {};
  for (let index = 0; index < 2_000; index++) data[`key-${2_000 - index}`] = 'x';
  const object: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data };
  const type = builtinType('io.k8s.api.core.v1.ConfigMap');
  const set = createdFields(type, object) as JsonObject;
  const expected = [
    '.',
    ...Object.keys(data)
      .sort()
      .map((key) => `f:${key}`),
  ];
  assert.deepEqual(Object.keys(set['f:data'] as JsonObject), expected);
  const many = Array.from({ length: 600 }, (_, index) => `V${index}`);
  const env = (names: readonly string[]) =>
    textOfFieldSet(createdFields(pods, pod('a', names))).match(/V\d+/g)?.length;
  assert.equal(env(many), 600);
  assert.equal(env([...many, ...many]), 600);
});

const value: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom<JsonValue>(null, 'a', 1, true),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom(...(widgetSchema.properties?.keys() ?? []), 'name', 'port', 'note', 'x'),
      tie('value'),
      { maxKeys: 4, noNullPrototype: true },
    ),
  ),
})).value;

test('property: a shape met again gives what it gave first, in order, and its text is its JSON', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom('data', 'other'), value, { maxKeys: 3, noNullPrototype: true }),
      value,
      (more, spec) => {
        const object = {
          apiVersion: 'v1',
          kind: 'Widget',
          metadata: { name: 'a' },
          ...more,
          spec,
        } as KubeObject;
        object.metadata = { name: 'a' };
        const [set, again] = twice(() => createdFields(widgets, cloneJson(object)));
        assert.equal(again, set);
        assert.equal(textOfFieldSet(set), JSON.stringify(set));
        assert.deepEqual(fieldSetOfText(JSON.stringify(set)), set);
      },
    ),
    { numRuns: 500 },
  );
});

test('property: what a configuration claims by its shape is what a walk over it finds', () => {
  let checked = 0;
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom('data', 'other', 'status'), value, { maxKeys: 3, noNullPrototype: true }),
      fc.dictionary(fc.constantFrom('labels', 'annotations', 'uid', 'finalizers'), value, {
        maxKeys: 2,
        noNullPrototype: true,
      }),
      value,
      (more, metadata, spec) => {
        const config: JsonObject = { apiVersion: 'v1', kind: 'Widget', metadata, ...more, spec };
        // Elements given twice are refused before anybody asks what is claimed.
        if (checkConfig(widgets, config).some((fault) => fault.includes('duplicate'))) return;
        checked++;
        const [claimed, again] = twice(() => claimedFields(widgets, cloneJson(config)));
        assert.equal(again, claimed);
        assert.deepEqual(claimed, appliedFields(widgets, config));
        assert.ok(isInOrder(claimed) || isEmptySet(claimed));
      },
    ),
    { numRuns: 2_000 },
  );
  assert.ok(checked > 500);
});

test('what a Pod claims: leaves and keyed elements, not what leads there; alike in every form it was read in', () => {
  const config = pod('a', ['X', 'Y'], { ports: [], resources: {}, args: [] });
  config['status'] = {};
  const claimed = claimedFields(pods, config);
  assert.deepEqual(claimed, appliedFields(pods, config));
  assert.equal(fieldSetOfText(textOfFieldSet(claimed)), claimed);
  const named = claimedFields(pods, pod('ä', ['X']));
  assert.deepEqual(named, appliedFields(pods, pod('ä', ['X'])));
  const beyondAscii = { ...pod('a', ['X']), metadata: { name: 'a', labels: { ä: 'b' } } } as KubeObject;
  assert.deepEqual(claimedFields(pods, beyondAscii), appliedFields(pods, beyondAscii));
});

test('the same text is the same set, and so are the parts that sets have in common afterwards', () => {
  const text = '{"f:spec":{"f:a":{},"f:b":{".":{},"f:c":{}}}}';
  const set = fieldSetOfText(text);
  assert.equal(fieldSetOfText(`${text.slice(0, 5)}${text.slice(5)}`), set);
  assert.deepEqual(set, JSON.parse(text));
  assert.ok(isInOrder(set) && Object.isFrozen(set['f:spec']));
  const changed: FieldSet = { ...set, 'f:status': {} };
  assert.ok(!isInOrder(changed));
  assert.equal(textOfFieldSet(changed), JSON.stringify(changed));
});

test('shapes are forgotten before they fill the memory', () => {
  const before = createdFields(pods, pod('a', ['X']));
  // Each has fields of its own: 8 MiB are soon full.
  for (let index = 0; index < 6_000; index++) {
    textOfFieldSet(createdFields(pods, pod('a', [`ONLY_${index}`, `HERE_${index}`])));
  }
  const after = createdFields(pods, pod('a', ['X']));
  assert.notEqual(after, before);
  assert.deepEqual(after, before);
});
