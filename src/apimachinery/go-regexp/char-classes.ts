import { type CharRanges, codePointMax, negateRanges } from './char-ranges.ts';
import { failSyntax } from './syntax-error.ts';

const digit = [0x30, 0x39];
const upper = [0x41, 0x5a];
const lower = [0x61, 0x7a];
export const wordRanges: CharRanges = [...digit, ...upper, 0x5f, 0x5f, ...lower];
const perlSpace = [0x09, 0x0a, 0x0c, 0x0d, 0x20, 0x20];

/** By the letter of their escape: `\d`, `\S`. */
export const perlClasses: { readonly [name: string]: CharRanges } = {
  d: digit,
  D: negateRanges(digit),
  s: perlSpace,
  S: negateRanges(perlSpace),
  w: wordRanges,
  W: negateRanges(wordRanges),
};

/** As `[:alnum:]` names them. */
export const posixClasses: { readonly [name: string]: CharRanges } = {
  alnum: [...digit, ...upper, ...lower],
  alpha: [...upper, ...lower],
  ascii: [0, 0x7f],
  blank: [0x09, 0x09, 0x20, 0x20],
  cntrl: [0, 0x1f, 0x7f, 0x7f],
  digit,
  graph: [0x21, 0x7e],
  lower,
  print: [0x20, 0x7e],
  punct: [0x21, 0x2f, 0x3a, 0x40, 0x5b, 0x60, 0x7b, 0x7e],
  space: [0x09, 0x0d, 0x20, 0x20],
  upper,
  word: wordRanges,
  xdigit: [...digit, 0x41, 0x46, 0x61, 0x66],
};

/** Bounded by the number of names that exist: general categories and scripts. */
const unicodeClasses = new Map<string, CharRanges>();

/** Planes with characters: beyond them all are unassigned or for private use. */
const planes: readonly (readonly [number, number])[] = [
  [0, 0xd7ff],
  [0xe000, 0x3ffff],
  [0xe0000, 0xe0fff],
];

let allCharacters: string | undefined;

/** Every code point of the planes in order: one native search finds all ranges of a class. */
function characters(): string {
  allCharacters ??= planes
    .map(([from, to]) => {
      const parts: string[] = [];
      for (let point = from; point <= to; point += 4096) {
        const length = Math.min(4096, to - point + 1);
        parts.push(String.fromCodePoint(...Array.from({ length }, (_, index) => point + index)));
      }
      return parts.join('');
    })
    .join('');
  return allCharacters;
}

/** A general category or a script, as `\pL` and `\p{Greek}` name them; `where`: what an error shows. */
export function unicodeClass(name: string, where: string): CharRanges {
  const known = unicodeClasses.get(name);
  if (known !== undefined) return known;
  if (name === 'Any') return [0, codePointMax];
  let expression: RegExp | undefined;
  for (const form of [name, `Script=${name}`]) {
    try {
      expression ??= /^[A-Za-z_]+$/.test(name) ? new RegExp(`\\p{${form}}+`, 'gu') : undefined;
    } catch {
      // Not of this form; the other is tried, then it is unknown.
    }
  }
  if (expression === undefined) failSyntax('invalid character class range', where);
  const ranges: number[] = [];
  for (const [run] of characters().matchAll(expression)) {
    const first = run.codePointAt(0) as number;
    const last = [...run.slice(-2)].at(-1)?.codePointAt(0) as number;
    // A run may reach over the gap between two planes.
    for (const [from, to] of planes) {
      if (first <= to && last >= from) ranges.push(Math.max(first, from), Math.min(last, to));
    }
  }
  unicodeClasses.set(name, ranges);
  return ranges;
}
