import type { JsonObject } from '#apimachinery/json.ts';
import type { Reschedule } from './reschedule.ts';
import type { TimeWindow } from './time-window.ts';

/** meta/v1 LabelSelector as it stands in an object. */
export interface LabelSelectorSpec extends JsonObject {
  matchLabels?: { [key: string]: string };
  matchExpressions?: LabelRequirementSpec[];
}

export interface LabelRequirementSpec extends JsonObject {
  key: string;
  operator: string;
  values?: string[];
}

/** policy.karmada.io/v1alpha1 ResourceSelector. `name` wins over `labelSelector`; both absent selects the whole kind. */
export interface ResourceSelector extends JsonObject {
  apiVersion: string;
  kind: string;
  namespace?: string;
  name?: string;
  labelSelector?: LabelSelectorSpec;
}

/** policy.karmada.io/v1alpha1 ClusterAffinity: all parts given must hold. */
export interface ClusterAffinity extends JsonObject {
  labelSelector?: LabelSelectorSpec;
  /** Keys `provider`, `region`, `zone`, and ours `pop` and `dataCenter`; operators `In` and `NotIn`. */
  fieldSelector?: { matchExpressions?: LabelRequirementSpec[] } & JsonObject;
  /** `*` stands for any characters (ours). */
  clusterNames?: string[];
  /** As clusterNames. */
  exclude?: string[];
  /** Ours: expressions over `cell` (SelectableCell), all of which must hold. */
  celSelector?: { celExpressions?: string[] } & JsonObject;
}

export interface ClusterAffinityTerm extends ClusterAffinity {
  affinityName: string;
  /** Tiers that take, in order, what has no room in the cells before; given back in reverse. */
  overflowAffinities?: OverflowAffinity[];
}

/** policy.karmada.io/v1alpha1 OverflowClusterAffinity. Its name is required there; policies without one are older than it here. */
export interface OverflowAffinity extends ClusterAffinity {
  affinityName?: string;
}

/** core/v1 Toleration. */
export interface Toleration extends JsonObject {
  key?: string;
  operator?: string;
  value?: string;
  effect?: string;
  tolerationSeconds?: number;
}

export interface SpreadConstraint extends JsonObject {
  /** `cluster`, `region`, `zone`, `provider`; `pop` and `dataCenter` are ours. */
  spreadByField?: string;
  spreadByLabel?: string;
  minGroups?: number;
  maxGroups?: number;
  /** Ours: how far groups may differ in replicas, or in cells where replicas are not divided. */
  maxSkew?: number;
}

export interface StaticClusterWeight extends JsonObject {
  targetCluster: ClusterAffinity;
  weight: number;
  /** Ours, as KubeFed's ReplicaSchedulingPreference: given first, as far as there is room. */
  minReplicas?: number;
  /** Ours: never more. */
  maxReplicas?: number;
  /** Ours: higher is served first; default 0. */
  priority?: number;
}

export interface ReplicaScheduling extends JsonObject {
  replicaSchedulingType?: 'Duplicated' | 'Divided';
  replicaDivisionPreference?: 'Aggregated' | 'Weighted';
  /** Ours, with minReplicas, maxReplicas or priority: share out anew rather than keep what runs where it is. */
  rebalance?: boolean;
  weightPreference?: { staticWeightList?: StaticClusterWeight[]; dynamicWeight?: string } & JsonObject;
}

/** policy.karmada.io/v1alpha1 Placement, as far as it is honoured: validation refuses the rest. */
export interface Placement extends JsonObject {
  clusterAffinity?: ClusterAffinity;
  clusterAffinities?: ClusterAffinityTerm[];
  clusterTolerations?: Toleration[];
  spreadConstraints?: SpreadConstraint[];
  replicaScheduling?: ReplicaScheduling;
  workloadAffinity?: WorkloadAffinity;
  /** Ours: what the score Distance counts from. */
  near?: Location;
  /** Ours: data sets by name; the score DataLocality prefers cells labelled `data.cellplane.io/<name>`. */
  data?: string[];
  /** Ours: cells are used within these windows of their own time, as far as there are any. */
  activeHours?: TimeWindow[];
}

/** Degrees; north and east are positive. */
export interface Location extends JsonObject {
  latitude: number;
  longitude: number;
}

/** Workloads of one namespace with the same value of a label are placed together, or apart. */
export interface WorkloadAffinity extends JsonObject {
  affinity?: { groupByLabelKey: string } & JsonObject;
  antiAffinity?: { groupByLabelKey: string } & JsonObject;
}

/** What of a copy's status follows the object to its next cell, as labels there. */
export interface StatePreservation extends JsonObject {
  rules: { aliasLabelName: string; jsonPath: string }[];
}

/** By which PriorityClass objects that wait for the same room are ordered. */
export interface SchedulePriority extends JsonObject {
  priorityClassSource: 'KubePriorityClass' | 'PodPriorityClass';
  priorityClassName?: string;
}

