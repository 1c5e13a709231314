import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../json.ts';
import { schemaFromJsonSchemaProps } from '../schema-from-openapi.ts';
import { declOf } from './decl.ts';
import { CelCostError } from './frame.ts';
import { valueOfJson } from './json-values.ts';
import { rulesOf } from './rules/rule-program.ts';

const integer = { type: 'integer' };
const properties: JsonObject = {
  l: { type: 'array', maxItems: 9, items: integer },
  m: { type: 'object', maxProperties: 9, additionalProperties: integer },
  s: { type: 'string', maxLength: 99 },
  none: integer,
  o: { type: 'object', properties: { x: integer } },
};
const object: JsonObject = { l: [1, 2, 3], m: { a: 1, b: 2 }, s: 'abcdefghijkl', o: { x: 1 } };

function costOf(rule: string, costMax = Number.POSITIVE_INFINITY): number {
  const schema = schemaFromJsonSchemaProps({
    type: 'object',
    properties,
    'x-kubernetes-validations': [{ rule }],
  });
  const [compiled] = rulesOf(schema, false);
  assert.equal(compiled?.error, undefined, rule);
  assert.ok(compiled?.program, rule);
  const self = valueOfJson(object, declOf(schema, false));
  return compiled.program.run(() => self, costMax).cost;
}

type Row = readonly [rule: string, cost: number];

/** What k8s.io/apiextensions-apiserver v0.36.0 (cel-go 0.26) takes from its budget for each; it has no `cel.bind`. */
const tables: Readonly<Record<string, readonly Row[]>> = {
  'macros (cel-go parser/macro.go: 3 an element of all, 4 of exists, 13 of filter, 12 of map; 1 for the result)':
    [
      ['[1, 2].all(x, true)', 7],
      ['self.l.all(x, true)', 12],
      ['self.l.exists(x, false)', 15],
      ['self.l.exists_one(x, false)', 4],
      ['self.l.exists_one(x, true)', 10],
      ['self.l.filter(x, true).size() == 3', 44],
      ['self.l.filter(x, false).size() == 0', 5],
      ['self.l.map(x, x).size() == 3', 44],
      ['self.l.map(x, false, x).size() == 0', 5],
      ['self.l.map(x, 1).size() == 3', 11],
      ['self.l.sortBy(x, x).size() == 3', 75],
    ],
  'an end before the last element (2 more of all, 3 of exists)': [
    ['self.l.all(x, false)', 8],
    ['self.l.all(x, x < 3)', 18],
    ['self.l.exists(x, true)', 10],
    ['self.l.exists(x, x == 3)', 21],
  ],
  'macros of two variables (cel-go ext/comprehensions.go: 3 an insertion, 2 of an entry)': [
    ['self.l.all(i, x, true)', 12],
    ['self.l.exists(i, x, false)', 15],
    ['self.l.existsOne(i, x, true)', 10],
    ['self.l.transformList(i, x, x).size() == 3', 44],
    ['self.l.transformList(i, x, false, x).size() == 3', 5],
    ['self.m.transformMap(k, v, v).size() == 2', 13],
    ['self.m.transformMap(k, v, false, v).size() == 0', 5],
    ['self.m.transformMapEntry(k, v, {k: v}).size() == 2', 73],
    ['self.m.transformMapEntry(k, v, {"z": 1}).size() == 2', 9],
  ],
  'optMap (cel-go cel/library.go: what it is about twice, where it holds something)': [
    ['self.?none.optMap(a, a + 1).hasValue()', 4],
    ['self.?o.optMap(a, a.x + 1).hasValue()', 11],
    ['self.?o.optFlatMap(a, a.?x).hasValue()', 9],
  ],
  'cel.bind (cel-go interpreter/interpretable.go: what a name stands for is evaluated when it is first asked for)':
    [
      ['cel.bind(a, self.l.map(x, x), true)', 0],
      ['cel.bind(a, self.l.map(x, x), a.size() == a.size())', 47],
    ],
  'faults: what is walked is walked to its end': [
    ['self.l.all(x, self.none == x)', 24],
    ['self.l.exists(x, self.none == x || x == 2)', 26],
    ['self.l.exists_one(x, self.none == 1)', 13],
    ['self.l.map(x, self.none).size() == 3', 47],
    ['self.m.transformMap(k, v, self.none).size() == 0', 11],
    ['self.none == 1 || true', 3],
    ['(self.none + self.o.x) == 1 || true', 7],
    ['self.s.substring(self.none, self.o.x) == "" || true', 4],
    ['self.s.substring(self.o.x, self.none) == "" || true', 9],
    ['[self.none, self.o.x].size() == 2 || true', 14],
    ['{"a": self.none}.size() == 1 || true', 34],
  ],
  'attributes (cel-go interpreter/attributes.go: not evaluated as a branch, an index, or by has)': [
    ['self.o.x == 1', 4],
    ['(true ? self.o : self.o).x == 1', 3],
    ['(true ? self.o.x : 1) == 1', 3],
    ['(true ? 1 : self.o.x) == 1', 1],
    ['[self.o][0].x == 1', 16],
    ['self.l[self.o.x] == 2', 6],
    ['self.l[1 + 1] == 3', 5],
    ['[1, 2][0] == 1', 3],
    ['has(self.o.x)', 2],
    ['has(self.none)', 1],
    ['has((true ? self.o : self.o).x)', 1],
    ['self.?none.hasValue()', 2],
    ['self.?o.x.hasValue()', 4],
    ['self.?none.orValue(1) == 1', 2],
    ['self.l[?7].hasValue()', 3],
    ['[type(1), int].size() == 2', 2],
  ],
  'functions (cel-go interpreter/runtimecost.go, apiserver/pkg/cel/library/cost.go)': [
    ['self.s.startsWith("abc")', 4],
    ['self.s.matches("abc")', 4],
    ['matches(self.s, "abc")', 3],
    ['dyn(self.s) < dyn(self.s)', 7],
    ['self.s < self.s', 6],
    ['self.s + self.s == ""', 7],
    ['1 in self.l', 5],
    ['1 in [1, self.o.x]', 15],
    ['self.l.sum() == 6', 6],
    ['self.l == self.l', 5],
  ],
};

