import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kubernetesEnvironment } from './environment.ts';
import { compileCel } from './program.ts';
import { CelTypeError } from './type-errors.ts';
import { stringType } from './types.ts';

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
