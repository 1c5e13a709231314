import { cellsWorkspacePath } from '#api/federation/group.ts';
import type { CrdCatalog } from '../crd/crd-catalog.ts';
import { bootstrapWorkspaces } from '../workspace/bootstrap.ts';
import type { CustomDefinitions, SchemeCatalog } from '../workspace/scheme-catalog.ts';
import { SingleWorkspace } from '../workspace/single-workspace.ts';
import type { ClusterId, WorkspaceResolver } from '../workspace/workspace.ts';
import { type WorkspaceDirectory, WorkspaceIndex } from '../workspace/workspace-index.ts';
import type { ApiServerOptions } from './options.ts';

/** What knows the workspaces that a server has. */
export interface Workspaces {
  readonly resolver: WorkspaceResolver;
  readonly directory: WorkspaceDirectory;
  /** Undefined at an edge. */
  readonly index: WorkspaceIndex | undefined;
  readonly cellsClusterId: string | undefined;
}

export async function openWorkspaces(
  { mode, storage, clock }: ApiServerOptions,
  schemes: SchemeCatalog,
  externalUrl: () => string,
): Promise<Workspaces> {
  if (mode === 'edge') {
    const single = new SingleWorkspace(schemes);
    return { resolver: single, directory: single, index: undefined, cellsClusterId: undefined };
  }
  const index = new WorkspaceIndex({ storage, schemes, clock });
  await bootstrapWorkspaces({ storage, schemes, index, externalUrl, clock });
  return { resolver: index, directory: index, index, cellsClusterId: index.find(cellsWorkspacePath)?.id };
}

/** CRDs are kept by the cluster id in their storage key, which is a workspace's. */
export function customDefinitions(crds: CrdCatalog): CustomDefinitions {
  return {
    definitionsOf: (clusterId) => crds.definitionsOf(clusterId),
    onChange: (listener) => crds.onChange((clusterId) => listener(clusterId as ClusterId)),
    allDefinitions: () => crds.allDefinitions(),
  };
}
