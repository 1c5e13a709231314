import { setTimeout } from 'node:timers/promises';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import type { KubeClient } from '#client/client.ts';
import { CellWorkspace, type CopySource } from '#federator/cell/cell-workspace.ts';
import { type Claim, replaceClaim, sameClaim } from '#federator/edge/edge-claim.ts';
import { UsageError } from './run-command.ts';

/** Whose an edge is that is to be joined; `none`: nobody's, or already the cell's own. */
export type Claimant = { readonly kind: 'none' } | ClaimedEdge;

export interface ClaimedEdge {
  /**
   * `former`: a Cell of this control plane left it when it was removed (`unjoin --orphan`), and nobody follows it any more.
   * `other`: it is another cell's, of this control plane or of another.
   */
  readonly kind: 'former' | 'other';
  readonly claim: Claim;
  /** This control plane, whose it may become. */
  readonly controlPlaneId: string;
}

const pollMs = 200;

/** This control plane. */
export interface Federation {
  readonly federationClient: KubeClient;
  readonly controlPlaneId: string;
}

/** Throws ApiError of the federation API server. */
export async function claimantOf(
  claim: Claim | undefined,
  { federationClient, controlPlaneId }: Federation,
  cellName: string,
  signal: AbortSignal,
): Promise<Claimant> {
  if (claim === undefined) return { kind: 'none' };
  if (claim.controlPlaneId !== controlPlaneId) return { kind: 'other', claim, controlPlaneId };
  const { items } = await federationClient.list({ cluster: cellsWorkspacePath, gvr: cellsGvr }, { signal });
  const holder = items.find(({ metadata }) => metadata.uid === claim.cellUid);
  if (holder === undefined) return { kind: 'former', claim, controlPlaneId };
  return holder.metadata.name === cellName ? { kind: 'none' } : { kind: 'other', claim, controlPlaneId };
}

/**
 * Makes the edge the Cell's in one write, so that the former one's federator finds another's claim there and never none, which
 * it would take for its own. Throws ApiError, and UsageError when the Cell's workspace does not come.
 */
export async function takeClaimOver(
  clients: { readonly edgeClient: KubeClient; readonly federationClient: KubeClient },
  { claim: former, controlPlaneId }: ClaimedEdge,
  cellName: string,
  signal: AbortSignal,
): Promise<void> {
  const { edgeClient, federationClient } = clients;
  const { metadata } = (await federationClient.get(
    { cluster: cellsWorkspacePath, gvr: cellsGvr, name: cellName },
    { signal },
  )) as Cell;
  const source = await sourceOf(federationClient, cellName, signal);
  const wanted: Claim = { controlPlaneId, cellName, cellUid: metadata.uid ?? '', ...source };
  const present = await replaceClaim(edgeClient, { former, wanted }, signal);
  if (sameClaim(present, wanted)) return;
  throw new UsageError(
    `cell ${present.cellName} of control plane ${present.controlPlaneId} has claimed the edge meanwhile`,
  );
}

/** Waits for the workspace that the server makes for a new Cell. */
async function sourceOf(
  federationClient: KubeClient,
  cellName: string,
  signal: AbortSignal,
): Promise<CopySource> {
  const workspace = new CellWorkspace(federationClient, `${cellsWorkspacePath}:${cellName}`);
  for (;;) {
    const source = await workspace.source(signal);
    if (source !== undefined) return source;
    await setTimeout(pollMs, undefined, { signal }).catch(() => {
      throw new UsageError(`workspace ${workspace.path} is not ready; join again`);
    });
  }
}
