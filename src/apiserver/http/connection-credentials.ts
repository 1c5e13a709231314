import type { Http2ServerRequest, Http2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Credentials, PeerCertificate } from '../authn/authenticator.ts';
import { peerCertificateOf } from '../authn/x509.ts';
import type { Exchange } from './exchange.ts';
import { tokenOfSubprotocols } from './websocket.ts';

/** The client certificate of each connection, read once: it cannot change (renegotiation is off in TLS 1.3 and Node). */
const certificates = new WeakMap<
  TLSSocket | Http2Session,
  { readonly certificate: PeerCertificate | undefined }
>();

/** What the request offers: the connection's certificate, and the bearer token of its headers. */
export function credentialsOf(exchange: Exchange): Credentials {
  return { certificate: certificateOf(exchange), bearerToken: bearerTokenOf(exchange) };
}

function certificateOf({ request, isHttp2 }: Exchange): PeerCertificate | undefined {
  const connection = isHttp2 ? (request as Http2ServerRequest).stream.session : (request.socket as TLSSocket);
  if (connection === undefined) return undefined;
  const known = certificates.get(connection);
  if (known !== undefined) return known.certificate;
  const certificate = peerCertificateOf(request.socket as TLSSocket);
  certificates.set(connection, { certificate });
  return certificate;
}

function bearerTokenOf({ request, wantsWebSocket }: Exchange): string | undefined {
  const { authorization } = request.headers;
  if (authorization !== undefined) {
    // An empty token is no token, as in Kubernetes.
    if (authorization.length <= 7 || authorization.slice(0, 7).toLowerCase() !== 'bearer ') return undefined;
    const token = authorization.slice(7).trim();
    return token === '' ? undefined : token;
  }
  return wantsWebSocket ? tokenOfSubprotocols(request.headers['sec-websocket-protocol']) : undefined;
}
