import type { ResourceBinding } from '#api/work/resource-binding.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { parseTime } from '#apimachinery/rfc3339.ts';
import type { ReplicaRequest } from '../algorithm/capacity.ts';
import type { Target } from '../algorithm/decision.ts';
import type { ProjectObjectKey } from '../object-key.ts';

/** How long replicas that were decided count as taken though nothing was heard of them. */
const assumedMs = 5 * 60_000;

interface Assumption {
  replicas: number;
  request: ReplicaRequest;
  /** When it is given up, in milliseconds. */
  untilMs: number;
  /** The object is well there: what it takes is part of what the cell tells next. */
  landed: boolean;
}

/** What of an object was filed last; kept beside its state. */
export interface Committed {
  readonly targets: readonly Target[];
  /** Replicas count as taken until the cells tell of them. */
  readonly assumes: boolean;
}

/**
 * What was decided for cells: how many objects each was given, and what replicas take that its status cannot tell of yet
 * (PLACEMENT.md 1, SchedulingOvercommitProtection). Assumed are replicas that were divided by room, in cells that tell theirs,
 * so that there are never more assumptions than such replicas under way. Kept in memory; after a restart the bindings tell
 * what is under way, each when its object is looked at first.
 */
export class Commitments {
  readonly #tellsRoom: (cell: string) => boolean;
  readonly #onFreed: (cell: string) => void;
  readonly #loads = new Map<string, number>();
  /** Cell → key → assumption, in the order of time. */
  readonly #assumed = new Map<string, Map<ProjectObjectKey, Assumption>>();
  readonly #sums = new Map<string, ReadonlyMap<string, number>>();

  /**
   * `tellsRoom`: whether the cell says what is free in it. `onFreed`: less is taken there, by a decision, than was assumed; the
   * cell, which never heard of it, will not tell.
   */
  constructor(tellsRoom: (cell: string) => boolean, onFreed: (cell: string) => void = () => {}) {
    this.#tellsRoom = tellsRoom;
    this.#onFreed = onFreed;
  }

