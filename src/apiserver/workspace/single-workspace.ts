import { tenancyGroup } from '#api/tenancy/workspace.ts';
import { notFound } from '#apimachinery/api-error.ts';
import type { Scheme } from '#apimachinery/scheme.ts';
import { checkClusterRef, rootClusterId } from './cluster-ref.ts';
import type { SchemeCatalog } from './scheme-catalog.ts';
import type { ClusterId, Workspace, WorkspaceResolver } from './workspace.ts';

/** The resolver of `cellplane edge`: one workspace, `root`, that needs no LogicalCluster and knows no others. */
export class SingleWorkspace implements WorkspaceResolver {
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

  #workspace(): Workspace {
    const scheme = this.#schemes.schemeOf('edge', rootClusterId);
    return { id: rootClusterId, path: 'root', type: 'edge', phase: 'Ready', scheme, inert: false };
  }
}
