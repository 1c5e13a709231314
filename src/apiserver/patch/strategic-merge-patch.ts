import { badRequest } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonObject, type JsonValue, jsonText } from '#apimachinery/json.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { refuseUnsafeKey, unprocessablePatch } from './patch-error.ts';
import { normalizeOrder, scalarKey } from './strategic-order.ts';

const marker = '$patch';
const retainKeys = '$retainKeys';
const deletePrefix = '$deleteFromPrimitiveList/';
const orderPrefix = '$setElementOrder/';

/**
 * Applies a strategic merge patch (KUBERNETES.md P2) and returns the result. Lists whose schema says
 * `patchStrategy: merge` are merged, by `patchMergeKey` when they hold objects; all others are replaced. Neither
 * argument is changed; unchanged subtrees of `document` and values of `patch` are shared with the result.
 *
 * Throws 400 for directives in a wrong form, 422 for what no list can hold (lists of lists), as the Kubernetes API
 * server answers; its unclassified errors (500 there) are 400 here.
 */
export function applyStrategicMergePatch(
  schema: Schema | undefined,
  document: JsonObject,
  patch: JsonObject,
): JsonObject {
  return mergeMap(schema, document, patch);
}

function mergeMap(
  schema: Schema | undefined,
  original: JsonObject | undefined,
  patch: JsonObject,
): JsonObject {
  const directive = patch[marker];
  if (directive !== undefined) return replaceOrDelete(directive, patch);
  const result: JsonObject = { ...retained(original, patch) };
  const done = mergeOrderedLists(schema, result, patch);
  for (const patchKey in patch) {
    const change = patch[patchKey];
    if (change === undefined || patchKey === retainKeys || patchKey.startsWith(orderPrefix)) continue;
    if (done?.has(patchKey)) continue;
    refuseUnsafeKey(patchKey);
    if (patchKey.startsWith(deletePrefix)) {
      deleteFromList(result, patchKey.slice(deletePrefix.length), change);
    } else {
      mergeMember(fieldOf(schema, patchKey), result, patchKey, change);
    }
  }
  return result;
}

function mergeMember(field: Schema | undefined, result: JsonObject, key: string, change: JsonValue): void {
  if (change === null) {
    delete result[key];
    return;
  }
  const before = Object.hasOwn(result, key) ? result[key] : undefined;
  if (isJsonObject(change) && isJsonObject(before)) {
    result[key] =
      strategyOf(field) === 'replace' ? withoutDirectives(change) : mergeMap(field, before, change);
  } else if (Array.isArray(change) && Array.isArray(before)) {
    result[key] = mergeSlice(field, before, change);
  } else {
    const added = withoutDirectives(change);
    if (added !== undefined) result[key] = added;
  }
}

/** `$patch: replace` takes the patch's map as it is, `$patch: delete` empties the map. */
function replaceOrDelete(directive: JsonValue, patch: JsonObject): JsonObject {
  if (directive === 'delete') return {};
  if (directive === 'replace') {
    const { [marker]: _, ...rest } = patch;
    return withoutDirectives(rest) as JsonObject;
  }
  throw badRequest(`unknown patch type: ${jsonText(directive)} in map: ${JSON.stringify(patch)}`);
}

/** `$retainKeys: [a, b]` drops all other keys of the map; the patch may then set none but these. */
function retained(original: JsonObject | undefined, patch: JsonObject): JsonObject | undefined {
  const list = patch[retainKeys];
  if (list === undefined) return original;
  if (!Array.isArray(list)) throw badRequest('invalid patch format of retainKeys');
  const keep = new Set(list);
  for (const key in patch) {
    if (patch[key] === null || patch[key] === undefined || key.startsWith('$')) continue;
    if (!keep.has(key)) throw badRequest('invalid patch format of retainKeys');
  }
  const result: JsonObject = {};
  for (const key in original) if (keep.has(key)) result[key] = original[key];
  return result;
}

