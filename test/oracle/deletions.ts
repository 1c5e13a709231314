import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { encodeProtobuf } from '#apiserver/protobuf/encode-object.ts';
import type { Random } from '../harness/random.ts';
import type { RawAnswer } from '../harness/raw-http.ts';
import type { Case, Step, StepOf } from './case.ts';
import { namespace } from './pair.ts';

interface DeletedKind {
  readonly name: string;
  readonly collection: string;
  readonly object: JsonObject;
  /** Nothing is compared behind its deletion: a controller of ours goes on with it, of which the oracle has none. */
  readonly isFinished?: boolean;
}

const core = `/api/v1/namespaces/${namespace}`;
const template = {
  metadata: { labels: { a: 'b' } },
  spec: { containers: [{ name: 'c', image: 'registry.example/c' }] },
};
const workload = { replicas: 0, selector: { matchLabels: { a: 'b' } }, template };
const volume = { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/x' } };
const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };

/**
 * With grace and without, namespaced and not, those whose dependents a controller looks after and those that have none. Not
 * definitions: their conditions, and what is left of their objects, come from controllers in their own time.
 */
const kinds: readonly DeletedKind[] = [
  { name: 'ConfigMap', collection: `${core}/configmaps`, object: { apiVersion: 'v1', kind: 'ConfigMap' } },
  {
    name: 'Pod',
    collection: `${core}/pods`,
    object: { apiVersion: 'v1', kind: 'Pod', spec: template.spec },
  },
  {
    name: 'Pod that is bound',
    collection: `${core}/pods`,
    object: { apiVersion: 'v1', kind: 'Pod', spec: { ...template.spec, nodeName: 'n' } },
  },
  {
    name: 'Pod with a grace of its own',
    collection: `${core}/pods`,
    object: {
      ...{ apiVersion: 'v1', kind: 'Pod' },
      spec: { ...template.spec, nodeName: 'n', terminationGracePeriodSeconds: 5 },
    },
  },
  {
    name: 'PersistentVolume',
    collection: '/api/v1/persistentvolumes',
    object: { apiVersion: 'v1', kind: 'PersistentVolume', spec: volume },
  },
  {
    name: 'PersistentVolumeClaim',
    collection: `${core}/persistentvolumeclaims`,
    object: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', spec: claim },
  },
  {
    name: 'Deployment',
    collection: `/apis/apps/v1/namespaces/${namespace}/deployments`,
    object: { apiVersion: 'apps/v1', kind: 'Deployment', spec: workload },
  },
  {
    name: 'ReplicationController',
    collection: `${core}/replicationcontrollers`,
    object: {
      ...{ apiVersion: 'v1', kind: 'ReplicationController' },
      spec: { ...workload, selector: { a: 'b' } },
    },
    isFinished: true,
  },
  {
    name: 'Job',
    collection: `/apis/batch/v1/namespaces/${namespace}/jobs`,
    object: {
      ...{ apiVersion: 'batch/v1', kind: 'Job' },
      spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } },
    },
    isFinished: true,
  },
  {
    name: 'Namespace',
    collection: '/api/v1/namespaces',
    object: { apiVersion: 'v1', kind: 'Namespace' },
    isFinished: true,
  },
];

const finalizers: readonly (readonly string[])[] = [
  [],
  [],
  ['oracle.example/hold'],
  ['oracle.example/hold', 'oracle.example/more'],
];

/** Objects that are deleted in ways of all sorts, and collections of them. */
export function deletions(random: Random, count: number): Case[] {
  return Array.from({ length: count }, (_, at) => {
    const kind = random.pick(kinds);
    const isCollection = kind.isFinished !== true && random.next() < 0.25;
    const own = random.fork();
    const steps = isCollection ? collectionSteps(kind, at, own) : objectSteps(kind, at, own);
    return { name: `deletion ${at} of ${kind.name}${isCollection ? 's' : ''}`, steps };
  });
}

function made({ object }: DeletedKind, name: string, metadata: JsonObject): JsonObject {
  return { ...object, metadata: { name, ...metadata } };
}

function objectSteps(kind: DeletedKind, at: number, random: Random): (Step | StepOf)[] {
  const object = made(kind, `deleted${at}`, { finalizers: [...random.pick(finalizers)] });
  const path = `${kind.collection}/${String((object['metadata'] as JsonObject)['name'])}`;
  const steps: (Step | StepOf)[] = [{ path: kind.collection, method: 'POST', body: object }];
  for (let tries = random.between(1, 4); tries > 0; tries--) {
    const options = drawnOptions(random);
    steps.push((answers) => request(path, options, answers));
    // What is left to the collector of garbage is done at one of the two alone.
    if (isLeftToControllers(options) || (kind.isFinished === true && !options.isTrial)) return steps;
    steps.push({ path });
    if (random.next() < 0.3) {
      const metadata = { finalizers: random.pick<JsonValue>([null, ['oracle.example/more'], []]) };
      const contentType = 'application/merge-patch+json';
      steps.push({ path, method: 'PATCH', contentType, body: { metadata } });
    }
  }
  return steps;
}

