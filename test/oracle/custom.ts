import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { Random } from '../harness/random.ts';
import type { RawAnswer } from '../harness/raw-http.ts';
import { until } from '../harness/until.ts';
import type { Case, Step, StepOf } from './case.ts';
import { otherRules, rootSchema } from './custom-schemas.ts';
import { nearly, written } from './custom-values.ts';
import { namespace, type Pair } from './pair.ts';

/** The group of all kinds that are drawn. */
export const customGroup = 'custom.oracle.example.com';

const versions = ['v1', 'v2'] as const;
const stepsOfEach = 8;
/** Chances that a place holds something that does not fit: one in a whole object, or several. */
const mistakes = { few: 0.01, some: 0.04 } as const;
const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

interface CustomKind {
  readonly kind: string;
  readonly plural: string;
  /** By version. */
  readonly schemas: readonly JsonObject[];
}

/** A definition of a kind with what its seed draws. */
function drawn(seed: number, at: number): CustomKind {
  const random = new Random(seed + at);
  const first = rootSchema(random);
  return { kind: `Drawn${at}`, plural: `drawn${at}s`, schemas: [first, otherRules(random, first)] };
}

function definitionOf({ kind, plural, schemas }: CustomKind): JsonObject {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${customGroup}` },
    spec: {
      group: customGroup,
      scope: 'Namespaced',
      names: { plural, kind },
      versions: versions.map((name, at) => ({
        ...{ name, served: true, storage: at === 0 },
        schema: { openAPIV3Schema: schemas[at] as JsonObject },
        subresources: {
          status: {},
          scale: {
            specReplicasPath: '.spec.replicas',
            statusReplicasPath: '.status.replicas',
            labelSelectorPath: '.status.selector',
          },
        },
      })),
    },
  };
}

/** Definitions as they are written: both servers must say the same of each. */
export function definitions(seed: number, count: number): Case[] {
  return Array.from({ length: count }, (_, at) => {
    const kind = drawn(seed, at);
    return {
      name: `definition ${at}`,
      steps: [{ path: `${crds}?dryRun=All`, method: 'POST', body: definitionOf(kind) }],
    };
  });
}

/** Of so many kinds those that both servers take, served by both. */
export async function customKinds(pair: Pair, seed: number, count: number): Promise<CustomKind[]> {
  const kinds = Array.from({ length: count }, (_, at) => drawn(seed, at));
  const standing: CustomKind[] = [];
  for (const kind of kinds) {
    const { oracle, ours } = await pair.send({ path: crds, body: JSON.stringify(definitionOf(kind)) });
    if (oracle.status === 201 && ours.status === 201) standing.push(kind);
  }
  for (const { plural } of standing) {
    await until(`both serve ${plural}`, async () => {
      const answers = await Promise.all(
        versions.map((version) => pair.send({ path: collection(version, plural) })),
      );
      return answers.every(({ oracle, ours }) => oracle.status === 200 && ours.status === 200);
    });
  }
  return standing;
}

function collection(version: string, plural: string): string {
  return `/apis/${customGroup}/${version}/namespaces/${namespace}/${plural}`;
}

/** Sequences of writes to an object of its own each. */
export function customObjects(kinds: readonly CustomKind[], random: Random, count: number): Case[] {
  return Array.from({ length: count }, (_, at) => {
    const kind = random.pick(kinds);
    const writer = new Writer(kind, `drawn-${at}`, random.fork());
    const steps: (Step | StepOf)[] = [writer.create()];
    for (let step = 0; step < stepsOfEach; step++) steps.push(writer.write());
    steps.push({ path: `${collection('v1', kind.plural)}/drawn-${at}`, method: 'DELETE' });
    return { name: `custom object ${at} of ${kind.kind}`, steps };
  });
}

/** What one case writes. */
class Writer {
  readonly #kind: CustomKind;
  readonly #name: string;
  readonly #random: Random;
  /** Who scales applies nothing: whose the replicas are then differs, which docs/kubernetes-contract.md tells. */
  readonly #scales: boolean;

  constructor(kind: CustomKind, name: string, random: Random) {
    this.#kind = kind;
    this.#name = name;
    this.#random = random;
    this.#scales = random.next() < 0.15;
  }

  create(): Step {
    const version = this.#version();
    const body = written({ ...this.#identity(version), ...this.#content(version, this.#mistakes()) });
    return { path: `${collection(version, this.#kind.plural)}?${this.#validation()}`, method: 'POST', body };
  }

  write(): Step | StepOf {
    const version = this.#version();
    const path = `${collection(version, this.#kind.plural)}/${this.#name}`;
    const how = this.#random.weighted({
      create: 2,
      update: 4,
      merge: 4,
      json: 2,
      apply: this.#scales ? 0 : 4,
      status: 2,
      scale: this.#scales ? 8 : 0,
      get: 1,
    });
    const wrong = this.#mistakes();
    switch (how) {
      case 'create':
        return this.create();
      case 'update':
        return this.#update(path, version, this.#content(version, wrong));
      case 'merge':
        return this.#patch(path, 'merge-patch+json', this.#content(version, wrong), this.#validation());
      case 'json':
        return this.#patch(path, 'json-patch+json', this.#operations(version, wrong), this.#validation());
      case 'apply': {
        const body = { ...this.#identity(version), ...this.#content(version, wrong) };
        const query = `fieldManager=${this.#random.pick(['a', 'b'])}&force=${this.#random.pick(['true', 'false'])}`;
        return this.#patch(path, 'apply-patch+yaml', body, `${query}&${this.#validation()}`);
      }
      case 'status': {
        const { spec: _, ...content } = this.#content(version, wrong);
        if (this.#random.next() < 0.5) return this.#update(`${path}/status`, version, content);
        return this.#patch(`${path}/status`, 'merge-patch+json', content, this.#validation());
      }
      case 'scale':
        return this.#scale(path);
      default:
        return { path };
    }
  }

  #version(): string {
    return this.#random.next() < 0.75 ? 'v1' : 'v2';
  }

  #mistakes(): number {
    return this.#random.pick([0, mistakes.few, mistakes.few, mistakes.some]);
  }

  #validation(): string {
    return this.#random.pick([
      '',
      'fieldValidation=Strict',
      'fieldValidation=Warn',
      'fieldValidation=Ignore',
      'fieldValidation=Strict&dryRun=All',
    ]);
  }

  #identity(version: string, answers: readonly RawAnswer[] = []): JsonObject {
    const metadata = this.#last(answers)['metadata'] ?? { name: this.#name };
    return { apiVersion: `${customGroup}/${version}`, kind: this.#kind.kind, metadata };
  }

  /** spec and status near to what the version's schema asks for. */
  #content(version: string, wrong: number): JsonObject {
    const schema = this.#kind.schemas[versions.indexOf(version as (typeof versions)[number])] as JsonObject;
    const value = nearly(this.#random, { ...schema, required: ['spec'] }, wrong);
    if (!isJsonObject(value)) return { spec: value };
    const { spec, status } = value;
    return { ...(spec === undefined ? {} : { spec }), ...(status === undefined ? {} : { status }) };
  }

  #update(path: string, version: string, content: JsonObject): StepOf {
    const query = this.#validation();
    return (answers) => ({
      method: 'PUT',
      path: `${path}?${query}`,
      body: written({ ...this.#last(answers), ...this.#identity(version, answers), ...content }),
    });
  }

  /** The object as it was answered last, in whichever version. */
  #last(answers: readonly RawAnswer[]): JsonObject {
    const { kind } = this.#kind;
    const found = answers.findLast(({ status, json }) => status < 300 && json?.['kind'] === kind);
    return { ...(found?.json as JsonObject | undefined) };
  }

  #patch(path: string, type: string, value: JsonValue, query: string): Step {
    return {
      method: 'PATCH',
      path: `${path}?${query}`,
      contentType: `application/${type}`,
      body: written(value),
    };
  }

  #operations(version: string, wrong: number): JsonValue {
    const { spec } = this.#content(version, wrong);
    if (!isJsonObject(spec)) return [{ op: 'replace', path: '/spec', value: spec ?? null }];
    return Object.entries(spec)
      .slice(0, 3)
      .map(([name, value]) => {
        const path = `/spec/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
        return this.#random.next() < 0.2 ? { op: 'remove', path } : { op: 'add', path, value: value ?? null };
      });
  }

  #scale(path: string): Step {
    const replicas = this.#random.pick<JsonValue>([0, 1, 5, -1, 1.5, 'x', null]);
    if (this.#random.next() < 0.3) return { path: `${path}/scale` };
    const scale = {
      ...{ apiVersion: 'autoscaling/v1', kind: 'Scale' },
      metadata: { name: this.#name, namespace },
      spec: { replicas },
    };
    if (this.#random.next() < 0.5) return { path: `${path}/scale`, method: 'PUT', body: scale };
    return this.#patch(`${path}/scale`, 'merge-patch+json', { spec: { replicas } }, '');
  }
}
