import { LRUCache } from 'lru-cache';
import { componentUserPrefix } from '../authz/components.ts';
import type { UserInfo } from '../request/user.ts';
import { type AuthenticatedToken, type TokenAuthenticator, unauthorized } from './authenticator.ts';
import { mayBeJwt, type SigningKey, unverifiedClaims, verifiedClaims } from './jwt.ts';
import { hashToken } from './token-file.ts';
import { withAuthenticated } from './x509.ts';

const issuer = 'cellplane';
const verifiedTokensMax = 1_000;

/**
 * Bearer tokens for our own processes (scheduler, federators) where a client certificate does not get through, as behind
 * a TLS-terminating proxy. Only names below `system:cellplane:` can be issued or accepted.
 */
export class ComponentTokens implements TokenAuthenticator {
  readonly #keys: readonly SigningKey[];
  readonly #now: () => number;
  readonly #verified = new LRUCache<string, { user: UserInfo; expiresAtMs: number }>({
    max: verifiedTokensMax,
  });

  /** The first key signs; all verify. */
  constructor(keys: readonly SigningKey[], now: () => number = Date.now) {
    this.#keys = keys;
    this.#now = now;
  }

  /** Throws RangeError for a name that is no component's. */
  issue(options: {
    readonly name: string;
    readonly groups: readonly string[];
    readonly expirationSeconds: number;
  }): string {
    if (!options.name.startsWith(componentUserPrefix)) {
      throw new RangeError(`${options.name} is not a component's name: ${componentUserPrefix}…`);
    }
    const issuedAt = Math.floor(this.#now() / 1000);
    return this.#keys[0]!.sign({
      iss: issuer,
      aud: issuer,
      iat: issuedAt,
      exp: issuedAt + options.expirationSeconds,
      sub: options.name,
      groups: [...options.groups],
    });
  }

  authenticateToken(
    token: string,
    audiences: readonly string[],
    hash = hashToken(token),
  ): AuthenticatedToken | undefined {
    const verified = this.#verified.get(hash) ?? this.#verify(token);
    if (verified === undefined) return undefined;
    if (this.#now() >= verified.expiresAtMs) throw unauthorized('component token has expired');
    if (audiences.length > 0 && !audiences.includes(issuer))
      throw unauthorized('not meant for this audience');
    this.#verified.set(hash, verified);
    return { user: verified.user, audiences: [issuer] };
  }

  #verify(token: string): { user: UserInfo; expiresAtMs: number } | undefined {
    if (!mayBeJwt(token) || unverifiedClaims(token)?.['iss'] !== issuer) return undefined;
    const claims = verifiedClaims(token, this.#keys);
    const { sub, exp, aud, groups } = claims ?? {};
    const isValid =
      typeof sub === 'string' &&
      sub.startsWith(componentUserPrefix) &&
      aud === issuer &&
      typeof exp === 'number' &&
      Array.isArray(groups);
    if (!isValid) throw unauthorized('component token is not valid');
    const names = groups.filter((one): one is string => typeof one === 'string');
    return {
      user: { name: sub, groups: withAuthenticated(names), extra: new Map() },
      expiresAtMs: exp * 1000,
    };
  }
}
