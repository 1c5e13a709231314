import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { status as grpcStatus } from '@grpc/grpc-js';

/** Largest answer that is taken. Ranges are cut far below it. */
export const answerBytesMax = 64 * 1024 * 1024;
/** A connection that is not up by then is given up; the next call tries a new one. */
const connectTimeoutMs = 5_000;
/** What etcd may send before we have worked it off: of one answer, and of all of a connection. */
const streamWindowBytes = 4 * 1024 * 1024;
const sessionWindowBytes = 16 * 1024 * 1024;
/**
 * No limit to what Node counts as a connection's memory, of which it counts calls that etcd refused before it had read
 * them for ever: at its 10 MB nothing would go over the connection any more, nor end it. What waits to be sent is bounded
 * by the store (etcd-storage.ts), what comes by the windows.
 */
const sessionMemoryMegabytesMax = Number.MAX_SAFE_INTEGER;
/** How often it is looked whether calls have waited too long: they end at most so much late. */
const sweepIntervalMs = 50;
/** etcd takes pings that come faster than every 5 s for an attack. */
const pingIntervalMs = 10_000;
const prefixBytes = 5;

export interface UnaryChannelOptions {
  /** `host:port`. */
  readonly address: string;
  /** PEM; absent: without TLS. */
  readonly tls?:
    | {
        readonly ca?: string | undefined;
        readonly cert?: string | undefined;
        readonly key?: string | undefined;
      }
    | undefined;
  readonly monotonic: () => number;
  /**
   * After a call went unanswered the connection is asked for a sign of life; without one in this time it is given up.
   * Default 5,000.
   */
  readonly pingTimeoutMs?: number | undefined;
}

/** A call that did not come to an answer; code and details as gRPC has them. */
export class CallError extends Error {
  override readonly name = 'CallError';
  /** gRPC status. */
  readonly code: number;
  /** What etcd, or whoever noticed, says. */
  readonly details: string;

