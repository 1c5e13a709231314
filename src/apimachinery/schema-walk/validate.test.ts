import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject, JsonValue } from '../json.ts';
import type { Schema } from '../schema.ts';
import { schemaFromJsonSchemaProps, schemaToOpenApi } from '../schema-from-openapi.ts';
import { applyDefaults } from './defaults.ts';
import { pruneUnknown } from './prune.ts';
import { validateValue } from './validate.ts';

const schemaOf = schemaFromJsonSchemaProps;

// Source: kube-openapi pkg/validation/errors and apiextensions' translation into field errors.
test('a wrong type is told by the format that counts, and beside all else that is said of the value', () => {
  // kube-openapi validate/type.go, values.go, schema_props.go; errors are told once (Result.AddErrors).
  const at = (props: JsonObject) => ({ type: 'object', properties: { f: props } });
  const general = (text: string) => `<nil>: Invalid value: "": "f" must ${text}`;
  const byFormat = (name: string, format: string) =>
    `f: Invalid value: "${name}": f in body must be of type ${format}: "${name}"`;
  const unfitting = (format: string) =>
    `<nil>: Invalid value: "": Checked value must be of type integer ${format} in f`;
  const either = [{ required: ['a'] }, { required: ['b'] }];
  const rows: readonly [JsonObject, JsonValue, string[]][] = [
    [at({ type: 'string', format: 'uuid' }), { f: true }, [byFormat('', 'uuid')]],
    [at({ type: 'string', format: 'uuid' }), { f: 1 }, [byFormat('int64', 'uuid')]],
    [at({ type: 'string', format: 'uuid' }), { f: [] }, []],
    [at({ type: 'string', format: 'odd' }), { f: [] }, [byFormat('array', 'string')]],
    [at({ type: 'string', format: 'odd' }), { f: 1 }, [byFormat('integer', 'string')]],
    [at({ type: 'integer', format: 'int32' }), { f: {} }, [byFormat('', 'int32')]],
    [at({ type: 'integer', format: 'int32' }), { f: 'x' }, [byFormat('string', 'integer')]],
    [
      at({ type: 'integer', format: 'odd' }),
      { f: 1.5 },
      [byFormat('number', 'integer'), unfitting('(default format)')],
    ],
    [
      at({ type: 'integer', not: { maximum: 5 } }),
      { f: 1.5 },
      [
        byFormat('number', 'integer'),
        general('not validate the schema (not)'),
        unfitting('(default format)'),
      ],
    ],
    [
      at({
        'x-kubernetes-int-or-string': true,
        allOf: [{ anyOf: [{ type: 'integer' }, { type: 'string' }] }],
      }),
      { f: true },
      [
        byFormat('boolean', 'integer,string'),
        general('validate at least one schema (anyOf)'),
        byFormat('boolean', 'integer'),
        general('validate all the schemas (allOf). None validated'),
      ],
    ],
    [
      at({ type: 'object', allOf: either, required: ['a'] }),
      { f: { b: 1 } },
      ['f.a: Required value', general('validate all the schemas (allOf)')],
    ],
    [
      at({ type: 'object', anyOf: either }),
      { f: {} },
      [general('validate at least one schema (anyOf)'), 'f.a: Required value'],
    ],
    [
      at({ type: 'number', multipleOf: 0.5 }),
      { f: 3 },
      ['f: Invalid value: 0: factor MultipleOf declared for f must be positive: 0'],
    ],
    [at({ type: 'number', multipleOf: 2.5 }), { f: 4 }, []],
    [at({ type: 'number', minimum: 2.5 }), { f: 2 }, []],
    [
      at({ type: 'number', maximum: 2.5 }),
      { f: 3 },
      ['f: Invalid value: 3: f in body should be less than or equal to 2'],
    ],
    [
      at({ type: 'integer', multipleOf: 3 }),
      { f: 2_147_483_648 },
      ['f: Invalid value: 2147483648: f in body should be a multiple of 3'],
    ],
    [
      at({ type: 'number', maximum: 1 }),
      { f: 1234567.5 },
      ['f: Invalid value: 1.2345675e+06: f in body should be less than or equal to 1'],
    ],
    [
      { type: 'object', oneOf: either },
      {},
      [
        '<nil>: Invalid value: "": "" must validate one and only one schema (oneOf). Found none valid',
        'a: Required value',
      ],
    ],
    [
      at({
        type: 'object',
        additionalProperties: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
      }),
      { f: { 'a.b': ['x', 'x'], c: [1] } },
      [
        'f[a.b][1]: Duplicate value: "x"',
        'f.c[0]: Invalid value: "integer": f.c[0] in body must be of type string: "integer"',
      ],
    ],
  ];
  for (const [schema, value, errors] of rows) {
    const found = validateValue(schemaFromJsonSchemaProps(schema), value);
    assert.deepEqual(
      found.map(({ field, message }) => `${field}: ${message}`),
      errors,
      JSON.stringify(schema),
    );
  }
});

