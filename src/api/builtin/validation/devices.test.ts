import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloneJson, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { builtinDefinitions } from '../definitions.ts';
import { vectors } from '../testing/vectors.ts';

interface Row {
  /** A base object of its own, or the base that is changed by `set`. */
  readonly name?: string;
  readonly object?: JsonObject;
  readonly base: string;
  readonly set: JsonObject;
  /** What is replaced: a base, and what is changed in it. */
  readonly old?: string;
  readonly oldSet?: JsonObject;
  readonly status?: true;
  readonly errors: readonly string[];
}

const rows = vectors<Row>('device-rules.jsonl');
const bases = new Map(
  rows.flatMap(({ name, object }) => (name === undefined ? [] : [[name, object] as const])),
);

/** `{$text: [n, c]}`, `{$list: [n, item]}` with # for the index, `{$map: [n, value]}` of keys a0, a1…, `{$delete: true}`. */
function unpacked(value: JsonValue): JsonValue | undefined {
  if (Array.isArray(value)) return value.map((one) => unpacked(one) ?? null);
  if (!isJsonObject(value)) return value;
  const [key] = Object.keys(value);
  const [count, item] = (Array.isArray(value[key ?? '']) ? value[key ?? ''] : []) as [number, JsonValue];
  const each = (index: number) =>
    JSON.parse(JSON.stringify(item).replaceAll('#', String(index))) as JsonValue;
  const indices = () => Array.from({ length: count }, (_, index) => index);
  if (key === '$delete') return undefined;
  if (key === '$text') return String(item).repeat(count);
  if (key === '$list') return indices().map(each);
  if (key === '$map') return Object.fromEntries(indices().map((index) => [`a${index}`, each(index)]));
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, unpacked(one ?? null)]));
}

function objectOf(base: string, set: JsonObject = {}): KubeObject {
  const object = cloneJson(bases.get(base)) as KubeObject;
  for (const path in set) {
    const names = path.split('/');
    let at = object as JsonObject;
    for (const name of names.slice(0, -1)) {
      at[name] ??= {};
      at = at[name] as JsonObject;
    }
    const value = unpacked(set[path] ?? null);
    if (value === undefined) delete at[names.at(-1) ?? ''];
    else at[names.at(-1) ?? ''] = value;
  }
  return object;
}

/** Go prints structs and lists in its own form, and cel-go's messages are its own. */
function comparable(errors: readonly string[]): string[] {
  const plain = errors.map((one) =>
    one
      .replace(/Invalid value: (?:~|\{.*\}|\[.*\]|null|"d\.e\/.*?"): /s, 'Invalid value: ~: ')
      .replace(/Duplicate value: (?:\{.*\}|"d\.e\/.*")$/, 'Duplicate value: ~')
      .replace(/(compilation failed: ).*/s, '$1~')
      .replace(/(x|A)\1{60,}/g, (text, letter: string) => `{${text.length}${letter}}`),
  );
  return [...new Set(plain)].sort();
}

test('resource.k8s.io: what Kubernetes 1.36 refuses is refused with its reasons, and nothing else is (C11)', () => {
  let count = 0;
  for (const { name, base, set, old, oldSet, status, errors } of rows) {
    if (name !== undefined) continue;
    count++;
    const object = objectOf(base, set);
    const before = old === undefined ? undefined : objectOf(old, oldSet);
    const { strategy } = builtinDefinitions().find(
      ({ group, kind }) => group === 'resource.k8s.io' && kind === object.kind,
    )!;
    const version = object.apiVersion.split('/')[1] ?? '';
    for (const one of before === undefined ? [object] : [object, before]) strategy.defaults?.(one, version);
    const found =
      before === undefined
        ? strategy.validate?.(object)
        : strategy.validateUpdate?.(object, before, status ? 'status' : '');
    const where = `${old === undefined ? 'create' : 'update'} ${base} ${JSON.stringify(set)}`;
    assert.deepEqual(
      comparable((found ?? []).map(({ field, message }) => `${field}: ${message}`)),
      comparable(errors),
      where,
    );
  }
  assert.ok(count > 280, String(count));
});
