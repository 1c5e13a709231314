import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';

export interface StatusMapping {
  readonly edgeStatus: JsonValue | undefined;
  readonly edgeGeneration: number | undefined;
  readonly copyGeneration: number | undefined;
  /** The edge holds the copy's present content. */
  readonly inSync: boolean;
}

/**
 * The status as it is written to the copy: the edge's own, save that `observedGeneration` (there and in conditions)
 * counts the copy's generations, so that readers of the cell workspace can trust it: it equals the copy's generation
 * when and only when the edge's controllers have seen the copy's present content.
 */
export function mapStatus({
  edgeStatus,
  edgeGeneration,
  copyGeneration,
  inSync,
}: StatusMapping): JsonObject | undefined {
  if (!isJsonObject(edgeStatus)) return undefined;
  if (edgeGeneration === undefined || copyGeneration === undefined) return edgeStatus;
  const map = (observed: JsonValue | undefined): JsonValue | undefined => {
    if (typeof observed !== 'number') return observed;
    if (observed <= 0) return observed;
    return inSync && observed >= edgeGeneration ? copyGeneration : Math.max(0, copyGeneration - 1);
  };
  const status: JsonObject = { ...edgeStatus };
  if (status['observedGeneration'] !== undefined)
    status['observedGeneration'] = map(status['observedGeneration']);
  if (Array.isArray(status['conditions'])) {
    status['conditions'] = status['conditions'].map((condition) =>
      isJsonObject(condition) && condition['observedGeneration'] !== undefined
        ? { ...condition, observedGeneration: map(condition['observedGeneration']) }
        : condition,
    );
  }
  return status;
}
