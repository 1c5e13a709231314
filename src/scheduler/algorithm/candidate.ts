import type { CellInfo } from './cell.ts';

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
