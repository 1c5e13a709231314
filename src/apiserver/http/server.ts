import { ServerResponse } from 'node:http';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { HandshakeGate } from './connections/handshake-gate.ts';
import { Http2Connection } from './connections/http2-connection.ts';
import { keepParsing } from './connections/paused-parser.ts';
import type { HttpServerDependencies } from './dependencies.ts';
import type { ServerReply, ServerRequest } from './exchange.ts';
import { ExpressShell } from './express-shell.ts';
import { type HealthCheck, pingCheck } from './health.ts';
import { defaultHttpLimits, type HttpLimits } from './limits.ts';
import { configurePlainRoutes, exchanges } from './plain-routes.ts';
import { RequestHandler } from './request-handler.ts';

/** The server could not begin to listen; the message says where and why. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly code: string;

  constructor(code: string, message: string, cause: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** What is asked of a connection that did not come through the port. */
export interface AcceptedConnection extends Duplex {
  /** Whether the peer's certificate is signed by an authority that is believed. */
  readonly authorized: boolean;
  /** As `tls.TLSSocket` tells it; undefined where the peer showed none. */
  getPeerCertificate(): Partial<PeerCertificate> | undefined;
}

export interface HttpServer {
  /** Resolves when connections are accepted; rejects with ListenError. */
  listen(): Promise<{ readonly port: number; readonly host: string }>;
  /** Serves HTTP/1.1 on a connection that came another way than through the port: secured, its peer known. */
  accept(connection: AcceptedConnection): void;
  /** Uses a renewed certificate for connections that come from now on. */
  renewCertificate(tls: HttpServerDependencies['tls']): void;
  /**
   * As `renewCertificate`, with other authorities of clients. Connections whose peer showed no certificate that TLS believed end
   * with what is under way: only a new handshake asks for one of these authorities.
   */
  trustOthers(tls: HttpServerDependencies['tls']): void;
  /**
   * Ordered and idempotent: not ready → delay, in its second half connections end with their next answer → requests refused →
   * requests under way drained → watches ended → connections closed. The signal cuts the waiting short.
   */
  stop(signal?: AbortSignal): Promise<void>;
}

const defaultDrainTimeoutMs = 60_000;
const keepAliveTimeoutMs = 180_000;
const headersTimeoutMs = 32_000;
/** For a whole request with its body to arrive. */
const receiveTimeoutMs = 120_000;
/** Watches ended at once at stop, and the pause between two such lots. */
const watchEndBatch = 500;
const watchEndPauseMs = 10;
/** How long bodies that are on their way when the server stops may take. */
const receiveGraceMs = 1_000;
/** How long answers that are made may take to go out when the server stops: their clients read slowly. */
const sendGraceMs = 5_000;
/** How long connections may take to say goodbye before they are cut. */
const goodbyeMs = 1_000;

/** The HTTP surface: HTTP/1.1 and HTTP/2 over TLS on one port. */
export function createHttpServer(dependencies: HttpServerDependencies): HttpServer {
  return new SecureHttpServer(dependencies);
}

class SecureHttpServer implements HttpServer {
  readonly #dependencies: HttpServerDependencies;
  readonly #handler: RequestHandler;
  readonly #server: Http2SecureServer;
  /** As they come, before their handshake, which some do not end. */
  readonly #connections = new Set<Socket>();
  readonly #sockets = new Set<TLSSocket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  #isReady = true;
  #stopped: Promise<void> | undefined;

