import type { RolloutStatus } from '#api/work/resource-binding.ts';
import type { Outcome, Target } from './algorithm/decision.ts';
import type { Problems } from './bindings/binding.ts';
import type { Committed } from './deciding/committed.ts';
import { type ProjectObjectKey, splitKey } from './object-key.ts';
import type { PolicyMatch } from './policy/policy-index.ts';
import type { DeschedulingLimits, ReplicaRecord } from './rescheduling/missing-replicas.ts';

/**
 * What is remembered of one bound object between two looks at it. All of it can be found anew from stored state: losing it
 * costs work, never correctness. Bounded by the number of bindings.
 */
export interface KeyState {
  policyKey: string;
  /** The object that all of this is about: one of the same name made since is another. */
  uid: string | undefined;
  /** Of a lazy policy: as it was when it was decided by. */
  decidedBy: PolicyMatch | undefined;
  outcome: Outcome;
  /** Of its kind, as far as is known: what nobody reports may be gathered with others'. */
  hasStatus: boolean;
  targets: readonly Target[];
  /** Place → content hash that should lie there. */
  desired: ReadonlyMap<string, string>;
  /** The object's generation that all copies were last rendered from; 0 while some could not be written. */
  projectedGeneration: number;
  /** Of the projection: collisions, API conflicts. */
  problems: Problems;
  /** Places where something lies that has to go first. */
  occupiedPlaces: readonly string[];
  /** Cell → why its copy could not be written. */
  failures: ReadonlyMap<string, string>;
  /** The status that was applied last, as its hash; undefined when unknown. */
  appliedStatusHash: string | undefined;
  observedGeneration: number | undefined;
  statusOwnedElsewhere: string | undefined;
  /** Until when its gatherings are paid for (gather-pace.ts), by the monotonic clock. */
  gatherPaidUntilMs: number;
  /** When time alone may change the decision, in milliseconds. */
  recheckAtMs: number | undefined;
  /** When the last decision was made, in milliseconds. */
  decidedAtMs: number;
  /** Whether what was decided last is known to be stored: what is remembered of it is true. */
  isStored: boolean;
  /** Whether the cells’ reports were gathered since the object was looked at first. */
  isHeard: boolean;
  /** Higher goes first where several wait for the same. */
  priority: number;
  /** What the cells are taken to hold of it. */
  committed: Committed | undefined;
  health: {
    healthy: Set<string>;
    /** Cells in which as many replicas are as were decided, in whatever state. */
    complete: Set<string>;
    unhealthySinceMs: Map<string, number>;
    avoidUntilMs: Map<string, number>;
    preferredSinceMs: number | undefined;
  };
  /** Undefined: replicas that do not run stay where they are. */
  descheduling: DeschedulingLimits | undefined;
  /** There is one where `descheduling` is. */
  replicas: ReplicaRecord | undefined;
  /** Decided, and yet would be decided otherwise if there were more room. */
  waitsForRoom: boolean;
  /** A rollout that goes on when all `awaited` cells are healthy, and looks again when a `watched` one is not any more. */
  rollout:
    | { readonly awaited: ReadonlySet<string> | undefined; readonly watched: ReadonlySet<string> }
    | undefined;
  /** How far a change of the object is; undefined where its policy has no rollout. */
  rolloutStatus: RolloutStatus | undefined;
  /** Cells are left as soon as the object is healthy elsewhere. */
  leaving: boolean;
}

/** For those that are replaced, never changed. */
const noTexts: ReadonlyMap<string, string> = new Map();

function emptyKeyState(policyKey: string): KeyState {
  return {
    policyKey,
    uid: undefined,
    decidedBy: undefined,
    outcome: 'NoClusterFit',
    hasStatus: true,
    targets: [],
    desired: noTexts,
    projectedGeneration: 0,
    problems: {},
    occupiedPlaces: [],
    failures: noTexts,
    appliedStatusHash: undefined,
    observedGeneration: undefined,
    statusOwnedElsewhere: undefined,
    gatherPaidUntilMs: Number.NEGATIVE_INFINITY,
    recheckAtMs: undefined,
    decidedAtMs: Number.NEGATIVE_INFINITY,
    isStored: false,
    isHeard: false,
    priority: 0,
    committed: undefined,
    rollout: undefined,
    rolloutStatus: undefined,
    health: {
      healthy: new Set(),
      complete: new Set(),
      unhealthySinceMs: new Map(),
      avoidUntilMs: new Map(),
      preferredSinceMs: undefined,
    },
    descheduling: undefined,
    replicas: undefined,
    waitsForRoom: false,
    leaving: false,
  };
}

