import { type Condition, conditionOf, withCondition } from '#api/conditions.ts';
import type { Cell } from '#api/federation/cell.ts';
import { cellAnnotations } from '#api/federation/cell-annotations.ts';
import { claimCondition } from '#api/federation/cell-claim.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import { formatTime } from '#apimachinery/rfc3339.ts';
import type { ApiEnablements } from '../edge/edge-kinds.ts';
import { roomReport } from '../room/room-report.ts';
import type { Room } from '../room/room-watch.ts';
import { type CopyKey, parseCopyKey } from './copy-keys.ts';
import type { CellHealth } from './health-monitor.ts';
import type { HeldDeletions } from './held-deletions.ts';
import type { SyncTally } from './sync-tally.ts';

export interface CellReportInput {
  readonly cell: Cell;
  readonly health: CellHealth;
  readonly tally: SyncTally;
  readonly held: HeldDeletions;
  /** Whether the cell's copies have been listed. */
  readonly copiesKnown: boolean;
  readonly copiesBeyondMax: number;
  /** Our claim stands at the edge, and is to. */
  readonly isClaimed: boolean;
  /** Undefined: not known now. */
  readonly apiEnablements: ApiEnablements | undefined;
  /** Undefined: not watched, or not known yet. */
  readonly room?: Room | undefined;
  readonly nowMs: number;
}

export interface CellReport {
  /** Merge patch of the Cell's status. */
  readonly patch: JsonObject;
  /** Nothing has changed but how many objects are in sync, on their way or behind: it may be told a little later. */
  readonly isProgress: boolean;
}

/** Reasons of `Synced` that come and go with every change of a copy. */
const progressReasons = new Set(['Pending', 'InSync']);

/**
 * What brings a Cell's status to what its federator knows, or undefined when it says so already. Probe time and latency
 * alone are no reason to write; they go along with the next change. Who has just taken the cell over and has no word of its edge
 * yet leaves what the former holder said: a cell that changes hands is as good as before.
 */
export function cellReport(input: CellReportInput): CellReport | undefined {
  const { cell, health, tally, held, apiEnablements, nowMs } = input;
  const now = formatTime(nowMs);
  const old = cell.status ?? {};
  if (health.reachable === 'Unknown' && conditionOf(old.conditions, 'Reachable') !== undefined)
    return undefined;
  let conditions: readonly Condition[] | undefined = old.conditions;
  const set = (type: string, status: Condition['status'], reason: string, message: string) => {
    conditions = withCondition(conditions, { type, status, reason, message: message.slice(0, 1_024) }, now);
  };
  set('Reachable', health.reachable, health.reason, health.message);
  const usable = health.reachable === 'True' && !health.refused;
  set(
    'Ready',
    usable ? 'True' : health.reachable === 'Unknown' ? 'Unknown' : 'False',
    usable ? 'EdgeReady' : health.reason,
    usable ? 'the edge API server is reached and accepts us' : health.message,
  );
  const [syncedStatus, reason, message] = syncedCondition(input, usable);
  set('Synced', syncedStatus, reason, message);
  if (input.isClaimed) conditions = withCondition(conditions, claimCondition(true), now);
  if (held.size > 0) {
    const release = `annotate the Cell with ${cellAnnotations.releaseDeletions}=${held.token}`;
    set(
      'DeletionHeld',
      'True',
      'Held',
      `${held.size} ${held.size === 1 ? 'deletion at the edge is' : 'deletions at the edge are'} held, first: ${held.first}; to let exactly these happen, ${release}`,
    );
  } else if (conditionOf(old.conditions, 'DeletionHeld') !== undefined) {
    set('DeletionHeld', 'False', 'NoneHeld', 'no deletion is held');
  }
  const room = roomReport(cell, conditions, input.room, now);
  conditions = room.conditions;
  const { synced, pending, failed } = tally.counts;
  const lagMs = pending + failed === 0 ? 0 : tally.lagMs;
  const objects = { synced, pending, failed };
  const kindsChanged = apiEnablements !== undefined && !equalJson(apiEnablements, old.apiEnablements);
  const isNews =
    !equalJson(newsOf(conditions), newsOf(old.conditions)) ||
    kindsChanged ||
    (health.kubernetesVersion !== undefined && health.kubernetesVersion !== old.kubernetesVersion);
  const isProgress =
    !equalJson([...(conditions ?? [])], [...(old.conditions ?? [])]) ||
    !equalJson(objects, old.objects) ||
    !equalJson(room.amounts, {}) ||
    isLagStale(old.syncLag, lagMs);
  if (!isNews && !isProgress) return undefined;
  const { resourceVersion } = cell.metadata;
  const patch = {
    // Others write conditions too: the list is replaced whole, so it must be the one that was read.
    ...(resourceVersion === undefined ? {} : { metadata: { resourceVersion } }),
    status: {
      conditions: [...(conditions ?? [])],
      objects,
      syncLag: lagMs === 0 ? '0s' : `${(lagMs / 1_000).toFixed(1)}s`,
      ...(kindsChanged ? { apiEnablements } : {}),
      ...room.amounts,
      ...(health.kubernetesVersion === undefined ? {} : { kubernetesVersion: health.kubernetesVersion }),
      lastProbe: {
        ...(health.probe === undefined
          ? {}
          : { time: formatTime(health.probe.atMs), latencyMs: health.probe.latencyMs }),
        error: health.lastError?.slice(0, 1_024) ?? null,
      },
    },
  };
  return { patch, isProgress: !isNews };
}

/** Conditions without the one that says that something is on its way, or that nothing is. */
function newsOf(conditions: readonly Condition[] = []): Condition[] {
  return conditions.filter(({ type, reason }) => !(type === 'Synced' && progressReasons.has(reason ?? '')));
}

/** Told anew when it is off by ten seconds and a quarter: a cell that is away for days costs a handful of writes. */
function isLagStale(told: string | undefined, lagMs: number): boolean {
  const toldMs = Number.parseFloat(told ?? '0') * 1_000;
  return !(Math.abs(lagMs - toldMs) < Math.max(10_000, toldMs / 4));
}

/** As kubectl names it. */
function nameOf(key: CopyKey): string {
  const { group, resource, namespace, name } = parseCopyKey(key);
  return `${resource}${group === '' ? '' : `.${group}`} ${namespace === '' ? '' : `${namespace}/`}${name}`;
}

function syncedCondition(
  { cell, tally, copiesKnown, copiesBeyondMax }: CellReportInput,
  usable: boolean,
): [Condition['status'], string, string] {
  if (cell.spec?.suspend === true) return ['False', 'Suspended', 'spec.suspend is set'];
  if (!usable) return ['Unknown', 'EdgeNotUsable', 'the edge cannot be written to'];
  if (!copiesKnown) return ['Unknown', 'CopiesNotListed', "the cell's copies have not been listed yet"];
  const { pending, failed } = tally.counts;
  const first = tally.firstFailure;
  if (failed > 0 && first !== undefined) {
    return [
      'False',
      first.failure.reason,
      `${failed} of the cell's objects ${failed === 1 ? 'fails' : 'fail'}, first ${nameOf(first.key)}: ${first.failure.message}`,
    ];
  }
  if (copiesBeyondMax > 0) {
    return ['False', 'TooManyCopies', `${copiesBeyondMax} copies are left alone: the cell has too many`];
  }
  // A count here would make every change of it a write; `objects` has it.
  return pending > 0
    ? ['False', 'Pending', 'changes are on their way to the edge']
    : ['True', 'InSync', 'the edge holds every copy'];
}
