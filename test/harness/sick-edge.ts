import { generateKeyPairSync } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { copyLabels } from '#api/federation/copy-contract.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { createCertificate } from '#apiserver/pki/certificate.ts';
import type { ServerPki } from '#apiserver/pki/pki.ts';
import type { ServerConnection } from '#client/remote/connection.ts';

export type Sickness =
  | 'none'
  /** Requests are taken, and never answered. */
  | 'hanging'
  /** Everything is answered 500. */
  | 'errors'
  /** Every answer takes its time. */
  | 'slow'
  /** Connections are reset at each request. */
  | 'resetting'
  /** Watches tell events of objects that look like ours as fast as they are read. */
  | 'flooding'
  /** Lists and watches tell of ever other objects that look like ours. */
  | 'sprawling'
  /** Writes are answered with very much, watches with a line that does not end. */
  | 'huge'
  /** Answers are of the wrong shape, or of another object. */
  | 'lying'
  /** Everything works but watches of ConfigMaps. */
  | 'unwatchable'
  /** Writes are refused, as by a ResourceQuota. */
  | 'over-quota'
  /** Writes are refused with 507. */
  | 'full'
  /** Its certificate is no good any more. */
  | 'expired';

export interface SickEdgeOptions {
  readonly pki: ServerPki;
  /** The healthy API server behind it, with credentials that may do everything there. */
  readonly target: ServerConnection;
  readonly slowMs?: number | undefined;
}

/** An edge API server that can fall ill in many ways, on a port of its own, in front of a healthy one. */
export class SickEdge implements AsyncDisposable {
  requests = 0;
  /** Connections made to it, whatever came of their handshakes. */
  connections = 0;
  /** Bytes sent over connections that have ended. */
  #bytesSent = 0;
  readonly #options: SickEdgeOptions;
  readonly #agent: https.Agent;
  readonly #server: https.Server;
  /** Beneath TLS. */
  readonly #sockets = new Set<Socket>();
  #sickness: Sickness = 'none';

  private constructor(options: SickEdgeOptions) {
    this.#options = options;
    const { caPem, certificatePem, keyPem } = options.target;
    this.#agent = new https.Agent({ keepAlive: true, ca: caPem, cert: certificatePem, key: keyPem });
    this.#server = https.createServer(servingPair(options.pki, false), (request, answer) =>
      this.#handle(request, answer),
    );
    this.#server.keepAliveTimeout = 90_000; // as kube-apiserver
    this.#server.on('connection', (socket: Socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => {
        this.#bytesSent += socket.bytesWritten;
        this.#sockets.delete(socket);
      });
    });
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  static async start(options: SickEdgeOptions): Promise<SickEdge> {
    const edge = new SickEdge(options);
    await new Promise<void>((resolve) => edge.#server.listen(0, '127.0.0.1', resolve));
    return edge;
  }

  /** As a Cell and its Secret name it. */
  get connection(): ServerConnection {
    const { port } = this.#server.address() as AddressInfo;
    const { pathname } = new URL(this.#options.target.server);
    const path = pathname.replace(/\/$/, '');
    return { ...this.#options.target, server: `https://127.0.0.1:${port}${path}` };
  }

  /** Bytes sent so far, with what TLS adds. */
  get bytesSent(): number {
    let bytes = this.#bytesSent;
    for (const socket of this.#sockets) bytes += socket.bytesWritten;
    return bytes;
  }

  /** From now on; connections that stand are cut, so that watches are begun anew. */
  set(sickness: Sickness): void {
    const wasExpired = this.#sickness === 'expired';
    this.#sickness = sickness;
    const isExpired = sickness === 'expired';
    if (isExpired !== wasExpired) this.#server.setSecureContext(servingPair(this.#options.pki, isExpired));
    if (sickness !== 'none') this.#server.closeAllConnections();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    // Also those that are in their handshake, which the server itself does not know yet.
    for (const socket of this.#sockets) socket.destroy();
    this.#agent.destroy();
    await closed;
  }

  #handle(request: IncomingMessage, answer: ServerResponse): void {
    this.requests++;
    answer.on('error', () => {});
    request.on('error', () => {});
    const url = new URL(request.url ?? '/', 'https://edge.invalid');
    const isWatch = url.searchParams.get('watch') === 'true' || url.searchParams.get('watch') === '1';
    const isWrite = request.method !== 'GET';
    const isClaim = url.pathname.includes('/cellplane-');
    const sickness = this.#sickness;
    const isStill = () => this.#sickness === sickness;
    switch (sickness) {
      case 'hanging':
        return;
      case 'errors':
        answer.writeHead(500, { 'content-type': 'text/plain' }).end('the database is on fire');
        return;
      case 'slow':
        setTimeout(() => this.#forward(request, answer), this.#options.slowMs ?? 1_500).unref();
        return;
      case 'resetting':
        for (const socket of this.#sockets) socket.resetAndDestroy();
        return;
      case 'flooding':
        if (isWatch && url.pathname.endsWith('/configmaps')) flood(answer, isStill);
        else this.#forward(request, answer);
        return;
      case 'sprawling':
        // Of one namespace it tells the truth.
        if (isWrite || !/^(?!.*\/namespaces\/).*\/configmaps$/.test(url.pathname))
          this.#forward(request, answer);
        else if (isWatch) flood(answer, isStill, Number.POSITIVE_INFINITY);
        else sprawl(answer);
        return;
      case 'huge':
        if (isWatch) endless(answer, isStill);
        else if (isWrite && !isClaim)
          answer.writeHead(200, { 'content-type': 'application/json' }).end(hugeAnswer());
        else this.#forward(request, answer);
        return;
      case 'lying':
        if (isWatch)
          answer.writeHead(200).end(`${JSON.stringify({ type: 'ADDED', object: { metadata: 5 } })}\n`);
        else if (isClaim || !url.pathname.includes('/configmaps')) this.#forward(request, answer);
        else if (isWrite)
          json(answer, 200, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'other' } });
        else json(answer, 200, { apiVersion: 'v1', kind: 'ConfigMapList', metadata: {}, items: 'none' });
        return;
      case 'unwatchable':
        if (isWatch && url.pathname.endsWith('/configmaps')) {
          answer.writeHead(500, { 'content-type': 'text/plain' }).end('the watch cache is away');
        } else this.#forward(request, answer);
        return;
      case 'over-quota':
        if (isWrite && !isClaim) {
          const message =
            'configmaps "x" is forbidden: exceeded quota: everything, limited: count/configmaps=1';
          const status = { status: 'Failure', reason: 'Forbidden', code: 403 };
          json(answer, 403, { kind: 'Status', apiVersion: 'v1', metadata: {}, ...status, message });
        } else this.#forward(request, answer);
        return;
      case 'full':
        if (isWrite && !isClaim) answer.writeHead(507).end('no space left on device');
        else this.#forward(request, answer);
        return;
      case 'expired':
      case 'none':
        this.#forward(request, answer);
    }
  }

  #forward(request: IncomingMessage, answer: ServerResponse): void {
    const { host, port } = new URL(this.#options.target.server);
    const { method = 'GET', url = '/', headers } = request;
    const onward = https.request(
      {
        agent: this.#agent,
        hostname: '127.0.0.1',
        port,
        method,
        path: url,
        headers: { ...headers, host },
      },
      (reply) => {
        answer.writeHead(reply.statusCode ?? 502, reply.headers);
        answer.flushHeaders();
        reply.on('error', () => answer.destroy());
        reply.pipe(answer);
      },
    );
    onward.on('error', () => answer.destroy());
    answer.on('close', () => onward.destroy());
    request.pipe(onward);
  }
}

function json(answer: ServerResponse, code: number, body: JsonObject): void {
  const bytes = Buffer.from(JSON.stringify(body));
  answer.writeHead(code, { 'content-type': 'application/json', 'content-length': bytes.length }).end(bytes);
}

let huge: Buffer | undefined;

/** Made once, at the first call. */
export function hugeAnswer(): Buffer {
  huge ??= Buffer.from(
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'huge' },
      data: Object.fromEntries(
        Array.from({ length: 200_000 }, (_, index) => [`key-${index}`, 'x'.repeat(20)]),
      ),
    }),
  );
  return huge;
}

