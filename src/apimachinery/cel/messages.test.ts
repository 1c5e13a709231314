import assert from 'node:assert/strict';
import test from 'node:test';
import { kubernetesEnvironment } from './environment.ts';
import { JsonMap } from './json-values.ts';
import { compileCel } from './program.ts';
import { CelProgramError } from './type-errors.ts';
import { dynType, opaqueNamed } from './types.ts';
import { ArrayList, type CelFault, type Value } from './values.ts';

const environment = kubernetesEnvironment(
  new Map([
    ['object', { type: dynType }],
    ['check', { type: opaqueNamed('k.Check') }],
  ]),
);

const operand =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

/** What cel-go v0.26 (ANTLR's parser, checker, Kubernetes' validators) says of each: position and words. */
const rows: readonly (readonly [source: string, ...messages: string[]])[] = [
  ['object.', "8: Syntax error: no viable alternative at input '.'"],
  ['object..x', "8: Syntax error: no viable alternative at input '..'"],
  ['(', `2: Syntax error: mismatched input '<EOF>' expecting ${operand}`],
  ['()', `2: Syntax error: mismatched input ')' expecting ${operand}`],
  ['1 +', `4: Syntax error: mismatched input '<EOF>' expecting ${operand}`],
  ['+ 1', `1: Syntax error: extraneous input '+' expecting ${operand}`],
  ['true and false', "6: Syntax error: mismatched input 'and' expecting <EOF>"],
  ['1 2', "3: Syntax error: extraneous input '2' expecting <EOF>"],
  ['size("a"', "9: Syntax error: missing ')' at '<EOF>'"],
  ['f(', `3: Syntax error: mismatched input '<EOF>' expecting ${operand.replace("'(',", "'(', ')',")}`],
  [
    '[',
    `2: Syntax error: mismatched input '<EOF>' expecting {'[', ']', '{', '(', '.', ',', '-', '!', '?', ${operand.slice(operand.indexOf("'true'"))}`,
  ],
  ['[1', "3: Syntax error: mismatched input '<EOF>' expecting {']', ','}"],
  ['[1 2]', "4: Syntax error: extraneous input '2' expecting {']', ','}"],
  ['[1,', "4: Syntax error: missing ']' at '<EOF>'"],
  ['[1,,2]', "4: Syntax error: mismatched input ',' expecting ']'"],
  ['{"a" 1}', "6: Syntax error: missing ':' at '1'"],
  ['1 ? 2 3', "7: Syntax error: missing ':' at '3'"],
  ['if', '1: reserved identifier: if'],
  ['.nope', "2: undeclared reference to '.nope' (in container '')"],
  ['.nope(1)', "6: undeclared reference to '.nope' (in container '')"],
  [
    'object.x = 1',
    "10: Syntax error: token recognition error at: '= '",
    "12: Syntax error: extraneous input '1' expecting <EOF>",
  ],
  ['1 === 1', "5: Syntax error: token recognition error at: '= '"],
  [
    '"abc',
    `1: Syntax error: token recognition error at: '"abc'`,
    `5: Syntax error: mismatched input '<EOF>' expecting ${operand}`,
  ],
  ["'''a", "3: Syntax error: token recognition error at: ''a'"],
  ['b"\\u0041"', '1: unable to unescape string'],
  ['"\\ud800"', '1: invalid unicode code point'],
  ['[1] + [object] + ["a"] + 1', "24: found no matching overload for '_+_' applied to '(list(dyn), int)'"],
  ['has(object)', '5: invalid argument to has() macro'],
  [
    'object.all(x)',
    "11: undeclared reference to 'all' (in container '')",
    "12: undeclared reference to 'x' (in container '')",
  ],
  ['1 || "a"', "1: expected type 'bool' but found 'int'", "6: expected type 'bool' but found 'string'"],
  [
    '"a".x + check + 1',
    "4: type 'string' does not support field selection",
    "7: found no matching overload for '_+_' applied to '(dyn, k.Check)'",
  ],
  ['check.foo', "6: unexpected failed resolution of 'k.Check'"],
  ['[1].filter(i, 1)', "11: found no matching overload for '_?_:_' applied to '(int, list(int), list(int))'"],
  [
    '{"a": 1}.transformMap(k, v, 1, v)',
    "22: found no matching overload for '_?_:_' applied to '(int, map(string, int), map(string, int))'",
  ],
  // What is wrong in a list makes all of it that.
  [
    '["a", [1].join()].startsWith("a")',
    "15: found no matching overload for 'join' applied to 'list(int).()'",
    "29: found no matching overload for 'startsWith' applied to 'list(!error!).(string)'",
  ],
  ['[1].exists_one(i, 1)', "15: found no matching overload for '_?_:_' applied to '(int, int, int)'"],
  ['[object.x, 1]', "12: expected type 'dyn' but found 'int'"],
  ['{"a": 1, "b": object.x}', "21: expected type 'int' but found 'dyn'"],
  [
    '[[1, "a"], object + 1, check + 1]',
    "30: found no matching overload for '_+_' applied to '(k.Check, int)'",
  ],
  [
    '[[1, "a", true], ["a"]]',
    "6: expected type 'int' but found 'string'",
    "18: expected type 'list(dyn)' but found 'list(string)'",
  ],
  ['{"a": [1][?0], ?"b": optional.of("x")}', "33: expected type 'optional_type(int)' but found 'string'"],
  [
    'dyn(check + 1) < {"a": 1}',
    "11: found no matching overload for '_+_' applied to '(k.Check, int)'",
    "16: found no matching overload for '_<_' applied to '(dyn, map(string, int))'",
  ],
  [
    '[1].filter(i, 1) == ["a"]',
    "11: found no matching overload for '_?_:_' applied to '(int, list(int), list(int))'",
    "18: found no matching overload for '_==_' applied to '(list(int), list(string))'",
  ],
  [
    '[1].optMap(x, x)',
    "11: found no matching overload for 'hasValue' applied to 'list(int).()'",
    "11: found no matching overload for 'value' applied to 'list(int).()'",
  ],
  [
    'optional.of(1).optFlatMap(x, x)',
    "26: found no matching overload for '_?_:_' applied to '(bool, int, optional_type(dyn))'",
  ],
  [
    '[?check, ?([1].join())]',
    "3: expected type 'optional_type(k.Check)' but found 'k.Check'",
    "20: found no matching overload for 'join' applied to 'list(int).()'",
    "20: expected type 'optional_type(!error!)' but found '!error!'",
  ],
  // What is within something wrong is of any type.
  [
    '"a".sum().filter(x, true).sum(1)',
    "8: found no matching overload for 'sum' applied to 'string.()'",
    "30: found no matching overload for 'sum' applied to 'list(dyn).(int)'",
  ],
  [
    '1.sortBy(x, x)',
    '1: sortBy can only be applied to a list, identifier, comprehension, call or select expression',
  ],
  [
    'int(1).sortBy(x, x)',
    "14: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)",
    "14: found no matching overload for '@sortByAssociatedKeys' applied to 'int.(list(!error!))'",
  ],
  [
    '"%d %s".format(["x", check])',
    '17: error during formatting: decimal clause can only be used on integers, was given string',
  ],
  [
    '"%s".format([[1, check]])',
    '18: error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, was given k.Check',
  ],
  ['"%s".format([1, 2])', '12: too many arguments supplied to string.format (expected 1, got 2)'],
  ['"%s %s".format([1])', '15: index 1 out of range'],
  ['"x".first()', "10: found no matching overload for 'first' applied to 'string.()'"],
];