export interface Suspension extends JsonObject {
  /** No decision is made; what is placed stays as it is. Ours on a policy: Karmada has it on bindings. */
  scheduling?: boolean;
  dispatching?: boolean;
  dispatchingOnClusters?: { clusterNames?: string[] } & JsonObject;
}

export type PurgeMode = 'Directly' | 'Gracefully' | 'Never' | 'Immediately' | 'Graciously';

export interface ApplicationFailover extends JsonObject {
  /** How long an object may be unhealthy in a cell; default 300 s. */
  decisionConditions?: { tolerationSeconds?: number } & JsonObject;
  purgeMode?: PurgeMode;
  /** Default 600 s. */
  gracePeriodSeconds?: number;
  statePreservation?: StatePreservation;
}

export interface ClusterFailover extends JsonObject {
  purgeMode?: PurgeMode;
  statePreservation?: StatePreservation;
  /** Ours: go back to an affinity group before the one in use when it could take the object for this long. */
  failback?: { afterSeconds: number } & JsonObject;
}

export interface Failover extends JsonObject {
  application?: ApplicationFailover;
  cluster?: ClusterFailover;
}

/** Ours: how an object that changed reaches its cells. */
export interface Rollout extends JsonObject {
  /** In this order; cells that none names come last. */
  waves: RolloutWave[];
  /** How long the cells of a wave may take to be healthy; default 600. */
  healthTimeoutSeconds?: number;
  /** Default `Rollback`: all cells get what was before. `Pause`: nothing goes on until the wave is healthy. */
  onFailure?: 'Rollback' | 'Pause';
}

export interface RolloutWave extends JsonObject {
  name: string;
  /** Absent: all cells that are left. */
  clusterAffinity?: ClusterAffinity;
  /** To be waited when the wave is healthy, before the next begins. */
  pauseSeconds?: number;
  /** The wave waits for somebody to approve it. */
  approval?: boolean;
}

/** The spec of PropagationPolicy and ClusterPropagationPolicy. */
export interface PropagationSpec extends JsonObject {
  resourceSelectors: ResourceSelector[];
  placement?: Placement;
  priority?: number;
  preemption?: 'Always' | 'Never';
  /** What selected workloads name of their namespace goes where they go. */
  propagateDeps?: boolean;
  conflictResolution?: 'Abort' | 'Overwrite';
  /** Edits of the policy act on an object when that is edited next. */
  activationPreference?: 'Lazy';
  preserveResourcesOnDeletion?: boolean;
  suspension?: Suspension;
  failover?: Failover;
  /** Names of override policies without which nothing is placed anew. */
  dependentOverrides?: string[];
  /** `default-scheduler`, or a SchedulingProfile. */
  schedulerName?: string;
  schedulePriority?: SchedulePriority;
  rollout?: Rollout;
  reschedule?: Reschedule;
  /**
   * Ours, in workspaces above projects: `Required` (default) bounds what projects' own policies may do, besides placing what
   * none of them selects; `Default` only does the latter.
   */
  enforcement?: 'Required' | 'Default';
}

export type OverrideOperator = 'add' | 'remove' | 'replace';

export interface ImageOverrider extends JsonObject {
  predicate?: { path: string } & JsonObject;
  component: 'Registry' | 'Repository' | 'Tag';
  operator: OverrideOperator;
  value?: string;
}

export interface CommandArgsOverrider extends JsonObject {
  containerName: string;
  operator: 'add' | 'remove';
  value?: string[];
}

export interface LabelAnnotationOverrider extends JsonObject {
  operator: OverrideOperator;
  value?: { [key: string]: string };
}

export interface PlaintextOverrider extends JsonObject {
  path: string;
  operator: OverrideOperator;
  value?: JsonObject[string];
}

/** Changes within JSON or YAML that an object holds as text. */
export interface FieldOverrider extends JsonObject {
  /** JSON pointer to the text. */
  fieldPath: string;
  json?: FieldPatch[];
  yaml?: FieldPatch[];
}

export interface FieldPatch extends JsonObject {
  /** JSON pointer within the text. */
  subPath: string;
  operator: OverrideOperator;
  value?: JsonObject[string];
}

export interface Overriders extends JsonObject {
  imageOverrider?: ImageOverrider[];
  commandOverrider?: CommandArgsOverrider[];
  argsOverrider?: CommandArgsOverrider[];
  labelsOverrider?: LabelAnnotationOverrider[];
  annotationsOverrider?: LabelAnnotationOverrider[];
  fieldOverrider?: FieldOverrider[];
  plaintext?: PlaintextOverrider[];
}

export interface OverrideRule extends JsonObject {
  targetCluster?: ClusterAffinity;
  overriders: Overriders;
}

/** The spec of OverridePolicy and ClusterOverridePolicy. */
export interface OverrideSpec extends JsonObject {
  resourceSelectors?: ResourceSelector[];
  overrideRules?: OverrideRule[];
  /** Karmada's deprecated form of one rule; not beside `overrideRules`. */
  targetCluster?: ClusterAffinity;
  overriders?: Overriders;
}
