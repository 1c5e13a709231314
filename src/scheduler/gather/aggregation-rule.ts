import type { JsonObject } from '#apimachinery/json.ts';

/** The status of one copy. */
export interface CellStatus {
  readonly cell: string;
  readonly status: JsonObject;
}

/** How a kind's status adds up over cells. */
export interface AggregationRule {
  /** Numbers that add up over cells. */
  readonly sum?: readonly string[];
  /** Kept where all cells agree. */
  readonly same?: readonly string[];
  /** The latest, or earliest, of times. */
  readonly latest?: readonly string[];
  readonly earliest?: readonly string[];
  /** Lists joined without repetition, as dotted paths. */
  readonly union?: readonly string[];
  readonly conditions?: boolean;
  /** The worst of these values, the first being worst. `untold` is that of a cell that says nothing yet. */
  readonly worst?: { readonly field: string; readonly order: readonly string[]; readonly untold?: string };
  /** What no table tells. */
  readonly more?: (merged: JsonObject, cells: readonly CellStatus[]) => void;
}
