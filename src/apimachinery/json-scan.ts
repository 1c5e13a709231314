import { badRequest } from './api-error.ts';

/** Where a JSON text goes wrong, in the words of Go's encoding/json, which Kubernetes shows to its users. */
export interface JsonScan {
  /** Dotted paths of members given more than once in one object: `spec.containers[0].name`. At most 100. */
  readonly duplicates: string[];
}

const duplicatesMax = 100;
const takesNoSpace = /^in (?!string literal)|^after decimal point/;

const whitespace = (byte: number | undefined) =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

const namedEscapes = new Map([...'abtnvfr'].map((letter, index) => [index + 7, `\\${letter}`]));

/** As Go's strconv.Quote shows the character of this number. */
function shownByte(byte: number): string {
  if (byte === 0x27) return "\\'";
  if (byte === 0x5c) return '\\\\';
  const named = namedEscapes.get(byte);
  if (named !== undefined) return named;
  const hex = byte.toString(16).padStart(2, '0');
  if (byte < 0x20 || byte === 0x7f) return `\\x${hex}`;
  const isHidden = (byte > 0x7f && byte <= 0xa0) || byte === 0xad;
  return isHidden ? `\\u00${hex}` : String.fromCharCode(byte);
}

/**
 * Reads a JSON text byte by byte: the slow way, for texts already known to be malformed or to hold duplicate keys.
 * Throws ApiError BadRequest naming the offset of the first byte that is not JSON. Depth must be checked before.
 */
export function scanJson(bytes: Buffer): JsonScan {
  const duplicates: string[] = [];
  let at = 0;

  function fail(where: string): never {
    // Go tries a space to learn whether a text may end where it does (encoding/json scanner.eof).
    const isEnd = at >= bytes.length;
    if (isEnd && !takesNoSpace.test(where))
      throw badRequest(`unexpected end of JSON input at offset ${bytes.length}`);
    const byte = isEnd ? 0x20 : (bytes[at] as number);
    throw badRequest(`invalid character '${shownByte(byte)}' ${where} at offset ${at}`);
  }

  function skipSpace(): void {
    while (whitespace(bytes[at])) at++;
  }

  function scanString(): string {
    const start = at++;
    for (;;) {
      const byte = bytes[at];
      if (byte === undefined) fail('in string literal');
      if (byte === 0x22) break;
      if (byte < 0x20) fail('in string literal');
      if (byte === 0x5c) {
        at++;
        const escaped = bytes[at];
        if (escaped === undefined || !'"\\/bfnrtu'.includes(String.fromCharCode(escaped))) {
          fail('in string escape code');
        }
        if (escaped === 0x75) {
          for (let digit = 0; digit < 4; digit++) {
            at++;
            const hex = bytes[at];
            if (hex === undefined || !/[0-9a-fA-F]/.test(String.fromCharCode(hex))) {
              fail('in \\u hexadecimal character escape');
            }
          }
        }
      }
      at++;
    }
    at++;
    return JSON.parse(bytes.toString('utf8', start, at)) as string;
  }

  function digits(where: string): void {
    const start = at;
    while (at < bytes.length && (bytes[at] as number) >= 0x30 && (bytes[at] as number) <= 0x39) at++;
    if (at === start) fail(where);
  }

  function scanNumber(): void {
    if (bytes[at] === 0x2d) at++;
    if (bytes[at] === 0x30) at++;
    else digits('in numeric literal');
    if (bytes[at] === 0x2e) {
      at++;
      digits('after decimal point in numeric literal');
    }
    if (bytes[at] === 0x65 || bytes[at] === 0x45) {
      at++;
      if (bytes[at] === 0x2b || bytes[at] === 0x2d) at++;
      digits('in exponent of numeric literal');
    }
  }

  function scanLiteral(literal: string): void {
    for (let index = 0; index < literal.length; index++, at++) {
      if (bytes[at] !== literal.charCodeAt(index))
        fail(`in literal ${literal} (expecting '${literal[index]}')`);
    }
  }

  function scanObject(path: string): void {
    const seen = new Set<string>();
    at++;
    skipSpace();
    if (bytes[at] === 0x7d) {
      at++;
      return;
    }
    for (;;) {
      skipSpace();
      if (bytes[at] !== 0x22) fail('looking for beginning of object key string');
      const key = scanString();
      const keyPath = path === '' ? key : `${path}.${key}`;
      if (seen.has(key)) {
        if (duplicates.length < duplicatesMax && !duplicates.includes(keyPath)) duplicates.push(keyPath);
      } else {
        seen.add(key);
      }
      skipSpace();
      if (bytes[at] !== 0x3a) fail('after object key');
      at++;
      scanValue(keyPath);
      skipSpace();
      const next = bytes[at];
      if (next !== 0x2c && next !== 0x7d) fail('after object key:value pair');
      at++;
      if (next === 0x7d) return;
    }
  }

  function scanArray(path: string): void {
    at++;
    skipSpace();
    if (bytes[at] === 0x5d) {
      at++;
      return;
    }
    for (let index = 0; ; index++) {
      scanValue(`${path}[${index}]`);
      skipSpace();
      const next = bytes[at];
      if (next !== 0x2c && next !== 0x5d) fail('after array element');
      at++;
      if (next === 0x5d) return;
    }
  }

  function scanValue(path: string): void {
    skipSpace();
    const byte = bytes[at];
    if (byte === 0x7b) scanObject(path);
    else if (byte === 0x5b) scanArray(path);
    else if (byte === 0x22) scanString();
    else if (byte === 0x2d || (byte !== undefined && byte >= 0x30 && byte <= 0x39)) scanNumber();
    else if (byte === 0x74) scanLiteral('true');
    else if (byte === 0x66) scanLiteral('false');
    else if (byte === 0x6e) scanLiteral('null');
    else fail('looking for beginning of value');
  }

  scanValue('');
  skipSpace();
  if (at < bytes.length) fail('after top-level value');
  return { duplicates };
}
