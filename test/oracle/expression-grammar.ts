import type { Random } from '../harness/random.ts';

/**
 * What an expression of a type can be. `{int}` stands for an expression of that type, `{T}` for one of a type that is drawn once for
 * the production, `{bool|T}` for one in which the name `$` stands for a value of type T (`$1` and `$2` with two).
 */
const productions: { readonly [type: string]: readonly string[] } = {
  bool: [
    ...[
      '{int} < {int}',
      '{double} >= {double}',
      '{string} <= {string}',
      '{uint} > {uint}',
      '{int} <= {double}',
    ],
    ...['{timestamp} < {timestamp}', '{duration} > {duration}', '{bytes} < {bytes}', '{bool} > {bool}'],
    ...[
      '{T} == {T}',
      '{T} != {T}',
      '{T} in {list(T)}',
      '{string} in {map(T)}',
      '{dyn} == {T}',
      '{dyn} < {dyn}',
    ],
    ...['{bool} && {bool}', '{bool} || {bool}', '!{bool}', '{bool} ? {bool} : {bool}', 'bool({word})'],
    ...['{string}.startsWith({string})', '{string}.endsWith({string})', '{string}.contains({string})'],
    ...[
      '{string}.matches({pattern})',
      '{string}.matches({string})',
      'has({field})',
      '{optional(T)}.hasValue()',
    ],
    ...['{list(T)}.all($, {bool|T})', '{list(T)}.exists($, {bool|T})', '{list(T)}.exists_one($, {bool|T})'],
    ...[
      '{map(T)}.all($, {bool|string})',
      '{map(T)}.exists($1, $2, {bool|string,T})',
      '{list(T)}.all($1, $2, {bool|int,T})',
    ],
    ...['{list(T)}.existsOne($1, $2, {bool|int,T})', '{list(int)}.isSorted()', '{list(string)}.isSorted()'],
    ...[
      'sets.contains({list(T)}, {list(T)})',
      'sets.equivalent({list(T)}, {list(T)})',
      'sets.intersects({list(T)}, {list(T)})',
    ],
    ...[
      'isQuantity({amount})',
      'isURL({link})',
      'isIP({address})',
      'isCIDR({network})',
      'isSemver({release})',
      'isSemver({release}, {bool})',
    ],
    ...[
      '{quantity}.isGreaterThan({quantity})',
      '{quantity}.isLessThan({quantity})',
      '{quantity}.isInteger()',
    ],
    ...[
      '{ip}.isLoopback()',
      '{ip}.isUnspecified()',
      '{ip}.isGlobalUnicast()',
      '{ip}.isLinkLocalUnicast()',
      'ip.isCanonical({address})',
    ],
    ...[
      '{cidr}.containsIP({ip})',
      '{cidr}.containsIP({address})',
      '{cidr}.containsCIDR({cidr})',
      '{cidr}.containsCIDR({network})',
    ],
    ...[
      '{semver}.isLessThan({semver})',
      '{semver}.isGreaterThan({semver})',
      'type({T}) == type({T})',
      '{T} == null',
    ],
  ],
  int: [
    ...[
      '{int} + {int}',
      '{int} - {int}',
      '{int} * {int}',
      '{int} / {int}',
      '{int} % {int}',
      '-{int}',
      '{bool} ? {int} : {int}',
    ],
    ...[
      'size({string})',
      '{string}.size()',
      '{list(T)}.size()',
      'size({map(T)})',
      '{bytes}.size()',
      'int({double})',
      'int({uint})',
    ],
    ...[
      'int({number})',
      'int({timestamp})',
      'int({duration})',
      '{string}.indexOf({string})',
      '{string}.lastIndexOf({string})',
    ],
    ...[
      '{string}.indexOf({string}, {int})',
      '{string}.lastIndexOf({string}, {int})',
      '{list(T)}.indexOf({T})',
      '{list(T)}.lastIndexOf({T})',
    ],
    ...[
      '{list(int)}.sum()',
      '{list(int)}.min()',
      '{list(int)}.max()',
      '{list(int)}[{int}]',
      '{map(int)}[{string}]',
    ],
    ...[
      '{optional(int)}.orValue({int})',
      '{optional(int)}.value()',
      '{timestamp}.getFullYear()',
      '{timestamp}.getMonth()',
    ],
    ...[
      '{timestamp}.getDayOfMonth()',
      '{timestamp}.getDate()',
      '{timestamp}.getDayOfWeek()',
      '{timestamp}.getDayOfYear()',
    ],
    ...[
      '{timestamp}.getHours({zone})',
      '{timestamp}.getMinutes()',
      '{timestamp}.getSeconds()',
      '{timestamp}.getMilliseconds()',
    ],
    ...[
      '{duration}.getHours()',
      '{duration}.getMinutes()',
      '{duration}.getSeconds()',
      '{duration}.getMilliseconds()',
    ],
    ...[
      '{quantity}.asInteger()',
      '{quantity}.compareTo({quantity})',
      'sign({quantity})',
      '{ip}.family()',
      '{cidr}.prefixLength()',
    ],
    ...['{semver}.major()', '{semver}.minor()', '{semver}.patch()', '{semver}.compareTo({semver})'],
  ],
  uint: [
    'uint({int})',
    'uint({double})',
    'uint({number})',
    '{uint} + {uint}',
    '{uint} - {uint}',
    '{uint} * {uint}',
    '{uint} / {uint}',
    '{uint} % {uint}',
  ],
  double: [
    ...[
      '{double} + {double}',
      '{double} - {double}',
      '{double} * {double}',
      '{double} / {double}',
      '-{double}',
      'double({int})',
    ],
    ...[
      'double({number})',
      'double({uint})',
      '{list(double)}.max()',
      '{list(double)}.sum()',
      '{quantity}.asApproximateFloat()',
    ],
    ...['{list(double)}.min()', '{list(double)}[{int}]', '{bool} ? {double} : {double}'],
  ],
  string: [
    ...[
      '{string} + {string}',
      'string({int})',
      'string({double})',
      'string({uint})',
      'string({bool})',
      'string({timestamp})',
    ],
    ...[
      'string({duration})',
      'string({bytes})',
      '{string}.lowerAscii()',
      '{string}.upperAscii()',
      '{string}.trim()',
      '{string}.charAt({int})',
    ],
    ...[
      '{string}.replace({string}, {string})',
      '{string}.replace({string}, {string}, {int})',
      '{string}.substring({int})',
    ],
    ...[
      '{string}.substring({int}, {int})',
      '{list(string)}.join()',
      '{list(string)}.join({string})',
      '{string}.find({pattern})',
    ],
    ...[
      '{list(string)}[{int}]',
      '{map(string)}[{string}]',
      '{optional(string)}.orValue({string})',
      '{list(string)}.min()',
    ],
    ...[
      '"%s".format([{T}])',
      '"%d|%x".format([{int}, {int}])',
      '"%.2f %e".format([{double}, {double}])',
      '"%s %s".format([{T}, {T}])',
    ],
    ...[
      '"%X".format([{string}])',
      '"%o %b".format([{int}, {int}])',
      '"%x".format([{bytes}])',
      'strings.quote({string})',
    ],
    ...[
      'string({ip})',
      'string({cidr})',
      'url({link}).getHost()',
      'url({link}).getScheme()',
      'url({link}).getHostname()',
    ],
    ...['url({link}).getPort()', 'url({link}).getEscapedPath()', '{bool} ? {string} : {string}'],
  ],
  bytes: ['bytes({string})', '{bytes} + {bytes}', '{bool} ? {bytes} : {bytes}', 'bytes({bytes})'],
  timestamp: [
    'timestamp({moment})',
    '{timestamp} + {duration}',
    '{timestamp} - {duration}',
    'timestamp({int})',
    '{list(timestamp)}[{int}]',
  ],
  duration: [
    'duration({time})',
    '{duration} + {duration}',
    '{duration} - {duration}',
    '{timestamp} - {timestamp}',
    '{list(duration)}.max()',
  ],
  quantity: [
    'quantity({amount})',
    '{quantity}.add({quantity})',
    '{quantity}.sub({quantity})',
    '{quantity}.add({int})',
    '{quantity}.sub({int})',
  ],
  ip: ['ip({address})', '{cidr}.ip()'],
  cidr: ['cidr({network})', '{cidr}.masked()'],
  semver: ['semver({release})', 'semver({release}, {bool})'],
  list: [
    ...[
      '[{E}, {E}]',
      '[{E}]',
      '{list(E)} + {list(E)}',
      '{list(T)}.map($, {E|T})',
      '{list(E)}.filter($, {bool|E})',
    ],
    ...[
      '{list(T)}.map($, {bool|T}, {E|T})',
      '{list(T)}.transformList($1, $2, {E|int,T})',
      '{map(T)}.transformList($1, $2, {bool|string,T}, {E|string,T})',
    ],
    ...[
      '{map(T)}.map($, {E|string})',
      '{list(E)}.slice({int}, {int})',
      '{list(E)}.reverse()',
      '{list(E)}.distinct()',
    ],
    ...[
      '[{list(E)}, {list(E)}].flatten()',
      '{list(E)}.sortBy($, {S|E})',
      '[?{optional(E)}, {E}]',
      '{bool} ? {list(E)} : {list(E)}',
    ],
  ],
  'list(int)': ['lists.range({int})', '{list(int)}.sort()', '{bytes} == b"" ? [1] : [2]'],
  'list(string)': [
    '{string}.split({string})',
    '{string}.split({string}, {int})',
    '{string}.findAll({pattern})',
    '{string}.findAll({pattern}, {int})',
    '{list(string)}.sort()',
  ],
  'list(double)': ['{list(double)}.sort()'],
  map: [
    ...[
      '{"a": {E}, "b": {E}}',
      '{{string}: {E}}',
      '{list(T)}.transformMap($1, $2, {E|int,T}).size() > 0 ? {"n": {E}} : {}',
    ],
    ...[
      '{map(T)}.transformMap($1, $2, {E|string,T})',
      '{map(T)}.transformMap($1, $2, {bool|string,T}, {E|string,T})',
    ],
    ...[
      '{list(T)}.transformMapEntry($1, $2, {string($1): {E|int,T}})',
      '{map(T)}.transformMapEntry($1, $2, {$1: {E|string,T}})',
    ],
  ],
  optional: [
    ...[
      'optional.of({E})',
      'optional.none()',
      'optional.ofNonZeroValue({E})',
      '{list(E)}[?{int}]',
      '{map(E)}[?{string}]',
    ],
    ...[
      '{optional(E)}.or({optional(E)})',
      '{optional(T)}.optMap($, {E|T})',
      '{optional(T)}.optFlatMap($, {optional(E)|T})',
    ],
    ...['{list(E)}.first()', '{list(E)}.last()'],
  ],
  dyn: [
    'dyn({T})',
    '[dyn({T}), dyn({T})]',
    '{"k": dyn({T})}',
    'dyn({list(T)})[{int}]',
    'dyn({T}) + dyn({T})',
  ],
};

