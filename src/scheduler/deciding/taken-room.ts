import type { Clock } from '#apimachinery/clock.ts';
import type { ToldAmounts } from '../bindings/told-binding.ts';
import { isEstimated, isRoomWatched, roomWordOf } from '../cells/cell-info.ts';
import type { CellStore } from '../cells/cell-store.ts';
import type { KeyState, KeyStates } from '../key-state.ts';
import type { ProjectObjectKey } from '../object-key.ts';
import { Commitments } from './commitments.ts';
import type { Committed } from './committed.ts';
import { FreedRoom } from './freed-room.ts';

export interface TakenRoomDependencies {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly cells: CellStore;
  readonly states: KeyStates;
  /** Default 10,000. */
  readonly landedMs?: number | undefined;
  /** There is more room in these cells than before, by what was decided. */
  readonly onRoom: (cells: ReadonlySet<string>) => void;
}

/**
 * How long replicas count beside what a federator tells, once they are there: it has seen them by then, and tells what changed
 * within a second, of many cells ten a second (federators.md, Room).
 */
const defaultLandedMs = 10_000;
const landedMsPerCell = 200;

/** What decisions take in the cells, and when it ends that they do: kept by what bindings, cells and edges tell. */
export class TakenRoom {
  readonly commitments: Commitments;
  readonly #on: TakenRoomDependencies;
  readonly #freed: FreedRoom;

  /** `onFreed`: less is taken in the cell than was. */
  constructor(dependencies: TakenRoomDependencies, onFreed: (cell: string) => void) {
    this.#on = dependencies;
    const { cells, states } = dependencies;
    this.#freed = new FreedRoom({ ...dependencies, isWaitedFor: () => states.waitingForRoom().size > 0 });
    this.commitments = new Commitments(
      (cell) => roomWordOf(cells.get(cell)),
      (cell) => {
        onFreed(cell);
        this.#freed.in(cell);
      },
      (cell) => isEstimated(cells.get(cell)),
    );
  }

  /** What a binding takes, which counts here until its object is decided here; undefined: it is gone. */
  onBinding(key: ProjectObjectKey, told: ToldAmounts | undefined): void {
    const { states, clock } = this.#on;
    if (states.get(key)?.committed !== undefined) return;
    const nowMs = clock.now();
    this.commitments.tell(key, told, nowMs, nowMs + this.#landedMs);
  }

  /** A cell told something new, or went. */
  onCell(cell: string): void {
    this.commitments.told(cell);
    this.commitments.look(cell, () => this.#allCommitted());
  }

  /** What came back says that the object's replicas are there: what they take is no more under way. */
  landed(key: ProjectObjectKey, { targets, health }: KeyState): void {
    const { cells, clock } = this.#on;
    for (const { name } of targets) {
      if (!this.commitments.isUnderWay(key, name)) continue;
      const isWatched = isRoomWatched(cells.get(name));
      if (!health.healthy.has(name) && !(isWatched && health.complete.has(name))) continue;
      const untilMs = isWatched ? clock.now() + this.#landedMs : undefined;
      if (this.commitments.landed(key, name, untilMs) && isWatched) this.#freed.inAfter(name, this.#landedMs);
    }
  }

  *#allCommitted(): IterableIterator<Committed> {
    const { states } = this.#on;
    for (const key of states.all()) {
      const committed = states.get(key)?.committed;
      if (committed !== undefined) yield committed;
    }
  }

  get #landedMs(): number {
    const { landedMs, cells } = this.#on;
    return landedMs ?? Math.max(defaultLandedMs, landedMsPerCell * cells.snapshot().cells.length);
  }
}
