import { cloneJson, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { parseJsonPointer } from '#apimachinery/json-pointer.ts';

export function readPointer(root: JsonValue, pointer: string): JsonValue | undefined {
  const tokens = parseJsonPointer(pointer);
  if (tokens === undefined) return undefined;
  let value: JsonValue | undefined = root;
  for (const token of tokens) value = member(value, token);
  return value;
}

function member(value: JsonValue | undefined, token: string): JsonValue | undefined {
  if (Array.isArray(value)) return /^(0|[1-9][0-9]*)$/.test(token) ? value[Number(token)] : undefined;
  return isJsonObject(value) && Object.hasOwn(value, token) ? value[token] : undefined;
}

/**
 * One operation of a JSON patch (RFC 6902), in place. Returns what is wrong, or undefined when it was done. The value is
 * copied, so that objects patched with it share nothing.
 */
export function patchAt(
  root: JsonObject,
  pointer: string,
  operator: 'add' | 'remove' | 'replace',
  value: JsonValue | undefined,
): string | undefined {
  const tokens = parseJsonPointer(pointer);
  const last = tokens?.pop();
  if (tokens === undefined || last === undefined) return `${pointer} is no JSON pointer`;
  let parent: JsonValue | undefined = root;
  for (const token of tokens) parent = member(parent, token);
  if (Array.isArray(parent)) return patchList(parent, last, operator, value, pointer);
  if (!isJsonObject(parent) || last === '__proto__') return `${pointer}: nothing is there`;
  if (operator !== 'add' && !Object.hasOwn(parent, last)) return `${pointer}: nothing is there`;
  if (operator === 'remove') delete parent[last];
  else parent[last] = cloneJson(value);
  return undefined;
}

function patchList(
  list: JsonValue[],
  token: string,
  operator: 'add' | 'remove' | 'replace',
  value: JsonValue | undefined,
  pointer: string,
): string | undefined {
  const index = token === '-' && operator === 'add' ? list.length : Number(token);
  const indexMax = operator === 'add' ? list.length : list.length - 1;
  if ((token !== '-' && !/^(0|[1-9][0-9]*)$/.test(token)) || index > indexMax || Number.isNaN(index)) {
    return `${pointer}: no such item`;
  }
  if (operator === 'add') list.splice(index, 0, cloneJson(value ?? null));
  else if (operator === 'remove') list.splice(index, 1);
  else list[index] = cloneJson(value ?? null);
  return undefined;
}
