import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { Schema } from '#apimachinery/schema.ts';

/**
 * Removes nulls as Go's decoder does for built-in kinds, where null and absent are one: `creationTimestamp: null` is in
 * half the manifests of the world. Follows the schema, so that free-form values (RawExtension, JSON) keep theirs. In
 * place.
 */
export function dropNulls(schema: Schema | undefined, value: JsonValue | undefined): void {
  if (schema === undefined || typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    if (schema.items === undefined) return;
    for (const item of value) if (typeof item === 'object') dropNulls(schema.items, item);
    return;
  }
  if (schema.properties !== undefined) dropFromProperties(schema.properties, value);
  else if (schema.additionalProperties !== undefined) {
    for (const key in value) {
      // A null in a map of texts is the empty text.
      if (value[key] === null && schema.additionalProperties.type === 'string') value[key] = '';
      else if (typeof value[key] === 'object') dropNulls(schema.additionalProperties, value[key]);
    }
  }
}

function dropFromProperties(properties: ReadonlyMap<string, Schema>, value: JsonObject): void {
  for (const key in value) {
    const item = value[key];
    if (typeof item !== 'object') continue;
    const property = properties.get(key);
    if (item === null) {
      // What nobody knows is left for those who tell of it.
      if (property !== undefined) delete value[key];
    } else if (property !== undefined) dropNulls(property, item);
  }
}
