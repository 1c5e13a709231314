import type { Random } from '../harness/random.ts';
import type { Plane } from './world/plane.ts';
import type { Part, World } from './world/world.ts';

export const downMsMax = 6_000;
/** Of a process, from the moment in which one of them is chosen. */
export const writesMax = 40;
/** Well below the time limit of the load's calls: what was given up must not be done later. */
export const pauseMsMax = 12_000;
export const partitionMsMax = 25_000;
export const jumpMsMax = 600_000;

/** What every strike uses. */
export interface Hand {
  readonly world: World;
  readonly random: Random;
  /** Into the journal. */
  note(what: string): void;
  /** Something was done, under this name. */
  count(strike: string): void;
  /** Mends what was done, at the latest when the striker comes to its end. */
  later(afterMs: number, repair: () => Promise<void>): void;
  /** Returns whether there was a process to pause. */
  pauseFor(part: Part, forMs: number, when: string): boolean;
  /** One of the control planes. */
  federation(): Plane;
}
