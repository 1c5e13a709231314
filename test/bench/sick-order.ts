import type { ServerConnection } from '#client/remote/connection.ts';
import type { Sickness } from '../harness/sick-edge.ts';

/** What the process of the sick edges is told; every order is answered, an empty one too. */
export interface SickOrder {
  /** In front of these, with certificates of the authority in the folder. */
  readonly start?: { readonly pkiDirectory: string; readonly targets: readonly ServerConnection[] };
  /** What each falls ill with from now on; absent: nothing. */
  readonly sicknesses?: readonly Sickness[];
}

/** What an edge has got and given since it fell ill or was cured. */
export interface SickCounts {
  readonly requests: number;
  /** Connections that were begun, handshakes that failed too. */
  readonly connections: number;
  /** With what TLS adds. */
  readonly bytesSent: number;
}

export interface SickAnswer {
  readonly connections?: readonly ServerConnection[];
  readonly counts?: readonly SickCounts[];
  readonly error?: string;
}
