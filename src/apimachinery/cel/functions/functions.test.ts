import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CelSyntaxError } from '../ast.ts';
import { kubernetesEnvironment } from '../environment.ts';
import { estimateCost } from '../estimate.ts';
import { CelCostError } from '../frame.ts';
import { JsonMap } from '../json-values.ts';
import { compileCel } from '../program.ts';
import { CelTypeError } from '../type-errors.ts';
import { dynType, intType, listOf, stringType } from '../types.ts';
import { ArrayList, CelFault } from '../values.ts';

const environment = kubernetesEnvironment(new Map());

/** Expressions that are true, after the examples of each library (apiserver/pkg/cel/library, cel-go/ext). */
const truths: Readonly<Record<string, readonly string[]>> = {
  lists: [
    '[1, 2, 2].isSorted() && ![2, 1].isSorted() && [].isSorted()',
    "['a', 'b'].isSorted()",
    '[1, 3].sum() == 4 && [1.5, 2.5].sum() == 4.0',
    "[duration('1m'), duration('1s')].sum() == duration('1m1s')",
    '[1, 3].min() == 1 && [1, 3].max() == 3',
    '[1, 2, 2, 3].indexOf(2) == 1 && [1, 2, 2].lastIndexOf(2) == 2 && [1.0].indexOf(5.0) == -1',
  ],
  durations: [
    "string(duration('1.5s')) == '1.5s' && string(duration('-1ns')) == '-0.000000001s' && string(duration('0s')) == '0s'",
    // Seconds as a double, which has not as many digits.
    "string(duration('762570124.999998998s')) == '762570124.999999s'",
  ],
  'list extension': [
    "[3, 1, 2].sort() == [1, 2, 3] && ['b', 'a'].sort() == ['a', 'b'] && [].sort() == []",
    '[1, 2, 3].reverse() == [3, 2, 1] && [1, 1, 2, 1].distinct() == [1, 2]',
    '[1, 2, 3, 4].slice(1, 3) == [2, 3] && [1].slice(1, 1) == []',
    '[[1], [2, 3]].flatten() == [1, 2, 3] && [[[1], [2]], [[3]]].flatten(2) == [1, 2, 3]',
    'lists.range(3) == [0, 1, 2] && lists.range(0) == []',
    "['ccc', 'a', 'bb'].sortBy(x, x.size()) == ['a', 'bb', 'ccc'] && [1, 2].sortBy(x, -x) == [2, 1]",
  ],
  regex: [
    "'abc 123'.find('[0-9]+') == '123' && 'abc'.find('[0-9]+') == ''",
    "'123 abc 456'.findAll('[0-9]+') == ['123', '456']",
    "'123 abc 456'.findAll('[0-9]+', 1) == ['123'] && '1 2'.findAll('[a-z]') == []",
    "'aXbX'.find('a.*?X') == 'aX' && 'aXbX'.find('a.*X') == 'aXbX'",
    "'abc'.findAll('b*') == ['', 'b', '']",
    "'ab'.find('a|ab') == 'a'",
    "'foo.bar'.matches('^[a-z]+[.]bar$')",
  ],
  urls: [
    "isURL('https://user:pass@example.com:80/path?query=val#fragment') && isURL('/absolute-path')",
    "!isURL('https://a:b:c/') && !isURL('../relative-path')",
    "url('https://example.com:80/').getHost() == 'example.com:80'",
    // Checked as a request's URI, then parsed as any (apiserver cel/library/urls.go).
    "url('//h:1/p').getHost() == 'h:1' && url('///p').getEscapedPath() == '///p' && url('/a#f').getEscapedPath() == '/a'",
    "url('https://a/b?x=1#c').getQuery() == {'x': ['1']} && url('/x#y?q=1').getQuery() == {}",
    "url('https://[::1]:80/').getHost() == '[::1]:80' && url('https://[::1]:80/').getHostname() == '::1'",
    "url('/path').getScheme() == '' && url('https://example.com/').getScheme() == 'https'",
    "url('https://example.com:80/').getPort() == '80' && url('/path').getPort() == ''",
    "url('https://example.com/path with spaces/').getEscapedPath() == '/path%20with%20spaces/'",
    "url('https://example.com').getEscapedPath() == ''",
    "url('https://example.com/path?k1=a&k2=b&k2=c').getQuery() == {'k1': ['a'], 'k2': ['b', 'c']}",
    "url('https://example.com/path?').getQuery() == {}",
  ],
  quantity: [
    "isQuantity('1.3G') && isQuantity('1Mi') && !isQuantity('1.3') == false && !isQuantity('Three')",
    "quantity('50k').isInteger() && !quantity('1.5').isInteger() && quantity('50k').asInteger() == 50000",
    "quantity('1.5').asApproximateFloat() == 1.5 && sign(quantity('-5')) == -1 && sign(quantity('0')) == 0",
    "quantity('200M').isGreaterThan(quantity('100M')) && quantity('1k').compareTo(quantity('1000')) == 0",
    "quantity('50k').add(20) == quantity('50020') && quantity('50k').sub(quantity('20k')) == quantity('30k')",
  ],
  ip: [
    "isIP('127.0.0.1') && isIP('::1') && !isIP('127.0.0.256') && !isIP('::ffff:1.2.3.4') && !isIP('fe80::1%eth0')",
    "ip('127.0.0.1').family() == 4 && ip('::1').family() == 6",
    "ip.isCanonical('127.0.0.1') && ip.isCanonical('2001:db8::abcd') && !ip.isCanonical('2001:DB8::ABCD')",
    "!ip.isCanonical('2001:db8:0:0:0:0:0:abcd')",
    "ip('0.0.0.0').isUnspecified() && ip('::').isUnspecified() && ip('127.0.0.1').isLoopback() && ip('::1').isLoopback()",
    "ip('224.0.0.1').isLinkLocalMulticast() && ip('ff02::1').isLinkLocalMulticast()",
    "ip('169.254.1.1').isLinkLocalUnicast() && ip('fe80::1').isLinkLocalUnicast()",
    "ip('192.168.0.1').isGlobalUnicast() && !ip('255.255.255.255').isGlobalUnicast()",
    "string(ip('2001:db8:0:0:1:0:0:1')) == '2001:db8::1:0:0:1' && ip('::1') == ip('0:0:0:0:0:0:0:1')",
  ],
  cidr: [
    "isCIDR('192.168.0.0/16') && isCIDR('::1/128') && !isCIDR('192.168.0.0/33') && !isCIDR('::1/129')",
    "cidr('192.168.0.0/24').containsIP(ip('192.168.0.1')) && !cidr('192.168.0.0/24').containsIP('192.168.1.1')",
    "cidr('192.168.0.0/16').containsCIDR('192.168.10.0/24') && !cidr('192.168.1.0/24').containsCIDR(cidr('192.168.2.0/24'))",
    "cidr('192.168.0.1/24').masked() == cidr('192.168.0.0/24') && cidr('::1/128').prefixLength() == 128",
    "cidr('192.168.0.1/24').ip().family() == 4 && string(cidr('10.0.0.0/8')) == '10.0.0.0/8'",
  ],
  format: [
    "!format.dns1123Label().validate('my-label').hasValue()",
    "format.dns1123Label().validate('UPPER').hasValue()",
    "format.named('dns1123Label').hasValue() && !format.named('x').hasValue()",
    "!format.dns1035LabelPrefix().validate('my-prefix-').hasValue()",
    "!format.uuid().validate('123e4567-e89b-12d3-a456-426614174000').hasValue()",
    "format.qualifiedName().validate('a/b/c').value().size() > 0",
  ],
  semver: [
    "isSemver('1.0.0') && !isSemver('v1.0') && isSemver('v1.0', true) && !isSemver('200K')",
    "semver('1.2.3').major() == 1 && semver('1.2.3').minor() == 2 && semver('1.2.3').patch() == 3",
    "semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.0.0-rc.1').isLessThan(semver('1.0.0'))",
    "semver('1.2.3').compareTo(semver('2.0.0')) == -1 && semver('v01.01', true) == semver('1.1.0')",
  ],
  sets: [
    'sets.contains([1, 2], [2]) && !sets.contains([1], [2]) && sets.contains([], [])',
    'sets.equivalent([1, 1], [1]) && sets.intersects([1, 2], [2, 3]) && !sets.intersects([1], [])',
  ],
  strings: [
    "'tacocat'.charAt(3) == 'o' && 'héllo'.substring(1, 2) == 'é' && '😀x'.indexOf('x') == 1",
    "'a,b,c'.split(',', 2) == ['a', 'b,c'] && ['a', 'b'].join('-') == 'a-b'",
    "'hello'.replace('l', 'L', 1) == 'heLlo' && ' x '.trim() == 'x' && 'TacO'.lowerAscii() == 'taco'",
    "'%s has %d'.format(['x', 5]) == 'x has 5'",
    // As kube-apiserver 1.36 answers them.
    "'%s'.format([[1.5, 'a\\t', null, b'x', duration('90s')]]) == '[1.500000, \"a\\\\t\", null, b\"x\", duration(\"90s\")]'",
    "'%s'.format([[-0.0, 0.0]]) == '[-0.000000, 0.000000]'",
    "'%s'.format([{'b': 1, 'a': [dyn(true), 'x']}]) == '{\"a\":[true, \"x\"], \"b\":1}'",
    "'%.2f %.0f %f'.format([-1234567.891, 2.5, 'Infinity']) == '-1,234,567.89 2 ∞'",
    "'%.3e %e'.format([0.00012, 1e300]) == '1.200000×10⁻⁰⁴ 1.000000×10³⁰⁰'",
    "string(1e6) == '1e+06' && string(123456.5) == '123456.5' && '%s'.format([73741824.0]) == '7.3741824e+07'",
    "''.indexOf('o', 5) == -1 && 'abc'.lastIndexOf('c', 3) == -1 && 'abc'.indexOf('', 10) == 10",
    "duration('-1.5s').getMilliseconds() == -1500 && timestamp('2024-01-01T00:00:01.5Z').getMilliseconds() == 500",
  ],
  optionals: [
    "optional.of(1).value() == 1 && !optional.none().hasValue() && {'a': 1}[?'b'].orValue(2) == 2",
    "{?'a': optional.none()} == {} && [?optional.of(1)] == [1] && optional.of(1).optMap(x, x + 1).value() == 2",
  ],
  comprehensions: [
    '[1, 2].exists_one(x, x == 1) && [1, 2].map(x, x > 1, x * 2) == [4] && [5, 6].all(i, v, v == i + 5)',
    "{'a': 1}.transformMap(k, v, v + 1) == {'a': 2} && [1, 2].transformList(i, v, i + v) == [1, 3]",
    'cel.bind(x, 5, x * x) == 25',
    // A value is reckoned within the body, whose names are not its own.
    'cel.bind(a, [1, 2].map(x, x + 1), [5].map(y, [7].map(z, a[0] + y + z)[0])[0]) == 14',
    'cel.bind(a, 1 / 0 == 1, true) && cel.bind(a, null, cel.bind(b, a, b == null))',
    'cel.bind(a, [1].map(x, [2].map(y, x + y)), [3].all(x, cel.bind(b, a[0].map(z, z + x), [4].all(y, b[0] == 6 && x + y == 7))))',
    'optional.of([1]).optMap(a, a.map(x, x + 1).map(y, y + a[0])).value() == [3]',
  ],
};

