/** Sorted, disjoint, inclusive code point ranges, flat: [from, to, from, to, …]. */
export type CharRanges = readonly number[];

export const codePointMax = 0x10ffff;

export function normalizeRanges(ranges: readonly number[]): number[] {
  const pairs: [number, number][] = [];
  for (let i = 0; i < ranges.length; i += 2) pairs.push([ranges[i] as number, ranges[i + 1] as number]);
  pairs.sort((a, b) => a[0] - b[0]);
  const merged: number[] = [];
  for (const [from, to] of pairs) {
    const last = merged.length - 1;
    if (last > 0 && from <= (merged[last] as number) + 1) {
      merged[last] = Math.max(merged[last] as number, to);
    } else {
      merged.push(from, to);
    }
  }
  return merged;
}

/** All characters that are in none of the ranges. */
export function negateRanges(ranges: readonly number[]): number[] {
  const result: number[] = [];
  let next = 0;
  const sorted = normalizeRanges(ranges);
  for (let i = 0; i < sorted.length; i += 2) {
    if ((sorted[i] as number) > next) result.push(next, (sorted[i] as number) - 1);
    next = (sorted[i + 1] as number) + 1;
  }
  if (next <= codePointMax) result.push(next, codePointMax);
  return result;
}

/** Whether one of these, which are sorted, holds the point. */
export function contains(ranges: readonly number[], point: number): boolean {
  let low = 0;
  let high = ranges.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ranges[2 * middle + 1] as number) < point) low = middle + 1;
    else high = middle;
  }
  return 2 * low < ranges.length && (ranges[2 * low] as number) <= point;
}
