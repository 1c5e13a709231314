import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { parseTime } from '#apimachinery/rfc3339.ts';
import type { ReplicaRequest } from '../algorithm/capacity.ts';
import type { Target } from '../algorithm/decision.ts';
import type { NodeDemand } from '../algorithm/node-demand.ts';
import type { RoomWord } from '../cells/cell-info.ts';
import { podsRunning, podsThere } from '../gather/pods.ts';
import type { ProjectObjectKey } from '../object-key.ts';
import { BoundAmounts } from './bound-amounts.ts';
import type { Committed } from './committed.ts';
import { add, addReplicas } from './quota-amounts.ts';

/** How long replicas that were decided count as taken though nothing was heard of them. */
const assumedMs = 5 * 60_000;

/** Of one replica. */
type Asked = Pick<Committed, 'request' | 'nodes'>;

const nothingAsked: Asked = { request: [] };

interface Assumption {
  readonly replicas: number;
  readonly request: ReplicaRequest;
  readonly nodes: NodeDemand | undefined;
  /** When it is given up, in milliseconds. */
  readonly untilMs: number;
}

/** Of one cell. */
interface Assumptions {
  /** In the order of time. */
  readonly underWay: Map<ProjectObjectKey, Assumption>;
  /** The replicas are there: what they take is part of what the cell tells next. */
  readonly landed: Map<ProjectObjectKey, Assumption>;
}

/** Whether replicas that may run where this demand lets them are to be counted. */
export type OfNodes = (demand: NodeDemand | undefined) => boolean;

/** What is assumed in a cell. */
interface AssumedSum {
  readonly all: ReadonlyMap<string, number>;
  /** The same by the nodes that it may come to. */
  readonly byNodes: readonly {
    readonly nodes: NodeDemand | undefined;
    readonly sum: ReadonlyMap<string, number>;
  }[];
}

/**
 * What was decided for cells: how many objects each was given, and what replicas take that its status cannot tell of yet
 * (PLACEMENT.md 1, SchedulingOvercommitProtection). Assumed are replicas that were divided by room, in cells that tell theirs,
 * so that there are never more assumptions than such replicas under way. In cells that tell what there is and not what is
 * taken, all that is bound counts for as long as it is. An estimator knows what runs and not what is under way, whatever its cell
 * tells: there that is assumed too. Kept in memory; after a restart the bindings tell what is under way,
 * each when its object is looked at first.
 */
export class Commitments {
  readonly #roomWord: (cell: string) => RoomWord;
  readonly #onFreed: (cell: string) => void;
  readonly #isEstimated: (cell: string) => boolean;
  readonly #loads = new Map<string, number>();
  readonly #assumed = new Map<string, Assumptions>();
  readonly #sums = new Map<string, AssumedSum>();
  readonly #bound = new BoundAmounts();
  /** Of objects that wait to be decided first, and of those that others decide, what their bindings say. */
  readonly #foreseen = new Map<ProjectObjectKey, Committed>();
  /** In which cells these bindings told of replicas under way. */
  readonly #toldIn = new Map<ProjectObjectKey, readonly string[]>();

