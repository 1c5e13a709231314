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
   * Told the size of each answer and of each watch event before it is decoded, which waits for what it returns. Absent: nothing
   * waits.
   */
  readonly pace?: ((bytes: number, signal: AbortSignal) => Promise<void> | undefined) | undefined;
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

export function tlsOptions(connection: ServerConnection): {
  ca?: string;
  cert?: string;
  key?: string;
  servername?: string;
  rejectUnauthorized: boolean;
} {
  return {
    ...(connection.caPem === undefined ? {} : { ca: connection.caPem }),
    ...(connection.certificatePem === undefined ? {} : { cert: connection.certificatePem }),
    ...(connection.keyPem === undefined ? {} : { key: connection.keyPem }),
    ...(connection.tlsServerName === undefined ? {} : { servername: connection.tlsServerName }),
    rejectUnauthorized: connection.insecureSkipTlsVerify !== true,
  };
}
