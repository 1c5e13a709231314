import { membersOf } from '../decode-json.ts';
import type { JsonObject, JsonValue } from '../json.ts';
import { isQuantity, quantityDefinition } from '../quantity.ts';
import { timeFault } from '../rfc3339.ts';
import type { Schema, SchemaType } from '../schema.ts';
import { type CompiledSchema, compiled, type SimpleRules } from './compiled-schema.ts';
import { goBytes, goMicroTime, hasNumberFormat, hasStringFormat } from './formats.ts';
import { validateValue } from './validate.ts';

/**
 * True only if the value has no null, no field that the schema does not know, and no wrong type: then there is nothing
 * to prune, to drop or to report. False says nothing: the slower walks find out what is wrong, if anything is. Nearly
 * every object that comes is of the first sort, and one walk that keeps no paths is much cheaper than three that do.
 */
export function isTidy(schema: Schema, value: JsonValue): boolean {
  return value !== null && fits(compiled(schema), value, false, true);
}

/** True only if `validateValue` would find nothing. False says nothing. */
export function isPlainlyValid(schema: Schema, value: JsonValue): boolean {
  return value !== null && fits(compiled(schema), value, true, true);
}

/**
 * The number of members of all objects in the value if it is plainly valid, else undefined: whoever wants to know both
 * need not walk it twice.
 */
export function membersIfPlainlyValid(schema: Schema, value: JsonValue): number | undefined {
  membersMet = 0;
  countsAll = true;
  try {
    return isPlainlyValid(schema, value) ? membersMet : undefined;
  } finally {
    countsAll = false;
  }
}

/** Counted by every walk, for the one that asks: walks end in the turn in which they begin, and none is inside another. */
let membersMet = 0;
/** Whether somebody asks: only then is what the schema leaves open, as field sets are, walked for its members. */
let countsAll = false;

function countOpen(value: JsonValue): void {
  if (countsAll) membersMet += membersOf(value);
}

/** `complete`: required fields must be there, and lists free of repeated items. */
function fits(
  node: CompiledSchema,
  value: Exclude<JsonValue, null>,
  complete: boolean,
  checksLists: boolean,
): boolean {
  if (typeof value !== 'object') return scalarFits(node, value);
  // What rules say of containers does not tell whether they are tidy.
  if (node.validation !== undefined && (!complete || !passes(node, value))) return false;
  node.open();
  if (Array.isArray(value)) return listFits(node, value, complete, checksLists);
  return objectFits(node, value, complete, checksLists && !node.isKubernetesType);
}

function scalarFits(node: CompiledSchema, value: string | number | boolean): boolean {
  switch (node.type) {
    case 'string':
    case 'boolean':
      if (typeof value !== node.type) return false;
      break;
    case 'integer':
      if (!Number.isSafeInteger(value)) return false;
      break;
    case 'number':
      if (typeof value !== 'number') return false;
      break;
    case undefined:
      if (node.intOrString && typeof value !== 'string' && !Number.isSafeInteger(value)) return false;
      if (node.isUnion && typeof value !== 'boolean') return false;
      break;
    default:
      return false;
  }
  return node.validation === undefined || passes(node, value);
}

function listFits(
  node: CompiledSchema,
  list: readonly JsonValue[],
  complete: boolean,
  checksLists: boolean,
): boolean {
  const { items } = node;
  if (node.type !== 'array' || items === undefined) {
    if (!node.keepsUnknown || (node.type !== 'array' && node.type !== undefined)) return false;
    countOpen(list as JsonValue[]);
    return true;
  }
  if (complete && checksLists && node.listType !== undefined && list.length > 1) return false;
  for (const item of list) {
    if (item === null || !fits(items, item, complete, checksLists)) return false;
  }
  return true;
}

function objectFits(
  node: CompiledSchema,
  object: JsonObject,
  complete: boolean,
  checksLists: boolean,
): boolean {
  const { properties, additional, keepsUnknown } = node;
  if ((node.type !== 'object' && node.type !== undefined) || node.intOrString || node.embeddedResource) {
    return false;
  }
  if (properties === undefined && additional === undefined) {
    if (keepsUnknown) countOpen(object);
    return keepsUnknown;
  }
  for (const key in object) {
    const child = properties?.get(key) ?? additional;
    const value = object[key];
    if (value === undefined) continue;
    membersMet++;
    if (child === undefined) {
      if (!keepsUnknown) return false;
      countOpen(value);
      continue;
    }
    if (value === null || !fits(child, value, complete, checksLists)) return false;
  }
  if (!complete || node.required === undefined) return true;
  for (const name of node.required) {
    if (object[name] === undefined || !Object.hasOwn(object, name)) return false;
  }
  return true;
}

function passes(node: CompiledSchema, value: JsonValue): boolean {
  node.simpleRules ??= simpleRulesOf(node);
  const rules = node.simpleRules;
  if (rules === 'others') return validateValue(node.schema, value).length === 0;
  const { format, types, isQuantity: mustBeQuantity } = rules;
  if (mustBeQuantity) return (typeof value === 'string' || typeof value === 'number') && isQuantity(value);
  if (format !== undefined) {
    if (value === '' && node.validation === goBytes) return true;
    if (typeof value === 'number') return hasNumberFormat(value, format);
    if (typeof value !== 'string') return false;
    if (node.validation === goMicroTime) return timeFault(value, 'micro') === undefined;
    return hasStringFormat(value, format);
  }
  return types?.includes(typeof value as SchemaType) === true;
}

function simpleRulesOf({ schema, validation, type }: CompiledSchema): SimpleRules | 'others' {
  const names = Object.keys(validation ?? {});
  const [only] = names;
  if (names.length !== 1 || validation === undefined || schema.items !== undefined) return 'others';
  if (only === 'format' && type !== 'object' && type !== 'array') {
    return { format: validation.format, types: undefined, isQuantity: false };
  }
  if (only !== 'anyOf' || type !== undefined) return 'others';
  const types: SchemaType[] = [];
  for (const branch of validation.anyOf ?? []) {
    const { type: wanted } = branch;
    if (wanted === undefined || wanted === 'object' || wanted === 'array') return 'others';
    if (Object.keys(branch).length !== 1) return 'others';
    types.push(wanted);
  }
  return { format: undefined, types, isQuantity: schema.definition === quantityDefinition };
}

const withDefaults = new WeakMap<Schema, boolean>();

/** Whether any value that the schema describes has a default: found once for each schema asked about. */
export function hasDefaults(schema: Schema): boolean {
  let found = withDefaults.get(schema);
  if (found === undefined) {
    found = reachesDefault(schema);
    withDefaults.set(schema, found);
  }
  return found;
}

function reachesDefault(root: Schema): boolean {
  const seen = new Set<Schema>([root]);
  for (const schema of seen) {
    if (schema.default !== undefined) return true;
    for (const child of schema.properties?.values() ?? []) seen.add(child);
    if (schema.additionalProperties !== undefined) seen.add(schema.additionalProperties);
    if (schema.items !== undefined) seen.add(schema.items);
  }
  return false;
}
