import { readFileSync } from 'node:fs';
import { cloneJson, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';

/**
 * Lines of a file beside this one. What Kubernetes 1.36 answers stands in them: its own registry strategies, decoding
 * and conversions were run over the same objects.
 */
export function vectors<Row>(file: string): Row[] {
  const text = readFileSync(new URL(file, import.meta.url), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row);
}

let bases: ReadonlyMap<string, JsonObject> | undefined;

/** A base object with fields set by dotted path; `{"$delete": true}` removes one. */
export function variant(base: string, set: JsonObject): JsonObject {
  bases ??= new Map(
    vectors<{ base: string; object: JsonObject }>('bases.jsonl').map((row) => [row.base, row.object]),
  );
  const found = bases.get(base);
  if (found === undefined) throw new Error(`no base object ${base}`);
  const object = cloneJson(found);
  for (const path in set) setAt(object, path.split('.'), set[path]);
  return object;
}

function setAt(object: JsonObject, path: readonly string[], value: JsonValue | undefined): void {
  let at: { [key: string]: JsonValue | undefined } = object;
  for (const key of path.slice(0, -1)) {
    at[key] ??= {};
    at = at[key] as JsonObject;
  }
  const last = path.at(-1)!;
  if (isJsonObject(value) && value['$delete'] === true) delete at[last];
  else at[last] = value === undefined ? undefined : cloneJson(value);
}
