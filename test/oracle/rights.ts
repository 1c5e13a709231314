import type { JsonObject } from '#apimachinery/json.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { Random } from '../harness/random.ts';
import { until } from '../harness/until.ts';
import { namespace, type Pair } from './pair.ts';

/** Roles and bindings drawn at random, whose names nobody else has, and who is meant by them. */
export interface World {
  readonly name: string;
  readonly users: readonly string[];
  readonly groups: readonly string[];
  readonly roles: readonly string[];
  readonly clusterRoles: readonly string[];
  readonly objects: readonly JsonObject[];
}

export const rbac = '/apis/rbac.authorization.k8s.io/v1';
const rbacGroup = 'rbac.authorization.k8s.io';
/** Every namespace has it; questions name the other one where nothing is bound. */
export const otherNamespace = 'oracle-other';
export const account = 'asker';
/** Lets its members reach what checks what is granted. */
export const granters = 'oracle-granters';

const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'];
const specialVerbs = ['*', 'escalate', 'bind', 'approve', 'sign', 'impersonate', 'impersonate:user-info'];
const groups = [
  '',
  '',
  'apps',
  rbacGroup,
  'certificates.k8s.io',
  'authentication.k8s.io',
  '*',
  'example.com',
];
const resources = [
  ...['pods', 'pods/log', 'configmaps', 'secrets', 'nodes', 'namespaces', '*', '*/scale', 'deployments'],
  ...['deployments/scale', 'roles', 'clusterroles', 'rolebindings', 'signers', 'users', 'groups', 'uids'],
  ...['userextras/scopes', 'serviceaccounts', '*/*', 'deployments/*'],
];
const urls = [
  '/healthz',
  '/healthz/*',
  '/metrics',
  '/openid/v1/jwks',
  '/openid/*',
  '/api*',
  '*',
  '/logs/*',
  '/',
];
export const objectNames = ['a', 'b', 'example.com/x', 'example.com/*'];

export function severalOf<Item>(random: Random, from: readonly Item[], most: number): Item[] {
  const found = new Set<Item>();
  for (let left = random.between(1, most); left > 0; left--) found.add(random.pick(from));
  return [...found];
}

export function ruleOf(
  random: Random,
  isCluster: boolean,
  names: readonly string[] = objectNames,
): JsonObject {
  const drawn = random.next() < 0.8 ? verbs : specialVerbs;
  if (isCluster && random.next() < 0.2)
    return { verbs: severalOf(random, drawn, 2), nonResourceURLs: severalOf(random, urls, 2) };
  return {
    verbs: severalOf(random, drawn, 3),
    apiGroups: severalOf(random, groups, 2),
    resources: severalOf(random, resources, 3),
    ...(random.next() < 0.3 ? { resourceNames: severalOf(random, names, 2) } : {}),
  };
}

export function rulesOf(random: Random, isCluster: boolean, names?: readonly string[]): JsonObject[] {
  return Array.from({ length: random.between(0, 3) }, () => ruleOf(random, isCluster, names));
}

export function roleOf(
  kind: string,
  name: string,
  rules: readonly JsonObject[],
  more: JsonObject = {},
): JsonObject {
  const where = kind === 'Role' ? { namespace } : {};
  return { apiVersion: `${rbacGroup}/v1`, kind, metadata: { name, ...where, ...more }, rules: [...rules] };
}

export function bindingOf(
  kind: string,
  name: string,
  to: { readonly kind: string; readonly name: string },
  subjects: readonly JsonObject[],
): JsonObject {
  const where = kind === 'RoleBinding' ? { namespace } : {};
  return {
    ...{ apiVersion: `${rbacGroup}/v1`, kind, metadata: { name, ...where } },
    ...{ roleRef: { apiGroup: rbacGroup, ...to }, subjects: [...subjects] },
  };
}

export const userSubject = (name: string): JsonObject => ({ apiGroup: rbacGroup, kind: 'User', name });
export const groupSubject = (name: string): JsonObject => ({ apiGroup: rbacGroup, kind: 'Group', name });

/** The path that an object of RBAC is created at. */
export function collectionOf(kind: unknown): string {
  const resource = `${String(kind).toLowerCase()}s`;
  return resource.startsWith('cluster')
    ? `${rbac}/${resource}`
    : `${rbac}/namespaces/${namespace}/${resource}`;
}

