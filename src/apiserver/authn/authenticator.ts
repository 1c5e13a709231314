import { ApiError } from '#apimachinery/api-error.ts';
import type { UserInfo } from '../request/user.ts';

/** The client certificate of a connection, looked at once when the connection is first used. */
export interface PeerCertificate {
  /** What TLS found against the client CA: chain, validity when the connection was made, use as a client. */
  readonly verified: boolean;
  /** Undefined when the subject has no common name: such a certificate names nobody. */
  readonly commonName: string | undefined;
  readonly organizations: readonly string[];
  /** Milliseconds since 1970. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SHA-256 over the DER form, lower-case hex. */
  readonly fingerprint: string;
  /** DER of the certificate and those above it, as far as they are known; empty where nobody asks for it. */
  readonly chain: readonly Buffer[];
}

/** What a request offers to prove who sends it. */
export interface Credentials {
  readonly certificate: PeerCertificate | undefined;
  readonly bearerToken: string | undefined;
  /** `hashToken` of the bearer token, when the connection has it at hand: clients send the same token each time. */
  readonly tokenHash?: string | undefined;
  /** Names and values by turns, as they were sent; only where an authenticator reads them. */
  readonly rawHeaders?: readonly string[] | undefined;
}

/**
 * Tells who asks: undefined when the credentials hold nothing for this authenticator; throws ApiError Unauthorized when
 * they do and it is not valid (KUBERNETES.md U1). Synchronous where the answer is in memory.
 */
export interface Authenticator {
  /** Whether it looks at `rawHeaders` and at certificates' `chain`, which cost something. */
  readonly readsHeaders?: boolean | undefined;
  /** The only paths, as the client asked for them, on which requests are the anonymous user's; undefined: all. */
  readonly anonymousPaths?: ReadonlySet<string> | undefined;
  authenticate(credentials: Credentials): UserInfo | undefined | Promise<UserInfo | undefined>;
}

/** One kind of bearer token. Returns undefined for a token of another kind, throws Unauthorized for a bad one of its own. */
export interface TokenAuthenticator {
  /** `audiences` empty: those of the API server itself. `hash`: `hashToken(token)`, when the caller knows it. */
  authenticateToken(
    token: string,
    audiences: readonly string[],
    hash?: string,
  ): AuthenticatedToken | undefined | Promise<AuthenticatedToken | undefined>;
}

export interface AuthenticatedToken {
  readonly user: UserInfo;
  /** Those of the audiences asked for that the token is meant for. */
  readonly audiences: readonly string[];
}

/** 401, with nothing that tells why: that is for the log. */
export function unauthorized(cause?: string): ApiError {
  return new ApiError('Unauthorized', 'Unauthorized', cause === undefined ? {} : { cause });
}
