import { equalJson, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { Random } from '../harness/random.ts';
import type { RawAnswer } from '../harness/raw-http.ts';
import type { Case, Step, StepOf } from './case.ts';
import { collectionOf, type Kind, type Kinds } from './kinds.ts';
import { mutationsOf } from './mutations.ts';
import { namespace } from './pair.ts';
import { named, plainSamples, type Sample } from './samples.ts';

const managers = ['alice', 'bob'];
const writesInARow = 3;

interface RowOptions {
  readonly seed: number;
  /** Rows for each kind; of kinds whose objects are named by what they are of, one. */
  readonly count: number;
}

interface Written {
  readonly kinds: Kinds;
  readonly kind: Kind;
  readonly object: JsonObject;
  readonly path: string;
}

/** Each built-in kind: created in one of the ways, written three times by two managers, deleted, and made again by PUT. */
export function rowsOfWrites(kinds: Kinds, { seed, count }: RowOptions): Case[] {
  const random = new Random(seed);
  return plainSamples().flatMap((sample) => {
    const kind = kinds.kinds.get(`${String(sample.object['apiVersion'])} ${String(sample.object['kind'])}`);
    // Namespaces end by a controller, of which the oracle has none.
    if (kind === undefined || kind.resource === 'namespaces') return [];
    const own = (sample.object['metadata'] as JsonObject)['name'];
    const rows = own === 'x' ? count : 1;
    return Array.from({ length: rows }, (_, at) => {
      const name = own === 'x' ? `row-${at}-${sample.name.toLowerCase()}` : String(own);
      return row(random.fork(), kinds, sample, kind, { name, at });
    });
  });
}

function row(
  random: Random,
  kinds: Kinds,
  sample: Sample,
  kind: Kind,
  { name, at }: { readonly name: string; readonly at: number },
): Case {
  const object = named(sample.object, name, namespace);
  const collection = collectionOf(kind);
  const written: Written = { kinds, kind, object, path: `${collection}/${name}` };
  const { path } = written;
  const gone: Step[] = [
    mergePatch(path, { metadata: { finalizers: null } }),
    { path, method: 'DELETE', body: { propagationPolicy: 'Background' } },
  ];
  return {
    name: `row ${at} of ${sample.name}`,
    steps: [
      creation(random, written, collection),
      ...Array.from({ length: writesInARow }, () => write(random, written)),
      { path },
      ...gone,
      { path: `${path}?fieldManager=${random.pick(managers)}`, method: 'PUT', body: object },
      write(random, written),
      ...gone,
    ],
  };
}

function creation(random: Random, { object, path }: Written, collection: string): Step {
  const query = `?fieldManager=${random.pick(managers)}`;
  switch (random.weighted({ post: 4, apply: 2, put: 1 })) {
    case 'apply':
      return applied(`${path}${query}`, object);
    case 'put':
      return { path: `${path}${query}`, method: 'PUT', body: object };
    default:
      return { path: `${collection}${query}`, method: 'POST', body: object };
  }
}

function write(random: Random, written: Written): Step | StepOf {
  const { kind, path } = written;
  const has = (subresource: string) => (kind.subresources.includes(subresource) ? 1 : 0);
  const how = random.weighted({ object: 5, status: 2 * has('status'), scale: has('scale') });
  const query = `?fieldManager=${random.pick(managers)}`;
  if (how === 'scale') return scaling(random, `${path}/scale${query}`);
  if (how === 'status') return changing(random, written, `${path}/status${query}`, 'status');
  return changing(random, written, `${path}${query}`);
}

function scaling(random: Random, path: string): Step | StepOf {
  const spec = { replicas: random.between(0, 3) };
  if (random.next() < 0.5) return mergePatch(path, { spec });
  return (answers) => {
    const { metadata } = lastOf(answers);
    const { name, uid } = isJsonObject(metadata) ? metadata : {};
    const identity = { name: name ?? 'x', namespace, ...(uid === undefined ? {} : { uid }) };
    const body = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: identity, spec };
    return { path, method: 'PUT', body };
  };
}

