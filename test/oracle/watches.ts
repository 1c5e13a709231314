import type { JsonObject } from '#apimachinery/json.ts';
import type { Random } from '../harness/random.ts';
import type { RawAnswer, RawRequest } from '../harness/raw-http.ts';
import type { Step, StepOf } from './case.ts';
import { namespace } from './pair.ts';

/** Writes before and after a watch begins. The last write is seen through every selector, and says that it is the last. */
export interface WatchCase {
  readonly name: string;
  readonly before: readonly (Step | StepOf)[];
  /** What each server has answered before: a watch may begin at a revision that it gave. */
  readonly watch: (answers: readonly RawAnswer[]) => RawRequest;
  readonly after: readonly (Step | StepOf)[];
  /** Of the resource that is watched; a write to it is one that the watch does not see. */
  readonly collection: string;
  readonly kind: Kind;
}

/** Of the kind that the suite defines. */
export const watchedGroup = 'watched.oracle.example.com';

export const watchedDefinition: JsonObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `watcheds.${watchedGroup}` },
  spec: {
    group: watchedGroup,
    scope: 'Namespaced',
    names: { plural: 'watcheds', kind: 'Watched' },
    versions: [
      {
        ...{ name: 'v1', served: true, storage: true },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: { size: { type: 'integer', default: 1 }, node: { type: 'string' } },
              },
            },
          },
        },
        additionalPrinterColumns: [
          { name: 'Size', type: 'integer', jsonPath: '.spec.size', description: 'how large it is' },
          { name: 'Node', type: 'string', jsonPath: '.spec.node', priority: 1 },
        ],
        selectableFields: [{ jsonPath: '.spec.node' }],
      },
    ],
  },
};

interface Kind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly resource: string;
  readonly more: JsonObject;
  readonly change: (random: Random) => JsonObject;
}

export const lastAnnotation = 'oracle.example/last';

