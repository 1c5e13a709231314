import { type Condition, withCondition } from '#api/conditions.ts';
import type { Cell } from '#api/federation/cell.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import { formatTime } from '#apimachinery/rfc3339.ts';
import type { SyncTally } from './sync-tally.ts';

/** What a federator knows of a cell's edge. */
export interface CellHealth {
  readonly reachable: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  /** It answers, but refuses us: nothing can be synced. */
  readonly refused?: boolean | undefined;
  readonly kubernetesVersion?: string | undefined;
  readonly probe?: { readonly atMs: number; readonly latencyMs: number } | undefined;
}

export interface CellReportInput {
  readonly cell: Cell;
  readonly health: CellHealth;
  readonly tally: SyncTally;
  readonly nowMs: number;
}

/**
 * The merge patch that brings a Cell's status to what its federator knows, or undefined when it says so already. Probe
 * time and latency alone are no reason to write; they go along with the next change.
 */
export function cellStatusPatch({ cell, health, tally, nowMs }: CellReportInput): JsonObject | undefined {
  const now = formatTime(nowMs);
  const old = cell.status ?? {};
  let conditions: readonly Condition[] | undefined = old.conditions;
  const set = (type: string, status: Condition['status'], reason: string, message: string) => {
    conditions = withCondition(conditions, { type, status, reason, message: message.slice(0, 1_024) }, now);
  };
  set('Reachable', health.reachable, health.reason, health.message);
  const usable = health.reachable === 'True' && health.refused !== true;
  set(
    'Ready',
    usable ? 'True' : health.reachable === 'Unknown' ? 'Unknown' : 'False',
    usable ? 'EdgeReady' : health.reason,
    usable ? 'the edge API server is reached and accepts us' : health.message,
  );
  const { synced, pending, failed, held } = tally.counts;
  const [syncedStatus, reason, message] = syncedCondition(cell, usable, tally);
  set('Synced', syncedStatus, reason, message);
  if (held > 0 || old.conditions?.some((condition) => condition.type === 'DeletionHeld') === true) {
    set(
      'DeletionHeld',
      held > 0 ? 'True' : 'False',
      held > 0 ? 'Held' : 'NoneHeld',
      tally.firstHeld ?? 'no deletion is held',
    );
  }
  const objects = { synced, pending, failed };
  const changed =
    !equalJson([...(conditions ?? [])], [...(old.conditions ?? [])]) ||
    !equalJson(objects, old.objects) ||
    (health.kubernetesVersion !== undefined && health.kubernetesVersion !== old.kubernetesVersion);
  if (!changed) return undefined;
  const lagMs = tally.lagMs;
  return {
    status: {
      conditions: [...(conditions ?? [])],
      objects,
      syncLag: pending === 0 ? '0s' : `${(lagMs / 1_000).toFixed(1)}s`,
      ...(health.kubernetesVersion === undefined ? {} : { kubernetesVersion: health.kubernetesVersion }),
      lastProbe: {
        ...(health.probe === undefined
          ? {}
          : { time: formatTime(health.probe.atMs), latencyMs: health.probe.latencyMs }),
        error: usable ? null : health.message.slice(0, 1_024),
      },
    },
  };
}

function syncedCondition(
  cell: Cell,
  usable: boolean,
  tally: SyncTally,
): [Condition['status'], string, string] {
  if (cell.spec?.suspend === true) return ['False', 'Suspended', 'spec.suspend is set'];
  if (!usable) return ['Unknown', 'EdgeNotUsable', 'the edge cannot be written to'];
  const { pending, failed } = tally.counts;
  const first = tally.firstFailure;
  if (failed > 0 && first !== undefined) {
    return [
      'False',
      first.failure.reason,
      `${failed} of the cell's objects fail, first ${first.key}: ${first.failure.message}`,
    ];
  }
  // A count here would make every change of it a write; `objects` has it.
  return pending > 0
    ? ['False', 'Pending', 'changes are on their way to the edge']
    : ['True', 'InSync', 'the edge holds every copy'];
}
