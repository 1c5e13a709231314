import type { ServerConnection } from '#client/remote/connection.ts';

/** A ConfigMap's name, and when an edge stored it by `sharedNowMs`. */
export type Arrival = readonly [name: string, atMs: number];

/** What the process of the edges tells. */
export interface FarmMessage {
  readonly connections?: readonly ServerConnection[];
  readonly arrivals?: readonly Arrival[];
}
