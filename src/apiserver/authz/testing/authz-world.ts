import { afterEach, beforeEach } from 'node:test';
import { silentLogger } from '#client/logger.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import type { UserInfo } from '../../request/user.ts';
import type { Workspace, WorkspaceResolver } from '../../workspace/workspace.ts';
import type { AuthorizationAttributes } from '../authorizer.ts';
import { createServerAuthorizer, type ServerAuthorizer } from '../server-authorizer.ts';
import { binding, openStore, resource, store, workspaceOf } from './authz-fixtures.ts';

export const shop = workspaceOf('root:acme:shop');
export const other = workspaceOf('root:acme:other');
export const root = workspaceOf('root', 'root', 'root');
export const cells = workspaceOf('root:cells', 'cells');
export const fra = workspaceOf('root:cells:fra', 'cell');
export const ams = workspaceOf('root:cells:ams', 'cell');

const resolver: WorkspaceResolver = {
  resolve: (ref) => [shop, other, root, cells, fra, ams].find((one) => one.path === ref || one.id === ref)!,
  byId: () => undefined,
  wildcardScheme: () => shop.scheme,
};

export const pods = resource('pods', { namespace: 'n', name: 'p' });

/** A server's authorizer over a store of its own, for each test of the file or the `describe` that makes it. */
export class AuthzWorld {
  #cache: CachedStorage | undefined;
  #server: ServerAuthorizer | undefined;

  constructor() {
    beforeEach(async () => {
      this.#cache = await openStore();
      this.#server = createServerAuthorizer({
        cache: this.#cache,
        resolver,
        cellsClusterId: cells.id,
        logger: silentLogger,
      });
      this.#server.start();
    });
    afterEach(async () => {
      this.#server?.stop();
      await this.#cache?.close();
    });
  }

  get cache(): CachedStorage {
    return this.#cache as CachedStorage;
  }

  get authorizer(): ServerAuthorizer['authorizer'] {
    return (this.#server as ServerAuthorizer).authorizer;
  }

  get rbac(): ServerAuthorizer['rbac'] {
    return (this.#server as ServerAuthorizer).rbac;
  }

  /** What reviews ask. */
  get reviewed(): ServerAuthorizer['reviewed'] {
    return (this.#server as ServerAuthorizer).reviewed;
  }

  /** `what`: a resource, or another path. */
  async may(
    who: UserInfo,
    verb: string,
    what: AuthorizationAttributes['resource'] | string,
    workspace: Workspace | undefined = shop,
    fieldRequirements?: ReadonlyMap<string, string>,
  ): Promise<boolean> {
    const path = typeof what === 'string' ? what : '/api';
    const asked = typeof what === 'string' ? undefined : what;
    return this.isAllowed({ user: who, workspace, verb, resource: asked, path, fieldRequirements });
  }

  async isAllowed(asked: AuthorizationAttributes): Promise<boolean> {
    return (await this.authorizer.authorize(asked)).decision === 'allow';
  }

  /** Lets the user into the shop's workspace. */
  enter(name: string): Promise<void> {
    return store(
      this.cache,
      shop.id,
      binding(`enter-${name}`, 'ClusterRole:system:kcp:workspace:access', `User:${name}`),
    );
  }
}
