import type { Rollout } from '#api/policy/placement.ts';
import { lastWave } from '#api/policy/propagation-policy.ts';
import type { RolloutStatus } from '#api/work/resource-binding.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import { compileAffinity } from '../algorithm/affinity.ts';
import type { CellInfo } from '../algorithm/cell.ts';

const defaultHealthTimeoutSeconds = 600;
/** After a restart: how long until it is looked again whether the cells were heard. */
const hearingMs = 1_000;

export interface RolloutInput {
  readonly rollout: Rollout;
  /** What the object is now. */
  readonly revision: string;
  /** The revision that can be gone back to; undefined: there is none. */
  readonly kept: string | undefined;
  /** What the binding says. */
  readonly status: RolloutStatus | undefined;
  /** Cells that are to have the object. */
  readonly cells: readonly CellInfo[];
  /** Of these, cells that are being left: nothing waits for them. */
  readonly leaving: ReadonlySet<string>;
  /** Of these, cells that did not have the object before. */
  readonly joined: ReadonlySet<string>;
  /** Cells in which it is as decided, and healthy. */
  readonly healthy: ReadonlySet<string>;
  /** Cell → since when it is unhealthy there. */
  readonly unhealthy: ReadonlyMap<string, number>;
  /** Whether anything came back from the cells since this process looks at them. */
  readonly isHeard: boolean;
  /** What people approved: `<revision>/<wave>`. */
  readonly approved: string | undefined;
  readonly nowMs: number;
}

export interface RolloutPlan {
  readonly status: RolloutStatus;
  /** Cells that are to have the object as it was before. */
  readonly behind: ReadonlySet<string>;
  /** Cells that are to become healthy before it goes on; undefined: nothing waits for them. */
  readonly awaited: ReadonlySet<string> | undefined;
  /** Cells that ought to stay healthy meanwhile. */
  readonly watched: ReadonlySet<string>;
  readonly recheckAtMs: number | undefined;
}

/**
 * Takes an object that changed to its cells wave by wave: the next begins when all cells of those before are healthy, the
 * pause is over and, where asked for, somebody approved. A wave that is not healthy in time is gone back on, or stays; so is one
 * whose cells have all gone before they told: the change was tried nowhere that it was to be tried. Pure. What is new (nothing
 * is kept of it) goes everywhere at once, as does what the object was before.
 */
export function planRollout(input: RolloutInput): RolloutPlan {
  const { rollout, revision, kept, cells, nowMs } = input;
  const waves = wavesOf(rollout, cells);
  const all = new Set(cells.map(({ name }) => name));
  if (kept === undefined || kept === revision) return complete(revision, waves.length, all);
  const now = nowTime(nowMs);
  const before = input.status;
  const isGoingOn = before?.target === revision && before.stable === kept && before.phase !== 'Complete';
  let status: RolloutStatus = isGoingOn
    ? { ...before }
    : { phase: 'Progressing', stable: kept, target: revision, wave: -1, waves: waves.length, since: now };
  if (status.phase === 'RolledBack') return stay(status, all, new Set(), undefined);
  status = amongWaves({ ...status, waves: waves.length }, waves, now);
  // What is known of cells that the change has not reached speaks of what was before.
  const reached = cellsUpTo(waves, status.wave);
  const healthy = new Set([...input.healthy].filter((cell) => reached.has(cell)));
  // A cell that comes into a wave that has begun gets the time that the others had.
  if ([...reached].some((cell) => input.joined.has(cell)))
    status = { ...status, phase: 'Progressing', since: now };
  // Not begun yet: the first wave may want approval too.
  if (status.wave < 0) status = enter(0, status, input, waves);
  for (;;) {
    const step = stepFrom(status, { input, waves, all, healthy, now });
    if ('plan' in step) return step.plan;
    status = step.next;
  }
}

/** What stays as it is while one looks how far a rollout comes. */
interface Course {
  readonly input: RolloutInput;
  readonly waves: readonly Wave[];
  readonly all: ReadonlySet<string>;
  /** Of the cells that the change had reached. */
  readonly healthy: ReadonlySet<string>;
  readonly now: string;
}

/** What a rollout does in one state: it comes into the next, or stays. */
type Step = { readonly next: RolloutStatus } | { readonly plan: RolloutPlan };

/** How far the change goes in one state. */
interface Reach {
  /** Cells that are to have it. */
  readonly updated: ReadonlySet<string>;
  /** The others. */
  readonly behind: ReadonlySet<string>;
  /** Of those that are to have it, the ones that are not being left. */
  readonly needed: ReadonlySet<string>;
}

