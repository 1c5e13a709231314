import { createHash } from 'node:crypto';
import { ApiError } from '#apimachinery/api-error.ts';
import type { Scheme } from '#apimachinery/scheme.ts';
import { accepts, parseAccept } from '../discovery/accept.ts';
import { type ApiGroupVersion, apiGroups, findGroup } from '../discovery/api-groups.ts';
import { type DocumentResponse, matchesETag } from '../discovery/discovery-response.ts';
import { type CachedDocument, DocumentCache } from '../discovery/document-cache.ts';
import { jsonV2, protobufV2 } from './encoded-v2.ts';
import { hashV3, jsonV3, protobufV3 } from './encoded-v3.ts';

interface OpenApiRequest {
  readonly accept?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  /**
   * Where this server's root lies for the client, `/clusters/root:a`; empty by default. Clients follow the index's
   * URLs from the host's root, so that they must name the workspace.
   */
  readonly basePath?: string | undefined;
}

interface Form {
  readonly type: string;
  readonly spellings: readonly string[];
}

const json: Form = { type: 'application/json', spellings: ['application/json'] };
const gnosticV2: Form = {
  type: 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
  spellings: [
    'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
    'application/com.github.proto-openapi.spec.v2@v1.0+protobuf',
  ],
};
const gnosticV3: Form = {
  type: 'application/com.github.proto-openapi.spec.v3.v1.0+protobuf',
  spellings: [
    'application/com.github.proto-openapi.spec.v3.v1.0+protobuf',
    'application/com.github.proto-openapi.spec.v3@v1.0+protobuf',
  ],
};

const cacheBytesMax = 64 * 1024 * 1024;
const cache = new DocumentCache(cacheBytesMax);

/**
 * Answers `/openapi/v2`, `/openapi/v3` and `/openapi/v3/<group version>` (KUBERNETES.md D4-D6). Undefined for any other
 * path and for group versions that the scheme does not serve. Throws 406 when no form is acceptable. The body is
 * shared: never change it.
 */
export function openApiResponse(
  scheme: Scheme,
  path: string,
  query: URLSearchParams,
  request: OpenApiRequest,
): DocumentResponse | undefined {
  if (path === '/openapi/v2') return v2Response(scheme, request);
  if (path === '/openapi/v3' || path === '/openapi/v3/') return indexResponse(scheme, request);
  if (!path.startsWith('/openapi/v3/')) return undefined;
  const found = findGroupVersion(scheme, path.slice('/openapi/v3/'.length));
  return found && groupVersionResponse(found.group, found.groupVersion, query, request);
}

function v2Response(scheme: Scheme, request: OpenApiRequest): DocumentResponse {
  const form = negotiate(request.accept, [json, gnosticV2]);
  const document = cache.get(`v2 ${form.type} ${contentKey(scheme)}`, () => {
    const body = form === json ? jsonV2(scheme) : protobufV2(scheme);
    return { body, etag: etagOf(body) };
  });
  return documentResponse(document, form, request, { Vary: 'Accept-Encoding, Accept' });
}

function indexResponse(scheme: Scheme, request: OpenApiRequest): DocumentResponse {
  const form = negotiate(request.accept, [json]);
  const basePath = request.basePath ?? '';
  const document = cache.get(`index ${contentKey(scheme)} ${basePath}`, () => {
    const paths: { [path: string]: { serverRelativeURL: string } } = {};
    for (const group of apiGroups(scheme)) {
      for (const groupVersion of group.versions) {
        const path = pathOf(group.name, groupVersion);
        paths[path] = { serverRelativeURL: hashedUrl(basePath, path, hashV3(group.name, groupVersion)) };
      }
    }
    const body = Buffer.from(JSON.stringify({ paths }));
    return { body, etag: etagOf(body) };
  });
  return documentResponse(document, form, request, {});
}

const contentKeys = new WeakMap<Scheme, string>();

/** Equal for schemes with equal documents, so that workspaces of one type share them. */
function contentKey(scheme: Scheme): string {
  let key = contentKeys.get(scheme);
  if (key === undefined) {
    const hash = createHash('sha256');
    for (const group of apiGroups(scheme)) {
      for (const one of group.versions)
        hash.update(`${pathOf(group.name, one)}=${hashV3(group.name, one)}\n`);
    }
    key = hash.digest('hex');
    contentKeys.set(scheme, key);
  }
  return key;
}

function pathOf(group: string, { apiVersion }: ApiGroupVersion): string {
  return group === '' ? `api/${apiVersion}` : `apis/${apiVersion}`;
}

function hashedUrl(basePath: string, path: string, hash: string): string {
  return `${basePath}/openapi/v3/${path}?hash=${hash}`;
}

function findGroupVersion(
  scheme: Scheme,
  path: string,
): { readonly group: string; readonly groupVersion: ApiGroupVersion } | undefined {
  const [root, ...rest] = path.split('/');
  const [name, version] = root === 'api' ? ['', ...rest] : rest;
  if ((root !== 'api' && root !== 'apis') || name === undefined) return undefined;
  if (rest.length !== (root === 'api' ? 1 : 2) || (root === 'apis' && name === '')) return undefined;
  const groupVersion = findGroup(scheme, name)?.versions.find((one) => one.version === version);
  return groupVersion && { group: name, groupVersion };
}

const yearMs = 365 * 24 * 3600 * 1000;

function groupVersionResponse(
  group: string,
  groupVersion: ApiGroupVersion,
  query: URLSearchParams,
  request: OpenApiRequest,
): DocumentResponse {
  const form = negotiate(request.accept, [json, gnosticV3]);
  const asked = query.get('hash') ?? '';
  const hash = hashV3(group, groupVersion);
  if (asked !== '' && asked !== hash) {
    const location = hashedUrl(request.basePath ?? '', pathOf(group, groupVersion), hash);
    return { status: 301, headers: { Location: location }, body: Buffer.alloc(0) };
  }
  const headers: Record<string, string> = { Vary: 'Accept' };
  if (asked !== '') {
    headers['Cache-Control'] = 'public, immutable';
    headers['Expires'] = new Date(Date.now() + yearMs).toUTCString();
  }
  const document = form === json ? jsonV3(group, groupVersion) : protobufV3(group, groupVersion);
  return documentResponse(document, form, request, headers);
}

function documentResponse(
  document: CachedDocument,
  form: Form,
  request: OpenApiRequest,
  more: Readonly<Record<string, string>>,
): DocumentResponse {
  const headers = { 'Content-Type': form.type, ETag: document.etag, ...more };
  if (request.ifNoneMatch !== undefined && matchesETag(request.ifNoneMatch, document.etag)) {
    return { status: 304, headers, body: Buffer.alloc(0) };
  }
  return { status: 200, headers, body: document.body };
}

function negotiate(header: string | undefined, forms: readonly Form[]): Form {
  for (const clause of parseAccept(header)) {
    for (const form of forms) {
      if (form.spellings.some((one) => accepts(clause, one))) return form;
    }
  }
  const types = forms.flatMap((form) => form.spellings).join(', ');
  throw new ApiError('NotAcceptable', `only the following media types are accepted: ${types}`);
}

function etagOf(body: Buffer): string {
  return `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"`;
}
