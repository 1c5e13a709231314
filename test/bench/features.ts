import type { Pool } from 'undici';
import { adminConnection, temporaryFolder } from '../harness/processes.ts';
import { until } from '../harness/until.ts';
import { startApiServer } from './api-server.ts';
import { load, loadPool } from './load.ts';
import { indexMark } from './raw-job.ts';
import { noteOf, type RawRequest, rawLoad } from './raw-load.ts';
import { sampleDeployment } from './samples.ts';
import { percentile, type Row, row } from './table.ts';

const clients = 64;
const json = 'application/json';
const scope = '/clusters/root';
const deployments = `${scope}/apis/apps/v1/namespaces/default/deployments`;
const rbac = `${scope}/apis/rbac.authorization.k8s.io/v1`;
const admission = `${scope}/apis/admissionregistration.k8s.io/v1`;
const policyCount = 10;

type Rawly = (
  count: number,
  request: RawRequest,
) => Promise<{ readonly perSecond: number; readonly note: string }>;

interface Bench {
  readonly pool: Pool;
  readonly rawly: Rawly;
  readonly scale: number;
}

/** What the plain requests leave out: apply, patches, rules in CEL, admission policies, many role bindings, Tables and pages. */
export async function benchFeatures(scale: number): Promise<Row[]> {
  await using folder = await temporaryFolder();
  await using server = await startApiServer(folder.path);
  const connection = await adminConnection(folder.path);
  const pool = loadPool(connection, 8);
  const rawly: Rawly = async (count, request) => {
    const result = await rawLoad(connection, server.pid, { clients, count: Math.ceil(count), request });
    return { perSecond: result.perSecond, note: noteOf(result) };
  };
  const bench: Bench = { pool, rawly, scale };
  const rows = [
    ...(await benchApply(bench)),
    ...(await benchLists(bench)),
    ...(await benchRules(bench)),
    ...(await benchPolicies(bench)),
    ...(await benchBindings(bench)),
  ];
  await pool.destroy();
  return rows;
}

/** Leaves the objects that the lists are made of. */
async function benchApply({ rawly, scale }: Bench): Promise<Row[]> {
  const count = 10_000 * scale;
  const object = sampleDeployment(`load-${indexMark}`);
  const apply = (replicas: number): RawRequest => ({
    method: 'PATCH',
    path: `${deployments}/load-${indexMark}?fieldManager=bench`,
    contentType: 'application/apply-patch+yaml',
    body: JSON.stringify({ ...object, spec: { ...(object['spec'] as object), replicas } }),
  });
  const created = await rawly(count, apply(3));
  const applied = await rawly(count, apply(4));
  const containers = [{ name: 'server', image: 'registry.example/bench/server:v1.2.4' }];
  const merged = await rawly(count, {
    method: 'PATCH',
    path: `${deployments}/load-${indexMark}?fieldManager=bench`,
    contentType: 'application/strategic-merge-patch+json',
    body: JSON.stringify({ spec: { template: { spec: { containers } } } }),
  });
  return [
    row('server-side apply that creates', created.perSecond, '/s', created.note),
    row('server-side apply that changes one field', applied.perSecond, '/s', applied.note),
    row('strategic merge patch of one container', merged.perSecond, '/s', merged.note),
  ];
}

