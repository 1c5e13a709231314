import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream';
import { ApiError, badRequest } from '#apimachinery/api-error.ts';
import { onAborted } from '#apimachinery/lifecycle.ts';
import { hasBody } from '../http/body.ts';
import type { ServerReply, ServerRequest } from '../http/exchange.ts';
import { isLongRunning } from '../request/long-running.ts';
import type { RequestInfo } from '../request/request-info.ts';
import type { UserInfo } from '../request/user.ts';
import { callFault, deadlineExceeded } from '../services/hook-faults.ts';
import { ServiceAddressError } from '../services/service-address.ts';
import type { RemoteApiService } from './api-service.ts';
import { forwardedHeaders, proxiedRequestHeaders, proxiedResponseHeaders } from './identity-headers.ts';
import { ProxyFault, serviceUnavailable } from './proxy-fault.ts';
import { type RemoteRequests, serviceAuthority } from './remote-requests.ts';

/** Watches, logs and upgraded connections passed through at once; more get 429. */
const streamsMax = 10_000;
/** Clients ask for many discovery documents at once: one slow server is not to hold them all up (k8s.io/apiserver/pkg/util/proxy). */
const discoveryTimeoutMs = 5_000;

export interface ProxiedRequest {
  readonly request: ServerRequest;
  readonly response: ServerReply;
  readonly info: RequestInfo;
  /** Percent-encoded, without its mark. */
  readonly rawQuery: string;
  readonly user: UserInfo;
  readonly auditId: string;
  /** Headers of every answer of this server, in small letters. */
  readonly front: { readonly [name: string]: string };
  /** Present when the client asked for another protocol on its connection. */
  readonly upgrade: { readonly socket: Duplex; readonly head: Buffer } | undefined;
  /** Fires when the client is gone or the request's time is over. */
  readonly signal: AbortSignal;
}

/**
 * Passes requests on to the API servers behind APIServices (KUBERNETES.md O1): bodies and answers as streams, watches for
 * as long as they last, and upgraded connections (WebSocket, SPDY) as they are.
 */
export class AggregationProxy {
  readonly #requests: RemoteRequests;
  #streams = 0;

  constructor(requests: RemoteRequests) {
    this.#requests = requests;
  }

  /**
   * Settles when the answer is through; for what goes on and on, when it has begun. Rejects with ProxyFault when nobody
   * answers, or with what is not to be passed on.
   */
  async serve(remote: RemoteApiService, proxied: ProxiedRequest): Promise<void> {
    const { request, info, rawQuery, user, auditId, upgrade } = proxied;
    const isStream = upgrade !== undefined || isLongRunning(info);
    if (isStream && this.#streams >= streamsMax) {
      throw new ApiError('TooManyRequests', 'Too many requests, please try again later.', {
        details: { retryAfterSeconds: 5 },
      });
    }
    const headers = proxiedRequestHeaders(request.headers, user, request.socket?.remoteAddress);
    headers['audit-id'] = auditId;
    const path = encodedPath(info.path);
    if (upgrade !== undefined) {
      headers['connection'] = 'Upgrade';
      headers['upgrade'] = request.headers.upgrade;
    } else Object.assign(headers, forwardedHeaders(serviceAuthority(remote), path));
    const asked = { method: info.method, path: rawQuery === '' ? path : `${path}?${rawQuery}`, headers };
    const send = (): Promise<void> => {
      const outgoing = this.#requests.open(remote, asked);
      if (isStream) {
        this.#streams++;
        outgoing.once('close', () => this.#streams--);
      }
      return this.#exchange(outgoing, proxied, isStream);
    };
    try {
      await send().catch((error: unknown) => {
        // A connection that was kept may just have been closed at its other end.
        if (error instanceof StaleConnectionError && isRepeatable(proxied)) return send();
        throw error;
      });
    } catch (error) {
      const isTold = error instanceof ApiError || error instanceof ProxyFault;
      throw isTold || proxied.signal.aborted ? error : unreachable(error, upgrade !== undefined);
    }
  }

  #exchange(
    outgoing: ClientRequest,
    { request, response, info, upgrade, signal, auditId, front }: ProxiedRequest,
    isStream: boolean,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      if (isDiscovery(info)) limitAnswer(outgoing);
      // Whoever is gone is not waited for; what has begun ends with the client's connection.
      const release = onAborted(signal, () => {
        // An answer that is out closes too.
        if (response.writableEnded) return;
        outgoing.destroy();
        reject(signal.reason);
      });
      response.once('close', release);
      outgoing.once('error', (error) =>
        reject(outgoing.reusedSocket && !response.headersSent ? new StaleConnectionError(error) : error),
      );
      outgoing.once('response', (incoming) => {
        const refused = refusalOf(incoming, upgrade !== undefined);
        if (refused !== undefined) {
          outgoing.destroy();
          reject(refused);
          return;
        }
        sendHead(response, incoming, auditId, front);
        if (isStream) resolve();
        pipeline(incoming, response as ServerResponse, () => resolve());
      });
      outgoing.once('upgrade', (incoming, socket, head) => {
        if (upgrade === undefined) {
          socket.destroy();
          reject(new Error('the server changed the protocol without being asked to'));
          return;
        }
        join(response as ServerResponse, upgrade, incoming, socket, head);
        resolve();
      });
      if (upgrade === undefined && hasBody(request)) pipeline(request, outgoing, () => {});
      else outgoing.end();
    });
  }
}

