import { stringify } from 'yaml';
import type { FieldOverrider, FieldPatch } from '#api/policy/placement.ts';
import { decodeYaml } from '#apimachinery/decode-yaml.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { patchAt, readPointer } from './json-pointer.ts';

const textLengthMax = 1024 * 1024;

/**
 * Changes JSON or YAML that stands as text in the object, in place (PLACEMENT.md 1, Overrides). Returns what is wrong, one line
 * each; a text that cannot be read stays as it is.
 */
export function overrideText(object: JsonObject, { fieldPath, json, yaml }: FieldOverrider): string[] {
  const errors: string[] = [];
  if (json !== undefined) errors.push(...change(object, fieldPath, json, JSON.parse, JSON.stringify));
  if (yaml !== undefined) {
    const read = (text: string): unknown => decodeYaml(Buffer.from(text, 'utf8')).value;
    errors.push(...change(object, fieldPath, yaml, read, stringify));
  }
  return errors;
}

function change(
  object: JsonObject,
  fieldPath: string,
  patches: readonly FieldPatch[],
  read: (text: string) => unknown,
  write: (value: JsonValue) => string,
): string[] {
  const text = readPointer(object, fieldPath);
  if (typeof text !== 'string') return [`${fieldPath}: no text is there`];
  if (text.length > textLengthMax) return [`${fieldPath}: longer than ${textLengthMax} characters`];
  let value: JsonValue;
  try {
    value = read(text) as JsonValue;
  } catch (error) {
    return [`${fieldPath}: ${error instanceof Error ? error.message.split('\n', 1)[0] : String(error)}`];
  }
  if (!isJsonObject(value)) return [`${fieldPath}: no object is written there`];
  const errors: string[] = [];
  for (const { subPath, operator, value: wanted } of patches) {
    const error = patchAt(value, subPath, operator, wanted);
    if (error !== undefined) errors.push(`${fieldPath}: ${error}`);
  }
  patchAt(object, fieldPath, 'replace', write(value));
  return errors;
}