// What a kube-apiserver 1.36 answers, cause by cause (kube-openapi validate/schema.go NewSchemaValidator).
test('what is wrong with one value is told in the order of kube-openapi’s validators', () => {
  const general = (text: string) => `<nil>: Invalid value: "": "f" must ${text}`;
  const body = (value: string, why: string, field = 'f') =>
    `${field}: Invalid value: ${value}: ${field} in body should ${why}`;
  const unsupported = (value: string, ...allowed: string[]) =>
    `f: Unsupported value: ${value}: supported values: ${allowed.map((one) => JSON.stringify(one)).join(', ')}`;
  const rows: readonly [JsonObject, JsonValue, string[]][] = [
    [
      {
        type: 'string',
        ...{ enum: ['aa', 'bb'], maxLength: 2, format: 'date' },
        anyOf: [{ minLength: 9 }, { pattern: '^q' }],
        oneOf: [{ maxLength: 1 }, { minLength: 8 }],
        allOf: [{ minLength: 7 }, { maxLength: 1 }, { pattern: '^z' }],
        not: { minLength: 1 },
      },
      'aab',
      [
        general('validate at least one schema (anyOf)'),
        body('"aab"', 'be at least 9 chars long'),
        general('validate one and only one schema (oneOf). Found none valid'),
        'f: Too long: may not be more than 1 byte',
        body('"aab"', 'be at least 7 chars long'),
        body('"aab"', "match '^z'"),
        general('validate all the schemas (allOf). None validated'),
        general('not validate the schema (not)'),
        'f: Too long: may not be more than 2 bytes',
        'f: Invalid value: "aab": f in body must be of type date: "aab"',
        unsupported('"aab"', 'aa', 'bb'),
      ],
    ],
    [
      {
        ...{ type: 'integer', enum: [1, 2], minimum: 100, maximum: 3, multipleOf: 7 },
        ...{ allOf: [{ minimum: 200 }, { enum: [4] }], not: { minimum: 0 } },
      },
      5,
      [
        body('5', 'be greater than or equal to 200'),
        unsupported('5', '4'),
        general('validate all the schemas (allOf). None validated'),
        general('not validate the schema (not)'),
        body('5', 'be a multiple of 7'),
        body('5', 'be greater than or equal to 100'),
        body('5', 'be less than or equal to 3'),
        unsupported('5', '1', '2'),
      ],
    ],
    [
      {
        ...{ type: 'array', items: { type: 'string', maxLength: 1 }, minItems: 5, enum: [['q']] },
        ...{ not: { maxItems: 9 }, allOf: [{ minItems: 7 }] },
      },
      ['aaa'],
      [
        body('1', 'have at least 7 items'),
        general('validate all the schemas (allOf). None validated'),
        general('not validate the schema (not)'),
        'f[0]: Too long: may not be more than 1 byte',
        body('1', 'have at least 5 items'),
        unsupported('["aaa"]', '["q"]'),
      ],
    ],
    [
      {
        ...{ type: 'object', properties: { p: { type: 'string', maxLength: 1 } }, required: ['q'] },
        ...{ minProperties: 4, maxProperties: 0, enum: [{ p: 'z' }], not: { required: ['p'] } },
      },
      { p: 'aaa' },
      [
        general('not validate the schema (not)'),
        unsupported('{"p":"aaa"}', '{"p":"z"}'),
        body('1', 'have at least 4 properties'),
        'f: Too many: 1: must have at most 0 items',
        'f.p: Too long: may not be more than 1 byte',
        'f.q: Required value',
      ],
    ],
  ];
  for (const [schema, value, errors] of rows) {
    const root = schemaFromJsonSchemaProps({ type: 'object', properties: { f: schema } });
    const found = validateValue(root, { f: value });
    assert.deepEqual(
      found.map(({ field, message }) => `${field}: ${message}`),
      errors,
    );
  }
});