export function worldOf(random: Random, name: string): World {
  const named = (what: string, count: number) =>
    Array.from({ length: count }, (_, at) => `${name}-${what}${at}`);
  const [users, memberships] = [named('u', 3), named('g', 2)];
  const [roles, clusterRoles] = [named('r', 2), named('c', 2)];
  const subjects = (): JsonObject[] =>
    severalOf(
      random,
      [
        ...users.map(userSubject),
        ...memberships.map(groupSubject),
        { kind: 'ServiceAccount', name: account, namespace },
        { kind: 'ServiceAccount', name: `${name}-sa`, namespace: otherNamespace },
      ],
      3,
    );
  // Of some that are bound there is no role.
  const role = () => ({ kind: 'Role', name: random.pick([...roles, ...roles, `${name}-absent`]) });
  const clusterRole = () => ({
    kind: 'ClusterRole',
    name: random.pick([...clusterRoles, ...clusterRoles, 'system:basic-user', `${name}-absent`]),
  });
  return {
    ...{ name, users, groups: memberships, roles, clusterRoles },
    objects: [
      ...roles.map((one) => roleOf('Role', one, rulesOf(random, false))),
      ...clusterRoles.map((one) => roleOf('ClusterRole', one, rulesOf(random, true))),
      ...named('b', random.between(1, 2)).map((one) =>
        bindingOf('RoleBinding', one, random.next() < 0.6 ? role() : clusterRole(), subjects()),
      ),
      ...named('d', random.between(0, 2)).map((one) =>
        bindingOf('ClusterRoleBinding', one, clusterRole(), subjects()),
      ),
    ],
  };
}

const grantedToGranters: readonly JsonObject[] = [
  {
    ...{ apiGroups: [rbacGroup], verbs: ['get', 'create', 'update', 'patch'] },
    resources: ['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings'],
  },
  {
    ...{ apiGroups: ['certificates.k8s.io'], verbs: ['create', 'update'] },
    resources: ['certificatesigningrequests', 'certificatesigningrequests/approval'],
  },
];

/** In both, and seen by what decides at both. */
export async function makeWorlds(pair: Pair, worlds: readonly World[]): Promise<void> {
  const access = 'system:kcp:workspace:access';
  const made = async (path: string, object: JsonObject, atOracleOnly = false) => {
    const request = { path, body: JSON.stringify(object) };
    const { oracle, ours } = atOracleOnly
      ? { oracle: await pair.askOracle(request), ours: undefined }
      : await pair.send(request);
    if (oracle.status !== 201 || (ours ?? oracle).status !== 201)
      throw new Error(`${oracle.text} ${ours?.text}`);
  };
  await made('/api/v1/namespaces', named('v1', 'Namespace', otherNamespace));
  await made(`/api/v1/namespaces/${namespace}/serviceaccounts`, named('v1', 'ServiceAccount', account));
  const enter = roleOf('ClusterRole', access, [{ verbs: ['access'], nonResourceURLs: ['/'] }]);
  await made(collectionOf('ClusterRole'), enter, true);
  const everybody = ['system:authenticated', 'system:unauthenticated'].map(groupSubject);
  const users = ['stranger', ...worlds.flatMap((world) => world.users)].map(userSubject);
  const objects = [
    bindingOf('ClusterRoleBinding', 'everybody-enters', { kind: 'ClusterRole', name: access }, [
      ...everybody,
      ...users,
    ]),
    roleOf('ClusterRole', granters, grantedToGranters),
    bindingOf('ClusterRoleBinding', granters, { kind: 'ClusterRole', name: granters }, [
      groupSubject(granters),
    ]),
    ...worlds.flatMap((world) => world.objects),
    ...lastOnes,
  ];
  for (const object of objects) await made(collectionOf(object['kind']), object);
  // kube-apiserver decides by informers: each has seen what was written before the last of its kind.
  const asked = { verb: 'get', resource: 'pods', name: 'last' };
  for (const resourceAttributes of [
    { ...asked, namespace },
    { ...asked, resource: 'nodes' },
  ])
    await until('both know the last binding', async () => {
      const review = reviewOf('SubjectAccessReview', { user: 'last', resourceAttributes });
      const { status } = (await pair.askOracle(review)).json as { status?: { allowed?: boolean } };
      return status?.allowed === true;
    });
}

const lastOnes: readonly JsonObject[] = [
  roleOf('Role', 'last', [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }]),
  roleOf('ClusterRole', 'last', [{ verbs: ['get'], apiGroups: [''], resources: ['nodes'] }]),
  bindingOf('RoleBinding', 'last', { kind: 'Role', name: 'last' }, [userSubject('last')]),
  bindingOf('ClusterRoleBinding', 'last', { kind: 'ClusterRole', name: 'last' }, [userSubject('last')]),
];

export function reviewOf(kind: string, spec: JsonObject): { readonly path: string; readonly body: string } {
  const resource = `${kind.toLowerCase()}s`;
  const where = kind.startsWith('Local') ? `namespaces/${namespace}/` : '';
  const body = { apiVersion: 'authorization.k8s.io/v1', kind, spec };
  return { path: `/apis/authorization.k8s.io/v1/${where}${resource}`, body: JSON.stringify(body) };
}

function named(apiVersion: string, kind: string, name: string): JsonObject {
  return { apiVersion, kind, metadata: { name } };
}

/** The token that a TokenRequest was answered with. */
export function tokenIn(body: unknown): string {
  const status = isJsonObject(body as JsonObject) ? (body as JsonObject)['status'] : undefined;
  return isJsonObject(status) ? String(status['token']) : '';
}
