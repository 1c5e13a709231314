import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';

/** A key pair that signs tokens with ES256 (RFC 7518 3.4), named by the hash of its public half. */
export class SigningKey {
  readonly keyId: string;
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;

  /** `privateKey`: P-256. */
  constructor(privateKey: KeyObject) {
    this.#privateKey = privateKey;
    this.#publicKey = createPublicKey(privateKey);
    const spki = this.#publicKey.export({ type: 'spki', format: 'der' });
    this.keyId = createHash('sha256').update(spki).digest('base64url');
  }

  /** A compact JWS (RFC 7515) over the claims. */
  sign(claims: JsonObject): string {
    const header = encodePart({ alg: 'ES256', kid: this.keyId, typ: 'JWT' });
    const signed = `${header}.${encodePart(claims)}`;
    const signature = sign('sha256', Buffer.from(signed), {
      key: this.#privateKey,
      dsaEncoding: 'ieee-p1363',
    });
    return `${signed}.${signature.toString('base64url')}`;
  }

  verifies(signed: string, signature: Buffer): boolean {
    return verify(
      'sha256',
      Buffer.from(signed),
      { key: this.#publicKey, dsaEncoding: 'ieee-p1363' },
      signature,
    );
  }

  /** RFC 7517. */
  toJwk(): JsonObject {
    const { kty, crv, x, y } = this.#publicKey.export({ format: 'jwk' });
    return { use: 'sig', kty: kty!, kid: this.keyId, crv: crv!, alg: 'ES256', x: x!, y: y! };
  }
}

/** A longer token is nobody's: ours stay below 2 KiB. */
export const tokenLengthMax = 16 * 1024;

/** Every JWT begins with an encoded `{"`: the quick way to leave other tokens alone. */
export function mayBeJwt(token: string): boolean {
  return token.startsWith('ey');
}

/** The claims without any check, or undefined when the token is no JWT at all: to see whose it claims to be. */
export function unverifiedClaims(token: string): JsonObject | undefined {
  if (token.length > tokenLengthMax) return undefined;
  const parts = token.split('.');
  return parts.length === 3 ? decodePart(parts[1]!) : undefined;
}

/** The claims if one of the keys signed the token with ES256 and the header says so; times are not looked at. */
export function verifiedClaims(token: string, keys: readonly SigningKey[]): JsonObject | undefined {
  if (token.length > tokenLengthMax) return undefined;
  const [head = '', body = '', tail = '', ...more] = token.split('.');
  if (more.length > 0) return undefined;
  const header = decodePart(head);
  // The algorithm is ours to choose, never the token's (RFC 8725 3.1).
  if (header?.['alg'] !== 'ES256' || header['crit'] !== undefined) return undefined;
  const signature = Buffer.from(tail, 'base64url');
  if (signature.length !== 64) return undefined;
  const key = keys.find((one) => one.keyId === header['kid']);
  if (key === undefined || !key.verifies(`${head}.${body}`, signature)) return undefined;
  return decodePart(body);
}

function encodePart(value: JsonObject): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** The header or the claims of a token; undefined for what is none. */
export function decodePart(part: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
