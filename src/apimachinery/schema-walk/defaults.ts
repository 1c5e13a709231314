import { cloneJson, type JsonObject, type JsonValue } from '../json.ts';
import type { Schema } from '../schema.ts';
import { type CompiledSchema, compiled } from './compiled-schema.ts';

/**
 * Fills in the schema's defaults, in place (KUBERNETES.md R3). A null where null is not allowed counts as absent: it is
 * replaced by the default, or taken out where there is none. Defaults inside objects that are absent are not applied.
 */
export function applyDefaults(schema: Schema, value: JsonValue): void {
  if (typeof value === 'object' && value !== null) applyNode(compiled(schema), value, false);
}

/**
 * Like `applyDefaults`, but a null for which there is no default stays where it is going to be refused (apiextensions
 * `structuraldefaulting.Default`): others are gone once they are read from the store again.
 */
export function fillDefaults(schema: Schema, value: JsonValue): void {
  if (typeof value === 'object' && value !== null) applyNode(compiled(schema), value, true);
}

function applyNode(node: CompiledSchema, value: JsonObject | JsonValue[], keepsNulls: boolean): void {
  node.open();
  if (Array.isArray(value)) {
    if (node.items !== undefined) applyItems(node.items, value, keepsNulls);
  } else {
    applyObject(node, value, keepsNulls);
  }
}

function applyItems(items: CompiledSchema, list: JsonValue[], keepsNulls: boolean): void {
  for (let index = 0; index < list.length; index++) {
    let item = list[index] as JsonValue;
    if (item === null && !items.nullable && items.hasDefault) {
      item = cloneJson(items.default as JsonValue);
      list[index] = item;
    }
    if (typeof item === 'object' && item !== null) applyNode(items, item, keepsNulls);
  }
}

function applyObject(node: CompiledSchema, object: JsonObject, keepsNulls: boolean): void {
  const { properties, additional } = node;
  if (properties === undefined && additional === undefined) return;
  for (const key in object) {
    const value = object[key];
    if (typeof value !== 'object') continue;
    const child = properties?.get(key) ?? additional;
    if (child === undefined) continue;
    if (value !== null) {
      applyNode(child, value, keepsNulls);
    } else if (!child.nullable) {
      if (child.hasDefault) fill(child, object, key, child.default as JsonValue);
      else if (!keepsNulls || isPassedOver(node, child, key)) delete object[key];
    }
  }
  if (node.defaulted === undefined) return;
  for (const [key, value] of node.defaulted) {
    if (object[key] === undefined || !Object.hasOwn(object, key))
      fill((properties as Map<string, CompiledSchema>).get(key), object, key, value);
  }
}

/** Whether nobody refuses a null: nothing is said of the value, nor whether it must be there, nor of what is there with it. */
function isPassedOver(node: CompiledSchema, child: CompiledSchema, key: string): boolean {
  const isOpen = child.type === undefined && !child.intOrString && child.validation === undefined;
  return isOpen && node.validation === undefined && node.required?.includes(key) !== true;
}

/** A default that is an object may itself lack fields that have defaults. */
function fill(child: CompiledSchema | undefined, object: JsonObject, key: string, value: JsonValue): void {
  const copy = cloneJson(value);
  object[key] = copy;
  if (child !== undefined && typeof copy === 'object' && copy !== null) applyNode(child, copy, false);
}