  constructor(dependencies: HttpServerDependencies) {
    this.#dependencies = dependencies;
    const limits: HttpLimits = { ...defaultHttpLimits, ...dependencies.limits };
    const shell = new ExpressShell((app) =>
      configurePlainRoutes(app, {
        dependencies,
        checks: () => this.#checks(),
        metricsText: () => this.#handler.metrics.render(),
      }),
    );
    this.#handler = new RequestHandler(dependencies, limits, (exchange, url) => {
      exchanges.set(exchange.request, exchange);
      return shell.handle(exchange.request, exchange.response, url);
    });
    this.#server = createSecureServer({
      allowHTTP1: true,
      // For HTTP/1.1, which Node leaves to us here: an answer in several writes (a batch, a watch) would wait for the peer to
      // acknowledge each before the next is sent (RFC 896), and peers take their time (RFC 1122, 4.2.3.2: up to 500 ms).
      noDelay: true,
      ...tlsOptions(dependencies.tls),
      minVersion: 'TLSv1.2',
      requestCert: true,
      // A certificate that does not verify is told by 401, not by a broken handshake.
      rejectUnauthorized: false,
      settings: { maxConcurrentStreams: limits.http2StreamsMax, maxHeaderListSize: limits.headerBytesMax },
      ...shell.serverOptions,
    } as Parameters<typeof createSecureServer>[0]);
    this.#wire(limits);
  }

  listen(): Promise<{ port: number; host: string }> {
    const { host = '127.0.0.1', port } = this.#dependencies.listen;
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => {
        const code = error.code ?? 'UNKNOWN';
        reject(new ListenError(code, listenMessage(code, host, port, error), error));
      };
      this.#server.once('error', onError);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', onError);
        this.#server.on('error', (error) => {
          this.#dependencies.logger.error({ err: error }, 'HTTP server failed');
        });
        resolve({ port: (this.#server.address() as AddressInfo).port, host });
      });
    });
  }

  accept(connection: AcceptedConnection): void {
    const shown = { alpnProtocol: 'http/1.1', server: this.#server };
    this.#server.emit('secureConnection', Object.assign(connection, shown));
  }

  renewCertificate(tls: HttpServerDependencies['tls']): void {
    this.#server.setSecureContext({ ...tlsOptions(tls), minVersion: 'TLSv1.2' });
  }

  trustOthers(tls: HttpServerDependencies['tls']): void {
    this.renewCertificate(tls);
    for (const socket of this.#sockets) if (!socket.authorized) this.#handler.leavingSockets.add(socket);
    for (const session of this.#sessions) {
      if (!session.destroyed && !(session.socket as TLSSocket).authorized) session.close();
    }
  }

  stop(signal?: AbortSignal): Promise<void> {
    this.#stopped ??= this.#stop(signal);
    return this.#stopped;
  }

  async #stop(signal: AbortSignal | undefined): Promise<void> {
    const { shutdownDelayMs = 0, drainTimeoutMs = defaultDrainTimeoutMs, logger } = this.#dependencies;
    const step = (name: string): void => logger.debug({ step: name }, 'HTTP server stops');
    step('not-ready');
    this.#isReady = false;
    if (shutdownDelayMs > 0) {
      await waitAtMost(new Promise(() => {}), shutdownDelayMs / 2, signal);
      // By now no new connection comes here: those that there are end with their next answer.
      step('leave');
      this.#handler.isLeaving = true;
      for (const session of this.#sessions) session.close();
      await waitAtMost(new Promise(() => {}), shutdownDelayMs / 2, signal);
    }
    step('refuse-requests');
    this.#handler.isStopping = true;
    step('drain-requests');
    await waitAtMost(this.#handler.inFlight.whenIdle(), Math.min(receiveGraceMs, drainTimeoutMs), signal);
    this.#handler.refuseReceiving();
    await waitAtMost(this.#handler.inFlight.whenIdle(), drainTimeoutMs, signal);
    step('end-watches');
    await waitAtMost(this.#handler.watches.endAll(watchEndBatch, watchEndPauseMs), drainTimeoutMs, signal);
    this.#dependencies.verbs.endAllWatches?.();
    step('send-answers');
    await waitAtMost(this.#answersOut(), sendGraceMs, signal);
    step('close-connections');
    // Node's own would cut connections whose answer is made and not yet sent.
    Object.assign(this.#server, { closeIdleConnections: () => {} });
    const closed = this.#server.listening
      ? new Promise<void>((resolve) => this.#server.close(() => resolve()))
      : Promise.resolve();
    for (const session of this.#sessions) session.close();
    await waitAtMost(this.#connectionsEnd(), goodbyeMs, signal);
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
    // Whoever is in the middle of a handshake would be served after it, and waited for.
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  /** Resolves when no HTTP/1.1 connection holds anything that is still to be sent. */
  async #answersOut(): Promise<void> {
    await Promise.all(
      Array.from(this.#sockets, (socket) => {
        if (socket.alpnProtocol === 'h2' || socket.writableLength === 0) return undefined;
        return new Promise<void>((resolve) => {
          socket.once('close', resolve);
          // Called when all that was written before is on its way.
          socket.write('', () => resolve());
        });
      }),
    );
  }

  /** Idle HTTP/1.1 connections are closed at once, the others when their last answer is out. */
  #connectionsEnd(): Promise<void> {
    for (const socket of this.#sockets) {
      if (socket.alpnProtocol !== 'h2' && socket.writableLength === 0) socket.end();
    }
    if (this.#sockets.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      for (const socket of this.#sockets) {
        socket.once('close', () => {
          if (this.#sockets.size === 0) resolve();
        });
      }
    });
  }

  #checks(): readonly HealthCheck[] {
    const shutdown: HealthCheck = {
      name: 'shutdown',
      kind: 'readyz',
      isIntended: true,
      check: () => {
        if (!this.#isReady) throw new Error('the server is stopping');
      },
    };
    const given = this.#dependencies.healthChecks.filter(({ name }) => name !== pingCheck.name);
    return [pingCheck, ...given, shutdown];
  }

  #wire(limits: HttpLimits): void {
    const server = this.#server;
    const { logger } = this.#dependencies;
    // Properties of http.Server that http2's HTTP/1.1 side reads from the server object.
    Object.assign(server, {
      keepAliveTimeout: keepAliveTimeoutMs,
      headersTimeout: headersTimeoutMs,
      requestTimeout: receiveTimeoutMs,
      maxHeaderSize: limits.headerBytesMax,
    });
    server.on('request', (request, response) => {
      keepParsing(request as ServerRequest);
      this.#handler.handle(request as ServerRequest, response as ServerReply);
    });
    server.on('upgrade', (request: ServerRequest, socket: Duplex, head: Buffer) =>
      this.#upgrade(request, socket, head),
    );
    this.#gateHandshakes();
    server.on('secureConnection', (socket: TLSSocket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      // Without a listener a client that resets would end the process.
      socket.on('error', (error: Error) => logger.debug({ err: error }, 'connection failed'));
    });
    server.on('session', (session: ServerHttp2Session) => {
      this.#sessions.add(session);
      const connection = new Http2Connection(session, limits.http2StreamsMax);
      // Also what ends one that Node has given up on without closing it, as after too many resets (CVE-2023-44487).
      session.setTimeout(limits.http2IdleMs, () => {
        if (connection.watches === 0) session.close();
      });
      session.once('close', () => this.#sessions.delete(session));
      session.on('error', (error) => logger.debug({ err: error }, 'HTTP/2 session failed'));
    });
    server.on('tlsClientError', (error: Error) => logger.debug({ err: error }, 'TLS handshake failed'));
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) =>
      answerClientError(error, socket),
    );
    server.on('unknownProtocol', (socket) => socket.destroy());
  }

  /** Node's own listeners, which begin the handshake, are called when it is the connection's turn. */
  #gateHandshakes(): void {
    const server = this.#server;
    const listeners = server.listeners('connection');
    server.removeAllListeners('connection');
    const gate = new HandshakeGate((socket) => {
      for (const listener of listeners) listener.call(server, socket);
    });
    server.on('connection', (socket: Socket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
      gate.enter(socket);
    });
  }

  #upgrade(request: ServerRequest, socket: Duplex, head: Buffer): void {
    const response = new ServerResponse(request as ConstructorParameters<typeof ServerResponse>[0]);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as unknown as Parameters<typeof response.assignSocket>[0]);
    response.on('finish', () => socket.end());
    socket.on('error', () => socket.destroy());
    this.#handler.handle(request, response, { socket, head });
  }
}

function tlsOptions({ certificatePem, keyPem, clientCaPem }: HttpServerDependencies['tls']) {
  return {
    cert: certificatePem,
    key: keyPem,
    ca: typeof clientCaPem === 'string' ? clientCaPem : [...clientCaPem],
  };
}

function listenMessage(code: string, host: string, port: number, error: Error): string {
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} on ${host} is already in use by another process`;
    case 'EACCES':
      return `port ${port} on ${host} needs more privileges than this process has`;
    case 'EADDRNOTAVAIL':
      return `${host} is no address of this machine`;
    default:
      return `cannot listen on ${host}:${port}: ${error.message}`;
  }
}

/** What is no HTTP, too long, or too slow is told once and closed (RFC 9112). */
function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  // Told already: what comes behind the fault is thrown away until the answer is out.
  if (socket.writableEnded && !socket.destroyed) return;
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const line =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request';
  socket.end(`HTTP/1.1 ${line}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  const timer = setTimeout(() => socket.destroy(), goodbyeMs);
  socket.once('close', () => clearTimeout(timer));
}

/** Resolves when the work is done, the time is over, or the signal fires; rejects never. */
async function waitAtMost(
  work: Promise<void>,
  limitMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (signal?.aborted) return;
  let timer: NodeJS.Timeout | undefined;
  let onAbort = (): void => {};
  const over = new Promise<void>((resolve) => {
    onAbort = resolve;
    timer = setTimeout(resolve, limitMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
  await Promise.race([work, over]);
  clearTimeout(timer);
  signal?.removeEventListener('abort', onAbort);
}
