import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ServerPki } from '#apiserver/pki/pki.ts';
import {
  type ThinEdge,
  type ThinEvent,
  type ThinForm,
  type ThinKind,
  ThinRefusal,
  thinKinds,
} from './thin-edge.ts';

interface Target {
  readonly edge: ThinEdge;
  readonly kind: ThinKind;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  readonly query: URLSearchParams;
  readonly form: ThinForm;
}

/** `/edges/<n>`, then a path of the Kubernetes API. */
const edgePath = /^\/edges\/(\d+)(\/[^?]*)(?:\?(.*))?$/;
const resourcePath =
  /^\/(?:api|apis\/([^/]+))\/[^/]+(?:\/namespaces\/([^/]+)(?=\/[^/]))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/;

/** All thin edges of a benchmark behind one port, each under a path of its own; resolves with the origin. */
export async function serveThinEdges(edges: readonly ThinEdge[], pki: ServerPki): Promise<string> {
  const { ca, serving } = pki;
  const server = http2.createSecureServer({
    allowHTTP1: true,
    ca: ca.certificatePem,
    cert: serving.certificatePem,
    key: serving.keyPem,
    settings: { maxConcurrentStreams: 1_000 },
  });
  // As kube-apiserver (k8s.io/apiserver/pkg/server/secure_serving.go); Node's five seconds make a handshake of each probe.
  Object.assign(server, { keepAliveTimeout: 90_000 });
  server.on('request', (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      try {
        answer(edges, request, response, Buffer.concat(chunks));
      } catch (error) {
        refuse(response, error);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function answer(
  edges: readonly ThinEdge[],
  request: http2.Http2ServerRequest,
  response: http2.Http2ServerResponse,
  body: Buffer,
): void {
  const [, number, path = '', query] = edgePath.exec(request.url) ?? [];
  const edge = edges[Number(number)];
  if (edge === undefined) throw new ThinRefusal(404, 'NotFound', 'no such edge');
  const document = documents[path];
  if (document !== undefined) {
    send(response, 200, JSON.stringify(document));
    return;
  }
  const form = request.headers.accept?.includes('as=PartialObjectMetadata') === true ? 'metadata' : 'whole';
  const target = { ...targetOf(edge, path), query: new URLSearchParams(query), form } as const;
  if (request.method === 'GET' && target.query.get('watch') !== null) watch(target, response);
  else send(response, request.method === 'POST' ? 201 : 200, act(request, target, body));
}

function targetOf(edge: ThinEdge, path: string): Omit<Target, 'query' | 'form'> {
  const [, group = '', namespace, resource, name, subresource] = resourcePath.exec(path) ?? [];
  const kind = thinKinds.find((one) => one.group === group && one.resource === resource);
  if (kind === undefined) {
    throw new ThinRefusal(404, 'NotFound', 'the server could not find the requested resource');
  }
  return { edge, kind, namespace, name, subresource };
}

/** The answer's text. */
function act(request: http2.Http2ServerRequest, target: Target, body: Buffer): string {
  const { edge, kind, namespace, name, subresource, query, form } = target;
  if (request.method === 'GET' && name === undefined) {
    const items = edge.list(kind, namespace, query.get('labelSelector') ?? undefined);
    const head =
      form === 'whole'
        ? `"kind":"${kind.kind}List","apiVersion":"${apiVersionOf(kind)}"`
        : '"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1"';
    const texts = items.map((item) => item.text(form));
    return `{${head},"metadata":{"resourceVersion":"${edge.revision}"},"items":[${texts.join(',')}]}`;
  }
  const inNamespace = namespace ?? '';
  if (request.method === 'GET') return edge.get(kind, inNamespace, name ?? '').text(form);
  if (request.method === 'DELETE') return edge.delete(kind, inNamespace, name ?? '').text(form);
  const object = JSON.parse(body.toString('utf8')) as KubeObject;
  if (request.method === 'POST') return edge.create(kind, inNamespace, object).text(form);
  if (subresource === 'status') {
    return edge.writeStatus(kind, inNamespace, name ?? '', object.status ?? {}).text(form);
  }
  if (request.headers['content-type'] === 'application/apply-patch+yaml') {
    return edge.apply(kind, inNamespace, name ?? '', object, query.get('fieldManager') ?? '').text(form);
  }
  throw new ThinRefusal(405, 'MethodNotAllowed', 'a thin edge does not do that');
}

function watch({ edge, kind, query, form }: Target, response: http2.Http2ServerResponse): void {
  const label = query.get('labelSelector');
  const missed: ThinEvent[] = [];
  let isOpen = false;
  const take = (event: ThinEvent): void => {
    const { type, object } = event;
    if (!isOpen) missed.push(event);
    else if (label === null || object.value.metadata.labels?.[label] !== undefined) {
      response.write(`{"type":"${type}","object":${object.text(form)}}\n`);
    }
  };
  // Refuses a revision that is too old.
  const stop = edge.watch(kind, Number(query.get('resourceVersion') ?? 0), take);
  response.writeHead(200, { 'content-type': 'application/json' });
  isOpen = true;
  for (const event of missed) take(event);
  const timer = setTimeout(() => response.end(), Number(query.get('timeoutSeconds') ?? 3_600) * 1_000);
  response.on('close', () => {
    clearTimeout(timer);
    stop();
  });
}

function refuse(response: http2.Http2ServerResponse, error: unknown): void {
  const { code, reason, message } =
    error instanceof ThinRefusal ? error : new ThinRefusal(500, 'InternalError', String(error));
  // Whose name is told is the object's: a path that is not served has none.
  const name = /"(.*)"/.exec(message)?.[1];
  const status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    code,
    ...(name === undefined ? {} : { details: { name } }),
  };
  send(response, code, JSON.stringify(status));
}

function send(response: http2.Http2ServerResponse, code: number, body: string): void {
  const bytes = Buffer.from(body);
  response.writeHead(code, { 'content-type': 'application/json', 'content-length': bytes.length });
  response.end(bytes);
}

function apiVersionOf({ group, version }: ThinKind): string {
  return group === '' ? version : `${group}/${version}`;
}

function discoveryOf(groups: readonly string[]): JsonObject {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: groups.map((group) => ({
      metadata: group === '' ? {} : { name: group },
      versions: [
        { version: 'v1', resources: thinKinds.filter((kind) => kind.group === group).map(discoveryOfKind) },
      ],
    })),
  };
}

function discoveryOfKind({ group, version, resource, kind, namespaced, hasStatus }: ThinKind): JsonObject {
  return {
    resource,
    responseKind: { group, version, kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    subresources: hasStatus ? [{ subresource: 'status', verbs: ['get', 'patch', 'update'] }] : [],
  };
}

const documents: { readonly [path: string]: JsonObject } = {
  '/version': { major: '1', minor: '36', gitVersion: 'v1.36.0-thin' },
  '/api': discoveryOf(['']),
  '/apis': discoveryOf(['apps']),
};
