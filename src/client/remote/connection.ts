import tls from 'node:tls';

/** How to reach an API server and prove who we are. Plain data, so that it can be compared, stored and reloaded. */
export interface ServerConnection {
  /** `https://host:port`, optionally with a path that comes before every request's path. */
  readonly server: string;
  /** PEM of the authorities to trust; default: the system's. */
  readonly caPem?: string | undefined;
  readonly certificatePem?: string | undefined;
  readonly keyPem?: string | undefined;
  readonly token?: string | undefined;
  /** Where the token was read from, when it may be renewed there (a service account's): for those who read it again. */
  readonly tokenFile?: string | undefined;
  /** Name to verify the certificate against, when it is not the URL's host. */
  readonly tlsServerName?: string | undefined;
  /** `http://`, `https://` or `socks5://`: every connection goes through it. */
  readonly proxyUrl?: string | undefined;
  /** Do not verify the server's certificate. For tests by hand only; says so in the log. */
  readonly insecureSkipTlsVerify?: boolean | undefined;
}

/** What is told to `ConnectionLimits.pace`; `oversize`: it was larger than its limit and has been given up. */
export type ReadKind = 'answer' | 'event' | 'oversize';

export interface ConnectionLimits {
  /** Requests under way at once over HTTP/1.1; further ones wait in order. */
  readonly connectionsMax: number;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Answers larger than this end the call with an error. */
  readonly responseBytesMax: number;
  /** One watch event. */
  readonly watchFrameBytesMax: number;
  /**
   * Told the size of each answer and of each watch event before it is decoded, which waits for what it returns; of what is
   * too large, how much was read of it, for which nothing waits. Absent: nothing waits.
   */
  readonly pace?:
    | ((bytes: number, call: { readonly signal: AbortSignal }, kind: ReadKind) => Promise<void> | undefined)
    | undefined;
  /** An HTTP/2 session is pinged when this long without traffic, and dropped when no answer comes as long again. */
  readonly pingIntervalMs: number;
}

export const defaultConnectionLimits: ConnectionLimits = {
  connectionsMax: 16,
  connectTimeoutMs: 5_000,
  requestTimeoutMs: 30_000,
  responseBytesMax: 256 * 1024 * 1024,
  watchFrameBytesMax: 8 * 1024 * 1024,
  pingIntervalMs: 15_000,
};

/** Parsed certificates and keys: one for all connections that are made of the same description. */
const contexts = new WeakMap<ServerConnection, tls.SecureContext>();

/**
 * How Node is to make a TLS connection. Reading certificates and a key costs more than the handshake that they are for, so
 * that is done once a description; what cannot be read is given as it is, and fails each connection with its reason.
 */
export function tlsOptions(connection: ServerConnection): {
  secureContext?: tls.SecureContext;
  ca?: string;
  cert?: string;
  key?: string;
  servername?: string;
  rejectUnauthorized: boolean;
} {
  return {
    ...secretsOf(connection),
    ...(connection.tlsServerName === undefined ? {} : { servername: connection.tlsServerName }),
    rejectUnauthorized: connection.insecureSkipTlsVerify !== true,
  };
}

function secretsOf(
  connection: ServerConnection,
):
  | { readonly secureContext: tls.SecureContext }
  | { readonly ca?: string; readonly cert?: string; readonly key?: string } {
  const known = contexts.get(connection);
  if (known !== undefined) return { secureContext: known };
  const pems = {
    ...(connection.caPem === undefined ? {} : { ca: connection.caPem }),
    ...(connection.certificatePem === undefined ? {} : { cert: connection.certificatePem }),
    ...(connection.keyPem === undefined ? {} : { key: connection.keyPem }),
  };
  try {
    const secureContext = tls.createSecureContext(pems);
    contexts.set(connection, secureContext);
    return { secureContext };
  } catch {
    return pems;
  }
}
