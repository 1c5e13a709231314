/** Every bound of the HTTP server. What happens at one is said beside it. */
export interface HttpLimits {
  /** KUBERNETES.md O4: a larger body is refused with 413. */
  readonly bodyBytesMax: number;
  /** E5: a request that is not answered by then gets 504; watches are exempt. */
  readonly requestTimeoutMs: number;
  /** E5: what creates, changes or deletes one object has so much of it for itself, from its seat on; then 504. */
  readonly writeTimeoutMs: number;
  /** Watches at once; more get 429. */
  readonly watchesMax: number;
  /** A watcher with more than this written and not read is ended (W2: it comes back with its last revision). */
  readonly watchBacklogBytesMax: number;
  /** A list's reader that takes nothing for this long is cut off. */
  readonly writeStallMs: number;
  /** Frames rendered once for all watchers are kept for this many bytes of newest events. */
  readonly frameBytesMax: number;
  /** Rendered forms of objects (YAML, other versions) that are kept, least recently used first out. */
  readonly formBytesMax: number;
  /** Larger answers are gzipped when the client takes it (N5). */
  readonly gzipBytesMin: number;
  /** Header block of a request; more gets 431. */
  readonly headerBytesMax: number;
  /** Streams that one HTTP/2 connection may have open; more are refused (RFC 9113, 5.1.2). Go's servers allow as many. */
  readonly http2StreamsMax: number;
  /** A connection over HTTP/2 without a watch on which nothing happened for so long is closed, as with HTTP/1.1's `keepAliveTimeout`. */
  readonly http2IdleMs: number;
}

export const defaultHttpLimits: HttpLimits = {
  bodyBytesMax: 3 * 1024 * 1024,
  requestTimeoutMs: 60_000,
  writeTimeoutMs: 34_000,
  watchesMax: 100_000,
  watchBacklogBytesMax: 8 * 1024 * 1024,
  writeStallMs: 60_000,
  frameBytesMax: 32 * 1024 * 1024,
  formBytesMax: 64 * 1024 * 1024,
  gzipBytesMin: 128 * 1024,
  headerBytesMax: 64 * 1024,
  http2StreamsMax: 250,
  http2IdleMs: 180_000,
};
