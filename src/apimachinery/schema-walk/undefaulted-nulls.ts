import type { JsonValue } from '../json.ts';
import type { Schema } from '../schema.ts';
import { type CompiledSchema, compiled } from './compiled-schema.ts';

/**
 * Takes out, in place, each null that the schema neither allows nor has a default for; others are left to `applyDefaults`
 * (apiextensions-apiserver `PruneNonNullableNullsWithoutDefaults`).
 */
export function dropUndefaultedNulls(schema: Schema, value: JsonValue): void {
  dropFrom(compiled(schema), value);
}

function dropFrom(node: CompiledSchema, value: JsonValue): void {
  if (typeof value !== 'object' || value === null) return;
  node.open();
  if (Array.isArray(value)) {
    if (node.items !== undefined) for (const item of value) dropFrom(node.items, item);
    return;
  }
  const { properties, additional } = node;
  if (properties === undefined && additional === undefined) return;
  for (const key in value) {
    const item = value[key];
    if (typeof item !== 'object') continue;
    const child = properties?.get(key) ?? additional;
    if (child === undefined) continue;
    if (item !== null) dropFrom(child, item);
    else if (!child.nullable && !child.hasDefault) delete value[key];
  }
}