/** Bytes without a newline, as fast as they are read. */
function endless(answer: ServerResponse, isStill: () => boolean): void {
  answer.writeHead(200, { 'content-type': 'application/json' });
  const chunk = Buffer.alloc(64 * 1024, 'x');
  pump(answer, isStill, () => chunk);
}

const floodObjects = 500;
const sprawlPage = 250;
let told = 1_000_000;

/** Events of so many objects. */
function flood(answer: ServerResponse, isStill: () => boolean, objects = floodObjects): void {
  answer.writeHead(200, { 'content-type': 'application/json' });
  pump(answer, isStill, () => {
    const lines: string[] = [];
    for (let index = 0; index < 50; index++) {
      const type = objects === floodObjects ? 'MODIFIED' : 'ADDED';
      lines.push(`${JSON.stringify({ type, object: floodObject(++told, objects) })}\n`);
    }
    return Buffer.from(lines.join(''));
  });
}

/** A page of a list that has no last one. */
function sprawl(answer: ServerResponse): void {
  const items = Array.from({ length: sprawlPage }, () => floodObject(++told, Number.POSITIVE_INFINITY));
  const metadata = { resourceVersion: String(told), continue: String(told) };
  json(answer, 200, { apiVersion: 'v1', kind: 'ConfigMapList', metadata, items });
}

function floodObject(revision: number, objects: number): JsonObject {
  const fieldsV1 = { 'f:data': { 'f:x': {} }, 'f:metadata': { 'f:labels': {} } };
  const number = revision % objects;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: `flood-${number}`,
      namespace: 'ns',
      uid: `uid-${number}`,
      resourceVersion: String(revision),
      labels: { [copyLabels.originCluster]: 'project1' },
      managedFields: [
        {
          manager: 'cellplane-federator',
          operation: 'Apply',
          apiVersion: 'v1',
          fieldsType: 'FieldsV1',
          fieldsV1,
        },
      ],
    },
    data: { x: String(revision) },
  };
}

/**
 * Writes until the other side ends or the edge is cured, never ahead of the other side's reading, and lets the rest of the
 * process have its turns.
 */
function pump(answer: ServerResponse, isStill: () => boolean, next: () => Buffer): void {
  const step = () => {
    if (answer.destroyed) return;
    if (!isStill()) {
      answer.destroy();
      return;
    }
    if (answer.write(next())) setImmediate(step);
    else answer.once('drain', step);
  };
  step();
}

function servingPair(pki: ServerPki, expired: boolean): { cert: string; key: string } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const dayMs = 86_400_000;
  const endMs = Date.now() + (expired ? -dayMs : dayMs);
  const cert = createCertificate({
    subject: { commonName: 'sick-edge' },
    subjectKey: privateKey,
    issuer: pki.ca.name,
    issuerKey: pki.ca.key,
    notBefore: new Date(endMs - 2 * dayMs),
    notAfter: new Date(endMs),
    isCertificateAuthority: false,
    extendedKeyUsages: ['serverAuth'],
    hosts: ['127.0.0.1'],
  });
  return { cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}