const template = { metadata: { labels: { app: 'w' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
const kinds: readonly Kind[] = [
  {
    ...{ apiVersion: 'v1', kind: 'ConfigMap', resource: 'configmaps', more: { data: { a: '1' } } },
    change: (random) => ({ data: { a: String(random.between(1, 3)) } }),
  },
  {
    ...{ apiVersion: 'apps/v1', kind: 'ReplicaSet', resource: 'replicasets' },
    more: { spec: { selector: { matchLabels: { app: 'w' } }, template } },
    change: (random) => ({ spec: { replicas: random.between(1, 3) } }),
  },
  {
    ...{ apiVersion: 'v1', kind: 'Secret', resource: 'secrets', more: { type: 'example.com/x' } },
    change: (random) => ({ stringData: { a: String(random.between(1, 3)) } }),
  },
  {
    ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', resource: 'leases', more: { spec: {} } },
    change: (random) => ({ spec: { holderIdentity: `h${random.between(1, 3)}` } }),
  },
  {
    ...{ apiVersion: `${watchedGroup}/v1`, kind: 'Watched', resource: 'watcheds', more: { spec: {} } },
    change: (random) => ({ spec: { size: random.between(1, 3), node: random.pick(['n', 'm', null]) } }),
  },
];

const some = (random: Random, chance: number) => random.next() < chance;

function rootOf({ apiVersion }: Kind): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

/** Sequences of writes of which each has objects of its own, and a watch that begins in the middle of it. */
export function watches(random: Random, count: number): WatchCase[] {
  return Array.from({ length: count }, (_, at) => watchCase(random.fork(), at));
}

function watchCase(random: Random, at: number): WatchCase {
  const kind = random.pick(kinds);
  const collection = `${rootOf(kind)}/namespaces/${namespace}/${kind.resource}`;
  const names = ['a', 'b', 'c'].map((one) => `watched-${at}-${one}`);
  const [first = ''] = names;
  const write = () => writeTo(random, kind, collection, { case: String(at) }, random.pick(names));
  const before = [
    create(random, kind, collection, { case: String(at) }, first),
    ...Array.from({ length: random.between(0, 6) }, write),
  ];
  const after = [
    ...Array.from({ length: random.between(2, 8) }, write),
    patch(`${collection}/${first}`, { metadata: { finalizers: null } }),
    create(random, kind, collection, { case: String(at) }, first),
    patch(`${collection}/${first}`, {
      metadata: { labels: { on: 'yes' }, annotations: { [lastAnnotation]: 'yes' } },
    }),
  ];
  const headers = { accept: random.pick(accepts) };
  const query = queryOf(random, at, first, before.length);
  const path = pathOf(random, kind, collection);
  return {
    name: `watch ${at} of ${kind.kind}`,
    ...{ before, after, collection, kind },
    watch: (answers) => ({ path: `${path}?${query(answers)}`, headers }),
  };
}

function pathOf(random: Random, { resource, ...kind }: Kind, collection: string): string {
  const root = rootOf({ resource, ...kind });
  return random.weighted({ own: 6, all: 2, legacy: 1, legacyAll: 1 }) === 'own'
    ? collection
    : random.pick([
        `${root}/${resource}`,
        `${root}/watch/namespaces/${namespace}/${resource}`,
        `${root}/watch/${resource}`,
      ]);
}

export const accepts = [
  'application/json',
  'application/json',
  'application/json;stream=watch',
  'application/json;as=Table;v=v1;g=meta.k8s.io',
  'application/json;as=Table;v=v1beta1;g=meta.k8s.io',
  'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
  'application/json;as=PartialObjectMetadata;v=v1beta1;g=meta.k8s.io,application/json',
  'application/yaml,application/json',
  'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  'application/vnd.kubernetes.protobuf;stream=watch,application/json',
  'application/vnd.kubernetes.protobuf',
];

type QueryOf = (answers: readonly RawAnswer[]) => string;

function queryOf(random: Random, at: number, first: string, answered: number): QueryOf {
  const query = new URLSearchParams({ watch: 'true' });
  const own = `case=${at}`;
  const label = random.pick([
    own,
    own,
    `${own},on=yes`,
    `${own},on!=no`,
    `${own},on in (yes,maybe)`,
    `case in (${at}),on`,
  ]);
  query.set('labelSelector', label);
  const field = random.weighted({ none: 6, name: 2, other: 1, namespace: 1 });
  if (field === 'name') query.set('fieldSelector', `metadata.name=${first}`);
  if (field === 'other') query.set('fieldSelector', `metadata.name!=watched-${at}-b`);
  if (field === 'namespace') query.set('fieldSelector', `metadata.namespace=${namespace}`);
  if (some(random, 0.3)) query.set('allowWatchBookmarks', 'true');
  if (some(random, 0.2)) query.set('includeObject', random.pick(['Metadata', 'Object']));
  if (some(random, 0.1)) query.set('pretty', 'true');
  if (some(random, 0.1)) query.set('timeoutSeconds', '100');
  if (some(random, 0.1)) query.set('limit', '1');
  const version = random.weighted({ none: 3, zero: 3, known: 5, later: 0 });
  const initial = random.weighted({ none: 5, yes: 3, no: 2, wrong: 1 });
  if (initial !== 'none') {
    query.set('sendInitialEvents', String(initial !== 'no'));
    if (initial !== 'wrong') query.set('resourceVersionMatch', 'NotOlderThan');
    else query.set('allowWatchBookmarks', 'true');
  }
  const from = random.between(0, answered - 1);
  return (answers) => {
    if (version === 'zero') query.set('resourceVersion', '0');
    if (version === 'known') query.set('resourceVersion', revisionUpTo(answers, from));
    return query.toString();
  };
}

/** The latest revision that the first answers told. */
function revisionUpTo(answers: readonly RawAnswer[], last: number): string {
  const revisions = answers
    .slice(0, last + 1)
    .map(({ json }) => (json?.['metadata'] as JsonObject | undefined)?.['resourceVersion']);
  return String(revisions.findLast((one) => typeof one === 'string') ?? '0');
}

function create(random: Random, kind: Kind, path: string, labels: JsonObject, name: string): Step {
  const { apiVersion, kind: called, more } = kind;
  const on = some(random, 0.7) ? { on: random.pick(['yes', 'no', 'maybe']) } : {};
  return {
    path,
    method: 'POST',
    body: { apiVersion, kind: called, metadata: { name, labels: { ...labels, ...on } }, ...more },
  };
}

function patch(path: string, body: JsonObject, query = ''): Step {
  return { path: `${path}${query}`, method: 'PATCH', contentType: 'application/merge-patch+json', body };
}

function writeTo(random: Random, kind: Kind, collection: string, labels: JsonObject, name: string): Step {
  const path = `${collection}/${name}`;
  switch (
    random.weighted({ create: 4, label: 4, change: 4, remove: 2, hold: 1, release: 1, dry: 1, nothing: 1 })
  ) {
    case 'create':
      return create(random, kind, collection, labels, name);
    case 'label':
      return patch(path, { metadata: { labels: { on: random.pick(['yes', 'no', 'maybe', null]) } } });
    case 'change':
      return patch(path, kind.change(random));
    case 'remove':
      return {
        path,
        method: 'DELETE',
        body: { propagationPolicy: 'Background' },
      };
    case 'hold':
      return patch(path, { metadata: { finalizers: ['oracle.example/hold'] } });
    case 'release':
      return patch(path, { metadata: { finalizers: null } });
    case 'dry':
      return patch(path, kind.change(random), '?dryRun=All');
    default:
      return patch(path, {});
  }
}
