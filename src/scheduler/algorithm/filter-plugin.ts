import type { CellInfo } from './cell.ts';
import type { CompiledPlacement } from './compile.ts';
import type { DecisionInput, RefusalCode } from './decision.ts';

/** What plugins see of one decision under way. */
export interface PluginContext {
  readonly input: DecisionInput;
  readonly placement: CompiledPlacement;
  /** Cells that hold the template already. */
  readonly held: ReadonlySet<string>;
  /** Replicas that the cell holds and that a fresh decision counts as room; else 0. */
  readonly own: (cell: string) => number;
  /** Tells that the answer for a cell changes at this time. */
  recheckAt(ms: number): void;
}

/** Says why a cell must not be used, or undefined. Pure; called once per cell and decision. */
export interface FilterPlugin {
  readonly name: string;
  /** Whether it can refuse any cell in this decision; absent: it can. */
  concerns?(context: PluginContext): boolean;
  filter(cell: CellInfo, context: PluginContext): RefusalCode | undefined;
}

/** 0 to 100; the sum over the plugins orders the cells that passed. */
export interface ScorePlugin {
  readonly name: string;
  score(cell: CellInfo, context: PluginContext): number;
}

/** A cell that passed the filters. */
export interface Candidate {
  readonly cell: CellInfo;
  /** Index in the snapshot. */
  readonly index: number;
  /** Set once, when all candidates are known. */
  score: number;
  /** Static weight; 0 where no rule matches, or weights are not static. */
  readonly weight: number;
  /** 0 for primary cells, then by overflow tier. */
  readonly tier: number;
  /** The previous decision placed the template there. */
  readonly held: boolean;
  /** Replicas placed there by the previous decision. */
  readonly previous: number;
  /** Further replicas that fit; only counted for dynamic division and spreads over groups, else 0. */
  readonly available: number;
}
