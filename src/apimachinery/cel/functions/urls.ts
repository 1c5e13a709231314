import { isIPv6 } from 'node:net';
import { opaqueNamed } from '../types.ts';
import { ArrayList, CelFault, NativeMap, Opaque, type Value } from '../values.ts';
import { traversal } from './costs.ts';
import type { FunctionTable } from './registry.ts';

const urlType = opaqueNamed('kubernetes.URL');

interface Parts {
  readonly scheme: string;
  readonly host: string;
  /** Escaped. */
  readonly path: string;
  readonly query: string;
}

class UrlValue extends Opaque {
  readonly type = urlType;
  readonly text: string;
  readonly parts: Parts;

  constructor(text: string, parts: Parts) {
    super();
    this.text = text;
    this.parts = parts;
  }

  equals(other: Opaque): boolean {
    return other instanceof UrlValue && other.text === this.text;
  }
}

/** Go's url.ParseRequestURI: an absolute URI or an absolute path. Undefined for what it refuses. */
function parseUrl(text: string): Parts | undefined {
  if (text === '' || /[\x00-\x1f\x7f]/.test(text)) return undefined;
  const hash = text.indexOf('#');
  const whole = hash < 0 ? text : text.slice(0, hash);
  const found = /^([a-zA-Z][a-zA-Z0-9+.-]*):(.*)$/s.exec(whole);
  const scheme = found === null ? '' : (found[1] as string).toLowerCase();
  const rest = found === null ? whole : (found[2] as string);
  if (!rest.startsWith('/')) {
    // An opaque URI, such as mailto:x, needs a scheme.
    return scheme === '' ? undefined : { scheme, host: '', path: '', query: '' };
  }
  const mark = rest.indexOf('?');
  const beforeQuery = mark < 0 ? rest : rest.slice(0, mark);
  const query = mark < 0 ? '' : rest.slice(mark + 1);
  let host = '';
  let path = beforeQuery;
  if (beforeQuery.startsWith('//') && scheme !== '') {
    const slash = beforeQuery.indexOf('/', 2);
    const authority = slash < 0 ? beforeQuery.slice(2) : beforeQuery.slice(2, slash);
    path = slash < 0 ? '' : beforeQuery.slice(slash);
    host = authority.slice(authority.lastIndexOf('@') + 1);
    if (!isHost(host)) return undefined;
  }
  if (/%(?![0-9a-fA-F]{2})/.test(path)) return undefined;
  return { scheme, host, path: escapePath(path), query };
}

function isHost(host: string): boolean {
  const bracketed = /^\[([^\]]*)\](?::(\d*))?$/.exec(host);
  if (bracketed !== null) return isIPv6(bracketed[1] as string);
  if (/[\s<>"{}|\\^`]/.test(host) || host.startsWith('[')) return false;
  return /^[^:]*(?::\d*)?$/.test(host);
}

function escapePath(path: string): string {
  return path.replace(/[^A-Za-z0-9\-_.~$&+,/:;=@!'()*%[\]]+/g, (found) =>
    Buffer.from(found, 'utf8').reduce(
      (text, byte) => `${text}%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
      '',
    ),
  );
}

function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(host);
  return bracketed === null ? (host.split(':')[0] as string) : (bracketed[1] as string);
}

function port(host: string): string {
  return /:(\d*)$/.exec(host.replace(/^\[[^\]]*\]/, ''))?.[1] ?? '';
}

function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

function queryOf(query: string): Value {
  const values = new Map<string, string[]>();
  for (const pair of query.split('&')) {
    if (pair === '' || pair.includes(';')) continue;
    const mark = pair.indexOf('=');
    const key = unescaped(mark < 0 ? pair : pair.slice(0, mark));
    const value = unescaped(mark < 0 ? '' : pair.slice(mark + 1));
    if (key === undefined || value === undefined) continue;
    const list = values.get(key) ?? [];
    list.push(value);
    values.set(key, list);
  }
  const map = new NativeMap();
  for (const [key, list] of values) map.add(key, new ArrayList(list));
  return map;
}

/** Kubernetes' URL functions (apiserver/pkg/cel/library/urls.go). */
export function addUrls(table: FunctionTable): void {
  const part = (name: string, read: (parts: Parts) => Value, result = 'string'): void => {
    table.add([`kubernetes.URL->${name}() ${result}`], ([url]) => read((url as UrlValue).parts));
  };
  table
    .add(
      ['url(string) kubernetes.URL'],
      ([text]) => {
        const parts = parseUrl(text as string);
        if (parts !== undefined) return new UrlValue(text as string, parts);
        return new CelFault(
          `URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`,
        );
      },
      traversal(0),
    )
    .add(['isURL(string) bool'], ([text]) => parseUrl(text as string) !== undefined);
  part('getScheme', ({ scheme }) => scheme);
  part('getHost', ({ host }) => host);
  part('getHostname', ({ host }) => hostName(host));
  part('getPort', ({ host }) => port(host));
  part('getEscapedPath', ({ path }) => path);
  part('getQuery', ({ query }) => queryOf(query), 'map(string, list(string))');
}
