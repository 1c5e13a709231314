import type { JsonObject } from '#apimachinery/json.ts';
import type { Random } from '../harness/random.ts';
import type { Case, Step, StepOf } from './case.ts';
import { namespace } from './pair.ts';
import {
  account,
  bindingOf,
  collectionOf,
  granters,
  groupSubject,
  objectNames,
  otherNamespace,
  reviewOf,
  roleOf,
  rulesOf,
  severalOf,
  tokenIn,
  userSubject,
  type World,
} from './rights.ts';

const stepsOfEach = 8;
const paths = [
  ...[
    '/healthz',
    '/healthz/ping',
    '/livez',
    '/readyz',
    '/version',
    '/version/',
    '/metrics',
    '/openid/v1/jwks',
  ],
  ...[
    '/.well-known/openid-configuration',
    '/api',
    '/api/',
    '/apis',
    '/openapi/v3',
    '/logs',
    '/logs/x',
    '/',
    '/none',
  ],
];
const askedVerbs = [
  'get',
  'list',
  'watch',
  'create',
  'update',
  'delete',
  'deletecollection',
  'bind',
  'approve',
  '*',
];
const askedResources: readonly (readonly [group: string, resource: string, subresource: string])[] = [
  ...([
    ['', 'pods', ''],
    ['', 'pods', 'log'],
    ['', 'secrets', ''],
    ['', 'configmaps', ''],
  ] as const),
  ...([
    ['', 'nodes', ''],
    ['', 'namespaces', ''],
    ['apps', 'deployments', ''],
    ['apps', 'deployments', 'scale'],
  ] as const),
  ...([
    ['example.com', 'widgets', ''],
    ['example.com', 'widgets', 'scale'],
    ['*', '*', ''],
    ['', '', ''],
  ] as const),
  ...([
    ['certificates.k8s.io', 'signers', ''],
    ['rbac.authorization.k8s.io', 'clusterroles', ''],
  ] as const),
];

interface Asker {
  readonly user: string;
  readonly groups: string[];
}

/** Who asks: a user of the world with some of its groups, or nobody known. */
function whoOf(random: Random, world: World): Asker {
  const user = random.pick([
    ...world.users,
    ...world.users,
    'stranger',
    `system:serviceaccount:${namespace}:${account}`,
  ]);
  const groups = [
    ...world.groups,
    'system:authenticated',
    'system:serviceaccounts',
    'system:unauthenticated',
  ];
  return { user, groups: random.next() < 0.2 ? [] : severalOf(random, groups, 3) };
}

function attributesOf(random: Random): JsonObject {
  const [group, resource, subresource] = random.pick(askedResources);
  return {
    ...{ verb: random.pick(askedVerbs), group, resource },
    ...(subresource === '' ? {} : { subresource }),
    ...(random.next() < 0.6 ? { namespace: random.pick([namespace, otherNamespace]) } : {}),
    ...(random.next() < 0.5 ? { name: random.pick(objectNames) } : {}),
    ...(random.next() < 0.2 ? { version: random.pick(['v1', '*']) } : {}),
  };
}

function questionOf(random: Random): JsonObject {
  if (random.next() < 0.75) return { resourceAttributes: attributesOf(random) };
  return {
    nonResourceAttributes: { path: random.pick(paths), verb: random.pick(['get', 'post', '*', 'head']) },
  };
}

/** Asked by an administrator who acts as somebody. */
function as(who: Asker, step: Step): Step {
  const headers = { 'impersonate-user': who.user, 'impersonate-group': who.groups };
  return { ...step, headers: { ...step.headers, ...headers } };
}

function reviewed(random: Random, world: World): Step {
  const who = whoOf(random, world);
  const question = questionOf(random);
  const kind = random.pick(['SubjectAccessReview', 'SubjectAccessReview', 'LocalSubjectAccessReview']);
  switch (random.weighted({ self: 2, other: 5, rules: 2 })) {
    case 'self':
      return as(who, reviewOf('SelfSubjectAccessReview', question));
    case 'rules': {
      const asked = { namespace: random.pick([namespace, namespace, otherNamespace, '']) };
      return as(who, reviewOf('SelfSubjectRulesReview', asked));
    }
    default:
      return reviewOf(kind, { ...who, groups: [...who.groups], ...question });
  }
}

