import http2 from 'node:http2';
import type { Readable } from 'node:stream';
import tls from 'node:tls';
import { onAborted } from '#apimachinery/lifecycle.ts';
import type { ConnectionLimits, ServerConnection } from './connection.ts';
import { tlsOptions } from './connection.ts';
import { openTunnel, targetOf } from './tunnel.ts';

/** Streams of one session, however many more its server allows: what a connection holds up, when it breaks, stays few. */
const streamsMax = 1_000;
/**
 * No limit to what Node counts as a session's memory: at its 10 MB, some 15,000 open streams, it refuses every further
 * answer, and goes on to. `streamsMax` bounds it, and the windows what waits to be read.
 */
const sessionMemoryMegabytesMax = Number.MAX_SAFE_INTEGER;

export interface StreamAnswer {
  readonly status: number;
  readonly body: Readable;
}

/**
 * Long-lived streams to one server over as few connections as it allows: HTTP/2 sessions that each carry up to the
 * server's limit of streams, and ours (DEPENDENCIES: thousands of TLS connections cost half a gigabyte). `open` resolves
 * undefined when the server speaks no HTTP/2, and the caller falls back to HTTP/1.1.
 */
export class WatchSessions {
  readonly #connection: ServerConnection;
  readonly #limits: ConnectionLimits;
  readonly #sessions: Session[] = [];
  #connecting: Promise<Session | undefined> | undefined;
  #http1Only = false;
  #closed = false;

  constructor(connection: ServerConnection, limits: ConnectionLimits) {
    this.#connection = connection;
    this.#limits = limits;
  }

  async open(
    path: string,
    headers: { readonly [name: string]: string },
    signal: AbortSignal,
  ): Promise<StreamAnswer | undefined> {
    if (this.#http1Only) return undefined;
    const taking = this.#takeRoom();
    let session: Session | undefined;
    try {
      session = await abortable(taking, signal);
    } catch (error) {
      taking.then(
        (late) => late?.giveBack(),
        () => {}, // it is what was thrown, or of no interest any more
      );
      throw error;
    }
    if (session === undefined) return undefined;
    return session.request(path, headers, signal, this.#limits.requestTimeoutMs);
  }

  close(): void {
    this.#closed = true;
    for (const session of this.#sessions.splice(0)) session.destroy();
  }

  /**
   * A session in which room for a stream has been taken, of which `request` makes use: what is asked for together must not
   * find the same room.
   */
  async #takeRoom(): Promise<Session | undefined> {
    for (;;) {
      const free = this.#sessions.find((session) => session.take());
      if (free !== undefined) return free;
      this.#connecting ??= this.#connect().finally(() => {
        this.#connecting = undefined;
      });
      const session = await this.#connecting;
      if (session === undefined || session.take()) return session;
    }
  }

  async #connect(): Promise<Session | undefined> {
    const url = new URL(this.#connection.server);
    if (url.protocol !== 'https:') {
      this.#http1Only = true;
      return undefined;
    }
    const socket = await connectTls(url, this.#connection, this.#limits.connectTimeoutMs);
    if (socket.alpnProtocol !== 'h2') {
      socket.destroy();
      this.#http1Only = true;
      return undefined;
    }
    const raw = http2.connect(url.origin, {
      createConnection: () => socket,
      settings: { enablePush: false },
      maxSessionMemory: sessionMemoryMegabytesMax,
    });
    const session = new Session(raw, this.#limits, () => {
      const at = this.#sessions.indexOf(session);
      if (at >= 0) this.#sessions.splice(at, 1);
    });
    if (this.#closed) {
      session.destroy();
      throw new Error('client is closed');
    }
    this.#sessions.push(session);
    await session.ready;
    return session;
  }
}

