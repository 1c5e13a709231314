import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject, JsonValue } from '../../json.ts';
import type { Schema } from '../../schema.ts';
import { schemaFromJsonSchemaProps } from '../../schema-from-openapi.ts';
import { hasRules } from './has-rules.ts';
import { rulesOf } from './rule-program.ts';
import { validateRules } from './validate-rules.ts';

interface RuleProps extends JsonObject {
  rule: string;
}

const rules = (...list: (string | RuleProps)[]): JsonObject => ({
  'x-kubernetes-validations': list.map((one) => (typeof one === 'string' ? { rule: one } : one)),
});

/** A resource whose spec has these properties, with rules on spec. */
function schemaOf(properties: JsonObject, ...list: (string | RuleProps)[]) {
  return schemaFromJsonSchemaProps({
    type: 'object',
    properties: { spec: { type: 'object', properties, ...rules(...list) } },
  });
}

function check(
  properties: JsonObject,
  rule: string | RuleProps,
  spec: JsonObject,
  old?: JsonObject,
): string[] {
  const schema = schemaOf(properties, rule);
  const before = old === undefined ? undefined : { spec: old };
  return validateRules(schema, { spec }, before).errors.map(({ field, message }) => `${field}: ${message}`);
}

const text = { type: 'string' };
const integer = { type: 'integer' };
const list = (items: JsonObject, more: JsonObject = {}): JsonObject => ({ type: 'array', items, ...more });
const map = (values: JsonObject): JsonObject => ({ type: 'object', additionalProperties: values });

/** Rules that hold, over all kinds of schema (Kubernetes: CRD validation rules, type mapping). */
const holding: [string, JsonObject, string, JsonObject][] = [
  ['integers', { a: integer, b: integer }, 'self.a <= self.b && self.a + 1 == 3', { a: 2, b: 3 }],
  ['numbers', { a: { type: 'number' } }, 'self.a == 1.0 && type(self.a) == double', { a: 1 }],
  [
    'texts',
    { a: text },
    "self.a.startsWith('x') && self.a.size() == 2 && self.a.matches('^x.$')",
    { a: 'xy' },
  ],
  ['absent fields', { a: text }, '!has(self.a)', {}],
  ['absent, optional', { a: text }, "self.?a.orValue('none') == 'none'", {}],
  [
    'escaped names',
    { 'a-b': text, 'c.d/e': text, namespace: text, a__b: text },
    "self.a__dash__b == '1' && self.c__dot__d__slash__e == '2' && self.__namespace__ == '3' && self.a__underscores__b == '4'",
    { 'a-b': '1', 'c.d/e': '2', namespace: '3', a__b: '4' },
  ],
  ['names that every object inherits', { constructor: text }, '!has(self.constructor)', {}],
  [
    'lists',
    { a: list(integer) },
    'self.a.all(x, x > 0) && 2 in self.a && self.a[0] == 1 && self.a.sum() == 3',
    { a: [1, 2] },
  ],
  [
    'maps',
    { a: map(text) },
    "self.a.all(k, self.a[k] == 'v') && 'x' in self.a && self.a.x == 'v'",
    { a: { x: 'v' } },
  ],
  ['two variables', { a: map(integer) }, 'self.a.all(k, v, k.size() == 1 && v == 1)', { a: { x: 1 } }],
  [
    'date-time',
    { a: { type: 'string', format: 'date-time' } },
    "self.a > timestamp('2020-01-01T00:00:00Z') && self.a.getFullYear() == 2021",
    { a: '2021-01-01T00:00:00Z' },
  ],
  [
    'date',
    { a: { type: 'string', format: 'date' } },
    "self.a == timestamp('2021-01-01T00:00:00Z')",
    { a: '2021-01-01' },
  ],
  ['duration', { a: { type: 'string', format: 'duration' } }, "self.a == duration('90s')", { a: '1m30s' }],
  ['byte', { a: { type: 'string', format: 'byte' } }, "self.a == b'abc'", { a: 'YWJj' }],
  [
    'int-or-string, number',
    { a: { 'x-kubernetes-int-or-string': true } },
    "type(self.a) == int ? self.a == 5 : self.a == '50%'",
    { a: 5 },
  ],
  [
    'int-or-string, text',
    { a: { 'x-kubernetes-int-or-string': true } },
    "type(self.a) == int ? self.a == 5 : self.a == '50%'",
    { a: '50%' },
  ],
  [
    'set equality ignores order',
    { a: list(text, { 'x-kubernetes-list-type': 'set' }), b: list(text) },
    'self.a == self.b',
    { a: ['1', '2'], b: ['2', '1'] },
  ],
  [
    'list equality does not',
    { a: list(text), b: list(text) },
    'self.a != self.b',
    { a: ['1', '2'], b: ['2', '1'] },
  ],
  [
    'set union',
    { a: list(text, { 'x-kubernetes-list-type': 'set' }), b: list(text) },
    "self.a + self.b == ['1', '2', '3']",
    { a: ['1', '2'], b: ['2', '3'] },
  ],
  ['null of a nullable object', { a: { type: 'object', nullable: true } }, '!has(self.a)', { a: null }],
  ['null of a nullable text', { a: { ...text, nullable: true } }, '!self.?a.hasValue()', { a: null }],
  [
    'null in a map',
    { a: { type: 'object', additionalProperties: { ...text, nullable: true } } },
    "'x' in self.a && has(self.a.x)",
    { a: { x: null } },
  ],
  ['quantity', { a: text }, "quantity(self.a).isLessThan(quantity('1Gi'))", { a: '500Mi' }],
  [
    'embedded resource',
    {
      a: {
        type: 'object',
        'x-kubernetes-embedded-resource': true,
        'x-kubernetes-preserve-unknown-fields': true,
      },
    },
    "self.a.kind == 'Pod' && self.a.metadata.name == 'p'",
    { a: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } } },
  ],
];

