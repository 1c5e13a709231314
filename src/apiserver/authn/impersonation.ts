import type { IncomingHttpHeaders } from 'node:http';
import { ApiError, badRequest } from '#apimachinery/api-error.ts';
import type { AuthorizationAttributes, Authorizer } from '../authz/authorizer.ts';
import { componentUserPrefix } from '../authz/components.ts';
import { isInScope, scopesExtra } from '../authz/effective-users.ts';
import { allAuthenticated, allUnauthenticated, systemMasters, type UserInfo } from '../request/user.ts';
import { authorizeImpersonation, type Impersonation, nodeOf, type Wanted } from './impersonation-modes.ts';
import { parseServiceAccountUser, serviceAccountGroups } from './service-account-tokens.ts';

const userHeader = 'impersonate-user';
const groupHeader = 'impersonate-group';
const uidHeader = 'impersonate-uid';
const extraPrefix = 'impersonate-extra-';
/** Bounds the authorization questions that one request can ask. */
const impersonatedValuesMax = 256;

/** Whether the request asks to act as somebody else: one look for the requests that do not. */
export function wantsImpersonation(headers: IncomingHttpHeaders): boolean {
  if (
    headers[userHeader] !== undefined ||
    headers[groupHeader] !== undefined ||
    headers[uidHeader] !== undefined
  ) {
    return true;
  }
  for (const name in headers) if (name.startsWith(extraPrefix)) return true;
  return false;
}

/** Whom a request is made as, and the constrained verb that allowed it (for the audit log). */
export interface Impersonated extends Impersonation {
  readonly user: UserInfo;
}

/**
 * KUBERNETES.md U3: who the headers name, when the requester may act as that one (impersonation-modes.ts). The result acts
 * in this one workspace only, and nobody outside `system:masters` gains a privileged group, a component's name, or an
 * extra of kcp's that grants authority (KCP.md, Identity and rights; GHSA-c7xh-gjv4-4jgv). `request` is what authorizers
 * would be asked of the requester. Throws ApiError 400 or 403.
 */
export async function impersonate(
  headers: IncomingHttpHeaders,
  request: AuthorizationAttributes,
  authorizer: Authorizer,
): Promise<Impersonated> {
  const { user: requester, workspace } = request;
  const wanted = parseHeaders(headers);
  const isMaster = requester.groups.includes(systemMasters) && isInScope(workspace?.id, requester);
  if (!isMaster && workspace === undefined)
    throw refused('impersonation is not possible over all workspaces');
  const { constraint } = await authorizeImpersonation(wanted, request, authorizer);
  // Whatever RBAC says.
  if (!isMaster) refuseAuthority(wanted, requester);
  return { user: resultOf(wanted, constraint, isMaster ? undefined : workspace?.id), constraint };
}

function parseHeaders(headers: IncomingHttpHeaders): Wanted {
  const extra = new Map<string, string[]>();
  for (const header in headers) {
    if (!header.startsWith(extraPrefix)) continue;
    extra.set(decodeKey(header.slice(extraPrefix.length)), valuesOf(headers[header]));
  }
  const name = valuesOf(headers[userHeader]);
  const groups = valuesOf(headers[groupHeader]);
  const uid = valuesOf(headers[uidHeader]);
  if (name.length > 1 || uid.length > 1) throw badRequest('only one user can be impersonated');
  if (name[0] === undefined || name[0] === '') {
    throw badRequest(`requested ${goUser(groups, uid[0] ?? '', extra)} without impersonating a user name`);
  }
  let values = groups.length;
  for (const list of extra.values()) values += list.length;
  if (values > impersonatedValuesMax) throw badRequest('too many groups and extra values to impersonate');
  return { name: name[0], groups, uid: uid[0], extra };
}

/** As Go prints what was asked for (apiserver `filters/impersonation`), which is how clients know the message. */
function goUser(
  groups: readonly string[],
  uid: string,
  extra: ReadonlyMap<string, readonly string[]>,
): string {
  const list = (values: readonly string[]) =>
    values.length === 0
      ? '[]string(nil)'
      : `[]string{${values.map((one) => JSON.stringify(one)).join(', ')}}`;
  const entries = [...extra].map(([key, values]) => `${JSON.stringify(key)}:${list(values)}`).sort();
  const shown = entries.length === 0 ? '(nil)' : `{${entries.join(', ')}}`;
  return `&user.DefaultInfo{Name:"", UID:${JSON.stringify(uid)}, Groups:${list(groups)}, Extra:map[string][]string${shown}}`;
}

/**
 * Node joins a repeated header with `, `: a group name cannot hold a comma and a space, so that it can be taken apart
 * again. (Names with commas are not to be had over this header; Kubernetes allows them, nobody uses them.)
 */
function valuesOf(value: string | string[] | undefined): string[] {
  if (value === undefined) return [];
  return (Array.isArray(value) ? value : value.split(', ')).filter((one) => one !== '').map(utf8);
}

/** Node reads headers as latin-1; clients send UTF-8. */
function utf8(value: string): string {
  return Buffer.from(value, 'latin1').toString('utf8');
}

function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key).toLowerCase();
  } catch {
    return key.toLowerCase();
  }
}

/** Groups whose members are privileged beyond what RBAC says. */
function isPrivilegedGroup(group: string): boolean {
  return group === systemMasters || group.startsWith('system:kcp:') || group.startsWith(componentUserPrefix);
}

function refuseAuthority({ name, groups, extra }: Wanted, requester: UserInfo): void {
  if (name.startsWith(componentUserPrefix) || name === 'system:apiserver' || name.startsWith('system:kcp:')) {
    throw refused(`user ${JSON.stringify(name)} cannot be impersonated`);
  }
  for (const group of groups) {
    // Only a group that the requester has already is no gain.
    if (isPrivilegedGroup(group) && !requester.groups.includes(group)) {
      throw refused(`group ${JSON.stringify(group)} cannot be impersonated`);
    }
    if (group === allAuthenticated && !requester.groups.includes(allAuthenticated)) {
      throw refused(`group ${JSON.stringify(group)} cannot be impersonated`);
    }
  }
  for (const key of extra.keys()) {
    if (key.includes('kcp.io')) throw refused(`extra ${JSON.stringify(key)} cannot be impersonated`);
  }
}

function resultOf(
  { name, groups, uid, extra }: Wanted,
  constraint: string | undefined,
  scope: string | undefined,
): UserInfo {
  const allGroups = [...groups];
  // Who may be a node by a constrained right is one whole: its group comes with the name.
  if (constraint !== undefined && nodeOf(name) !== undefined) allGroups.push('system:nodes');
  const account = parseServiceAccountUser(name);
  if (account !== undefined && groups.length === 0)
    allGroups.push(...serviceAccountGroups(account.namespace));
  if (name === 'system:anonymous') {
    if (!allGroups.includes(allUnauthenticated)) allGroups.push(allUnauthenticated);
  } else if (!allGroups.includes(allAuthenticated) && !allGroups.includes(allUnauthenticated)) {
    allGroups.push(allAuthenticated);
  }
  const allExtra = new Map(extra);
  if (scope !== undefined)
    allExtra.set(scopesExtra, [...(allExtra.get(scopesExtra) ?? []), `cluster:${scope}`]);
  return { name, groups: allGroups, extra: allExtra, ...(uid === undefined ? {} : { uid }) };
}

function refused(why: string): ApiError {
  return new ApiError('Forbidden', `forbidden: ${why}`, { details: {} });
}
