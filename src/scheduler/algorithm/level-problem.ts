/** What is in the same group by every dimension, and so is alike as far as levelling goes. */
export interface Atom {
  /** The group by each dimension, from 0. */
  readonly groups: readonly number[];
  /** Infinity when not limited. */
  readonly room: number;
  readonly has: number;
}

/** A way to group atoms, and how the sums of its groups are to lie. */
export interface LevelDimension {
  readonly groupCount: number;
  /** Infinity when not limited. */
  readonly maxSkew: number;
  /** What each group has to have at least. */
  readonly least: number;
}
