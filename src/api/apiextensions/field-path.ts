import type { JsonObject } from '#apimachinery/json.ts';
import { propertiesAt, schemaAt } from './schema-nodes.ts';

export type FieldPath =
  | { readonly names: readonly string[]; readonly schema: JsonObject }
  | { readonly error: string };

/**
 * The field of a structural schema that a path such as `.spec.a` or `.m['a.b']` names (apiextensions cel ValidFieldPath);
 * or why there is none, in Kubernetes' words.
 */
export function fieldAtPath(schema: JsonObject, path: string, takesBrackets: boolean): FieldPath {
  const tokens = tokensOf(path);
  const names: string[] = [];
  let at = schema;
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as string;
    let name: string | undefined;
    if (token === '[') {
      if (!takesBrackets) return { error: 'array notation is not allowed' };
      const quoted = tokens[++i];
      if (quoted === undefined) return { error: 'unexpected end of JSON path' };
      if (quoted.length < 2 || !quoted.startsWith("'") || !quoted.endsWith("'")) {
        return { error: `expected single quoted string but got ${quoted}` };
      }
      name = quoted.slice(1, -1).replace(/\\(.)/g, '$1');
    } else if (token === '.') {
      name = tokens[++i];
      if (name === undefined) return { error: 'unexpected end of JSON path' };
    } else {
      return { error: `expected [ or . but got: ${token}` };
    }
    const below = memberAt(at, name);
    if (below === undefined) return { error: 'does not refer to a valid field' };
    at = below;
    names.push(name);
    if (token !== '[') continue;
    const end = tokens[++i];
    if (end === undefined) return { error: 'unexpected end of JSON path' };
    if (end !== ']') return { error: `expected ] but got ${end}` };
  }
  return { names, schema: at };
}

/** Delimiters alone, and what stands between them; a quoted text is one token whatever it holds. */
function tokensOf(path: string): string[] {
  return path.match(/[.[\]]|'(?:[^'\\]|\\.)*'|[^.[\]]+/gs) ?? [];
}

function memberAt(schema: JsonObject, name: string): JsonObject | undefined {
  const properties = schemaAt(schema['properties']);
  if (properties === undefined) return schemaAt(schema['additionalProperties']);
  return propertiesAt(schema).find(([property]) => property === name)?.[1];
}
