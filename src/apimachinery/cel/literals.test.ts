import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kubernetesEnvironment } from './environment.ts';
import { compileCel } from './program.ts';
import { CelTypeError } from './type-errors.ts';
import { stringType } from './types.ts';
import { CelFault } from './values.ts';

const environment = kubernetesEnvironment(new Map([['name', { type: stringType }]]));

test('R4: literals that cannot be read are refused when an expression is compiled', () => {
  for (const [source, message] of [
    [
      'name.matches("[")',
      'ERROR: <input>:1:14: invalid matches argument\n | name.matches("[")\n | .............^',
    ],
    ['name.matches("(?=a)")', 'invalid matches argument'],
    ['duration("1x") > duration("1s")', 'ERROR: <input>:1:10: invalid duration argument'],
    ['timestamp(-9223372036854775808) < timestamp(name)', 'ERROR: <input>:1:11: invalid timestamp argument'],
    ['timestamp("yesterday") < timestamp(name)', 'ERROR: <input>:1:11: invalid timestamp argument'],
  ] as const) {
    assert.throws(
      () => compileCel(source, environment),
      (error) => error instanceof CelTypeError && error.message.includes(message),
      source,
    );
  }
  for (const source of [
    'name.matches("^[a-z]+$")',
    'name.matches(name)',
    'duration("1h30m") > duration(name)',
    'timestamp("2020-01-01T00:00:00Z") < timestamp(name)',
    'timestamp(5) == timestamp(5)',
  ]) {
    compileCel(source, environment);
  }
  compileCel('name.matches("[")', { ...environment, mixesLiterals: true });
});

// What k8s.io/apiextensions-apiserver v0.36.0 (cel-go v0.26) says of each.
test('R4: of equal keys of a map the last one holds', () => {
  const evaluated = (source: string) => {
    const program = compileCel(source, environment);
    const { value } = program.run(() => 'a', Number.POSITIVE_INFINITY);
    return value instanceof CelFault ? value.message : value;
  };
  for (const source of [
    "{'a': 1, 'a': 2}.a == 2",
    "{'a': 1, 'b': 3, 'a': 2} == {'b': 3, 'a': 2}",
    "{name: 1, 'a': 2}.size() == 1",
    "{true: 'a', true: 'b'}[true] == 'b'",
    "{'a': {'b': 1, 'b': 2}, 'a': {'b': 3, 'b': 4}}.a.b == 4",
    "{'a': 1, ?'a': optional.none()}.size() == 0",
    "{?'a': optional.none(), 'a': 1}.a == 1",
    "{'a': 1, ?'a': optional.of(2)}.a == 2",
    // Numbers of two types are two keys; each finds its own first, and a double the signed one.
    "{dyn(1): 'a', dyn(1u): 'b'}.size() == 2",
    "{dyn(1): 'a', dyn(1u): 'b'}[1] == 'a'",
    "{dyn(1): 'a', dyn(1u): 'b'}[1u] == 'b'",
    "{dyn(1): 'a', dyn(1u): 'b'}[1.0] == 'a'",
    "{dyn(1): 'a', dyn(1u): 'b'} != {dyn(1u): 'a', dyn(1): 'b'}",
    "{dyn(1u): 'b'}[1.0] == 'b'",
    'dyn(1) in {dyn(1u): true}',
  ]) {
    assert.equal(evaluated(source), true, source);
  }
  assert.equal(
    evaluated("{'a': [1][5], 'a': 2}.a == 2"),
    'index out of bounds: 5',
    'a fault counts under any key',
  );
  for (const entries of ['{v: i}', '{dyn(v): i, dyn(uint(v)): 5}']) {
    assert.equal(
      evaluated(`[1, 1].transformMapEntry(i, v, ${entries}).size() == 1`),
      'insert failed: key 1 already exists',
      entries,
    );
  }
});
