/**
 * Stands for what the requests of a template take in turn (a namespace each); as long as what it becomes. Their number is
 * raw-job's `indexMark`.
 */
export const turnMark = '@TURN@@@@@';

/** Where a paced load goes and what it sends. */
export interface PacedTarget {
  readonly host: string;
  readonly port: number;
  readonly caPem: string | undefined;
  readonly certificatePem: string | undefined;
  readonly keyPem: string | undefined;
  readonly connections: number;
  /** A whole request with headers, in characters of one byte. */
  readonly template: string;
  /** Taken in turn. */
  readonly turns: readonly string[];
}

/** `count` requests at a steady rate, however long their answers take. */
export interface PacedRun {
  /** Number of the first. */
  readonly from: number;
  readonly count: number;
  readonly perSecond: number;
}

/** What the process that sends is told to do; each but `target` is answered. */
export interface PacedOrder {
  readonly target?: PacedTarget;
  /** Open connections for the next run. */
  readonly connect?: true;
  readonly run?: PacedRun;
}

export interface PacedResult {
  /** When each was to be sent, by `sharedNowMs`, in the order of their numbers. */
  readonly sentAtMs: readonly number[];
  readonly failed: number;
  /** The first answer that was no success. */
  readonly failure: string | undefined;
}

/** Milliseconds on a clock that all processes of this machine share, as fine as `performance.now`. */
export function sharedNowMs(): number {
  return performance.timeOrigin + performance.now();
}