  /**
   * `onFreed`: less is taken there, by a decision, than was assumed or bound; the cell, which never heard of it, will not tell.
   * `isEstimated`: the cell has an estimator.
   */
  constructor(
    roomWord: (cell: string) => RoomWord,
    onFreed: (cell: string) => void = () => {},
    isEstimated: (cell: string) => boolean = () => false,
  ) {
    this.#roomWord = roomWord;
    this.#onFreed = onFreed;
    this.#isEstimated = isEstimated;
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

  /** Whether all that is bound has to be known, since there are cells of which nobody else tells what is taken. */
  get countsBound(): boolean {
    return !this.#bound.isEmpty;
  }

  /** To be called when a cell came, changed or went. `placed`: all that was filed and stands. */
  look(cell: string, placed: () => Iterable<Committed>): void {
    const counts = this.#roomWord(cell) === 'whole';
    if (counts === this.#bound.counts(cell)) return;
    if (!counts) this.#bound.end(cell);
    else {
      this.#bound.begin(cell, this.#allOf(placed()));
      if (this.#isEstimated(cell)) return;
      this.#assumed.delete(cell);
      this.#sums.delete(cell);
    }
  }

  *#allOf(placed: Iterable<Committed>): IterableIterator<Committed> {
    yield* placed;
    yield* this.#foreseen.values();
  }

  /**
   * What a binding says that another scheduler decides, or that is yet to be looked at; undefined: it is gone. `landedUntilMs`: by
   * then cells have told of replicas that it says are there.
   */
  tell(
    key: ProjectObjectKey,
    told: { readonly committed: Committed; readonly underWay: readonly Target[] } | undefined,
    nowMs: number,
    landedUntilMs: number,
  ): void {
    const { committed, underWay = [] } = told ?? {};
    for (const cell of this.#bound.change(this.#foreseen.get(key), committed)) this.#onFreed(cell);
    if (committed === undefined) this.#foreseen.delete(key);
    else this.#foreseen.set(key, committed);
    const before = this.#toldIn.get(key) ?? [];
    for (const { name, replicas = 0 } of underWay) {
      const { underWay: assumed, landed } = this.#assumed.get(name) ?? {};
      const former = (assumed?.get(key) ?? landed?.get(key))?.replicas ?? 0;
      this.#forget(key, name);
      if (replicas < former) this.#onFreed(name);
      this.#assume(key, name, replicas, committed ?? nothingAsked, nowMs);
    }
    for (const cell of before) {
      if (underWay.some(({ name }) => name === cell)) continue;
      if (committed?.targets.some(({ name }) => name === cell) === true)
        this.landed(key, cell, landedUntilMs);
      else if (this.#forget(key, cell)) this.#onFreed(cell);
    }
    if (underWay.length === 0) this.#toldIn.delete(key);
    else
      this.#toldIn.set(
        key,
        underWay.map(({ name }) => name),
      );
  }

  /** The object is decided here from now on: what was told to be under way is ours to say. */
  takeOver(key: ProjectObjectKey): void {
    for (const cell of this.#toldIn.get(key) ?? []) this.#forget(key, cell);
    this.#toldIn.delete(key);
  }

  /** What its binding says of an object that cannot be decided yet. */
  foresee(key: ProjectObjectKey, known: Committed): void {
    this.#bound.change(this.#foreseen.get(key), known);
    this.#foreseen.set(key, known);
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
    nowMs: number,
  ): void {
    this.#rebind(key, before, now);
    if (before?.targets === now.targets) return;
    for (const { name } of before?.targets ?? []) this.#load(name, -1);
    for (const { name } of now.targets) this.#load(name, 1);
    if (!now.assumes && before?.assumes !== true) return;
    const former = new Map((before?.targets ?? known).map(({ name, replicas = 0 }) => [name, replicas]));
    for (const { name, replicas = 0 } of now.targets) {
      const change = replicas - (former.get(name) ?? 0);
      former.delete(name);
      if (now.assumes || change < 0) this.#assume(key, name, change, now, nowMs);
    }
    for (const [name, replicas] of former) this.#assume(key, name, -replicas, now, nowMs);
  }

  /** What a binding told to be under way when its object was looked at first; its time begins anew. */
  restore(key: ProjectObjectKey, underWay: readonly Target[], asked: Asked, nowMs: number): void {
    for (const { name, replicas = 0 } of underWay) this.#assume(key, name, replicas, asked, nowMs);
  }

  drop(key: ProjectObjectKey, before: Committed | undefined): void {
    this.takeOver(key);
    this.#rebind(key, before, undefined);
    for (const { name } of before?.targets ?? []) {
      this.#load(name, -1);
      if (this.#forget(key, name)) this.#onFreed(name);
    }
  }

  /** Whether replicas of the object count as taken in the cell though it cannot tell of them. */
  isUnderWay(key: ProjectObjectKey, cell: string): boolean {
    return this.#assumed.size > 0 && this.#assumed.get(cell)?.underWay.has(key) === true;
  }

  /**
   * The object's replicas are there. `untilMs`: by then the cell has told of them, or has nothing to add to what it told; absent:
   * nobody knows. Returns whether that is news.
   */
  landed(key: ProjectObjectKey, cell: string, untilMs?: number): boolean {
    const { underWay, landed } = this.#assumed.get(cell) ?? {};
    const assumption = underWay?.get(key);
    if (assumption === undefined) return false;
    underWay?.delete(key);
    landed?.set(key, { ...assumption, untilMs: Math.min(assumption.untilMs, untilMs ?? assumption.untilMs) });
    return true;
  }

  /** The cell told its capacity anew: what has landed is part of it. */
  told(cell: string): void {
    const landed = this.#assumed.get(cell)?.landed;
    if (landed === undefined || landed.size === 0) return;
    for (const key of [...landed.keys()]) this.#forget(key, cell);
    this.#onFreed(cell);
  }

  /** Resource name → amount that is taken in the cell beyond what it tells; `pods` among them. Undefined: nothing. */
  assumedIn(cell: string, nowMs: number): ReadonlyMap<string, number> | undefined {
    return this.#bound.counts(cell) ? this.#bound.in(cell) : this.underWayIn(cell, nowMs);
  }

  /** The same of what may come to certain nodes. What is bound lies nobody knows on which. */
  assumedOn(cell: string, nowMs: number, ofNodes: OfNodes): ReadonlyMap<string, number> | undefined {
    return this.#bound.counts(cell) ? this.#bound.in(cell) : this.underWayOn(cell, nowMs, ofNodes);
  }

  /** The same of what is under way alone: what an estimator cannot have counted. */
  underWayIn(cell: string, nowMs: number): ReadonlyMap<string, number> | undefined {
    return this.#sumIn(cell, nowMs)?.all;
  }

  underWayOn(cell: string, nowMs: number, ofNodes: OfNodes): ReadonlyMap<string, number> | undefined {
    const sum = this.#sumIn(cell, nowMs);
    if (sum === undefined) return undefined;
    const counted = sum.byNodes.filter(({ nodes }) => ofNodes(nodes));
    if (counted.length === sum.byNodes.length) return sum.all;
    const part = new Map<string, number>();
    for (const one of counted) for (const [resource, amount] of one.sum) add(part, resource, amount);
    return part;
  }

  #sumIn(cell: string, nowMs: number): AssumedSum | undefined {
    const assumptions = this.#assumed.get(cell);
    if (assumptions === undefined) return undefined;
    for (const [key, { untilMs }] of assumptions.underWay) {
      if (untilMs > nowMs) break; // in the order of time
      this.#forget(key, cell);
    }
    for (const [key, { untilMs }] of assumptions.landed) if (untilMs <= nowMs) this.#forget(key, cell);
    if (this.#assumed.get(cell) === undefined) return undefined;
    let sum = this.#sums.get(cell);
    if (sum === undefined) {
      sum = sumOf(assumptions);
      this.#sums.set(cell, sum);
    }
    return sum;
  }

  /** When the next assumption is given up; undefined when there is none. */
  nextExpiryMs(): number | undefined {
    let next = Number.POSITIVE_INFINITY;
    for (const { underWay, landed } of this.#assumed.values()) {
      for (const { untilMs } of underWay.values()) {
        next = Math.min(next, untilMs);
        break; // in the order of time
      }
      for (const { untilMs } of landed.values()) next = Math.min(next, untilMs);
    }
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  #assume(
    key: ProjectObjectKey,
    cell: string,
    change: number,
    { request, nodes }: Asked,
    nowMs: number,
  ): void {
    if (change === 0 || (change > 0 && !this.#isAssumedIn(cell))) return;
    const held = this.#assumed.get(cell);
    const present = held?.underWay.get(key) ?? held?.landed.get(key);
    const replicas = Math.max(0, (present?.replicas ?? 0) + change);
    if (this.#forget(key, cell) && change < 0) this.#onFreed(cell);
    if (replicas === 0) return;
    let assumptions = this.#assumed.get(cell);
    if (assumptions === undefined) {
      assumptions = { underWay: new Map(), landed: new Map() };
      this.#assumed.set(cell, assumptions);
    }
    assumptions.underWay.set(key, { replicas, request, nodes, untilMs: nowMs + assumedMs });
  }

  #isAssumedIn(cell: string): boolean {
    return this.#roomWord(cell) === 'free' || this.#isEstimated(cell);
  }

  #rebind(key: ProjectObjectKey, before: Committed | undefined, now: Committed | undefined): void {
    const foreseen = this.#foreseen.get(key);
    if (foreseen !== undefined) this.#foreseen.delete(key);
    for (const cell of this.#bound.change(foreseen ?? before, now)) this.#onFreed(cell);
  }

  /** Whether there was anything to forget. */
  #forget(key: ProjectObjectKey, cell: string): boolean {
    const assumptions = this.#assumed.get(cell);
    if (assumptions === undefined) return false;
    this.#sums.delete(cell);
    const { underWay, landed } = assumptions;
    const was = underWay.delete(key) || landed.delete(key);
    if (underWay.size + landed.size === 0) this.#assumed.delete(cell);
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
 * yet: those that run are part of what the cell tells (`isWatched`: all that there are). Where a binding tells of single cells
 * no more (there are too many), it names those that are not well.
 */
export function underWayOf(
  spec: Pick<ResourceBinding['spec'], 'clusters'>,
  status: ResourceBinding['status'],
  nowMs: number,
  isWatched: (cell: string) => boolean = () => false,
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
    .map(({ name, replicas = 0 }) => {
      const there = isWatched(name) ? podsThere : podsRunning;
      return { name, replicas: Math.max(0, replicas - (there(told.get(name)?.status) ?? 0)) };
    });
}

function sumOf({ underWay, landed }: Assumptions): AssumedSum {
  const all = new Map<string, number>();
  const byNodes = new Map<string, { nodes: NodeDemand | undefined; sum: Map<string, number> }>();
  for (const part of [underWay, landed]) {
    for (const { replicas, request, nodes } of part.values()) {
      addReplicas(all, replicas, request);
      const key = nodes?.key ?? '';
      const one = byNodes.get(key) ?? { nodes, sum: new Map<string, number>() };
      byNodes.set(key, one);
      addReplicas(one.sum, replicas, request);
    }
  }
  return { all, byNodes: [...byNodes.values()] };
}
