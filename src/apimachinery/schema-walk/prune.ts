import type { JsonObject, JsonValue } from '../json.ts';
import type { Schema } from '../schema.ts';
import { type CompiledSchema, compiled } from './compiled-schema.ts';

/** More unknown fields than these are taken out as well, but no longer told. */
const reportedMax = 100;

type Path = string[];

/**
 * Takes out the fields that the schema does not know, in place, and returns their dotted paths
 * (`spec.containers[0].colour`), at most 100 of them (KUBERNETES.md R3, C9). Where unknown fields are preserved, known
 * ones are still followed; `apiVersion`, `kind` and `metadata` of embedded resources stay as they are.
 */
export function pruneUnknown(schema: Schema, value: JsonValue): string[] {
  const removed: string[] = [];
  if (typeof value === 'object' && value !== null) pruneNode(compiled(schema), value, [], 0, removed);
  return removed;
}

const isMetaField = (key: string) => key === 'metadata' || key === 'kind' || key === 'apiVersion';

/**
 * `path` is scratch space shared by the whole walk: only its first `depth` parts are meant. `removed` is undefined where
 * nobody is told.
 */
function pruneNode(
  node: CompiledSchema,
  value: JsonObject | JsonValue[],
  path: Path,
  depth: number,
  removed: string[] | undefined,
): void {
  node.open();
  const told = node.isUnion ? undefined : removed;
  if (Array.isArray(value)) {
    const items = node.isUnion ? node : node.items;
    if (items === undefined) {
      if (!node.keepsUnknown) emptyItems(value, path, depth, told);
      return;
    }
    for (let index = 0; index < value.length; index++) {
      const item = value[index];
      if (typeof item !== 'object' || item === null) continue;
      path[depth] = `[${index}]`;
      pruneNode(items, item, path, depth + 1, told);
    }
    return;
  }
  const { properties, additional, keepsUnknown } = node;
  if (properties === undefined && additional === undefined && keepsUnknown) return;
  for (const key in value) {
    const child = properties?.get(key) ?? additional;
    if (child === undefined) {
      if (keepsUnknown || (node.embeddedResource && isMetaField(key))) continue;
      delete value[key];
      report(path, depth, key, told);
      continue;
    }
    const item = value[key];
    if (typeof item !== 'object' || item === null || (node.embeddedResource && isMetaField(key))) continue;
    path[depth] = key;
    pruneNode(child, item, path, depth + 1, told);
  }
}

/** A list where the schema describes none: what its objects hold is unknown. */
function emptyItems(list: JsonValue[], path: Path, depth: number, removed: string[] | undefined): void {
  list.forEach((item, index) => {
    if (typeof item !== 'object' || item === null) return;
    path[depth] = `[${index}]`;
    if (Array.isArray(item)) {
      emptyItems(item, path, depth + 1, removed);
      return;
    }
    for (const key in item) {
      delete item[key];
      report(path, depth + 1, key, removed);
    }
  });
}

function report(path: Path, depth: number, key: string, removed: string[] | undefined): void {
  if (removed === undefined || removed.length >= reportedMax) return;
  let text = '';
  for (let i = 0; i < depth; i++) {
    const part = path[i] as string;
    text += part.startsWith('[') || text === '' ? part : `.${part}`;
  }
  removed.push(text === '' ? key : `${text}.${key}`);
}
