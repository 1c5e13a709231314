import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { Random } from '../harness/random.ts';
import { conforming, formats } from './custom-values.ts';

/** How deep objects and lists lie in one another. */
const depthMax = 3;
const names = ['alpha', 'beta', 'gamma', 'delta', 'kind', 'metadata', 'toString', 'a-b', 'a/b'] as const;

const some = (random: Random, chance: number) => random.next() < chance;
const maybe = (random: Random, chance: number, make: () => JsonObject): JsonObject =>
  some(random, chance) ? make() : {};

/** The schema of a custom kind: spec and status at random, what a Scale reads and writes always. */
export function rootSchema(random: Random): JsonObject {
  const spec = objectSchema(random, 0);
  const properties = { ...(spec['properties'] as JsonObject), replicas: { type: 'integer', minimum: 0 } };
  return {
    type: 'object',
    ...maybe(random, 0.2, () => ({ required: ['spec'] })),
    properties: {
      spec: { ...spec, properties },
      status: {
        type: 'object',
        properties: {
          phase: { type: 'string', enum: ['', 'up', 'down'] },
          replicas: { type: 'integer' },
          selector: { type: 'string' },
          conditions: conditionsSchema,
        },
      },
    },
  };
}

const conditionsSchema: JsonObject = {
  type: 'array',
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['type'],
  items: {
    type: 'object',
    required: ['type', 'status'],
    properties: {
      type: { type: 'string', minLength: 1 },
      status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
      since: { type: 'string', format: 'date-time' },
    },
  },
};

/** The same fields with rules of their own: what fits one version may not fit the other, and is converted all the same. */
export function otherRules(random: Random, schema: JsonObject): JsonObject {
  const result: JsonObject = { ...schema };
  const { properties, items } = schema as { properties?: JsonObject; items?: JsonObject };
  if (properties !== undefined) {
    result['properties'] = Object.fromEntries(
      Object.entries(properties).map(([name, child]) => [name, otherRules(random, child as JsonObject)]),
    );
    const present = Object.keys(properties);
    if (some(random, 0.3)) result['required'] = [random.pick(present)];
  }
  if (items !== undefined && schema['x-kubernetes-list-type'] !== 'map')
    result['items'] = otherRules(random, items);
  if (schema['default'] !== undefined || some(random, 0.5)) return result;
  if (schema['type'] === 'string') result['maxLength'] = random.between(1, 6);
  if (schema['type'] === 'integer') result['maximum'] = random.between(0, 9);
  return result;
}

function anySchema(random: Random, depth: number): JsonObject {
  const leaf = depth >= depthMax;
  const what = random.weighted({
    string: 6,
    integer: 4,
    number: 2,
    boolean: 1,
    intOrString: 1,
    open: 1,
    ...(leaf ? { object: 0, map: 0, list: 0, embedded: 0 } : { object: 4, map: 2, list: 4, embedded: 0.7 }),
  });
  const schema = schemaOf(random, what, depth);
  if (schema['type'] !== undefined && some(random, 0.15)) schema['nullable'] = true;
  if (what !== 'embedded' && some(random, 0.2)) schema['default'] = conforming(random, schema);
  return schema;
}

type Sort =
  | 'string'
  | 'integer'
  | 'number'
  | 'boolean'
  | 'intOrString'
  | 'open'
  | 'object'
  | 'map'
  | 'list'
  | 'embedded';

function schemaOf(random: Random, what: Sort, depth: number): JsonObject {
  switch (what) {
    case 'string':
      return stringSchema(random);
    case 'integer':
    case 'number':
      return numberSchema(random, what);
    case 'boolean':
      return { type: 'boolean', ...maybe(random, 0.1, () => ({ enum: [true] })) };
    case 'intOrString':
      return {
        'x-kubernetes-int-or-string': true,
        ...maybe(random, 0.4, () => ({ anyOf: [{ type: 'integer' }, { type: 'string' }] })),
        ...maybe(random, 0.4, () => ({ pattern: '^[0-9]+%?$' })),
        ...maybe(random, 0.3, () => ({ maximum: 100 })),
      };
    case 'open':
      return {
        ...maybe(random, 0.5, () => ({ type: 'object' })),
        'x-kubernetes-preserve-unknown-fields': true,
      };
    case 'embedded':
      return {
        type: 'object',
        'x-kubernetes-embedded-resource': true,
        ...maybe(random, 0.5, () => ({ nullable: true })),
        'x-kubernetes-preserve-unknown-fields': true,
      };
    case 'map':
      return mapSchema(random, depth);
    case 'list':
      return listSchema(random, depth);
    default:
      return objectSchema(random, depth);
  }
}

function stringSchema(random: Random): JsonObject {
  const how = random.weighted({ plain: 3, format: 4, enum: 2, pattern: 2 });
  const lengths = {
    ...maybe(random, 0.25, () => ({ minLength: random.between(0, 2) })),
    ...maybe(random, 0.25, () => ({ maxLength: random.between(2, 40) })),
  };
  switch (how) {
    case 'format':
      return { type: 'string', format: random.pick(formats) };
    case 'enum':
      return { type: 'string', enum: ['a', 'bb', 'ccc'].slice(0, random.between(1, 3)) };
    case 'pattern':
      return { type: 'string', pattern: random.pick(['^[a-c]*$', 'b', '^\\d{2,3}$', '(?i)^A']), ...lengths };
    default:
      return {
        type: 'string',
        ...lengths,
        ...maybe(random, 0.15, () => ({ anyOf: [{ minLength: 2 }, { pattern: '^$' }] })),
        ...maybe(random, 0.1, () => ({ not: { enum: ['bb'] } })),
        ...maybe(random, 0.1, () => ({ 'x-kubernetes-validations': [random.pick(stringRules)] })),
      };
  }
}

