import { createHmac, timingSafeEqual } from 'node:crypto';
import { type ApiError, badRequest } from '#apimachinery/api-error.ts';
import { decodeJson, MalformedJson } from '#apimachinery/decode-json.ts';

/** Where a list goes on (L4). */
export interface ContinuePosition {
  /** The revision of the first page; 0 = whatever is current (after an expired token). */
  readonly revision: number;
  /** The last key of the page before, relative to the list's prefix. */
  readonly after: string;
}

const tokenVersion = 1;
const tokenCharsMax = 4096;

/**
 * Continue tokens are opaque and bound to the list that they came from: the same store, prefix (workspace, resource,
 * namespace) and selectors. A token shows its holder nothing but the name that the page ended with, and any other use
 * of it, or any change to it, is a 400.
 */
export class ContinueTokens {
  readonly #key: string;

  constructor(controlPlaneId: string) {
    this.#key = `continue:${controlPlaneId}`;
  }

  encode(position: ContinuePosition, prefix: string, selection: string): string {
    const { revision, after } = position;
    const seal = this.#seal(position, prefix, selection);
    return Buffer.from(JSON.stringify({ v: tokenVersion, r: revision, k: after, s: seal })).toString(
      'base64url',
    );
  }

  decode(token: string, prefix: string, selection: string): ContinuePosition {
    const position = parse(token);
    const expected = this.#seal(position, prefix, selection);
    const given = Buffer.from(position.seal);
    if (given.length !== expected.length || !timingSafeEqual(given, Buffer.from(expected))) {
      throw invalidToken();
    }
    return position;
  }

  #seal({ revision, after }: ContinuePosition, prefix: string, selection: string): string {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([tokenVersion, revision, after, prefix, selection]))
      .digest('base64url')
      .slice(0, 16);
  }
}

function parse(token: string): ContinuePosition & { readonly seal: string } {
  if (token.length > tokenCharsMax) throw invalidToken();
  const foreign = /[^A-Za-z0-9_-]/.exec(token);
  if (foreign !== null) throw invalidToken(`illegal base64 data at input byte ${foreign.index}`);
  let value: unknown;
  try {
    value = decodeJson(Buffer.from(token, 'base64url')).value;
  } catch (error) {
    throw invalidToken(error instanceof MalformedJson ? error.why : '');
  }
  if (typeof value !== 'object' || value === null) throw invalidToken();
  const { v, r, k, s } = value as { v?: unknown; r?: unknown; k?: unknown; s?: unknown };
  if (v !== tokenVersion || typeof r !== 'number' || !Number.isSafeInteger(r) || r < 0) throw invalidToken();
  if (typeof k !== 'string' || typeof s !== 'string') throw invalidToken();
  return { revision: r, after: k, seal: s };
}

/** 400 (storage `DecodeContinue`). */
function invalidToken(why = ''): ApiError {
  return badRequest(`invalid continue token: continue key is not valid${why === '' ? '' : `: ${why}`}`);
}