for (const [library, expressions] of Object.entries(truths)) {
  test(`CEL library: ${library}`, () => {
    for (const source of expressions) {
      const { value } = compileCel(source, environment).run(() => null, 1_000_000);
      assert.equal(value instanceof CelFault ? value.message : value, true, source);
    }
  });
}

/** By hand from k8s.io/apimachinery/pkg/api/resource, and as kube-apiserver 1.36 answers them. */
test('R4: quantities are whole numbers of 64 bits, or decimal', () => {
  const integers: readonly (readonly [string, bigint | undefined])[] = [
    ...([
      ['1k', 1000n],
      ['1e3', 1000n],
      ['1Ti', 1n << 40n],
      ['-5', -5n],
      ['0', 0n],
    ] as const),
    ...([
      ['1000m', undefined],
      ['1.0', undefined],
      ['0.5Gi', undefined],
      ['10E', undefined],
    ] as const),
    // As many digits as surely fit.
    ...([
      ['999999999999999999', 10n ** 18n - 1n],
      ['1000000000000000000', undefined],
    ] as const),
    ...([
      ['1Pi', undefined],
      ['1Ei', undefined],
      ['9223372036854775808', undefined],
    ] as const),
  ];
  const run = (source: string) => compileCel(source, environment).run(() => null, 1000).value;
  for (const [text, expected] of integers) {
    assert.equal(run(`quantity('${text}').isInteger()`), expected !== undefined, text);
    if (expected !== undefined) assert.equal(run(`quantity('${text}').asInteger()`), expected, text);
  }
  const beyond = "quantity('9223372036854775808')";
  assert.equal(run(`quantity('1').sub(${beyond}).isInteger()`), false, 'a decimal number stays one');
  assert.equal(run('quantity("9223372036854775").add(9223372036854775807).isInteger()'), false);
  assert.equal(
    run(`quantity('8Ei').add(quantity('8Ei')).isGreaterThan(quantity('10E'))`),
    true,
    'not capped',
  );
  assert.equal(run(`quantity('1Ki').add(${beyond}).asApproximateFloat()`), 2 ** 63 + 2048);
  assert.equal(run("quantity('0.1').add(quantity('1n')).asApproximateFloat()"), 0.100000001);
  assert.equal(run("quantity('1e1000000').isGreaterThan(quantity('1e300'))"), true);
});

