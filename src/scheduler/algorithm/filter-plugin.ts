import type { CellInfo } from './cell.ts';
import type { DecisionInput, RefusalCode } from './decision.ts';
import type { ScoreContext } from './score-plugin.ts';

/** What filters see of one decision under way. */
export interface FilterContext extends ScoreContext {
  readonly input: DecisionInput;
  /** Replicas that the cell holds and that a fresh decision counts as room; else 0. */
  readonly own: (cell: string) => number;
  /** Tells that the answer for a cell changes at this time. */
  recheckAt(ms: number): void;
}

/** Says why a cell must not be used, or undefined. Pure; called once per cell and decision. */
export interface FilterPlugin {
  readonly name: string;
  /** Whether it can refuse any cell in this decision; absent: it can. */
  concerns?(context: FilterContext): boolean;
  filter(cell: CellInfo, context: FilterContext): RefusalCode | undefined;
}
