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
  if (asked.length === 0) return {};
  const told = new Map<string, number | string>();
  const onFailure = (cell: string, error: unknown): void => {
    const why = error instanceof Error ? error.message : String(error);
    told.set(cell, why);
    unread.add(`estimator of ${cell}: ${why}`);
  };
  const estimators = new Estimators(systemClock, silentLogger, onFailure);
  const { signal } = new AbortController();
  try {
    const compiled = profile === undefined || profile === 'missing' ? profile : compileProfile(profile);
    const { unschedulable: descheduling } = rescheduleOf(policy ?? {}, compiled);
    let unschedulable: ReadonlyMap<string, number> | undefined;
    if (descheduling !== undefined && copy !== undefined) {
      const limits = deschedulingLimits(descheduling);
      const due = cellsDue(rememberedReplicas(binding.status?.failover), limits, nowMs);
      const stuck = asked.filter(({ name, ready }) => ready && due.has(name));
      const { namespace = '', name = '' } = copy;
      const question = unschedulableQuestion(object, { namespace, name }, limits.afterMs);
      unschedulable = await estimators.ask(stuck, question, signal);
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
