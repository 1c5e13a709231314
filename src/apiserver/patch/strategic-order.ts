import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';

/** What identifies an element of a merged list: its merge key's value, or the element itself in a list of scalars. */
export function scalarKey(item: JsonValue, mergeKey: string | undefined): JsonValue | undefined {
  if (mergeKey === undefined || mergeKey === '') return item;
  return isJsonObject(item) ? (item as JsonObject)[mergeKey] : undefined;
}

/**
 * Orders a merged list as upstream does (preserve-order-in-strategic-merge-patch): elements named in `order` stand in
 * that order; the others, known to the server only, keep their order of `before` and stand in front of the first
 * ordered element that followed them there.
 *
 * Example: before [a b c d] and order [d b] give [a c d b]: `a` and `c` both came before `d`.
 */
export function normalizeOrder(
  merged: readonly JsonValue[],
  order: readonly JsonValue[],
  before: readonly JsonValue[],
  mergeKey: string | undefined,
): JsonValue[] {
  const orderAt = indexOf(order, mergeKey);
  const beforeAt = indexOf(before, mergeKey);
  const ordered: JsonValue[] = [];
  const serverOnly: JsonValue[] = [];
  for (const item of merged) (orderAt.has(scalarKey(item, mergeKey)) ? ordered : serverOnly).push(item);
  sortBy(ordered, orderAt, mergeKey);
  sortBy(serverOnly, beforeAt, mergeKey);
  return interleave(serverOnly, ordered, beforeAt, mergeKey);
}

function indexOf(
  list: readonly JsonValue[],
  mergeKey: string | undefined,
): Map<JsonValue | undefined, number> {
  const at = new Map<JsonValue | undefined, number>();
  for (let i = list.length - 1; i >= 0; i--) at.set(scalarKey(list[i] as JsonValue, mergeKey), i);
  return at;
}

function sortBy(
  list: JsonValue[],
  at: ReadonlyMap<JsonValue | undefined, number>,
  mergeKey: string | undefined,
): void {
  const rank = (item: JsonValue) => at.get(scalarKey(item, mergeKey)) ?? Number.MAX_SAFE_INTEGER;
  list.sort((a, b) => rank(a) - rank(b));
}

function interleave(
  serverOnly: readonly JsonValue[],
  ordered: readonly JsonValue[],
  beforeAt: ReadonlyMap<JsonValue | undefined, number>,
  mergeKey: string | undefined,
): JsonValue[] {
  const result: JsonValue[] = [];
  let i = 0;
  let j = 0;
  while (i < serverOnly.length && j < ordered.length) {
    const left = beforeAt.get(scalarKey(serverOnly[i] as JsonValue, mergeKey));
    const right = beforeAt.get(scalarKey(ordered[j] as JsonValue, mergeKey));
    const first = left !== undefined && right !== undefined && left < right;
    result.push((first ? serverOnly[i++] : ordered[j++]) as JsonValue);
  }
  while (i < serverOnly.length) result.push(serverOnly[i++] as JsonValue);
  while (j < ordered.length) result.push(ordered[j++] as JsonValue);
  return result;
}