test('rules that hold', () => {
  for (const [name, properties, rule, spec] of holding)
    assert.deepEqual(check(properties, rule, spec), [], name);
});

test('R4: Kubernetes’ words for rules that do not hold', () => {
  const rows: [string | RuleProps, JsonObject, string][] = [
    ['self.a > 1', { a: 1 }, 'spec: Invalid value: failed rule: self.a > 1'],
    [{ rule: 'self.a > 1', message: 'a is too small' }, { a: 1 }, 'spec: Invalid value: a is too small'],
    [
      { rule: 'self.a > 1', message: 'no', messageExpression: "'a is %d'.format([self.a])" },
      { a: 1 },
      'spec: Invalid value: a is 1',
    ],
    [
      { rule: 'self.a > 1', message: 'no', messageExpression: "'a\\nb'" },
      { a: 1 },
      'spec: Invalid value: no',
    ],
    [
      { rule: 'self.a > 1', message: 'no', reason: 'FieldValueForbidden', fieldPath: '.a' },
      { a: 1 },
      'spec.a: Forbidden: no',
    ],
    [
      { rule: 'self.a > 1', message: 'no', reason: 'FieldValueRequired' },
      { a: 1 },
      'spec: Required value: no',
    ],
    [{ rule: 'self.a > 1', reason: 'FieldValueDuplicate' }, { a: 1 }, 'spec: Duplicate value'],
    ['self.b > 1', { a: 1 }, 'spec: Invalid value: "object": no such key: b evaluating rule: self.b > 1'],
    [
      'self.nothing > 1',
      { a: 1 },
      'spec: Invalid value: "object": rule compile error: compilation failed: ERROR: <input>:1:5: undefined field \'nothing\'\n | self.nothing > 1\n | ....^',
    ],
    [
      '10 / self.a == 1',
      { a: 0 },
      'spec: Invalid value: "object": division by zero evaluating rule: 10 / self.a == 1',
    ],
    [
      'self.a + 9223372036854775807 > 0',
      { a: 1 },
      'spec: Invalid value: "object": integer overflow evaluating rule: self.a + 9223372036854775807 > 0',
    ],
  ];
  for (const [rule, spec, expected] of rows) {
    assert.deepEqual(check({ a: integer, b: integer }, rule, spec), [expected]);
  }
});

test('R4: transition rules run where there is something to compare with', () => {
  const rule = { rule: 'self.a >= oldSelf.a', message: 'a may not fall' };
  assert.deepEqual(check({ a: integer }, rule, { a: 1 }), [], 'on create');
  assert.deepEqual(check({ a: integer }, rule, { a: 2 }, { a: 1 }), []);
  assert.deepEqual(check({ a: integer }, rule, { a: 1 }, { a: 2 }), ['spec: Invalid value: a may not fall']);
  const optional = {
    rule: 'oldSelf.hasValue() || self.a == 0',
    message: 'starts at 0',
    optionalOldSelf: true,
  };
  assert.deepEqual(check({ a: integer }, optional, { a: 1 }), ['spec: Invalid value: starts at 0']);
  assert.deepEqual(check({ a: integer }, optional, { a: 1 }, { a: 5 }), []);
});

