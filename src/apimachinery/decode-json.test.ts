import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError } from './api-error.ts';
import { decodeJson, jsonDepthMax, membersOf } from './decode-json.ts';
import { decodeYaml } from './decode-yaml.ts';

const json = (text: string) => decodeJson(Buffer.from(text));
const yaml = (text: string) => decodeYaml(Buffer.from(text));

function refusal(decode: () => unknown): string {
  try {
    decode();
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    assert.equal(error.code, 400);
    return error.message;
  }
  return 'not refused';
}

test('any JSON value survives decoding, without duplicates', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      if (text.includes('__proto__')) return;
      const decoded = json(text);
      assert.deepEqual(decoded.value, JSON.parse(text));
      assert.deepEqual(decoded.duplicateFields(), []);
    }),
    { numRuns: 500 },
  );
});

test('members are counted wherever quotes and backslashes stand', () => {
  const piece = fc.constantFrom('"', '\\', ':', '{', '}', 'a', 'ü', '\n');
  const text = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
  const value = fc.dictionary(text, fc.oneof(text, fc.array(text), fc.dictionary(text, text)));
  fc.assert(
    fc.property(value, (given) => {
      const decoded = json(JSON.stringify(given));
      assert.equal(decoded.members, membersOf(decoded.value));
      assert.deepEqual(decoded.duplicateFields(), []);
    }),
  );
});

test('malformed JSON is refused with its offset', () => {
  const rows: readonly [string, RegExp][] = [
    ['', /unexpected end of JSON input at offset 0$/],
    ['{', /unexpected end of JSON input at offset 1$/],
    ['{"a":fal', /invalid character ' ' in literal false \(expecting 's'\) at offset 8$/],
    ['["a', /unexpected end of JSON input at offset 3$/],
    ['[-', /invalid character ' ' in numeric literal at offset 2$/],
    ['{"a":1,}', /invalid character '}' looking for beginning of object key string at offset 7$/],
    ['{"a" 1}', /invalid character '1' after object key at offset 5$/],
    ['[1 2]', /invalid character '2' after array element at offset 3$/],
    ['{} x', /invalid character 'x' after top-level value at offset 3$/],
    ['nul', /invalid character ' ' in literal null \(expecting 'l'\) at offset 3$/],
    ['"\\x"', /invalid character 'x' in string escape code at offset 2$/],
    ['01', /invalid character '1' after top-level value at offset 1$/],
    ['"a\nb"', /invalid character '\\n' in string literal at offset 2$/],
    ['-', /invalid character ' ' in numeric literal at offset 1$/],
  ];
  for (const [text, message] of rows)
    assert.match(
      refusal(() => json(text)),
      message,
      text,
    );
  assert.match(
    refusal(() => decodeJson(Buffer.from([0x22, 0xff, 0x22]))),
    /not valid UTF-8/,
  );
});

test('the slow scan refuses exactly what JSON.parse refuses', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'{}[]",:\\u0019a-+.eEtrufalsn \n') }), (text) => {
      let parses = true;
      try {
        JSON.parse(text);
      } catch {
        parses = false;
      }
      const message = refusal(() => json(text));
      assert.equal(message === 'not refused', parses, text);
      if (!parses) assert.match(message, /at offset \d+$/);
    }),
    { numRuns: 2000 },
  );
});

test('nesting is bounded', () => {
  assert.equal(
    refusal(() => json('['.repeat(jsonDepthMax) + ']'.repeat(jsonDepthMax))),
    'not refused',
  );
  assert.match(
    refusal(() => json('['.repeat(jsonDepthMax + 1))),
    /nested deeper than/,
  );
  assert.match(
    refusal(() => json('{"a":'.repeat(1_000_000))),
    /nested deeper than/,
  );
  for (const levels of [jsonDepthMax + 2, 2_000, 20_000])
    for (const text of [
      '- '.repeat(levels),
      `a: ${'['.repeat(levels)}${']'.repeat(levels)}`,
      `a: ${'{b: '.repeat(levels)}1${'}'.repeat(levels)}`,
    ])
      assert.equal(
        refusal(() => yaml(text)),
        `YAML is nested deeper than ${jsonDepthMax} levels`,
      );
});

