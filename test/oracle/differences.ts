import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { NormalAnswer } from './normalise.ts';

/** One place where two answers differ. `undefined`: nothing is there. */
export interface Difference {
  /** `status`, `header.<name>` or `body` with the path of fields, array places as numbers. */
  readonly path: readonly (string | number)[];
  readonly oracle: JsonValue | undefined;
  readonly ours: JsonValue | undefined;
}

/** All of them, in the order of the oracle's answer. */
export function differencesOf(oracle: NormalAnswer, ours: NormalAnswer): Difference[] {
  const found: Difference[] = [];
  if (oracle.status !== ours.status)
    found.push({ path: ['status'], oracle: oracle.status, ours: ours.status });
  for (const name of new Set([...Object.keys(oracle.headers), ...Object.keys(ours.headers)])) {
    const pair = { oracle: oracle.headers[name], ours: ours.headers[name] };
    if (pair.oracle !== pair.ours) found.push({ path: ['header', name], ...pair });
  }
  walk(['body'], oracle.body, ours.body, found);
  return found;
}

function walk(
  path: readonly (string | number)[],
  oracle: JsonValue | undefined,
  ours: JsonValue | undefined,
  found: Difference[],
): void {
  if (isJsonObject(oracle) && isJsonObject(ours)) {
    for (const key of new Set([...Object.keys(oracle), ...Object.keys(ours)]))
      walk([...path, key], oracle[key], ours[key], found);
  } else if (Array.isArray(oracle) && Array.isArray(ours)) {
    for (let at = 0; at < Math.max(oracle.length, ours.length); at++)
      walk([...path, at], oracle[at], ours[at], found);
  } else if (oracle !== ours) {
    found.push({ path, oracle, ours });
  }
}

/** The path as its differences are grouped: without places in arrays and names that users give. */
export function groupOf({ path }: Difference): string {
  return path.map((segment) => (typeof segment === 'number' ? '[]' : segment)).join('.');
}
