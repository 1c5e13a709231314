import { isIPv6 } from 'node:net';

/** What Go's url.URL holds of a URI for a request. */
export interface UrlParts {
  /** In small letters; empty for a path alone. */
  readonly scheme: string;
  /** With its port. */
  readonly host: string;
  /** As it was written, escapes and all; empty where what follows the scheme is opaque (`mailto:x`). */
  readonly path: string;
  readonly query: string;
}

/**
 * Go's url.ParseRequestURI: an absolute URI, an absolute path or `*`; a fragment is no part of one and stands in the
 * path. Undefined for what it refuses.
 */
export function parseRequestUri(text: string): UrlParts | undefined {
  return parse(text, true);
}

/** Go's url.Parse of a request's URI: without the fragment, and with a host behind two slashes. */
export function parseUrl(text: string): UrlParts | undefined {
  if (parseRequestUri(text) === undefined) return undefined;
  const hash = text.indexOf('#');
  return parse(hash < 0 ? text : text.slice(0, hash), false);
}

function parse(text: string, isOfRequest: boolean): UrlParts | undefined {
  if (text === '' || /[\x00-\x1f\x7f]/.test(text)) return undefined;
  if (text === '*') return { scheme: '', host: '', path: '*', query: '' };
  const found = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(text);
  if (found === null && text.startsWith(':')) return undefined;
  const scheme = found === null ? '' : (found[1] as string).toLowerCase();
  const rest = found === null ? text : text.slice(found[0].length);
  const mark = rest.indexOf('?');
  const beforeQuery = mark < 0 ? rest : rest.slice(0, mark);
  const query = mark < 0 ? '' : rest.slice(mark + 1);
  if (!beforeQuery.startsWith('/')) {
    return scheme === '' ? undefined : { scheme, host: '', path: '', query };
  }
  let host = '';
  let path = beforeQuery;
  const hasHost = scheme !== '' || (!isOfRequest && !beforeQuery.startsWith('///'));
  if (hasHost && beforeQuery.startsWith('//')) {
    const slash = beforeQuery.indexOf('/', 2);
    const authority = slash < 0 ? beforeQuery.slice(2) : beforeQuery.slice(2, slash);
    path = slash < 0 ? '' : beforeQuery.slice(slash);
    const at = authority.lastIndexOf('@');
    host = authority.slice(at + 1);
    if (at >= 0 && !isUserInfo(authority.slice(0, at))) return undefined;
    if (!isHost(host, scheme)) return undefined;
  }
  return hasRightEscapes(path) ? { scheme, host, path, query } : undefined;
}

function hasRightEscapes(text: string): boolean {
  return !/%(?![0-9a-fA-F]{2})/.test(text);
}

function isUserInfo(text: string): boolean {
  return /^[A-Za-z0-9._:~!$&'()*+,;=%@-]*$/.test(text) && hasRightEscapes(text);
}

/** What of ASCII a host may hold as it is; escaped it may hold what is not ASCII, and a percent sign. */
const hostText = /^(?:[A-Za-z0-9._~!$&'()*+,;=:[\]<>"-]|[^\x00-\x7f]|%25|%[89a-fA-F][0-9a-fA-F])*$/;
const optionalPort = /^(?::[0-9]*)?$/;

function isHost(host: string, scheme: string): boolean {
  const open = host.lastIndexOf('[');
  if (open > 0) return false;
  if (open === 0) {
    const close = host.lastIndexOf(']');
    return close > 0 && optionalPort.test(host.slice(close + 1)) && isAddress(host.slice(1, close));
  }
  // Only the schemes of the web hold to one colon: databases have lists of hosts.
  const isWeb = scheme === 'http' || scheme === 'https';
  const colon = isWeb ? host.indexOf(':') : host.lastIndexOf(':');
  if (colon >= 0 && !optionalPort.test(host.slice(colon))) return false;
  return hostText.test(host);
}

/** An IPv6 address, with a zone after an escaped percent sign (RFC 6874). */
function isAddress(text: string): boolean {
  const zone = text.indexOf('%25');
  if (zone < 0) return isIPv6(text) && !text.includes('%');
  return isIPv6(text.slice(0, zone)) && zone + 3 < text.length && hostText.test(text.slice(zone + 3));
}
