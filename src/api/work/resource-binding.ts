import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { Condition } from '../conditions.ts';
import { conditionOf } from '../conditions.ts';
import { ageColumn, defineResource } from '../define.ts';
import type { Toleration } from '../policy/placement.ts';
import { workGroup, workVersion } from './group.ts';
import { resourceBindingSchema } from './resource-binding-schema.ts';

/**
 * work.karmada.io/v1alpha2 ResourceBinding: the decision for one project object, beside it; ClusterResourceBinding where
 * the object has no namespace. Only the scheduler writes it, decision and reasons in one write.
 */
export interface ResourceBinding extends KubeObject {
  spec: ResourceBindingSpec;
  status?: ResourceBindingStatus;
}

/** What a pod template says of the nodes that it may run on. */
export interface NodeClaim extends JsonObject {
  hardNodeAffinity?: JsonObject;
  nodeSelector?: { [key: string]: string };
  tolerations?: Toleration[];
}

export interface ResourceBindingSpec extends JsonObject {
  resource: BoundResource;
  /** Ordered by name. */
  clusters?: TargetCluster[];
  /** What the object asks for; absent for kinds without replicas. */
  replicas?: number;
  /** What one of them asks for, where several schedulers share the work and have to know of one another's. */
  replicaRequirements?: {
    resourceRequest: { [resource: string]: string };
    /** On which nodes one may run, as in its pod template; absent: on any. */
    nodeClaim?: NodeClaim;
  };
  /** Hash of the placement that was decided by. */
  placementDigest?: string;
  /** The policy that decided; absent where the object only follows others. */
  policy?: BoundPolicy;
  /** By the PriorityClass that the policy names; higher is decided first where several wait. */
  schedulePriority?: { priority: number } & JsonObject;
  /** Inherited policies that bound where the object may be, whichever policy decides: `<workspace>/<name>`. */
  boundBy?: string[];
  /** When a fresh decision was last asked for that is made (WorkloadRebalancer). */
  rescheduleTriggeredAt?: string;
  /** Of a policy with `activationPreference: Lazy`. */
  activation?: Activation;
  /** Cells that are being left, by name; they are not among `clusters`. */
  gracefulEvictionTasks?: GracefulEvictionTask[];
  /** Objects that need this one in their cells (`propagateDeps`), by name; at most 500. */
  requiredBy?: BindingSnapshot[];
}

/** A policy as it acts on an object until that is edited. */
export interface Activation extends JsonObject {
  /** Digest of the object when it was edited last. */
  template: string;
  /** The policy's spec at that time. */
  policy: JsonObject;
}

export type EvictionReason = 'TaintUntolerated' | 'ApplicationFailure' | 'Failback' | 'OutsideHours';

/** A cell that the object leaves once it is healthy elsewhere, or its time is over. */
export interface GracefulEvictionTask extends JsonObject {
  fromCluster: string;
  replicas?: number;
  reason: EvictionReason;
  purgeMode: 'Directly' | 'Gracefully' | 'Never';
  gracePeriodSeconds?: number;
  creationTimestamp: string;
  /** What of the status in the cell that is left goes as labels to the cells that the object comes to. */
  preservedLabelState?: { [label: string]: string };
  clustersBeforeFailover?: string[];
}

/** One object that needs another, and where. */
export interface BindingSnapshot extends JsonObject {
  namespace?: string;
  /** Of its binding. */
  name: string;
  /** `<resource>.<group>` of the object itself. */
  resource: string;
  resourceName: string;
  /** Absent where the list would grow beyond measure. */
  clusters?: TargetCluster[];
}

export interface BoundResource extends JsonObject {
  apiVersion: string;
  kind: string;
  /** Plural. */
  resource: string;
  namespace?: string;
  name: string;
  uid?: string;
  resourceVersion?: string;
}

export interface BoundPolicy extends JsonObject {
  /** Path of the organization that an inherited policy stands in, or `root`; absent for a policy of the project. */
  workspace?: string;
  kind: 'PropagationPolicy' | 'ClusterPropagationPolicy';
  namespace?: string;
  name: string;
  uid?: string;
}

export interface TargetCluster extends JsonObject {
  name: string;
  replicas?: number;
}

/** Why cells were not chosen: how many for each code, with a few of their names. */
export interface RefusalCount extends JsonObject {
  code: string;
  /** The inherited policy that refuses: `<workspace>/<name>`. */
  policy?: string;
  count: number;
  examples?: string[];
}

/** How a cell was found when it was decided. */
export interface DecidedCell extends JsonObject {
  name: string;
  /** Why it was not chosen; absent: it was. */
  refusal?: string;
  /** The inherited policy that refuses: `<workspace>/<name>`. */
  policy?: string;
  /** Its share; absent where it was not chosen, and for kinds without replicas. */
  replicas?: number;
  /** Further replicas that fitted; absent where it did not pass the filters, and for kinds without replicas. */
  room?: number;
  /** Points by score, to a tenth; absent where it did not pass the filters. */
  scores?: { [score: string]: number };
}

export interface DecidedCells extends JsonObject {
  /** When all of it was found so; what changed since without changing the decision is not told. */
  time: string;
  /** By name. */
  cells: DecidedCell[];
  /** Further cells, which only `refusals` counts; absent: none. */
  more?: number;
}

