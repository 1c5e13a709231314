import { type KeyObject, verify } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { Logger } from '#client/logger.ts';
import type { UserInfo } from '../request/user.ts';
import type { JwtIssuer, TextMapping } from './authentication-configuration.ts';
import { type AuthenticatedToken, type TokenAuthenticator, unauthorized } from './authenticator.ts';
import { ClaimExpression } from './claim-expressions.ts';
import { JsonWebKeySet } from './json-web-key-set.ts';
import { decodePart, mayBeJwt, tokenLengthMax, unverifiedClaims } from './jwt.ts';
import { hashToken } from './token-file.ts';
import { withAuthenticated } from './x509.ts';

const verifiedTokensMax = 10_000;
const leewayMs = 10_000;
const reservedPrefix = 'system:';

/** RFC 7518, 3.1: only asymmetric ones, each with the keys that it is made for. */
const algorithms: ReadonlyMap<
  unknown,
  { readonly hash: string; readonly key: string; readonly curve?: string }
> = new Map([
  ['RS256', { hash: 'sha256', key: 'rsa' }],
  ['RS384', { hash: 'sha384', key: 'rsa' }],
  ['RS512', { hash: 'sha512', key: 'rsa' }],
  ['ES256', { hash: 'sha256', key: 'ec', curve: 'prime256v1' }],
  ['ES384', { hash: 'sha384', key: 'ec', curve: 'secp384r1' }],
]);

interface Verified extends AuthenticatedToken {
  readonly notBeforeMs: number;
  readonly expiresAtMs: number;
}

/**
 * KUBERNETES.md U1: the tokens of one OpenID Connect issuer. Names that begin with `system:` are the server's own: a token
 * whose user would have one is refused, groups of that kind are left out.
 */
export class OidcAuthenticator implements TokenAuthenticator {
  readonly #issuer: JwtIssuer;
  readonly #keys: JsonWebKeySet;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #verified = new LRUCache<string, Verified>({ max: verifiedTokensMax });

  constructor(options: { readonly issuer: JwtIssuer; readonly logger: Logger; readonly now?: () => number }) {
    this.#issuer = options.issuer;
    this.#logger = options.logger;
    this.#now = options.now ?? Date.now;
    this.#keys = new JsonWebKeySet({
      ...options.issuer,
      issuer: options.issuer.url,
      now: this.#now,
      onWithdrawn: () => this.#verified.clear(),
    });
  }

  authenticateToken(
    token: string,
    audiences: readonly string[],
    hash: string = hashToken(token),
  ): AuthenticatedToken | undefined | Promise<AuthenticatedToken> {
    const known = this.#verified.get(hash);
    if (known !== undefined) {
      this.#keys.keepFresh();
      return this.#current(known, audiences);
    }
    if (!mayBeJwt(token) || token.length > tokenLengthMax) return undefined;
    if (unverifiedClaims(token)?.['iss'] !== this.#issuer.url) return undefined;
    return this.#verify(token, hash).then((verified) => this.#current(verified, audiences));
  }

  close(): Promise<void> {
    return this.#keys.close();
  }

  #current(verified: Verified, asked: readonly string[]): AuthenticatedToken {
    const now = this.#now();
    if (now > verified.expiresAtMs + leewayMs) throw unauthorized('token is expired');
    if (now < verified.notBeforeMs - leewayMs) throw unauthorized('token is not valid yet');
    if (asked.length === 0) return verified;
    const audiences = verified.audiences.filter((audience) => asked.includes(audience));
    if (audiences.length === 0) throw unauthorized('token is for another audience');
    return { user: verified.user, audiences };
  }

  async #verify(token: string, hash: string): Promise<Verified> {
    const [head = '', body = '', tail = ''] = token.split('.');
    const header = decodePart(head);
    const algorithm = algorithms.get(header?.['alg']);
    if (header === undefined || algorithm === undefined || header['crit'] !== undefined) {
      throw unauthorized('token is signed in a way that is not accepted');
    }
    const key = await this.#key(typeof header['kid'] === 'string' ? header['kid'] : '');
    const fits =
      key?.asymmetricKeyType === algorithm.key &&
      (algorithm.curve === undefined || key.asymmetricKeyDetails?.namedCurve === algorithm.curve);
    if (key === undefined || !fits) throw unauthorized('token is signed with no key of its issuer');
    const signature = Buffer.from(tail, 'base64url');
    const signed = Buffer.from(`${head}.${body}`);
    if (!verify(algorithm.hash, signed, { key, dsaEncoding: 'ieee-p1363' }, signature)) {
      throw unauthorized('token has a wrong signature');
    }
    const claims = decodePart(body);
    if (claims === undefined) throw unauthorized('token has no claims');
    const verified = this.#mapped(claims);
    this.#verified.set(hash, verified);
    return verified;
  }

  async #key(id: string): Promise<KeyObject | undefined> {
    try {
      return await this.#keys.key(id);
    } catch (error) {
      this.#logger.warn({ err: error, issuer: this.#issuer.url }, 'keys of a token issuer cannot be had');
      throw unauthorized('keys of the issuer cannot be had');
    }
  }

  #mapped(claims: JsonObject): Verified {
    const { audiences, requiredClaims, claimRules, userRules } = this.#issuer;
    const { aud, exp, nbf } = claims;
    if (typeof exp !== 'number') throw unauthorized('token never expires');
    const given = Array.isArray(aud) ? aud : [aud];
    const matched = audiences.filter((audience) => given.includes(audience));
    if (matched.length === 0) throw unauthorized('token is for another audience');
    for (const [claim, value] of requiredClaims) {
      if (claims[claim] !== value) throw unauthorized(`claim ${claim} is not as required`);
    }
    for (const { expression, message } of claimRules) {
      if (!expression.holds(claims)) throw unauthorized(message || `${expression.source} does not hold`);
    }
    const user = userOf(claims, this.#issuer);
    for (const { expression, message } of userRules) {
      if (!expression.holds(user)) throw unauthorized(message || 'the user is not as required');
    }
    const notBeforeMs = typeof nbf === 'number' ? nbf * 1000 : Number.NEGATIVE_INFINITY;
    return { user, audiences: matched, notBeforeMs, expiresAtMs: exp * 1000 };
  }
}

