import type { KeyQueue } from './key-queue.ts';

/** Tells whether what belongs to an owner is for this process to work on. */
export type Owns = (owner: string) => boolean;

export interface SharingListener {
  /**
   * The work of these owners is this process's from now on. Nothing is known of what was done before: all of it is to be
   * looked at. Also told again of owners that were ours already, when the queue may have lost what it held.
   */
  gained(owns: Owns): void;
  /** The work of these owners is another's from now on: what is remembered of it grows old. */
  lost(owns: Owns): void;
}

/**
 * How several processes divide one work among them. The unit is the *owner* (for the scheduler: a project), whose work is
 * done by one process at a time, so that what is remembered between two looks at it lies in one place. A process that was
 * believed dead may go on for a moment: it is what the writes themselves are guarded by that keeps two from doing harm.
 */
export interface WorkSharing {
  /** Several processes may be at work at the same time, each for its owners. */
  readonly isDivided: boolean;
  /** The share of all owners that is ours now, from 0 to 1. */
  readonly share: number;
  readonly owns: Owns;
  /** A queue of keys for work that is shared. To be asked for before `start`. */
  queue(ownerOf: (key: string) => string): KeyQueue;
  /** Begins to take part. `scope` names what is shared; those of another scope are never met. Resolves at once. */
  start(scope: string, listener: SharingListener): void;
  /** Gives up what is held, so that others need not wait for it. To be called when no work is under way. Idempotent. */
  stop(): Promise<void>;
}
