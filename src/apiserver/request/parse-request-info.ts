import { badRequest } from '#apimachinery/api-error.ts';
import { parseFieldSelector } from '#apimachinery/field-selector.ts';
import type { RequestInfo, ResourceRequest } from './request-info.ts';

interface Parts {
  readonly clusterRef: string;
  readonly hasClusterPrefix: boolean;
  readonly path: string;
  readonly method: string;
  readonly resource: ResourceRequest | undefined;
  readonly verb: string;
  readonly rawQuery: string;
  readonly query?: URLSearchParams | undefined;
}

/**
 * A URL taken apart. `clusterRef` is `defaultClusterRef` until `hasClusterPrefix` says otherwise: a service-account
 * token without prefix is sent to the token's own workspace (KCP.md, Addressing).
 */
export class ParsedRequest implements RequestInfo {
  clusterRef: string;
  readonly hasClusterPrefix: boolean;
  readonly path: string;
  readonly method: string;
  readonly resource: ResourceRequest | undefined;
  readonly verb: string;
  readonly rawQuery: string;
  #query: URLSearchParams | undefined;

  constructor(parts: Parts) {
    this.clusterRef = parts.clusterRef;
    this.hasClusterPrefix = parts.hasClusterPrefix;
    this.path = parts.path;
    this.method = parts.method;
    this.resource = parts.resource;
    this.verb = parts.verb;
    this.rawQuery = parts.rawQuery;
    this.#query = parts.query;
  }

  /** Made at first use: most requests for one object have no query. */
  get query(): URLSearchParams {
    this.#query ??= this.rawQuery === '' ? noQuery : new URLSearchParams(this.rawQuery);
    return this.#query;
  }
}

/** Shared: nobody changes a request's query. */
const noQuery = new URLSearchParams();

export const defaultClusterRef = 'root';

const clustersPrefix = '/clusters/';
const methodVerbs: { readonly [method: string]: string } = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/**
 * Takes a request line apart as Kubernetes' RequestInfoFactory does, after kcp's `/clusters/<ref>` prefix. The path is
 * percent-decoded once, before it is split, as Go's net/http does it. Throws ApiError 400 for malformed
 * percent-encoding and for control characters; any other text gives some answer.
 */
export function parseRequestInfo(method: string, url: string): ParsedRequest {
  if (method !== 'POST') return new ParsedRequest(partsOf(method, url));
  let parts = posts.get(url);
  if (parts === undefined) {
    parts = partsOf(method, url);
    if (parts.resource?.name === '' && url.length <= keptUrlLengthMax) {
      if (posts.size >= keptPostsMax) posts.clear();
      if (parts.rawQuery !== '') parts = { ...parts, query: new URLSearchParams(parts.rawQuery) };
      posts.set(url, parts);
    }
  }
  return new ParsedRequest(parts);
}

/** What was posted to is posted to again: collections are few where objects are many. Forgotten at this many. */
const keptPostsMax = 1_000;
const keptUrlLengthMax = 512;
const posts = new Map<string, Parts>();

function partsOf(method: string, url: string): Parts {
  const mark = url.indexOf('?');
  let path = mark < 0 ? url : url.slice(0, mark);
  const rawQuery = mark < 0 ? '' : url.slice(mark + 1);
  // Absolute-form request targets (RFC 9112 3.2.2), as proxies send them.
  if (path.charCodeAt(0) !== 0x2f) path = pathOfAbsoluteForm(path);
  if (path.includes('%')) path = decodePath(path);
  refuseControlCharacters(path);

  let clusterRef = defaultClusterRef;
  let hasClusterPrefix = false;
  if (path.startsWith(clustersPrefix)) {
    const end = path.indexOf('/', clustersPrefix.length);
    clusterRef = end < 0 ? path.slice(clustersPrefix.length) : path.slice(clustersPrefix.length, end);
    path = end < 0 ? '/' : path.slice(end);
    hasClusterPrefix = true;
  }

  const parsed = parseResourcePath(method, path, rawQuery);
  return {
    clusterRef,
    hasClusterPrefix,
    path,
    method,
    resource: parsed?.resource,
    verb: parsed?.verb ?? method.toLowerCase(),
    rawQuery,
    query: parsed?.query,
  };
}

interface ParsedResource {
  readonly resource: ResourceRequest;
  readonly verb: string;
  readonly query?: URLSearchParams | undefined;
}