/** Handles each `$setElementOrder/x` together with `x` itself. Returns the patch keys that are done with. */
function mergeOrderedLists(
  schema: Schema | undefined,
  result: JsonObject,
  patch: JsonObject,
): Set<string> | undefined {
  let done: Set<string> | undefined;
  for (const orderKey in patch) {
    if (!orderKey.startsWith(orderPrefix)) continue;
    const key = orderKey.slice(orderPrefix.length);
    refuseUnsafeKey(key);
    const order = patch[orderKey];
    if (!Array.isArray(order)) throw badRequest('invalid patch format of setElementOrder list');
    const before = Object.hasOwn(result, key) ? (result[key] ?? undefined) : undefined;
    const change = patch[key];
    if (before !== undefined && !Array.isArray(before)) throw badRequest(`expected a list in ${key}`);
    if (change === null) continue;
    if (change !== undefined && !Array.isArray(change)) throw badRequest(`expected a list in ${key}`);
    done ??= new Set();
    done.add(key);
    if (before === undefined && change === undefined) continue;
    const field = fieldOf(schema, key);
    const mergeKey = field?.patchMergeKey;
    if (change !== undefined) refuseOtherOrder(change, order, mergeKey);
    const merged =
      change === undefined
        ? (before as JsonValue[])
        : before === undefined
          ? (withoutDirectives(change) as JsonValue[])
          : mergeSlice(field, before, change);
    result[key] = normalizeOrder(merged, order, before ?? [], mergeKey);
  }
  return done;
}

/** The items of the patch must stand in the order list, in the same relative order; deletions are exempt. */
function refuseOtherOrder(
  patch: readonly JsonValue[],
  order: readonly JsonValue[],
  mergeKey: string | undefined,
): void {
  if (order.length === 0 || patch.length === 0) return;
  let at = 0;
  for (const item of patch) {
    if (isJsonObject(item) && item[marker] !== undefined) continue;
    const wanted = scalarKey(item, mergeKey);
    while (at < order.length && scalarKey(order[at] as JsonValue, mergeKey) !== wanted) at++;
    if (at === order.length) {
      throw badRequest(
        `The order in patch list:\n${JSON.stringify(patch)}\n doesn't match $setElementOrder list:\n${JSON.stringify(order)}\n`,
      );
    }
    at++;
  }
}

function deleteFromList(result: JsonObject, key: string, values: JsonValue): void {
  refuseUnsafeKey(key);
  if (key === '') throw badRequest('invalid patch format of primitive list');
  if (values === null) return;
  if (!Array.isArray(values)) throw badRequest('invalid patch format of primitive list');
  const before = Object.hasOwn(result, key) ? result[key] : undefined;
  if (!Array.isArray(before)) return;
  const gone = new Set(values);
  result[key] = before.filter((item) => !gone.has(item));
}

function mergeSlice(field: Schema | undefined, original: JsonValue[], patch: JsonValue[]): JsonValue[] {
  if (strategyOf(field) !== 'merge') return withoutDirectives(patch) as JsonValue[];
  if (patch.length === 0) return original;
  const holds = elementKind(original, patch);
  if (holds === 'scalar')
    return normalizeOrder([...new Set([...original, ...patch])], patch, original, undefined);
  const mergeKey = field?.patchMergeKey;
  if (mergeKey === undefined || mergeKey === '') {
    throw badRequest('cannot merge lists without merge key');
  }
  return mergeSliceOfMaps(field, mergeKey, original as JsonObject[], patch as JsonObject[]);
}

