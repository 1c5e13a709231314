import type { KubeObject } from '#apimachinery/object.ts';

/** Something at an edge that no copy made and that is asked for: what its coming back is decided by. */
export interface Birth extends KubeObject {
  /** Name of the edge object to read; its metadata has the name that it comes back by. */
  readonly edgeName: string;
  /** `uid/revision`: tells whether what came back is what stands there now, where that can be told without reading it. */
  readonly seen?: string;
}

/** What is born at an edge of one kind, kept by one watch. */
export interface Births {
  start(): void;
  /** Idempotent. */
  stop(): Promise<void>;
  /** What is absent before the first list is in means nothing. */
  readonly hasSynced: boolean;
  readonly synced: Promise<void>;
  /** Why the edge gives no list, or no watch; undefined while it does. */
  readonly lastError: unknown;
  /** Resolves when the list under way, or the next, has ended, whatever came of it, and at a stop. */
  nextAttempt(): Promise<void>;
  get(namespace: string, name: string): Birth | undefined;
  in(namespace: string): Iterable<Birth>;
}
