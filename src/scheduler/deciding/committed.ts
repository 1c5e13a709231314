import type { ReplicaRequest } from '../algorithm/capacity.ts';
import type { Target } from '../algorithm/decision.ts';

/** What of an object was filed last; kept beside its state. */
export interface Committed {
  readonly targets: readonly Target[];
  /** Of one replica. */
  readonly request: ReplicaRequest;
  /** Replicas count as taken until the cells tell of them. */
  readonly assumes: boolean;
}
