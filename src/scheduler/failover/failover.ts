import type { ApplicationFailover, Failover, Placement, StatePreservation } from '#api/policy/placement.ts';
import { purgeModeNamed } from '#api/policy/purge-mode.ts';
import type { EvictionReason, GracefulEvictionTask } from '#api/work/resource-binding.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { CellInfo } from '../algorithm/cell.ts';
import { compilePlacement } from '../algorithm/compile.ts';
import { decide } from '../algorithm/decide.ts';
import type { Decision, DecisionInput, RefusalCode, Target } from '../algorithm/decision.ts';
import { isReleased } from './released-evictions.ts';

/** Karmada's defaults (PLACEMENT.md 2, Timing). */
const defaultTolerationSeconds = 300;
export const defaultGraceSeconds = 600;
/** How long a cell is not used again for an object that was unwell in it. */
const avoidMs = 600_000;

/** What is remembered of one object's health between two looks at it. */
export interface HealthRecord {
  /** Cells in which the copy is as decided and healthy, as last gathered. */
  readonly healthy: ReadonlySet<string>;
  /** Cell → since when its copy is unhealthy, in milliseconds. */
  readonly unhealthySinceMs: ReadonlyMap<string, number>;
  /** Cell → until when it is not used, as the object failed there. */
  readonly avoidUntilMs: Map<string, number>;
  /** Since when a more preferred affinity group could take the object. */
  preferredSinceMs: number | undefined;
}

export interface FailoverInput {
  readonly input: DecisionInput;
  readonly placement: Placement | undefined;
  readonly failover: Failover | undefined;
  /** Evictions under way, as the binding records them. */
  readonly tasks: readonly GracefulEvictionTask[];
  /** Evictions that somebody lets go of: `releaseAnnotation` of the object. */
  readonly released?: string | undefined;
  readonly health: HealthRecord;
  /** Cells where a staged change of the object is judged by its rollout, which goes back on it rather than leaves the cell. */
  readonly onTrial: ReadonlySet<string>;
  /** Zero when one object may be taken from the cell now; else how long to wait, in milliseconds. */
  readonly mayEvict: (cell: CellInfo) => number;
}

export interface FailoverDecision {
  readonly decision: Decision;
  /** Cells that are left only when the object is healthy elsewhere, or its time is over. */
  readonly tasks: readonly GracefulEvictionTask[];
}

/**
 * Decides with failover: an object leaves a cell whose NoExecute taint it does not tolerate (any longer), or where it was
 * unhealthy for too long (`failover.application`), when all of it has a place elsewhere, as fast as the cell's region
 * allows, and its copy is withdrawn once it is healthy there. Without another place it stays. `purgeMode: Directly` asks for
 * neither. Deterministic but for the limiter; records in `health` which cells to avoid.
 */
export function decideWithFailover(given: FailoverInput): FailoverDecision {
  const { input, placement, failover, tasks, health } = given;
  const { nowMs } = input;
  for (const [cell, untilMs] of health.avoidUntilMs) if (untilMs <= nowMs) health.avoidUntilMs.delete(cell);
  const leaving = new Set(tasks.map(({ fromCluster }) => fromCluster));
  const failed = failedCells(failover?.application, input.previous, given, nowMs);
  const evicted = new Set([...leaving, ...health.avoidUntilMs.keys(), ...failed]);
  let decision = decide(evicted.size === 0 ? input : { ...input, evicted }, placement);
  let recheckAtMs = decision.recheckAtMs;
  const recheck = (atMs: number): void => {
    recheckAtMs = recheckAtMs === undefined ? atMs : Math.min(recheckAtMs, atMs);
  };
  const evictions = evictionsOf(input, decision, failed);
  // As long as there are cells: made only for who leaves one.
  const reasons = evictions.length === 0 ? undefined : whyLeft(input.snapshot.cells, decision);
  const { held, waits } = heldEvictions(evictions, decision, given, failed, recheck);
  if (held.size > 0) {
    const rest = new Set([...evicted].filter((cell) => !held.has(cell)));
    const why = waits ? 'eviction waits for its turn' : `it stays where it is: ${decision.message}`;
    decision = decide({ ...input, evicted: rest, evictionHeld: held }, placement);
    decision = { ...decision, message: `${decision.message}; ${why}` };
  }
  // What avoids a cell is decided anew when that is over: by nothing else would it be heard of.
  for (const untilMs of health.avoidUntilMs.values()) recheck(untilMs);
  const failback = failBack(given, decision, evicted, recheck);
  const left = evictions.filter(({ name }) => !held.has(name));
  const next = evictionTasks(left, reasons, given, failed, recheck);
  if (failback !== undefined) {
    const stays = new Set(failback.targets.map(({ name }) => name));
    for (const target of input.previous) {
      if (!stays.has(target.name) && !next.some(({ fromCluster }) => fromCluster === target.name))
        next.push(newTask(target, 'Failback', failover, nowMs));
    }
    decision = failback;
  }
  for (const task of tasks) if (!isOver(task, decision, given)) next.push(task);
  for (const task of next) {
    if (task.purgeMode !== 'Never') recheck(graceEndMs(task));
  }
  next.sort((a, b) => (a.fromCluster < b.fromCluster ? -1 : 1));
  if (recheckAtMs !== decision.recheckAtMs) decision = { ...decision, recheckAtMs };
  return { decision, tasks: next };
}