function userOf(claims: JsonObject, issuer: JwtIssuer): UserInfo {
  const name = nameOf(claims, issuer.username);
  if (name.startsWith(reservedPrefix)) throw unauthorized(`no issuer may name a user ${reservedPrefix}`);
  const uid = uidOf(claims, issuer.uid);
  const extra = new Map<string, readonly string[]>();
  for (const { key, value } of issuer.extra) {
    const texts = value.texts(claims).filter((text) => text !== '');
    if (texts.length > 0) extra.set(key, texts);
  }
  const groups = groupsOf(claims, issuer.groups).filter((group) => !group.startsWith(reservedPrefix));
  return { name, ...(uid === undefined ? {} : { uid }), groups: withAuthenticated(groups), extra };
}

function nameOf(claims: JsonObject, mapping: TextMapping): string {
  if (mapping instanceof ClaimExpression) {
    const name = mapping.text(claims);
    if (name === '') throw unauthorized('the expression of the name gives none');
    return name;
  }
  const { claim, prefix } = mapping;
  const subject = claims[claim];
  if (typeof subject !== 'string' || subject === '') throw unauthorized(`token has no ${claim}`);
  const { email_verified: verified } = claims;
  if (claim === 'email' && verified !== undefined && verified !== true) {
    throw unauthorized('email is not verified');
  }
  return prefix + subject;
}

function groupsOf(claims: JsonObject, mapping: TextMapping | undefined): readonly string[] {
  if (mapping === undefined) return [];
  if (mapping instanceof ClaimExpression) return mapping.texts(claims);
  return textsOf(claims[mapping.claim]).map((group) => mapping.prefix + group);
}

function uidOf(claims: JsonObject, mapping: JwtIssuer['uid']): string | undefined {
  if (mapping === undefined) return undefined;
  if (mapping instanceof ClaimExpression) return mapping.text(claims);
  const uid = claims[mapping.claim];
  return typeof uid === 'string' ? uid : undefined;
}

/** A claim of groups is a list of texts or one text. */
function textsOf(claim: JsonValue | undefined): readonly string[] {
  if (typeof claim === 'string') return [claim];
  return Array.isArray(claim) ? claim.filter((one) => typeof one === 'string') : [];
}