function collectionSteps(kind: DeletedKind, at: number, random: Random): (Step | StepOf)[] {
  const label = `case=${at}`;
  const objects = ['a', 'b', 'c'].map((name) => {
    const metadata = { labels: { case: String(at), name }, finalizers: [...random.pick(finalizers)] };
    return made(kind, `deleted${at}-${name}`, metadata);
  });
  const options = drawnOptions(random);
  const more = [
    `labelSelector=${encodeURIComponent(random.pick([label, `${label},name!=a`, `${label},name in (a,b)`]))}`,
    ...(random.next() < 0.3 ? [`fieldSelector=metadata.name${random.pick(['=', '!='])}deleted${at}-a`] : []),
    ...(random.next() < 0.3 ? [`limit=${random.pick(['1', '2', '500', '-1', 'x'])}`] : []),
    ...(random.next() < 0.1 ? ['resourceVersion=x'] : []),
    ...(random.next() < 0.1 ? [`resourceVersionMatch=${random.pick(['Exact', 'NotOlderThan', 'X'])}`] : []),
    ...(random.next() < 0.1 ? [`timeoutSeconds=${random.pick(['5', 'x'])}`] : []),
  ];
  const steps: (Step | StepOf)[] = objects.map((body) => ({ path: kind.collection, method: 'POST', body }));
  steps.push((answers) => request(kind.collection, options, answers, more));
  if (!isLeftToControllers(options))
    steps.push({ path: `${kind.collection}?labelSelector=${encodeURIComponent(label)}` });
  return steps;
}

interface DrawnOptions {
  readonly values: JsonObject;
  readonly place: 'query' | 'json' | 'yaml' | 'protobuf' | 'nowhere';
  /** Which uid and revision are asked for. */
  readonly uid: 'right' | 'wrong' | undefined;
  readonly revision: 'right' | 'wrong' | undefined;
  /** Nothing is deleted. */
  readonly isTrial: boolean;
}

function drawnOptions(random: Random): DrawnOptions {
  const place = random.pick(['query', 'json', 'json', 'yaml', 'protobuf', 'nowhere'] as const);
  const isWild = random.next() < 0.2 && place !== 'protobuf';
  const some = (chance: number) => place !== 'nowhere' && random.next() < chance;
  const isTrial = some(0.15);
  const values: JsonObject = {
    ...(some(0.4)
      ? {
          propagationPolicy: random.pick([
            'Background',
            'Background',
            'Foreground',
            'Orphan',
            'Nonsense',
            '',
          ]),
        }
      : {}),
    ...(some(0.2) ? { orphanDependents: random.pick<JsonValue>([true, false]) } : {}),
    ...(some(0.4) ? { gracePeriodSeconds: random.pick<JsonValue>([0, 0, 1, 30, 600, -1, -7]) } : {}),
    ...(isTrial ? { dryRun: ['All'] } : some(0.05) ? { dryRun: ['x'] } : {}),
    ...(isWild
      ? random.pick<JsonObject>([
          { gracePeriodSeconds: 'x' },
          { orphanDependents: 'x' },
          { propagationPolicy: 1 },
          { dryRun: 'All' },
          { foo: 'bar' },
          { kind: 'Nonsense', apiVersion: 'v1' },
          { kind: 'DeleteOptions', apiVersion: 'apps/v1' },
          { kind: 'DeleteOptions', apiVersion: 'v7' },
          { kind: 'ConfigMap', apiVersion: 'v1' },
          { kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1' },
          { ignoreStoreReadErrorWithClusterBreakingPotential: false },
          { preconditions: {} },
          { preconditions: null, gracePeriodSeconds: null },
          { preconditions: 'x' },
          { preconditions: { uid: 1 } },
          { preconditions: { resourceVersion: 1 } },
        ])
      : {}),
  };
  const isGuarded = place !== 'query' && place !== 'nowhere';
  const drawn = () =>
    isGuarded && random.next() < 0.2 ? random.pick(['right', 'wrong'] as const) : undefined;
  return { values, place, uid: drawn(), revision: drawn(), isTrial };
}

function isLeftToControllers({ values, isTrial }: DrawnOptions): boolean {
  const { propagationPolicy, orphanDependents = false } = values;
  return (
    !isTrial &&
    (propagationPolicy === 'Foreground' || propagationPolicy === 'Orphan' || orphanDependents !== false)
  );
}

function request(
  path: string,
  { values, place, uid, revision }: DrawnOptions,
  answers: readonly RawAnswer[],
  more: readonly string[] = [],
): Step {
  const known = answers.findLast(({ status, json }) => status < 300 && json?.['kind'] !== 'Status')?.json;
  const metadata = (known?.['metadata'] ?? {}) as JsonObject;
  const preconditions: JsonObject = {
    ...(uid === undefined ? {} : { uid: uid === 'right' ? (metadata['uid'] ?? 'x') : 'other' }),
    ...(revision === undefined
      ? {}
      : { resourceVersion: revision === 'right' ? (metadata['resourceVersion'] ?? '1') : '1' }),
  };
  const isGuarded = Object.keys(preconditions).length > 0;
  const query = [
    ...more,
    ...(place === 'query' ? Object.entries(values).map(([name, value]) => `${name}=${textOf(value)}`) : []),
  ].join('&');
  const to = { path: query === '' ? path : `${path}?${query}`, method: 'DELETE' } as const;
  const options: JsonObject = {
    ...{ kind: 'DeleteOptions', apiVersion: 'v1' },
    ...(isGuarded ? { preconditions } : {}),
    ...values,
  };
  switch (place) {
    case 'json':
      return { ...to, body: options };
    case 'yaml':
      return { ...to, body: Buffer.from(JSON.stringify(options)), contentType: 'application/yaml' };
    case 'protobuf':
      return { ...to, body: encodeProtobuf(options), contentType: 'application/vnd.kubernetes.protobuf' };
    default:
      return to;
  }
}

function textOf(value: JsonValue | undefined): string {
  return encodeURIComponent(
    Array.isArray(value) ? value.join() : typeof value === 'object' ? '' : String(value),
  );
}
