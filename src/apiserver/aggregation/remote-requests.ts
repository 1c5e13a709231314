import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { type ServiceAddresses, serviceHostName } from '../services/service-address.ts';
import type { ServiceNetworks } from '../services/service-networks.ts';
import type { RemoteApiService } from './api-service.ts';
import type { ProxyCertificates } from './proxy-certificates.ts';

/** Connections to one API server in the name of one workspace; further requests wait for one. */
const connectionsMax = 256;
const idleConnectionsMax = 8;
const idleMs = 60_000;
const connectTimeoutMs = 10_000;

export interface RemoteRequestOptions {
  readonly method: string;
  /** With query. */
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
}

/** An answer of a document or probe, read whole. */
export interface RemoteAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/**
 * Requests to the API servers behind APIServices (KUBERNETES.md O1): to the address that the Service leads to, verified
 * as `<service>.<namespace>.svc`, with the workspace's own client certificate.
 */
export class RemoteRequests {
  readonly #addresses: ServiceAddresses;
  readonly #networks: ServiceNetworks;
  readonly #certificates: ProxyCertificates;
  readonly #agent = new Agent({
    keepAlive: true,
    maxSockets: connectionsMax,
    maxFreeSockets: idleConnectionsMax,
    timeout: idleMs,
  });

  constructor(parts: {
    readonly addresses: ServiceAddresses;
    readonly networks: ServiceNetworks;
    readonly certificates: ProxyCertificates;
  }) {
    this.#addresses = parts.addresses;
    this.#networks = parts.networks;
    this.#certificates = parts.certificates;
  }

  /** The caller ends it and hears its errors. Throws ServiceAddressError or NetworkError where nothing can be asked. */
  open(remote: RemoteApiService, { method, path, headers }: RemoteRequestOptions): ClientRequest {
    const { host, port } = this.#addresses.resolve(remote.clusterId, remote.service);
    this.#networks.check(host);
    const { certificatePem, keyPem } = this.#certificates.of(remote.clusterId);
    const hostName = serviceHostName(remote.service);
    const request = httpsRequest({
      agent: this.#agent,
      host,
      port,
      servername: hostName,
      lookup: this.#networks.lookup,
      ca: remote.caPem,
      cert: certificatePem,
      key: keyPem,
      rejectUnauthorized: !remote.skipsVerification,
      minVersion: 'TLSv1.2',
      method,
      path,
      headers: { ...headers, host: `${hostName}:${remote.service.port}` },
    });
    limitConnecting(request);
    return request;
  }

  /** A GET read whole. Rejects for what cannot be reached, is too slow, or longer than `bytesMax`. */
  read(
    remote: RemoteApiService,
    path: string,
    options: {
      readonly headers: OutgoingHttpHeaders;
      readonly timeoutMs: number;
      readonly bytesMax: number;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<RemoteAnswer> {
    const { headers, timeoutMs, bytesMax, signal } = options;
    return new Promise((resolve, reject) => {
      const request = this.open(remote, { method: 'GET', path, headers });
      const timer = setTimeout(
        () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)),
        timeoutMs,
      );
      const onAbort = (): void => {
        request.destroy(new Error('stopped'));
      };
      if (signal?.aborted) onAbort();
      signal?.addEventListener('abort', onAbort, { once: true });
      const settled = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      request.once('error', (error) => {
        settled();
        reject(error);
      });
      request.once('response', (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > bytesMax) request.destroy(new Error(`the answer is larger than ${bytesMax} bytes`));
          else chunks.push(chunk);
        });
        response.once('error', (error) => {
          settled();
          reject(error);
        });
        response.once('end', () => {
          settled();
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          });
        });
      });
      request.end();
    });
  }

  /** Cuts every connection. */
  close(): void {
    this.#agent.destroy();
  }
}

/** An address at which nobody answers is given up before the client loses patience. */
function limitConnecting(request: ClientRequest): void {
  request.once('socket', (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(
      () => request.destroy(new Error(`no connection within ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    );
    const settled = (): void => clearTimeout(timer);
    socket.once('secureConnect', settled);
    socket.once('close', settled);
  });
}
