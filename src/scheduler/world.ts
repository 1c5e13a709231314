import type { Clock } from '#apimachinery/clock.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import type { BindingWatch } from './bindings/binding-watch.ts';
import type { CellStore } from './cells/cell-store.ts';
import type { TaintPolicies } from './cells/taint-policies.ts';
import type { CopyIndex } from './copies/copy-index.ts';
import type { Requirements } from './dependencies/requirements.ts';
import type { Discovery } from './discovery.ts';
import type { KeyStates } from './key-state.ts';
import type { ProjectObjectKey } from './object-key.ts';
import type { Policies } from './policy/policies.ts';
import type { Queues } from './queues.ts';
import type { ResourceWatches } from './watches/resource-watches.ts';
import type { WatchNeeds } from './watches/watch-needs.ts';
import type { Workspaces } from './workspaces.ts';

/** What a scheduler knows of its control plane, kept by watches; and the queues that what happens there fills. */
export interface World {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly controlPlaneId: string;
  readonly workspaces: Workspaces;
  readonly cells: CellStore;
  readonly copies: CopyIndex;
  readonly states: KeyStates;
  readonly requirements: Requirements;
  readonly watches: ResourceWatches;
  readonly needs: WatchNeeds;
  readonly discovery: Discovery;
  readonly policies: Policies;
  readonly bindingWatch: BindingWatch;
  readonly taintPolicies: TaintPolicies;
  readonly queues: Queues;
  /** Whether a project's work is this scheduler's now; others see to the rest. */
  readonly owns: (cluster: string) => boolean;
  /** Others may be at work at the same time, on other projects. */
  readonly isDivided: boolean;
  /** This scheduler's share of all work, from 0 to 1. */
  readonly share: () => number;
  /** Asks for a decision. */
  readonly wake: (key: ProjectObjectKey) => void;
  /** Fires when the scheduler stops. */
  readonly signal: AbortSignal;
}
