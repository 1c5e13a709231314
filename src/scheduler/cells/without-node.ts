import type { KubeObject } from '#apimachinery/object.ts';
import type { CellInfo } from '../algorithm/cell.ts';

/**
 * By cell, for how many pods of the copy the edge has no node, as the federators say that watch pods; left out are cells where that is not
 * known. `copy`: where it lies in cells, and at their edges.
 */
export function toldWithoutNode(
  cells: Iterable<CellInfo>,
  { kind }: Pick<KubeObject, 'kind'>,
  copy: { readonly namespace: string; readonly name: string },
): Map<string, number> {
  const told = new Map<string, number>();
  for (const { name, unschedulable } of cells) {
    if (unschedulable === undefined) continue;
    const pods = unschedulable.byWorkload.get(`${kind}/${copy.namespace}/${copy.name}`);
    if (pods !== undefined || !unschedulable.hasOthers) told.set(name, pods ?? 0);
  }
  return told;
}
