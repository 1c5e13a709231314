import type { ServerConnection } from '#client/remote/connection.ts';
import type { Sickness } from '../harness/sick-edge.ts';

/** What the process of the sick edges is told; every order is answered, an empty one too. */
export interface SickOrder {
  /** In front of these, with certificates of the authority in the folder. */
  readonly start?: { readonly pkiDirectory: string; readonly targets: readonly ServerConnection[] };
  /** What each falls ill with from now on; absent: nothing. */
  readonly sicknesses?: readonly Sickness[];
}

export interface SickAnswer {
  readonly connections?: readonly ServerConnection[];
  /** That each has got since it fell ill or was cured. */
  readonly requests?: readonly number[];
  readonly error?: string;
}
