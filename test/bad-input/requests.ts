import type { RawRequest } from '../harness/raw-http.ts';

/** What it is, the request, and the status and message that answer it; the reason follows from the status (E2). */
export type Row = readonly [name: string, request: RawRequest, status: number, message: RegExp];

export const root = '/clusters/root';
export const maps = `${root}/api/v1/namespaces/standing/configmaps`;
export const widgets = `${root}/apis/example.com/v1/namespaces/standing/widgets`;
export const crds = `${root}/apis/apiextensions.k8s.io/v1/customresourcedefinitions`;
export const protobufType = 'application/vnd.kubernetes.protobuf';
export const bodyBytesMax = 3 * 1024 * 1024;

/** A ConfigMap's text; `more` comes behind its metadata, `meta` before the name. */
export function mapText(more = '', name = 'new', meta = ''): string {
  return `{"apiVersion":"v1","kind":"ConfigMap","metadata":{${meta}"name":"${name}"}${more}}`;
}

export function widgetText(more: string, name = 'new'): string {
  return `{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"${name}"}${more}}`;
}

export function post(body: string | Buffer, path = maps): RawRequest {
  return { method: 'POST', path, body };
}

export function postYaml(body: string): RawRequest {
  return { ...post(body), contentType: 'application/yaml' };
}

/** With the prefix of Kubernetes' protobuf before the bytes. */
export function postProtobuf(bytes: readonly number[], path = maps): RawRequest {
  return { ...post(Buffer.from([0x6b, 0x38, 0x73, 0x00, ...bytes]), path), contentType: protobufType };
}

/** A ConfigMap whose metadata hold this beside its name. */
export function postMeta(meta: string): RawRequest {
  return post(mapText('', 'new', `${meta},`));
}

export function list(query: string): RawRequest {
  return { path: `${maps}?${query}` };
}

export function postWith(query: string, body = mapText()): RawRequest {
  return post(body, `${maps}?${query}`);
}

export function destroy(body: string): RawRequest {
  return { method: 'DELETE', path: `${maps}/a`, body };
}

const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

export type PatchType = keyof typeof patchTypes;

export function patch(type: PatchType, body: string, path = `${maps}/a`): RawRequest {
  const query = type === 'apply' && !path.includes('?') ? '?fieldManager=test' : '';
  return { method: 'PATCH', path: path + query, body, contentType: patchTypes[type] };
}

/** `{"a":{"a":…1…}}` for open `{"a":`, core `1` and close `}`. */
export function nested(open: string, core: string, close: string, depth: number): string {
  return open.repeat(depth) + core + close.repeat(depth);
}