/** `/api/v1/…` and `/apis/<group>/<version>/…`; undefined for every path that names no resource. */
function parseResourcePath(method: string, path: string, rawQuery: string): ParsedResource | undefined {
  let first: number;
  if (path.startsWith('/api/')) first = 2;
  else if (path.startsWith('/apis/')) first = 3;
  else return undefined;

  const segments = path.split('/');
  // A trailing slash is trimmed, as by Kubernetes' splitPath.
  while (segments.length > 1 && segments[segments.length - 1] === '') segments.pop();
  const group = first === 3 ? (segments[2] ?? '') : '';
  const version = segments[first] ?? '';
  let at = first + 1;
  if (segments.length <= at || version === '' || (first === 3 && group === '')) return undefined;

  let verb = (Object.hasOwn(methodVerbs, method) ? methodVerbs[method] : undefined) ?? '';
  // Whatever the method: that it is none for a watch is told by the path's kind.
  const legacyWatch = segments[at] === 'watch';
  if (legacyWatch) {
    at++;
    if (segments.length <= at) return undefined;
    verb = 'watch';
  }

  let namespace = '';
  if (segments[at] === 'namespaces' && segments.length - at > 2) {
    const subresource = segments.length - at === 3 ? segments[at + 2] : '';
    // `namespaces/x/status` and `/finalize` are the namespace's own; anything else lies in it.
    if (subresource !== 'status' && subresource !== 'finalize') {
      namespace = segments[at + 1] ?? '';
      at += 2;
      if (namespace === '') return undefined;
    }
  }

  const resourceName = segments[at] ?? '';
  const name = segments[at + 1] ?? '';
  const subresource = segments.length > at + 2 ? segments.slice(at + 2).join('/') : '';
  if (resourceName === '' || (segments.length > at + 1 && name === '')) return undefined;
  const resource = { group, version, resource: resourceName, subresource, namespace, name };

  if (legacyWatch) return watchOfLegacyPath(resource, rawQuery);
  if (name === '') {
    if (verb === 'get') verb = wantsWatch(rawQuery) ? 'watch' : 'list';
    else if (verb === 'delete') verb = 'deletecollection';
  }
  return { resource, verb };
}

/** W7: `/api/v1/watch/pods/x` is a watch on the collection with the field selector metadata.name=x. */
function watchOfLegacyPath(resource: ResourceRequest, rawQuery: string): ParsedResource | undefined {
  if (resource.subresource !== '') return undefined;
  const { name } = resource;
  const query = new URLSearchParams(rawQuery);
  query.set('watch', 'true');
  if (name === '') return { resource, verb: 'watch', query };
  const selector = query.get('fieldSelector') ?? '';
  if (selector === '') query.set('fieldSelector', `metadata.name=${name.replace(/[\\,=]/g, '\\$&')}`);
  else if (!selectsName(selector, name)) {
    throw badRequest("fieldSelector metadata.name doesn't match requested name");
  }
  return { resource: { ...resource, name: '', watched: name }, verb: 'watch', query };
}

/** Whether a field selector asks for this very name (apiserver's ListResource, RequiresExactMatch). */
function selectsName(selector: string, name: string): boolean {
  return parseFieldSelector(selector).some(
    ({ path, operator, value }) => path === 'metadata.name' && operator === '=' && value === name,
  );
}

/** Booleans in a query as Kubernetes reads them: present is true, save `0` and `false` in any case. */
export function queryBoolean(value: string | null): boolean {
  return value !== null && value !== '0' && value.toLowerCase() !== 'false';
}

function wantsWatch(rawQuery: string): boolean {
  // The cheap look first: nearly no list names the word at all. `%` because the key itself may be encoded.
  if (!rawQuery.includes('watch') && !rawQuery.includes('%')) return false;
  return queryBoolean(new URLSearchParams(rawQuery).get('watch'));
}

function pathOfAbsoluteForm(target: string): string {
  const scheme = target.indexOf('://');
  if (scheme < 0) throw badRequest('malformed request path');
  const slash = target.indexOf('/', scheme + 3);
  return slash < 0 ? '/' : target.slice(slash);
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw badRequest('malformed percent-encoding in the request path');
  }
}

function refuseControlCharacters(path: string): void {
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code < 0x20 || code === 0x7f) throw badRequest('control character in the request path');
  }
}
