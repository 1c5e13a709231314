import { badRequest } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { goText } from './go-text.ts';

/** What a merged list holds, and what tells its elements apart: empty where it is the element itself. */
export interface Elements {
  readonly mergeKey: string;
  readonly holdsMaps: boolean;
}

/**
 * Orders a merged list as upstream does (preserve-order-in-strategic-merge-patch): elements named in `order` stand in
 * that order; the others, known to the server only, keep their order of `before` and stand in front of the first
 * ordered element that followed them there.
 *
 * Example: before [a b c d] and order [d b] give [a c d b]: `a` and `c` both came before `d`.
 *
 * Throws 400 where an element has no merge key.
 */
export function inOrder(
  merged: readonly JsonValue[],
  order: readonly JsonValue[],
  before: readonly JsonValue[],
  elements: Elements,
): JsonValue[] {
  if (elements.holdsMaps) for (const list of [merged, order, before]) requireKeys(list, elements.mergeKey);
  else requireScalars(order);
  const keyOf = keyReader(elements);
  const orderAt = positions(order, keyOf);
  const beforeAt = positions(before, keyOf);
  const ordered: JsonValue[] = [];
  const serverOnly: JsonValue[] = [];
  for (const item of merged) (orderAt.has(keyOf(item)) ? ordered : serverOnly).push(item);
  const rankBefore = (item: JsonValue) => beforeAt.get(keyOf(item));
  sortBy(ordered, (item) => orderAt.get(keyOf(item)));
  sortBy(serverOnly, rankBefore);
  return interleave(serverOnly, ordered, rankBefore);
}

type KeyReader = (item: JsonValue) => JsonValue | undefined;

function keyReader({ mergeKey, holdsMaps }: Elements): KeyReader {
  if (!holdsMaps) return (item) => item;
  return (item) => (isJsonObject(item) ? (item as JsonObject)[mergeKey] : undefined);
}

function requireKeys(list: readonly JsonValue[], mergeKey: string): void {
  if (mergeKey === '') throw badRequest('maps cannot be told apart without a merge key');
  for (const [index, item] of list.entries()) {
    if (!isJsonObject(item)) throw badRequest(`value for key ${index} is not a map`);
    if (Object.hasOwn(item, mergeKey)) continue;
    throw badRequest(`map: ${goText(item)} does not contain declared merge key: ${mergeKey}`);
  }
}

function requireScalars(list: readonly JsonValue[]): void {
  for (const item of list) {
    if (typeof item === 'object' && item !== null)
      throw badRequest('elements of a list of scalars are scalars');
  }
}

function positions(list: readonly JsonValue[], keyOf: KeyReader): Map<JsonValue | undefined, number> {
  const at = new Map<JsonValue | undefined, number>();
  for (let i = list.length - 1; i >= 0; i--) at.set(keyOf(list[i] as JsonValue), i);
  return at;
}

/** By rank; what has none comes to stand as upstream's insertion sort leaves it, for which it is less than anything. */
function sortBy(list: JsonValue[], rank: (item: JsonValue) => number | undefined): void {
  if (list.every((item) => rank(item) !== undefined)) {
    list.sort((a, b) => (rank(a) as number) - (rank(b) as number));
    return;
  }
  for (let i = 1; i < list.length; i++) {
    const item = list[i] as JsonValue;
    const mine = rank(item);
    let at = i;
    for (; at > 0; at--) {
      const other = rank(list[at - 1] as JsonValue);
      if (mine !== undefined && other !== undefined && mine >= other) break;
      list[at] = list[at - 1] as JsonValue;
    }
    list[at] = item;
  }
}

function interleave(
  serverOnly: readonly JsonValue[],
  ordered: readonly JsonValue[],
  rank: (item: JsonValue) => number | undefined,
): JsonValue[] {
  const result: JsonValue[] = [];
  let i = 0;
  let j = 0;
  while (i < serverOnly.length && j < ordered.length) {
    const left = rank(serverOnly[i] as JsonValue);
    const right = rank(ordered[j] as JsonValue);
    const first = left !== undefined && right !== undefined && left < right;
    result.push((first ? serverOnly[i++] : ordered[j++]) as JsonValue);
  }
  while (i < serverOnly.length) result.push(serverOnly[i++] as JsonValue);
  while (j < ordered.length) result.push(ordered[j++] as JsonValue);
  return result;
}