function stepFrom(status: RolloutStatus, course: Course): Step {
  const { input, waves, all } = course;
  const updated = cellsUpTo(waves, status.wave);
  const behind = new Set([...all].filter((cell) => !updated.has(cell)));
  const needed = new Set([...updated].filter((cell) => !input.leaving.has(cell)));
  const reach = { updated, behind, needed };
  if (status.phase === 'AwaitingApproval') return awaitApproval(status, reach, course);
  if (status.phase === 'Pausing') return pause(status, reach, course);
  return progress(status, reach, course);
}

function awaitApproval(
  status: RolloutStatus,
  { updated, behind, needed }: Reach,
  { input, waves, all, now }: Course,
): Step {
  const progressing: RolloutStatus = { ...status, phase: 'Progressing', since: now };
  // The policy has the wave that was to be approved no more.
  if (status.wave + 1 >= waves.length) return { next: progressing };
  // Where its cells have gone meanwhile, nobody has approved the wave after it.
  const next = enter(status.wave + 1, status, input, waves, true);
  if (next.phase !== 'AwaitingApproval') return { next };
  if (!isWell(needed, input)) return { next: progressing };
  return { plan: stay(counted(next, updated, all), behind, needed, undefined) };
}

function pause(
  status: RolloutStatus,
  { updated, behind, needed }: Reach,
  { input, waves, all, now }: Course,
): Step {
  if (!isWell(needed, input)) return { next: { ...status, phase: 'Progressing', since: now } };
  const untilMs = Date.parse(status.since) + pauseMs(input.rollout, status.wave);
  if (input.nowMs < untilMs) return { plan: stay(counted(status, updated, all), behind, needed, untilMs) };
  return { next: enter(status.wave + 1, status, input, waves) };
}

function progress(former: RolloutStatus, reach: Reach, course: Course): Step {
  const { input, waves, all, healthy, now } = course;
  const { behind, needed } = reach;
  const wave = waves[former.wave];
  const waveCells = former.waveCells ?? 0;
  const present = [...(wave?.cells ?? [])].filter((cell) => needed.has(cell)).length;
  // Where no cell is behind there is nothing left to go wrong in.
  const isEmptied = present === 0 && waveCells > 0 && (behind.size > 0 || all.size === 0);
  const status = present > waveCells ? { ...former, waveCells: present } : former;
  const isDone = !isEmptied && [...needed].every((cell) => healthy.has(cell));
  if (!isDone) return { plan: unfinished(status, isEmptied, reach, course) };
  if (status.wave >= waves.length - 1) return { plan: complete(input.revision, waves.length, all) };
  const pauses = pauseMs(input.rollout, status.wave) > 0 && (wave?.cells.size ?? 0) > 0;
  return {
    next: pauses
      ? { ...status, phase: 'Pausing', since: now, message: '' }
      : enter(status.wave + 1, status, input, waves),
  };
}

/** A wave that is not healthy, or has lost all its cells: it is waited for, and given up when its time is over. */
function unfinished(
  status: RolloutStatus,
  isEmptied: boolean,
  { updated, behind, needed }: Reach,
  { input: { rollout, isHeard, nowMs }, all, healthy, now }: Course,
): RolloutPlan {
  const failing = [...needed].filter((cell) => !healthy.has(cell)).sort();
  const emptied = `wave ${status.waveName ?? ''} has none of its cells any more`;
  // What nobody has fails nowhere.
  if (isEmptied && all.size === 0)
    return stay({ ...counted(status, updated, all), message: emptied }, behind, needed, undefined);
  // Nothing that is heard of the others tells of it.
  const awaited = isEmptied ? undefined : needed;
  const dueMs =
    Date.parse(status.since) + (rollout.healthTimeoutSeconds ?? defaultHealthTimeoutSeconds) * 1_000;
  if (nowMs < dueMs || !isHeard) {
    const recheckAtMs = nowMs < dueMs ? dueMs : nowMs + hearingMs;
    const waiting = {
      ...counted(status, updated, all),
      phase: 'Progressing' as const,
      message: isEmptied ? emptied : waitsFor(failing),
    };
    return { ...stay(waiting, behind, needed, recheckAtMs), awaited };
  }
  const message = isEmptied ? emptied : `not healthy in time: ${someOf(failing)}`;
  if (rollout.onFailure === 'Pause') {
    const paused = { ...counted(status, updated, all), phase: 'Paused' as const, message };
    return { ...stay(paused, behind, needed, undefined), awaited };
  }
  const back = { phase: 'RolledBack' as const, updated: 0, cells: all.size, message, since: now };
  return stay({ ...status, ...back }, all, new Set(), undefined);
}

interface Wave {
  readonly name: string;
  readonly approval: boolean;
  readonly cells: ReadonlySet<string>;
}

