import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { Random } from '../harness/random.ts';
import type { Site } from './expression-grammar.ts';

const inner: JsonObject = {
  type: 'object',
  properties: {
    x: { type: 'integer' },
    w: { type: 'array', maxItems: 3, items: { type: 'string', maxLength: 5 } },
  },
};

/** A property of every kind that a structural schema has. With bounds, so that estimates of costs are not beyond every limit. */
const bounded: { readonly [name: string]: JsonObject } = {
  b: { type: 'boolean' },
  i: { type: 'integer' },
  j: { type: 'integer', format: 'int32' },
  n: { type: 'number' },
  s: { type: 'string', maxLength: 20 },
  e: { type: 'string', enum: ['a', 'bb', 'abc'] },
  by: { type: 'string', format: 'byte', maxLength: 24 },
  dt: { type: 'string', format: 'date-time' },
  da: { type: 'string', format: 'date' },
  du: { type: 'string', format: 'duration' },
  q: { type: 'string', maxLength: 20 },
  ip: { type: 'string', maxLength: 40 },
  net: { type: 'string', maxLength: 40 },
  ver: { type: 'string', maxLength: 20 },
  ios: { 'x-kubernetes-int-or-string': true, maxLength: 10 },
  nul: { type: 'string', nullable: true, maxLength: 10 },
  open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  emb: {
    type: 'object',
    'x-kubernetes-embedded-resource': true,
    'x-kubernetes-preserve-unknown-fields': true,
    properties: { spec: { type: 'object', properties: { x: { type: 'integer' } } } },
  },
  mi: { type: 'object', maxProperties: 4, additionalProperties: { type: 'integer' } },
  ms: { type: 'object', maxProperties: 4, additionalProperties: { type: 'string', maxLength: 8 } },
  ml: {
    type: 'object',
    maxProperties: 3,
    additionalProperties: { type: 'array', maxItems: 3, items: { type: 'integer' } },
  },
  mo: { type: 'object', maxProperties: 3, additionalProperties: inner },
  li: { type: 'array', maxItems: 5, items: { type: 'integer' } },
  ls: { type: 'array', maxItems: 5, items: { type: 'string', maxLength: 8 } },
  ld: { type: 'array', maxItems: 4, items: { type: 'number' } },
  lt: { type: 'array', maxItems: 3, items: { type: 'string', format: 'date-time' } },
  lu: { type: 'array', maxItems: 3, items: { type: 'string', format: 'duration' } },
  lb: { type: 'array', maxItems: 3, items: { type: 'boolean' } },
  ll: { type: 'array', maxItems: 3, items: { type: 'array', maxItems: 3, items: { type: 'integer' } } },
  lios: { type: 'array', maxItems: 3, items: { 'x-kubernetes-int-or-string': true, maxLength: 10 } },
  set: {
    type: 'array',
    maxItems: 4,
    'x-kubernetes-list-type': 'set',
    items: { type: 'string', maxLength: 8 },
  },
  seti: { type: 'array', maxItems: 4, 'x-kubernetes-list-type': 'set', items: { type: 'integer' } },
  keyed: {
    type: 'array',
    maxItems: 3,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['k'],
    items: {
      type: 'object',
      required: ['k'],
      properties: { k: { type: 'string', maxLength: 8 }, v: { type: 'integer' } },
    },
  },
  o: inner,
  'a-b': { type: 'integer' },
  'x.y': { type: 'string', maxLength: 4 },
  in: { type: 'integer' },
  a__b: { type: 'integer' },
};

const boundNames: ReadonlySet<string> = new Set(['maxLength', 'maxItems', 'maxProperties']);

function withoutBounds(schema: JsonValue): JsonValue {
  if (Array.isArray(schema)) return schema.map(withoutBounds);
  if (typeof schema !== 'object' || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([name, value]) => !(boundNames.has(name) && typeof value === 'number'))
      .map(([name, value]) => [name, withoutBounds(value ?? null)]),
  );
}

/** The schema of what the expressions are about. */
export function subjectSchema(hasBounds: boolean): JsonObject {
  const schema = { type: 'object', properties: { ...bounded } };
  return hasBounds ? schema : (withoutBounds(schema) as JsonObject);
}

const paths: Site['fields'] = {
  bool: ['b'],
  int: [
    'i',
    'j',
    'a__dash__b',
    '__in__',
    'a__underscores__b',
    'o.x',
    'mi.a',
    'mo.a.x',
    'keyed[0].v',
    'emb.spec.x',
    'ml.a[0]',
  ],
  double: ['n', 'ld[0]'],
  string: [
    's',
    'e',
    'q',
    'nul',
    'x__dot__y',
    'ms.a',
    'emb.kind',
    'emb.metadata.name',
    'keyed[0].k',
    'o.w[0]',
  ],
  bytes: ['by'],
  timestamp: ['dt', 'da', 'lt[0]'],
  duration: ['du', 'lu[0]'],
  dyn: ['ios', 'lios[0]'],
  'list(int)': ['li', 'seti', 'll[0]', 'ml.a'],
  'list(string)': ['ls', 'set', 'o.w', 'mo.a.w'],
  'list(double)': ['ld'],
  'list(bool)': ['lb'],
  'list(timestamp)': ['lt'],
  'list(duration)': ['lu'],
  'list(dyn)': ['lios', 'keyed', 'll'],
  'list(list(int))': ['ll'],
  'map(int)': ['mi'],
  'map(string)': ['ms'],
  'map(list(int))': ['ml'],
  'map(dyn)': ['mo'],
  'optional(int)': ['?i', 'mi.?a', 'o.?x', 'li[?1]'],
  'optional(string)': ['?s', 'ms[?"b"]', '?x__dot__y'],
  quantity: ['q'],
};