async function benchLists({ pool, scale }: Bench): Promise<Row[]> {
  const count = Math.ceil(10_000 * scale);
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const timesOf = async (rounds: number, run: () => Promise<void>): Promise<number> => {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const startedMs = performance.now();
      await run();
      times.push(performance.now() - startedMs);
    }
    return percentile(
      times.sort((left, right) => left - right),
      0.5,
    );
  };
  const tableMs = await timesOf(5, async () => {
    const answer = await pool.request({ method: 'GET', path: deployments, headers: { accept: table } });
    await answer.body.dump({ limit: 1e9 });
  });
  const pagedMs = await timesOf(5, async () => {
    let token = '';
    let seen = 0;
    do {
      const query = token === '' ? '' : `&continue=${encodeURIComponent(token)}`;
      const answer = await pool.request({ method: 'GET', path: `${deployments}?limit=500${query}` });
      const page = (await answer.body.json()) as { metadata: { continue?: string }; items: unknown[] };
      token = page.metadata.continue ?? '';
      seen += page.items.length;
    } while (token !== '');
    if (seen < count) throw new Error(`the pages held ${seen} of ${count} objects`);
  });
  return [
    row(`LIST of ${count} Deployments as Table`, tableMs, 'ms', 'median of 5, one client'),
    row(
      `LIST of ${count} Deployments in pages of 500`,
      pagedMs,
      'ms',
      'median of 5, one client, which parses them',
    ),
  ];
}

/** A custom kind whose objects 100 rules are asked of. */
async function benchRules({ pool, rawly, scale }: Bench): Promise<Row[]> {
  const names = Array.from({ length: 100 }, (_, index) => `field${index}`);
  const version = {
    name: 'v1',
    served: true,
    storage: true,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: {
          spec: {
            type: 'object',
            properties: Object.fromEntries(names.map((name) => [name, { type: 'integer' }])),
            'x-kubernetes-validations': names.map((name, index) => ({
              rule: `!has(self.${name}) || (self.${name} >= 0 && self.${name} < ${1_000 + index})`,
              message: `${name} must be small`,
            })),
          },
        },
      },
    },
  };
  const crd = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'ruleds.bench.example' },
    spec: {
      group: 'bench.example',
      scope: 'Namespaced',
      names: { plural: 'ruleds', singular: 'ruled', kind: 'Ruled', listKind: 'RuledList' },
      versions: [version],
    },
  };
  await post(pool, `${scope}/apis/apiextensions.k8s.io/v1/customresourcedefinitions`, crd);
  const path = `${scope}/apis/bench.example/v1/namespaces/default/ruleds`;
  await until('the kind is served', async () => {
    const answer = await pool.request({ method: 'GET', path });
    await answer.body.dump();
    return answer.statusCode === 200;
  });
  const spec = Object.fromEntries(names.map((name, index) => [name, index]));
  const object = {
    apiVersion: 'bench.example/v1',
    kind: 'Ruled',
    metadata: { name: `load-${indexMark}` },
    spec,
  };
  const created = await rawly(5_000 * scale, {
    method: 'POST',
    path,
    contentType: json,
    body: JSON.stringify(object),
  });
  return [
    row('durable CREATE of a custom object under 100 CEL rules', created.perSecond, '/s', created.note),
  ];
}

/** The same Deployment in a namespace that admission policies guard, and in one that they leave alone. */
async function benchPolicies({ pool, rawly, scale }: Bench): Promise<Row[]> {
  const guarded = 'guarded';
  const free = 'unguarded';
  for (const name of [guarded, free]) {
    const metadata = { name, labels: { tier: name } };
    await post(pool, `${scope}/api/v1/namespaces`, { apiVersion: 'v1', kind: 'Namespace', metadata });
  }
  const create = (namespace: string, name: string) => ({
    method: 'POST',
    path: `${scope}/apis/apps/v1/namespaces/${namespace}/deployments`,
    contentType: json,
    body: JSON.stringify(sampleDeployment(name, namespace)),
  });
  const policies = Array.from({ length: policyCount }, (_, index) => `bench-${index}`);
  for (const policy of policies) {
    await postPolicy(pool, policy, guarded);
    await until(`${policy} refuses what it should`, async () => {
      const { path, body } = create(guarded, `not-by-${policy}`);
      const headers = { 'content-type': json };
      const answer = await pool.request({ method: 'POST', path: `${path}?dryRun=All`, headers, body });
      await answer.body.dump();
      return answer.statusCode === 422;
    });
  }
  const count = 5_000 * scale;
  const left = await rawly(count, create(free, `load-${indexMark}`));
  const judged = await rawly(count, create(guarded, `load-${indexMark}`));
  return [
    row(
      `durable CREATE under ${policyCount} ValidatingAdmissionPolicies`,
      judged.perSecond,
      '/s',
      `${judged.note}; without: ${Math.round(left.perSecond)}/s, ${left.note}`,
    ),
  ];
}

