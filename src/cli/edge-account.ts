import { setTimeout } from 'node:timers/promises';
import { returnableKinds } from '#api/federation/return-contract.ts';
import { isPropagatedResource } from '#api/policy/selected-kinds.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import { readDiscovery } from '#federator/edge/read-discovery.ts';
import type { ServedKind } from '#federator/edge/served-kind.ts';
import { isPrivilegedResource } from '#scheduler/projection/kinds.ts';

export interface EdgeAccountOptions {
  readonly namespace: string;
  readonly name: string;
  /** Groups of CRDs that projects will bring: the edge does not serve them yet. */
  readonly apiGroups: readonly string[];
  /** Kinds that grant authority or act beyond a namespace too (`Cell.spec.allow.kinds`). */
  readonly allowPrivileged: boolean;
  /** Its nodes may be read (`Cell.spec.watchNodes`); pods it reads anyway. */
  readonly watchNodes: boolean;
}

export interface EdgeAccount {
  readonly token: string;
  /** RFC 3339; absent: it does not expire. */
  readonly expires?: string | undefined;
}

const fieldManager = 'cellplane-join';
const readVerbs = ['get', 'list', 'watch'];
const syncVerbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'];
/** How long to wait for the edge to fill a token Secret, before asking for a token that expires. */
const tokenSecretMs = 5_000;
const tokenLookEveryMs = 100;
const requestedSeconds = 365 * 24 * 3_600;
const rbac = { group: 'rbac.authorization.k8s.io', version: 'v1' } as const;
const core = (resource: string) => ({ group: '', version: 'v1', resource });

/**
 * Makes a service account at an edge with what a federator needs there and no more, or brings an older one up to date, and
 * returns a token for it. Kinds by name and without their subresources: no `pods/exec`, no tokens, no impersonation. Throws
 * ApiError when the edge refuses.
 */
export async function createEdgeAccount(
  edgeClient: KubeClient,
  options: EdgeAccountOptions,
  signal: AbortSignal,
): Promise<EdgeAccount> {
  const { namespace, name } = options;
  const kinds = await readDiscovery(edgeClient, signal);
  const apply = (ref: Omit<ObjectRef, 'cluster' | 'name'>, kind: string, content: JsonObject) => {
    const { group, version } = ref.gvr;
    const metadata = { name, ...(ref.namespace === undefined ? {} : { namespace: ref.namespace }) };
    const apiVersion = group === '' ? version : `${group}/${version}`;
    return edgeClient.apply(
      { cluster: undefined, name, ...ref },
      { apiVersion, kind, metadata, ...content },
      { fieldManager, force: true, signal },
    );
  };
  await edgeClient.apply(
    { cluster: undefined, gvr: core('namespaces'), name: namespace },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    { fieldManager, force: true, signal },
  );
  await apply({ gvr: core('serviceaccounts'), namespace }, 'ServiceAccount', {});
  await apply({ gvr: { ...rbac, resource: 'clusterroles' } }, 'ClusterRole', {
    rules: rulesFor(kinds, options),
  });
  await apply({ gvr: { ...rbac, resource: 'clusterrolebindings' } }, 'ClusterRoleBinding', {
    roleRef: { apiGroup: rbac.group, kind: 'ClusterRole', name },
    subjects: [{ kind: 'ServiceAccount', namespace, name }],
  });
  await apply({ gvr: core('secrets'), namespace }, 'Secret', {
    type: 'kubernetes.io/service-account-token',
    metadata: { name, namespace, annotations: { 'kubernetes.io/service-account.name': name } },
  });
  return (
    (await lastingToken(edgeClient, { namespace, name }, signal)) ?? requestToken(edgeClient, options, signal)
  );
}

/** Takes away what `createEdgeAccount` made, but for the namespace. */
export async function removeEdgeAccount(
  edgeClient: KubeClient,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  signal: AbortSignal,
): Promise<void> {
  const refs: ObjectRef[] = [
    { cluster: undefined, gvr: { ...rbac, resource: 'clusterrolebindings' }, name },
    { cluster: undefined, gvr: { ...rbac, resource: 'clusterroles' }, name },
    { cluster: undefined, gvr: core('secrets'), namespace, name },
    { cluster: undefined, gvr: core('serviceaccounts'), namespace, name },
  ];
  for (const ref of refs) {
    await edgeClient.delete(ref, { signal }).catch((error: unknown) => {
      if (!isApiError(error, 'NotFound')) throw error;
    });
  }
}

