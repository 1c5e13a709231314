import type { Clock } from '#apimachinery/clock.ts';
import { Lots } from '#client/lots.ts';

/** How often an object is gathered: one gathering each interval, and so many of them at once after a rest. */
export interface GatherPace {
  readonly intervalMs: number;
  readonly burst: number;
}

/** One gathering per object in this time, after the first (DESIGN.md, Gather). */
export const defaultGatherIntervalMs = 1_000;

/**
 * Of kinds without a status it is told that cells have taken the object, and nothing that anybody waits for to the millisecond:
 * they are gathered so often in an interval, those of all projects together.
 */
const lotsInInterval = 4;

export function gatherLots(clock: Clock, intervalMs = defaultGatherIntervalMs): Lots {
  return new Lots(clock, intervalMs / lotsInInterval);
}

/**
 * Kinds with a status have two at once: what follows a change is that the cell has taken it, and then, within milliseconds, what
 * its controllers make of it. Were it one, each first status would wait for the rest of the interval.
 */
export function gatherBurst(hasStatus: boolean): number {
  return hasStatus ? 2 : 1;
}

/**
 * How long until the next gathering is due; 0: it is. `paidUntilMs`: of those before (paidAfterGathering).
 *
 *   interval 1,000, burst 2, changes all the time from 0 on: gathered at 0, 0, 1,000, 2,000, …
 */
export function gatherWaitMs(paidUntilMs: number, nowMs: number, { intervalMs, burst }: GatherPace): number {
  return Math.max(0, paidUntilMs - (burst - 1) * intervalMs - nowMs);
}

/** Each gathering takes up one interval, from now on or behind those that are taken up already. */
export function paidAfterGathering(paidUntilMs: number, nowMs: number, intervalMs: number): number {
  return Math.max(paidUntilMs, nowMs) + intervalMs;
}