/** Forgets what was the former object's own. Where it lies and what is decided stays: the cells hold it all the same. */
export function beginAnew(state: KeyState): void {
  state.projectedGeneration = 0;
  state.appliedStatusHash = undefined;
  state.observedGeneration = undefined;
  state.statusOwnedElsewhere = undefined;
  state.health.healthy.clear();
  state.health.complete.clear();
  state.health.unhealthySinceMs.clear();
}

/** Key states, and which keys a policy decided, a project holds, a resource has. */
export class KeyStates {
  readonly #states = new Map<ProjectObjectKey, KeyState>();
  readonly #byPolicy = new Map<string, Set<ProjectObjectKey>>();
  readonly #byCluster = new Map<string, Set<ProjectObjectKey>>();
  readonly #byResource = new Map<string, Set<ProjectObjectKey>>();
  readonly #waitingForRoom = new Set<ProjectObjectKey>();
  readonly #unplaced = new Set<ProjectObjectKey>();

  get size(): number {
    return this.#states.size;
  }

  get(key: ProjectObjectKey): KeyState | undefined {
    return this.#states.get(key);
  }

  /** The state, made when there is none, filed under the policy. */
  claim(key: ProjectObjectKey, policyKey: string): KeyState {
    let state = this.#states.get(key);
    if (state === undefined) {
      state = emptyKeyState(policyKey);
      this.#states.set(key, state);
      const { cluster, resource, group } = splitKey(key);
      file(this.#byCluster, cluster, key);
      file(this.#byResource, `${resource}.${group}`, key);
    } else if (state.policyKey !== policyKey) {
      unfile(this.#byPolicy, state.policyKey, key);
      state.policyKey = policyKey;
    }
    file(this.#byPolicy, policyKey, key);
    return state;
  }

  remove(key: ProjectObjectKey): void {
    const state = this.#states.get(key);
    if (state === undefined) return;
    this.#states.delete(key);
    this.#waitingForRoom.delete(key);
    this.#unplaced.delete(key);
    const { cluster, resource, group } = splitKey(key);
    unfile(this.#byPolicy, state.policyKey, key);
    unfile(this.#byCluster, cluster, key);
    unfile(this.#byResource, `${resource}.${group}`, key);
  }

  /** Files what was decided, at once: whatever frees room from then on is to find it. */
  conclude(key: ProjectObjectKey, state: KeyState, outcome: Outcome): void {
    state.outcome = outcome;
    if (outcome === 'Unschedulable' || state.waitsForRoom) this.#waitingForRoom.add(key);
    else this.#waitingForRoom.delete(key);
    if (outcome === 'Scheduled') this.#unplaced.delete(key);
    else this.#unplaced.add(key);
  }

  /** Keys that more room could help. */
  waitingForRoom(): ReadonlySet<ProjectObjectKey> {
    return this.#waitingForRoom;
  }

  /** Keys that no cell was found for; what lies in cells from before stays there as long as it may. */
  unplaced(): ReadonlySet<ProjectObjectKey> {
    return this.#unplaced;
  }

  keysOf(policyKey: string): ReadonlySet<ProjectObjectKey> {
    return this.#byPolicy.get(policyKey) ?? none;
  }

  /** Projects of which there is any. */
  clusters(): IterableIterator<string> {
    return this.#byCluster.keys();
  }

  all(): IterableIterator<ProjectObjectKey> {
    return this.#states.keys();
  }

  keysIn(cluster: string): ReadonlySet<ProjectObjectKey> {
    return this.#byCluster.get(cluster) ?? none;
  }

  /** Of `<resource>.<group>`, in all projects. */
  keysOfResource(resource: string): ReadonlySet<ProjectObjectKey> {
    return this.#byResource.get(resource) ?? none;
  }
}

const none: ReadonlySet<ProjectObjectKey> = new Set();

function file(index: Map<string, Set<ProjectObjectKey>>, at: string, key: ProjectObjectKey): void {
  const keys = index.get(at);
  if (keys === undefined) index.set(at, new Set([key]));
  else keys.add(key);
}

function unfile(index: Map<string, Set<ProjectObjectKey>>, at: string, key: ProjectObjectKey): void {
  const keys = index.get(at);
  keys?.delete(key);
  if (keys?.size === 0) index.delete(at);
}
