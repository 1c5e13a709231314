import type { JsonObject } from '#apimachinery/json.ts';
import type { Random } from '../harness/random.ts';
import type { Case, Step } from './case.ts';
import { namespace, type Pair } from './pair.ts';

const maps = `/api/v1/namespaces/${namespace}/configmaps`;
const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`;
const container = { name: 'c', image: 'registry.example/c' };

function configMap(name: string, more: JsonObject = {}): JsonObject {
  const labels = { oracle: 'queries', kind: name };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels }, data: { a: '1' }, ...more };
}

function deployment(name: string): JsonObject {
  const labels = { oracle: 'queries' };
  const template = { metadata: { labels }, spec: { containers: [container] } };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels },
    spec: { selector: { matchLabels: labels }, template },
  };
}

/** What the queries are about. */
export async function queriedObjects(pair: Pair): Promise<void> {
  const objects: readonly (readonly [string, JsonObject])[] = [
    ...['a', 'b', 'c', 'd'].map((name) => [maps, configMap(name)] as const),
    ...['a', 'b'].map((name) => [deployments, deployment(name)] as const),
  ];
  for (const [path, object] of objects) {
    const { oracle, ours } = await pair.send({ path, method: 'POST', body: JSON.stringify(object) });
    if (oracle.status !== 201 || ours.status !== 201) throw new Error(`${oracle.text} ${ours.text}`);
  }
}

type Values = { readonly [parameter: string]: readonly string[] };

const everywhere: Values = {
  pretty: ['true', 'false', '1', ''],
  timeout: ['10s', 'x', '0s', '-1s'],
  foo: ['bar'],
};
const reading: Values = {
  resourceVersion: ['', '0', 'x', '-1', '99999999999'],
  includeObject: ['None', 'Metadata', 'Object', 'X'],
};
const listing: Values = {
  ...reading,
  limit: ['0', '1', '3', '500', '-1', 'x'],
  continue: ['x', ''],
  labelSelector: [
    'kind=a',
    'kind in (a,b)',
    'kind!=a',
    '!kind',
    'kind,oracle',
    'a=b=c',
    'a in b',
    '=',
    'Bad key=x',
    'kind>1',
  ],
  fieldSelector: [
    'metadata.name=a',
    'metadata.name!=a',
    `metadata.namespace=${namespace}`,
    'spec.x=1',
    'bad',
    'metadata.name==a,metadata.name=b',
  ],
  resourceVersionMatch: ['Exact', 'NotOlderThan', 'X', ''],
  timeoutSeconds: ['5', '-1', 'x'],
  watch: ['false', '0'],
  sendInitialEvents: ['true', 'false', 'x'],
  allowWatchBookmarks: ['true', 'x'],
};
const writing: Values = {
  fieldValidation: ['Ignore', 'Warn', 'Strict', '', 'strict'],
  fieldManager: ['m', '', 'a'.repeat(129), 'bad\n'],
  dryRun: ['All', 'None', 'X'],
};
const patching: Values = { ...writing, force: ['true', 'false', 'x'] };
const deleting: Values = {
  propagationPolicy: ['Background', 'Foreground', 'Orphan', 'X', ''],
  gracePeriodSeconds: ['0', '30', '-1', 'x'],
  orphanDependents: ['true', 'false', 'x'],
  dryRun: ['All', 'X'],
};

const accepts = [
  'application/json',
  '*/*',
  'application/*',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
  'application/json;as=Table;v=v1;g=meta.k8s.io',
  'application/json;as=Table;v=v1beta1;g=meta.k8s.io',
  'application/yaml;as=Table;v=v1;g=meta.k8s.io',
  'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
  'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
  'application/json;as=Nonsense;v=v1;g=meta.k8s.io',
  'text/html',
  'application/cbor,application/json;q=0.5',
  'application/json;charset=utf-8',
];
const contentTypes = [
  'application/json',
  'application/yaml',
  'text/plain',
  'application/json;charset=utf-8',
  '',
];
const patchTypes = [
  'json-patch+json',
  'merge-patch+json',
  'strategic-merge-patch+json',
  'apply-patch+yaml',
  'x',
];

const odd = { unknown: 1, data: { b: '2' } };

/** One request each, of which none leaves anything behind: parameters, right and wrong, in random combination. */
export function queries(random: Random, count: number): Case[] {
  return Array.from({ length: count }, (_, at) => {
    const step = random.pick([read, list, create, update, patch, remove])(random);
    const headers = random.next() < 0.5 ? { accept: random.pick(accepts) } : undefined;
    return {
      name: `query ${at}: ${step.method ?? 'GET'} ${step.path} ${headers?.accept ?? ''}`,
      steps: [{ ...step, headers }],
    };
  });
}

/** Each parameter with the same small chance; those of writes end in `dryRun=All`, unless another value is refused. */
function query(random: Random, values: Values, isWrite: boolean): string {
  const parameters = new URLSearchParams();
  for (const [name, some] of Object.entries({ ...everywhere, ...values }))
    if (random.next() < 0.25) parameters.append(name, random.pick(some));
  if (isWrite && !parameters.has('dryRun')) parameters.append('dryRun', 'All');
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

function read(random: Random): Step {
  const path = random.pick([
    `${maps}/a`,
    `${deployments}/a`,
    `${deployments}/a/scale`,
    `${maps}/none`,
    '/api/v1',
    '/apis/apps',
  ]);
  return { path: `${path}${query(random, reading, false)}` };
}

function list(random: Random): Step {
  return { path: `${random.pick([maps, deployments, maps])}${query(random, listing, false)}` };
}

function create(random: Random): Step {
  const body = random.pick([
    configMap('new'),
    configMap('new', odd),
    configMap('a'),
    { ...configMap('x'), metadata: {} },
  ]);
  const contentType = random.next() < 0.2 ? random.pick(contentTypes) : undefined;
  return { path: `${maps}${query(random, writing, true)}`, method: 'POST', body, contentType };
}

function update(random: Random): Step {
  const body = random.pick([configMap('a'), configMap('a', odd), configMap('b')]);
  return { path: `${maps}/a${query(random, writing, true)}`, method: 'PUT', body };
}

function patch(random: Random): Step {
  const type = random.pick(patchTypes);
  const body = type.startsWith('json')
    ? [
        random.pick([
          { op: 'add', path: '/data/x', value: 'y' },
          { op: 'test', path: '/data/a', value: '2' },
          { op: 'nonsense' },
        ]),
      ]
    : { ...configMap('a'), ...random.pick([{}, odd, { data: { a: '2' } }]) };
  const contentType = `application/${type}`;
  return {
    path: `${random.pick([`${maps}/a`, `${maps}/none`])}${query(random, patching, true)}`,
    method: 'PATCH',
    body,
    contentType,
  };
}

function remove(random: Random): Step {
  const path = random.pick([`${maps}/a`, `${maps}/none`, `${deployments}/a`, maps]);
  const body = random.next() < 0.2 ? { kind: 'DeleteOptions', apiVersion: 'v1', dryRun: ['All'] } : undefined;
  const values = path === maps ? { ...deleting, labelSelector: listing['labelSelector'] ?? [] } : deleting;
  return { path: `${path}${query(random, values, true)}`, method: 'DELETE', body };
}
