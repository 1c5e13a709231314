/** What one cell may take of its federator: each bound holds for each cell alone. */
export interface CellLimits {
  /** Objects of one cell worked on at once. */
  readonly concurrency: number;
  /** With more objects pending than this a cell catches up, until next to none are: it shares with others that do (CatchUp). */
  readonly catchUpPending: number;
  /** Longest wait for an answer of the edge; every call has it. */
  readonly edgeTimeoutMs: number;
  readonly breakerFailures: number;
  readonly breakerOpenMinMs: number;
  readonly breakerOpenMaxMs: number;
  /** How often the credentials are read again; at once when the edge refuses them. */
  readonly credentialsIntervalMs: number;
  /** Copies that are synced; of a cell with more, the others are left as they are, and its condition says so. */
  readonly copiesMax: number;
  /** Objects at the edge, of all kinds, that carry a copy's labels: what stands there of ours, and what others made look like it. */
  readonly edgeObjectsMax: number;
  /** Statuses that wait to be written upstream; further ones are read again from the edge when their turn comes. */
  readonly pendingStatusBytesMax: number;
  /** What is read of the edge's answers; large ones count for more (EdgePace). */
  readonly edgeReadBytesPerSecond: number;
  readonly edgeReadBurstBytes: number;
  /** What the edge's events may take of the thread that all cells share, by estimate; the rest waits in the connection. */
  readonly edgeEventMsPerSecond: number;
  readonly edgeEventBurstMs: number;
  /** Statuses written to copies; further ones wait, and only the newest of each object is written. */
  readonly statusesPerSecond: number;
  readonly statusesBurst: number;
  /** Events that are brought upward; further ones wait, and say then what they say by then. */
  readonly eventsPerSecond: number;
  readonly eventsBurst: number;
  /** Tries of what fails, of all the cell's objects together, beyond each one's own pause. */
  readonly retriesPerSecond: number;
  /** An answer to a probe that takes longer is told: the edge is slow. */
  readonly slowAnswerMs: number;
  /** One answer, and one watch event, of the edge. */
  readonly edgeResponseBytesMax: number;
  readonly edgeWatchEventBytesMax: number;
  /** Kinds that are not watched are searched for what is ours and has no copy: first so long after connecting, … */
  readonly sweepDelayMs: number;
  /** … then so often. Each between three quarters and five quarters of it. */
  readonly sweepIntervalMs: number;
  /** How long a stop waits for calls under way. */
  readonly stopTimeoutMs: number;
}

export const defaultCellLimits: CellLimits = {
  // Two calls an object over a link of 100 ms: 160 objects a second.
  concurrency: 32,
  catchUpPending: 100,
  edgeTimeoutMs: 10_000,
  breakerFailures: 3,
  breakerOpenMinMs: 200,
  breakerOpenMaxMs: 15_000,
  credentialsIntervalMs: 30_000,
  copiesMax: 200_000,
  // Of a Service there are an Endpoints and an EndpointSlice beside it, with its labels.
  edgeObjectsMax: 600_000,
  pendingStatusBytesMax: 16 * 1024 * 1024,
  edgeReadBytesPerSecond: 8 * 1024 * 1024,
  edgeReadBurstBytes: 64 * 1024 * 1024,
  // Some 1,000 small events each second, and 5,000 that have gathered.
  edgeEventMsPerSecond: 50,
  edgeEventBurstMs: 250,
  statusesPerSecond: 200,
  statusesBurst: 2_000,
  eventsPerSecond: 10,
  eventsBurst: 100,
  retriesPerSecond: 20,
  slowAnswerMs: 1_000,
  edgeResponseBytesMax: 4 * 1024 * 1024,
  edgeWatchEventBytesMax: 4 * 1024 * 1024,
  sweepDelayMs: 3_000,
  sweepIntervalMs: 4 * 3_600_000,
  stopTimeoutMs: 5_000,
};