for (const [name, rows] of Object.entries(tables)) {
  test(`R4: what it costs to run ${name}`, () => {
    for (const [rule, cost] of rows) assert.equal(costOf(rule), cost, rule);
  });
}

test('R4: an evaluation ends when its cost is passed, wherever that is', () => {
  for (const [rule, cost] of Object.values(tables).flat()) {
    // What is taken back for a presence test was paid before.
    if (!rule.startsWith('has((')) assert.equal(costOf(rule, cost), cost, rule);
    if (cost > 0) assert.throws(() => costOf(rule, cost - 1), CelCostError, rule);
  }
});

test('R4: what is compared deep, and texts that grow, cost more than Kubernetes takes for them', () => {
  const numbers = Array.from({ length: 64 }, (_, at) => at);
  const [wide, narrow] = [`[[${numbers.join(', ')}], [self.o.x]]`, '[[0], [self.o.x]]'];
  assert.equal(costOf(`${narrow} == ${narrow}`), 47);
  assert.equal(costOf(`${wide} == ${wide}`), 47 + 4);
  const filled = (length: number) => costOf(`self.s.replace("", "${'x'.repeat(length)}") == ""`);
  assert.equal(filled(1), 5);
  assert.equal(filled(1000), 5 + 12);
});

test('R4: optMap of optMap, each of which doubles what it is about, is read in no time and ends by its cost', () => {
  const rule = `optional.of(1)${'.optMap(a, a)'.repeat(60)}.hasValue()`;
  assert.throws(() => costOf(rule, 100_000), CelCostError);
});
