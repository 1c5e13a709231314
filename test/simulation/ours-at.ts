import { copyLabels } from '#api/federation/copy-contract.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { loadKinds } from '../chaos/kinds.ts';
import type { World } from './world/world.ts';

/** Of the kinds of the load, what a federation has brought to an edge. */
export async function oursAt(world: World, cell: string): Promise<KubeObject[]> {
  const look = world.lookAt(world.edge(cell));
  const lists = await Promise.all(
    loadKinds.map(({ gvr }) =>
      look.list({ cluster: undefined, gvr }, { labelSelector: copyLabels.originCluster }),
    ),
  );
  return lists.flatMap(({ items }) => items);
}