test('messages of expressions that do not compile are cel-go’s', () => {
  for (const [source, ...messages] of rows) {
    assert.throws(
      () => compileCel(source, environment),
      (error: Error) => {
        const told = [...error.message.matchAll(/^ERROR: <input>:1:(.*)$/gm)].map(([, one]) => one);
        assert.deepEqual(told, messages, source);
        return true;
      },
      source,
    );
  }
});

// cel-go's checker asks nothing of keys (checker/checker.go checkCreateMap).
test('R4: keys of a map may be of any type when an expression is compiled', () => {
  for (const source of ['{[1]: 2}.size() == 1', '{1.5: 2}.size() == 1', '{duration("1s"): 2}.size() == 1'])
    assert.doesNotThrow(() => compileCel(source, environment), source);
});

test('R4: what stands in an expression is converted, and patterns are read, before it runs', () => {
  for (const [source, message] of [
    ['false && uint("NaN") == 1u', "type conversion error from 'string' to 'uint'"],
    ['int("9223372036854775808") == 1', "type conversion error from 'string' to 'int'"],
    ['uint(1e300) == 1u', 'unsigned integer overflow'],
    ['"a".find("(") == ""', 'error parsing regexp: missing closing ): `(`'],
  ] as const) {
    assert.throws(
      () => compileCel(source, environment),
      (error: Error) => error instanceof CelProgramError && error.message === message,
      source,
    );
  }
  const { value, cost } = compileCel('1 in [1, 2] && {"a": int("1")}.a == 1', environment).run(
    () => null,
    100,
  );
  assert.deepEqual({ value, cost }, { value: true, cost: 3 });
});