export type CopyHealth = 'Healthy' | 'Unhealthy' | 'Unknown';

/** What became of the copy in one cell. */
export interface AggregatedStatusItem extends JsonObject {
  clusterName: string;
  /** The edge has what the decision says. */
  applied?: boolean;
  appliedMessage?: string;
  health?: CopyHealth;
  status?: JsonObject;
}

export interface StatusSummary extends JsonObject {
  cells: number;
  applied: number;
  healthy: number;
  unhealthy: number;
  unknown: number;
}

/** Times are RFC 3339. */
export interface FailoverMemory extends JsonObject {
  /** Since when the copy in a cell is unhealthy. */
  unhealthySince?: { cluster: string; since: string }[];
  /** Until when a cell is not used, as the object failed there. */
  avoid?: { cluster: string; until: string }[];
  /** Since when a more preferred affinity group could take the object. */
  preferredSince?: string;
  /** Since when so many replicas do not run in a cell. */
  missingSince?: { cluster: string; replicas: number; since: string }[];
  /** Until when a cell is given no more replicas than ran there, and how often more did not. */
  limited?: { cluster: string; replicas: number; until: string; times: number }[];
}

/** How far a change of the object has come (the policy's `rollout`). */
export interface RolloutStatus extends JsonObject {
  phase: 'Progressing' | 'Pausing' | 'AwaitingApproval' | 'Paused' | 'RolledBack' | 'Complete';
  /** Revision that cells have which were not reached yet. */
  stable: string;
  /** Revision that is being rolled out. */
  target: string;
  /** Index of the wave that was reached last; -1: none. */
  wave: number;
  waveName?: string;
  /** The most cells that it had. */
  waveCells?: number;
  /** How many waves there are. */
  waves: number;
  /** Cells of the waves that were reached. */
  updated?: number;
  cells?: number;
  /** When the phase began; empty when complete. */
  since: string;
  message?: string;
}

export interface ResourceBindingStatus extends JsonObject {
  schedulerObservedGeneration?: number;
  schedulerObservingAffinityName?: string;
  lastScheduledTime?: string;
  /** What failover has to remember over a restart; absent where the policy asks for none. */
  failover?: FailoverMemory;
  /** What the last decision looked at of what is to trigger a fresh one, as a digest for each trigger asked for. */
  reschedule?: { [trigger: string]: string };
  /** Absent where the policy has no rollout. */
  rollout?: RolloutStatus;
  conditions?: Condition[];
  refusals?: RefusalCount[];
  /** All cells up to 20; of more, those that matter most. Absent where no cell was looked for. */
  decision?: DecidedCells;
  summary?: StatusSummary;
  /** All cells up to 50; beyond that only those that are not healthy, at most 50. */
  aggregatedStatus?: AggregatedStatusItem[];
}

/** Types of the binding's conditions. */
export const bindingConditions = {
  scheduled: 'Scheduled',
  fullyApplied: 'FullyApplied',
  nameCollision: 'NameCollision',
  kindNotAllowed: 'KindNotAllowed',
  unmappedReference: 'UnmappedReference',
  apiConflict: 'APIConflict',
  statusOwnedElsewhere: 'StatusOwnedElsewhere',
  overrideFailed: 'OverrideFailed',
  interpretationFailed: 'InterpretationFailed',
} as const;

const conditionColumn = (name: string, type: string) => ({
  name,
  type: 'string' as const,
  value: (object: KubeObject) =>
    conditionOf((object as ResourceBinding).status?.conditions, type)?.status ?? null,
});

const columns = [
  conditionColumn('Scheduled', bindingConditions.scheduled),
  conditionColumn('FullyApplied', bindingConditions.fullyApplied),
  {
    name: 'Cells',
    type: 'integer' as const,
    value: (object: KubeObject) => (object as ResourceBinding).spec?.clusters?.length ?? 0,
  },
  { name: 'Rollout', type: 'string' as const, priority: 1, jsonPath: '.status.rollout.phase' },
  { name: 'Healthy', type: 'integer' as const, jsonPath: '.status.summary.healthy' },
  { name: 'Policy', type: 'string' as const, priority: 1, jsonPath: '.spec.policy.name' },
  ageColumn,
];

/** Decision and its reasons go in one write, so status is not written apart. */
const strategy = { separateStatus: false } as const;

export const resourceBindingDefinition: ResourceDefinition = defineResource({
  group: workGroup,
  kind: 'ResourceBinding',
  plural: 'resourcebindings',
  shortNames: ['rb'],
  categories: ['karmada-io'],
  namespaced: true,
  versions: [{ name: workVersion, columns, schema: resourceBindingSchema }],
  strategy,
});

export const clusterResourceBindingDefinition: ResourceDefinition = defineResource({
  group: workGroup,
  kind: 'ClusterResourceBinding',
  plural: 'clusterresourcebindings',
  shortNames: ['crb'],
  categories: ['karmada-io'],
  namespaced: false,
  versions: [{ name: workVersion, columns, schema: resourceBindingSchema }],
  strategy,
});
