import { cloneJson, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { Random } from '../harness/random.ts';
import { type Kinds, resolved, type Schema } from './kinds.ts';

/** A place in an object of a kind: names of fields, and 0 for the first item of a list or `a` for a key of a map. */
interface Site {
  readonly path: readonly (string | number)[];
  readonly schema: Schema;
  readonly required: boolean;
}

export interface Mutation {
  /** Such as `spec.replicas = -1`. */
  readonly name: string;
  readonly object: JsonObject;
}

interface MutationOptions {
  readonly random: Random;
  readonly count: number;
  /** Only fields of this one, such as `status`. */
  readonly below?: string | undefined;
  /** How many fields are changed at once; 1 if absent. */
  readonly fields?: number | undefined;
}

/** Schemas that hold themselves (JSONSchemaProps) are entered so often. */
const recursionsMax = 1;
const depthMax = 12;

/** Every field that the schema of the kind declares, whether the object has it or not. */
function sitesOf(schemas: Kinds['schemas'], root: Schema): Site[] {
  const sites: Site[] = [];
  const visit = (schema: Schema, path: readonly (string | number)[], above: readonly Schema[]) => {
    if (path.length > depthMax || above.filter((one) => one === schema).length > recursionsMax) return;
    const within = [...above, schema];
    const required = Array.isArray(schema['required']) ? schema['required'] : [];
    for (const [name, property] of Object.entries(asObject(schema['properties']))) {
      const target = resolved(schemas, property);
      const at = [...path, name];
      if (path.length > 0 || !['apiVersion', 'kind'].includes(name))
        sites.push({ path: at, schema: merged(target, property), required: required.includes(name) });
      visit(target, at, within);
    }
    if (schema['items'] !== undefined) {
      const target = resolved(schemas, schema['items']);
      sites.push({ path: [...path, 0], schema: target, required: false });
      visit(target, [...path, 0], within);
    }
    const more = schema['additionalProperties'];
    if (isJsonObject(more)) {
      const target = resolved(schemas, more);
      sites.push({ path: [...path, 'a'], schema: target, required: false });
      visit(target, [...path, 'a'], within);
    }
  };
  visit(root, [], []);
  return sites;
}

/** What stands beside a `$ref` counts too: a list's type. */
function merged(target: Schema, property: JsonValue | undefined): Schema {
  return isJsonObject(property) ? { ...property, ...target } : target;
}

const asObject = (value: JsonValue | undefined): JsonObject => (isJsonObject(value) ? value : {});

/** Something that decodes, with the fields that must be there; validation may refuse it, at both servers alike. */
function smallest(schemas: Kinds['schemas'], schema: Schema, depth = 0): JsonValue {
  const { enum: values, type } = schema;
  if (Array.isArray(values)) return values[0] as JsonValue;
  if (type === 'integer' || type === 'number') return 1;
  if (type === 'boolean') return true;
  if (type === 'array')
    return depth > depthMax ? [] : [smallest(schemas, resolved(schemas, schema['items']), depth + 1)];
  if (type !== 'object') return schema['format'] === 'date-time' ? '2024-01-01T00:00:00Z' : 'x';
  const result: JsonObject = {};
  const properties = asObject(schema['properties']);
  for (const name of Array.isArray(schema['required']) ? (schema['required'] as string[]) : [])
    if (depth <= depthMax) result[name] = smallest(schemas, resolved(schemas, properties[name]), depth + 1);
  return result;
}

const long = 'a'.repeat(300);
const texts: readonly JsonValue[] = ['', 'x', 'Bad_Name!', 'a.b/c', '-', '1', 'Nonsense', long, 1, null, {}];
const numbers: readonly JsonValue[] = [0, 1, -1, 7, 65_536, 2_147_483_647, 2_147_483_648, 1.5, '1', null, []];
const truths: readonly JsonValue[] = [true, false, 'true', 1, null];
const times: readonly JsonValue[] = [
  '2024-01-01T00:00:00Z',
  '2024-01-01T00:00:00.5+01:00',
  '',
  'bad',
  1,
  null,
];
const quantities: readonly JsonValue[] = ['0', '1', '-1', '1.5', '1Gi', '0.0001', '1e20', 'bad', '', 2, null];
const numberTexts: readonly JsonValue[] = [0, 1, -1, 70_000, '10%', '101%', '-1%', 'http', 'Bad!', '', null];
const maps: readonly JsonValue[] = [{}, { a: 'b' }, { 'Bad key!': 'x' }, { '': '' }, { a: 1 }, [], null];
const blobs: readonly JsonValue[] = ['', 'YQ==', 'not base64', 1, null];

/** Values for a place: right ones and wrong ones. */
function valuesFor(schemas: Kinds['schemas'], schema: Schema, present: JsonValue | undefined): JsonValue[] {
  const { type, format } = schema;
  const small = smallest(schemas, schema);
  if (Array.isArray(schema['enum'])) return [...(schema['enum'] as JsonValue[]), 'Nonsense', '', 1];
  if (format === 'int-or-string') return [...numberTexts];
  if (format === 'date-time') return [...times];
  if (format === 'byte') return [...blobs];
  if (schema['oneOf'] !== undefined || schema['anyOf'] !== undefined) return [...quantities];
  if (type === 'string') return [...texts];
  if (type === 'integer' || type === 'number') return [...numbers];
  if (type === 'boolean') return [...truths];
  if (type === 'array') {
    const item =
      (Array.isArray(present) && present[0]) || smallest(schemas, resolved(schemas, schema['items']));
    return [[], [item], [item, item], [null], {}, 'x', null];
  }
  if (schema['additionalProperties'] !== undefined) return [...maps];
  if (schema['properties'] === undefined) return [{}, { a: 1 }, { a: { b: [] } }, 'x', [], null, 1];
  return [
    {},
    small,
    { ...asObject(small), noSuchField: 1 },
    { ...asObject(present), noSuchField: 1 },
    [],
    'x',
    null,
  ];
}

/** Objects with so many fields changed, at most `count` of them: each place is as likely as any other. */
export function mutationsOf(
  { schemas }: Kinds,
  rootName: string,
  object: JsonObject,
  { random, count, below, fields = 1 }: MutationOptions,
): Mutation[] {
  const root = schemas.get(rootName);
  if (root === undefined) return [];
  const sites = sitesOf(schemas, root).filter(({ path }) => below === undefined || path[0] === below);
  if (sites.length === 0) return [];
  const seen = new Set<string>();
  const mutations: Mutation[] = [];
  for (let tries = 0; mutations.length < count && tries < count * 4; tries++) {
    const copy = cloneJson(object);
    const name = Array.from({ length: fields }, () => {
      const site = random.pick(sites);
      const present = valueAt(copy, site.path);
      const isRemoved = present !== undefined && random.next() < 0.2;
      const value = isRemoved ? undefined : random.pick(valuesFor(schemas, site.schema, present));
      place(schemas, root, copy, site.path, value);
      return `${site.path.join('.')} = ${isRemoved ? 'absent' : JSON.stringify(value).slice(0, 60)}`;
    }).join(' and ');
    if (seen.has(name)) continue;
    seen.add(name);
    mutations.push({ name, object: copy });
  }
  return mutations;
}

function valueAt(object: JsonValue, path: readonly (string | number)[]): JsonValue | undefined {
  let at: JsonValue | undefined = object;
  for (const segment of path) {
    if (Array.isArray(at)) at = at[segment as number];
    else at = isJsonObject(at) ? at[segment] : undefined;
  }
  return at;
}

/** Sets the value, with what must stand around it. */
function place(
  schemas: Kinds['schemas'],
  root: Schema,
  object: JsonObject,
  path: readonly (string | number)[],
  value: JsonValue | undefined,
): void {
  let schema = root;
  let at: JsonValue = object;
  for (const [depth, segment] of path.entries()) {
    schema = schemaBelow(schemas, schema, segment);
    const container = at as { [key: string | number]: JsonValue | undefined };
    if (depth === path.length - 1) {
      if (value !== undefined) container[segment] = cloneJson(value);
      else if (Array.isArray(at)) at.splice(segment as number, 1);
      else delete container[segment];
      return;
    }
    const next = container[segment];
    if (next === undefined || next === null || typeof next !== 'object')
      container[segment] = emptied(smallest(schemas, schema));
    at = container[segment] as JsonValue;
  }
}

const emptied = (value: JsonValue): JsonValue => (typeof value === 'object' && value !== null ? value : {});

function schemaBelow(schemas: Kinds['schemas'], schema: Schema, segment: string | number): Schema {
  if (typeof segment === 'number') return resolved(schemas, schema['items']);
  const property = asObject(schema['properties'])[segment];
  return resolved(schemas, property ?? schema['additionalProperties']);
}
