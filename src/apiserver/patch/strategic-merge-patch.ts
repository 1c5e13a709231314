import { type ApiError, badRequest } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { goString, goText, goTypeOf } from './go-text.ts';
import { refuseUnsafeKey, unprocessablePatch } from './patch-error.ts';
import { inOrder } from './strategic-order.ts';

const marker = '$patch';
const retainKeys = '$retainKeys';
const deleteWord = '$deleteFromPrimitiveList';
const orderWord = '$setElementOrder';

/**
 * Applies a strategic merge patch (KUBERNETES.md P2) and returns the result. Lists whose schema says
 * `patchStrategy: merge` are merged, by `patchMergeKey` when they hold objects; all others are replaced. Both arguments
 * are the caller's own: the result is made of both, and what is left of the patch is what messages show.
 *
 * Directives go where Kubernetes looks for them, and are ordinary members, unknown to the kind, wherever it does not: in
 * a list that is replaced, or in an element that is new to a merged list.
 *
 * Throws 400 for directives in a wrong form, 422 for what no list can hold (lists of lists), in the words of
 * `apimachinery/pkg/util/strategicpatch`; its unclassified errors (500 there) and panics (a lost connection) are 400 here.
 */
export function mergeStrategically(
  schema: Schema | undefined,
  original: JsonObject,
  patch: JsonObject,
): JsonObject {
  const directive = patch[marker];
  if (directive !== undefined) return replaceOrDelete(directive, patch);
  retain(original, patch);
  for (const key of Object.keys(patch))
    if (key.startsWith(orderWord)) mergeInOrder(schema, original, patch, key);
  for (const patchKey of Object.keys(patch)) {
    const change = patch[patchKey] as JsonValue;
    refuseUnsafeKey(patchKey);
    if (patchKey.startsWith(deleteWord)) {
      const key = named(patchKey, deleteWord, 'primitive list');
      mergeMember(schema, original, key === '' ? patchKey : key, change, true);
    } else mergeMember(schema, original, patchKey, change, false);
  }
  return original;
}

/** One member; `isDeletion`: what `$deleteFromPrimitiveList/<key>` names. */
function mergeMember(
  schema: Schema | undefined,
  original: JsonObject,
  key: string,
  change: JsonValue,
  isDeletion: boolean,
): void {
  refuseUnsafeKey(key);
  if (change === null) {
    delete original[key];
    return;
  }
  const before = Object.hasOwn(original, key) ? original[key] : undefined;
  if (before !== undefined && Array.isArray(before) && Array.isArray(change)) {
    const field = fieldOf(schema, key);
    const merges = isDeletion || strategyOf(field) === 'merge';
    original[key] = merges ? mergeLists(field, before, change, isDeletion) : change;
  } else if (before !== undefined && isJsonObject(before) && isJsonObject(change)) {
    const field = fieldOf(schema, key);
    original[key] = strategyOf(field) === 'replace' ? change : mergeStrategically(field, before, change);
  } else if (!isDeletion || (before !== undefined && goTypeOf(before) === goTypeOf(change))) {
    const added = withoutDirectives(withoutNulls(change));
    if (added === undefined) delete original[key];
    else original[key] = added;
  }
}

/** `$patch: replace` takes the patch's map as it is, `$patch: delete` empties the map. */
function replaceOrDelete(directive: JsonValue, patch: JsonObject): JsonObject {
  if (directive === 'delete') return {};
  if (directive !== 'replace') throw unknownDirective(directive, patch);
  delete patch[marker];
  for (const key in patch) refuseUnsafeKey(key);
  return patch;
}

function unknownDirective(directive: JsonValue, map: JsonObject): ApiError {
  return badRequest(`unknown patch type: ${goString(directive)} in map: ${goText(map)}`);
}

/** `$retainKeys: [a, b]` drops all other keys of the map; the patch may then set none but these. */
function retain(original: JsonObject, patch: JsonObject): void {
  const list = patch[retainKeys];
  if (list === undefined) return;
  delete patch[retainKeys];
  if (!Array.isArray(list)) throw badRequest('invalid patch format of retainKeys');
  const keep = new Set(list);
  for (const key in patch) {
    if (patch[key] === null || key.startsWith(deleteWord) || key.startsWith(orderWord)) continue;
    if (!keep.has(key)) throw badRequest('invalid patch format of retainKeys');
  }
  for (const key of Object.keys(original)) if (!keep.has(key)) delete original[key];
}

