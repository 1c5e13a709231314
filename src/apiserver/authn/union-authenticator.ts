import type { TokenVerifier } from '../authz/reviews.ts';
import { anonymousUser, type UserInfo } from '../request/user.ts';
import {
  type AuthenticatedToken,
  type Authenticator,
  type Credentials,
  type TokenAuthenticator,
  unauthorized,
} from './authenticator.ts';

import { hashToken } from './token-file.ts';

/**
 * Every way to authenticate, as one (KUBERNETES.md U1). A valid credential of any kind suffices; a request that offers
 * none is the anonymous user's; one that offers only invalid ones is refused with 401, never taken for anonymous.
 */
export class UnionAuthenticator implements Authenticator, TokenVerifier {
  readonly #authenticators: readonly Authenticator[];
  readonly #tokens: readonly TokenAuthenticator[];
  readonly #allowsAnonymous: boolean;
  readonly anonymousPaths: ReadonlySet<string> | undefined;
  readonly #readsHeaders: boolean;

  get readsHeaders(): boolean {
    return this.#readsHeaders;
  }

  /** `authenticators` look at the connection (client certificates), and come before `tokens`, which look at the bearer. */
  constructor(options: {
    readonly authenticators: readonly Authenticator[];
    readonly tokens: readonly TokenAuthenticator[];
    readonly allowsAnonymous?: boolean | undefined;
    readonly anonymousPaths?: ReadonlySet<string> | undefined;
  }) {
    this.#authenticators = options.authenticators;
    this.#tokens = options.tokens;
    this.#readsHeaders = options.authenticators.some(({ readsHeaders }) => readsHeaders === true);
    this.#allowsAnonymous = options.allowsAnonymous ?? true;
    this.anonymousPaths = options.anonymousPaths;
  }

  authenticate(credentials: Credentials): UserInfo | Promise<UserInfo> {
    let failure: unknown;
    for (const authenticator of this.#authenticators) {
      try {
        const user = authenticator.authenticate(credentials);
        if (user instanceof Promise) return this.#authenticateSlowly(credentials);
        if (user !== undefined) return user;
      } catch (error) {
        failure = error;
      }
    }
    const { bearerToken } = credentials;
    if (bearerToken === undefined) return this.#withoutToken(failure);
    const verified = this.verifyToken(bearerToken, noAudiences, credentials.tokenHash);
    if (verified instanceof Promise) return verified.then(userOf);
    return userOf(verified);
  }

  /** Tries every kind of token; undefined when it is of no known kind. Throws Unauthorized for a bad one. */
  verifyToken(
    token: string,
    audiences: readonly string[],
    hash: string = hashToken(token),
  ): AuthenticatedToken | undefined | Promise<AuthenticatedToken | undefined> {
    let failure: unknown;
    for (let i = 0; i < this.#tokens.length; i++) {
      try {
        const verified = this.#tokens[i]!.authenticateToken(token, audiences, hash);
        if (verified instanceof Promise) return this.#verifySlowly(verified, token, audiences, i + 1);
        if (verified !== undefined) return verified;
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return undefined;
  }

  async #verifySlowly(
    first: Promise<AuthenticatedToken | undefined>,
    token: string,
    audiences: readonly string[],
    next: number,
  ): Promise<AuthenticatedToken | undefined> {
    let failure: unknown;
    try {
      const verified = await first;
      if (verified !== undefined) return verified;
    } catch (error) {
      failure = error;
    }
    for (const authenticator of this.#tokens.slice(next)) {
      try {
        const verified = await authenticator.authenticateToken(token, audiences);
        if (verified !== undefined) return verified;
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return undefined;
  }

  async #authenticateSlowly(credentials: Credentials): Promise<UserInfo> {
    let failure: unknown;
    for (const authenticator of this.#authenticators) {
      try {
        const user = await authenticator.authenticate(credentials);
        if (user !== undefined) return user;
      } catch (error) {
        failure = error;
      }
    }
    if (credentials.bearerToken === undefined) return this.#withoutToken(failure);
    return userOf(await this.verifyToken(credentials.bearerToken, []));
  }

  #withoutToken(failure: unknown): UserInfo {
    if (failure !== undefined) throw failure;
    if (!this.#allowsAnonymous) throw unauthorized('anonymous requests are switched off');
    return anonymousUser;
  }
}

const noAudiences: readonly string[] = [];

function userOf(verified: AuthenticatedToken | undefined): UserInfo {
  if (verified === undefined) throw unauthorized('bearer token of no known kind');
  return verified.user;
}
