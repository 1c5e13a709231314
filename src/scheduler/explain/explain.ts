import { conditionOf } from '#api/conditions.ts';
import type { Cell } from '#api/federation/cell.ts';
import { copyAnnotations, definitionAnnotations, syncAnnotations } from '#api/federation/copy-contract.ts';
import type {
  AggregatedStatusItem,
  BoundPolicy,
  GracefulEvictionTask,
  ResourceBinding,
  RolloutStatus,
} from '#api/work/resource-binding.ts';
import type { ObjectMeta } from '#apimachinery/object.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { ProjectRef } from '../algorithm/cell.ts';
import type { RefusalCode } from '../algorithm/decision.ts';
import { syncErrorText } from '../copies/sync-error.ts';
import { defaultGraceSeconds } from '../failover/failover.ts';
import { releaseAnnotation, releaseOf } from '../failover/released-evictions.ts';
import { suspendedCells } from '../policy/policy-index.ts';
import { boundsAbove, decideAnew, type ExplainedTemplate, isDefinition } from './decide-anew.ts';
import { isRefusalCode, type Reason, reasonOf } from './reasons.ts';
import { assuming, type CellAssumption } from './what-if.ts';

/**
 * How far a cell is: `Synced`: the edge has the copy as it is; `Suspended`: the cell is left as it is; `Leaving`: the copy stays until
 * the object is well elsewhere; `Withdrawing`: it waits for the edge to let go.
 */
export type SyncState =
  | 'Synced'
  | 'Pending'
  | 'Failed'
  | 'Missing'
  | 'Suspended'
  | 'Leaving'
  | 'Withdrawing'
  | 'None';

export interface CellExplanation {
  readonly cell: string;
  readonly chosen: boolean;
  readonly replicas: number | undefined;
  /** Why it was not chosen; undefined when it was, or when only counts are known. */
  readonly reason: RefusalCode | undefined;
  /** The reason in words, or what is wrong with the sync. */
  readonly message: string;
  readonly sync: SyncState;
  readonly health: string | undefined;
  /** Points by score, of cells that passed the filters: now, or where deciding anew was not asked for as the binding keeps them. */
  readonly scores: { readonly [score: string]: number } | undefined;
  /** Further replicas that fit. */
  readonly room: number | undefined;
  /** What says so, where it is not what the cell's status tells. */
  readonly roomBy: 'estimator' | 'quota' | undefined;
}

export interface Explanation {
  readonly scheduled: boolean;
  readonly message: string;
  readonly policy: string | undefined;
  /** Of the policy's `clusterAffinities`, the one that is in use; undefined where it has none. */
  readonly affinity: string | undefined;
  /** How far a change of the object is; undefined where its policy has no rollout. */
  readonly rollout: RolloutStatus | undefined;
  /** Inherited policies that bound where the object may be: `<workspace>/<name>`. */
  readonly boundBy: readonly string[];
  /** Further replicas that the namespace's quotas leave room for in all cells together; undefined where they limit none. */
  readonly quotaRoom: number | undefined;
  /** All cells, by name. */
  readonly cells: readonly CellExplanation[];
  /** What bears on decisions and could not be had: the reasons, and what if, leave it out. */
  readonly unknown: readonly string[];
  readonly whatIf: WhatIf | undefined;
}

export interface WhatIf {
  readonly assumptions: readonly string[];
  readonly scheduled: boolean;
  readonly message: string;
  /** Cells that have the object now or would have it; true where it has no replicas. */
  readonly cells: readonly {
    readonly cell: string;
    readonly now: number | boolean;
    readonly would: number | boolean;
    readonly reason: RefusalCode | undefined;
  }[];
}