test('an optional oldSelf is plain JSON below its root, and none in the message (cel-go interpreter/attributes.go)', () => {
  const at = { type: 'string', format: 'date-time' };
  const properties = { at, 'a-b': integer };
  const object = { at: '2024-01-02T03:04:05Z', 'a-b': 1 };
  const rule = (source: string) => ({ rule: source, message: 'no', optionalOldSelf: true });
  for (const source of [
    'dyn(oldSelf.value())["a-b"] == self.a__dash__b',
    'dyn(oldSelf.value().at) == "2024-01-02T03:04:05Z" && self.at == timestamp("2024-01-02T03:04:05Z")',
  ])
    assert.deepEqual(check(properties, rule(source), object, object), [], source);
  const escaped = 'oldSelf.value().a__dash__b == 1';
  assert.deepEqual(check(properties, rule(escaped), object, object), [
    `spec: Invalid value: "object": no such key: a__dash__b evaluating rule: no`,
  ]);
  const told = { rule: 'oldSelf.hasValue() && false', optionalOldSelf: true };
  const messages = ['string(oldSelf.value().at)', 'oldSelf.?at.hasValue() ? "seen" : "not"'];
  assert.deepEqual(
    messages.map((messageExpression) => check(properties, { ...told, messageExpression }, object, object)),
    [['spec: Invalid value: failed rule: oldSelf.hasValue() && false'], ['spec: Invalid value: seen']],
  );
});

test('an operator takes what an optional oldSelf holds, whatever its schema says (cel-go stdlib/standard.go, singleton bindings)', () => {
  const at = { type: 'string', format: 'date-time' };
  const properties = {
    at,
    du: { type: 'string', format: 'duration' },
    by: { type: 'string', format: 'byte' },
  };
  const object = { at: '2024-01-02T03:04:05Z', du: '1h', by: 'YQ==' };
  const told = (source: string) =>
    check(properties, { rule: source, message: 'no', optionalOldSelf: true }, object, object);
  for (const source of [
    'dyn(oldSelf.value().by + oldSelf.value().by) == "YQ==YQ=="',
    'oldSelf.value().at < oldSelf.value().at + oldSelf.value().du',
    'size(oldSelf.value().by) == 4',
  ])
    assert.deepEqual(told(source), [], source);
  // A function with an implementation for each overload does not.
  assert.deepEqual(told('(oldSelf.value().at + oldSelf.value().du).getDayOfWeek() == 0'), [
    `spec: Invalid value: "object": 'no such overload: getDayOfWeek(string)': call arguments did not match a supported operator, function or macro signature for rule: no`,
  ]);
});

test('R4: what an expression made is not read again in a list of the object', () => {
  const moments = list({ type: 'string', format: 'date-time' });
  const properties = {
    l: list(list(integer)),
    t: moments,
    s: list(text, { 'x-kubernetes-list-type': 'set' }),
  };
  const told = (rule: string) =>
    check(properties, rule, { l: [[1]], t: ['2024-01-01T00:00:00Z'], s: ['a'] })[0]?.replace(/ eval.*/s, '');
  const noList = 'invalid data, expected an array for the provided schema with type=array';
  assert.equal(told('size(self.l + [[2]]) == 2 && (self.l + [[1] + [2]])[1] == [1, 2]'), undefined);
  assert.equal(told('(self.l + self.l)[1] == [1]'), undefined);
  assert.equal(told('(self.l + [[2]])[1] == [2]'), `spec: Invalid value: "object": ${noList}`);
  assert.equal(
    told('(self.t + self.t)[1] == self.t[0]'),
    'spec: Invalid value: "object": invalid data, expected string, got time.Time',
  );
  assert.equal(told("self.s + ['b'] == ['b', 'a'] && (self.s + ['a', 'b']).size() == 2"), undefined);
});

test('items of map lists are found again by their keys', () => {
  const items = {
    type: 'object',
    properties: { name: text, v: integer },
    ...rules({ rule: 'self.v >= oldSelf.v', message: 'fell' }),
  };
  const properties = {
    l: list(items, { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }),
  };
  const old = {
    l: [
      { name: 'a', v: 1 },
      { name: 'b', v: 5 },
    ],
  };
  const now = {
    l: [
      { name: 'b', v: 4 },
      { name: 'c', v: 0 },
      { name: 'a', v: 1 },
    ],
  };
  assert.deepEqual(check(properties, 'true', now, old), ['spec.l[0]: Invalid value: fell']);
});

test('R5: what has not changed does not block', () => {
  const schema = schemaFromJsonSchemaProps({
    type: 'object',
    properties: {
      a: { type: 'string', ...rules({ rule: "self != 'bad'", message: 'bad' }) },
      b: list({ type: 'string', ...rules({ rule: "self != 'bad'", message: 'bad item' }) }),
      c: text,
    },
  });
  const old = { a: 'bad', b: ['bad'], c: 'x' };
  const update = (now: JsonObject, before: JsonValue = old): string[] =>
    validateRules(schema, now, before).errors.map(({ field }) => field);
  assert.deepEqual(update({ ...old, c: 'y' }), []);
  assert.deepEqual(
    validateRules(schema, { ...old, c: 'y' }, old).ratcheted.map(({ field }) => field),
    ['a', 'b[0]'],
  );
  assert.deepEqual(update({ ...old, b: ['bad', 'good'] }), ['b[0]'], 'another item of a plain list');
  assert.deepEqual(update({ ...old, a: 'bad' }, { ...old, a: 'good' }), ['a']);
});

