import { createHash } from 'node:crypto';
import { ownBytes } from '#apimachinery/own-bytes.ts';
import type { Scheme } from '#apimachinery/scheme.ts';
import { isRoutable, notAcceptable, unroutable } from '../request/acceptable.ts';
import { type AcceptClause, accepts, parseAccept } from './accept.ts';
import { type ApiGroup, type ApiGroupVersion, apiGroups, findGroup } from './api-groups.ts';
import { type CachedDocument, DocumentCache } from './document-cache.ts';
import { resourceText } from './resource-entries.ts';

interface DiscoveryRequest {
  readonly accept?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  /** `host:port` under which clients reach this server, for APIVersions. */
  readonly serverAddress?: string | undefined;
}

export interface DocumentResponse {
  readonly status: number;
  readonly headers: Record<string, string>;
  /** Empty for 301 and 304. */
  readonly body: Buffer;
}

/** The forms of plain discovery; `discovery-form.ts` makes those other than JSON. */
const documentTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];
const cacheBytesMax = 32 * 1024 * 1024;
const cache = new DocumentCache(cacheBytesMax);

type Form =
  | { readonly aggregated: false }
  | { readonly aggregated: true; readonly version: AggregatedVersion };
type AggregatedVersion = 'v2' | 'v2beta1';

/**
 * Answers a discovery path (KUBERNETES.md D1-D3): `/api`, `/apis`, `/apis/<group>`, `/api/v1`,
 * `/apis/<group>/<version>`, with or without a slash at the end. Undefined for any other path and for groups and
 * versions that the scheme does not serve. Throws 406 when no form is acceptable. The body is shared: never change it.
 */
export function discoveryResponse(
  scheme: Scheme,
  path: string,
  request: DiscoveryRequest,
): DocumentResponse | undefined {
  const clean = path.endsWith('/') ? path.slice(0, -1) : path;
  const isRoot = clean === '/api' || clean === '/apis';
  const legacy = isRoot ? rootDocument(scheme, clean, request.serverAddress) : innerDocument(scheme, clean);
  if (legacy === undefined) return undefined;
  // Groups' own documents are the aggregator's, which has no routes.
  const isRouted = !/^\/apis(\/[^/]+)?$/.test(clean);
  if (isRouted && !isRoutable(request.accept ?? '', documentTypes)) throw unroutable(documentTypes);
  const form = negotiate(parseAccept(request.accept), isRoot);
  if (!form.aggregated) {
    const headers: Record<string, string> = { 'Content-Type': 'application/json' };
    if (isRoot) headers['Vary'] = 'Accept';
    return { status: 200, headers, body: legacy() };
  }
  const document = cache.get(`${scheme.hash} ${clean} ${form.version}`, () =>
    withETag(aggregatedText(scheme, clean === '/api', form.version)),
  );
  return aggregatedResponse(document, form.version, request.ifNoneMatch);
}