export interface ExplainInput {
  /** Other circumstances to be decided under; needs the template. */
  readonly whatIf?:
    | { readonly assumptions: readonly CellAssumption[]; readonly replicas: number | undefined }
    | undefined;
  readonly binding: ResourceBinding;
  readonly cells: readonly Cell[];
  /** The metadata of the object's copies, by the cell that each lies in; of a definition (CRD), the cell's own of its name. */
  readonly copies: readonly { readonly cell: string; readonly metadata: ObjectMeta }[];
  readonly project: ProjectRef;
  readonly nowMs: number;
  /**
   * The project object and the policy that decided. With them the reason of every cell is found as the scheduler would find it
   * now; without, what the binding keeps of when it was decided is known.
   */
  readonly template?: ExplainedTemplate | undefined;
  /** What could not be read, in words. */
  readonly unknown?: readonly string[] | undefined;
}

/** Says for each cell whether an object is placed there, why or why not, and how far its copy is. Pure. */
export function explain(input: ExplainInput): Explanation {
  const { binding } = input;
  const scheduled = binding.status?.conditions?.find(({ type }) => type === 'Scheduled');
  const following = (binding.spec.requiredBy ?? []).flatMap(({ clusters = [] }) => clusters);
  const chosen = new Map<string, number | undefined>([
    ...following.map(({ name }) => [name, undefined] as const),
    ...(binding.spec.clusters ?? []).map(({ name, replicas }) => [name, replicas] as const),
  ]);
  const found =
    input.template === undefined ? undefined : decideAnew(input, input.template, input.cells, undefined);
  const reasons = found?.reasons ?? toldReasons(binding);
  const isSuspended = suspendedBy(input);
  const names = new Set([
    ...input.cells.map(({ metadata }) => metadata.name ?? ''),
    ...chosen.keys(),
    ...input.copies.map(({ cell }) => cell),
  ]);
  const health = new Map((binding.status?.aggregatedStatus ?? []).map((item) => [item.clusterName, item]));
  const kept = new Map(
    found === undefined ? (binding.status?.decision?.cells ?? []).map((cell) => [cell.name, cell]) : [],
  );
  const byName = new Map(input.cells.map((cell) => [cell.metadata.name ?? '', cell]));
  const cells = [...names].sort().map((cell): CellExplanation => {
    const isChosen = chosen.has(cell);
    const told = health.get(cell);
    const { sync, message } = isDefinition(binding)
      ? definitionSyncOf(input, cell, isChosen, told)
      : suspendedSync(isSuspended(cell) && isChosen, syncOf(input, cell, isChosen));
    const reason = isChosen ? undefined : reasons.get(cell);
    const failure = told?.appliedMessage;
    return {
      cell,
      chosen: isChosen,
      replicas: chosen.get(cell),
      reason: reason?.code,
      message: [
        isChosen ? (found?.tierText(cell) ?? '') : '',
        isChosen ? chosenMessage(sync, message, failure) : (reason?.text ?? message),
        isChosen || reason?.code === 'CellNotReady' ? readinessOf(byName.get(cell)) : '',
        isChosen ? '' : avoidedText(binding, cell, input.nowMs),
        !isChosen && sync === 'Leaving' && reason !== undefined ? message : '',
        found?.ruledOut(cell) ?? '',
        ...estimatorFailure(input.template?.estimates?.get(cell)),
      ]
        .filter((text) => text !== '')
        .join('; '),
      sync,
      health: told?.health,
      scores: entriesOf(found?.details.scores.get(cell)) ?? kept.get(cell)?.scores,
      room: found?.details.available.get(cell) ?? kept.get(cell)?.room,
      roomBy: found?.roomBy(cell),
    };
  });
  const { policy, boundBy = [] } = binding.spec;
  return {
    boundBy,
    quotaRoom: found?.quotaRoom === Number.POSITIVE_INFINITY ? undefined : found?.quotaRoom,
    scheduled: scheduled?.status === 'True',
    message: scheduled?.message ?? '',
    rollout: binding.status?.rollout,
    policy: policy === undefined ? undefined : policyText(policy),
    affinity: binding.status?.schedulerObservingAffinityName,
    cells,
    unknown: input.unknown ?? [],
    whatIf:
      input.template === undefined || input.whatIf === undefined
        ? undefined
        : whatIf(input, input.template, input.whatIf),
  };
}

