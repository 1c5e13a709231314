import { createHmac, timingSafeEqual } from 'node:crypto';
import { type ApiError, badRequest } from '#apimachinery/api-error.ts';
import { decodeJson, MalformedJson } from '#apimachinery/decode-json.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { wordFor } from '../request/go-words.ts';

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
  const illegal = illegalBase64(token);
  if (illegal !== undefined) throw invalidToken(`illegal base64 data at input byte ${illegal}`);
  let value: JsonValue;
  try {
    ({ value } = decodeJson(Buffer.from(token, 'base64url')));
  } catch (error) {
    throw invalidToken(error instanceof MalformedJson ? error.why : '');
  }
  if (value !== null && !isJsonObject(value)) {
    throw invalidToken(
      `json: cannot unmarshal ${wordFor(value)} into Go value of type storage.continueToken`,
    );
  }
  const { v, r, k, s } = value ?? {};
  if (typeof v === 'string' || v === undefined || v === null) throw otherVersion(v ?? '', value ?? {});
  if (v !== tokenVersion || typeof r !== 'number' || !Number.isSafeInteger(r) || r < 0) throw invalidToken();
  if (typeof k !== 'string' || typeof s !== 'string') throw invalidToken();
  return { revision: r, after: k, seal: s };
}

/** Where Go's unpadded decoder stops: at a foreign character, or behind one that is left over. */
function illegalBase64(token: string): number | undefined {
  const text = token.replace(/[\r\n]/g, '');
  const foreign = /[^A-Za-z0-9_-]/.exec(token.replace(/[\r\n]/g, '-'));
  if (foreign !== null) return foreign.index;
  return text.length % 4 === 1 ? token.length - 1 : undefined;
}

/**
 * 400 for a token of another server. Kubernetes' own (`meta.k8s.io/v1`) is read as far as Kubernetes reads it, so that
 * what is wrong with it is told in the same words; one that it would take is of another store.
 */
function otherVersion(version: string, { rv, start }: JsonObject): ApiError {
  for (const [field, given, type] of [
    ['rv', rv, 'int64'],
    ['start', start, 'string'],
  ] as const) {
    if (given === undefined || given === null) continue;
    if (typeof given === (type === 'string' ? 'string' : 'number')) continue;
    return invalidToken(
      `json: cannot unmarshal ${wordFor(given)} into Go struct field continueToken.${field} of type ${type}`,
    );
  }
  if (version !== kubernetesVersion) {
    return invalidToken(`server does not recognize this encoded version ${version}`);
  }
  if (!rv) return invalidToken('incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  if (!start) return invalidToken('encoded start key empty (version meta.k8s.io/v1)');
  return invalidToken(String(start));
}

const kubernetesVersion = 'meta.k8s.io/v1';

/** 400 (storage `DecodeContinue`). */
function invalidToken(why = ''): ApiError {
  return badRequest(`invalid continue token: continue key is not valid${why === '' ? '' : `: ${why}`}`);
}
