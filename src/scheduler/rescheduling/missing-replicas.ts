import type { DeschedulingSpec } from '#api/policy/reschedule.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { Decision, Target } from '../algorithm/decision.ts';

const defaultAfterSeconds = 300;
const defaultAvoidSeconds = 600;
/** However often replicas did not run in a cell, it is looked at again after this long. */
const avoidMsMax = 24 * 3_600_000;

/** A policy's `reschedule.unschedulable`, in milliseconds. */
export interface DeschedulingLimits {
  readonly afterMs: number;
  readonly avoidMs: number;
}

export interface MissingReplicas {
  /** How many were missing all the time. */
  readonly replicas: number;
  readonly sinceMs: number;
}

export interface ReplicaLimit {
  /** As many as ran. */
  readonly replicas: number;
  readonly untilMs: number;
  /** How often more did not run. */
  readonly times: number;
}

/** What is remembered of an object's replicas that do not run; by cell. */
export interface ReplicaRecord {
  readonly missing: Map<string, MissingReplicas>;
  readonly limits: Map<string, ReplicaLimit>;
}

export function deschedulingLimits(spec: DeschedulingSpec): DeschedulingLimits {
  return {
    afterMs: (spec.afterSeconds ?? defaultAfterSeconds) * 1_000,
    avoidMs: (spec.avoidSeconds ?? defaultAvoidSeconds) * 1_000,
  };
}

const isNumber = (value: JsonValue | undefined): value is number => typeof value === 'number';

/**
 * How many of the replicas that a cell was given do not run there, by the status of the copy; 0 where the status counts none
 * (a Job's), and while the edge rolls a change out: then a replica that is not ready says nothing about room.
 */
export function replicasMissing(status: JsonObject, given: number): number {
  const { replicas, updatedReplicas, readyReplicas, unavailableReplicas, currentRevision, updateRevision } =
    status;
  if (![replicas, readyReplicas, unavailableReplicas].some(isNumber)) return 0;
  if (typeof updateRevision === 'string' && currentRevision !== updateRevision) return 0;
  if (isNumber(updatedReplicas) && isNumber(replicas) && updatedReplicas < replicas) return 0;
  return Math.max(0, given - (isNumber(readyReplicas) ? readyReplicas : 0));
}

/** Files how many are missing in a cell now. The time runs from when fewer than that were not missing last. */
export function recordMissing(
  { missing }: ReplicaRecord,
  cell: string,
  replicas: number,
  nowMs: number,
): void {
  const before = missing.get(cell);
  if (replicas === 0) missing.delete(cell);
  else if (before === undefined) missing.set(cell, { replicas, sinceMs: nowMs });
  else if (replicas < before.replicas) missing.set(cell, { replicas, sinceMs: before.sinceMs });
}

/** When replicas will have been missing for too long, in milliseconds; undefined: none are. */
export function missingDueMs(
  { missing }: ReplicaRecord,
  { afterMs }: DeschedulingLimits,
): number | undefined {
  let due: number | undefined;
  for (const { sinceMs } of missing.values())
    due = due === undefined ? sinceMs + afterMs : Math.min(due, sinceMs + afterMs);
  return due;
}

/** Cells in which replicas have been missing for too long. */
export function cellsDue(
  { missing }: ReplicaRecord,
  { afterMs }: DeschedulingLimits,
  nowMs: number,
): Set<string> {
  const due = new Set<string>();
  for (const [cell, { sinceMs }] of missing) if (nowMs - sinceMs >= afterMs) due.add(cell);
  return due;
}

export interface Limiting {
  /** Cell → the most replicas that it is to be given. Empty: nothing is limited. */
  readonly mostIn: ReadonlyMap<string, number>;
  /** Those of them that replicas are to be taken from now. */
  readonly due: ReadonlySet<string>;
  /** Replicas are missing for too long in a cell that does not tell whether they still are. */
  readonly waits: boolean;
  /** Cell → how many are missing for too long though the edge has nodes for them. */
  readonly crashing: ReadonlyMap<string, number>;
}

