import { generateKeyPairSync } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { JsonObject } from '#apimachinery/json.ts';
import { createCertificate } from '#apiserver/pki/certificate.ts';
import { freePort } from '../harness/free-port.ts';

const hourMs = 3_600_000;

/** A certificate for these hosts with the authority that signed it, both PEM. */
export function certificateFor(hosts: readonly string[]): { caPem: string; certPem: string; keyPem: string } {
  const issuer = { commonName: 'extension-ca' };
  const issuerKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const times = { notBefore: new Date(Date.now() - hourMs), notAfter: new Date(Date.now() + hourMs) };
  const caPem = createCertificate({
    subject: issuer,
    subjectKey: issuerKey,
    issuer,
    issuerKey,
    ...times,
    isCertificateAuthority: true,
  });
  const certPem = createCertificate({
    subject: { commonName: 'extension' },
    subjectKey: key,
    issuer,
    issuerKey,
    ...times,
    isCertificateAuthority: false,
    extendedKeyUsages: ['serverAuth'],
    hosts,
  });
  return { caPem, certPem, keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** CN of a client certificate that the authority given signed. */
  readonly proxy: string | undefined;
  readonly body: string;
}

export const widgetGroup = 'widgets.example.org';

const resources = {
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: `${widgetGroup}/v1`,
  resources: [
    {
      name: 'widgets',
      singularName: 'widget',
      namespaced: true,
      kind: 'Widget',
      verbs: ['create', 'get', 'list', 'watch'],
      shortNames: ['wd'],
    },
    { name: 'widgets/status', singularName: '', namespaced: true, kind: 'Widget', verbs: ['get'] },
  ],
};
const openApiV3 = { openapi: '3.0.0', info: { title: 'widgets', version: 'v1' }, paths: {} };
const openApiV2 = {
  swagger: '2.0',
  info: { title: 'widgets', version: 'v1' },
  paths: {
    [`/apis/${widgetGroup}/v1/widgets`]: {
      get: {
        operationId: 'listWidgets',
        responses: { 200: { description: 'OK', schema: { $ref: '#/definitions/org.example.Widget' } } },
      },
    },
    '/apis/other.example.org/v1/things': { get: { responses: {} } },
  },
  definitions: {
    'org.example.Widget': { type: 'object', properties: { meta: { $ref: '#/definitions/io.k8s.Meta' } } },
    'io.k8s.Meta': { type: 'object', description: 'not the one of Kubernetes' },
  },
};

/** An API server as somebody could write one: it believes a proxy that shows the right certificate, and nobody else. */
export class ExtensionServer implements AsyncDisposable {
  readonly seen: SeenRequest[] = [];
  readonly #server: https.Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;
  /** Ends of watches by their clients. */
  watchesEnded = 0;
  /** Whether discovery is left without an answer. */
  hangs = false;

  constructor(tls: { certPem: string; keyPem: string; requestHeaderCaPem: string }) {
    this.#server = https.createServer(
      {
        cert: tls.certPem,
        key: tls.keyPem,
        ca: tls.requestHeaderCaPem,
        requestCert: true,
        rejectUnauthorized: false,
      },
      (request, response) => void this.#answer(request, response),
    );
    // Before its handshake already: one that is cut off then would be open after `stop`, which waits for all.
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('upgrade', (request, socket) => {
      this.#see(request, '');
      if (request.url?.endsWith('/plain')) {
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
        return;
      }
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\n\r\n`,
      );
      socket.on('data', (chunk) => socket.write(`echo ${chunk}`));
      socket.on('end', () => socket.end());
      socket.on('error', () => {});
    });
  }

  get port(): number {
    return this.#port;
  }

  async start(): Promise<void> {
    if (this.#port === 0) this.#port = await freePort();
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', resolve);
    });
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #see(request: IncomingMessage, body: string): void {
    const socket = request.socket as TLSSocket;
    const CN = socket.authorized ? socket.getPeerCertificate().subject?.CN : undefined;
    const { method = '', url = '', headers } = request;
    this.seen.push({ method, url, headers, proxy: typeof CN === 'string' ? CN : undefined, body });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += chunk;
    this.#see(request, body);
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://x');
    const send = (code: number, value: JsonObject, headers = {}) => {
      response.writeHead(code, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(value));
    };
    if (pathname === `/apis/${widgetGroup}/v1`) return this.hangs ? undefined : send(200, resources);
    if (pathname === '/openapi/v3') {
      const url = `/openapi/v3/apis/${widgetGroup}/v1?hash=ABC`;
      return send(200, { paths: { [`apis/${widgetGroup}/v1`]: { serverRelativeURL: url } } });
    }
    if (pathname === `/openapi/v3/apis/${widgetGroup}/v1`) return send(200, openApiV3);
    if (pathname === '/openapi/v2') return send(200, openApiV2, { etag: '"v2"' });
    if (searchParams.get('watch') === 'true') {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write(`${JSON.stringify({ type: 'ADDED', object: widget('first') })}\n`);
      response.once('close', () => this.watchesEnded++);
      return;
    }
    if (request.method === 'POST') return send(201, JSON.parse(body) as JsonObject);
    if (pathname.endsWith('/moved')) return send(302, {}, { location: '/elsewhere' });
    if (pathname.endsWith('/gone')) {
      return send(
        410,
        { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Gone', code: 410 },
        { warning: '299 - "w"' },
      );
    }
    return send(200, {
      kind: 'WidgetList',
      apiVersion: `${widgetGroup}/v1`,
      metadata: { resourceVersion: '7' },
      items: [widget('first'), widget('second')],
    });
  }
}

function widget(name: string): JsonObject {
  return { kind: 'Widget', apiVersion: `${widgetGroup}/v1`, metadata: { name, namespace: 'default' } };
}
