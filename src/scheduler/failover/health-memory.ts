import type { Failover } from '#api/policy/placement.ts';
import type { FailoverMemory } from '#api/work/resource-binding.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { ReplicaRecord } from '../rescheduling/missing-replicas.ts';
import type { HealthRecord } from './failover.ts';

/** Cells remembered one by one in a binding; those unwell the longest first. */
const cellsMax = 50;

/**
 * What the binding is to say of the object's health, so that a restart forgets no time that runs; and of replicas that do not
 * run, where they are moved.
 */
export function memoryOf(
  failover: Failover | undefined,
  { unhealthySinceMs, avoidUntilMs, preferredSinceMs }: HealthRecord,
  replicaRecord?: ReplicaRecord,
): FailoverMemory | undefined {
  const memory: FailoverMemory = {};
  if (failover?.application !== undefined) {
    const since = earliest(unhealthySinceMs).map(([cluster, ms]) => ({ cluster, since: nowTime(ms) }));
    if (since.length > 0) memory.unhealthySince = since;
    const avoid = earliest(avoidUntilMs).map(([cluster, ms]) => ({ cluster, until: nowTime(ms) }));
    if (avoid.length > 0) memory.avoid = avoid;
  }
  if (failover?.cluster?.failback !== undefined && preferredSinceMs !== undefined)
    memory.preferredSince = nowTime(preferredSinceMs);
  const { missing, limits } = replicaRecord ?? {};
  if (missing !== undefined && missing.size > 0) {
    const ordered = [...missing].sort(([a, x], [b, y]) => x.sinceMs - y.sinceMs || (a < b ? -1 : 1));
    memory.missingSince = ordered
      .slice(0, cellsMax)
      .map(([cluster, { replicas, sinceMs }]) => ({ cluster, replicas, since: nowTime(sinceMs) }));
  }
  if (limits !== undefined && limits.size > 0) {
    const ordered = [...limits].sort(([a, x], [b, y]) => y.untilMs - x.untilMs || (a < b ? -1 : 1));
    memory.limited = ordered.slice(0, cellsMax).map(([cluster, { replicas, untilMs, times }]) => ({
      cluster,
      replicas,
      until: nowTime(untilMs),
      times,
    }));
  }
  return Object.keys(memory).length === 0 ? undefined : memory;
}

function earliest(times: ReadonlyMap<string, number>): [string, number][] {
  return [...times].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1)).slice(0, cellsMax);
}

/** Takes up what a binding says where nothing newer is known. */
export function remember(memory: FailoverMemory | undefined, health: RestorableHealth): void {
  for (const { cluster, since } of memory?.unhealthySince ?? [])
    restore(health.unhealthySinceMs, cluster, since);
  restoreDecided(memory, health);
}

/** Takes up what the stored decision says of itself, in the place of what later ones made of it that may not be stored. */
export function recallDecided(memory: FailoverMemory | undefined, health: RestorableHealth): void {
  health.avoidUntilMs.clear();
  health.preferredSinceMs = undefined;
  restoreDecided(memory, health);
}

function restoreDecided(memory: FailoverMemory | undefined, health: RestorableHealth): void {
  for (const { cluster, until } of memory?.avoid ?? []) restore(health.avoidUntilMs, cluster, until);
  const preferredMs = Date.parse(memory?.preferredSince ?? '');
  if (!Number.isNaN(preferredMs)) health.preferredSinceMs ??= preferredMs;
}

/** What a binding says of replicas that do not run. */
export function rememberedReplicas(memory: FailoverMemory | undefined): ReplicaRecord {
  const record: ReplicaRecord = { missing: new Map(), limits: new Map() };
  for (const { cluster, replicas, since } of memory?.missingSince ?? []) {
    const sinceMs = Date.parse(since);
    if (!Number.isNaN(sinceMs)) record.missing.set(cluster, { replicas, sinceMs });
  }
  for (const { cluster, replicas, until, times } of memory?.limited ?? []) {
    const untilMs = Date.parse(until);
    if (!Number.isNaN(untilMs)) record.limits.set(cluster, { replicas, untilMs, times });
  }
  return record;
}

interface RestorableHealth {
  readonly unhealthySinceMs: Map<string, number>;
  readonly avoidUntilMs: Map<string, number>;
  preferredSinceMs: number | undefined;
}

function restore(times: Map<string, number>, cell: string, text: string): void {
  const ms = Date.parse(text);
  if (!Number.isNaN(ms) && !times.has(cell)) times.set(cell, ms);
}
