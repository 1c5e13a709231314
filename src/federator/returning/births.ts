import type { KubeObject } from '#apimachinery/object.ts';
import type { Informer } from '#client/informer.ts';

/** Something at an edge that no copy made and that is asked for: what its coming back is decided by. */
export interface Birth extends KubeObject {
  /** Name of the edge object to read; its metadata has the name that it comes back by. */
  readonly edgeName: string;
  /** `uid/revision`: tells whether what came back is what stands there now, where that can be told without reading it. */
  readonly seen?: string;
}

/** What is born at an edge of one kind, kept by one watch. */
export interface Births {
  /** Started and stopped by who made it. What is absent before it has synced means nothing. */
  readonly watch: Pick<Informer, 'start' | 'stop' | 'hasSynced' | 'synced' | 'lastError' | 'nextAttempt'>;
  get(namespace: string, name: string): Birth | undefined;
  in(namespace: string): Iterable<Birth>;
}