/** Each cell is of the first wave that names it; those that none names are the last. */
function wavesOf({ waves }: Rollout, cells: readonly CellInfo[]): Wave[] {
  const left = new Map(cells.map((cell) => [cell.name, cell]));
  const list = waves.map(({ name, clusterAffinity, approval = false }): Wave => {
    const selects = compileAffinity(clusterAffinity);
    const chosen = new Set<string>();
    for (const [cell, info] of left) if (selects(info)) chosen.add(cell);
    for (const cell of chosen) left.delete(cell);
    return { name, approval, cells: chosen };
  });
  if (left.size > 0) list.push({ name: lastWave, approval: false, cells: new Set(left.keys()) });
  return list;
}

/** The wave that has begun, wherever the policy has it since; another one that stands in its place has the whole time. */
function amongWaves(status: RolloutStatus, waves: readonly Wave[], now: string): RolloutStatus {
  if (status.wave < 0 || status.waveName === undefined) return status;
  const found = waves.findIndex(({ name }) => name === status.waveName);
  if (found >= 0) return { ...status, wave: found };
  const wave = Math.min(status.wave, waves.length - 1);
  const { name = '', cells = new Set<string>() } = waves[wave] ?? {};
  return { ...status, phase: 'Progressing', wave, waveName: name, waveCells: cells.size, since: now };
}

function cellsUpTo(waves: readonly Wave[], wave: number): Set<string> {
  const names = new Set<string>();
  for (const { cells } of waves.slice(0, wave + 1)) for (const cell of cells) names.add(cell);
  return names;
}

/** Cells that a change which is still under way has reached: its own waves judge them. */
export function cellsOnTrial(
  rollout: Rollout | undefined,
  status: RolloutStatus | undefined,
  cells: readonly CellInfo[],
): ReadonlySet<string> {
  if (rollout === undefined || status === undefined) return new Set();
  if (status.phase === 'Complete' || status.phase === 'RolledBack') return new Set();
  return cellsUpTo(wavesOf(rollout, cells), status.wave);
}

/** Begins a wave, or waits for somebody to approve it; one that has no cells needs no approval, unless it waited for it already. */
function enter(
  wave: number,
  status: RolloutStatus,
  { approved, nowMs, revision, leaving }: RolloutInput,
  waves: readonly Wave[],
  waited = false,
): RolloutStatus {
  const { name = '', approval = false, cells = new Set<string>() } = waves[wave] ?? {};
  if (approval && (waited || cells.size > 0) && !isApproved(approved, revision, wave, waves)) {
    return {
      ...status,
      phase: 'AwaitingApproval',
      message: `wave ${name} waits for the annotation federation.cellplane.io/rollout-approved: ${revision}/${name}`,
    };
  }
  const waveCells = [...cells].filter((cell) => !leaving.has(cell)).length;
  const since = nowTime(nowMs);
  return { ...status, phase: 'Progressing', wave, waveName: name, waveCells, since, message: '' };
}

/** Approving a wave approves those before it. */
function isApproved(
  approved: string | undefined,
  revision: string,
  wave: number,
  waves: readonly Wave[],
): boolean {
  if (approved === undefined || !approved.startsWith(`${revision}/`)) return false;
  const name = approved.slice(revision.length + 1);
  return waves.findIndex((one) => one.name === name) >= wave;
}

function isWell(updated: ReadonlySet<string>, { healthy, unhealthy }: RolloutInput): boolean {
  for (const cell of updated) if (unhealthy.has(cell) && !healthy.has(cell)) return false;
  return true;
}

function pauseMs({ waves }: Rollout, wave: number): number {
  return (waves[wave]?.pauseSeconds ?? 0) * 1_000;
}

function complete(revision: string, waves: number, all: ReadonlySet<string>): RolloutPlan {
  const count = all.size;
  const status: RolloutStatus = {
    phase: 'Complete',
    stable: revision,
    target: revision,
    wave: waves - 1,
    waves,
    updated: count,
    cells: count,
    since: '',
  };
  return { status, behind: new Set(), awaited: undefined, watched: new Set(), recheckAtMs: undefined };
}

function stay(
  status: RolloutStatus,
  behind: ReadonlySet<string>,
  watched: ReadonlySet<string>,
  recheckAtMs: number | undefined,
): RolloutPlan {
  return { status, behind, awaited: undefined, watched, recheckAtMs };
}

function counted(
  status: RolloutStatus,
  updated: ReadonlySet<string>,
  all: ReadonlySet<string>,
): RolloutStatus {
  return { ...status, updated: updated.size, cells: all.size };
}

function waitsFor(cells: readonly string[]): string {
  return `waits for ${someOf(cells)} to be healthy`;
}

const namedMax = 5;

function someOf(cells: readonly string[]): string {
  const named = cells.slice(0, namedMax).join(', ');
  return cells.length <= namedMax ? named : `${named} and ${cells.length - namedMax} more`;
}
