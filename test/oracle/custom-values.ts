import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { Random } from '../harness/random.ts';

/** Texts by format: some that have it, then some that nearly do. */
const textsOf: { readonly [format: string]: readonly (readonly string[])[] } = {
  'date-time': [
    ['2024-02-29T01:02:03Z', '2024-01-01t00:00:00.5+01:00'],
    ['2023-02-29T00:00:00Z', '2024-01-01', '2024-01-01 00:00:00Z', '2024-01-01T24:00:00Z'],
  ],
  date: [['2024-02-29'], ['2024-2-9', '2023-02-29', '2024-01-01T00:00:00Z']],
  duration: [
    ['1h30m', '3 days', '0'],
    ['1', 'h', 'abc', '-'],
  ],
  uri: [
    ['https://a.b/c?d#e', '/abs', 'a:b'],
    ['rel/path', 'http://a b', '%zz', ''],
  ],
  email: [
    ['a@b.c', 'A <a@b.c>'],
    ['a@', '@b', 'a b@c'],
  ],
  hostname: [
    ['a.example', 'localhost'],
    ['-a', 'a..b', 'a_b'],
  ],
  ipv4: [
    ['1.2.3.4', '::ffff:1.2.3.4'],
    ['1.2.3', '256.1.1.1', '::1'],
  ],
  ipv6: [
    ['::1', '2001:db8::1'],
    ['1.2.3.4', ':::', 'fe80::1%eth0'],
  ],
  cidr: [
    ['10.0.0.0/8', '::/0'],
    ['10.0.0.0', '10.0.0.0/33', '/8'],
  ],
  mac: [
    ['01:23:45:67:89:ab', '0123.4567.89ab'],
    ['01:23:45:67:89', '01-23:45:67:89:ab'],
  ],
  uuid: [
    ['123e4567-e89b-12d3-a456-426614174000', '123E4567E89B12D3A456426614174000'],
    ['123e4567', 'x'],
  ],
  uuid3: [['123e4567-e89b-32d3-a456-426614174000'], ['123e4567-e89b-42d3-a456-426614174000']],
  uuid4: [['123e4567-e89b-42d3-a456-426614174000'], ['123e4567-e89b-42d3-c456-426614174000']],
  uuid5: [['123e4567-e89b-52d3-a456-426614174000'], ['123e4567-e89b-12d3-a456-426614174000']],
  byte: [
    ['YWJj', 'YQ=='],
    ['YQ', 'Y Q=', '-_==', ''],
  ],
  bsonobjectid: [['507f1f77bcf86cd799439011'], ['507f1f77bcf86cd79943901', 'z']],
  isbn: [
    ['0-306-40615-2', '978-0-306-40615-7'],
    ['0306406153', '1'],
  ],
  isbn10: [['0306406152'], ['9780306406157', '030640615X']],
  isbn13: [['9780306406157'], ['0306406152', '9780306406158']],
  creditcard: [['4111111111111111'], ['4111111111111112', '1234']],
  ssn: [
    ['111-22-3333', '111 22 3333'],
    ['11122333', '111-22-33333'],
  ],
  hexcolor: [
    ['#fff', 'A0B1C2'],
    ['#ff', '#ggg'],
  ],
  rgbcolor: [
    ['rgb(1,2,3)', 'rgb( 255 , 0 , 0 )'],
    ['rgb(256,0,0)', 'rgb(1,2)'],
  ],
  password: [['any', ''], []],
  datetime: [['2024-02-29T01:02:03Z'], ['2024-02-30T01:02:03Z']],
  'k8s-short-name': [
    ['a-1', '1'],
    ['A', 'a.b', '-'],
  ],
  'k8s-long-name': [
    ['a.b-1', '1'],
    ['A', 'a..b', 'a_b'],
  ],
  odd: [['any', ''], []],
};

export const formats: readonly string[] = Object.keys(textsOf);

const texts = [
  '',
  'a',
  'bb',
  'ccc',
  'abcabc',
  '12',
  '123',
  'ü😀',
  'A',
  'x'.repeat(41),
  '50%',
  ' ',
  'null',
  'é',
];
/**
 * As they are written, which is more than what JSON.stringify writes. Whole numbers with a point or an exponent are of
 * another type to Go alone, those beyond 64 bits too.
 */
const literals = [
  ...[
    '0',
    '1',
    '2',
    '3',
    '5',
    '6',
    '9',
    '-1',
    '-0',
    '100',
    '1.5',
    '0.3',
    '2.50',
    '15e-1',
    '1e-7',
    '1234567.5',
  ],
  ...['2147483647', '2147483648', '9007199254740991'],
];

const literalMark = '@literal ';

/** JSON with the numbers as they were drawn. */
export function written(value: JsonValue): string {
  return JSON.stringify(value).replaceAll(new RegExp(`"${literalMark}([^"]*)"`, 'g'), '$1');
}

const some = (random: Random, chance: number) => random.next() < chance;

/** A value that fits its schema, junctors and rules aside. Plain JSON. */
export function conforming(random: Random, schema: JsonObject): JsonValue {
  return valueFor(new Draw(random, 0), schema);
}

/** A value near to what fits: at each place it is something else with the chance of `mistakes`. */
export function nearly(random: Random, schema: JsonObject, mistakes: number): JsonValue {
  return valueFor(new Draw(random, mistakes), schema);
}

class Draw {
  readonly random: Random;
  readonly mistakes: number;

  constructor(random: Random, mistakes: number) {
    this.random = random;
    this.mistakes = mistakes;
  }

  errs(): boolean {
    return some(this.random, this.mistakes);
  }
}