/** `$setElementOrder/x` together with `x` itself; both are gone from the patch afterwards. */
function mergeInOrder(
  schema: Schema | undefined,
  original: JsonObject,
  patch: JsonObject,
  orderKey: string,
): void {
  const order = patch[orderKey] as JsonValue;
  delete patch[orderKey];
  if (!Array.isArray(order)) throw expectedList(order);
  const key = named(orderKey, orderWord, 'setElementOrder list');
  refuseUnsafeKey(key);
  const before = Object.hasOwn(original, key) ? original[key] : undefined;
  const change = Object.hasOwn(patch, key) ? patch[key] : undefined;
  if (before !== undefined && !Array.isArray(before)) throw expectedList(before);
  if (change !== undefined && !Array.isArray(change)) throw expectedList(change);
  const field = sliceField(schema, key);
  const mergeKey = field?.patchMergeKey ?? '';
  if (change !== undefined) refuseOtherOrder(change, order, mergeKey);
  let merged: JsonValue[];
  if (change === undefined) {
    if (before === undefined) return;
    merged = before;
  } else if (before === undefined) merged = withoutDirectives(change) as JsonValue[];
  else merged = strategyOf(field) === 'merge' ? mergeLists(field, before, change, false) : change;
  const holdsMaps = elementType([before ?? [], change ?? []]) === mapType;
  original[key] = inOrder(merged, order, before ?? [], { mergeKey, holdsMaps });
  delete patch[key];
}

function expectedList(value: JsonValue): ApiError {
  return badRequest(`expected a []interface {}, but received a ${goTypeOf(value)}`);
}

/** What stands behind the slash of a directive. */
function named(directive: string, word: string, what: string): string {
  const slash = directive.indexOf('/');
  if (slash < 0 || directive.slice(0, slash) !== word) throw badRequest(`invalid patch format of ${what}`);
  return directive.slice(slash + 1);
}

/** The items of the patch must stand in the order list, in the same relative order; deletions are exempt. */
function refuseOtherOrder(patch: readonly JsonValue[], order: readonly JsonValue[], mergeKey: string): void {
  if (order.length === 0 || patch.length === 0) return;
  let at = 0;
  for (const item of patch) {
    if (isJsonObject(item) ? item[marker] !== undefined : mergeKey !== '') {
      if (isJsonObject(item)) continue;
      throw badRequest(`expected a map[string]interface {}, but received a ${goTypeOf(item)}`);
    }
    while (at < order.length && !isSame(item, order[at] as JsonValue, mergeKey)) at++;
    if (at === order.length) {
      throw badRequest(
        `The order in patch list:\n${goText(patch as JsonValue[])}\n doesn't match ${orderWord} list:\n${goText(order as JsonValue[])}\n`,
      );
    }
    at++;
  }
}

function isSame(one: JsonValue, other: JsonValue, mergeKey: string): boolean {
  if (mergeKey === '') return comparable(one) === comparable(other);
  return keyOf(one, mergeKey) === keyOf(other, mergeKey);
}

/** Lists and maps cannot be compared, nor stand for the name of an element. */
function comparable(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  throw badRequest(`elements of type ${goTypeOf(value)} cannot be told apart without a merge key`);
}

function keyOf(item: JsonValue, mergeKey: string): JsonValue {
  if (!isJsonObject(item)) {
    throw badRequest(`expected a map[string]interface {}, but received a ${goTypeOf(item)}`);
  }
  const value = Object.hasOwn(item, mergeKey) ? item[mergeKey] : undefined;
  if (value === undefined) {
    throw badRequest(`map: ${goText(item)} does not contain declared merge key: ${mergeKey}`);
  }
  return comparable(value);
}

function mergeLists(
  field: Schema | undefined,
  original: JsonValue[],
  patch: JsonValue[],
  isDeletion: boolean,
): JsonValue[] {
  if (original.length === 0 && patch.length === 0) return original;
  const mergeKey = field?.patchMergeKey ?? '';
  if (elementType([original, patch]) !== mapType) {
    if (isDeletion) {
      const gone = new Set(patch);
      return original.filter((item) => !gone.has(item));
    }
    const all = [...new Set([...original, ...patch])];
    return inOrder(all, patch, original, { mergeKey, holdsMaps: false });
  }
  if (mergeKey === '') throw badRequest('cannot merge lists without merge key for struct');
  const { kept, rest } = applyElementDirectives(mergeKey, original as JsonObject[], patch as JsonObject[]);
  const merged = mergeElements(field, mergeKey, kept, rest);
  return inOrder(merged, rest, kept, { mergeKey, holdsMaps: true });
}

