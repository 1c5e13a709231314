/** Sorted, disjoint, inclusive code point ranges, flat: [from, to, from, to, …]. */
export type CharRanges = readonly number[];

export type RegexpNode =
  | { readonly type: 'empty' }
  | { readonly type: 'set'; readonly ranges: CharRanges }
  | { readonly type: 'concat' | 'alternate'; readonly nodes: readonly RegexpNode[] }
  | {
      readonly type: 'repeat';
      readonly node: RegexpNode;
      readonly min: number;
      readonly max: number;
      /** Takes as little as it can: matters only to where a match ends. */
      readonly isLazy: boolean;
    }
  | { readonly type: 'assert'; readonly kind: AssertKind };

export type AssertKind =
  | 'textBegin'
  | 'textEnd'
  | 'lineBegin'
  | 'lineEnd'
  | 'wordBoundary'
  | 'noWordBoundary';

/** A pattern that Go's regexp package would refuse too. */
export class RegexpSyntaxError extends Error {
  override readonly name = 'RegexpSyntaxError';
}

const codePointMax = 0x10ffff;
const repeatMax = 1000;
const nestingMax = 500;
/** Ranges of all different sets of one expression: `\pL` has 650. */
const rangesMax = 20_000;
/** Characters of an expression that an error shows. */
const shownMax = 200;

function fail(what: string, where: string): never {
  throw new RegexpSyntaxError(`error parsing regexp: ${what}: \`${where}\``);
}

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

