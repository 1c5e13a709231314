import { perlClasses, posixClasses, unicodeClass } from './char-classes.ts';
import { type CharRanges, codePointMax, negateRanges, normalizeRanges } from './char-ranges.ts';
import { foldCase } from './fold-case.ts';
import type { RegexpNode } from './regexp-node.ts';
import { failSyntax } from './syntax-error.ts';

const repeatMax = 1000;
const nestingMax = 500;
/** Ranges of all different sets of one expression: `\pL` has 650. */
const rangesMax = 20_000;
/** Characters of an expression that an error shows. */
const shownMax = 200;

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
    if (this.#at < this.#source.length) failSyntax('unexpected )', this.#source);
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
    if (++this.#depth > nestingMax) failSyntax('expression nests too deeply', this.#source);
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
      failSyntax('invalid nested repetition operator', this.#source.slice(start, Math.max(this.#at, next)));
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
      failSyntax('invalid repeat count', counts[0]);
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
    const set = { type: 'set', ranges: negated ? negateRanges(wanted) : wanted } as const;
    this.#rangesLeft -= set.ranges.length / 2;
    if (this.#rangesLeft < 0) failSyntax('expression too large', this.#source.slice(0, shownMax));
    this.#sets.set(key, set);
    return set;
  }

  #atom(): RegexpNode | undefined {
    const start = this.#at;
    const isRepetition = this.#repetition() !== undefined;
    if (isRepetition)
      failSyntax('missing argument to repetition operator', this.#source.slice(start, this.#at));
    const character = this.#take();
    switch (character) {
      case '(':
        return this.#group();
      case '[':
        return this.#class();
      case '.':
        return { type: 'set', ranges: this.#flags.dotAll ? [0, codePointMax] : negateRanges([10, 10]) };
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
        failSyntax('invalid or unsupported Perl syntax', this.#source.slice(start, start + 3));
      }
    }
    const node = this.#alternate();
    if (this.#peek() !== ')') failSyntax('missing closing )', this.#source);
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
    if (letter === undefined) failSyntax('trailing backslash at end of expression', '');
    if (Object.hasOwn(perlClasses, letter)) {
      this.#at++;
      return perlClasses[letter];
    }
    if (letter !== 'p' && letter !== 'P') return undefined;
    const name = /^[pP](?:\{(\^?)([^}]{1,64})\}|([A-Z]))/.exec(this.#source.slice(this.#at, this.#at + 70));
    if (name === null) failSyntax('invalid character class range', this.#source.slice(this.#at - 1));
    this.#at += name[0].length;
    const ranges = unicodeClass((name[2] ?? name[3]) as string, `\\${name[0]}`);
    return (letter === 'P') !== (name[1] === '^') ? negateRanges(ranges) : ranges;
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
        failSyntax('invalid escape sequence', this.#source.slice(start, start + 4));
      this.#at += hex[0].length;
      return code;
    }
    if (character >= '0' && character <= '7') {
      const octal = /^[0-7]{1,3}/.exec(this.#source.slice(this.#at - 1, this.#at + 2))?.[0] as string;
      // A single digit but 0 would be a back-reference, which no linear-time engine has.
      if (character !== '0' && octal.length < 2) failSyntax('invalid escape sequence', `\\${character}`);
      this.#at += octal.length - 1;
      return Number.parseInt(octal, 8);
    }
    const code = character.codePointAt(0) as number;
    if (code < 0x80 && !/[A-Za-z0-9_]/.test(character)) return code;
    return failSyntax('invalid escape sequence', `\\${character}`);
  }

  #class(): RegexpNode {
    const start = this.#at - 1;
    const negated = this.#peek() === '^';
    if (negated) this.#at++;
    const ranges: number[] = [];
    for (let first = true; ; first = false) {
      const character = this.#peek();
      if (character === undefined) failSyntax('missing closing ]', this.#source.slice(start));
      if (character === ']' && !first) break;
      const posix = /^\[:(\^?)([a-z]+):\]/.exec(this.#source.slice(this.#at, this.#at + 16));
      if (posix !== null) {
        const named = posixClasses[posix[2] as string];
        if (named === undefined) failSyntax('invalid character class range', posix[0]);
        ranges.push(...(posix[1] === '^' ? negateRanges(named) : named));
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
        if (high < low) failSyntax('invalid character class range', this.#source.slice(from, this.#at));
      }
      ranges.push(low, high);
    }
    this.#at++;
    return this.#set(this.#source.slice(start, this.#at), ranges, negated);
  }

  #classCharacter(classStart: number): number {
    if (this.#at >= this.#source.length) failSyntax('missing closing ]', this.#source.slice(classStart));
    const character = this.#take();
    if (character !== '\\') return character.codePointAt(0) as number;
    if (this.#at >= this.#source.length) failSyntax('trailing backslash at end of expression', '');
    return this.#characterEscape();
  }
}

/** Parses the syntax of Go's regexp package (RE2); throws RegexpSyntaxError in that package's words. */
export function parseGoRegexp(source: string): RegexpNode {
  return new Parser(source).parse();
}