function mergeSliceOfMaps(
  field: Schema | undefined,
  mergeKey: string,
  original: JsonObject[],
  patch: JsonObject[],
): JsonValue[] {
  const { kept, rest } = applyElementDirectives(mergeKey, original, patch);
  const merged = kept.slice();
  const positions = new Map<JsonValue, number>();
  for (let i = merged.length - 1; i >= 0; i--) {
    const value = (merged[i] as JsonObject)[mergeKey];
    if (value !== undefined) positions.set(value, i);
  }
  for (const item of rest) {
    const value = mergeValueOf(item, mergeKey);
    const at = positions.get(value);
    if (at !== undefined) {
      merged[at] = mergeMap(field?.items, merged[at], item);
      continue;
    }
    positions.set(value, merged.length);
    merged.push(withoutDirectives(item) as JsonObject);
  }
  return normalizeOrder(merged, rest, kept, mergeKey);
}

/** `{$patch: delete, <key>: x}` removes matching elements; a `{$patch: replace}` element empties the list first. */
function applyElementDirectives(
  mergeKey: string,
  original: JsonObject[],
  patch: JsonObject[],
): { kept: JsonObject[]; rest: JsonObject[] } {
  const rest: JsonObject[] = [];
  const gone = new Set<JsonValue>();
  let replace = false;
  for (const item of patch) {
    const directive = item[marker];
    if (directive === undefined) rest.push(item);
    else if (directive === 'delete') gone.add(mergeValueOf(item, mergeKey));
    else if (directive === 'replace') replace = true;
    else if (directive === 'merge') throw badRequest('merging lists cannot yet be specified in the patch');
    else throw badRequest(`unknown patch type: ${jsonText(directive)} in map: ${JSON.stringify(item)}`);
  }
  if (replace) return { kept: [], rest };
  if (gone.size === 0) return { kept: original, rest };
  return { kept: original.filter((item) => !gone.has(item[mergeKey] as JsonValue)), rest };
}

function mergeValueOf(item: JsonObject, mergeKey: string): JsonValue {
  const value = Object.hasOwn(item, mergeKey) ? item[mergeKey] : undefined;
  if (value !== undefined) return value;
  throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`);
}

function elementKind(original: readonly JsonValue[], patch: readonly JsonValue[]): 'map' | 'scalar' {
  let kind: 'map' | 'scalar' | undefined;
  for (const list of [original, patch]) {
    for (const item of list) {
      if (Array.isArray(item)) throw unprocessablePatch('lists of lists are not supported');
      const one = isJsonObject(item) ? 'map' : 'scalar';
      kind ??= one;
      if (kind !== one) throw badRequest('list element types are not identical');
    }
  }
  return kind ?? 'scalar';
}

/**
 * A value that is new to the document: nulls say "absent" and directives have nothing to act on. Undefined when the
 * value itself was a deletion.
 */
function withoutDirectives(value: JsonValue): JsonValue | undefined {
  if (Array.isArray(value)) {
    const copy: JsonValue[] = [];
    for (const item of value) {
      const kept = withoutDirectives(item);
      if (kept !== undefined) copy.push(kept);
    }
    return copy;
  }
  if (!isJsonObject(value)) return value;
  if (value[marker] === 'replace') return replaceOrDelete('replace', value);
  if (value[marker] !== undefined) return undefined;
  const copy: JsonObject = {};
  for (const key in value) {
    const child = value[key];
    if (child === null || child === undefined || isDirectiveKey(key)) continue;
    refuseUnsafeKey(key);
    const kept = withoutDirectives(child);
    if (kept !== undefined) copy[key] = kept;
  }
  return copy;
}

function isDirectiveKey(key: string): boolean {
  return key === retainKeys || key.startsWith(orderPrefix) || key.startsWith(deletePrefix);
}

function fieldOf(schema: Schema | undefined, key: string): Schema | undefined {
  return schema?.properties?.get(key) ?? schema?.additionalProperties;
}

/** `patchStrategy` without `retainKeys`, which only tells clients to send the directive. */
function strategyOf(field: Schema | undefined): 'merge' | 'replace' | undefined {
  const text = field?.patchStrategy;
  if (text === undefined) return undefined;
  if (text === 'merge' || text === 'replace') return text;
  for (const one of text.split(',')) if (one === 'merge' || one === 'replace') return one;
  return undefined;
}