/** Cells that are not left yet: there is no other place, or (`waits`) it is not their turn. */
function heldEvictions(
  evictions: readonly Target[],
  { outcome }: Decision,
  { input, failover, mayEvict }: FailoverInput,
  failed: ReadonlySet<string>,
  recheck: (atMs: number) => void,
): { readonly held: ReadonlySet<string>; readonly waits: boolean } {
  const held = new Set<string>();
  let waits = false;
  for (const { name } of evictions) {
    if (outcome !== 'Scheduled' && purgeModeOf(failover, failed.has(name)) !== 'Directly') {
      held.add(name);
      continue;
    }
    const waitMs = mayEvict(cellOf(input, name));
    if (waitMs === 0) continue;
    held.add(name);
    waits = true;
    recheck(input.nowMs + waitMs);
  }
  return { held, waits };
}

/** The tasks for cells that are left now; a cell where the object failed is avoided from now on. */
function evictionTasks(
  left: readonly Target[],
  reasons: ReadonlyMap<string, RefusalCode | undefined> | undefined,
  { input: { previous, nowMs }, failover, health }: FailoverInput,
  failed: ReadonlySet<string>,
  recheck: (atMs: number) => void,
): GracefulEvictionTask[] {
  return left.flatMap((target): GracefulEvictionTask[] => {
    const application = failed.has(target.name);
    if (application) {
      health.avoidUntilMs.set(target.name, nowMs + avoidMs);
      recheck(nowMs + avoidMs);
    }
    const preserves = preservationOf(failover, application) !== undefined;
    // Nothing stays in the cell, but what is to be handed on is remembered.
    if (purgeModeOf(failover, application) === 'Directly' && !preserves) return [];
    const outside = reasons?.get(target.name) === 'OutsideHours';
    const reason = application ? 'ApplicationFailure' : outside ? 'OutsideHours' : 'TaintUntolerated';
    const task = newTask(target, reason, failover, nowMs);
    return [preserves ? { ...task, clustersBeforeFailover: previous.map(({ name }) => name) } : task];
  });
}

/** Cells that must be left because the object was unhealthy there for longer than its policy tolerates. */
function failedCells(
  application: ApplicationFailover | undefined,
  previous: readonly Target[],
  { health: { unhealthySinceMs }, onTrial }: FailoverInput,
  nowMs: number,
): Set<string> {
  const failed = new Set<string>();
  if (application === undefined) return failed;
  const toleratedMs = tolerationMs(application);
  for (const { name } of previous) {
    const sinceMs = unhealthySinceMs.get(name);
    if (sinceMs !== undefined && !onTrial.has(name) && nowMs - sinceMs >= toleratedMs) failed.add(name);
  }
  return failed;
}

function tolerationMs({ decisionConditions }: ApplicationFailover): number {
  return (decisionConditions?.tolerationSeconds ?? defaultTolerationSeconds) * 1_000;
}

/**
 * When the next cell will have been unhealthy for too long, in milliseconds; undefined when none is. What was due before the
 * last decision is settled by it: where the object stays all the same, it waits for news and not for time.
 */
export function applicationDueMs(
  failover: Failover | undefined,
  { unhealthySinceMs, avoidUntilMs }: HealthRecord,
  decidedAtMs: number,
): number | undefined {
  if (failover?.application === undefined) return undefined;
  let due: number | undefined;
  for (const [cell, sinceMs] of unhealthySinceMs) {
    if (avoidUntilMs.has(cell)) continue;
    const atMs = sinceMs + tolerationMs(failover.application);
    if (atMs < decidedAtMs) continue;
    due = due === undefined ? atMs : Math.min(due, atMs);
  }
  return due;
}

/**
 * Cells of the previous decision that this one leaves because of failover, and for no other reason: all of them, where it goes
 * to another affinity group for it.
 */
function evictionsOf(
  { previous, snapshot }: DecisionInput,
  decision: Decision,
  failed: ReadonlySet<string>,
): Target[] {
  if (previous.length === 0) return [];
  const stays = new Set(decision.targets.map(({ name }) => name));
  const gone = previous.filter(({ name }) => !stays.has(name));
  if (gone.length === 0) return [];
  const why = whyLeft(snapshot.cells, decision);
  const evicted = gone.filter(({ name }) => {
    const refusal = why.get(name);
    if (refusal === 'TaintNotTolerated' || refusal === 'OutsideHours') return true;
    return refusal === 'Evicted' && failed.has(name);
  });
  if (evicted.length === 0 || decision.formerRefusals === undefined) return evicted;
  return gone.filter(({ name }) => mayStayAWhile(why.get(name)));
}

