import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { deadlineExceeded } from '../services/hook-faults.ts';
import { type ServiceAddress, type ServiceAddresses, serviceHostName } from '../services/service-address.ts';
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

  /** Where the remote is; another address each time where there are several. Throws ServiceAddressError or NetworkError. */
  resolve({ clusterId, service }: RemoteApiService): ServiceAddress {
    const address = this.#addresses.resolve(clusterId, service);
    this.#networks.check(address.host);
    return address;
  }

  /** The caller ends it and hears its errors. Throws ServiceAddressError or NetworkError where nothing can be asked. */
  open(
    remote: RemoteApiService,
    { method, path, headers }: RemoteRequestOptions,
    { host, port }: ServiceAddress = this.resolve(remote),
  ): ClientRequest {
    const { certificatePem, keyPem } = this.#certificates.of(remote.clusterId);
    const request = httpsRequest({
      agent: this.#agent,
      host,
      port,
      servername: serviceHostName(remote.service),
      lookup: this.#networks.lookup,
      ca: remote.caPem,
      cert: certificatePem,
      key: keyPem,
      rejectUnauthorized: !remote.skipsVerification,
      minVersion: 'TLSv1.2',
      method,
      path,
      headers: { ...headers, host: serviceAuthority(remote) },
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
      readonly address?: ServiceAddress | undefined;
    },
  ): Promise<RemoteAnswer> {
    const { headers, timeoutMs, bytesMax, signal, address } = options;
    return new Promise((resolve, reject) => {
      const request = this.open(remote, { method: 'GET', path, headers }, address);
      const timer = setTimeout(() => request.destroy(new Error(deadlineExceeded)), timeoutMs);
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

/** What the server behind it is asked as, wherever the Service leads. */
export function serviceAuthority({ service }: RemoteApiService): string {
  return `${serviceHostName(service)}:${service.port}`;
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
