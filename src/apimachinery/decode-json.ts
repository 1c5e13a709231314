import { isAscii, isUtf8 } from 'node:buffer';
import { ApiError, badRequest } from './api-error.ts';
import type { JsonValue } from './json.ts';
import { scanJson } from './json-scan.ts';

export interface DecodedJson {
  readonly value: JsonValue;
  /** Members of all objects as the text has them, repeated ones each time; undefined where nobody counted. */
  readonly members?: number | undefined;
  /**
   * Dotted paths of members given twice (KUBERNETES.md C9); the last one's value stands. To be called before `value`
   * is changed. Costs a walk over `value`, and more only where there are duplicates.
   */
  duplicateFields(): readonly string[];
}

/** Deeper nesting is refused: everything that walks decoded values recurses, and no real manifest comes near. */
export const jsonDepthMax = 500;

const quote = 0x22;
const backslash = 0x5c;

/** 1 = string quote, 2 = opening bracket, 3 = closing bracket, 4 = colon. */
const interesting = new Uint8Array(256);
interesting[0x22] = 1;
interesting[0x7b] = 2;
interesting[0x5b] = 2;
interesting[0x7d] = 3;
interesting[0x5d] = 3;
interesting[0x3a] = 4;

/**
 * Counts members; throws when nested too deeply. Anything may come out of a text that is not JSON: it is parsed next.
 * `text`: the same, where it has a character for each byte; the ends of strings, which most of it is, are then looked for
 * many bytes at a time.
 */
function countMembers(bytes: Buffer, text: string | undefined): number {
  const length = bytes.length;
  let members = 0;
  let depth = 0;
  for (let at = 0; at < length; at++) {
    switch (interesting[bytes[at] as number]) {
      case 1:
        at = text === undefined ? stringEnd(bytes, at) : stringEndIn(text, bytes, at);
        break;
      case 2:
        if (++depth > jsonDepthMax)
          throw badRequest(`JSON is nested deeper than ${jsonDepthMax} levels, at offset ${at}`);
        break;
      case 3:
        depth--;
        break;
      case 4:
        members++;
        break;
      default:
    }
  }
  return members;
}

/** Where the string that begins at `at` ends; behind the last byte when it does not. */
function stringEnd(bytes: Buffer, at: number): number {
  let end = at + 1;
  let byte = bytes[end];
  while (byte !== quote && byte !== undefined) {
    if (byte === backslash) end++;
    byte = bytes[++end];
  }
  return end;
}

function stringEndIn(text: string, bytes: Buffer, at: number): number {
  let end = text.indexOf('"', at + 1);
  while (end >= 0) {
    // A quote is one of the string's own behind an odd number of backslashes.
    let before = end - 1;
    while (bytes[before] === backslash) before--;
    if ((end - before) % 2 === 1) return end;
    end = text.indexOf('"', end + 1);
  }
  return bytes.length;
}

/** The number of members of all objects in a value. */
export function membersOf(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return 0;
  let members = 0;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object') members += membersOf(item);
    return members;
  }
  for (const key in value) {
    members++;
    const item = value[key];
    if (typeof item === 'object' && item !== null) members += membersOf(item);
  }
  return members;
}

const dangerousKey = '__proto__';

function hasDangerousKey(value: JsonValue | undefined): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(hasDangerousKey);
  if (Object.hasOwn(value, dangerousKey)) return true;
  for (const key in value) if (hasDangerousKey(value[key])) return true;
  return false;
}

const surrogateEscape = /\\u[dD][89a-fA-F]/;
const loneSurrogate = /\p{Surrogate}/gu;

/** Halves of characters, which escapes can spell and UTF-8 cannot, are no characters (encoding/json unquote). */
function wellFormed(value: JsonValue): JsonValue {
  if (typeof value === 'string') return value.replace(loneSurrogate, '\ufffd');
  if (Array.isArray(value)) return value.map(wellFormed);
  if (typeof value !== 'object' || value === null) return value;
  const object: { [key: string]: JsonValue } = {};
  for (const key in value) object[key.replace(loneSurrogate, '\ufffd')] = wellFormed(value[key] ?? null);
  return object;
}

/** An own key `__proto__` would turn into a prototype at the first copy: nothing in Kubernetes is called that. */
export function refuseDangerousKeys(value: JsonValue): void {
  if (hasDangerousKey(value)) throw badRequest(`field name "${dangerousKey}" is not allowed`);
}

/**
 * Decodes one JSON text. Throws ApiError BadRequest, with the offset, when it is not valid UTF-8 or JSON, nested
 * deeper than `jsonDepthMax`, or holds a key `__proto__` in any spelling. The size is for the caller to bound
 * (KUBERNETES.md O4).
 */
export function decodeJson(bytes: Buffer): DecodedJson {
  // One byte a character is told and read faster than UTF-8, and mostly it is all there is.
  const ascii = isAscii(bytes) ? bytes.toString('latin1') : undefined;
  const members = countMembers(bytes, ascii);
  const text = ascii ?? utf8Text(bytes);
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (error) {
    throw parseError(bytes, error);
  }
  if (text.includes(dangerousKey)) refuseDangerousKeys(value);
  else if (text.includes('\\u')) {
    // An escape may spell it too: only then is the value walked.
    if (text.includes('\\u00')) refuseDangerousKeys(value);
    if (surrogateEscape.test(text)) value = wellFormed(value);
  }
  return {
    value,
    members,
    duplicateFields: () => (membersOf(value) === members ? [] : scanJson(bytes).duplicates),
  };
}

/** Decodes JSON that stands in a text of an object: as `decodeJson`, for nobody knows who wrote it. */
export function decodeJsonText(text: string): JsonValue {
  return decodeJson(Buffer.from(text, 'utf8')).value;
}

function utf8Text(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw badRequest('json parse error: the body is not valid UTF-8');
  return bytes.toString('utf8');
}

/** A text that is no JSON. `why` is what Go's encoding/json says of it: without the offset, which the message adds. */
export class MalformedJson extends ApiError {
  readonly why: string;

  constructor(why: string, cause?: unknown) {
    super('BadRequest', `couldn't get version/kind; json parse error: ${why}`, { cause });
    this.why = why.replace(/ at offset \d+$/, '');
  }
}

function parseError(bytes: Buffer, cause: unknown): ApiError {
  let why = cause instanceof Error ? cause.message : String(cause);
  try {
    scanJson(bytes);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    why = error.message;
  }
  return new MalformedJson(why, cause);
}
