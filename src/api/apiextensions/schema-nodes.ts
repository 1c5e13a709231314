import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';

/** Whether a member of a schema says anything: Go's zero values do not. */
export function isPresent(value: JsonValue | undefined): boolean {
  if (value === undefined || value === null || value === false || value === '') return false;
  return !Array.isArray(value) || value.length > 0;
}

export function schemaAt(value: JsonValue | undefined): JsonObject | undefined {
  return isJsonObject(value) ? value : undefined;
}

export function propertiesAt(schema: JsonObject): [string, JsonObject][] {
  return Object.entries(schemaAt(schema['properties']) ?? {}).map(([name, child]) => [
    name,
    schemaAt(child) ?? {},
  ]);
}

/** Properties, values and items of a schema, each with its path. */
export function childrenOf(schema: JsonObject, path: string): [JsonObject, string][] {
  const children = propertiesAt(schema).map(([name, child]): [JsonObject, string] => [
    child,
    `${path}.properties[${name}]`,
  ]);
  const additional = schemaAt(schema['additionalProperties']);
  if (additional !== undefined) children.push([additional, `${path}.additionalProperties`]);
  const items = schemaAt(schema['items']);
  if (items !== undefined) children.push([items, `${path}.items`]);
  return children;
}
