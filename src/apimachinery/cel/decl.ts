import type { Schema } from '../schema.ts';
import {
  boolType,
  bytesType,
  CelType,
  type Decl,
  type DeclField,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  mapOf,
  stringType,
  timestampType,
} from './types.ts';

/** Bytes of the largest request that Kubernetes' estimates reckon with. */
export const requestBytesMax = 3 * 1024 * 1024;
const timeTextMax = 32;
const dateTextMax = 12;

const reserved: ReadonlySet<string> = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/** A property's name in expressions (`a-b` → `a__dash__b`); undefined for one that they cannot name. */
export function escapeFieldName(name: string): string | undefined {
  if (name === '' || /^[0-9]|[^a-zA-Z0-9_.\-/]/.test(name)) return undefined;
  if (reserved.has(name)) return `__${name}__`;
  return name.replace(/__|[.\-/]/g, (found) => {
    if (found === '__') return '__underscores__';
    return found === '.' ? '__dot__' : found === '-' ? '__dash__' : '__slash__';
  });
}

const declared = new WeakMap<Schema, Decl | null>();
const declaredRoots = new WeakMap<Schema, Decl | null>();

/**
 * The declaration of a schema; undefined where expressions cannot see a value (no type, no items). Made once for each
 * Schema. `isResource`: the root of a resource, whose apiVersion, kind and names are always there.
 */
export function declOf(schema: Schema, isResource: boolean): Decl | undefined {
  const cache = isResource ? declaredRoots : declared;
  let decl = cache.get(schema);
  if (decl === undefined) {
    decl = build(schema, isResource) ?? null;
    cache.set(schema, decl);
  }
  return decl ?? undefined;
}

function childDecl(schema: Schema): Decl | undefined {
  return declOf(schema, schema.embeddedResource === true);
}

const positive = (value: number): number => Math.max(0, value);

function build(schema: Schema, isResource: boolean): Decl | undefined {
  const { validation } = schema;
  if (schema.intOrString === true) {
    const length = validation?.maxLength;
    const maxElements = length === undefined ? requestBytesMax - 2 : positive(length) * 4;
    return { kind: 'dyn', type: dynType, maxElements, minBytes: 1 };
  }
  switch (isResource ? 'object' : schema.type) {
    case 'array':
      return listDecl(schema);
    case 'object':
      return !isResource && schema.additionalProperties !== undefined
        ? mapDecl(schema, schema.additionalProperties)
        : objectDecl(schema, isResource);
    case 'string':
      return stringDecl(schema);
    case 'boolean':
      return { kind: 'scalar', type: boolType, maxElements: 0, minBytes: 4 };
    case 'number':
      return { kind: 'double', type: doubleType, maxElements: 0, minBytes: 1 };
    case 'integer':
      return { kind: 'scalar', type: intType, maxElements: 0, minBytes: 1 };
    default:
      return undefined;
  }
}

function listDecl(schema: Schema): Decl | undefined {
  const element = schema.items === undefined ? undefined : childDecl(schema.items);
  if (element === undefined) return undefined;
  const maxItems = schema.validation?.maxItems;
  return {
    kind: 'list',
    type: listOf(element.type),
    element,
    maxElements:
      maxItems === undefined
        ? Math.floor((requestBytesMax - 2) / (element.minBytes + 1))
        : positive(maxItems),
    minBytes: 2,
    listType: schema.listType === 'atomic' ? undefined : schema.listType,
    listMapKeys: schema.listMapKeys,
  };
}

function mapDecl(schema: Schema, values: Schema): Decl | undefined {
  const element = childDecl(values);
  if (element === undefined) return undefined;
  const maxProperties = schema.validation?.maxProperties;
  return {
    kind: 'map',
    type: mapOf(stringType, element.type),
    element,
    maxElements:
      maxProperties === undefined
        ? Math.floor((requestBytesMax - 2) / (element.minBytes + 6))
        : positive(maxProperties),
    minBytes: 2,
  };
}

const anyString: Schema = { type: 'string' };

function objectDecl(schema: Schema, isResource: boolean): Decl {
  const properties = new Map(schema.properties);
  if (isResource) {
    const narrowed = properties.get('metadata')?.properties;
    properties.set('apiVersion', anyString);
    properties.set('kind', anyString);
    properties.set('metadata', {
      type: 'object',
      properties: new Map([
        ['name', narrowed?.get('name')?.type === 'string' ? (narrowed.get('name') as Schema) : anyString],
        ['generateName', anyString],
      ]),
    });
  }
  const fields = new Map<string, DeclField>();
  const required = new Set(schema.required);
  let minBytes = 2;
  for (const [jsonName, property] of properties) {
    const decl = childDecl(property);
    if (decl === undefined) continue;
    const name = escapeFieldName(jsonName);
    if (name !== undefined) fields.set(name, { jsonName, decl });
    if (required.has(jsonName) && property.default === undefined)
      minBytes += jsonName.length + decl.minBytes + 4;
  }
  return objectOf('object', fields, minBytes);
}

/** A declaration of an object with these fields; its type is equal to no other. */
export function objectOf(name: string, fields: ReadonlyMap<string, DeclField>, minBytes = 2): Decl {
  const decl: { -readonly [K in keyof Decl]: Decl[K] } = {
    kind: 'object',
    type: dynType,
    fields,
    maxElements: 0,
    minBytes,
  };
  decl.type = new CelType('object', name, [], decl);
  return decl;
}

function stringDecl(schema: Schema): Decl {
  const { format, maxLength, enum: allowed } = schema.validation ?? {};
  switch (format) {
    case 'byte':
      return {
        kind: 'scalar',
        type: bytesType,
        maxElements: maxLength === undefined ? requestBytesMax - 2 : positive(maxLength),
        minBytes: 2,
        format,
      };
    case 'duration':
      return {
        kind: 'scalar',
        type: durationType,
        maxElements: timeTextMax,
        minBytes: 3,
        format,
      };
    case 'date':
      return {
        kind: 'scalar',
        type: timestampType,
        maxElements: dateTextMax,
        minBytes: 12,
        format,
      };
    case 'date-time':
      return {
        kind: 'scalar',
        type: timestampType,
        maxElements: timeTextMax,
        minBytes: 21,
        format,
      };
  }
  let maxElements = requestBytesMax - 2;
  if (maxLength !== undefined) maxElements = positive(maxLength) * 4;
  else if (allowed !== undefined && allowed.length > 0) {
    maxElements = Math.max(...allowed.map((one) => (typeof one === 'string' ? Buffer.byteLength(one) : 0)));
  }
  return { kind: 'scalar', type: stringType, maxElements, minBytes: 2 };
}
