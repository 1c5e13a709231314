import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { Random } from '../harness/random.ts';
import type { RawAnswer } from '../harness/raw-http.ts';
import type { Step, StepOf } from './case.ts';
import { namespace } from './pair.ts';

/** A definition, its objects and what is done to both. */
export interface DefinitionCase {
  readonly name: string;
  readonly definition: string;
  /** Collections of its objects, a version each. */
  readonly collections: readonly string[];
  readonly steps: readonly (Step | StepOf)[];
}

export const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const versions = ['v1', 'v2', 'v1beta1'] as const;
const hold = 'oracle.example/hold';
const merge = 'application/merge-patch+json';

interface Kind {
  readonly at: number;
  readonly group: string;
  readonly isNamespaced: boolean;
  readonly hasStatus: boolean;
  readonly served: readonly string[];
  readonly random: Random;
}

/** Definitions that are changed, deleted and made again while objects of theirs stand. */
export function definitionCases(random: Random, count: number): DefinitionCase[] {
  return Array.from({ length: count }, (_, at) => definitionCase(random.fork(), at));
}

function definitionCase(random: Random, at: number): DefinitionCase {
  const kind: Kind = {
    ...{ at, random, group: `g${at}.oracle.example.com` },
    isNamespaced: random.next() < 0.7,
    hasStatus: random.next() < 0.5,
    served: versions.slice(0, random.between(1, 3)),
  };
  const path = `${crds}/things.${kind.group}`;
  const steps: (Step | StepOf)[] = [
    { path: crds, method: 'POST', body: definitionOf(kind, random.next() < 0.3 ? [hold] : []) },
    { path },
  ];
  for (const name of ['a', 'b'].slice(0, random.between(0, 2))) steps.push(creation(kind, name));
  let isDeleted = false;
  for (let left = random.between(4, 9); left > 0; left--) {
    const isLate = left < 4 && !isDeleted;
    const what = isLate && random.next() < 0.6 ? 'delete' : random.weighted(isDeleted ? after : before);
    if (what === 'delete') isDeleted = true;
    steps.push(...stepsOf(kind, path, what));
  }
  steps.push({ path });
  return {
    name: `definition ${at}`,
    definition: path,
    collections: versions.map((version) => collectionOf(kind, version)),
    steps,
  };
}

const before = {
  object: 6,
  serve: 2,
  store: 2,
  stored: 2,
  touch: 1,
  again: 1,
  release: 1,
  delete: 3,
} as const;
const after = {
  object: 8,
  serve: 1,
  store: 1,
  stored: 1,
  touch: 1,
  again: 3,
  release: 2,
  delete: 1,
} as const;
type What = keyof typeof before;

function stepsOf(kind: Kind, path: string, what: What): (Step | StepOf)[] {
  const { random } = kind;
  switch (what) {
    case 'object':
      return [objectStep(kind)];
    case 'delete': {
      const query = random.pick([
        '',
        '',
        '?propagationPolicy=Background',
        '?dryRun=All',
        '?gracePeriodSeconds=5',
      ]);
      return [{ path: `${path}${query}`, method: 'DELETE' }, { path }];
    }
    case 'again':
      return [{ path: crds, method: 'POST', body: definitionOf(kind, []) }, { path }];
    case 'serve': {
      const at = random.between(0, kind.served.length - 1);
      const served = random.next() >= 0.6;
      const body = [{ op: 'replace', path: `/spec/versions/${at}/served`, value: served }];
      return [{ path, method: 'PATCH', contentType: 'application/json-patch+json', body }, { path }];
    }
    case 'store':
      return [restored(kind, path, random.pick(versions)), { path }];
    case 'stored': {
      const storedVersions = random.pick<JsonValue>([['v1'], ['v2'], ['v1', 'v2'], [], ['v9'], null]);
      const body = { status: { storedVersions } };
      return [{ path: `${path}/status`, method: 'PATCH', contentType: merge, body }, { path }];
    }
    case 'touch': {
      const metadata = random.pick<JsonObject>([
        { labels: { x: random.pick(['y', 'z', null]) } },
        { finalizers: [hold] },
        { finalizers: [hold, 'oracle.example/more'] },
      ]);
      return [{ path, method: 'PATCH', contentType: merge, body: { metadata } }, { path }];
    }
    default:
      return [withoutHold(path), { path }];
  }
}