test('what only functions look into is not compared with another type (apiserver cel/quantity.go)', () => {
  const rows: readonly (readonly [string, boolean | string])[] = [
    ["dyn(quantity('1')) == 1", 'no such overload'],
    ["dyn(ip('1.2.3.4')) == dyn(quantity('1'))", 'no such overload'],
    ["dyn(quantity('1')) != 1", true],
    ["1 == dyn(quantity('1'))", false],
    ["quantity('1') == null", false],
    ["quantity('1') == quantity('500m').add(quantity('500m'))", true],
    ["quantity('1') in [quantity('2').sub(1)]", true],
  ];
  for (const [source, expected] of rows) {
    const { value } = compileCel(source, environment).run(() => null, 1_000_000);
    assert.equal(value instanceof CelFault ? value.message : value, expected, source);
  }
});

test('why a text is no address (apiserver cel/library/ip.go, cidr.go)', () => {
  const rows: readonly (readonly [string, string])[] = [
    ["ip('fe80::1%eth0')", 'IP address "fe80::1%eth0" with zone value is not allowed'],
    ["ip('::ffff:1.2.3.4')", 'IPv4-mapped IPv6 address "::ffff:1.2.3.4" is not allowed'],
    ["ip('1.2.3.4%x')", 'IP Address "1.2.3.4%x" parse error during conversion from string'],
    [
      "cidr('::ffff:1.2.3.4/120')",
      'network address parse error during conversion from string: IPv4-mapped IPv6 address "::ffff:1.2.3.4/120" is not allowed',
    ],
    ["cidr('::ffff:1.2.3.4/129')", 'network address parse error during conversion from string'],
  ];
  for (const [source, expected] of rows) {
    const { value } = compileCel(source, environment).run(() => null, 1_000_000);
    assert.equal(value instanceof CelFault ? value.message : value, expected, source);
  }
});

