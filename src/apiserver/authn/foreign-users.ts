import { componentUserPrefix } from '../authz/components.ts';
import {
  clusterNameExtra,
  scopesExtra,
  serviceAccountUserPrefix,
  warrantExtra,
} from '../authz/effective-users.ts';
import { loopbackUser, type UserInfo } from '../request/user.ts';
import { unauthorized } from './authenticator.ts';

const isOwnName = (name: string): boolean =>
  name.startsWith(componentUserPrefix) || name === loopbackUser.name;

/** A scope that no workspace is in. */
const nowhere = 'cluster:';

/**
 * Users whom another API server vouches for: by request headers, a delegated TokenReview, or its client CA
 * (KUBERNETES.md O1). Where a workspace is set they are somebody in that one alone, and mean it when they name none; else
 * they are believed everywhere. Its service accounts are none of any workspace's here: what they may do, the authorizer
 * of the server that they come from says.
 */
export class ForeignUsers {
  readonly #workspace: () => { readonly id: string; readonly path: string } | undefined;
  readonly #known = new WeakSet<UserInfo>();

  /** `workspace`: undefined where they are not bound to one. */
  constructor(workspace: () => { readonly id: string; readonly path: string } | undefined) {
    this.#workspace = workspace;
  }

  /** The user as it counts here. Throws ApiError Unauthorized for a name of this server's own. */
  admit(named: UserInfo): UserInfo {
    if (isOwnName(named.name)) throw unauthorized('the name of a component cannot be vouched for');
    const bound = this.#workspace();
    const extra = new Map(named.extra);
    // What another server says of its own workspaces is no word about those here.
    if (bound !== undefined)
      for (const key of [clusterNameExtra, scopesExtra, warrantExtra]) extra.delete(key);
    const isAccount = named.name.startsWith(serviceAccountUserPrefix) && !extra.has(clusterNameExtra);
    const scope = isAccount ? nowhere : bound === undefined ? undefined : `cluster:${bound.id}`;
    if (scope !== undefined) extra.set(scopesExtra, [...(extra.get(scopesExtra) ?? []), scope]);
    const admitted = { ...named, groups: named.groups.filter((group) => !isOwnName(group)), extra };
    this.#known.add(admitted);
    return admitted;
  }

  /** Whether the user, itself and not by impersonation, comes from elsewhere. */
  has(user: UserInfo): boolean {
    return this.#known.has(user);
  }

  /** Path of the workspace that the user means who names none. */
  homeOf(user: UserInfo): string | undefined {
    return this.#known.has(user) ? this.#workspace()?.path : undefined;
  }
}
