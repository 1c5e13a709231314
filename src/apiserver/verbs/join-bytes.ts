import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { Schema } from '#apimachinery/schema.ts';

/**
 * Takes the line breaks out of base64 that a schema of a built-in kind describes, in place: Go's decoder passes over
 * them (`data: {key: |` in a Secret's YAML), and what is stored has none.
 */
export function joinBytes(schema: Schema, value: JsonValue): void {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return;
    value.forEach((item, index) => {
      if (typeof item === 'string') value[index] = joined(items, item);
      else joinBytes(items, item);
    });
    return;
  }
  if (!isJsonObject(value)) return;
  for (const key in value) {
    const next = schema.properties?.get(key) ?? schema.additionalProperties;
    const member = value[key];
    if (next === undefined || member === undefined) continue;
    if (typeof member === 'string') value[key] = joined(next, member);
    else joinBytes(next, member);
  }
}

function joined({ validation }: Schema, text: string): string {
  return validation?.format === 'byte' ? text.replace(/[\r\n]/g, '') : text;
}