  /**
   * How many objects each cell was given, without the one that these were filed of: it is not to be driven from where it is by
   * being there.
   */
  loadBeside(own: Committed | undefined): (cell: string) => number {
    let held: ReadonlySet<string> | undefined;
    return (cell) => {
      held ??= new Set(own?.targets.map(({ name }) => name));
      return (this.#loads.get(cell) ?? 0) - (held.has(cell) ? 1 : 0);
    };
  }

  /**
   * Files a decision. `before`: what was filed last; undefined for an object seen first, for which `known` is what its
   * binding says: that is no news to the cells.
   */
  place(
    key: ProjectObjectKey,
    now: Committed,
    before: Committed | undefined,
    known: readonly Target[],
    request: ReplicaRequest,
    nowMs: number,
  ): void {
    if (before?.targets === now.targets) return;
    for (const { name } of before?.targets ?? []) this.#load(name, -1);
    for (const { name } of now.targets) this.#load(name, 1);
    if (!now.assumes && before?.assumes !== true) return;
    const former = new Map((before?.targets ?? known).map(({ name, replicas = 0 }) => [name, replicas]));
    for (const { name, replicas = 0 } of now.targets) {
      const change = replicas - (former.get(name) ?? 0);
      former.delete(name);
      if (now.assumes || change < 0) this.#assume(key, name, change, request, nowMs);
    }
    for (const [name, replicas] of former) this.#assume(key, name, -replicas, request, nowMs);
  }

  /** What a binding told to be under way when its object was looked at first; its time begins anew. */
  restore(key: ProjectObjectKey, underWay: readonly Target[], request: ReplicaRequest, nowMs: number): void {
    for (const { name, replicas = 0 } of underWay) this.#assume(key, name, replicas, request, nowMs);
  }

  drop(key: ProjectObjectKey, before: Committed | undefined): void {
    for (const { name } of before?.targets ?? []) {
      this.#load(name, -1);
      if (this.#forget(key, name)) this.#onFreed(name);
    }
  }

  /** The object is well in these cells. */
  landed(key: ProjectObjectKey, cells: Iterable<string>): void {
    for (const cell of cells) {
      const assumption = this.#assumed.get(cell)?.get(key);
      if (assumption !== undefined) assumption.landed = true;
    }
  }

  /** The cell told its capacity anew: what has landed is part of it. */
  told(cell: string): void {
    for (const [key, { landed }] of [...(this.#assumed.get(cell) ?? [])]) if (landed) this.#forget(key, cell);
  }

  /** Resource name → amount that is taken in the cell beyond what it tells; `pods` among them. Undefined: nothing. */
  assumedIn(cell: string, nowMs: number): ReadonlyMap<string, number> | undefined {
    const assumptions = this.#assumed.get(cell);
    if (assumptions === undefined) return undefined;
    for (const [key, { untilMs }] of assumptions) {
      if (untilMs > nowMs) break; // in the order of time
      this.#forget(key, cell);
    }
    if (this.#assumed.get(cell) === undefined) return undefined;
    let sum = this.#sums.get(cell);
    if (sum === undefined) {
      sum = sumOf(assumptions.values());
      this.#sums.set(cell, sum);
    }
    return sum;
  }

  /** When the next assumption is given up; undefined when there is none. */
  nextExpiryMs(): number | undefined {
    let next: number | undefined;
    for (const assumptions of this.#assumed.values()) {
      for (const { untilMs } of assumptions.values()) {
        next = next === undefined ? untilMs : Math.min(next, untilMs);
        break; // in the order of time
      }
    }
    return next;
  }

  #assume(key: ProjectObjectKey, cell: string, change: number, request: ReplicaRequest, nowMs: number): void {
    if (change === 0 || (change > 0 && !this.#tellsRoom(cell))) return;
    const present = this.#assumed.get(cell)?.get(key);
    const replicas = Math.max(0, (present?.replicas ?? 0) + change);
    if (this.#forget(key, cell) && change < 0) this.#onFreed(cell);
    if (replicas === 0) return;
    let assumptions = this.#assumed.get(cell);
    if (assumptions === undefined) {
      assumptions = new Map();
      this.#assumed.set(cell, assumptions);
    }
    assumptions.set(key, { replicas, request, untilMs: nowMs + assumedMs, landed: false });
  }

  /** Whether there was anything to forget. */
  #forget(key: ProjectObjectKey, cell: string): boolean {
    const assumptions = this.#assumed.get(cell);
    if (assumptions === undefined) return false;
    this.#sums.delete(cell);
    const was = assumptions.delete(key);
    if (assumptions.size === 0) this.#assumed.delete(cell);
    return was;
  }

  #load(cell: string, change: 1 | -1): void {
    const load = (this.#loads.get(cell) ?? 0) + change;
    if (load > 0) this.#loads.set(cell, load);
    else this.#loads.delete(cell);
  }
}

/**
 * Cells of a decision not long ago that nothing says of that the object is well there, with the replicas that do not run there
 * yet: those that run are part of what the cell tells. Where a binding tells of single cells no more (there are too many), it
 * names those that are not well.
 */
export function underWayOf(
  spec: Pick<ResourceBinding['spec'], 'clusters'>,
  status: ResourceBinding['status'],
  nowMs: number,
): readonly Target[] {
  const decidedMs = parseTime(status?.lastScheduledTime ?? '') ?? Number.NEGATIVE_INFINITY;
  if (decidedMs + assumedMs <= nowMs) return [];
  const told = new Map((status?.aggregatedStatus ?? []).map((item) => [item.clusterName, item]));
  const isCut = (status?.summary?.cells ?? 0) > told.size;
  return (spec.clusters ?? [])
    .filter(({ name }) => {
      const item = told.get(name);
      return item === undefined ? !isCut : item.applied !== true || item.health !== 'Healthy';
    })
    .map(({ name, replicas = 0 }) => ({
      name,
      replicas: Math.max(0, replicas - runningIn(told.get(name)?.status)),
    }));
}

/** Of the copy, by its status; a Job counts its pods by another name. */
function runningIn(status: JsonObject | undefined): number {
  const running = status?.['readyReplicas'] ?? status?.['ready'];
  return typeof running === 'number' ? running : 0;
}

function sumOf(assumptions: Iterable<Assumption>): Map<string, number> {
  const sum = new Map<string, number>();
  const add = (resource: string, amount: number): void => {
    sum.set(resource, (sum.get(resource) ?? 0) + amount);
  };
  for (const { replicas, request } of assumptions) {
    add('pods', replicas);
    for (const [resource, amount] of request) if (resource !== 'pods') add(resource, amount * replicas);
  }
  return sum;
}
