import { constants, type Http2ServerRequest, type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { GatedConnection } from './read-gate.ts';
import { useStreamTable } from './stream-table.ts';

/** Streams that a connection may open beside its watches while its workspace floods. */
const narrowStreams = 8;
/** A connection may have all its streams again so long after its workspace has last flooded. */
const narrowMs = 1_000;
/** Who was told to open no more streams and does so later than this has not listened. */
const noticeMs = 1_000;
/** RFC 9113, 6.8: what is on its way is still taken. */
const anyStream = 2 ** 31 - 1;
/** Of the last so many requests, or about so many, a part of another workspace makes the connection a shared one. */
const recentRequests = 32;
const foreignPartMin = 0.2;

export interface Http2ConnectionOptions {
  /** Milliseconds that only rise. Default `performance.now`. */
  readonly now?: (() => number) | undefined;
  /** Calls back after so many milliseconds, without holding the process. Default an unref'd `setTimeout`. */
  readonly later?: ((callback: () => void, ms: number) => unknown) | undefined;
}

/** What lies below a session's socket. Node's own HTTP/2 reads from here, past the stream that the socket is. */
interface ReadableHandle {
  readStop?(): unknown;
  readStart?(): unknown;
}

const connections = new WeakMap<ServerHttp2Session, Http2Connection>();

/** The connection of a request over HTTP/2; undefined when it is gone. */
export function http2ConnectionOf(request: Http2ServerRequest): Http2Connection | undefined {
  // A server's request came over a server's session.
  const session = request.stream.session as ServerHttp2Session | undefined;
  return session === undefined ? undefined : connections.get(session);
}

/**
 * A connection that carries many requests at once (RFC 9113), as flow control and the read gate see it (KUBERNETES.md O2):
 * it can be left unread, and can be told to have few requests open, so that one look at it does not bring hundreds.
 */
export class Http2Connection implements GatedConnection {
  /** What is written lets Node read again. */
  readonly isReadAfterWrites = true;
  /** Streams that stay open by intention. */
  watches = 0;
  readonly #session: ServerHttp2Session;
  readonly #streamsMax: number;
  readonly #now: () => number;
  readonly #later: (callback: () => void, ms: number) => unknown;
  /** The workspace that asks most over it, and the others' part of the requests of late. */
  #key = '';
  #foreignPart = 0;
  /** Streams that the client was told it may have. */
  #allowed: number;
  #narrowUntilMs = 0;
  #isNarrow = false;
  #noticedMs: number | undefined;

  /** `streamsMax`: what the session's client was told at its begin. */
  constructor(session: ServerHttp2Session, streamsMax: number, options: Http2ConnectionOptions = {}) {
    this.#session = session;
    this.#streamsMax = streamsMax;
    this.#allowed = streamsMax;
    this.#now = options.now ?? (() => performance.now());
    this.#later = options.later ?? ((callback, ms) => setTimeout(callback, ms).unref());
    connections.set(session, this);
    useStreamTable(session);
  }

  get destroyed(): boolean {
    return this.#session.destroyed;
  }

  pause(): void {
    this.#handle?.readStop?.();
  }

  resume(): void {
    this.#handle?.readStart?.();
  }

  /** Notes whose request came; returns whether hardly anybody else has asked over the connection of late. */
  isOnlyFor(key: string): boolean {
    if (this.#key === '') this.#key = key;
    const isForeign = key !== this.#key;
    if (!isForeign && this.#foreignPart === 0) return true;
    this.#foreignPart += ((isForeign ? 1 : 0) - this.#foreignPart) / recentRequests;
    if (this.#foreignPart > 0.5) {
      this.#key = key;
      this.#foreignPart = 1 - this.#foreignPart;
    }
    return key === this.#key && this.#foreignPart < foreignPartMin;
  }

  /**
   * Lets the client have few streams open beside its watches, until its workspace has not flooded for a second. What is
   * open stays; a client that opens more nevertheless breaks the protocol, and loses the connection.
   */
  narrow(): void {
    this.#narrowUntilMs = this.#now() + narrowMs;
    if (this.#isNarrow) return;
    this.#isNarrow = true;
    this.#stayNarrow();
  }

  /** Asks the client to open no more streams here; one that goes on nevertheless is refused from a second later on. */
  giveNotice(): void {
    if (this.#session.destroyed || this.#session.closed) return;
    if (this.#noticedMs === undefined) {
      this.#noticedMs = this.#now();
      this.#session.goaway(constants.NGHTTP2_NO_ERROR, anyStream);
    } else if (this.#now() - this.#noticedMs >= noticeMs) this.#session.close();
  }

  readonly #widen = (): void => {
    if (this.#session.destroyed) return;
    if (this.#now() < this.#narrowUntilMs) {
      this.#stayNarrow();
      return;
    }
    this.#isNarrow = false;
    this.#allow(this.#streamsMax);
  };

  /** Looks again in a second, by when it may bear more watches. */
  #stayNarrow(): void {
    this.#allow(Math.min(this.#streamsMax, narrowStreams + this.watches));
    this.#later(this.#widen, narrowMs);
  }

  #allow(streams: number): void {
    if (streams === this.#allowed || this.#session.destroyed || this.#session.closed) return;
    this.#allowed = streams;
    this.#session.settings({ maxConcurrentStreams: streams });
  }

  get #handle(): ReadableHandle | undefined {
    if (this.#session.destroyed) return undefined;
    // Not part of Node's interface: without it the connection is read as it comes.
    return (
      (this.#session.socket as Socket & { readonly _handle?: ReadableHandle | null })._handle ?? undefined
    );
  }
}