/** What functions read, mostly in a form that they take. */
const texts: { readonly [sort: string]: readonly string[] } = {
  pattern: [
    '"^a"',
    '"[a-c]+"',
    '"(a)(b)?"',
    '"\\\\d{2}"',
    '"("',
    '"(?i)A"',
    '"^$"',
    'r"\\w+"',
    '"a{1001}"',
    '"(?P<x>a)"',
    '"[[:alpha:]]"',
  ],
  word: ['"true"', '"false"', '"T"', '"1"', '"yes"', 'self.s'],
  number: [
    '"1"',
    '"-7"',
    '"1.5"',
    '"0x10"',
    '"1e3"',
    '"9223372036854775808"',
    '""',
    '"+3"',
    '" 1"',
    '"NaN"',
    '"-Infinity"',
    'self.s',
  ],
  zone: ['"UTC"', '"Europe/Berlin"', '"+05:30"', '"-08:00"', '"Nowhere/X"', '""'],
  moment: [
    '"2024-02-29T01:02:03Z"',
    '"2023-01-01T00:00:00.123456789+02:00"',
    '"0001-01-01T00:00:00Z"',
    '"9999-12-31T23:59:59.999Z"',
    'string(self.dt)',
    'self.s',
  ],
  time: ['"1h30m"', '"-1.5s"', '"0"', '"1ms"', '"100h"', 'self.s', '"315576000000s"', '"1us2ns"'],
  amount: [
    ...[
      '"1"',
      '"1.5Gi"',
      '"-3m"',
      '"1e3"',
      '"200k"',
      '"0.1"',
      '"9223372036854775807"',
      '"9223372036854775808"',
      '"1E"',
      '"10E"',
      '"8Ei"',
      '"1n"',
    ],
    ...[
      '"99999999999999999999999"',
      '"0.0000000001"',
      '"1.123456789123"',
      '"abc"',
      '""',
      '"+5"',
      '".5"',
      '"5."',
      '"1Ki"',
      '"-9223372036854775809"',
      '"12e15"',
      'self.q',
    ],
  ],
  link: [
    '"https://user@a.example:8080/p%20a/b?x=1&y=2&x=3#f"',
    '"/rel"',
    '"http://[::1]:80/"',
    '"http://a b"',
    '"mailto:a@b"',
    '"https://a.example"',
    'self.s',
    '"//h/p"',
    '"?q"',
    '""',
  ],
  address: [
    '"1.2.3.4"',
    '"::1"',
    '"127.0.0.1"',
    '"fe80::1"',
    '"::ffff:1.2.3.4"',
    '"256.1.1.1"',
    '"2001:DB8::1"',
    '"01.2.3.4"',
    'self.ip',
    '"fe80::1%eth0"',
    '"0.0.0.0"',
  ],
  network: [
    '"10.0.0.0/8"',
    '"10.1.2.3/16"',
    '"::/0"',
    '"2001:db8::/32"',
    '"10.0.0.0/33"',
    '"10.0.0.0"',
    '"::ffff:1.2.3.0/120"',
    'self.net',
    '"1.2.3.4/32"',
    '"10.0.0.0/08"',
  ],
  release: [
    '"1.2.3"',
    '"v1.2.3"',
    '"1.2"',
    '"1.0.0-alpha.1"',
    '"1.0.0+b"',
    '"01.2.3"',
    '"1.0.0-alpha.beta"',
    'self.ver',
    '"v1"',
    '"99999999999999999999.0.0"',
  ],
};

