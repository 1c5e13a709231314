/**
 * Keys of a higher number are taken first; `normal` is 0. `background` keys are taken only while no other is ready: what is
 * looked at because everything is looked at again must not hold up what somebody changed just now.
 */
export type Priority = 'normal' | 'background' | number;

/**
 * A queue of keys for level-triggered work. A key stands in it once however often it is added, is never worked on twice at
 * once, and is done again when it was added while being worked on. It holds keys and never objects, so that what it holds is
 * bounded by the number of distinct keys, and losing it costs no more than looking at everything again.
 */
export interface KeyQueue {
  /** Keys ready, delayed or being worked on, as far as this process knows. */
  readonly size: number;
  /** Keys ready to be taken in this process. */
  readonly ready: number;
  /** Nothing is ready or being worked on; keys may still be delayed. */
  readonly idle: boolean;
  /** A key that waits and is added with a higher priority is moved up. */
  add(key: string, priority?: Priority): void;
  /** Adds the key after a while; an earlier due time for the same key wins. */
  addAfter(key: string, delayMs: number): void;
  /** Adds the key after its backoff, which doubles with each call until `forget`, or `atLeastMs`. Returns the wait. */
  addRateLimited(key: string, atLeastMs?: number): number;
  failuresOf(key: string): number;
  forget(key: string): void;
  /** The next key, to be given back by `done`; undefined when the queue is closed. */
  take(): Promise<string | undefined>;
  done(key: string): void;
  /** Answers all takers with undefined and drops what waits in this process. Idempotent. */
  close(): void;
}