/**
 * What the next decision is to be limited to: in cells where replicas were missing for too long, what runs; where that was
 * found before, what was found, for a while; and while anything is taken from anywhere, nothing is added where some are
 * missing. `isUsable`: a cell that is not ready tells of the past alone. `unschedulable`: by cell how many of the missing the edge
 * has no node for, where its estimator or federator tells; the others crash, as they would elsewhere. What is long over is forgotten.
 */
export function limitsNow(
  record: ReplicaRecord,
  previous: readonly Target[],
  { afterMs, avoidMs }: DeschedulingLimits,
  isUsable: (cell: string) => boolean,
  nowMs: number,
  unschedulable: ReadonlyMap<string, number> = noneTold,
): Limiting {
  const mostIn = new Map<string, number>();
  const due = new Set<string>();
  const crashing = new Map<string, number>();
  let waits = false;
  for (const [cell, { replicas, untilMs, times }] of record.limits) {
    if (untilMs > nowMs) mostIn.set(cell, replicas);
    else if (untilMs + avoidFor(avoidMs, times) <= nowMs) record.limits.delete(cell);
  }
  const given = new Map(previous.map(({ name, replicas = 0 }) => [name, replicas]));
  for (const [cell, { replicas, sinceMs }] of record.missing) {
    const has = given.get(cell);
    if (has === undefined) record.missing.delete(cell);
    else if (nowMs - sinceMs < afterMs) continue;
    else if (!isUsable(cell)) waits = true;
    else {
      const stuck = Math.min(replicas, unschedulable.get(cell) ?? replicas);
      if (stuck < replicas) crashing.set(cell, replicas - stuck);
      if (stuck === 0) {
        waits = true;
        continue;
      }
      mostIn.set(cell, Math.max(0, has - stuck));
      due.add(cell);
    }
  }
  if (due.size === 0) return { mostIn, due, waits, crashing };
  for (const cell of record.missing.keys()) if (!mostIn.has(cell)) mostIn.set(cell, given.get(cell) ?? 0);
  return { mostIn, due, waits, crashing };
}

/**
 * Records what a decision made of it: the cells that replicas were taken from get no more for a while, twice as long each
 * time. Returns whether replicas stay where they do not run, until there is another place or the cell tells more.
 */
export function settleLimits(
  record: ReplicaRecord,
  { mostIn, due, waits }: Limiting,
  targets: readonly Target[],
  { avoidMs }: DeschedulingLimits,
  nowMs: number,
): boolean {
  const given = new Map(targets.map(({ name, replicas = 0 }) => [name, replicas]));
  let stays = waits;
  for (const cell of due) {
    const most = mostIn.get(cell) ?? 0;
    if ((given.get(cell) ?? 0) > most) {
      stays = true;
      continue;
    }
    const times = (record.limits.get(cell)?.times ?? 0) + 1;
    record.limits.set(cell, { replicas: most, untilMs: nowMs + avoidFor(avoidMs, times), times });
    record.missing.delete(cell);
  }
  return stays;
}

/** A decision that says which replicas stay where they do not run, since they would not elsewhere. */
export function tellingOfCrashes(decision: Decision, limiting: Limiting | undefined): Decision {
  if (limiting === undefined || limiting.crashing.size === 0) return decision;
  const cells = Array.from(limiting.crashing, ([cell, replicas]) => `${replicas} in ${cell}`).sort();
  const which = cells.slice(0, toldMax).join(', ');
  return { ...decision, message: `${decision.message}; do not run, and not for want of a node: ${which}` };
}

/** More cells than these are not named. */
const toldMax = 5;
const noneTold: ReadonlyMap<string, number> = new Map();

function avoidFor(avoidMs: number, times: number): number {
  return Math.min(avoidMsMax, avoidMs * 2 ** Math.min(20, times - 1));
}
