import type { Http2ServerRequest, Http2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Credentials, PeerCertificate } from '../../authn/authenticator.ts';
import { hashToken } from '../../authn/token-file.ts';
import { peerCertificateOf } from '../../authn/x509.ts';
import type { Exchange } from '../exchange.ts';
import { tokenOfSubprotocols } from '../watches/websocket.ts';

/** What is known of a connection; its certificate cannot change (TLS 1.3 has no renegotiation, Node refuses it). */
interface Connection {
  readonly certificate: PeerCertificate | undefined;
  /** The Authorization header of the last request, and what it came to: clients repeat it. */
  authorization: string | undefined;
  credentials: Credentials;
}

const connections = new WeakMap<TLSSocket | Http2Session, Connection>();

/** What the request offers: the connection's certificate, and the bearer token of its headers. */
export function credentialsOf(exchange: Exchange, readsHeaders = false): Credentials {
  const connection = connectionOf(exchange, readsHeaders);
  const { headers } = exchange.request;
  const { authorization } = headers;
  if (authorization === undefined && exchange.wantsWebSocket) {
    const bearerToken = tokenOfSubprotocols(headers['sec-websocket-protocol']);
    const certificate = connection?.certificate;
    if (!readsHeaders || certificate === undefined) return { certificate, bearerToken };
    return { certificate, bearerToken, rawHeaders: exchange.request.rawHeaders };
  }
  if (connection === undefined) return { certificate: undefined, bearerToken: bearerTokenOf(authorization) };
  if (connection.authorization !== authorization) {
    connection.authorization = authorization;
    const bearerToken = bearerTokenOf(authorization);
    connection.credentials = {
      certificate: connection.certificate,
      bearerToken,
      tokenHash: bearerToken === undefined ? undefined : hashToken(bearerToken),
    };
  }
  if (readsHeaders && connection.certificate !== undefined) {
    return { ...connection.credentials, rawHeaders: exchange.request.rawHeaders };
  }
  return connection.credentials;
}

function connectionOf({ request, isHttp2 }: Exchange, withChain: boolean): Connection | undefined {
  const key = isHttp2 ? (request as Http2ServerRequest).stream.session : (request.socket as TLSSocket);
  // The session is gone when the client is.
  if (key === undefined) return undefined;
  let connection = connections.get(key);
  if (connection === undefined) {
    const certificate = peerCertificateOf(request.socket as TLSSocket, withChain);
    connection = {
      certificate,
      authorization: undefined,
      credentials: { certificate, bearerToken: undefined },
    };
    connections.set(key, connection);
  }
  return connection;
}

/** An empty token, or another scheme, is no token, as in Kubernetes. */
function bearerTokenOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.slice(0, 7).toLowerCase() !== 'bearer ') return undefined;
  const token = authorization.slice(7).trim();
  return token === '' ? undefined : token;
}
