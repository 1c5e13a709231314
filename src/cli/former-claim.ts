import { cellsGvr } from '#api/federation/cell.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import type { KubeClient } from '#client/client.ts';
import { readControlPlane } from '#client/control-plane.ts';
import { readClaim, releaseClaim } from '#federator/edge/edge-claim.ts';

/**
 * Takes away the claim that a Cell of this control plane left at an edge when it was removed (`unjoin --orphan`): nobody
 * follows it any more, and it would keep the next one out. Returns in words what keeps the cell out all the same; undefined
 * when nothing does. Throws ApiError.
 */
export async function takeFormerClaim(
  edgeClient: KubeClient,
  federationClient: KubeClient,
  cellName: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const claim = await readClaim(edgeClient, { signal });
  if (claim === undefined) return undefined;
  const { controlPlaneId } = await readControlPlane(federationClient, signal);
  if (claim.controlPlaneId === controlPlaneId) {
    const { items } = await federationClient.list({ cluster: cellsWorkspacePath, gvr: cellsGvr }, { signal });
    const holder = items.find(({ metadata }) => metadata.uid === claim.cellUid);
    if (holder === undefined) {
      await releaseClaim(edgeClient, claim, signal);
      return undefined;
    }
    if (holder.metadata.name === cellName) return undefined;
  }
  return `the edge is claimed by cell ${claim.cellName} of control plane ${claim.controlPlaneId}: nothing is synced there until that one leaves it, or the ConfigMap cellplane-system/cellplane-claim is deleted`;
}