test('what the checker refuses', () => {
  const rows: [string, RegExp][] = [
    ["1 + 'a'", /found no matching overload for '_\+_' applied to '\(int, string\)'/],
    ['foo', /undeclared reference to 'foo' \(in container ''\)/],
    ['foo(1)', /undeclared reference to 'foo'/],
    ["[1, 'a']", /expected type 'int' but found 'string'/],
    ['1.size()', /found no matching overload for 'size' applied to 'int.\(\)'/],
    ['[1].all(x, x)', /expected type 'bool' but found 'int'/],
    ['5.all(x, true)', /cannot be range of a comprehension/],
    ['1.x', /does not support field selection/],
  ];
  for (const [source, expected] of rows) {
    assert.throws(
      () => compileCel(source, environment),
      (error: unknown) => {
        assert.ok(error instanceof CelTypeError, source);
        assert.match(error.message, expected);
        return true;
      },
    );
  }
});

test('what the parser refuses', () => {
  const nested = `${'('.repeat(300)}1${')'.repeat(300)}`;
  const long = Array.from({ length: 600 }, () => '1').join(' + ');
  for (const source of [
    '',
    '1 +',
    'a.',
    '"x',
    "'\\q'",
    '1 ? 2',
    'if',
    '{1: }',
    nested,
    long,
    '99999999999999999999',
    'has(x)',
  ]) {
    assert.throws(() => compileCel(source, environment), CelSyntaxError, source.slice(0, 20));
  }
});

