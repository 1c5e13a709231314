import { parseUrl, type UrlParts } from '../../go-url.ts';
import { opaqueNamed } from '../types.ts';
import { ArrayList, CelFault, NativeMap, Opaque, type Value } from '../values.ts';
import { traversal } from './costs.ts';
import type { FunctionTable } from './registry.ts';

const urlType = opaqueNamed('kubernetes.URL');

class UrlValue extends Opaque {
  readonly type = urlType;
  readonly text: string;
  readonly parts: UrlParts;

  constructor(text: string, parts: UrlParts) {
    super();
    this.text = text;
    this.parts = parts;
  }

  equals(other: Opaque): boolean {
    return other instanceof UrlValue && other.text === this.text;
  }
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
  const part = (name: string, read: (parts: UrlParts) => Value, result = 'string'): void => {
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
      traversal(0, 1, true),
    )
    .add(['isURL(string) bool'], ([text]) => parseUrl(text as string) !== undefined);
  part('getScheme', ({ scheme }) => scheme);
  part('getHost', ({ host }) => host);
  part('getHostname', ({ host }) => hostName(host));
  part('getPort', ({ host }) => port(host));
  part('getEscapedPath', ({ path }) => escapePath(path));
  part('getQuery', ({ query }) => queryOf(query), 'map(string, list(string))');
}
