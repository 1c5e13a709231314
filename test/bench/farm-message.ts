import type { ServerConnection } from '#client/remote/connection.ts';

/** The name of a ConfigMap or Deployment, when an edge stored it by `sharedNowMs`, and in which namespace. */
export type Arrival = readonly [name: string, atMs: number, namespace: string];

/** What the process of the edges tells. */
export interface FarmMessage {
  readonly connections?: readonly ServerConnection[];
  readonly arrivals?: readonly Arrival[];
}
