import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { goRegexp } from './go-regexp.ts';
import { RegexpSyntaxError } from './syntax-error.ts';

test('expressions match as in Go', () => {
  const rows: readonly [string, yes: string[], no: string[]][] = [
    ['', ['', 'x'], []],
    ['abc', ['abc', 'xabcx'], ['ab', 'ABC']],
    ['^a+$', ['a', 'aaa'], ['', 'ab', 'a\n']],
    ['^(a|bc)*$', ['', 'abc', 'bcbc'], ['b', 'abcb']],
    ['^a{2,3}$', ['aa', 'aaa'], ['a', 'aaaa']],
    ['^a{2}$', ['aa'], ['a', 'aaa']],
    ['^a{2,}$', ['aa', 'aaaa'], ['a']],
    ['a{,2}', ['a{,2}'], ['aa']],
    ['^[^a-c]$', ['d', '\n', 'ä', '😀'], ['a', '']],
    ['^.$', ['a', '😀', 'ä'], ['\n', 'ab', '']],
    ['(?s)^.$', ['\n'], ['']],
    ['(?i)^straße$', ['STRAßE', 'Straße'], ['strase']],
    ['(?i)^[k]$', ['K', 'k', '\u212a'], ['x']],
    ['^a(?i:b)c$', ['aBc', 'abc'], ['aBC']],
    ['(?m)^b$', ['a\nb\nc'], ['ab']],
    ['\\bfoo\\b', ['a foo b', 'foo'], ['afoo', 'foob']],
    ['\\Boo', ['foo'], ['oo']],
    ['^\\d+\\.\\w\\s$', ['12.x ', '1._\t'], ['12.x']],
    ['^[[:alpha:]_]+$', ['a_B'], ['1']],
    ['^[\\w.-]+$', ['a.b-c'], ['a b']],
    ['^[]a]$', [']', 'a'], ['b']],
    ['^[a-]$', ['-', 'a'], ['b']],
    ['^\\p{L}+$', ['aä', 'Ж'], ['1']],
    ['^\\P{L}$', ['1'], ['a']],
    ['^\\p{Greek}$', ['α'], ['a']],
    ['^\\x41\\x{1F600}$', ['A😀'], ['A']],
    ['^\\Qa.b\\E$', ['a.b'], ['axb']],
    ['\\Q\\E', ['', 'a'], []],
    ['\\Q', ['', 'a'], []],
    ['^(?P<n>a)(?<m>b)$', ['ab'], ['a']],
    ['^a*?b+?$', ['b', 'aab'], ['a']],
    ['^(([^:/?#]+):)?$', ['http:', ''], ['http']],
    ['a|', ['', 'b'], []],
    ['\\Aa\\z', ['a'], ['a\n', 'ba']],
  ];
  for (const [source, yes, no] of rows) {
    const expression = goRegexp(source);
    for (const text of yes) assert.equal(expression.test(text), true, `${source} on ${JSON.stringify(text)}`);
    for (const text of no) assert.equal(expression.test(text), false, `${source} on ${JSON.stringify(text)}`);
  }
});

test('what Go refuses is refused, back-references and look-around above all', () => {
  for (const source of [
    '(',
    ')',
    'a**',
    '*',
    '[',
    '[z-a]',
    '\\1',
    '(?=a)',
    '(?!a)',
    '(?<=a)',
    'a{1001}',
    'a{2,1}',
    '\\',
    '\\y',
    '[[:x:]]',
    '\\p{Nonsense}',
    '(?P<a',
    '\\_',
    '((a{1000}){1000}){1000}',
    '('.repeat(2000),
  ]) {
    assert.throws(() => goRegexp(source), RegexpSyntaxError, source.slice(0, 20));
  }
});

test('expressions agree with ECMAScript where the two languages are the same', () => {
  const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '(?:ab)', '(a|b)', '^', '$', '\\b', 'c');
  const quantifier = fc.constantFrom('', '', '*', '+', '?', '{1,2}');
  const piece = fc.tuple(atom, quantifier).map(([one, count]) => (/^[\^$\\]/.test(one) ? one : one + count));
  const pattern = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
  const subject = fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' '), maxLength: 10 });
  fc.assert(
    fc.property(pattern, subject, (source, text) => {
      assert.equal(goRegexp(source).test(text), new RegExp(source, 's').test(text), `${source} on "${text}"`);
    }),
    { numRuns: 2000 },
  );
});

test('hostile expressions take linear time', () => {
  const before = process.cpuUsage();
  const text = `${'a'.repeat(200_000)}!`;
  for (const source of ['^(a+)+$', '^(a|aa)+$', '(.*)(.*)(.*)(.*)(.*)[^a!]$', '^(a?){50}a{50}$']) {
    assert.equal(goRegexp(source).test(text), false, source);
  }
  assert.ok(process.cpuUsage(before).user < 2e6);
});

test('sets are made once, and many wide ones are refused', () => {
  assert.equal(goRegexp(`^(?i)${'\\pL'.repeat(4_000)}`).test('a'.repeat(4_000)), true);
  const distinct = Array.from({ length: 200 }, (_, i) => `[\\pL${String.fromCodePoint(0x2600 + i)}]`);
  assert.throws(() => goRegexp(distinct.join('')), /expression too large/);
  const chinese = String.fromCodePoint(...Array.from({ length: 16_000 }, (_, i) => 0x4e00 + i));
  assert.equal(goRegexp(chinese).test(chinese), true);
  assert.equal(goRegexp('^(?i)[\\p{Greek}k]$').test('\u212a'), true);
});