/** By cell; where another affinity group is gone to, what the one that was in use had against it. */
function whyLeft(
  cells: readonly CellInfo[],
  { refusals, formerRefusals = refusals }: Decision,
): Map<string, RefusalCode | undefined> {
  return new Map(cells.map(({ name }, i) => [name, formerRefusals[i]]));
}

function mayStayAWhile(refusal: RefusalCode | undefined): boolean {
  return refusal === undefined || !(neverStays.has(refusal) || refusal === 'AffinityNotMatched');
}

function cellOf({ snapshot }: DecisionInput, name: string): CellInfo {
  return snapshot.cells.find((cell) => cell.name === name) as CellInfo;
}

/** Back to an affinity group before the one in use, once it could take the object for long enough. */
function failBack(
  { input, placement, failover, health }: FailoverInput,
  decision: Decision,
  evicted: ReadonlySet<string>,
  recheck: (atMs: number) => void,
): Decision | undefined {
  const after = failover?.cluster?.failback?.afterSeconds;
  const { groups } = compilePlacement(placement);
  const used = groups.findIndex(({ name }) => name === decision.affinity);
  if (after === undefined || used <= 0 || decision.outcome !== 'Scheduled') {
    health.preferredSinceMs = undefined;
    return undefined;
  }
  const best = decide({ ...input, evicted, previousAffinity: undefined }, placement);
  const preferred = groups.findIndex(({ name }) => name === best.affinity);
  if (best.outcome !== 'Scheduled' || preferred >= used) {
    health.preferredSinceMs = undefined;
    return undefined;
  }
  health.preferredSinceMs ??= input.nowMs;
  const atMs = health.preferredSinceMs + after * 1_000;
  if (atMs > input.nowMs) {
    recheck(atMs);
    return undefined;
  }
  health.preferredSinceMs = undefined;
  return best;
}

function purgeModeOf(
  failover: Failover | undefined,
  application: boolean,
): 'Directly' | 'Gracefully' | 'Never' {
  return purgeModeNamed(application ? failover?.application?.purgeMode : failover?.cluster?.purgeMode);
}

/** What of the status is handed on when a cell is left for this reason. */
export function preservationOf(
  failover: Failover | undefined,
  application: boolean,
): StatePreservation | undefined {
  return application ? failover?.application?.statePreservation : failover?.cluster?.statePreservation;
}

function newTask(
  { name, replicas }: Target,
  reason: EvictionReason,
  failover: Failover | undefined,
  nowMs: number,
): GracefulEvictionTask {
  const application = reason === 'ApplicationFailure';
  const purgeMode = reason === 'Failback' ? 'Gracefully' : purgeModeOf(failover, application);
  const grace = application ? failover?.application?.gracePeriodSeconds : undefined;
  return {
    fromCluster: name,
    ...(replicas === undefined ? {} : { replicas }),
    reason,
    purgeMode,
    ...(purgeMode === 'Never' ? {} : { gracePeriodSeconds: grace ?? defaultGraceSeconds }),
    creationTimestamp: nowTime(nowMs),
  };
}

function graceEndMs({
  creationTimestamp,
  gracePeriodSeconds = defaultGraceSeconds,
}: GracefulEvictionTask): number {
  return Date.parse(creationTimestamp) + gracePeriodSeconds * 1_000;
}

/** Rules of the platform let nothing stay, not even for a while. */
const neverStays: ReadonlySet<RefusalCode> = new Set([
  'ForbiddenByPolicy',
  'ProjectNotAdmitted',
  'KindNotAllowed',
  'CellDeleting',
]);

function isOver(task: GracefulEvictionTask, decision: Decision, given: FailoverInput): boolean {
  const { input, placement, health, released } = given;
  const { fromCluster, reason, purgeMode } = task;
  const at = input.snapshot.cells.findIndex(({ name }) => name === fromCluster);
  if (at < 0 || decision.targets.some(({ name }) => name === fromCluster)) return true;
  const refusal = decision.refusals[at];
  if (refusal !== undefined && neverStays.has(refusal)) return true;
  if (refusal === 'AffinityNotMatched' && reason !== 'Failback') {
    const { groups } = compilePlacement(placement);
    const cell = input.snapshot.cells[at] as CellInfo;
    // The group that was failed over from names it; when none does any more, the policy speaks.
    if (!groups.some(({ selects }) => selects(cell))) return true;
  }
  if (isReleased(task, released)) return true;
  if (purgeMode === 'Never') return false;
  if (graceEndMs(task) <= input.nowMs) return true;
  return decision.outcome === 'Scheduled' && decision.targets.every(({ name }) => health.healthy.has(name));
}

/** A definition belongs to its cells: nothing goes from a cell that is left, and there is nothing to wait for. */
export const leavesAtOnce: Failover = { cluster: { purgeMode: 'Directly' } };

/** The cells that are still to be left, with what they hold. */
export function leavingTargets(tasks: readonly GracefulEvictionTask[]): Target[] {
  return tasks
    .filter(({ purgeMode }) => purgeMode !== 'Directly')
    .map(({ fromCluster, replicas }) => ({ name: fromCluster, replicas }));
}