test('any expression of tenants ends: refused, or evaluated within its cost', () => {
  const object = new JsonMap({ list: [1, 2, 3], text: 'some text', map: { a: 'b' } }, undefined);
  const open = kubernetesEnvironment(
    new Map([
      ['o', { type: dynType }],
      ['l', { type: listOf(intType) }],
      ['s', { type: stringType }],
    ]),
  );
  const leaf = fc.constantFrom(
    '1',
    '2u',
    '1.5',
    "'a'",
    's',
    'l',
    'o',
    'o.list',
    'o.map',
    'true',
    'null',
    '[]',
    '{}',
    "b'x'",
    'x',
  );
  const { expression } = fc.letrec<{ expression: string }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 5 },
      leaf,
      fc
        .tuple(
          tie('expression'),
          fc.constantFrom('+', '-', '*', '/', '%', '==', '<', '&&', '||', 'in'),
          tie('expression'),
        )
        .map(([a, operator, b]) => `(${a} ${operator} ${b})`),
      fc
        .tuple(
          tie('expression'),
          fc.constantFrom('all', 'exists', 'exists_one', 'map', 'filter'),
          tie('expression'),
        )
        .map(([a, macro, b]) => `${a}.${macro}(x, ${b})`),
      fc
        .tuple(tie('expression'), tie('expression'), tie('expression'))
        .map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
      fc
        .tuple(fc.constantFrom('size', 'string', 'int', 'type', 'dyn', '!', '-'), tie('expression'))
        .map(([f, a]) => `${f}(${a})`),
      fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `${a}[${b}]`),
      fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `[${a}, ${b}]`),
      fc
        .tuple(
          tie('expression'),
          fc.constantFrom('matches', 'contains', 'split', 'find', 'indexOf'),
          tie('expression'),
        )
        .map(([a, f, b]) => `${a}.${f}(${b})`),
    ),
  }));
  fc.assert(
    fc.property(expression, (source) => {
      try {
        const program = compileCel(source, open);
        const { min, max } = estimateCost(program.checked, open);
        assert.ok(min >= 0 && max >= min, `${source}: ${min}–${max}`);
        const values: Readonly<Record<string, JsonMap | ArrayList | string>> = {
          o: object,
          l: new ArrayList([1n, 2n, 3n]),
          s: 'text',
        };
        const { cost } = program.run((name) => values[name] as string, 10_000);
        assert.ok(cost <= 10_000);
      } catch (error) {
        const known =
          error instanceof CelTypeError || error instanceof CelSyntaxError || error instanceof CelCostError;
        if (!known) throw error;
      }
    }),
    { numRuns: 600 },
  );
});

test('any text is parsed or refused', () => {
  const piece = fc.constantFrom(
    'a',
    '1',
    '.',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '?',
    ':',
    ',',
    '"',
    "'",
    '\\',
    ' ',
    '&&',
    '-',
    '!',
    'in',
    'r"',
    '0x',
    'e',
    '`',
    '"""',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (parts) => {
      try {
        compileCel(parts.join(''), environment);
      } catch (error) {
        if (!(error instanceof CelTypeError) && !(error instanceof CelSyntaxError)) throw error;
      }
    }),
    { numRuns: 1000 },
  );
});