/** Why, and since when, a cell is not ready, as it says itself; projects are not shown the message. */
function readinessOf(cell: Cell | undefined): string {
  const ready = conditionOf(cell?.status?.conditions, 'Ready');
  if (ready === undefined || ready.status === 'True') return '';
  const { reason = 'Unknown', message = '', lastTransitionTime } = ready;
  const since = lastTransitionTime === undefined ? '' : ` since ${lastTransitionTime}`;
  return `the cell is not Ready${since}: ${reason}${message === '' ? '' : `: ${message}`}`;
}

/** Until when the object is kept from a cell in which it failed, whatever else keeps it away. */
function avoidedText({ status }: ResourceBinding, cell: string, nowMs: number): string {
  const avoided = status?.failover?.avoid?.find(({ cluster }) => cluster === cell);
  return avoided === undefined || Date.parse(avoided.until) <= nowMs
    ? ''
    : `it failed there, and does not come back before ${avoided.until}`;
}

function estimatorFailure(told: number | string | undefined): string[] {
  return typeof told === 'string' ? [`its estimator does not answer, so its status counts (${told})`] : [];
}

/** Where there is no copy the binding knows why. */
function chosenMessage(sync: SyncState, message: string, failure = ''): string {
  if (sync === 'Missing' && failure !== '') return `${message}: ${failure}`;
  return message || failure;
}

function entriesOf(scores: ReadonlyMap<string, number> | undefined): CellExplanation['scores'] {
  return scores === undefined ? undefined : Object.fromEntries(scores);
}

function policyText({ kind, name, workspace }: BoundPolicy): string {
  return workspace === undefined ? `${kind} ${name}` : `${kind} ${name} of ${workspace}`;
}

function syncOf(input: ExplainInput, cell: string, chosen: boolean): { sync: SyncState; message: string } {
  const own = input.copies.filter((copy) => copy.cell === cell);
  if (own.length === 0)
    return chosen
      ? { sync: 'Missing', message: 'the copy is not written yet' }
      : { sync: 'None', message: '' };
  const isGoing = own.some(({ metadata }) => metadata.deletionTimestamp !== undefined);
  const task = input.binding.spec.gracefulEvictionTasks?.find(({ fromCluster }) => fromCluster === cell);
  if (!chosen && !isGoing && task !== undefined) return { sync: 'Leaving', message: leavingText(task) };
  if (!chosen || isGoing) {
    return { sync: 'Withdrawing', message: heldText(own) ?? 'the copy waits for the edge to let go of it' };
  }
  return reportedSync(own);
}

/** A deletion that a person is to look at (docs/federators.md, Deletions). */
function heldText(own: ExplainInput['copies']): string | undefined {
  for (const { metadata } of own) {
    const told = syncErrorText(metadata.annotations?.[syncAnnotations.syncError]);
    if (told?.startsWith('DeletionHeld: '))
      return `${told}; the condition DeletionHeld of the Cell tells how to release it`;
  }
  return undefined;
}

function leavingText(task: GracefulEvictionTask): string {
  const { purgeMode, creationTimestamp, gracePeriodSeconds = defaultGraceSeconds } = task;
  if (purgeMode === 'Never')
    return `its copy stays (purgeMode Never) until the object has the annotation ${releaseAnnotation}: ${releaseOf(task)}`;
  const until = nowTime(Date.parse(creationTimestamp) + gracePeriodSeconds * 1_000);
  return `its copy stays until the object is healthy elsewhere, at the latest until ${until}`;
}

