import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { Random } from '../harness/random.ts';
import type { RawAnswer } from '../harness/raw-http.ts';
import { until } from '../harness/until.ts';
import type { Case, Step, StepOf } from './case.ts';
import { namespace, type Pair } from './pair.ts';

/** A kind that is applied: what must always be there, and parts of which each configuration has some. */
interface Applied {
  readonly apiVersion: string;
  readonly kind: string;
  readonly collection: string;
  readonly parts: (random: Random) => readonly JsonObject[];
}

const managers = ['alice', 'bob', 'carol'];
const stepsOfEach = 10;
const group = 'oracle.example.com';

const some = (random: Random, chance: number) => random.next() < chance;
const number = (random: Random) => random.between(1, 3);
const text = (random: Random) => random.pick(['x', 'y']);

function metadata(random: Random): JsonObject {
  return {
    ...(some(random, 0.5) ? { labels: { [random.pick(['l', 'm'])]: text(random) } } : {}),
    ...(some(random, 0.3) ? { annotations: { [random.pick(['n', 'o'])]: text(random) } } : {}),
    ...(some(random, 0.2) ? { finalizers: [`${group}/${random.pick(['f', 'g'])}`] } : {}),
  };
}

function items(random: Random, make: (name: string) => JsonObject): JsonObject[] {
  return ['a', 'b', 'c'].filter(() => some(random, 0.4)).map(make);
}

function podSpec(random: Random): JsonObject {
  const ports = () =>
    [80, 81]
      .filter(() => some(random, 0.4))
      .map((port) => ({
        containerPort: port,
        ...(some(random, 0.5) ? { protocol: random.pick(['TCP', 'UDP']) } : {}),
        ...(some(random, 0.3) ? { name: `p${port}` } : {}),
      }));
  const container = (name: string) => ({
    name,
    image: `registry.example/${text(random)}`,
    ...(some(random, 0.4) ? { env: items(random, (env) => ({ name: env, value: text(random) })) } : {}),
    ...(some(random, 0.4) ? { ports: ports() } : {}),
    ...(some(random, 0.3) ? { args: [text(random)] } : {}),
    ...(some(random, 0.3) ? { resources: { requests: { cpu: random.pick(['1', '1000m', '0.5']) } } } : {}),
  });
  return {
    containers: [container('main'), ...items(random, container)],
    ...(some(random, 0.3) ? { tolerations: [{ key: text(random), operator: 'Exists' }] } : {}),
    ...(some(random, 0.3) ? { volumes: items(random, (name) => ({ name, emptyDir: {} })) } : {}),
    ...(some(random, 0.2) ? { nodeSelector: { [text(random)]: text(random) } } : {}),
    ...(some(random, 0.2) ? { securityContext: { runAsUser: number(random) } } : {}),
  };
}

const labels = { app: 'oracle' };

const kinds: readonly Applied[] = [
  {
    ...{ apiVersion: 'v1', kind: 'ConfigMap', collection: `/api/v1/namespaces/${namespace}/configmaps` },
    parts: (random) => [
      {
        data: Object.fromEntries(
          ['a', 'b', 'c'].filter(() => some(random, 0.5)).map((key) => [key, text(random)]),
        ),
      },
      { immutable: false },
      { binaryData: { d: 'YQ==' } },
    ],
  },
  {
    ...{
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      collection: `/apis/apps/v1/namespaces/${namespace}/deployments`,
    },
    parts: (random) => [
      {
        spec: {
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: podSpec(random) },
        },
      },
      { spec: { replicas: number(random) } },
      {
        spec: {
          strategy: random.pick([{ type: 'Recreate' }, { rollingUpdate: { maxSurge: number(random) } }]),
        },
      },
      { spec: { paused: some(random, 0.5) } },
    ],
  },
  {
    ...{ apiVersion: 'v1', kind: 'Service', collection: `/api/v1/namespaces/${namespace}/services` },
    parts: (random) => [
      {
        spec: {
          ports: [80, 81, 82]
            .filter(() => some(random, 0.6))
            .map((port) => ({
              ...{ port, name: `p${port}` },
              ...(some(random, 0.4) ? { protocol: random.pick(['TCP', 'UDP']) } : {}),
              ...(some(random, 0.4) ? { targetPort: random.pick([8080, 'http']) } : {}),
            })),
        },
      },
      { spec: { selector: { [text(random)]: text(random) } } },
      { spec: { sessionAffinity: random.pick(['None', 'ClientIP']) } },
      { spec: { externalIPs: ['192.0.2.1', '192.0.2.2'].filter(() => some(random, 0.5)) } },
    ],
  },
  {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    collection: `/api/v1/namespaces/${namespace}/serviceaccounts`,
    parts: (random) => [
      { secrets: items(random, (name) => ({ name })) },
      { imagePullSecrets: items(random, (name) => ({ name })) },
      { automountServiceAccountToken: some(random, 0.5) },
    ],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    collection: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
    // Without an aggregationRule, by which kube-controller-manager writes the rules.
    parts: (random) => [
      // Never none: that is `null` to kube-apiserver, and a conflict with whoever wrote it.
      {
        rules: ['x', ...['a', 'b'].filter(() => some(random, 0.5))].map((name) => ({
          apiGroups: [''],
          resources: [name],
          verbs: ['get'],
        })),
      },
    ],
  },
  {
    apiVersion: `${group}/v1`,
    kind: 'Thing',
    collection: `/apis/${group}/v1/namespaces/${namespace}/things`,
    parts: (random) => [
      { spec: { set: ['a', 'b', 'c'].filter(() => some(random, 0.5)) } },
      { spec: { list: [text(random), text(random)] } },
      {
        spec: {
          keyed: items(random, (name) => ({
            name,
            ...(some(random, 0.5) ? { port: number(random) } : {}),
            value: text(random),
          })),
        },
      },
      { spec: { granular: { [text(random)]: { deep: text(random) } } } },
      { spec: { whole: { [text(random)]: text(random) } } },
      {
        spec: {
          free: random.pick<JsonValue>([{ a: { b: number(random) } }, [number(random)], text(random)]),
        },
      },
      { spec: { count: number(random) } },
      { status: { phase: text(random) } },
    ],
  },
];

