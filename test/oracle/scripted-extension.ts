import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { JsonObject } from '#apimachinery/json.ts';
import { certificateFor } from '../extension/extension-server.ts';

export const scriptedGroup = 'scripted.example.org';
const root = `/apis/${scriptedGroup}/v1`;

const resources: JsonObject = {
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: `${scriptedGroup}/v1`,
  resources: [
    {
      name: 'widgets',
      singularName: 'widget',
      namespaced: true,
      kind: 'Widget',
      verbs: ['create', 'get', 'list', 'watch'],
      shortNames: ['wd'],
      categories: ['all'],
    },
    { name: 'widgets/status', singularName: '', namespaced: true, kind: 'Widget', verbs: ['get'] },
    {
      name: 'widgets/scale',
      singularName: '',
      namespaced: true,
      group: 'autoscaling',
      version: 'v1',
      kind: 'Scale',
      verbs: ['get'],
    },
    { name: 'parts/check', singularName: '', namespaced: false, kind: 'Check', verbs: ['create'] },
  ],
};

const status = (code: number, reason: string): JsonObject => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message: `scripted ${code}`,
  reason,
  code,
});

/** Headers that every connection has its own of. */
const ownHeaders: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
]);

/**
 * An API server that does what the name in its path says: one for both sides, which answers both alike. What a client may
 * find is `/…/widgets/<name>`.
 */
export class ScriptedExtension implements AsyncDisposable {
  readonly caBundle: string;
  readonly port: number;
  /** What discovery is answered with; undefined: nothing, ever. */
  discoveryCode: number | undefined = 200;
  readonly #server: Server;
  readonly #sockets: ReadonlySet<Socket>;

  private constructor(caBundle: string, server: Server, sockets: ReadonlySet<Socket>) {
    this.caBundle = caBundle;
    this.#server = server;
    this.#sockets = sockets;
    this.port = (server.address() as AddressInfo).port;
  }

  /** `hosts`: of its certificate. `authoritiesPem`: of the proxies that may say who asks. */
  static async start(
    hosts: readonly string[],
    authoritiesPem: readonly string[],
  ): Promise<ScriptedExtension> {
    const tls = certificateFor(hosts);
    const server = createServer({
      cert: tls.certPem,
      key: tls.keyPem,
      ca: [...authoritiesPem],
      requestCert: true,
      rejectUnauthorized: false,
    });
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const made = new ScriptedExtension(Buffer.from(tls.caPem).toString('base64'), server, sockets);
    server.on('request', (request, response) => void made.#answer(request, response));
    server.on('upgrade', (request, socket) => upgrade(request, socket));
    return made;
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  /** Listens again, where it did. */
  async resume(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.port, '127.0.0.1', resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const { pathname } = new URL(request.url ?? '/', 'https://x');
    const json = (code: number, value: JsonObject, headers: { [name: string]: string | string[] } = {}) => {
      response.writeHead(code, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(value));
    };
    if (pathname === root || pathname === `${root}/`) {
      if (this.discoveryCode === 200) json(200, resources);
      else if (this.discoveryCode !== undefined) json(this.discoveryCode, status(this.discoveryCode, ''));
      return;
    }
    const name = pathname.split('/').at(-1) ?? '';
    const answers: { readonly [name: string]: () => unknown } = {
      echo: () => json(200, echo(request, body)),
      missing: () => json(404, status(404, 'NotFound')),
      teapot: () => json(418, status(418, '')),
      broken: () => json(500, status(500, 'InternalError')),
      busy: () => json(429, status(429, 'TooManyRequests'), { 'retry-after': '7' }),
      away: () => json(503, status(503, 'ServiceUnavailable'), { 'retry-after': '1' }),
      unauthorized: () => json(401, status(401, 'Unauthorized'), { 'www-authenticate': 'Basic realm="x"' }),
      text: () => response.writeHead(200, { 'content-type': 'text/plain' }).end('some text'),
      nothing: () => response.writeHead(204).end(),
      untyped: () => response.writeHead(200).end('{"kind":"Untyped"}'),
      fresh: () => response.writeHead(304, { etag: '"x"' }).end(),
      moved: () => response.writeHead(302, { location: '/elsewhere' }).end('moved'),
      'moved-away': () => response.writeHead(307, { location: 'https://elsewhere.example/x' }).end(),
      'moved-nowhere': () => response.writeHead(302).end('moved'),
      created: () => json(201, {}, { location: `${root}/namespaces/x/widgets/new` }),
      warned: () => json(200, {}, { warning: ['299 - "one"', '299 - "two"'] }),
      headers: () =>
        json(
          200,
          {},
          {
            ...{ 'access-control-allow-origin': '*', 'access-control-allow-credentials': 'true' },
            ...{ 'access-control-allow-headers': 'x', 'access-control-allow-methods': 'GET' },
            ...{ 'access-control-expose-headers': 'date', 'set-cookie': ['a=1', 'b=2'], etag: '"x"' },
            ...{ 'cache-control': 'max-age=5', vary: 'Accept', server: 'scripted', 'x-own': 'own' },
            ...{ 'audit-id': 'its-own', 'x-kubernetes-pf-flowschema-uid': 'its-own' },
            ...{ connection: 'x-hop', 'x-hop': '1', 'strict-transport-security': 'max-age=5' },
          },
        ),
      packed: () =>
        response
          .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
          .end(gzipSync('{"kind":"Packed"}')),
      cut: () => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
        response.write('{"kind":', () => request.socket.destroy());
      },
      gone: () => request.socket.destroy(),
      slow: () => {},
      garbage: () => request.socket.end('this is no HTTP\r\n\r\n'),
    };
    const found = answers[name];
    if (found !== undefined) found();
    else if (pathname.startsWith(`${root}/`)) json(200, { kind: 'WidgetList', metadata: {}, items: [] });
    else json(404, status(404, 'NotFound'));
  }
}

/** What came, as the server sees it; its own address apart. */
function echo({ method = '', url = '', headers }: IncomingMessage, body: string): JsonObject {
  const seen: JsonObject = {};
  for (const name of Object.keys(headers).sort()) {
    if (ownHeaders.has(name)) continue;
    const value = name === 'x-forwarded-host' ? isAsked(headers) : headers[name];
    seen[name] = Array.isArray(value) ? value.join(', ') : (value ?? null);
  }
  return { method, url, seen, body };
}

function isAsked({ host, 'x-forwarded-host': forwarded }: IncomingMessage['headers']): string {
  return forwarded === host ? 'as it is asked' : String(forwarded);
}

function upgrade(request: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => {});
  const name = request.url?.split('?')[0]?.split('/').at(-1);
  const text = (code: string, body: string) =>
    `HTTP/1.1 ${code}\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  if (name === 'refused') return void socket.end(text('403 Forbidden', 'no'));
  if (name === 'plain') return void socket.end(text('200 OK', 'plain'));
  if (name === 'moved')
    return void socket.end('HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n');
  if (name === 'gone') return void socket.destroy();
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\n` +
      `X-Protocols: ${request.headers['sec-websocket-protocol'] ?? ''}\r\n\r\n`,
  );
  socket.on('data', (chunk: Buffer) => socket.write(`echo ${chunk.toString()}`));
  socket.on('end', () => socket.end());
}
