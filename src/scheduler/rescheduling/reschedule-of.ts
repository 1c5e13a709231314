import type { PropagationSpec } from '#api/policy/placement.ts';
import type { Reschedule } from '#api/policy/reschedule.ts';
import type { CompiledProfile } from '../algorithm/profile.ts';

/** What the policy says of rescheduling, and of what it does not say the profile. */
export function rescheduleOf(
  { reschedule: own }: Pick<PropagationSpec, 'reschedule'>,
  profile: CompiledProfile | 'missing' | undefined,
): Reschedule {
  const common = profile === 'missing' ? undefined : profile?.reschedule;
  return common === undefined ? (own ?? noReschedule) : { ...common, ...own };
}

const noReschedule: Reschedule = {};
