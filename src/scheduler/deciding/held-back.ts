import type { PropagationSpec } from '#api/policy/placement.ts';
import type { Bounds } from '../algorithm/bounds.ts';
import type { OverrideSource } from '../projection/overrides.ts';

export interface HoldingInput {
  readonly spec: Pick<PropagationSpec, 'suspension' | 'schedulerName'>;
  readonly bounds: Bounds | undefined;
  /** The SchedulingProfile that the policy names is not there. */
  readonly isProfileMissing: boolean;
  /** Of the policy's `dependentOverrides`. */
  readonly missingOverrides: readonly string[];
}

/** Why nothing is decided now; undefined when nothing speaks against it. */
export function heldBack({
  spec: { suspension, schedulerName = '' },
  bounds,
  isProfileMissing,
  missingOverrides,
}: HoldingInput): string | undefined {
  if (suspension?.scheduling === true) return 'the policy suspends scheduling';
  const above = bounds?.list.find((bound) => bound.suspension?.scheduling === true);
  if (above !== undefined) return `policy ${above.name} suspends scheduling`;
  if (isProfileMissing) return `waits for the SchedulingProfile ${schedulerName}`;
  return missingOverrides.length === 0
    ? undefined
    : `waits for the override policies ${missingOverrides.join(', ')}`;
}

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