const literals: { readonly [type: string]: readonly string[] } = {
  bool: ['true', 'false'],
  int: ['0', '1', '-1', '3', '7', '0x1F', '9223372036854775807', '-9223372036854775808', '100'],
  uint: ['0u', '1u', '18446744073709551615u', '7u'],
  double: ['0.0', '1.5', '-2.25', '1e300', '.5', '3.0', '1e-7', '123456789.125'],
  string: ['""', '"a"', '"abc"', '"b,c,a"', "'ä€😀'", '"A B"', '"%s"', '"a\\nb"', 'r"\\d"', '"1.5"'],
  bytes: ['b""', 'b"abc"', "b'\\xff\\x00'", 'b"ä"'],
  timestamp: ['timestamp("2024-02-29T01:02:03.5Z")', 'timestamp(0)'],
  duration: ['duration("1h")', 'duration("-90s")', 'duration("1500ms")'],
  quantity: ['quantity("1Gi")', 'quantity("1500m")', 'quantity("9223372036854775808")'],
  ip: ['ip("10.1.2.3")', 'ip("::1")'],
  cidr: ['cidr("10.0.0.0/8")', 'cidr("2001:db8::1/64")'],
  semver: ['semver("1.2.3")', 'semver("1.2.3-rc.1")'],
  dyn: [
    'dyn(1)',
    'dyn("a")',
    'dyn(1.5)',
    'dyn(2u)',
    'dyn(null)',
    'dyn(true)',
    'dyn([1])',
    'dyn({"a": 1})',
    'dyn(duration("1s"))',
  ],
};

