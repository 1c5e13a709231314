import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { buildConnector } from 'undici';
import type { ConnectionLimits, ServerConnection } from './connection.ts';
import { tlsOptions } from './connection.ts';
import { openTunnel } from './tunnel.ts';

/** Makes a connection whose bytes are HTTP's at once: no TLS, no proxy on the way. */
export type PlainConnector = () => Promise<Duplex>;

/** How undici is to reach the server. `plain`: instead of sockets of the operating system. */
export function connectorOf(
  connection: ServerConnection,
  limits: ConnectionLimits,
  plain: PlainConnector | undefined,
): buildConnector.connector {
  const connect = plain === undefined ? socketConnector(connection, limits) : plainConnector(plain);
  return (target, callback) => {
    connect(target, (...result) => {
      result[1]?.on('error', nameBreak);
      callback(...result);
    });
  };
}

/**
 * Undici takes ECONNRESET within an answer that ends with its connection for the end of that answer, which may then lack its
 * rest (RFC 9112, 8), and fails an assertion, which ends the process, when nobody was reading just then. Under its own name
 * for a lost connection it is an error of the call like any other. Told before undici's listener.
 */
function nameBreak(error: NodeJS.ErrnoException): void {
  if (error.code === 'ECONNRESET') error.code = 'UND_ERR_SOCKET';
}

function plainConnector(plain: PlainConnector): buildConnector.connector {
  return (_target, callback) => {
    plain().then(
      (duplex) => callback(null, duplex as Socket),
      (error: Error) => callback(error, null),
    );
  };
}

function socketConnector(
  connection: ServerConnection,
  { connectTimeoutMs }: ConnectionLimits,
): buildConnector.connector {
  const connect = buildConnector({ ...tlsOptions(connection), timeout: connectTimeoutMs });
  const { proxyUrl } = connection;
  if (proxyUrl === undefined) return connect;
  return (target, callback) => {
    const port = target.port === '' ? (target.protocol === 'https:' ? 443 : 80) : Number(target.port);
    const host = target.hostname.replace(/^\[|\]$/g, '');
    openTunnel(proxyUrl, { host, port }, connectTimeoutMs).then(
      (socket) => {
        if (target.protocol === 'https:') connect({ ...target, httpSocket: socket }, callback);
        else callback(null, socket);
      },
      (error: Error) => callback(error, null),
    );
  };
}
