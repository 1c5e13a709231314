import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';

/** One step of a field path: a key, all items of a list (`[]`), or all values of a map (`{}`). */
type Step = { readonly key: string } | 'items' | 'values';

export type FieldPath = readonly Step[];

const parsed = new Map<string, FieldPath>();

/**
 * Parses `spec.rules[].backendRefs[].namespace`, with `{}` for all values of a map and `['a.b/c']` for a key that holds
 * dots. Throws RangeError: paths stand in tables of this program.
 */
export function parseFieldPath(text: string): FieldPath {
  let path = parsed.get(text);
  if (path === undefined) {
    path = parse(text);
    parsed.set(text, path);
  }
  return path;
}

function parse(text: string): FieldPath {
  const steps: Step[] = [];
  const token = /\.?(?:([^.[\]{}]+)|(\[\])|(\{\})|\['([^']+)'\])/y;
  while (token.lastIndex < text.length) {
    const at = token.lastIndex;
    const match = token.exec(text);
    if (match === null) throw new RangeError(`malformed field path at ${at}: ${text}`);
    const [, key, items, , quoted] = match;
    if (items !== undefined) steps.push('items');
    else if (key !== undefined || quoted !== undefined) steps.push({ key: (key ?? quoted) as string });
    else steps.push('values');
  }
  return steps;
}

/** Returns the new value; undefined removes the member. `parent` is the object or list that holds it. */
export type Rewrite = (value: JsonValue, parent: JsonObject | JsonValue[]) => JsonValue | undefined;

/** Calls `rewrite` for every value at the path, in place. What lies across the path in another shape is left alone. */
export function rewriteAt(
  root: JsonValue,
  path: FieldPath,
  rewrite: Rewrite,
  visited?: (parent: JsonObject, key: string) => void,
): void {
  descend(root, path, 0, rewrite, visited);
}

function descend(
  value: JsonValue,
  path: FieldPath,
  at: number,
  rewrite: Rewrite,
  visited: ((parent: JsonObject, key: string) => void) | undefined,
): void {
  const step = path[at];
  if (step === undefined) return;
  const last = at === path.length - 1;
  if (step === 'items') {
    if (!Array.isArray(value)) return;
    for (let i = 0; i < value.length; i++) {
      const item = value[i] as JsonValue;
      if (!last) descend(item, path, at + 1, rewrite, visited);
      else value[i] = rewrite(item, value) ?? item;
    }
    return;
  }
  if (!isJsonObject(value)) return;
  const keys = step === 'values' ? Object.keys(value) : [step.key];
  for (const key of keys) {
    const member = Object.hasOwn(value, key) ? value[key] : undefined;
    if (member === undefined || member === null) continue;
    if (!last) {
      descend(member, path, at + 1, rewrite, visited);
      continue;
    }
    visited?.(value, key);
    const next = rewrite(member, value);
    if (next === undefined) delete value[key];
    else value[key] = next;
  }
}

/** Calls `visit` for every value at the path and changes nothing. */
export function visitAt(
  value: JsonValue | undefined,
  path: FieldPath,
  visit: (value: JsonValue) => void,
  at = 0,
): void {
  if (value === undefined || value === null) return;
  const step = path[at];
  if (step === undefined) {
    visit(value);
  } else if (step === 'items') {
    if (Array.isArray(value)) for (const item of value) visitAt(item, path, visit, at + 1);
  } else if (isJsonObject(value)) {
    for (const key of step === 'values' ? Object.keys(value) : [step.key]) {
      if (Object.hasOwn(value, key)) visitAt(value[key], path, visit, at + 1);
    }
  }
}