test('R4: costs are bounded', () => {
  const numbers = Array.from({ length: 2_000 }, (_, index) => index);
  const rule = 'self.a.all(x, self.a.all(y, x + y >= 0))';
  const [error] = check({ a: list(integer) }, rule, { a: numbers });
  assert.match(error ?? '', /actual cost limit exceeded.*no further validation rules will be run/);
});

test('R4: the rules of an object have ten times as much together as one of them', () => {
  const numbers = Array.from({ length: 360 }, (_, index) => index);
  const costly = (at: number) => `self.a.all(x, self.a.all(y, x + y >= 0)) && ${at} == ${at}`;
  const told = (count: number) => {
    const all = Array.from({ length: count }, (_, at) => costly(at));
    const { errors } = validateRules(
      schemaOf({ a: list(integer) }, ...all),
      { spec: { a: numbers } },
      undefined,
    );
    return errors.map(({ message }) => message);
  };
  // One of them costs something between 0.77 and 1 million.
  assert.deepEqual(told(10), []);
  const [error, ...others] = told(13);
  assert.match(
    error ?? '',
    /validation failed due to running out of cost budget, no further validation rules will be run$/,
  );
  assert.deepEqual(others, []);
});

test('rules inside allOf are about the fields outside', () => {
  const schema = schemaFromJsonSchemaProps({
    type: 'object',
    properties: { a: { type: 'integer' } },
    allOf: [{ properties: { a: rules('self > 1') } }],
  });
  assert.deepEqual(
    validateRules(schema, { a: 1 }, undefined).errors.map(({ field }) => field),
    ['a'],
  );
  assert.deepEqual(validateRules(schema, { a: 2 }, undefined).errors, []);
});

test('an object without rules is not looked at', () => {
  assert.equal(hasRules(schemaFromJsonSchemaProps({ type: 'object', properties: { a: text } })), false);
  assert.equal(hasRules(schemaOf({ a: text }, 'true')), true);
});

test('R4: estimates of costs are kube-apiserver’s', () => {
  const word = { type: 'string', maxLength: 20 };
  const moment = { type: 'string', format: 'date-time' };
  const bounded = (items: JsonObject, maxItems: number) => list(items, { maxItems });
  const properties: JsonObject = {
    ...{ s: word, dt: moment, lu: bounded({ type: 'string', format: 'duration' }, 3) },
    ll: bounded(bounded(integer, 3), 3),
    seti: bounded(integer, 4),
    mo: map({ type: 'object', properties: { x: integer, w: bounded(text, 3) } }),
    q: word,
  };
  // As a 1.36 tells them: by which factor ten million such objects pass the limit of ten million.
  const rows: readonly (readonly [rule: string, cost: number])[] = [
    ['(dyn(self.lu)[self.mo.a.x]) == (self.ll[0]).last()', 12],
    ['(dyn(self.lu)[7]) == dyn(self.seti)', 7],
    ['cidr("::ffff:1.2.3.0/120").containsCIDR("::/0")', 10],
    ['(self.?s).orValue("1.5").endsWith(strings.quote(self.s))', 30],
    ['({"a": self.dt - (self.dt - duration("1500ms"))}).exists(v, w, true)', 42],
    ['sets.contains(([self.q]), self.mo.a.w)', Number.POSITIVE_INFINITY],
    ['([self.q]).isSorted()', Number.POSITIVE_INFINITY],
  ];
  for (const [rule, cost] of rows) {
    const spec = schemaOf(properties, rule).properties?.get('spec') as Schema;
    assert.equal(rulesOf(spec, false)[0]?.costMax, cost, rule);
  }
});

test('R4: what a rule is about is read as kube-apiserver reads it', () => {
  const rule = { rule: 'false', messageExpression: "'%s'.format([self.a])", fieldPath: ".m['a']" };
  const told = (a: JsonObject, value: JsonValue) => check({ a, m: map(integer) }, rule, { a: value });
  assert.deepEqual(told({ type: 'string', format: 'duration' }, '3 days 1 hr'), [
    'spec.m[a]: Invalid value: 262800s',
  ]);
  assert.deepEqual(told({ type: 'string', format: 'byte' }, 'w6Q='), ['spec.m[a]: Invalid value: ä']);
  assert.deepEqual(check({ a: { type: 'string', format: 'byte' } }, 'self.a == b"a"', { a: 'Y/w=' }), [
    'spec: Invalid value: "object": Invalid byte formatted string Y/w=: illegal base64 data at input byte 1 evaluating rule: self.a == b"a"',
  ]);
});
