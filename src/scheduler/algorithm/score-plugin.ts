import type { Candidate } from './candidate.ts';
import type { CellInfo } from './cell.ts';
import type { CompiledPlacement } from './compile.ts';

/** What scores see of one decision under way. */
export interface ScoreContext {
  readonly input: {
    readonly nowMs: number;
    /** How many other objects a cell has been given. */
    readonly loadOf?: ((cell: string) => number) | undefined;
  };
  readonly placement: CompiledPlacement;
  /** Cells that hold the template already. */
  readonly held: ReadonlySet<string>;
}

/** 0 to 100; the sum over the plugins orders the cells that passed. */
export interface ScorePlugin {
  readonly name: string;
  score(cell: CellInfo, context: ScoreContext): number;
}

/** Something that cells are compared by; undefined where a cell does not tell. */
export interface MeasurePlugin {
  readonly name: string;
  readonly lowerIsBetter: boolean;
  measure(candidate: Candidate, context: ScoreContext): number | undefined;
}