class StaleConnectionError extends Error {
  override readonly name = 'StaleConnectionError';

  constructor(cause: Error) {
    super(cause.message, { cause });
  }
}

function isRepeatable({ request, response, info, upgrade }: ProxiedRequest): boolean {
  if (upgrade !== undefined || response.headersSent || hasBody(request)) return false;
  return info.method === 'GET' || info.method === 'HEAD';
}

function sendHead(
  response: ServerReply,
  incoming: IncomingMessage,
  auditId: string,
  front: ProxiedRequest['front'],
): void {
  const headers: OutgoingHttpHeaders = proxiedResponseHeaders(incoming.headers, front);
  headers['audit-id'] ??= auditId;
  const reply = response as ServerResponse;
  reply.writeHead(incoming.statusCode ?? 502, headers);
  // A watch's client waits for the headers before there is anything to tell.
  reply.flushHeaders?.();
}

/** From here on both connections are one. */
function join(
  response: ServerResponse,
  { socket: clientSocket, head: clientHead }: { readonly socket: Duplex; readonly head: Buffer },
  incoming: IncomingMessage,
  remoteSocket: Duplex,
  remoteHead: Buffer,
): void {
  if (response.socket !== null) response.detachSocket(response.socket);
  let head = `HTTP/1.1 ${incoming.statusCode} ${incoming.statusMessage ?? ''}\r\n`;
  for (let i = 0; i + 1 < incoming.rawHeaders.length; i += 2) {
    head += `${incoming.rawHeaders[i]}: ${incoming.rawHeaders[i + 1]}\r\n`;
  }
  clientSocket.write(`${head}\r\n`, 'latin1');
  if (remoteHead.length > 0) clientSocket.write(remoteHead);
  if (clientHead.length > 0) remoteSocket.write(clientHead);
  passOn(clientSocket, remoteSocket);
  passOn(remoteSocket, clientSocket);
}

/** `pipeline` would hang half a dozen listeners on sockets that have some already. */
function passOn(from: Duplex, to: Duplex): void {
  from.pipe(to);
  from.once('error', () => to.destroy());
  from.once('close', () => to.destroy());
}

function encodedPath(path: string): string {
  const segments = path.split('/');
  // What was authorized and what the other side makes of the path must be the same.
  if (segments.includes('..') || segments.includes('.')) throw badRequest('the path has dot segments');
  if (/^[\w.~:@!$&'()*+,;=/-]*$/.test(path)) return path;
  return segments.map(encodeURIComponent).join('/');
}

/** `/apis/<group>/<version>` */
function isDiscovery({ resource, path }: RequestInfo): boolean {
  return resource === undefined && path.split('/').filter((segment) => segment !== '').length === 3;
}

function limitAnswer(outgoing: ClientRequest): void {
  const timer = setTimeout(() => outgoing.destroy(new Error(deadlineExceeded)), discoveryTimeoutMs);
  outgoing.once('close', () => clearTimeout(timer));
}

/** What of an answer is not passed on: whoever asked this server is not sent elsewhere. */
function refusalOf({ statusCode = 0, headers }: IncomingMessage, isUpgrade: boolean): ProxyFault | undefined {
  if (isUpgrade && statusCode < 400) {
    return new ProxyFault(503, `invalid upgrade response: status code ${statusCode}`);
  }
  if (statusCode < 300 || statusCode > 399 || !headers.location) return undefined;
  return new ProxyFault(502, 'the backend attempted to redirect this request, which is not permitted');
}

function unreachable(error: unknown, isUpgrade: boolean): ProxyFault {
  // A Service that leads nowhere is the same as one whose server is known to be away.
  if (error instanceof ServiceAddressError) return serviceUnavailable();
  const what = isUpgrade ? 'error dialing backend' : 'error trying to reach service';
  const cause = error instanceof StaleConnectionError ? error.cause : error;
  // It was there, and went before it answered.
  if (isUpgrade && (cause as NodeJS.ErrnoException).code === 'ECONNRESET') {
    return new ProxyFault(503, 'unexpected EOF', error);
  }
  return new ProxyFault(503, `${what}: ${callFault(cause)}`, error);
}