/** What can be named below `root`. */
export function siteAt(root: string): Site {
  const fields = Object.entries(paths).map(([type, names]) => {
    const from = names.map((name) => `${root}.${name}`);
    return [type, type === 'quantity' ? from.map((name) => `quantity(${name})`) : from] as const;
  });
  return { fields: Object.fromEntries(fields) };
}

const words = ['', 'a', 'abc', 'b,c', 'ä€😀', 'A B', '1.5', '12'] as const;
const whole = [0, 1, -1, 3, 7, 100, -40, 2 ** 31 - 1, 2 ** 53 - 1] as const;
const broken = [0.5, -2.25, 1.5, 123456789.125, 0.1] as const;
const moments = ['2024-02-29T01:02:03Z', '2023-01-01T00:00:00.5+02:00', '1970-01-01T00:00:00Z'] as const;
const spans = ['1h', '90s', '1500ms', '0s', '-2m'] as const;

/** Such an object; every part may be absent. */
export function drawSubject(random: Random): JsonObject {
  const some = <T>(items: readonly T[], max: number): T[] =>
    Array.from({ length: random.between(0, max) }, () => random.pick(items));
  const different = <T>(items: readonly T[], max: number): T[] => [...new Set(some(items, max))];
  const mapOf = (make: () => JsonValue): JsonObject =>
    Object.fromEntries(different(['a', 'b', 'c', 'x-y', '0'], 3).map((key) => [key, make()]));
  const object = (): JsonObject => ({
    ...(random.next() < 0.8 ? { x: random.pick(whole) } : {}),
    ...(random.next() < 0.7 ? { w: some(['a', 'b', 'abc'], 3) } : {}),
  });
  const makers: { readonly [name: string]: () => JsonValue } = {
    b: () => random.next() < 0.5,
    i: () => random.pick(whole),
    j: () => random.between(-3, 3),
    n: () => random.pick(broken),
    s: () => random.pick(words),
    e: () => random.pick(['a', 'bb', 'abc']),
    by: () => random.pick(['YWJj', '', '/wA=', 'w6Q=']),
    dt: () => random.pick(moments),
    da: () => random.pick(['2024-02-29', '1999-12-31']),
    du: () => random.pick(spans),
    q: () => random.pick(['1', '1Gi', '1500m', 'x', '9223372036854775808']),
    ip: () => random.pick(['1.2.3.4', '::1', 'x']),
    net: () => random.pick(['10.0.0.0/8', '::1/128', 'x']),
    ver: () => random.pick(['1.2.3', '1.2.3-a.1', 'x']),
    ios: () => random.pick<JsonValue>([1, 'a', '50%', 0]),
    nul: () => random.pick<JsonValue>(['a', null, 'b']),
    open: () => ({ any: random.pick<JsonValue>([1, 'a', [1, 'b'], null]) }),
    emb: () => ({ apiVersion: 'v1', kind: 'K', metadata: { name: 'n' }, spec: { x: random.pick(whole) } }),
    mi: () => mapOf(() => random.pick(whole)),
    ms: () => mapOf(() => random.pick(['a', 'b', 'abc', ''])),
    ml: () => mapOf(() => some(whole, 3)),
    mo: () => mapOf(object),
    li: () => some(whole, 5),
    ls: () => some(['a', 'b', 'abc', ''], 5),
    ld: () => some(broken, 4),
    lt: () => some(moments, 3),
    lu: () => some(spans, 3),
    lb: () => some([true, false], 3),
    ll: () => Array.from({ length: random.between(0, 3) }, () => some(whole, 3)),
    lios: () => some<JsonValue>([1, 'a', 2, '5'], 3),
    set: () => different(['a', 'b', 'abc'], 4),
    seti: () => different(whole, 4),
    keyed: () => different(['a', 'b', 'c'], 3).map((k) => ({ k, v: random.pick(whole) })),
    o: object,
    'a-b': () => random.between(0, 9),
    'x.y': () => random.pick(['a', 'b']),
    in: () => random.between(0, 9),
    a__b: () => random.between(0, 9),
  };
  return Object.fromEntries(
    Object.entries(makers)
      .filter(() => random.next() < 0.85)
      .map(([name, make]) => [name, make()]),
  );
}