function valueFor(draw: Draw, schema: JsonObject): JsonValue {
  const { random } = draw;
  if (draw.errs()) return anything(random);
  if (schema['nullable'] === true && some(random, 0.2)) return null;
  if (schema['x-kubernetes-embedded-resource'] === true) return embedded(draw);
  if (schema['x-kubernetes-int-or-string'] === true) return random.pick<JsonValue>([5, '50%', '7']);
  if (Array.isArray(schema['enum'])) return random.pick(schema['enum']);
  switch (schema['type']) {
    case 'string':
      return textOf(draw, schema);
    case 'integer':
    case 'number':
      return numberOf(draw, schema);
    case 'boolean':
      return some(random, 0.5);
    case 'array':
      return listOf(draw, schema);
    case 'object':
      return objectOf(draw, schema);
    default:
      return anything(random);
  }
}

function anything(random: Random): JsonValue {
  const what = random.weighted({ null: 3, text: 4, number: 5, list: 1, object: 2, boolean: 1 });
  switch (what) {
    case 'null':
      return null;
    case 'text':
      return random.pick(texts);
    case 'number':
      return `${literalMark}${random.pick(literals)}`;
    case 'list':
      return random.pick<JsonValue>([[], [null], ['a', 1], [{}]]);
    case 'boolean':
      return true;
    default:
      return random.pick<JsonValue>([{}, { alpha: null }, { beta: { gamma: [1] } }, { '': '' }]);
  }
}

function textOf({ random, mistakes }: Draw, { format, minLength, maxLength, pattern }: JsonObject): string {
  if (typeof format === 'string') {
    const [good = [], near = []] = textsOf[format] ?? [];
    return random.pick(near.length > 0 && some(random, mistakes * 3) ? near : good);
  }
  if (some(random, mistakes * 3)) return random.pick(texts);
  if (typeof pattern === 'string')
    return pattern.startsWith('^\\d') ? '12' : pattern.includes('A') ? 'abc' : 'ab';
  const least = typeof minLength === 'number' ? minLength : 0;
  const most = typeof maxLength === 'number' ? maxLength : 6;
  return 'acb'.repeat(20).slice(0, random.between(least, most));
}

function numberOf({ random, mistakes }: Draw, schema: JsonObject): JsonValue {
  if (some(random, mistakes * 3)) return `${literalMark}${random.pick(literals)}`;
  const { minimum, maximum, multipleOf } = schema;
  const least = typeof minimum === 'number' ? minimum : -3;
  const most = typeof maximum === 'number' ? maximum : 9;
  const step = typeof multipleOf === 'number' ? multipleOf : 1;
  const number = Math.ceil((random.between(least, most) || 3) / step) * step;
  return schema['type'] === 'number' && some(random, 0.3) ? Math.round(number) + 0.5 : Math.round(number);
}

function listOf(draw: Draw, schema: JsonObject): JsonValue {
  const { random } = draw;
  const items = isJsonObject(schema['items']) ? schema['items'] : {};
  const count = random.between(schema['minItems'] === 1 ? 1 : 0, schema['maxItems'] === 2 ? 2 : 3);
  const list = Array.from({ length: draw.errs() ? 4 : count }, () => valueFor(draw, items));
  const listType = schema['x-kubernetes-list-type'];
  if (listType !== 'set' && listType !== 'map') return list;
  if (draw.errs()) return list.flatMap((item) => [item, item]);
  const keys = schema['x-kubernetes-list-map-keys'] as string[] | undefined;
  const seen = new Set<string>();
  return list.filter((item, at) => {
    if (keys !== undefined && isJsonObject(item) && typeof item['name'] === 'string')
      item['name'] = 'abc'[at] as string;
    const key = JSON.stringify(item);
    return !seen.has(key) && seen.add(key);
  });
}

function objectOf(draw: Draw, schema: JsonObject): JsonValue {
  const { random } = draw;
  const result: JsonObject = {};
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  if (isJsonObject(schema['properties'])) {
    for (const [name, child] of Object.entries(schema['properties'])) {
      if (required.includes(name) ? draw.errs() : some(random, 0.4)) continue;
      result[name] = valueFor(draw, child as JsonObject);
    }
    if (draw.errs()) result[random.pick(['unknown', 'Alpha', 'omega ', ''])] = anything(random);
    return result;
  }
  const values = isJsonObject(schema['additionalProperties']) ? schema['additionalProperties'] : undefined;
  for (const key of ['k', 'l.m', 'n/o', '__proto'].slice(0, random.between(1, draw.errs() ? 4 : 2)))
    result[key] = values === undefined ? anything(random) : valueFor(draw, values);
  return result;
}

function embedded(draw: Draw): JsonValue {
  const { random } = draw;
  const metadata = random.pick<JsonObject>([
    {},
    { name: 'a' },
    { name: 'a', labels: { x: 'y' }, annotations: { n: 'o' } },
    { name: 'a', creationTimestamp: null },
  ]);
  const faulty = random.pick<JsonValue>([
    { name: 'A_b' },
    { name: 1 },
    { labels: { 'x y': 'z' } },
    { frob: 1 },
    { finalizers: ['x'] },
    'none',
    null,
  ]);
  return {
    ...(draw.errs() ? {} : { apiVersion: draw.errs() ? random.pick(['', 'a/b/c']) : 'apps/v1' }),
    ...(draw.errs() ? {} : { kind: draw.errs() ? random.pick(['', 'no kind']) : 'Deployment' }),
    ...(some(random, 0.8) ? { metadata: draw.errs() ? faulty : metadata } : {}),
    ...(some(random, 0.5) ? { spec: anything(random) } : {}),
  };
}