/** Labels and annotations always do; of what else is drawn, both servers may refuse. */
function changing(random: Random, written: Written, path: string, below?: string): Step | StepOf {
  const { kinds, kind, object } = written;
  const { apiVersion, kind: called, metadata } = object;
  const [mutation] = mutationsOf(kinds, kind.schema, object, { random, count: 1, below });
  const isMutated = below !== undefined || random.next() < 0.6;
  const part: JsonObject = isMutated && mutation !== undefined ? changedIn(object, mutation.object) : {};
  const key = random.pick(['l', 'm']);
  const inMetadata: JsonObject = {
    [random.pick(['labels', 'annotations'])]: { [key]: random.pick(['x', 'y']) },
  };
  const change: JsonObject = merged(part, { metadata: inMetadata });
  const identity = { apiVersion, kind: called, metadata: identityOf(metadata) } as JsonObject;
  switch (random.weighted({ merge: 3, strategic: 3, json: 2, apply: 4, force: 2, whole: 2, put: 4 })) {
    case 'merge':
      return mergePatch(path, change);
    case 'strategic':
      return { ...mergePatch(path, change), contentType: 'application/strategic-merge-patch+json' };
    case 'json':
      return {
        ...{ path, method: 'PATCH', contentType: 'application/json-patch+json' },
        body: Object.entries(merged(part, { metadata: {} })).flatMap(([field, value]): JsonValue[] =>
          field === 'metadata'
            ? [{ op: 'add', path: '/metadata/labels', value: { [key]: 'j' } }]
            : [{ op: 'add', path: `/${field}`, value: value ?? null }],
        ),
      };
    case 'apply':
      return applied(path, merged(identity, change));
    case 'force':
      return applied(`${path}&force=true`, merged(identity, change));
    case 'whole':
      return applied(`${path}&force=true`, merged(object, change));
    default:
      return (answers) => {
        const body = merged(orElse(lastOf(answers), object), change);
        // Types of policies are checked by a controller, which writes what it found.
        if (kind.kind === 'ValidatingAdmissionPolicy')
          delete (body['metadata'] as JsonObject)['resourceVersion'];
        return { path, method: 'PUT', body };
      };
  }
}

function mergePatch(path: string, body: JsonObject): Step {
  return { path, method: 'PATCH', contentType: 'application/merge-patch+json', body };
}

function applied(path: string, body: JsonObject): Step {
  return { path, method: 'PATCH', contentType: 'application/apply-patch+yaml', body };
}

/** The topmost fields that are not as they were, with all that is in them. */
function changedIn(before: JsonObject, after: JsonObject): JsonObject {
  const changed: JsonObject = {};
  for (const field of Object.keys(after))
    if (!equalJson(before[field], after[field])) changed[field] = after[field] as JsonValue;
  return changed;
}

function identityOf(metadata: JsonValue | undefined): JsonObject {
  const { name, namespace: within } = isJsonObject(metadata) ? metadata : {};
  return { name: name as string, ...(within === undefined ? {} : { namespace: within }) };
}

function merged(into: JsonObject, part: JsonObject): JsonObject {
  const result: JsonObject = { ...into };
  for (const [field, value] of Object.entries(part)) {
    const there = result[field];
    result[field] = isJsonObject(there) && isJsonObject(value) ? merged(there, value) : (value as JsonValue);
  }
  return result;
}

function orElse(found: JsonObject, otherwise: JsonObject): JsonObject {
  return Object.keys(found).length === 0 ? otherwise : found;
}

/** The object as it was answered last; nothing of it when it is not there. */
function lastOf(answers: readonly RawAnswer[]): JsonObject {
  const found = answers.findLast(
    ({ status, json }) => status < 300 && !['Status', 'Scale'].includes(String(json?.['kind'])),
  );
  return { ...(found?.json as JsonObject | undefined) };
}
