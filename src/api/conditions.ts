import type { JsonObject } from '#apimachinery/json.ts';

/** meta/v1 Condition, and kcp's where `severity` is set. */
export interface Condition extends JsonObject {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason?: string;
  message?: string;
  severity?: string;
  lastTransitionTime?: string;
  observedGeneration?: number;
}

/** Who sets one leaves its time to `withCondition`. */
type WantedCondition = Pick<
  Condition,
  'type' | 'status' | 'reason' | 'message' | 'severity' | 'observedGeneration'
>;

export function conditionOf(
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/**
 * The list with one condition set, or the same list when that changes nothing but times. `lastTransitionTime` moves
 * only with the status (API conventions, Typical status properties).
 */
export function withCondition(
  conditions: readonly Condition[] | undefined,
  wanted: WantedCondition,
  now: string,
): Condition[] {
  const list = conditions ?? [];
  const at = list.findIndex((condition) => condition.type === wanted.type);
  const present = list[at];
  const sameStatus = present?.status === wanted.status;
  if (
    present !== undefined &&
    sameStatus &&
    present.reason === wanted.reason &&
    present.message === wanted.message &&
    present.severity === wanted.severity &&
    present.observedGeneration === wanted.observedGeneration
  ) {
    return list as Condition[];
  }
  const since = sameStatus ? (present?.lastTransitionTime ?? now) : now;
  const next = conditionSince(wanted, since);
  // Not spread: what an array grows by it keeps, and bindings are kept.
  return present === undefined ? list.concat(next) : list.map((one, index) => (index === at ? next : one));
}

/** V8 gives each literal that spreads an object and adds a member a hidden class of its own, three times as large as itself. */
function conditionSince(wanted: WantedCondition, lastTransitionTime: string): Condition {
  const { type, status, reason, message, severity, observedGeneration } = wanted;
  const isUsual = reason !== undefined && message !== undefined;
  if (isUsual && severity === undefined && observedGeneration === undefined) {
    return { type, status, reason, message, lastTransitionTime };
  }
  return { ...wanted, lastTransitionTime };
}
