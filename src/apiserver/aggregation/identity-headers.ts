import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { posix } from 'node:path';
import { badRequest } from '#apimachinery/api-error.ts';
import type { UserInfo } from '../request/user.ts';

const bearerProtocolPrefix = 'base64url.bearer.authorization.k8s.io.';

/** RFC 9110 7.6.1 and its predecessors: of one connection, never passed on. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** What would prove, or claim, who asks: the receiver hears that from us alone. */
function isIdentity(header: string): boolean {
  return header === 'authorization' || header.startsWith('x-remote-') || header.startsWith('impersonate-');
}

/**
 * The headers of a request that is passed on (KUBERNETES.md O1): the client's own, without its credentials and whatever
 * it claims to be, and who it was found to be as X-Remote-User, -Uid, -Group and -Extra. Throws ApiError 400 for a
 * client whose name no header can hold.
 */
export function proxiedRequestHeaders(
  headers: IncomingHttpHeaders,
  user: UserInfo,
  clientAddress: string | undefined,
): OutgoingHttpHeaders {
  const passed: OutgoingHttpHeaders = {};
  const ofConnection = connectionOptions(headers);
  for (const name in headers) {
    if (name.startsWith(':') || name === 'host' || hopByHop.has(name) || ofConnection.has(name)) continue;
    const value = headers[name];
    if (value !== undefined && !isIdentity(name)) passed[name] = value;
  }
  const protocols = headers['sec-websocket-protocol'];
  if (protocols !== undefined) {
    const kept = protocols
      .split(',')
      .map((one) => one.trim())
      .filter((one) => !one.startsWith(bearerProtocolPrefix));
    if (kept.length === 0) delete passed['sec-websocket-protocol'];
    else passed['sec-websocket-protocol'] = kept.join(', ');
  }
  if (clientAddress !== undefined) {
    const before = headers['x-forwarded-for'];
    const chain = before === undefined ? [] : Array.isArray(before) ? before : [before];
    passed['x-forwarded-for'] = [...chain, clientAddress].join(', ');
  }
  return Object.assign(passed, identityHeaders(user));
}

/** Under which address the client's request goes on, whatever the client says of it (k8s.io/apimachinery/pkg/util/proxy). */
export function forwardedHeaders(authority: string, path: string): OutgoingHttpHeaders {
  return {
    'x-forwarded-uri': posix.normalize(path),
    'x-forwarded-host': authority,
    'x-forwarded-proto': 'https',
  };
}

/** Who asks, as request headers (kube-aggregator; the names are those of `extension-apiserver-authentication`). */
export function identityHeaders({ name, uid, groups, extra }: UserInfo): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = { 'X-Remote-User': headerText(name) };
  if (uid !== undefined && uid !== '') headers['X-Remote-Uid'] = headerText(uid);
  if (groups.length > 0) headers['X-Remote-Group'] = groups.map(headerText);
  for (const [key, values] of extra) {
    if (values.length > 0) headers[`X-Remote-Extra-${escapedKey(key)}`] = values.map(headerText);
  }
  return headers;
}

/** Which pages may read the API is this server's own to say. */
const ofOrigins: ReadonlySet<string> = new Set([
  'access-control-allow-credentials',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-origin',
]);

/**
 * Headers of an answer that is passed back, behind those that this server gives to each of its own (`front`, in small letters):
 * of a name that both have, both are sent, as kube-apiserver does.
 */
export function proxiedResponseHeaders(
  headers: IncomingHttpHeaders,
  front: { readonly [name: string]: string } = {},
): OutgoingHttpHeaders {
  const passed: OutgoingHttpHeaders = { ...front };
  const ofConnection = connectionOptions(headers);
  for (const name in headers) {
    if (hopByHop.has(name) || ofConnection.has(name) || ofOrigins.has(name)) continue;
    const [own, theirs] = [front[name], headers[name]];
    passed[name] = own === undefined || theirs === undefined ? theirs : [own, ...[theirs].flat()];
  }
  return passed;
}

function connectionOptions({ connection }: IncomingHttpHeaders): ReadonlySet<string> {
  if (connection === undefined) return nothing;
  return new Set(connection.split(',').map((one) => one.trim().toLowerCase()));
}

const nothing: ReadonlySet<string> = new Set();

/** UTF-8 on the wire, as Go sends it: one latin-1 character a byte. */
function headerText(text: string): string {
  if (/[\u0000-\u001f\u007f]/.test(text)) throw badRequest('the user has a name that no header can hold');
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** Go's header-key escaping: what is no token character (RFC 9110 5.6.2) or is a percent sign, as %XX. */
function escapedKey(key: string): string {
  let escaped = '';
  for (const byte of Buffer.from(key, 'utf8')) {
    const char = String.fromCharCode(byte);
    escaped += /[A-Za-z0-9!#$&'*+\-.^_`|~]/.test(char)
      ? char
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return escaped;
}