/** Rules of the ClusterRole, group by group. */
export function rulesFor(
  kinds: readonly ServedKind[],
  {
    apiGroups,
    allowPrivileged,
    watchNodes,
  }: Pick<EdgeAccountOptions, 'apiGroups' | 'allowPrivileged' | 'watchNodes'>,
): JsonObject[] {
  const byGroup = new Map<string, Set<string>>();
  const born = new Map<string, Set<string>>();
  const add = (to: Map<string, Set<string>>, group: string, resource: string) =>
    to.set(group, (to.get(group) ?? new Set()).add(resource));
  for (const { group, resource, isSyncable } of kinds) {
    if (!isSyncable || apiGroups.includes(group)) continue;
    if (!isPropagatedResource(group, resource)) {
      // Never a copy, and yet asked for by ReturnPolicies (docs/copies.md, What comes back): Events, EndpointSlices.
      if (returnableKinds.some((one) => one.group === group && one.resource === resource)) {
        add(born, group, resource);
      }
    } else if (allowPrivileged || !isPrivilegedResource(group, resource)) add(byGroup, group, resource);
  }
  const rules: JsonObject[] = [
    ...[...byGroup].map((entry) => ruleOf(entry, syncVerbs)),
    ...[...born].map((entry) => ruleOf(entry, readVerbs)),
  ];
  if (apiGroups.length > 0) rules.push({ apiGroups: [...apiGroups], resources: ['*'], verbs: syncVerbs });
  // A copy of a role grants what its writer may not have himself; Kubernetes asks for these verbs then.
  if (allowPrivileged) {
    rules.push({
      apiGroups: [rbac.group],
      resources: ['roles', 'rolebindings', 'clusterroles', 'clusterrolebindings'],
      verbs: ['bind', 'escalate'],
    });
  }
  if (watchNodes) rules.push({ apiGroups: [''], resources: ['nodes'], verbs: readVerbs });
  // Whether a kind that is not served any more went with its definition (federator/edge/custom-kind-gone.ts).
  rules.push({ apiGroups: ['apiregistration.k8s.io'], resources: ['apiservices'], verbs: ['get'] });
  rules.push({ nonResourceURLs: ['/version', '/api', '/api/*', '/apis', '/apis/*'], verbs: ['get'] });
  return rules;
}

function ruleOf([group, resources]: readonly [string, ReadonlySet<string>], verbs: string[]): JsonObject {
  return { apiGroups: [group], resources: [...resources].sort(), verbs };
}

/** The token that the edge's controller puts into the Secret; undefined when none does. */
async function lastingToken(
  edgeClient: KubeClient,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  signal: AbortSignal,
): Promise<EdgeAccount | undefined> {
  const ref = { cluster: undefined, gvr: core('secrets'), namespace, name };
  const endMs = performance.now() + tokenSecretMs;
  while (performance.now() < endMs) {
    const { data } = await edgeClient.get(ref, { signal });
    const token = isJsonObject(data) ? data['token'] : undefined;
    if (typeof token === 'string' && token !== '')
      return { token: Buffer.from(token, 'base64').toString('utf8') };
    await setTimeout(tokenLookEveryMs, undefined, { signal });
  }
  return undefined;
}

async function requestToken(
  edgeClient: KubeClient,
  { namespace, name }: EdgeAccountOptions,
  signal: AbortSignal,
): Promise<EdgeAccount> {
  const answer = await edgeClient.raw(
    {
      cluster: undefined,
      method: 'POST',
      path: `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { expirationSeconds: requestedSeconds },
      },
    },
    { signal },
  );
  const status = isJsonObject(answer) ? answer['status'] : undefined;
  const { token, expirationTimestamp } = isJsonObject(status) ? status : {};
  if (typeof token !== 'string') throw new ApiError('InternalError', 'the edge gave no token');
  return { token, expires: typeof expirationTimestamp === 'string' ? expirationTimestamp : undefined };
}