  constructor(code: number, details: string, cause?: unknown) {
    super(`${code}: ${details}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }
}

/**
 * Calls of one request and one answer to one member, by gRPC over a single HTTP/2 connection (the gRPC protocol:
 * PROTOCOL-HTTP2.md of grpc). Connects with the first call, and anew with the first one after the connection was lost.
 * Compressed answers are not asked for and not understood.
 */
export class UnaryChannel {
  readonly #options: UnaryChannelOptions;
  #session: Session | undefined;
  #closed = false;

  constructor(options: UnaryChannelOptions) {
    this.#options = options;
  }

  /**
   * `frame` is the request with room for the prefix (`framed`). Returns the answer's bytes. Throws CallError; its details
   * begin with `No connection established` where etcd cannot have heard of the call.
   */
  call(
    path: string,
    frame: Buffer,
    headers: { readonly [name: string]: string },
    timeoutMs: number,
  ): Promise<Buffer> {
    if (this.#closed) return Promise.reject(new CallError(grpcStatus.CANCELLED, 'the channel is closed'));
    let session = this.#session;
    if (session === undefined || !session.usable) {
      session = new Session(this.#options);
      this.#session = session;
    }
    return session.call(path, frame, headers, timeoutMs);
  }

  /** Idempotent. Calls under way fail. */
  close(): void {
    this.#closed = true;
    this.#session?.destroy('the channel is closed');
  }
}

/** A buffer for a message of so many bytes that begins at `prefixBytes`; what is before it is written. */
export function framed(messageBytes: number): { readonly frame: Buffer; readonly start: number } {
  const frame = Buffer.allocUnsafe(prefixBytes + messageBytes);
  frame[0] = 0;
  frame.writeUInt32BE(messageBytes, 1);
  return { frame, start: prefixBytes };
}

/** One connection, until it breaks. */
class Session {
  readonly #http: ClientHttp2Session;
  readonly #authority: string;
  readonly #scheme: string;
  readonly #monotonic: () => number;
  readonly #pingTimeoutMs: number;
  readonly #calls = new Set<Call>();
  #connected = false;
  #connectTimer: NodeJS.Timeout | undefined;
  #sweepTimer: NodeJS.Timeout | undefined;
  #pingTimer: NodeJS.Timeout | undefined;
  #pingedAtMs = Number.NEGATIVE_INFINITY;
  /** The last thing that etcd has sent. */
  #heardAtMs = Number.NEGATIVE_INFINITY;
  /** Of the streams above it etcd has said that it will not look at them. */
  #lastStream = Number.POSITIVE_INFINITY;
  /** Why it is over. */
  #reason: unknown;

  constructor({ address, tls, monotonic, pingTimeoutMs = 5_000 }: UnaryChannelOptions) {
    this.#pingTimeoutMs = pingTimeoutMs;
    this.#authority = address;
    this.#scheme = tls === undefined ? 'http' : 'https';
    this.#monotonic = monotonic;
    const settings = { enablePush: false, initialWindowSize: streamWindowBytes };
    this.#http = connect(`${this.#scheme}://${address}`, {
      settings,
      maxSessionMemory: sessionMemoryMegabytesMax,
      ...tls,
    });
    this.#http.on('connect', () => {
      this.#connected = true;
      clearTimeout(this.#connectTimer);
      this.#http.setLocalWindowSize(sessionWindowBytes);
    });
    this.#http.on('goaway', (_code, lastStream) => {
      this.#lastStream = lastStream ?? 0;
      this.#http.close();
    });
    this.#http.on('error', (error) => {
      this.#reason ??= error;
    });
    this.#http.on('close', () => {
      clearTimeout(this.#connectTimer);
      clearTimeout(this.#pingTimer);
    });
    this.#connectTimer = setTimeout(() => this.destroy('no connection in time'), connectTimeoutMs);
  }

  get usable(): boolean {
    return !this.#http.closed && !this.#http.destroyed;
  }

  destroy(reason: string): void {
    this.#reason ??= new Error(reason);
    this.#http.destroy();
  }

  call(
    path: string,
    frame: Buffer,
    headers: { readonly [name: string]: string },
    timeoutMs: number,
  ): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const sentAtMs = this.#monotonic();
      const all: OutgoingHttpHeaders = {
        ':method': 'POST',
        ':scheme': this.#scheme,
        ':authority': this.#authority,
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        'grpc-timeout': `${Math.ceil(timeoutMs)}m`,
        ...headers,
      };
      let stream: ClientHttp2Stream;
      try {
        stream = this.#http.request(all);
      } catch (error) {
        reject(notSent(error));
        return;
      }
      const call = new Call(stream, sentAtMs, sentAtMs + timeoutMs, () => {
        this.#calls.delete(call);
        if (call.heard) this.#heardAtMs = this.#monotonic();
        const answer = call.answer();
        if (answer instanceof CallError) reject(this.#failureOf(call, answer));
        else resolve(answer);
      });
      this.#calls.add(call);
      this.#sweepTimer ??= setTimeout(() => this.#sweep(), sweepIntervalMs);
      stream.end(frame);
    });
  }

  /** What became of a call that has no status from etcd. */
  #failureOf(call: Call, failure: CallError): CallError {
    if (call.status !== undefined || call.heard) return failure;
    const { id, rstCode } = call.stream;
    const neverSent =
      !this.#connected ||
      id === undefined ||
      id > this.#lastStream ||
      rstCode === constants.NGHTTP2_REFUSED_STREAM;
    if (!neverSent) return failure;
    return notSent(this.#reason ?? call.error ?? failure);
  }

  #sweep(): void {
    this.#sweepTimer = undefined;
    const nowMs = this.#monotonic();
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const call of this.#calls) {
      if (nowMs < call.deadlineMs) continue;
      oldestMs = Math.min(oldestMs, call.sentAtMs);
      call.expire();
    }
    if (this.#heardAtMs < oldestMs && oldestMs !== Number.POSITIVE_INFINITY) this.#ping(nowMs);
    if (this.#calls.size > 0) this.#sweepTimer = setTimeout(() => this.#sweep(), sweepIntervalMs);
  }

  /** A peer that is gone without a word is not seen by writing to it. */
  #ping(nowMs: number): void {
    if (!this.#connected || this.#pingTimer !== undefined || nowMs < this.#pingedAtMs + pingIntervalMs)
      return;
    this.#pingedAtMs = nowMs;
    this.#pingTimer = setTimeout(
      () => this.destroy('the connection gives no sign of life'),
      this.#pingTimeoutMs,
    );
    this.#pingTimer.unref();
    try {
      this.#http.ping((error) => {
        clearTimeout(this.#pingTimer);
        this.#pingTimer = undefined;
        if (error !== null) this.destroy(error.message);
      });
    } catch {
      // Closed meanwhile.
    }
  }
}

