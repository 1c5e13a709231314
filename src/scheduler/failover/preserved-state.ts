import type { StatePreservation } from '#api/policy/placement.ts';
import type { GracefulEvictionTask } from '#api/work/resource-binding.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { compileJsonPath, type JsonPath } from '#apimachinery/jsonpath.ts';
import { labelValue } from '#apimachinery/names.ts';

const compiled = new Map<string, JsonPath>();
const compiledMax = 1_000;

function pathOf(text: string): JsonPath {
  let path = compiled.get(text);
  if (path === undefined) {
    path = compileJsonPath(text);
    if (compiled.size >= compiledMax) compiled.clear();
    compiled.set(text, path);
  }
  return path;
}

/**
 * What of a copy's status goes with the object to its next cell, as labels (PLACEMENT.md 1, statePreservation). What the
 * status does not have, and what is no label value, is left out. Undefined when nothing is left.
 */
export function preservedLabels(
  preservation: StatePreservation | undefined,
  status: JsonObject | undefined,
): { [label: string]: string } | undefined {
  if (preservation === undefined || status === undefined) return undefined;
  const labels: { [label: string]: string } = {};
  for (const { aliasLabelName, jsonPath } of preservation.rules ?? []) {
    const value = pathOf(jsonPath).first(status);
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') continue;
    const text = String(value);
    if (labelValue(text).length === 0) labels[aliasLabelName] = text;
  }
  return Object.keys(labels).length === 0 ? undefined : labels;
}

/** The labels that a copy in this cell bears because the object came there from others; later evictions win. */
export function relayedLabels(
  tasks: readonly GracefulEvictionTask[],
  cell: string,
): { [label: string]: string } | undefined {
  let labels: { [label: string]: string } | undefined;
  const ordered = [...tasks].sort((a, b) => (a.creationTimestamp < b.creationTimestamp ? -1 : 1));
  for (const { preservedLabelState, clustersBeforeFailover } of ordered) {
    if (preservedLabelState === undefined || clustersBeforeFailover?.includes(cell) === true) continue;
    labels = { ...labels, ...preservedLabelState };
  }
  return labels;
}
