import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { customResourceDefinitionStrategy as strategy } from './strategy.ts';
import { created, errorsOf, field } from './testing/draft-crd.ts';

test('CEL rules need no warning, unknown formats do', () => {
  const object = created((o) =>
    field(o, { type: 'string', 'x-kubernetes-validations': [{ rule: 'self != ""' }] }),
  );
  assert.deepEqual(strategy.warnings?.(object, undefined), []);
  const odd = created((o) => field(o, { type: 'string', format: 'colour' }));
  assert.deepEqual(strategy.warnings?.(odd, undefined), ['unrecognized format "colour"']);
});

test('rules are held against defaults first, and looked at themselves when those keep them', () => {
  const f = (schema: JsonObject) => errorsOf(created((o) => field(o, schema)));
  const path = 'spec.validation.openAPIV3Schema.properties[f]';
  const broken = { type: 'string', 'x-kubernetes-validations': [{ rule: 'self.absent' }] };
  const few = { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self < 5', message: 'few' }] };
  // Beside what else is wrong with defaults, and not below additionalProperties.
  assert.deepEqual(
    f({
      type: 'object',
      properties: {
        broken,
        few: { ...few, default: 7 },
        text: { type: 'string', default: 1 },
        map: { type: 'object', additionalProperties: { ...few, default: 8 } },
      },
    }),
    [
      `${path}.properties[few].default: Invalid value: 7: few`,
      `${path}.properties[text].default: Invalid value: "integer":  in body must be of type string: "integer"`,
    ],
  );
  // What replaces itself keeps what a change must keep; what is new need not have been anything.
  const changed = {
    type: 'integer',
    'x-kubernetes-validations': [{ rule: 'self > oldSelf', message: 'more' }],
  };
  assert.deepEqual(f({ ...changed, default: 1 }), [`${path}.default: Invalid value: 1: more`]);
  const rule = { rule: 'oldSelf.hasValue() && self >= 0', message: 'had', optionalOldSelf: true };
  assert.deepEqual(f({ type: 'integer', 'x-kubernetes-validations': [rule], default: 1 }), [
    `${path}.default: Invalid value: 1: had`,
  ]);
  // What is wrong within a node keeps its own rules from being looked at, and those above it, not others.
  const told = f({
    type: 'object',
    'x-kubernetes-validations': [{ rule: 'self.absent' }],
    properties: {
      broken,
      wrong: { type: 'string', uniqueItems: true, 'x-kubernetes-validations': [{ rule: '1' }] },
    },
  });
  assert.equal(told.length, 2, told.join('\n'));
  assert.match(told[0] ?? '', /properties\[wrong\]\.uniqueItems: Forbidden/);
  assert.match(
    told[1] ?? '',
    /properties\[broken\]\.x-kubernetes-validations\[0\]\.rule: .*compilation failed/,
  );
  // Rules of fields come before those of what holds them.
  const both = f({
    type: 'object',
    'x-kubernetes-validations': [{ rule: 'self.absent' }],
    properties: { broken },
  });
  assert.deepEqual(
    both.map((error) => error.slice(0, error.indexOf(': '))),
    [`${path}.properties[broken]`, path].map((at) => `${at}.x-kubernetes-validations[0].rule`),
  );
  // Texts keep the dot before a key of a map that is a default as a whole.
  const map = { type: 'object', additionalProperties: { type: 'integer', allOf: [{ minimum: 3 }] } };
  assert.deepEqual(f({ ...map, default: { k: 1 } }), [
    `${path}.default.k: Invalid value: 1: .k in body should be greater than or equal to 3`,
    `${path}.default: Invalid value: "": ".k" must validate all the schemas (allOf). None validated`,
  ]);
});

// Each rule is within its budget of 10 million, all together are beyond that of 100 million.
test('rules that are too much together are refused with the most costly of them (R4)', () => {
  const errors = errorsOf(
    created((o) => {
      const rules = Array.from({ length: 30 }, (_, at) => ({ rule: `self.all(x, x.size() >= ${at})` }));
      const items = { type: 'string', maxLength: 10 };
      field(o, { type: 'array', maxItems: 900_000, items, 'x-kubernetes-validations': rules });
    }),
  );
  assert.match(
    errors.at(-1) ?? '',
    /x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of 1\.\d+x/,
  );
  const contributed = errors.filter((one) => /contributed to estimated rule cost total exceeding/.test(one));
  assert.equal(contributed.length, 4);
  assert.equal(errors.length, 5);
});
