import type { PropagationSpec } from '#api/policy/placement.ts';
import type { Bounds } from '../algorithm/bounds.ts';
import type { Decision } from '../algorithm/decision.ts';
import type { OverrideSource } from '../projection/overrides.ts';

export interface HoldingInput {
  readonly spec: Pick<PropagationSpec, 'suspension' | 'schedulerName'>;
  readonly bounds: Bounds | undefined;
  /** The SchedulingProfile that the policy names is not there. */
  readonly isProfileMissing: boolean;
  /** The PriorityClass that the policy names, which the project has not; undefined where it has it, or needs none. */
  readonly missingPriorityClass: string | undefined;
  /** Of the policy's `dependentOverrides`. */
  readonly missingOverrides: readonly string[];
}

export type Held = Pick<Decision, 'outcome' | 'message'>;

/** Why nothing is decided now; undefined when nothing speaks against it. */
export function heldBack({
  spec: { suspension, schedulerName = '' },
  bounds,
  isProfileMissing,
  missingPriorityClass,
  missingOverrides,
}: HoldingInput): Held | undefined {
  if (suspension?.scheduling === true) return suspended('the policy suspends scheduling');
  const above = bounds?.list.find((bound) => bound.suspension?.scheduling === true);
  if (above !== undefined) return suspended(`policy ${above.name} suspends scheduling`);
  if (missingPriorityClass !== undefined)
    return {
      outcome: 'PriorityClassNotFound',
      message: `waits for the PriorityClass ${missingPriorityClass}`,
    };
  if (isProfileMissing) return suspended(`waits for the SchedulingProfile ${schedulerName}`);
  return missingOverrides.length === 0
    ? undefined
    : suspended(`waits for the override policies ${missingOverrides.join(', ')}`);
}

const suspended = (message: string): Held => ({ outcome: 'Suspended', message });

/** Of the policy's `dependentOverrides` those that an object's project has not; `namespace`: the object's. */
export function missingOverridesOf(
  { dependentOverrides }: PropagationSpec,
  overrides: () => Iterable<OverrideSource>,
  namespace: string | undefined,
): string[] {
  const missing = new Set(dependentOverrides);
  if (missing.size === 0) return [];
  for (const source of overrides()) {
    if (source.inheritedFrom === undefined && (source.namespace ?? namespace) === namespace)
      missing.delete(source.name);
  }
  return [...missing];
}