/** Cells in which the object's policy, or an inherited one, leaves everything as it is. */
function suspendedBy({ template, project, binding }: ExplainInput): (cell: string) => boolean {
  const { policy, inherited = [], object } = template ?? {};
  if (object === undefined) return () => false;
  const bounds = boundsAbove(inherited, project.path, binding, object);
  const suspended = [policy ?? {}, ...(bounds?.list ?? [])].map(suspendedCells);
  return (cell) => suspended.some((cells) => cells === true || cells.has(cell));
}

/** What is told of the copy says nothing of what was decided since. */
function suspendedSync(
  isSuspended: boolean,
  told: { sync: SyncState; message: string },
): { sync: SyncState; message: string } {
  return isSuspended
    ? { sync: 'Suspended', message: 'dispatching is suspended: it is left as it was' }
    : told;
}

function reportedSync(own: ExplainInput['copies']): { sync: SyncState; message: string } {
  for (const { metadata } of own) {
    const error = syncErrorText(metadata.annotations?.[syncAnnotations.syncError]);
    if (error !== undefined) return { sync: 'Failed', message: error };
  }
  const synced = own.every(({ metadata: { annotations } }) => {
    const hash = annotations?.[copyAnnotations.contentHash];
    return hash !== undefined && annotations?.[syncAnnotations.syncedHash] === hash;
  });
  return synced
    ? { sync: 'Synced', message: '' }
    : { sync: 'Pending', message: 'the syncer has not reported the copy yet' };
}

/** A definition belongs to the cell: it stays where it is no longer chosen, and may be another project's. */
function definitionSyncOf(
  { copies }: ExplainInput,
  cell: string,
  chosen: boolean,
  told: AggregatedStatusItem | undefined,
): { sync: SyncState; message: string } {
  if (!chosen) return { sync: 'None', message: '' };
  const own = copies.filter((copy) => copy.cell === cell);
  if (own.length === 0) return { sync: 'Missing', message: 'the definition is not written yet' };
  if (told?.applied === true) return { sync: 'Synced', message: told.appliedMessage ?? '' };
  const whose = own[0]?.metadata.annotations?.[definitionAnnotations.definedByPath];
  if (told?.appliedMessage !== undefined) {
    const following = whose === undefined ? '' : ` (the cell's follows that of ${whose})`;
    return { sync: 'Failed', message: `${told.appliedMessage}${following}` };
  }
  return reportedSync(own);
}

function toldReasons(binding: ResourceBinding): Map<string, Reason> {
  const reasons = new Map<string, Reason>();
  for (const { code, policy, examples = [] } of binding.status?.refusals ?? []) {
    if (!isRefusalCode(code)) continue;
    for (const cell of examples) reasons.set(cell, reasonOf(code, policy));
  }
  for (const { name, refusal, policy } of binding.status?.decision?.cells ?? [])
    if (refusal !== undefined && isRefusalCode(refusal)) reasons.set(name, reasonOf(refusal, policy));
  return reasons;
}

/** What would be decided under other circumstances; nothing of it is done. */
function whatIf(
  input: ExplainInput,
  template: ExplainedTemplate,
  { assumptions, replicas }: NonNullable<ExplainInput['whatIf']>,
): WhatIf {
  const found = decideAnew(input, template, assuming(input.cells, assumptions), replicas);
  const now = new Map((input.binding.spec.clusters ?? []).map(({ name, replicas: share }) => [name, share]));
  const names = new Set([...now.keys(), ...found.targets.keys()]);
  return {
    assumptions: [
      ...assumptions.map(({ text }) => text),
      ...(replicas === undefined ? [] : [`replicas=${replicas}`]),
    ],
    scheduled: found.outcome === 'Scheduled',
    message: found.message,
    cells: [...names].sort().map((cell) => ({
      cell,
      now: now.has(cell) ? (now.get(cell) ?? true) : false,
      would: found.targets.has(cell) ? (found.targets.get(cell) ?? true) : false,
      reason: found.targets.has(cell) ? undefined : found.reasons.get(cell)?.code,
    })),
  };
}
