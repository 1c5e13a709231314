import type { Bounds } from './bounds.ts';
import type { Candidate } from './candidate.ts';
import type { ReplicaRequest } from './capacity.ts';
import type { CellInfo, CellSnapshot, ProjectRef } from './cell.ts';
import type { NodeDemand } from './node-demand.ts';
import type { CompiledProfile } from './profile.ts';

/** Why a cell was not chosen: a closed set, counted in the binding. */
export type RefusalCode =
  | 'AffinityNotMatched'
  | 'ForbiddenByPolicy'
  | 'WorkloadAffinity'
  | 'WorkloadAntiAffinity'
  | 'ProjectNotAdmitted'
  | 'KindNotAllowed'
  | 'APINotServed'
  | 'TaintNotTolerated'
  | 'Evicted'
  | 'OutsideHours'
  | 'InMaintenance'
  | 'CellNotReady'
  | 'CellSuspended'
  | 'CellDeleting'
  | 'NoWeight'
  | 'TopologyUnknown'
  | 'MaxGroupsReached'
  | 'NoCapacity'
  | 'NoReplicasLeft';

export interface Target {
  readonly name: string;
  /** Undefined for kinds without replicas. */
  readonly replicas: number | undefined;
}

/** What is to be placed. */
export interface Template {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Plural. */
  readonly resource: string;
  readonly uid: string;
  /** `<namespace>/<name>`; breaks ties between cells in plans. */
  readonly key?: string | undefined;
  /** Undefined for kinds without replicas. */
  readonly replicas: number | undefined;
  readonly request: ReplicaRequest;
  /** On which nodes one may run; undefined: on all that no taint keeps it off. */
  readonly nodes?: NodeDemand | undefined;
  /** Served through a CRD of the project, so a cell must let the group in. */
  readonly custom: boolean;
  /** Grants authority or acts beyond a namespace, so a cell's `spec.allow` must name it. */
  readonly privileged: boolean;
}

/** Where the other workloads are that a workload is to be with, or apart from. */
export interface Peers {
  /** Cells that hold members of its affinity group; undefined where there is no other member anywhere. */
  readonly affinity: ReadonlySet<string> | undefined;
  /** Cells that hold members of its anti-affinity group. */
  readonly antiAffinity: ReadonlySet<string>;
}

/** What cells were found to be worth and to hold, for people to look at. */
export interface DecisionDetails {
  /** Cell → score by name → points from 0 to 100. */
  readonly scores: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Cell → further replicas that fit; none of a template without replicas. */
  readonly available: ReadonlyMap<string, number>;
}

/** The cells that passed the filters. */
export interface Considered {
  /** In the order of the snapshot. Scored where there was a choice to make. */
  readonly candidates: readonly Candidate[];
  /**
   * Worked out when it is asked for, also where the decision did not look at it: of some candidates, compared among all.
   * Nothing may have been decided since, as rooms and loads are asked for anew.
   */
  readonly detailsOf: (candidates: readonly Candidate[]) => DecisionDetails;
}

export interface DecisionInput {
  readonly template: Template;
  readonly project: ProjectRef;
  readonly snapshot: CellSnapshot;
  /** What the binding says now. */
  readonly previous: readonly Target[];
  /** The affinity group that the previous decision used. */
  readonly previousAffinity?: string | undefined;
  readonly nowMs: number;
  /** What inherited policies allow; absent: everything. */
  readonly bounds?: Bounds | undefined;
  readonly peers?: Peers | undefined;
  /** Absent: all filters and the default scores. */
  readonly profile?: CompiledProfile | undefined;
  /** Resource → what is taken in a cell beyond what it tells, `pods` among them. */
  readonly assumedIn?: ((cell: string) => ReadonlyMap<string, number> | undefined) | undefined;
  /** Of that, what may come to nodes that the template's replicas may run on; absent: all of it. */
  readonly assumedOnNodes?: ((cell: CellInfo) => ReadonlyMap<string, number> | undefined) | undefined;
  /** Further replicas that the cell's estimator, or a quota, lets in; undefined: as many as there is room for. */
  readonly roomIn?: ((cell: string) => number | undefined) | undefined;
  /**
   * Cell → the most replicas that it is to be given now, as more do not run there. Where not all can be placed so, or only in
   * another affinity group, it counts for nothing.
   */
  readonly mostIn?: ReadonlyMap<string, number> | undefined;
  /** How many other objects a cell has been given. */
  readonly loadOf?: ((cell: string) => number) | undefined;
  /** Cells that failover took the template from, or is to take it from. */
  readonly evicted?: ReadonlySet<string> | undefined;
  /** Cells whose NoExecute taints do not count yet. */
  readonly evictionHeld?: ReadonlySet<string> | undefined;
  /**
   * Decide as if nothing were placed: room counts the template's own replicas, affinity groups start at the first. What
   * cannot be decided afresh is decided as ever.
   */
  readonly fresh?: boolean | undefined;
}

/**
 * `NoClusterFit`: no cell passed the filters. `Unschedulable`: some did, but spread or capacity cannot be met. With both, what
 * was placed stays where no rule of the platform speaks against it (`staying.ts`); where the affinity names no cell, nothing
 * does. `QuotaExceeded`: a quota forbids it; what is placed stays. `Suspended`: the policy holds decisions back; nothing
 * changes. `PriorityClassNotFound`: the same, until the class is there that the policy names.
 */
export type Outcome =
  | 'Scheduled'
  | 'NoClusterFit'
  | 'Unschedulable'
  | 'QuotaExceeded'
  | 'Suspended'
  | 'PriorityClassNotFound';

/** Nothing was tried. */
export const isHeldBack = (outcome: Outcome): boolean =>
  outcome === 'Suspended' || outcome === 'PriorityClassNotFound';

export interface Decision {
  readonly outcome: Outcome;
  readonly message: string;
  /** Ordered by cell name. */
  readonly targets: readonly Target[];
  /** Beside `snapshot.cells`: why not; undefined where chosen. */
  readonly refusals: readonly (RefusalCode | undefined)[];
  /** Undefined where no cell was looked for, as what is placed stays. */
  readonly considered?: Considered | undefined;
  readonly affinity: string | undefined;
  /** The refusals of the affinity group that was in use, where the decision is in another. */
  readonly formerRefusals?: readonly (RefusalCode | undefined)[] | undefined;
  /** When the decision may change with time alone (a toleration that runs out). */
  readonly recheckAtMs: number | undefined;
}