class Call {
  readonly stream: ClientHttp2Stream;
  readonly sentAtMs: number;
  readonly deadlineMs: number;
  error: Error | undefined;
  /** gRPC status, when etcd has told one. */
  status: number | undefined;
  /** Something was received. */
  heard = false;
  readonly #onOver: () => void;
  #isOver = false;
  #httpStatus: number | undefined;
  #message = '';
  #chunks: Buffer[] = [];
  #bytes = 0;
  #own: CallError | undefined;

  /** `onOver` is called once, when `answer` can be asked for. */
  constructor(stream: ClientHttp2Stream, sentAtMs: number, deadlineMs: number, onOver: () => void) {
    this.stream = stream;
    this.sentAtMs = sentAtMs;
    this.deadlineMs = deadlineMs;
    this.#onOver = onOver;
    stream.on('response', (fields) => this.#begun(fields));
    stream.on('trailers', (fields) => this.#ended(fields));
    stream.on('data', (bytes: Buffer) => this.#take(bytes));
    stream.on('error', (error) => {
      this.error ??= error;
    });
    stream.on('end', () => this.#cut());
    stream.on('close', () => this.#over());
  }

  #begun(fields: IncomingHttpHeaders): void {
    this.heard = true;
    this.#httpStatus = Number(fields[':status']);
    // An answer without a message has its status here.
    this.#ended(fields);
  }

  #ended(fields: IncomingHttpHeaders): void {
    const status = fields['grpc-status'];
    if (status === undefined) return;
    this.status = Number(status);
    this.#message = decodeMessage(String(fields['grpc-message'] ?? ''));
  }

  #take(bytes: Buffer): void {
    this.#bytes += bytes.length;
    if (this.#bytes <= answerBytesMax) {
      this.#chunks.push(bytes);
      return;
    }
    this.#chunks = [];
    this.#own ??= new CallError(
      grpcStatus.RESOURCE_EXHAUSTED,
      `Received message larger than max (more than ${answerBytesMax} bytes)`,
    );
    this.#cancel();
  }

  /** It has waited long enough. */
  expire(): void {
    this.#own ??= new CallError(grpcStatus.DEADLINE_EXCEEDED, 'Deadline exceeded');
    this.#cancel();
  }

  /**
   * Refused before all of it was taken. The rest is not waited for, nor that etcd resets the stream: Node does not tell of
   * a reset without an error that comes after the end.
   */
  #cut(): void {
    if (this.status === undefined || this.stream.writableFinished) return;
    this.#over();
    this.stream.destroy();
  }

  #cancel(): void {
    this.#over();
    // Before the connection is up there is nothing to take back.
    if (this.stream.pending) this.stream.destroy();
    else this.stream.close(constants.NGHTTP2_CANCEL);
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOver();
  }

  /** When the stream is over. */
  answer(): Buffer | CallError {
    if (this.#own !== undefined) return this.#own;
    if (this.status === undefined) {
      const { error } = this;
      if (this.#httpStatus !== undefined && this.#httpStatus !== 200) {
        return new CallError(grpcStatus.UNAVAILABLE, `etcd answered with HTTP status ${this.#httpStatus}`);
      }
      return new CallError(
        grpcStatus.UNAVAILABLE,
        `the connection was lost: ${error?.message ?? 'no answer'}`,
        error,
      );
    }
    if (this.status !== grpcStatus.OK) return new CallError(this.status, this.#message);
    const bytes = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    if (
      bytes.length < prefixBytes ||
      bytes[0] !== 0 ||
      bytes.readUInt32BE(1) !== bytes.length - prefixBytes
    ) {
      return new CallError(grpcStatus.INTERNAL, 'Response message parsing error: not one whole message');
    }
    return bytes.subarray(prefixBytes);
  }
}

function notSent(cause: unknown): CallError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new CallError(grpcStatus.UNAVAILABLE, `No connection established: ${text}`, cause);
}

/** `grpc-message` is percent-encoded; what is not is left as it is. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
