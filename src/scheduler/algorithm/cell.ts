import type { EstimatorSpec } from '#api/federation/cell.ts';
import type { Location, Toleration } from '#api/policy/placement.ts';
import type { TimeWindow } from '#api/policy/time-window.ts';

/** Cell.spec.taints[], as core/v1 Taint. */
export interface Taint {
  readonly key: string;
  readonly value: string;
  readonly effect: string;
  /** Milliseconds since the epoch; undefined when the taint does not tell. */
  readonly timeAddedMs: number | undefined;
}

/** What the algorithm knows of a Cell: parsed once per change of it, immutable, shared by all decisions. */
export interface CellInfo {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly provider: string;
  readonly region: string;
  readonly zones: readonly string[];
  /** Point of presence. */
  readonly pop: string;
  readonly dataCenter: string;
  /** Where a policy divides by weights and gives none. */
  readonly weight: number;
  readonly taints: readonly Taint[];
  /** False when a Ready condition says so; a cell that tells nothing is taken for healthy (its workspace waits). */
  readonly ready: boolean;
  readonly suspended: boolean;
  readonly deleting: boolean;
  /** `<group>/<version>/<kind>` that the edge serves; undefined when it has not told yet. */
  readonly served: ReadonlySet<string> | undefined;
  /** May a project bring this API group by a CRD of its own? */
  readonly bringsGroup: (group: string) => boolean;
  /** Does `spec.allow` name this kind that grants authority or acts beyond a namespace? */
  readonly allows: (group: string, kind: string) => boolean;
  readonly admitsProject: (project: ProjectRef) => boolean;
  /** Resource name → free amount (allocatable − allocated) in whole units of double precision; undefined: not told. */
  readonly free: ReadonlyMap<string, number> | undefined;
  /** Of what is free, how it lies on nodes; undefined: not told. */
  readonly nodeRoom?: readonly NodeRoom[] | undefined;
  /** What lets pods on which of these nodes; undefined: not told. */
  readonly nodeKinds?: NodeKinds | undefined;
  /** Pods that the edge has no node for; undefined: not told. */
  readonly unschedulable?: UnschedulablePods | undefined;
  readonly cost?: number | undefined;
  /** Of the last probe, rounded so that it changes seldom. */
  readonly latencyMs?: number | undefined;
  readonly location?: Location | undefined;
  /** IANA name; absent: UTC. */
  readonly timeZone?: string | undefined;
  /** When the cell takes no new work. */
  readonly maintenance?: readonly TimeWindow[] | undefined;
  /** Who tells more exactly what fits. */
  readonly estimator?: EstimatorSpec | undefined;
  /** What controllers outside say of it, by name. */
  readonly scores?: ReadonlyMap<string, NamedScore> | undefined;
}

/** So many nodes with so much free on each, by resource name in the units of `CellInfo.free`. */
export interface NodeRoom {
  readonly nodes: number;
  readonly free: ReadonlyMap<string, number>;
  /** Index into `CellInfo.nodeKinds.kinds`; undefined: not told. */
  readonly kind?: number | undefined;
}

export interface UnschedulablePods {
  /** `<kind>/<namespace>/<name>` at the edge → how many of its pods. */
  readonly byWorkload: ReadonlyMap<string, number>;
  /** There are workloads that are not told. */
  readonly hasOthers: boolean;
}

export interface NodeKind {
  readonly labels: ReadonlyMap<string, string>;
  /** NoSchedule and NoExecute. */
  readonly taints: readonly { readonly key: string; readonly value: string; readonly effect: string }[];
}

/** How the nodes of a cell differ in what lets pods on them. */
export interface NodeKinds {
  readonly kinds: readonly NodeKind[];
  /** Keys of labels that nodes may have and that are not told; `*`: any. */
  readonly untold: ReadonlySet<string>;
  /** Equal for equal kinds. */
  readonly text: string;
}

export interface NamedScore {
  /** -100 to 100. */
  readonly value: number;
  /** Milliseconds since the epoch; Infinity: for good. */
  readonly validUntilMs: number;
}

export interface ProjectRef {
  /** Logical cluster id. */
  readonly id: string;
  /** `root:acme:shop`. */
  readonly path: string;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** All cells at one moment, ordered by name. A change makes a new snapshot; unchanged cells keep their identity. */
export interface CellSnapshot {
  readonly version: number;
  readonly cells: readonly CellInfo[];
}

/**
 * Whether a toleration covers a taint, as core/v1 says: an empty key with `Exists` covers all, an empty effect covers
 * all effects.
 */
export function tolerates(toleration: Toleration, taint: Pick<Taint, 'key' | 'value' | 'effect'>): boolean {
  if (toleration.effect !== undefined && toleration.effect !== '' && toleration.effect !== taint.effect)
    return false;
  const operator =
    toleration.operator === undefined || toleration.operator === '' ? 'Equal' : toleration.operator;
  const key = toleration.key ?? '';
  if (key === '') return operator === 'Exists';
  if (key !== taint.key) return false;
  return operator === 'Exists' || (toleration.value ?? '') === taint.value;
}

/**
 * Until when the tolerations hold this taint off: Infinity for good, a time in milliseconds when every toleration that
 * covers it is limited by `tolerationSeconds` (the longest counts), undefined when none covers it.
 */
export function toleratedUntilMs(tolerations: readonly Toleration[], taint: Taint): number | undefined {
  let until: number | undefined;
  for (const toleration of tolerations) {
    if (!tolerates(toleration, taint)) continue;
    const seconds = taint.effect === 'NoExecute' ? toleration.tolerationSeconds : undefined;
    const end =
      seconds === undefined || taint.timeAddedMs === undefined
        ? Number.POSITIVE_INFINITY
        : taint.timeAddedMs + Math.max(0, seconds) * 1000;
    until = until === undefined ? end : Math.max(until, end);
  }
  return until;
}