test('values are validated with the texts of Kubernetes', () => {
  const at = (props: JsonObject) => ({ type: 'object', properties: { f: props } });
  const rows: [JsonObject, JsonValue, string[]][] = [
    [
      at({ type: 'integer' }),
      { f: 'x' },
      ['f: Invalid value: "string": f in body must be of type integer: "string"'],
    ],
    [
      at({ type: 'integer' }),
      { f: 1.5 },
      [
        'f: Invalid value: "number": f in body must be of type integer: "number"',
        '<nil>: Invalid value: "": Checked value must be of type integer (default format) in f',
      ],
    ],
    [
      at({ type: 'integer', format: 'int32', multipleOf: 2 }),
      { f: 1.5 },
      [
        'f: Invalid value: "float64": f in body must be of type int32: "float64"',
        '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in f',
        'f: Invalid value: 1.5: f in body should be a multiple of 2',
      ],
    ],
    [
      at({ type: 'string', minLength: 2, pattern: '^a', format: 'date' }),
      { f: 'b' },
      [
        'f: Invalid value: "b": f in body should be at least 2 chars long',
        'f: Invalid value: "b": f in body must be of type date: "b"',
      ],
    ],
    [
      at({ type: 'string', enum: ['a'] }),
      { f: 1 },
      [
        'f: Invalid value: "integer": f in body must be of type string: "integer"',
        'f: Unsupported value: 1: supported values: "a"',
      ],
    ],
    [
      at({ type: 'integer' }),
      { f: 2 ** 60 },
      [
        'f: Invalid value: 1152921504606847000: f in body should be an integer between -9007199254740991 and 9007199254740991',
      ],
    ],
    [at({ type: 'number' }), { f: 1 }, []],
    [
      at({ type: 'string' }),
      { f: null },
      ['f: Invalid value: "null": f in body must be of type string: "null"'],
    ],
    [at({ type: 'string', nullable: true }), { f: null }, []],
    [
      at({ type: 'string', nullable: true, enum: ['a'] }),
      { f: null },
      ['f: Unsupported value: null: supported values: "a"'],
    ],
    [{ type: 'object', required: ['a'], properties: { a: { type: 'string' } } }, {}, ['a: Required value']],
    [
      at({ type: 'string', enum: ['a', 'b'] }),
      { f: 'c' },
      ['f: Unsupported value: "c": supported values: "a", "b"'],
    ],
    [
      at({ type: 'string', pattern: '^a+$' }),
      { f: 'b' },
      [`f: Invalid value: "b": f in body should match '^a+$'`],
    ],
    [
      at({ type: 'string', minLength: 2 }),
      { f: '😀' },
      ['f: Invalid value: "😀": f in body should be at least 2 chars long'],
    ],
    [at({ type: 'string', maxLength: 1 }), { f: '😀' }, []],
    [at({ type: 'string', maxLength: 1 }), { f: 'ab' }, ['f: Too long: may not be more than 1 byte']],
    [
      at({ type: 'integer', minimum: 1 }),
      { f: 0 },
      ['f: Invalid value: 0: f in body should be greater than or equal to 1'],
    ],
    [
      at({ type: 'integer', maximum: 1, exclusiveMaximum: true }),
      { f: 1 },
      ['f: Invalid value: 1: f in body should be less than 1'],
    ],
    [at({ type: 'number', multipleOf: 0.1 }), { f: 0.3 }, []],
    [
      at({ type: 'number', multipleOf: 0.1 }),
      { f: 0.35 },
      ['f: Invalid value: 0.35: f in body should be a multiple of 0.1'],
    ],
    [at({ type: 'array', maxItems: 1 }), { f: [1, 2] }, ['f: Too many: 2: must have at most 1 item']],
    [
      at({ type: 'array', minItems: 1 }),
      { f: [] },
      ['f: Invalid value: 0: f in body should have at least 1 items'],
    ],
    [
      at({ type: 'object', maxProperties: 1, additionalProperties: {} }),
      { f: { a: 1, b: 2 } },
      ['f: Too many: 2: must have at most 1 item'],
    ],
    [
      at({ type: 'integer', format: 'int32' }),
      { f: 2 ** 31 },
      ['<nil>: Invalid value: "": Checked value must be of type integer with format int32 in f'],
    ],
    [
      at({ type: 'string', format: 'date-time' }),
      { f: 'x' },
      ['f: Invalid value: "x": f in body must be of type date-time: "x"'],
    ],
    [at({ type: 'string', format: 'unheard-of' }), { f: 'x' }, []],
    [
      at({ 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] }),
      { f: '50%' },
      [],
    ],
    [
      at({ 'x-kubernetes-int-or-string': true }),
      { f: true },
      ['f: Invalid value: "boolean": f in body must be of type integer,string: "boolean"'],
    ],
    [
      at({ type: 'object', anyOf: [{ required: ['a'] }, { required: ['b'] }], properties: { a: {}, b: {} } }),
      { f: {} },
      ['<nil>: Invalid value: "": "f" must validate at least one schema (anyOf)', 'f.a: Required value'],
    ],
    [
      at({ type: 'integer', oneOf: [{ minimum: 1 }, { minimum: 2 }] }),
      { f: 3 },
      [
        '<nil>: Invalid value: "": "f" must validate one and only one schema (oneOf). Found 2 valid alternatives',
      ],
    ],
    [
      at({ type: 'integer', not: { enum: [1] } }),
      { f: 1 },
      ['<nil>: Invalid value: "": "f" must not validate the schema (not)'],
    ],
    [
      at({ type: 'integer', allOf: [{ minimum: 3 }, { maximum: 5 }] }),
      { f: 6 },
      [
        'f: Invalid value: 6: f in body should be less than or equal to 5',
        '<nil>: Invalid value: "": "f" must validate all the schemas (allOf)',
      ],
    ],
    [
      at({
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['n'],
        items: { type: 'object', properties: { n: { type: 'string' } } },
      }),
      { f: ['a'] },
      [
        'f[0]: Invalid value: "string": f[0] in body must be of type object: "string"',
        'f[0]: Invalid value: "a": must be an object for an array of list-type map',
      ],
    ],
    [
      at({
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['n'],
        items: { 'x-kubernetes-preserve-unknown-fields': true },
      }),
      { f: [{ n: 1 }, { n: 1 }, null, 'a', 'b'] },
      ['f[3]: Invalid value: "a": must be an object for an array of list-type map'],
    ],
    [
      at({ type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } }),
      { f: ['a', 'b', 'a'] },
      ['f[2]: Duplicate value: "a"'],
    ],
    [
      at({
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['n'],
        items: { type: 'object', properties: { n: { type: 'string' }, v: { type: 'integer' } } },
      }),
      {
        f: [
          { n: 'a', v: 1 },
          { n: 'a', v: 2 },
        ],
      },
      ['f[1]: Duplicate value: {"n":"a"}'],
    ],
    [
      // Nothing is an object without its keys.
      at({
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['n'],
        items: { type: 'object', nullable: true, properties: { n: { type: 'string' } } },
      }),
      { f: [{}, null, null] },
      ['f[1]: Duplicate value: {}'],
    ],
    [
      at({ type: 'array', items: { type: 'object', properties: { a: { type: 'integer' } } } }),
      { f: [{}, { a: 'x' }] },
      ['f[1].a: Invalid value: "string": f[1].a in body must be of type integer: "string"'],
    ],
  ];
  rows.push(
    // All that is said of a null that may not be there (kube-openapi basicCommonValidator).
    [
      at({ type: 'string', enum: ['a'] }),
      { f: null },
      [
        'f: Invalid value: "null": f in body must be of type string: "null"',
        'f: Unsupported value: null: supported values: "a"',
      ],
    ],
    [
      at({ 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] }),
      { f: [] },
      [
        'f: Invalid value: "array": f in body must be of type integer,string: "array"',
        '<nil>: Invalid value: "": "f" must validate at least one schema (anyOf)',
        'f: Invalid value: "array": f in body must be of type integer: "array"',
      ],
    ],
    [
      at({ 'x-kubernetes-int-or-string': true }),
      { f: [] },
      ['f: Invalid value: "array": f in body must be of type integer,string: "array"'],
    ],
    // A number is converted to what the allowed value is before it is compared (kube-openapi basicCommonValidator).
    [
      at({ type: 'integer', enum: [1] }),
      { f: 1.5 },
      [
        'f: Invalid value: "number": f in body must be of type integer: "number"',
        '<nil>: Invalid value: "": Checked value must be of type integer (default format) in f',
      ],
    ],
    [at({ 'x-kubernetes-int-or-string': true, enum: ['a'] }), { f: 97 }, []],
    [
      at({ 'x-kubernetes-int-or-string': true, enum: ['a'] }),
      { f: 98 },
      ['f: Unsupported value: 98: supported values: "a"'],
    ],
    [
      at({ type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } }),
      { f: ['a', 'a', 'a'] },
      ['f[1]: Duplicate value: "a"'],
    ],
  );
  for (const [props, value, expected] of rows) {
    const errors = validateValue(schemaOf(props), value).map(({ field, message }) => `${field}: ${message}`);
    assert.deepEqual(errors, expected, JSON.stringify([props, value]));
  }
  assert.equal(validateValue(schemaOf(at({ type: 'integer' })), { f: '' }, 'spec')[0]?.field, 'spec.f');
});