test('what a function does not take is told with its name', () => {
  const run = (source: string, object: Value) =>
    compileCel(source, environment).run(() => object, 1000).value;
  const told = (source: string, object: Value) => (run(source, object) as CelFault).message;
  assert.equal(told('object + 1', true), 'no such overload: _+_');
  assert.equal(told('object + 1', 'a'), 'no such overload');
  assert.equal(told('object.getFullYear()', 'a'), 'no such overload: getFullYear(string)');
  assert.equal(told('object.charAt(1)', null), 'no such overload: charAt(null_type, int)');
  // As k8s.io/apiextensions-apiserver v0.36.0 tells: some functions ask the values themselves, and so does a pattern that stands there.
  for (const source of [
    'object.contains("a")',
    'object.endsWith("a")',
    '"a".startsWith(object)',
    '"a".matches(object)',
    'object.matches("a")',
    'object.find("a")',
    'object.findAll("a", object)',
  ])
    assert.equal(told(source, 1n), 'no such overload', source);
  assert.equal(told('object.matches(string(object))', 1n), 'no such overload: matches');
  assert.equal(told('object.find(string(object))', 1n), 'no such overload: find(int, string)');
  for (const [source, name] of [
    ['sets.contains(object, [1])', 'sets.contains(int, list)'],
    ['strings.quote(object) == ""', 'strings.quote(int)'],
    ['ip.isCanonical(object)', 'ip.isCanonical(int)'],
  ] as const)
    assert.equal(told(source, 1n), `no such overload: ${name}`);
  assert.throws(
    () => compileCel('[?[1].first().optFlatMap(v, [[1]].first()), dyn(1)]', environment),
    /expected type 'list\(int\)' but found 'dyn'/,
  );
  assert.equal(run('object.orValue(2)', 1n), 1n, 'what is no optional is itself');
  assert.equal(told('object.map(x, x)', 'a'), "got 'types.String', expected iterable type");
  assert.equal(told('object.all(x, x)', null), "got 'types.Null', expected iterable type");
  const ofTwo = 'unsupported comprehension range type: types.Bool';
  assert.equal(told('object.transformMap(k, v, v)', true), ofTwo);
});

test('functions of lists look at the first element, and pass over what has no order beside it', () => {
  const run = (source: string, object: Value) =>
    compileCel(source, environment).run(() => object, 1000).value;
  const told = (source: string, object: Value) => (run(source, object) as CelFault).message;
  const mixed = new ArrayList([3n, 'a', 5n]);
  const pair = new ArrayList([new JsonMap({}, undefined)]);
  assert.equal(run('object.max()', mixed), 5n);
  assert.equal(run('object.isSorted()', mixed), true);
  assert.equal(run('object.sum()', new ArrayList([1.5, 2])), 3.5);
  assert.equal(told('object.sum()', mixed), 'no such overload');
  assert.equal(told('object.max()', pair), 'no such overload: max(list)');
  assert.equal(told('object.join()', mixed), 'no such overload: join(list)');
  assert.equal(told('object.join()', new ArrayList(['a', 3n])), 'join: invalid input: 3');
  assert.equal(told('object.sort()', mixed), 'list elements must have the same type');
  assert.equal(told('object.sort()', pair), 'list elements must be comparable');
  assert.equal(told('{"a": 1}[object]', null), 'invalid qualifier type: <nil>');
  // Only overloads for numbers are left, as the type of the keys binds that of the elements.
  assert.equal(told('object.sortBy(x, 1.5).max()', new ArrayList(['b'])), 'no such overload: max(list)');
});

test('a moment is shown in the zone in which it was told', () => {
  const run = (source: string) => compileCel(source, environment).run(() => null, 1000).value;
  const moment = 'timestamp("2023-01-01T00:30:00.5+02:00")';
  assert.equal(run(`string(${moment})`), '2023-01-01T00:30:00.5+02:00');
  assert.equal(run(`string(${moment} - duration("1h"))`), '2022-12-31T23:30:00.5+02:00');
  assert.equal(run(`${moment} == timestamp("2022-12-31T22:30:00.5Z")`), true);
  assert.equal(run(`${moment}.getHours()`), 22n);
});

test('letters beyond ASCII are as wide in the mark below the line', () => {
  assert.throws(() => compileCel("'é' + 1", environment), /\n \| 'é' \+ 1\n \| \.．\.\.\^$/);
});

test('lists know their first and last (optional types 2)', () => {
  const run = (source: string) => compileCel(source, environment).run(() => null, 1000).value;
  assert.equal(run('[1, 2, 3].first().value()'), 1n);
  assert.equal(run('[1, 2, 3].last().value()'), 3n);
  assert.equal(run('[].first().hasValue()'), false);
  assert.equal(run('size([object, object])'), 2n);
});