/** Settles with the promise, or rejects with the signal's reason when that fires first. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const undo = onAborted(signal, () => reject(signal.reason));
    promise.then(resolve, reject).finally(undo);
  });
}

async function connectTls(
  url: URL,
  connection: ServerConnection,
  connectTimeoutMs: number,
): Promise<tls.TLSSocket> {
  const { host, port } = targetOf(url);
  const { proxyUrl } = connection;
  const tunnel =
    proxyUrl === undefined ? undefined : await openTunnel(proxyUrl, { host, port }, connectTimeoutMs);
  return new Promise((resolve, reject) => {
    const options = tlsOptions(connection);
    const isAddress = /^[\d.]+$|:/.test(host);
    const socket = tls.connect({
      ...(tunnel === undefined ? { host, port } : { socket: tunnel }),
      ALPNProtocols: ['h2', 'http/1.1'],
      ...options,
      ...(options.servername === undefined && !isAddress ? { servername: host } : {}),
    });
    const timer = setTimeout(
      () => socket.destroy(new Error(`no connection within ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    );
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

/** One HTTP/2 connection, watched by pings so that a silent peer is found out. */
class Session {
  readonly ready: Promise<void>;
  readonly #raw: http2.ClientHttp2Session;
  readonly #pinger: NodeJS.Timeout;
  #streams = 0;
  #over = false;

  constructor(raw: http2.ClientHttp2Session, limits: ConnectionLimits, onEnd: () => void) {
    this.#raw = raw;
    const { pingIntervalMs, connectTimeoutMs } = limits;
    let unanswered = false;
    this.ready = new Promise((resolve, reject) => {
      raw.once('remoteSettings', () => resolve());
      raw.once('error', reject);
      raw.once('close', () => reject(new Error('connection closed before it was ready')));
    });
    const tooLong = setTimeout(
      () => raw.destroy(new Error(`the server was not ready within ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    );
    this.ready.catch(() => {}).finally(() => clearTimeout(tooLong));
    const end = () => {
      if (this.#over) return;
      this.#over = true;
      clearInterval(this.#pinger);
      onEnd();
    };
    raw.on('error', () => end()); // every open stream reports the same error to its own reader
    raw.on('goaway', () => end());
    raw.on('close', () => end());
    this.#pinger = setInterval(() => {
      if (unanswered) {
        raw.destroy(new Error(`no answer to a ping within ${pingIntervalMs} ms`));
        return;
      }
      unanswered = true;
      if (raw.destroyed) return;
      raw.ping((error) => {
        if (error === null) unanswered = false;
      });
    }, pingIntervalMs);
    this.#pinger.unref();
  }

  /** Takes room for one stream; false: there is none. */
  take(): boolean {
    const limit = Math.min(this.#raw.remoteSettings?.maxConcurrentStreams ?? 100, streamsMax);
    if (this.#over || this.#raw.destroyed || this.#raw.closed || this.#streams >= limit) return false;
    this.#streams++;
    return true;
  }

  /** The room that was taken is not needed. */
  giveBack(): void {
    this.#streams--;
    if (this.#streams === 0) this.#raw.unref();
  }

  /** Opens a stream in room that was taken, and gives that back at its end. */
  request(
    path: string,
    headers: { readonly [name: string]: string },
    signal: AbortSignal,
    headersTimeoutMs: number,
  ): Promise<StreamAnswer> {
    return new Promise((resolve, reject) => {
      let stream: http2.ClientHttp2Stream;
      try {
        stream = this.#raw.request({ ':method': 'GET', ':path': path, ...headers });
      } catch (error) {
        this.giveBack();
        throw error;
      }
      const abort = () => stream.close(http2.constants.NGHTTP2_CANCEL);
      const timer = setTimeout(
        () => stream.destroy(new Error(`no answer within ${headersTimeoutMs} ms`)),
        headersTimeoutMs,
      );
      signal.addEventListener('abort', abort, { once: true });
      stream.once('response', (answer) => {
        clearTimeout(timer);
        stream.off('error', reject);
        resolve({ status: Number(answer[':status']), body: stream });
      });
      stream.once('error', reject);
      stream.once('close', () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        reject(new Error('stream closed before an answer'));
        this.giveBack();
      });
      this.#raw.ref();
      if (signal.aborted) abort();
    });
  }

  destroy(): void {
    this.#raw.destroy();
  }
}