const elements = [
  'int',
  'int',
  'string',
  'string',
  'double',
  'bool',
  'uint',
  'bytes',
  'timestamp',
  'duration',
  'dyn',
  'list(int)',
  'map(string)',
  'quantity',
] as const;
const sortable = ['int', 'string', 'double', 'bool', 'timestamp', 'duration', 'bytes', 'uint'] as const;

interface Local {
  readonly name: string;
  readonly type: string;
}

/** Where an expression stands: what it can name, by type. */
export interface Site {
  readonly fields: { readonly [type: string]: readonly string[] };
}

/** Draws expressions, of which one part in some is of another type than its place asks for. */
export class ExpressionGrammar {
  readonly #random: Random;
  readonly #site: Site;
  /** The chance that a part is of a wrong type. */
  readonly #faults: number;
  #names = 0;

  constructor(random: Random, site: Site, faults: number) {
    this.#random = random;
    this.#site = site;
    this.#faults = faults;
  }

  /** Of at most so many nested productions. */
  draw(type: string, depth: number): string {
    return this.#expression(type, depth, []);
  }

  aType(): string {
    const type = this.#random.pick(elements);
    const how = this.#random.next();
    return how < 0.2 ? `list(${type})` : how < 0.3 ? `map(${type})` : type;
  }