function negate(ranges: readonly number[]): number[] {
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

const digit = [0x30, 0x39];
const upper = [0x41, 0x5a];
const lower = [0x61, 0x7a];
export const wordRanges: CharRanges = [...digit, ...upper, 0x5f, 0x5f, ...lower];
const perlSpace = [0x09, 0x0a, 0x0c, 0x0d, 0x20, 0x20];

const perlClasses: { readonly [name: string]: CharRanges } = {
  d: digit,
  D: negate(digit),
  s: perlSpace,
  S: negate(perlSpace),
  w: wordRanges,
  W: negate(wordRanges),
};

const posixClasses: { readonly [name: string]: CharRanges } = {
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

function unicodeClass(name: string, where: string): CharRanges {
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
  if (expression === undefined) fail('invalid character class range', where);
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
function foldCase(ranges: readonly number[]): number[] {
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

interface Flags {
  readonly ignoreCase: boolean;
  readonly multiLine: boolean;
  readonly dotAll: boolean;
}

const simpleEscapes: { readonly [letter: string]: number } = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 };

class Parser {
  readonly #source: string;
  #at = 0;
  #flags: Flags = { ignoreCase: false, multiLine: false, dotAll: false };
  #depth = 0;
  /** Sets by what they were written as: the same text makes the same set, which is made, and counted, once. */
  readonly #sets = new Map<string, RegexpNode & { type: 'set' }>();
  #rangesLeft = rangesMax;

  constructor(source: string) {
    this.#source = source;
  }

  parse(): RegexpNode {
    const node = this.#alternate();
    if (this.#at < this.#source.length) fail('unexpected )', this.#source);
    return node;
  }

  #peek(): string | undefined {
    const code = this.#source.codePointAt(this.#at);
    return code === undefined ? undefined : String.fromCodePoint(code);
  }

  #take(): string {
    const character = this.#peek() as string;
    this.#at += character.length;
    return character;
  }

  #alternate(): RegexpNode {
    if (++this.#depth > nestingMax) fail('expression nests too deeply', this.#source);
    // Flags set inside a group end with it.
    const flags = this.#flags;
    const branches: RegexpNode[] = [this.#concat()];
    while (this.#peek() === '|') {
      this.#at++;
      branches.push(this.#concat());
    }
    this.#flags = flags;
    this.#depth--;
    return branches.length === 1 ? (branches[0] as RegexpNode) : { type: 'alternate', nodes: branches };
  }

  #concat(): RegexpNode {
    const nodes: RegexpNode[] = [];
    for (;;) {
      const character = this.#peek();
      if (character === undefined || character === '|' || character === ')') break;
      const atom = this.#atom();
      if (atom !== undefined) nodes.push(this.#repeats(atom));
    }
    return nodes.length === 1
      ? (nodes[0] as RegexpNode)
      : nodes.length === 0
        ? { type: 'empty' }
        : { type: 'concat', nodes };
  }

  #repeats(atom: RegexpNode): RegexpNode {
    const start = this.#at;
    const bounds = this.#repetition();
    if (bounds === undefined) return atom;
    const isLazy = this.#peek() === '?';
    if (isLazy) this.#at++;
    const next = this.#at;
    if (this.#repetition() !== undefined) {
      fail('invalid nested repetition operator', this.#source.slice(start, Math.max(this.#at, next)));
    }
    return { type: 'repeat', node: atom, ...bounds, isLazy };
  }

  /** Takes `*`, `+`, `?`, `{n}`, `{n,}`, `{n,m}`; braces of another shape are text. */
  #repetition(): { min: number; max: number } | undefined {
    const character = this.#peek();
    if (character === '*' || character === '+' || character === '?') {
      this.#at++;
      return { min: character === '+' ? 1 : 0, max: character === '?' ? 1 : -1 };
    }
    if (character !== '{') return undefined;
    const counts = /^\{(\d{1,9})(?:(,)(\d{0,9}))?\}/.exec(this.#source.slice(this.#at, this.#at + 24));
    if (counts === null) return undefined;
    const min = Number(counts[1]);
    const max = counts[2] === undefined ? min : counts[3] === '' ? -1 : Number(counts[3]);
    if (min > repeatMax || max > repeatMax || (max >= 0 && max < min))
      fail('invalid repeat count', counts[0]);
    this.#at += counts[0].length;
    return { min, max };
  }

  /** `text`: what the ranges were written as. */
  #set(text: string, ranges: readonly number[], negated = false): RegexpNode {
    const { ignoreCase } = this.#flags;
    const key = `${ignoreCase}${negated}${text}`;
    const known = this.#sets.get(key);
    if (known !== undefined) return known;
    const wanted = ignoreCase ? foldCase(ranges) : normalizeRanges(ranges);
    const set = { type: 'set', ranges: negated ? negate(wanted) : wanted } as const;
    this.#rangesLeft -= set.ranges.length / 2;
    if (this.#rangesLeft < 0) fail('expression too large', this.#source.slice(0, shownMax));
    this.#sets.set(key, set);
    return set;
  }

  #atom(): RegexpNode | undefined {
    const start = this.#at;
    const isRepetition = this.#repetition() !== undefined;
    if (isRepetition) fail('missing argument to repetition operator', this.#source.slice(start, this.#at));
    const character = this.#take();
    switch (character) {
      case '(':
        return this.#group();
      case '[':
        return this.#class();
      case '.':
        return { type: 'set', ranges: this.#flags.dotAll ? [0, codePointMax] : negate([10, 10]) };
      case '^':
        return { type: 'assert', kind: this.#flags.multiLine ? 'lineBegin' : 'textBegin' };
      case '$':
        return { type: 'assert', kind: this.#flags.multiLine ? 'lineEnd' : 'textEnd' };
      case '\\':
        return this.#escape();
      default: {
        const code = character.codePointAt(0) as number;
        return this.#set(character, [code, code]);
      }
    }
  }

  /** Undefined for `(?i)`, which stands for nothing by itself. */
  #group(): RegexpNode | undefined {
    const start = this.#at - 1;
    const outer = this.#flags;
    if (this.#peek() === '?') {
      const rest = this.#source.slice(this.#at, this.#at + 128);
      const named = /^\?P?<([A-Za-z0-9_]+)>/.exec(rest);
      const flags = /^\?([imsU]*)(?:-([imsU]+))?([:)])/.exec(rest);
      if (named !== null) {
        this.#at += named[0].length;
      } else if (flags !== null) {
        this.#at += flags[0].length;
        this.#setFlags(flags[1] as string, true);
        this.#setFlags(flags[2] ?? '', false);
        if (flags[3] === ')') return undefined;
      } else {
        fail('invalid or unsupported Perl syntax', this.#source.slice(start, start + 3));
      }
    }
    const node = this.#alternate();
    if (this.#peek() !== ')') fail('missing closing )', this.#source);
    this.#at++;
    this.#flags = outer;
    return node;
  }

  #setFlags(letters: string, on: boolean): void {
    for (const letter of letters) {
      if (letter === 'i') this.#flags = { ...this.#flags, ignoreCase: on };
      if (letter === 'm') this.#flags = { ...this.#flags, multiLine: on };
      if (letter === 's') this.#flags = { ...this.#flags, dotAll: on };
    }
  }

  #escape(): RegexpNode | undefined {
    const letter = this.#peek();
    switch (letter) {
      case 'A':
        this.#at++;
        return { type: 'assert', kind: 'textBegin' };
      case 'z':
        this.#at++;
        return { type: 'assert', kind: 'textEnd' };
      case 'b':
        this.#at++;
        return { type: 'assert', kind: 'wordBoundary' };
      case 'B':
        this.#at++;
        return { type: 'assert', kind: 'noWordBoundary' };
      case 'Q':
        this.#at++;
        return this.#quoted();
    }
    const start = this.#at - 1;
    const ranges = this.#classEscape();
    if (ranges !== undefined) return this.#set(this.#source.slice(start, this.#at), ranges);
    const code = this.#characterEscape();
    return this.#set(this.#source.slice(start, this.#at), [code, code]);
  }

  #quoted(): RegexpNode {
    const end = this.#source.indexOf('\\E', this.#at);
    const text = this.#source.slice(this.#at, end < 0 ? undefined : end);
    this.#at = end < 0 ? this.#source.length : end + 2;
    const nodes = [...text].map((character) => {
      const code = character.codePointAt(0) as number;
      return this.#set(character, [code, code]);
    });
    return { type: 'concat', nodes };
  }

  /** `\d`, `\pL`, `\P{Greek}`, after the backslash; undefined (nothing taken) for other escapes. */
  #classEscape(): CharRanges | undefined {
    const letter = this.#peek();
    if (letter === undefined) fail('trailing backslash at end of expression', '');
    if (Object.hasOwn(perlClasses, letter)) {
      this.#at++;
      return perlClasses[letter];
    }
    if (letter !== 'p' && letter !== 'P') return undefined;
    const name = /^[pP](?:\{(\^?)([^}]{1,64})\}|([A-Z]))/.exec(this.#source.slice(this.#at, this.#at + 70));
    if (name === null) fail('invalid character class range', this.#source.slice(this.#at - 1));
    this.#at += name[0].length;
    const ranges = unicodeClass((name[2] ?? name[3]) as string, `\\${name[0]}`);
    return (letter === 'P') !== (name[1] === '^') ? negate(ranges) : ranges;
  }

  #characterEscape(): number {
    const start = this.#at - 1;
    const character = this.#take();
    if (Object.hasOwn(simpleEscapes, character)) return simpleEscapes[character] as number;
    if (character === 'x') {
      const hex = /^(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2}))/.exec(
        this.#source.slice(this.#at, this.#at + 8),
      );
      const code = hex === null ? -1 : Number.parseInt((hex[1] ?? hex[2]) as string, 16);
      if (hex === null || code > codePointMax)
        fail('invalid escape sequence', this.#source.slice(start, start + 4));
      this.#at += hex[0].length;
      return code;
    }
    if (character >= '0' && character <= '7') {
      const octal = /^[0-7]{1,3}/.exec(this.#source.slice(this.#at - 1, this.#at + 2))?.[0] as string;
      // A single digit but 0 would be a back-reference, which no linear-time engine has.
      if (character !== '0' && octal.length < 2) fail('invalid escape sequence', `\\${character}`);
      this.#at += octal.length - 1;
      return Number.parseInt(octal, 8);
    }
    const code = character.codePointAt(0) as number;
    if (code < 0x80 && !/[A-Za-z0-9_]/.test(character)) return code;
    return fail('invalid escape sequence', `\\${character}`);
  }

  #class(): RegexpNode {
    const start = this.#at - 1;
    const negated = this.#peek() === '^';
    if (negated) this.#at++;
    const ranges: number[] = [];
    for (let first = true; ; first = false) {
      const character = this.#peek();
      if (character === undefined) fail('missing closing ]', this.#source.slice(start));
      if (character === ']' && !first) break;
      const posix = /^\[:(\^?)([a-z]+):\]/.exec(this.#source.slice(this.#at, this.#at + 16));
      if (posix !== null) {
        const named = posixClasses[posix[2] as string];
        if (named === undefined) fail('invalid character class range', posix[0]);
        ranges.push(...(posix[1] === '^' ? negate(named) : named));
        this.#at += posix[0].length;
        continue;
      }
      const from = this.#at;
      if (character === '\\') {
        this.#at++;
        const escaped = this.#classEscape();
        if (escaped !== undefined) {
          for (const bound of escaped) ranges.push(bound);
          continue;
        }
        this.#at--;
      }
      const low = this.#classCharacter(start);
      let high = low;
      if (
        this.#source[this.#at] === '-' &&
        this.#at + 1 < this.#source.length &&
        this.#source[this.#at + 1] !== ']'
      ) {
        this.#at++;
        high = this.#classCharacter(start);
        if (high < low) fail('invalid character class range', this.#source.slice(from, this.#at));
      }
      ranges.push(low, high);
    }
    this.#at++;
    return this.#set(this.#source.slice(start, this.#at), ranges, negated);
  }

  #classCharacter(classStart: number): number {
    if (this.#at >= this.#source.length) fail('missing closing ]', this.#source.slice(classStart));
    const character = this.#take();
    if (character !== '\\') return character.codePointAt(0) as number;
    if (this.#at >= this.#source.length) fail('trailing backslash at end of expression', '');
    return this.#characterEscape();
  }
}

/** Parses the syntax of Go's regexp package (RE2); throws RegexpSyntaxError in that package's words. */
export function parseGoRegexp(source: string): RegexpNode {
  return new Parser(source).parse();
}