test('a key __proto__ is refused in every spelling', () => {
  for (const key of ['__proto__', '\\u005f_proto__', '__prot\\u006F__']) {
    assert.match(
      refusal(() => json(`{"a":[{"${key}":{"x":1}}]}`)),
      /"__proto__" is not allowed/,
      key,
    );
  }
  assert.equal(
    refusal(() => json('{"a":"__proto__"}')),
    'not refused',
  );
  assert.match(
    refusal(() => yaml('a:\n  __proto__:\n    x: 1\n')),
    /"__proto__" is not allowed/,
  );
});

test('halves of characters are none (encoding/json)', () => {
  const text = String.raw`{"a":["\ud800","\ud83d\ude00","\uDC00x"],"\ud800":"\\ud800"}`;
  assert.deepEqual(json(text).value, { a: ['\ufffd', '😀', '\ufffdx'], '\ufffd': String.raw`\ud800` });
  assert.match(
    refusal(() => yaml(String.raw`a: "\ud800"`)),
    /found invalid Unicode character escape code$/,
  );
});

test('YAML is read in the order in which Go writes maps', () => {
  assert.equal(JSON.stringify(yaml('b: 1\na: {d: 1, c: 2}\n').value), '{"a":{"c":2,"d":1},"b":1}');
});

test('duplicate members are named by path', () => {
  assert.deepEqual(json('{"a":1,"a":2}').duplicateFields(), ['a']);
  assert.deepEqual(json('{"s":{"c":[{"n":1},{"n":1,"n":2,"n":3}]},"s2":{":":"\\":"}}').duplicateFields(), [
    's.c[1].n',
  ]);
  assert.deepEqual(yaml('a: 1\nb:\n- c: 1\n  c: 2\n').duplicateFields(), ['b[0].c']);
});

test('YAML is read as Kubernetes reads it: version 1.1', () => {
  const rows: readonly [string, unknown][] = [
    ['a: no', { a: false }],
    ['a: y', { a: true }],
    ['a: 0777', { a: 511 }],
    ['a: 12:30:45', { a: '12:30:45' }],
    ['a: 2001-01-01', { a: '2001-01-01' }],
    ['a: 1_000', { a: 1000 }],
    ['a: ~', { a: null }],
    ['a: "no"', { a: 'no' }],
    ['1: a', { '1': 'a' }],
    ['a: 1e3', { a: 1000 }],
    ['x: &x {b: 1}\nz: *x', { x: { b: 1 }, z: { b: 1 } }],
    ['x: &x {b: 1}\nz:\n  <<: *x\n  c: 2', { x: { b: 1 }, z: { b: 1, c: 2 } }],
    ['{a: b}', { a: 'b' }],
    ['{"a": "b"}', { a: 'b' }],
    ['---\na: 1\n', { a: 1 }],
    ['', null],
  ];
  for (const [text, expected] of rows) assert.deepEqual(yaml(text).value, expected, text);
});

test('YAML that cannot be JSON, is several documents, or grows without bound is refused', () => {
  const bomb = Array.from({ length: 12 }, (_, i) =>
    i === 0
      ? 'a0: &a0 [x,x,x,x,x,x,x,x,x]'
      : `a${i}: &a${i} [${Array(9)
          .fill(`*a${i - 1}`)
          .join(',')}]`,
  ).join('\n');
  for (const text of ['a: .nan', 'a: 1\n---\nb: 1\n', 'a: [', 'a: *b', '\t- a', bomb]) {
    assert.match(
      refusal(() => yaml(text)),
      /YAML/,
      text.slice(0, 40),
    );
  }
});
