import type { Cell } from '#api/federation/cell.ts';
import type { PropagationSpec } from '#api/policy/placement.ts';
import type { SchedulingProfile } from '#api/policy/scheduling-profile.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { systemClock } from '#apimachinery/clock.ts';
import type { KubeObject, ObjectMeta } from '#apimachinery/object.ts';
import { silentLogger } from '#client/logger.ts';
import { compileProfile } from '#scheduler/algorithm/profile.ts';
import { cellInfoOf } from '#scheduler/cells/cell-info.ts';
import { estimatedCells, questionOf, unschedulableQuestion } from '#scheduler/cells/estimate-question.ts';
import { Estimators } from '#scheduler/cells/estimators.ts';
import { toldWithoutNode } from '#scheduler/cells/without-node.ts';
import type { ExplainedTemplate } from '#scheduler/explain/decide-anew.ts';
import { rememberedReplicas } from '#scheduler/failover/health-memory.ts';
import { replicasOf, requestOf } from '#scheduler/projection/replicas.ts';
import { cellsDue, deschedulingLimits } from '#scheduler/rescheduling/missing-replicas.ts';
import { rescheduleOf } from '#scheduler/rescheduling/reschedule-of.ts';
import type { NamedResource } from '../resource-argument.ts';
import type { Unread } from './unread.ts';

interface Asked {
  readonly cells: readonly Cell[];
  readonly policy: PropagationSpec | undefined;
  readonly profile: SchedulingProfile | 'missing' | undefined;
  readonly binding: ResourceBinding;
  readonly copies: readonly ObjectMeta[];
  readonly nowMs: number;
  readonly object: KubeObject;
}

/** As the scheduler asks them, each with its own timeout, and yet from here: one that only the scheduler reaches says nothing. */
export async function askEstimators(
  { cells, policy, profile, binding, copies: [copy], nowMs, object }: Asked,
  { gvr: { group, resource }, scalable }: NamedResource,
  unread: Unread,
): Promise<Pick<ExplainedTemplate, 'estimates' | 'unschedulable'>> {
  const kind = { group, resource, scalable };
  const infos = cells.map((cell) => cellInfoOf(cell, true));
  const asked = replicasOf(object, kind) === undefined ? [] : estimatedCells(infos, policy?.placement);
  const compiled = profile === undefined || profile === 'missing' ? profile : compileProfile(profile);
  const { unschedulable: descheduling } = rescheduleOf(policy ?? {}, compiled);
  const limits = descheduling === undefined ? undefined : deschedulingLimits(descheduling);
  const { namespace = '', name = '' } = copy ?? {};
  const due =
    limits === undefined || copy === undefined
      ? noCells
      : cellsDue(rememberedReplicas(binding.status?.failover), limits, nowMs);
  const stuck = infos.filter((cell) => cell.ready && due.has(cell.name));
  const unschedulable = toldWithoutNode(stuck, object, { namespace, name });
  if (asked.length === 0) return due.size === 0 ? {} : { unschedulable };
  const told = new Map<string, number | string>();
  const onFailure = (cell: string, error: unknown): void => {
    const why = error instanceof Error ? error.message : String(error);
    told.set(cell, why);
    unread.add(`estimator of ${cell}: ${why}`);
  };
  const estimators = new Estimators(systemClock, silentLogger, onFailure);
  const { signal } = new AbortController();
  try {
    if (limits !== undefined && due.size > 0) {
      const question = unschedulableQuestion(object, { namespace, name }, limits.afterMs);
      const estimated = stuck.filter(({ estimator }) => estimator !== undefined);
      for (const [cell, replicas] of await estimators.ask(estimated, question, signal))
        unschedulable.set(cell, replicas);
    }
    // Why it says nothing of the other question is no reason to say of this one.
    told.clear();
    const estimates = await estimators.ask(asked, questionOf(object, kind, requestOf(object, kind)), signal);
    for (const [cell, replicas] of estimates) told.set(cell, replicas);
    return { estimates: told, unschedulable };
  } finally {
    await estimators.close();
  }
}

const noCells: ReadonlySet<string> = new Set();