/** Takes the finalizers away that are not the server's own. */
function withoutHold(path: string): StepOf {
  return (answers) => {
    const { finalizers } = metadataOf(lastOf(answers, 'CustomResourceDefinition'));
    const kept = Array.isArray(finalizers)
      ? finalizers.filter((one) => !String(one).startsWith('oracle.example/'))
      : null;
    return { path, method: 'PATCH', contentType: merge, body: { metadata: { finalizers: kept } } };
  };
}

/** Another storage version. */
function restored(kind: Kind, path: string, to: string): StepOf {
  return (answers) => {
    const last = lastOf(answers, 'CustomResourceDefinition');
    const spec = (last['spec'] ?? definitionOf(kind, [])['spec']) as JsonObject;
    const changed = (spec['versions'] as JsonObject[]).map((one) => ({
      ...one,
      storage: one['name'] === to,
    }));
    return { path, method: 'PUT', body: { ...last, spec: { ...spec, versions: changed } } };
  };
}

function definitionOf(
  { group, isNamespaced, hasStatus, served }: Kind,
  finalizers: readonly string[],
): JsonObject {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `things.${group}`, finalizers: [...finalizers] },
    spec: {
      ...{ group, scope: isNamespaced ? 'Namespaced' : 'Cluster' },
      names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
      versions: served.map((name, at) => ({
        ...{ name, served: true, storage: at === 0 },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: { type: 'object', properties: { a: { type: 'string' } } },
              status: { type: 'object' },
            },
          },
        },
        ...(hasStatus ? { subresources: { status: {} } } : {}),
      })),
    },
  };
}

function collectionOf({ group, isNamespaced }: Kind, version: string): string {
  return `/apis/${group}/${version}${isNamespaced ? `/namespaces/${namespace}` : ''}/things`;
}

function creation(kind: Kind, name: string): Step {
  const version = kind.random.pick(kind.served);
  return { path: collectionOf(kind, version), method: 'POST', body: objectOf(kind, version, name) };
}

function objectOf({ group, random }: Kind, version: string, name: string): JsonObject {
  const finalizers = random.next() < 0.4 ? [hold] : [];
  return {
    ...{ apiVersion: `${group}/${version}`, kind: 'Thing', metadata: { name, finalizers } },
    spec: { a: random.pick(['x', 'y']) },
  };
}

function objectStep(kind: Kind): Step | StepOf {
  const { random } = kind;
  const version = random.pick(versions);
  const collection = collectionOf(kind, version);
  const name = random.pick(['a', 'b', 'c']);
  const path = `${collection}/${name}`;
  const body = objectOf(kind, version, name);
  switch (
    random.weighted({
      create: 4,
      get: 2,
      list: 2,
      update: 2,
      patch: 2,
      apply: 2,
      release: 3,
      remove: 2,
      clear: 1,
      status: 1,
      group: 1,
    })
  ) {
    case 'create':
      return { path: collection, method: 'POST', body };
    case 'get':
      return { path };
    case 'list':
      return { path: collection };
    case 'update':
      return (answers) => {
        const metadata = { ...metadataOf(lastOf(answers, 'Thing')), name };
        return { path, method: 'PUT', body: { ...body, metadata } };
      };
    case 'patch':
      return {
        path,
        method: 'PATCH',
        contentType: merge,
        body: { spec: { a: random.pick(['x', 'y', null]) } },
      };
    case 'apply': {
      const applied = { ...body, metadata: { name } };
      const query = 'fieldManager=m&force=true';
      return {
        path: `${path}?${query}`,
        method: 'PATCH',
        contentType: 'application/apply-patch+yaml',
        body: applied,
      };
    }
    case 'release':
      return { path, method: 'PATCH', contentType: merge, body: { metadata: { finalizers: null } } };
    case 'remove':
      return { path, method: 'DELETE' };
    case 'clear':
      return { path: collection, method: 'DELETE' };
    case 'status':
      return { path: `${path}/status`, method: 'PATCH', contentType: merge, body: { status: {} } };
    default:
      return { path: random.pick([`/apis/${kind.group}`, `/apis/${kind.group}/${version}`]) };
  }
}

/** What was answered last of a kind; nothing before. */
function lastOf(answers: readonly RawAnswer[], kind: string): JsonObject {
  const found = answers.findLast(({ status, json }) => status < 300 && json?.['kind'] === kind);
  return (found?.json ?? {}) as JsonObject;
}

function metadataOf(object: JsonObject): JsonObject {
  return (object['metadata'] ?? {}) as JsonObject;
}
