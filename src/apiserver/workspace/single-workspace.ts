import { tenancyGroup } from '#api/tenancy/workspace.ts';
import { notFound } from '#apimachinery/api-error.ts';
import type { Scheme } from '#apimachinery/scheme.ts';
import { checkClusterRef, rootClusterId } from './cluster-ref.ts';
import type { SchemeCatalog } from './scheme-catalog.ts';
import type { ClusterId, Workspace, WorkspaceResolver } from './workspace.ts';
import type { WorkspaceDirectory, WorkspaceRecord } from './workspace-index.ts';

const record: WorkspaceRecord = {
  id: rootClusterId,
  path: 'root',
  kind: 'edge',
  phase: 'Ready',
  typeName: 'root:root',
};

/** The workspaces of `cellplane edge`: one, `root`, that needs no LogicalCluster and knows no others. */
export class SingleWorkspace implements WorkspaceResolver, WorkspaceDirectory {
  readonly #schemes: SchemeCatalog;

  constructor(schemes: SchemeCatalog) {
    this.#schemes = schemes;
  }

  resolve(clusterRef: string): Workspace {
    if (clusterRef !== rootClusterId) {
      checkClusterRef(clusterRef);
      throw notFound({ group: tenancyGroup, resource: 'workspaces' }, clusterRef);
    }
    return this.#workspace();
  }

  byId(id: ClusterId): Workspace | undefined {
    return id === rootClusterId ? this.#workspace() : undefined;
  }

  wildcardScheme(): Scheme {
    return this.#workspace().scheme;
  }

  find(clusterRef: string): WorkspaceRecord | undefined {
    return clusterRef === rootClusterId ? record : undefined;
  }

  recordOf(id: string): WorkspaceRecord | undefined {
    return this.find(id);
  }

  records(): IterableIterator<WorkspaceRecord> {
    return [record].values();
  }

  onChange(): () => void {
    return () => {};
  }

  #workspace(): Workspace {
    const scheme = this.#schemes.schemeOf('edge', rootClusterId);
    return { id: rootClusterId, path: 'root', type: 'edge', phase: 'Ready', scheme, inert: false };
  }
}