test('formats accept and refuse', () => {
  const rows: readonly [string, string[], string[]][] = [
    ['ipv4', ['1.2.3.4', '01.02.3.4', '::ffff:1.2.3.4'], ['1.2.3', '::1', '256.1.1.1']],
    ['ipv6', ['::1', '::ffff:1.2.3.4'], ['1.2.3.4', 'fe80::1%eth0', '::ffff:01.2.3.4']],
    ['cidr', ['10.0.0.0/8', '010.0.0.1/08', '::/0'], ['10.0.0.0', '10.0.0.0/33', '::/129']],
    ['uuid', ['123e4567-e89b-12d3-a456-426614174000'], ['x']],
    ['uuid4', ['123e4567-e89b-42d3-a456-426614174000'], ['123e4567-e89b-42d3-7456-426614174000']],
    ['byte', ['YWJj', 'YQ=='], ['', 'a', '!!!!', 'A===']],
    ['date', ['2026-01-31'], ['2026-02-30', '2026']],
    // time.ParseDuration, or any number with a unit in words (kube-openapi strfmt ParseDuration).
    [
      'duration',
      ['1h30m', '-1.5s', '-0', '3 days', '5 hourss', 'in 3 Weeks'],
      ['5', 'x', '1 y', '9223372036854775808 d'],
    ],
    // net/url ParseRequestURI.
    [
      'uri',
      ['http://a', '/x', 'urn:a:b', 'http:', '*', '/a b', 'http://[::1]:8/%41', 'pg://a:1,b:2/'],
      [
        '',
        'a',
        'a b',
        '/%zz',
        'http://[::1',
        'http://[1.2.3.4]/',
        'http://a b/',
        'http://x:y/',
        'http://a:b:1/',
        ':x',
      ],
    ],
    // net/mail ParseAddress.
    [
      'email',
      ['a@b.c', 'a@b_c', 'A B <a@b>', '"a b"@c', 'a@[1.2.3.4]', '<a@b>', 'a@b (c (d))', 'ä@b', 'g: a@b;'],
      [
        '',
        'a',
        '@b',
        'a@',
        '.a@b',
        'a..b@c',
        'a@b.',
        'a b@c',
        'a@[x]',
        'a@b (c',
        'a@b,c@d',
        'g: a@b, c@d;',
        'g:;',
        '<a@b',
      ],
    ],
    ['hostname', ['a', 'a-b', 'a.b-c.de'], ['-a', 'a..b', 'a.b-c', '2020-01-01', '1.2.3.4']],
    // net ParseMAC: 6, 8 or 20 octets.
    [
      'mac',
      ['00:11:22:33:44:55', '00-11-22-33-44-55-66-77', '0011.2233.4455', '001122334455', 'ab'.repeat(20)],
      ['00:11', '00:11:22:33:44:55:66', '00:11:22-33:44:55', '00112233445566'],
    ],
    ['hexcolor', ['#fff'], ['#ff']],
    ['rgbcolor', ['rgb(0, 10,255)'], ['rgb(01,2,3)', 'rgb(256,2,3)']],
    ['creditcard', ['4111 1111 1111 1111', '4111a111111111111'], ['4111111111111112', '0000000000000000']],
    ['ssn', ['111-22-3333'], ['111223333']],
    ['isbn', ['978-3-16-148410-0'], ['978-3-16-148410-1']],
  ];
  for (const [format, yes, no] of rows) {
    const schema = schemaOf({ type: 'string', format });
    for (const value of yes) assert.deepEqual(validateValue(schema, value), [], `${format} ${value}`);
    for (const value of no) assert.equal(validateValue(schema, value).length, 1, `${format} ${value}`);
  }
});

test('lists of Kubernetes types may repeat keys, those of custom ones may not', () => {
  const list: Schema = {
    type: 'array',
    listType: 'map',
    listMapKeys: ['name'],
    items: { type: 'object', properties: new Map([['name', { type: 'string' }]]) },
  };
  const value = { env: [{ name: 'a' }, { name: 'a' }] };
  const custom: Schema = { type: 'object', properties: new Map([['env', list]]) };
  assert.equal(validateValue(custom, value).length, 1);
  assert.equal(validateValue({ ...custom, definition: 'io.k8s.api.core.v1.Container' }, value).length, 0);
});

test('recursive schemas follow the data', () => {
  const properties = new Map<string, Schema>();
  const schema: Schema = { type: 'object', properties };
  properties.set('child', schema);
  properties.set('n', { type: 'integer', default: 1 });
  const value: JsonObject = { child: { child: { x: 1 } } };
  assert.deepEqual(pruneUnknown(schema, value), ['child.child.x']);
  applyDefaults(schema, value);
  assert.deepEqual(value, { n: 1, child: { n: 1, child: { n: 1 } } });
  assert.deepEqual(validateValue(schema, value), []);
  assert.equal(typeof schemaToOpenApi(schema, { version: 'v3' }), 'object');
});
