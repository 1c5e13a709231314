/** What to send, from the process that measures. */
export interface RawJob {
  readonly host: string;
  readonly port: number;
  readonly caPem: string | undefined;
  readonly certificatePem: string | undefined;
  readonly keyPem: string | undefined;
  readonly clients: number;
  readonly count: number;
  /** A whole request with headers; every `indexMark` stands for the request's number, padded to the mark's length. */
  readonly template: string;
}

/** What came of it. */
export interface RawResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly count: number;
  readonly failed: number;
  /** The first answer that was no success. */
  readonly failure: string | undefined;
  /** CPU time of this process for each request. */
  readonly cpuUs: number;
}

/** Stands for the request's number; as long as the number that it becomes. */
export const indexMark = '@INDEX@@';
