import { allAuthenticated, allUnauthenticated, type UserInfo } from '../request/user.ts';

/** Extra keys by which kcp limits or widens a user's rights (KCP.md, Identity and rights). */
export const clusterNameExtra = 'authentication.kcp.io/cluster-name';
export const scopesExtra = 'authentication.kcp.io/scopes';
export const warrantExtra = 'authorization.kcp.io/warrant';

export const serviceAccountUserPrefix = 'system:serviceaccount:';

/** Warrants may nest; deeper ones are not looked at. */
const warrantDepthMax = 4;
const warrantsMax = 32;

/**
 * As whom a user counts in one workspace: normally as itself. A service account of another workspace, or a user whose
 * scopes do not name this one, counts as an anonymous one that is authenticated and, where its home is known, in the
 * group `system:cluster:<home>`; a service account also by its global name `system:kcp:serviceaccount:<home>:<ns>:<name>`.
 * Warrants add further users: they grant rights, never identity. `clusterId` is undefined for `/clusters/*`.
 */
export function effectiveUsers(clusterId: string | undefined, user: UserInfo): readonly UserInfo[] {
  if (!isLimitedOrWarranted(user)) return [user];
  const users: UserInfo[] = [];
  collect(clusterId, user, users, 0);
  return users;
}

/** Whether the user's own name and groups count in this workspace. */
export function isInScope(clusterId: string | undefined, user: UserInfo): boolean {
  if (!isLimitedOrWarranted(user)) return true;
  if (user.name.startsWith(serviceAccountUserPrefix)) {
    const homes = user.extra.get(clusterNameExtra);
    // Without a home it is taken as local: a SubjectAccessReview may name one so.
    if (homes !== undefined && homes.length > 0 && (homes.length !== 1 || homes[0] !== clusterId))
      return false;
  }
  for (const scopes of user.extra.get(scopesExtra) ?? []) {
    if (clusterId === undefined || !scopes.split(',').includes(`cluster:${clusterId}`)) return false;
  }
  return true;
}

/** Where a service account lives, when its token said so. */
export function homeClusterOf(user: UserInfo): string | undefined {
  const homes = user.extra.get(clusterNameExtra);
  return homes?.length === 1 ? homes[0] : undefined;
}

/** Most users bear none of the three keys: then they count as themselves everywhere. */
function isLimitedOrWarranted({ extra }: UserInfo): boolean {
  if (extra.size === 0) return false;
  return extra.has(clusterNameExtra) || extra.has(scopesExtra) || extra.has(warrantExtra);
}

function collect(clusterId: string | undefined, user: UserInfo, users: UserInfo[], depth: number): void {
  const authenticated = user.groups.includes(allAuthenticated);
  const isServiceAccount = user.name.startsWith(serviceAccountUserPrefix);
  const home = isServiceAccount ? homeClusterOf(user) : undefined;
  if (isInScope(clusterId, user)) {
    users.push(user);
  } else {
    const groups = [authenticated ? allAuthenticated : allUnauthenticated];
    if (home !== undefined) groups.push(`system:cluster:${home}`);
    users.push({ name: 'system:anonymous', groups, extra: noExtra });
  }
  if (home !== undefined) {
    users.push({
      name: `system:kcp:serviceaccount:${home}:${user.name.slice(serviceAccountUserPrefix.length)}`,
      groups: authenticated ? [allAuthenticated] : [],
      extra: noExtra,
    });
  }
  if (depth >= warrantDepthMax) return;
  for (const text of user.extra.get(warrantExtra) ?? []) {
    if (users.length >= warrantsMax) return;
    const warrant = parseWarrant(text);
    if (warrant !== undefined) collect(clusterId, warrant, users, depth + 1);
  }
}

/** A warrant for a service account must say of which workspace; anything malformed grants nothing. */
function parseWarrant(text: string): UserInfo | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { user, groups, extra } = value as { user?: unknown; groups?: unknown; extra?: unknown };
  if (typeof user !== 'string') return undefined;
  const extraMap = new Map<string, string[]>();
  if (typeof extra === 'object' && extra !== null) {
    for (const [key, values] of Object.entries(extra)) extraMap.set(key, texts(values));
  }
  if (user.startsWith(serviceAccountUserPrefix) && (extraMap.get(clusterNameExtra)?.length ?? 0) === 0) {
    return undefined;
  }
  return { name: user, groups: texts(groups), extra: extraMap };
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}

const noExtra: ReadonlyMap<string, readonly string[]> = new Map();