  #expression(asked: string, depth: number, locals: readonly Local[]): string {
    const sort = texts[asked];
    if (sort !== undefined)
      return this.#random.next() < 0.05
        ? this.#expression('string', depth - 1, locals)
        : this.#random.pick(sort);
    if (asked === 'field') return this.#random.pick(this.#random.pick(Object.values(this.#site.fields)));
    const type = this.#random.next() < this.#faults ? this.aType() : asked;
    const named = [
      ...(this.#site.fields[type] ?? []),
      ...locals.filter((local) => local.type === type).flatMap(({ name }) => [name, name, name]),
    ];
    const isLeaf = depth <= 0 || this.#random.next() < 0.2;
    if (isLeaf && named.length > 0 && this.#random.next() < 0.6) return this.#random.pick(named);
    const plain = literals[type];
    if (isLeaf && plain !== undefined) return this.#random.pick(plain);
    const inner = /^(list|map|optional)\((.*)\)$/.exec(type);
    const generic = inner === null ? [] : (productions[inner[1] as string] ?? []);
    const element = inner?.[2] ?? '';
    if (isLeaf && inner !== null) return this.#leaf(inner[1] as string, element, depth, locals);
    const chosen = this.#random.pick([...generic, ...(productions[type] ?? [])]);
    return this.#fill(chosen, element, depth, locals);
  }

  /** The smallest of a list, a map or an optional that holds something. */
  #leaf(kind: string, element: string, depth: number, locals: readonly Local[]): string {
    // Beyond this depth nothing is held.
    if (depth < -2) return kind === 'list' ? '[]' : kind === 'map' ? '{}' : 'optional.none()';
    const held = this.#expression(element, depth - 1, locals);
    if (kind === 'list') return `[${held}]`;
    return kind === 'map' ? `{"a": ${held}}` : `optional.of(${held})`;
  }

  #fill(production: string, element: string, depth: number, locals: readonly Local[]): string {
    const drawn = this.#random.pick([...elements, ...elements, 'list(string)', 'optional(int)']);
    const sorted = this.#random.pick(sortable);
    const typed = (text: string) =>
      text.replace(/\bT\b/g, drawn).replace(/\bE\b/g, element).replace(/\bS\b/g, sorted);
    const [one, other] = [`v${this.#names++}`, `w${this.#names}`];
    const names = (text: string) => text.replaceAll('$1', one).replaceAll('$2', other).replaceAll('$', one);
    return names(production).replace(
      /\{([A-Za-z]+(?:\([A-Za-z]+\))?)(?:\|([a-zA-Z,]+))?\}/g,
      (_, hole: string, bound?: string) => {
        const types = bound === undefined ? [] : bound.split(',').map(typed);
        const inner = types.map((type, at) => ({ name: at === 0 ? one : other, type }));
        const text = this.#expression(typed(hole), depth - 1, [...locals, ...inner]);
        return /^[\w.]+(?:\([^()]*\))?$|^"[^"]*"$/.test(text) ? text : `(${text})`;
      },
    );
  }
}
