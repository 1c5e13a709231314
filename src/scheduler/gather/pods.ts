import type { JsonObject, JsonValue } from '#apimachinery/json.ts';

/** Pods that there are of a copy, in whatever state, by its status; undefined where that does not say. A Job calls them active. */
export function podsThere(status: JsonObject | undefined): number | undefined {
  return countOf(status?.['replicas'] ?? status?.['active']);
}

/** The same of those that run. */
export function podsRunning(status: JsonObject | undefined): number | undefined {
  return countOf(status?.['readyReplicas'] ?? status?.['ready']);
}

function countOf(value: JsonValue | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
