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
import type { RemoteApiService } from './api-service.ts';
import { proxiedRequestHeaders, proxiedResponseHeaders } from './identity-headers.ts';
import type { RemoteRequests } from './remote-requests.ts';

/** Watches, logs and upgraded connections passed through at once; more get 429. */
const streamsMax = 10_000;

export interface ProxiedRequest {
  readonly request: ServerRequest;
  readonly response: ServerReply;
  readonly info: RequestInfo;
  /** Percent-encoded, without its mark. */
  readonly rawQuery: string;
  readonly user: UserInfo;
  readonly auditId: string;
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
   * Settles when the answer is through; for what goes on and on, when it has begun. Rejects with ApiError 503 when nobody
   * answers.
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
    if (upgrade !== undefined) {
      headers['connection'] = 'Upgrade';
      headers['upgrade'] = request.headers.upgrade;
    }
    const path = encodedPath(info.path);
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
      throw error instanceof ApiError || proxied.signal.aborted ? error : unreachable(error);
    }
  }

  #exchange(
    outgoing: ClientRequest,
    { request, response, upgrade, signal, auditId }: ProxiedRequest,
    isStream: boolean,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
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
        sendHead(response, incoming, auditId);
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

function sendHead(response: ServerReply, incoming: IncomingMessage, auditId: string): void {
  const headers: OutgoingHttpHeaders = proxiedResponseHeaders(incoming.headers);
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

function unreachable(error: unknown): ApiError {
  const why = error instanceof Error ? error.message : String(error);
  return new ApiError('ServiceUnavailable', `error trying to reach service: ${why}`, { cause: error });
}
