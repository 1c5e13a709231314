import type { KubeObject } from '#apimachinery/object.ts';
import type { CopyKey, CopyPlace } from '../cell/copy-keys.ts';

/** One object to be brought into line. */
export interface SyncItem {
  readonly key: CopyKey;
  readonly place: CopyPlace;
  /** Metadata of the copy; undefined when there is none. */
  readonly copy: KubeObject | undefined;
  /** How often it has failed in a row. */
  readonly failures: number;
}

/** `present`: the edge holds the copy. `gone`: neither side holds anything. `waiting`: nothing to do until an event. */
export interface SyncOutcome {
  readonly state: 'present' | 'gone' | 'waiting';
  /** To be looked at again after this, event or no event. */
  readonly requeueAfterMs?: number | undefined;
}

/** Nothing more is to be done. */
export const present: SyncOutcome = Object.freeze({ state: 'present' });