/** Elements of the patch go into those of the same key, or behind them, as they are. */
function mergeElements(
  field: Schema | undefined,
  mergeKey: string,
  original: readonly JsonObject[],
  patch: readonly JsonObject[],
): JsonObject[] {
  const merged = original.slice();
  if (patch.length === 0) return merged;
  const positions = new Map<JsonValue, number>();
  for (let i = merged.length - 1; i >= 0; i--) {
    const value = (merged[i] as JsonObject)[mergeKey];
    if (value !== undefined) positions.set(value, i);
  }
  for (const item of patch) {
    const value = keyOf(item, mergeKey);
    const at = positions.get(value);
    if (at !== undefined) {
      merged[at] = mergeStrategically(field?.items, merged[at] as JsonObject, item);
      continue;
    }
    for (const key in item) refuseUnsafeKey(key);
    positions.set(value, merged.length);
    merged.push(item);
  }
  return merged;
}

/** `{$patch: delete, <key>: x}` removes matching elements; a `{$patch: replace}` element empties the list first. */
function applyElementDirectives(
  mergeKey: string,
  original: JsonObject[],
  patch: JsonObject[],
): { readonly kept: JsonObject[]; readonly rest: JsonObject[] } {
  const rest: JsonObject[] = [];
  const gone = new Set<JsonValue>();
  let replaces = false;
  for (const item of patch) {
    const directive = item[marker];
    if (directive === undefined) rest.push(item);
    else if (directive === 'delete') gone.add(keyOf(item, mergeKey));
    else if (directive === 'replace') replaces = true;
    else if (directive === 'merge') throw badRequest('merging lists cannot yet be specified in the patch');
    else throw unknownDirective(directive, item);
  }
  if (replaces) return { kept: rest, rest: [] };
  if (gone.size === 0) return { kept: original, rest };
  return { kept: original.filter((item) => !gone.has(item[mergeKey] as JsonValue)), rest };
}

const mapType = 'map[string]interface {}';

/** The Go type that all elements have in common, undefined without any (an error upstream, for no reason). */
function elementType(lists: readonly (readonly JsonValue[])[]): string | undefined {
  let type: string | undefined;
  for (const list of lists) {
    for (const item of list) {
      const one = goTypeOf(item);
      if (type === undefined) {
        if (Array.isArray(item)) throw unprocessablePatch('lists of lists are not supported');
        if (item === null) throw badRequest('the first element of a merged list must not be null');
        type = one;
      } else if (type !== one) {
        throw badRequest(`list element types are not identical: ${goText(lists as JsonValue[][])}`);
      }
    }
  }
  return type;
}

/** Members that are null say "absent", wherever nothing was. In place. */
function withoutNulls(value: JsonValue): JsonValue {
  if (Array.isArray(value)) for (const item of value) withoutNulls(item);
  else if (isJsonObject(value)) {
    for (const key of Object.keys(value)) {
      if (value[key] === null) delete value[key];
      else withoutNulls(value[key] as JsonValue);
    }
  }
  return value;
}

/**
 * A value that is new to the document, where `$patch` has nothing to act on: maps that carry it are left out, whatever it
 * says. Undefined when the value itself was one. In place.
 */
function withoutDirectives(value: JsonValue): JsonValue | undefined {
  if (Array.isArray(value)) {
    const kept: JsonValue[] = [];
    for (const item of value) {
      const one = withoutDirectives(item);
      if (one !== undefined) kept.push(one);
    }
    return kept;
  }
  if (!isJsonObject(value)) return value;
  if (value[marker] !== undefined) return undefined;
  for (const key of Object.keys(value)) {
    refuseUnsafeKey(key);
    const one = withoutDirectives(value[key] as JsonValue);
    if (one === undefined) delete value[key];
    else value[key] = one;
  }
  return value;
}

function fieldOf(schema: Schema | undefined, key: string): Schema | undefined {
  return schema?.properties?.get(key) ?? schema?.additionalProperties;
}

/** The field that an order is given for, which must be one of the kind's, and a list. */
function sliceField(schema: Schema | undefined, key: string): Schema | undefined {
  if (schema === undefined) return undefined;
  const { properties, definition = '' } = schema;
  if (properties === undefined) {
    if (schema.additionalProperties === undefined) return undefined;
    throw badRequest('merging an object in json but data type is not struct, instead is: map');
  }
  const field = properties.get(key);
  if (field === undefined) {
    const struct = definition.slice(definition.lastIndexOf('.') + 1);
    throw badRequest(
      `unable to find api field in struct ${struct} for the json field ${JSON.stringify(key)}`,
    );
  }
  if (field.type === 'array' || field.type === undefined) return field;
  throw badRequest('expected slice or array type, but got: struct');
}

/** `patchStrategy` without `retainKeys`, which only tells clients to send the directive. */
function strategyOf(field: Schema | undefined): 'merge' | 'replace' | undefined {
  const text = field?.patchStrategy;
  if (text === undefined) return undefined;
  if (text === 'merge' || text === 'replace') return text;
  for (const one of text.split(',')) if (one === 'merge' || one === 'replace') return one;
  return undefined;
}
