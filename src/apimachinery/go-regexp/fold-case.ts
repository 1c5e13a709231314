import { normalizeRanges } from './char-ranges.ts';

/** The last character that has another case, rounded up. */
const lastCased = 0x1ffff;

let casePairs: readonly number[] | undefined;

/** All characters that have another case, each followed by it, in order: [A, a, B, b, …]. */
function otherCases(): readonly number[] {
  if (casePairs !== undefined) return casePairs;
  const pairs: number[] = [];
  for (let point = 0; point <= lastCased; point++) {
    if (point >= 0xd800 && point <= 0xdfff) continue;
    const text = String.fromCodePoint(point);
    for (const other of [text.toLowerCase(), text.toUpperCase()]) {
      const code = other.codePointAt(0) as number;
      if (other !== text && String.fromCodePoint(code) === other) pairs.push(point, code);
    }
    if (text === 'k' || text === 'K') pairs.push(point, 0x212a);
    if (text === 's' || text === 'S') pairs.push(point, 0x17f);
  }
  casePairs = pairs;
  return pairs;
}

/** Adds the other cases of each character. */
export function foldCase(ranges: readonly number[]): number[] {
  const sorted = normalizeRanges(ranges);
  const folded = [...sorted];
  const pairs = otherCases();
  let range = 0;
  for (let i = 0; i < pairs.length && range < sorted.length; i += 2) {
    const point = pairs[i] as number;
    while (range < sorted.length && (sorted[range + 1] as number) < point) range += 2;
    if (range < sorted.length && (sorted[range] as number) <= point) {
      folded.push(pairs[i + 1] as number, pairs[i + 1] as number);
    }
  }
  return normalizeRanges(folded);
}
