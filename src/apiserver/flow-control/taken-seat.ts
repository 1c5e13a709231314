import type { FairNode } from './fair-node.ts';
import type { FlowClass } from './flow-configuration.ts';
import type { Waiting, WorkspacePart } from './flow-levels.ts';
import type { FlowCounts } from './flow-metrics.ts';
import type { Seat } from './flow-request.ts';

/**
 * A seat that somebody has. A class, not an object with a getter and closures: V8 makes a shape of its own for each of those,
 * which lives until the next full collection, and all that it leads to with it.
 */
export class TakenSeat implements Seat {
  readonly shown: FlowClass;
  readonly #counts: FlowCounts;
  readonly #part: WorkspacePart;
  readonly #node: FairNode<Waiting>;
  readonly #seats: number;
  readonly #isPreceding: boolean;
  readonly #sinceMs: number;
  readonly #left: (part: WorkspacePart, sinceMs: number, wasPreceding: boolean) => void;

  constructor(
    shown: FlowClass,
    counts: FlowCounts,
    part: WorkspacePart,
    node: FairNode<Waiting>,
    seats: number,
    isPreceding: boolean,
    sinceMs: number,
    left: (part: WorkspacePart, sinceMs: number, wasPreceding: boolean) => void,
  ) {
    this.shown = shown;
    this.#counts = counts;
    this.#part = part;
    this.#node = node;
    this.#seats = seats;
    this.#isPreceding = isPreceding;
    this.#sinceMs = sinceMs;
    this.#left = left;
  }

  get crowds(): boolean {
    return this.#part.isBound;
  }

  leave(): void {
    this.#counts.executing--;
    this.#node.occupy(-this.#seats);
    this.#left(this.#part, this.#sinceMs, this.#isPreceding);
  }
}
