import type { Clock } from '#apimachinery/clock.ts';

export interface FreedRoomDependencies {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Whether any object waits for room. */
  readonly isWaitedFor: () => boolean;
  /** There is more room in these cells than before. */
  readonly onRoom: (cells: ReadonlySet<string>) => void;
}

/** Much may go at once. */
const toldAfterMs = 50;

/** Cells in which less is taken than was, by what was decided; told together. */
export class FreedRoom {
  readonly #on: FreedRoomDependencies;
  #cells = new Set<string>();
  readonly #laterIn = new Set<string>();

  constructor(dependencies: FreedRoomDependencies) {
    this.#on = dependencies;
  }

  in(cell: string): void {
    const { clock, signal, isWaitedFor, onRoom } = this.#on;
    if (!isWaitedFor()) return;
    this.#cells.add(cell);
    if (this.#cells.size > 1) return;
    const timer = clock.setTimeout(() => {
      const cells = this.#cells;
      this.#cells = new Set();
      if (!signal.aborted) onRoom(cells);
    }, toldAfterMs);
    timer.unref();
  }

  /** After this time, for all that is freed there until then. */
  inAfter(cell: string, delayMs: number): void {
    if (this.#laterIn.has(cell)) return;
    this.#laterIn.add(cell);
    const { clock, signal } = this.#on;
    const timer = clock.setTimeout(() => {
      this.#laterIn.delete(cell);
      if (!signal.aborted) this.in(cell);
    }, delayMs);
    timer.unref();
  }
}