function aggregatedResponse(
  document: CachedDocument,
  version: AggregatedVersion,
  ifNoneMatch: string | undefined,
): DocumentResponse {
  const headers: Record<string, string> = {
    'Content-Type': `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
    ETag: document.etag,
    Vary: 'Accept',
    'Cache-Control': 'public',
  };
  if (ifNoneMatch !== undefined && matchesETag(ifNoneMatch, document.etag)) {
    return { status: 304, headers, body: Buffer.alloc(0) };
  }
  return { status: 200, headers, body: document.body };
}

/** Whether an If-None-Match header names the tag (RFC 9110 13.1.2, weak comparison). */
export function matchesETag(header: string, etag: string): boolean {
  return header.split(',').some((one) => {
    const tag = one.trim();
    return tag === '*' || tag === etag || tag === `W/${etag}`;
  });
}

function withETag(text: string): CachedDocument {
  const body = Buffer.from(text);
  const hash = createHash('sha512').update(body).digest('hex').toUpperCase();
  return { body, etag: `"${hash}"` };
}

function negotiate(clauses: readonly AcceptClause[], isRoot: boolean): Form {
  for (const clause of clauses) {
    const as = clause.parameters.get('as');
    if (as === undefined) {
      if (accepts(clause, 'application/json')) return { aggregated: false };
      continue;
    }
    if (!isRoot || as !== 'APIGroupDiscoveryList' || clause.type !== 'application/json') continue;
    if (clause.parameters.get('g') !== 'apidiscovery.k8s.io') continue;
    const version = clause.parameters.get('v');
    if (version === 'v2' || version === 'v2beta1') return { aggregated: true, version };
  }
  throw notAcceptable(documentTypes);
}

function rootDocument(
  scheme: Scheme,
  path: string,
  serverAddress: string | undefined,
): (() => Buffer) | undefined {
  const core = findGroup(scheme, '');
  if (path === '/apis') {
    return () =>
      json({ kind: 'APIGroupList', apiVersion: 'v1', groups: namedGroups(scheme).map(describeGroup) });
  }
  if (core === undefined) return undefined;
  return () =>
    json({
      kind: 'APIVersions',
      versions: core.versions.map((one) => one.version),
      serverAddressByClientCIDRs:
        serverAddress === undefined ? [] : [{ clientCIDR: '0.0.0.0/0', serverAddress }],
    });
}

function innerDocument(scheme: Scheme, path: string): (() => Buffer) | undefined {
  const segments = path.split('/');
  if (segments[1] === 'api' && segments.length === 3) {
    return resourceList(findGroup(scheme, ''), segments[2] as string);
  }
  if (segments[1] !== 'apis' || segments[2] === undefined || segments[2] === '') return undefined;
  const group = findGroup(scheme, segments[2]);
  if (group === undefined) return undefined;
  if (segments.length === 3) {
    return () => json({ kind: 'APIGroup', apiVersion: 'v1', ...describeGroup(group) });
  }
  return segments.length === 4 ? resourceList(group, segments[3] as string) : undefined;
}

const lists = new WeakMap<ApiGroupVersion, Buffer>();

function resourceList(group: ApiGroup | undefined, version: string): (() => Buffer) | undefined {
  const found = group?.versions.find((one) => one.version === version);
  if (found === undefined) return undefined;
  return () => {
    let body = lists.get(found);
    if (body === undefined) {
      const entries = found.resources.map((served) => resourceText(served).legacy).join(',');
      // The core's has no apiVersion, as in release 1.1 (endpoints/discovery, keepUnversioned).
      const apiVersion = found.apiVersion.includes('/') ? '"apiVersion":"v1",' : '';
      body = ownBytes(
        Buffer.from(
          `{"kind":"APIResourceList",${apiVersion}"groupVersion":"${found.apiVersion}","resources":[${entries}]}\n`,
        ),
      );
      lists.set(found, body);
    }
    return body;
  };
}

function namedGroups(scheme: Scheme): readonly ApiGroup[] {
  return apiGroups(scheme).filter((group) => group.name !== '');
}

function describeGroup(group: ApiGroup): object {
  const versions = group.versions.map((one) => ({ groupVersion: one.apiVersion, version: one.version }));
  return { name: group.name, versions, preferredVersion: versions[0] };
}

function aggregatedText(scheme: Scheme, core: boolean, version: AggregatedVersion): string {
  const groups = core ? apiGroups(scheme).filter((group) => group.name === '') : namedGroups(scheme);
  const items = groups.map((group) => {
    const versions = group.versions.map(
      (one) =>
        `{"version":"${one.version}","resources":[${one.resources
          .map((served) => resourceText(served).aggregated)
          .join(',')}],"freshness":"Current"}`,
    );
    const name = group.name === '' ? '' : `"name":"${group.name}"`;
    return `{"metadata":{${name}},"versions":[${versions.join(',')}]}`;
  });
  return `{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/${version}","metadata":{},"items":[${items.join(',')}]}\n`;
}

function json(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}