/** A policy of three expressions, a variable and a condition, bound to one namespace. */
async function postPolicy(pool: Pool, name: string, namespace: string): Promise<void> {
  const apiVersion = 'admissionregistration.k8s.io/v1';
  await post(pool, `${admission}/validatingadmissionpolicies`, {
    apiVersion,
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name },
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        resourceRules: [
          {
            apiGroups: ['apps'],
            apiVersions: ['v1'],
            operations: ['CREATE', 'UPDATE'],
            resources: ['deployments'],
          },
        ],
      },
      matchConditions: [{ name: 'not-of-nodes', expression: '!("system:nodes" in request.userInfo.groups)' }],
      variables: [{ name: 'containers', expression: 'object.spec.template.spec.containers' }],
      validations: [
        { expression: `object.metadata.name != "not-by-${name}"`, message: 'not by this name' },
        { expression: 'variables.containers.all(c, c.image.startsWith("registry.example/"))' },
        { expression: 'variables.containers.exists(c, has(c.resources) && has(c.resources.limits))' },
      ],
    },
  });
  await post(pool, `${admission}/validatingadmissionpolicybindings`, {
    apiVersion,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name },
    spec: {
      policyName: name,
      validationActions: ['Deny'],
      matchResources: { namespaceSelector: { matchLabels: { tier: namespace } } },
    },
  });
}

/** One reader among so many, who may read because of one binding. */
async function benchBindings({ pool, rawly, scale }: Bench): Promise<Row[]> {
  const bindings = Math.ceil(10_000 * scale);
  const apiGroup = 'rbac.authorization.k8s.io';
  const role = { apiVersion: `${apiGroup}/v1`, kind: 'ClusterRole', metadata: { name: 'bench-access' } };
  await post(pool, `${rbac}/clusterroles`, {
    ...role,
    rules: [{ nonResourceURLs: ['/'], verbs: ['access'] }],
  });
  await post(pool, `${rbac}/clusterrolebindings`, {
    apiVersion: `${apiGroup}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'bench-access' },
    roleRef: { apiGroup, kind: 'ClusterRole', name: 'bench-access' },
    subjects: [{ apiGroup, kind: 'Group', name: 'bench' }],
  });
  const made = await load(pool, {
    clients: 8,
    count: bindings,
    request: (index) => ({
      method: 'POST',
      path: `${rbac}/namespaces/default/rolebindings`,
      contentType: json,
      body: JSON.stringify({
        apiVersion: `${apiGroup}/v1`,
        kind: 'RoleBinding',
        metadata: { name: `reader-${index}` },
        roleRef: { apiGroup, kind: 'ClusterRole', name: 'view' },
        subjects: [{ apiGroup, kind: 'User', name: `reader-${index}` }],
      }),
    }),
  });
  if (made.failed > 0) throw new Error(`${made.failed} role bindings were refused`);
  const reads = await rawly(20_000 * scale, {
    method: 'GET',
    path: `${deployments}/load-00000001`,
    headers: { 'Impersonate-User': `reader-${Math.floor(bindings / 2)}`, 'Impersonate-Group': 'bench' },
  });
  return [
    row(
      `GET by one of ${bindings} users with a RoleBinding each`,
      reads.perSecond,
      '/s',
      `by impersonation; ${reads.note}`,
    ),
  ];
}

async function post(pool: Pool, path: string, object: object): Promise<void> {
  const answer = await pool.request({
    method: 'POST',
    path,
    headers: { 'content-type': json },
    body: JSON.stringify(object),
  });
  const text = await answer.body.text();
  if (answer.statusCode > 299) throw new Error(`POST ${path} was answered ${answer.statusCode}: ${text}`);
}
