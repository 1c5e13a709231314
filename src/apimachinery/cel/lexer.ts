import { CelSyntaxError, describeError } from './ast.ts';
import { Uint, type Value } from './values.ts';

export interface Token {
  readonly type: 'ident' | 'quoted' | 'literal' | 'punctuation' | 'end';
  /** Of identifiers and punctuation. */
  readonly text: string;
  readonly value: Value | undefined;
  readonly at: number;
  /** An integer literal without its sign: 9223372036854775808 is only good after a minus. */
  readonly magnitude?: bigint | undefined;
}

const punctuation = [
  '<=',
  '>=',
  '==',
  '!=',
  '&&',
  '||',
  '?',
  '[',
  ']',
  '{',
  '}',
  '(',
  ')',
  '.',
  ',',
  '-',
  '!',
  '+',
  '*',
  '/',
  '%',
  '<',
  '>',
  ':',
];
const number =
  /(0x[0-9a-fA-F]+)([uU]?)|((?:[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?)|(?:[0-9]+[eE][+-]?[0-9]+)|(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?))|([0-9]+)([uU]?)/y;
const identifier = /[_a-zA-Z][_a-zA-Z0-9]*/y;
const quotedIdentifier = /`([a-zA-Z0-9_.\-/ ]+)`/y;
const stringStart = /([rR]?[bB]?|[bB][rR])("""|'''|"|')/y;
const blank = /(?:[ \t\r\n\f]|\/\/[^\n]*)+/y;

const simpleEscapes: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '\\': 92,
  "'": 39,
  '"': 34,
  '`': 96,
  '?': 63,
};

export const intMax = (1n << 63n) - 1n;
export const intMin = -(1n << 63n);
export const uintMax = (1n << 64n) - 1n;

/**
 * The tokens of an expression (CEL specification, Syntax), without what is none; that stands in `errors`, in the words
 * of cel-go. Throws CelSyntaxError for numbers and texts that have no value.
 */
export function tokens(source: string): {
  readonly list: readonly Token[];
  readonly errors: readonly string[];
} {
  const list: Token[] = [];
  const scanner = new Scanner(source);
  for (;;) {
    const token = scanner.next();
    if (token === undefined) continue;
    list.push(token);
    if (token.type === 'end') return { list, errors: scanner.errors };
  }
}

/** Signs that are only good when they are doubled. */
const halves = new Set(['&', '|', '=']);

class Scanner {
  readonly errors: string[] = [];
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  /** The next token; undefined where there is none, which has been told. */
  next(): Token | undefined {
    this.#match(blank);
    const at = this.#at;
    if (at >= this.#source.length) return { type: 'end', text: '<EOF>', value: undefined, at };
    const quoted = this.#match(stringStart);
    if (quoted !== undefined) {
      const prefix = (quoted[1] ?? '').toLowerCase();
      return this.#string(at, prefix.includes('r'), prefix.includes('b'), quoted[2] as string);
    }
    const name = this.#match(identifier);
    if (name !== undefined) return { type: 'ident', text: name[0], value: undefined, at };
    const digits = this.#match(number);
    if (digits !== undefined) return this.#number(digits, at);
    const escaped = this.#match(quotedIdentifier);
    if (escaped !== undefined) return { type: 'quoted', text: escaped[1] as string, value: undefined, at };
    for (const text of punctuation) {
      if (!this.#source.startsWith(text, at)) continue;
      this.#at += text.length;
      return { type: 'punctuation', text, value: undefined, at };
    }
    const char = String.fromCodePoint(this.#source.codePointAt(at) as number);
    return this.#unrecognized(at, at + char.length + (halves.has(char) ? 1 : 0));
  }

  /** What begins no token is left out up to where that shows, as ANTLR recovers. */
  #unrecognized(from: number, to: number): undefined {
    const shown = this.#source.slice(from, to);
    this.errors.push(
      describeError(this.#source, from, `Syntax error: token recognition error at: '${shown}'`),
    );
    this.#at = Math.min(to, this.#source.length);
    return undefined;
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source);
    if (found === null) return undefined;
    this.#at += found[0].length;
    return found;
  }

  #error(at: number, message: string): CelSyntaxError {
    return new CelSyntaxError(describeError(this.#source, at, message));
  }

  #number(found: RegExpExecArray, at: number): Token {
    const [, hex, hexUnsigned, double, decimal, unsigned] = found;
    if (double !== undefined) {
      const value = Number(double);
      if (!Number.isFinite(value)) throw this.#error(at, 'invalid double literal');
      return { type: 'literal', text: found[0], value, at };
    }
    const magnitude = BigInt(hex ?? (decimal as string));
    const isUnsigned = (hexUnsigned ?? '') !== '' || (unsigned ?? '') !== '';
    if (isUnsigned) {
      if (magnitude > uintMax) throw this.#error(at, 'invalid uint literal');
      return { type: 'literal', text: found[0], value: new Uint(magnitude), at };
    }
    if (magnitude > intMax + 1n) throw this.#error(at, 'invalid int literal');
    return { type: 'literal', text: found[0], value: magnitude, magnitude, at };
  }

  #string(at: number, isRaw: boolean, isBytes: boolean, quote: string): Token | undefined {
    const parts: number[] = [];
    const isTriple = quote.length === 3;
    const source = this.#source;
    const text: string[] = [];
    let runStart = this.#at;
    const flush = (end: number): void => {
      if (end === runStart) return;
      const run = source.slice(runStart, end);
      if (isBytes) parts.push(...Buffer.from(run, 'utf8'));
      else text.push(run);
    };
    for (;;) {
      if (this.#at >= source.length) return this.#unterminated(at, isBytes, isTriple);
      if (source.startsWith(quote, this.#at)) break;
      const char = source[this.#at] as string;
      if (!isTriple && (char === '\n' || char === '\r')) {
        return this.#unrecognized(at, this.#at + 1);
      }
      if (char !== '\\' || isRaw) {
        this.#at++;
        continue;
      }
      flush(this.#at);
      const escaped = this.#escape(at, isBytes);
      if (escaped === undefined) return this.#unrecognized(at, this.#at + 2);
      const { point, isByte } = escaped;
      if (!isBytes) text.push(String.fromCodePoint(point));
      else if (isByte) parts.push(point);
      else parts.push(...Buffer.from(String.fromCodePoint(point), 'utf8'));
      runStart = this.#at;
    }
    flush(this.#at);
    this.#at += quote.length;
    const literal = source.slice(at, this.#at);
    return { type: 'literal', text: literal, value: isBytes ? Uint8Array.from(parts) : text.join(''), at };
  }

  /** Three quotes that are never closed begin with an empty text. */
  #unterminated(at: number, isBytes: boolean, isTriple: boolean): Token | undefined {
    const quotes = isTriple ? this.#source.slice(at).search(/['"]/) : -1;
    if (quotes < 0) return this.#unrecognized(at, this.#source.length);
    this.#at = at + quotes + 2;
    const text = this.#source.slice(at, this.#at);
    return { type: 'literal', text, value: isBytes ? new Uint8Array() : '', at };
  }

  /** Undefined for what is no escape sequence. */
  #escape(
    literalAt: number,
    isBytes: boolean,
  ): { readonly point: number; readonly isByte: boolean } | undefined {
    const at = this.#at;
    const rest = this.#source.slice(at + 1, at + 10);
    const simple = simpleEscapes[rest[0] ?? ''];
    if (simple !== undefined) {
      this.#at += 2;
      return { point: simple, isByte: false };
    }
    const digits =
      /^[xX]([0-9a-fA-F]{2})/.exec(rest) ??
      /^u([0-9a-fA-F]{4})/.exec(rest) ??
      /^U([0-9a-fA-F]{8})/.exec(rest);
    const octal = /^[0-3][0-7]{2}/.exec(rest);
    const found = digits ?? octal;
    const isUnicode = rest[0] === 'u' || rest[0] === 'U';
    if (found === null) return undefined;
    const point = digits === null ? Number.parseInt(found[0], 8) : Number.parseInt(digits[1] as string, 16);
    const isNoPoint = point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff);
    if (isBytes && isUnicode) throw this.#error(literalAt, 'unable to unescape string');
    if (isNoPoint) throw this.#error(literalAt, 'invalid unicode code point');
    this.#at += 1 + found[0].length;
    return { point, isByte: !isUnicode };
  }
}
