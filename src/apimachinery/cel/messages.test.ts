import assert from 'node:assert/strict';
import test from 'node:test';
import { kubernetesEnvironment } from './environment.ts';
import { compileCel } from './program.ts';
import { dynType, opaqueNamed } from './types.ts';

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
  ['has(object)', '5: invalid argument to has() macro'],
  [
    'object.all(x)',
    "11: undeclared reference to 'all' (in container '')",
    "12: undeclared reference to 'x' (in container '')",
  ],
  ['1 || "a"', "1: expected type 'bool' but found 'int'", "6: expected type 'bool' but found 'string'"],
  ['check.foo', "6: unexpected failed resolution of 'k.Check'"],
  ['[1].filter(i, 1)', "11: found no matching overload for '_?_:_' applied to '(int, list(int), list(int))'"],
  ['[1].exists_one(i, 1)', "15: found no matching overload for '_?_:_' applied to '(int, int, int)'"],
  ['[object.x, 1]', "12: expected type 'dyn' but found 'int'"],
  ['{"a": 1, "b": object.x}', "21: expected type 'int' but found 'dyn'"],
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
