import type { Committed } from './committed.ts';
import { add, addReplicas } from './quota-amounts.ts';

/**
 * What is bound in cells that say what there is and not what is taken of it: there the decisions alone tell (Karmada takes
 * `allocated` for it, which its agents keep everywhere). One sum a cell, of those cells alone.
 */
export class BoundAmounts {
  readonly #sums = new Map<string, Map<string, number>>();

  /** Whether there are such cells. */
  get isEmpty(): boolean {
    return this.#sums.size === 0;
  }

  counts(cell: string): boolean {
    return this.#sums.has(cell);
  }

  /** Begins to count in a cell. `placed`: all that is bound anywhere. */
  begin(cell: string, placed: Iterable<Committed>): void {
    const sum = new Map<string, number>();
    for (const one of placed) addTo(sum, cell, one, 1);
    this.#sums.set(cell, sum);
  }

  end(cell: string): void {
    this.#sums.delete(cell);
  }

  /** By resource, `pods` among them; undefined where others count, or nothing is bound. */
  in(cell: string): ReadonlyMap<string, number> | undefined {
    const sum = this.#sums.get(cell);
    return sum === undefined || sum.size === 0 ? undefined : sum;
  }

  /** An object is bound otherwise than before. Returns the cells in which less is taken than was. */
  change(before: Committed | undefined, now: Committed | undefined): string[] {
    const freed: string[] = [];
    if (this.isEmpty) return freed;
    const cells = new Set<string>();
    for (const one of [before, now])
      for (const { name } of one?.targets ?? []) if (this.#sums.has(name)) cells.add(name);
    for (const cell of cells) {
      const difference = new Map<string, number>();
      if (before !== undefined) addTo(difference, cell, before, -1);
      if (now !== undefined) addTo(difference, cell, now, 1);
      const sum = this.#sums.get(cell) as Map<string, number>;
      for (const [resource, amount] of difference) add(sum, resource, amount);
      if ([...difference.values()].some((amount) => amount < 0)) freed.push(cell);
    }
    return freed;
  }
}

function addTo(sum: Map<string, number>, cell: string, { targets, request }: Committed, sign: 1 | -1): void {
  for (const { name, replicas = 0 } of targets) {
    if (name === cell && replicas !== 0) addReplicas(sum, sign * replicas, request);
  }
}
