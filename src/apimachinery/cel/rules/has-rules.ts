import type { Schema } from '../../schema.ts';

const known = new WeakMap<Schema, boolean>();

/**
 * Whether a schema or anything below it carries CEL rules; looked up once for each Schema, so that writes of objects
 * without rules pay for one look into a map.
 */
export function hasRules(schema: Schema): boolean {
  const before = known.get(schema);
  if (before !== undefined) return before;
  // Recursive types carry no rules of their own accord: while a node is looked at, it counts as having none.
  known.set(schema, false);
  const has = find(schema);
  known.set(schema, has);
  return has;
}

function find(schema: Schema): boolean {
  if (schema.celRules !== undefined && schema.celRules.length > 0) return true;
  if (schema.items !== undefined && hasRules(schema.items)) return true;
  if (schema.additionalProperties !== undefined && hasRules(schema.additionalProperties)) return true;
  for (const property of schema.properties?.values() ?? []) if (hasRules(property)) return true;
  return schema.validation?.allOf?.some(hasRules) === true;
}
