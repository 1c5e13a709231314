import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { quantityDefinition } from '#apimachinery/quantity.ts';
import type { Schema } from '#apimachinery/schema.ts';

/**
 * Removes nulls as Go's decoder does for built-in kinds, where null and absent are one: `creationTimestamp: null` is in half
 * the manifests of the world. In lists and maps they are the zero value of what these hold. Follows the schema, so that
 * free-form values (RawExtension, JSON) keep theirs. In place.
 */
export function dropNulls(schema: Schema | undefined, value: JsonValue | undefined): void {
  if (schema === undefined || typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    if (schema.items === undefined) return;
    for (let at = 0; at < value.length; at++) {
      const item = value[at];
      if (item === null) value[at] = zeroOf(schema.items);
      else if (typeof item === 'object') dropNulls(schema.items, item);
    }
    return;
  }
  if (schema.properties !== undefined) dropFromProperties(schema.properties, value);
  else if (schema.additionalProperties !== undefined) {
    for (const key in value) {
      if (value[key] === null && isTime(schema.additionalProperties)) delete value[key];
      else if (value[key] === null) value[key] = zeroOf(schema.additionalProperties);
      else if (typeof value[key] === 'object') dropNulls(schema.additionalProperties, value[key]);
    }
  }
}

/** Null where the zero value has no other form: free-form values, and times, which are told of as wrong. */
function zeroOf(schema: Schema): JsonValue {
  const { type, definition, intOrString, items } = schema;
  if (definition === quantityDefinition) return '0';
  if (intOrString === true) return 0;
  if (isTime(schema)) return null;
  switch (type) {
    case 'string':
      return '';
    case 'integer':
    case 'number':
      return 0;
    case 'boolean':
      return false;
    case 'array':
      return items === undefined ? null : [];
    case 'object':
      return {};
    default:
      return null;
  }
}

function isTime({ validation }: Schema): boolean {
  return validation?.format === 'date-time';
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
