import { type Copy, copiesGvr } from '#api/federation/copy.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeClient } from '#client/client.ts';
import { listPages } from '#client/list-pages.ts';
import { watchName } from '../watches/resource-watches.ts';
import { pickResource } from '../watches/watched-kinds.ts';
import type { WatchedResource } from './copy-index.ts';

const pageSize = 1_000;

/**
 * The resources of which there are copies in these cell workspaces, by their list of copies (DESIGN.md, Cell workspaces are
 * warehouses). A server that does not serve the list answers with none.
 */
export async function copiedResources(
  client: KubeClient,
  cellIds: readonly string[],
  signal: AbortSignal,
): Promise<WatchedResource[]> {
  const found = new Map<string, WatchedResource>();
  for (const cluster of cellIds) {
    try {
      const collection = { cluster, gvr: copiesGvr };
      for await (const page of listPages(client, collection, { limit: pageSize, signal })) {
        for (const item of page.items as Copy[]) {
          const resource = pickResource(item.target);
          found.set(watchName(resource), resource);
        }
      }
    } catch (error) {
      if (!isApiError(error, 'NotFound', 'MethodNotAllowed')) throw error;
    }
  }
  return [...found.values()];
}