function requested(random: Random, world: World): Step {
  const who = whoOf(random, world);
  if (random.next() < 0.4) return as(who, { path: random.pick(paths) });
  const where = random.pick([
    ...[
      `/api/v1/namespaces/${namespace}/configmaps`,
      `/api/v1/namespaces/${namespace}/secrets`,
      '/api/v1/nodes',
    ],
    ...[
      `/api/v1/namespaces/${otherNamespace}/pods`,
      `/apis/apps/v1/namespaces/${otherNamespace}/deployments`,
    ],
    ...['/apis/example.com/v1/widgets', '/api/v1/pods', `/api/v1/namespaces/${namespace}`],
  ]);
  const name = where.endsWith(`/${namespace}`) ? '' : `/absent${random.pick(['', '', '/status', '/scale'])}`;
  switch (random.weighted({ get: 3, list: 2, remove: 1, patch: 1, selected: 1 })) {
    case 'get':
      return as(who, { path: `${where}${name}` });
    case 'remove':
      return as(who, { method: 'DELETE', path: `${where}${name}?dryRun=All` });
    case 'patch': {
      const contentType = 'application/merge-patch+json';
      return as(who, { method: 'PATCH', path: `${where}${name}?dryRun=All`, body: {}, contentType });
    }
    case 'selected':
      return as(who, { path: `${where}?fieldSelector=metadata.name=${random.pick(['a', 'b'])}` });
    default:
      return as(who, { path: `${where}?labelSelector=none=none` });
  }
}

/** By one who may write roles and bindings, but not grant what it does not hold. */
function granted(random: Random, world: World): Step {
  const user = random.pick(world.users);
  const who = { user, groups: [...severalOf(random, world.groups, 1), granters, 'system:authenticated'] };
  const kind = random.pick(['Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding']);
  const isCluster = kind.startsWith('Cluster');
  const dryRun = '?dryRun=All';
  if (kind.endsWith('Binding')) {
    const roles = isCluster ? [] : world.roles;
    const clusterRoles = [...world.clusterRoles, 'system:basic-user', 'absent'];
    const ref = random.pick([
      ...roles.map((name) => ({ kind: 'Role', name })),
      ...clusterRoles.map((name) => ({ kind: 'ClusterRole', name })),
    ]);
    const subjects = [
      random.pick([userSubject('x'), groupSubject('y'), { kind: 'User', name: 'z', apiGroup: 'bad' }]),
    ];
    const body = bindingOf(kind, random.pick(['new', 'new', 'b%d']), ref, subjects);
    return as(who, { path: `${collectionOf(kind)}${dryRun}`, body });
  }
  const rules = rulesOf(random, isCluster || random.next() < 0.1);
  const selectors = random.pick([[], [{ matchLabels: { a: 'b' } }], [{}]]);
  const aggregated =
    isCluster && random.next() < 0.3 ? { aggregationRule: { clusterRoleSelectors: selectors } } : {};
  if (random.next() < 0.5) {
    const body = { ...roleOf(kind, random.pick(['new', 'new', 'b%d']), rules), ...aggregated };
    return as(who, { path: `${collectionOf(kind)}${dryRun}`, body });
  }
  const name = random.pick(isCluster ? world.clusterRoles : world.roles);
  const path = `${collectionOf(kind)}/${name}${dryRun}`;
  const change = random.pick([
    { rules },
    { metadata: { labels: { 'rbac.authorization.k8s.io/aggregate-to-admin': 'true' } } },
    { metadata: { finalizers: ['example.com/f'] } },
    { metadata: { annotations: { a: 'b' } }, rules },
    aggregated,
    {},
  ]);
  return as(who, { method: 'PATCH', path, body: change, contentType: 'application/merge-patch+json' });
}

/** By a service account, which acts as somebody else. */
function impersonated(random: Random, world: World): Step {
  const headers: { [name: string]: string | string[] } = {};
  const users = [
    ...world.users,
    'a',
    `system:serviceaccount:${namespace}:default`,
    'system:anonymous',
    'system:node:a',
  ];
  if (random.next() < 0.95) headers['impersonate-user'] = random.pick(users);
  if (random.next() < 0.4)
    headers['impersonate-group'] = severalOf(random, [...world.groups, 'a', 'system:masters'], 2);
  if (random.next() < 0.2) headers['impersonate-uid'] = random.pick(['a', 'b']);
  if (random.next() < 0.3) headers['impersonate-extra-scopes'] = severalOf(random, ['a', 'b'], 2);
  if (random.next() < 0.1) headers['impersonate-extra-example.com%2fx'] = 'a';
  return { path: `/api/v1/namespaces/${namespace}/configmaps/absent`, headers };
}

function impersonations(random: Random, world: World): Case['steps'] {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`;
  const steps = Array.from({ length: stepsOfEach }, () => impersonated(random, world));
  return [
    { path, body },
    ...steps.map(
      (step): StepOf =>
        ([first]) => {
          const headers = { ...step.headers, authorization: `Bearer ${tokenIn(first?.json)}` };
          return { ...step, headers };
        },
    ),
  ];
}

const topics = { reviewed, requested, granted } as const;

/** Questions to one world, topic by topic. */
export function rightsCases(random: Random, world: World): readonly Case[] {
  const cases: Case[] = Object.entries(topics).map(([topic, draw]) => ({
    name: `${topic} in ${world.name}`,
    steps: Array.from({ length: stepsOfEach }, () => draw(random, world)),
  }));
  return [...cases, { name: `impersonated in ${world.name}`, steps: impersonations(random, world) }];
}
