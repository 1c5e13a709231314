import type { ReplicaRequest } from '../algorithm/capacity.ts';
import type { Target } from '../algorithm/decision.ts';
import type { NodeDemand } from '../algorithm/node-demand.ts';

/** What of an object was filed last; kept beside its state. */
export interface Committed {
  readonly targets: readonly Target[];
  /** Of one replica. */
  readonly request: ReplicaRequest;
  /** On which nodes it may run; undefined: on all that no taint keeps it off. */
  readonly nodes?: NodeDemand | undefined;
  /** Replicas count as taken until the cells tell of them. */
  readonly assumes: boolean;
}
