import type { PropagationSpec } from '#api/policy/placement.ts';
import type { DeschedulingSpec, Reschedule, RescheduleTrigger } from '#api/policy/reschedule.ts';
import type { CompiledProfile } from '../algorithm/profile.ts';

export interface Rescheduling {
  readonly triggers: readonly RescheduleTrigger[] | undefined;
  readonly unschedulable: DeschedulingSpec | undefined;
}

/** What the policy says of rescheduling, and of what it does not say the profile. */
export function rescheduleOf(
  { reschedule: own }: Pick<PropagationSpec, 'reschedule'>,
  profile: CompiledProfile | 'missing' | undefined,
): Rescheduling {
  const common = profile === 'missing' ? undefined : profile?.reschedule;
  if (own === undefined && common === undefined) return noRescheduling;
  return {
    triggers: triggersOf(own) ?? triggersOf(common),
    unschedulable: own?.unschedulable ?? common?.unschedulable,
  };
}

const noRescheduling: Rescheduling = { triggers: undefined, unschedulable: undefined };

/** By both names; undefined where neither is there. */
function triggersOf({ triggers, on }: Reschedule = {}): readonly RescheduleTrigger[] | undefined {
  if (triggers === undefined || on === undefined) return triggers ?? on;
  return [...new Set([...triggers, ...on])];
}