const thingSchema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        set: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
        list: { type: 'array', items: { type: 'string' } },
        keyed: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name', 'port'],
          items: {
            type: 'object',
            required: ['name'],
            properties: {
              name: { type: 'string' },
              port: { type: 'integer', default: 1 },
              value: { type: 'string' },
            },
          },
        },
        granular: {
          type: 'object',
          additionalProperties: { type: 'object', properties: { deep: { type: 'string' } } },
        },
        whole: {
          type: 'object',
          additionalProperties: { type: 'string' },
          'x-kubernetes-map-type': 'atomic',
        },
        free: { 'x-kubernetes-preserve-unknown-fields': true },
        count: { type: 'integer', default: 7 },
      },
    },
    status: { type: 'object', properties: { phase: { type: 'string' } } },
  },
};

/** The custom kind that has lists and maps of every type. */
export async function appliedKinds(pair: Pair): Promise<void> {
  const body = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `things.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: thingSchema } }],
    },
  };
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  await pair.send({ path, method: 'POST', body: JSON.stringify(body) });
  await until('both serve the custom kind', async () => {
    const { oracle, ours } = await pair.send({ path: `/apis/${group}/v1/namespaces/${namespace}/things` });
    return oracle.status === 200 && ours.status === 200;
  });
}

/** Sequences of writes by several managers to an object of its own each. */
export function applies(random: Random, count: number): Case[] {
  return Array.from({ length: count }, (_, at) => {
    const applied = random.pick(kinds);
    const name = `applied-${at}`;
    const path = `${applied.collection}/${name}`;
    const steps: (Step | StepOf)[] = [];
    for (let step = 0; step < stepsOfEach; step++) steps.push(write(random, applied, name, path));
    steps.push({
      path,
      method: 'PATCH',
      contentType: 'application/merge-patch+json',
      body: { metadata: { finalizers: null } },
    });
    steps.push({ path, method: 'DELETE' });
    return { name: `applies ${at} of ${applied.kind}`, steps };
  });
}

function write(random: Random, applied: Applied, name: string, path: string): Step | StepOf {
  const manager = random.pick(managers);
  const body = configuration(random, applied, name);
  const how = random.weighted({ apply: 12, force: 6, merge: 3, update: 3, json: 1, status: 1, dry: 1 });
  const at = (query: string) => `${path}?fieldManager=${manager}${query}`;
  const patch = (type: string, value: JsonValue, query = ''): Step => ({
    ...{ method: 'PATCH', path: at(query), contentType: `application/${type}`, body: value },
  });
  switch (how) {
    case 'apply':
      return patch('apply-patch+yaml', body);
    case 'force':
      return patch('apply-patch+yaml', body, '&force=true');
    case 'dry':
      return patch('apply-patch+yaml', body, '&force=true&dryRun=All');
    case 'merge':
      return patch('merge-patch+json', withoutIdentity(body));
    case 'json':
      return patch('json-patch+json', [{ op: 'add', path: '/metadata/labels', value: { j: manager } }]);
    case 'status':
      return patch('merge-patch+json', { metadata: { annotations: { [manager]: 'merged' } }, spec: null });
    default:
      return (answers) => ({
        method: 'PUT',
        path: at(''),
        body: { ...lastOf(answers), ...withoutIdentity(body) },
      });
  }
}

function withoutIdentity({ metadata: _, ...body }: JsonObject): JsonObject {
  return body;
}

/** The object as it was answered last; nothing of it when it is not there. */
function lastOf(answers: readonly RawAnswer[]): JsonObject {
  const found = answers.findLast(({ status, json }) => status < 300 && json?.['kind'] !== 'Status');
  return { ...(found?.json as JsonObject | undefined) };
}

function configuration(random: Random, applied: Applied, name: string): JsonObject {
  const { apiVersion, kind, parts } = applied;
  const [first = {}, ...others] = parts(random);
  const body: JsonObject = { apiVersion, kind, metadata: { name, ...metadata(random) } };
  if (some(random, 0.7)) merge(body, first);
  for (const part of others) if (some(random, 0.35)) merge(body, part);
  return body;
}

function merge(into: JsonObject, part: JsonObject): void {
  for (const key in part) {
    const there = into[key];
    const value = part[key];
    if (isJsonObject(there) && isJsonObject(value)) merge(there, value);
    else into[key] = value;
  }
}