function numberSchema(random: Random, type: 'integer' | 'number'): JsonObject {
  const format = random.pick(type === 'integer' ? ['int32', 'int64', 'odd'] : ['float', 'double', 'odd']);
  return {
    type,
    ...maybe(random, 0.4, () => ({ format })),
    ...maybe(random, 0.3, () => ({
      minimum: random.between(-2, 2),
      ...maybe(random, 0.3, () => ({ exclusiveMinimum: true })),
    })),
    ...maybe(random, 0.3, () => ({
      maximum: random.between(3, 9),
      ...maybe(random, 0.3, () => ({ exclusiveMaximum: true })),
    })),
    ...maybe(random, 0.2, () => ({ multipleOf: type === 'integer' ? 3 : random.pick([0.1, 0.5, 2]) })),
    ...maybe(random, 0.1, () => ({ enum: [1, 2, 3] })),
    ...maybe(random, 0.1, () => ({ oneOf: [{ minimum: 3 }, { maximum: 5 }] })),
    ...maybe(random, 0.1, () => ({ 'x-kubernetes-validations': [random.pick(numberRules)] })),
  };
}

function mapSchema(random: Random, depth: number): JsonObject {
  return {
    type: 'object',
    ...maybe(random, 0.85, () => ({ additionalProperties: anySchema(random, depth + 1) })),
    ...maybe(random, 0.2, () => ({ minProperties: 1 })),
    ...maybe(random, 0.2, () => ({ maxProperties: 2 })),
    ...maybe(random, 0.3, () => ({ 'x-kubernetes-map-type': random.pick(['atomic', 'granular']) })),
  };
}

function listSchema(random: Random, depth: number): JsonObject {
  const listType = random.weighted({ none: 3, atomic: 2, set: 2, map: 3 });
  const bounds = {
    type: 'array',
    ...maybe(random, 0.25, () => ({ minItems: 1 })),
    ...maybe(random, 0.25, () => ({ maxItems: 2 })),
  };
  if (listType === 'set') {
    const items = random.pick([
      { type: 'string' },
      { type: 'integer' },
      { type: 'array', items: { type: 'string' } },
      { type: 'object', 'x-kubernetes-map-type': 'atomic', properties: { x: { type: 'string' } } },
    ]);
    return { ...bounds, 'x-kubernetes-list-type': 'set', items };
  }
  if (listType !== 'map') {
    const items = anySchema(random, depth + 1);
    const { default: _, ...rest } = items;
    return { ...bounds, ...(listType === 'none' ? {} : { 'x-kubernetes-list-type': listType }), items: rest };
  }
  const object = objectSchema(random, depth + 1);
  const key = { type: 'string', ...maybe(random, 0.3, () => ({ default: 'tcp' })) };
  const port = random.pick<JsonObject>([{ type: 'integer' }, { type: 'integer', default: 1 }]);
  const keyed: JsonObject = { ...(object['properties'] as JsonObject), name: key, port };
  const required = ['name', 'port'].filter((name) => (keyed[name] as JsonObject)['default'] === undefined);
  const items: JsonObject = { ...object, properties: keyed };
  if (required.length > 0) items['required'] = required;
  const keys = ['name', 'port'];
  return { ...bounds, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': keys, items };
}

function objectSchema(random: Random, depth: number): JsonObject {
  const properties: JsonObject = {};
  for (const name of names) if (some(random, 0.45)) properties[name] = anySchema(random, depth + 1);
  properties['omega'] = anySchema(random, depth + 1);
  const present = Object.keys(properties);
  const one = random.pick(present);
  return {
    type: 'object',
    properties,
    ...maybe(random, 0.3, () => ({ required: present.filter(() => some(random, 0.4)) })),
    ...maybe(random, 0.15, () => ({ 'x-kubernetes-preserve-unknown-fields': true })),
    ...maybe(random, 0.12, () => ({ 'x-kubernetes-map-type': random.pick(['atomic', 'granular']) })),
    ...maybe(random, 0.1, () => ({ minProperties: 1 })),
    ...maybe(random, 0.1, () => ({ maxProperties: 4 })),
    ...maybe(random, 0.12, () => ({
      [random.pick(['oneOf', 'anyOf', 'allOf'])]: [{ required: [one] }, { required: ['omega'] }] as JsonValue,
    })),
    ...maybe(random, 0.08, () => ({ not: { required: [one, 'omega'] } })),
    ...maybe(random, 0.15, () => ({ 'x-kubernetes-validations': [random.pick(objectRules)] })),
  };
}

const stringRules: readonly JsonObject[] = [
  { rule: "self != 'bb'", message: 'not bb' },
  { rule: 'self == oldSelf', message: 'fixed' },
  { rule: 'self.size() < 5', messageExpression: "'too long: ' + self", reason: 'FieldValueForbidden' },
  { rule: "self.startsWith('a')" },
];

const numberRules: readonly JsonObject[] = [
  { rule: 'self < 5', messageExpression: "'%d is too much'.format([int(self)])" },
  { rule: 'self >= oldSelf', message: 'never less', reason: 'FieldValueInvalid' },
  { rule: 'oldSelf.hasValue() ? self >= oldSelf.value() : true', optionalOldSelf: true },
  { rule: '10 / int(self) > 0' },
];

const objectRules: readonly JsonObject[] = [
  { rule: 'has(self.omega)', message: 'needs omega', reason: 'FieldValueRequired', fieldPath: '.omega' },
  { rule: '!has(oldSelf.omega) || has(self.omega)', message: 'omega stays' },
  { rule: '!has(self.omega) || type(self.omega) == type(self.omega)' },
];
