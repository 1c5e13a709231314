import { copyAnnotations, copyLabels } from '#api/federation/copy-contract.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { returnedFromLabel } from '#api/federation/return-contract.ts';
import { returnPoliciesGvr } from '#api/federation/return-policy.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import type { Random } from '../harness/random.ts';
import type { World } from './world/world.ts';

const secretsGvr = { group: '', version: 'v1', resource: 'secrets' } as const;
const namespacesGvr = { group: '', version: 'v1', resource: 'namespaces' } as const;
const policyName = 'back';
/** Of what is born: the policies ask for one kind of them alone. */
const bornLabel = 'born';
const names = ['n0', 'n1', 'n2'] as const;
/** As the one of the first name would be called that came from there. */
const ownNameOf = (cell: string) => `n0-${cell}`;
const pauseMsMax = 700;
const callTimeoutMs = 5_000;

export const birthStrikes: readonly string[] = ['born at an edge', 'return policy deleted'];

export interface BirthsOptions {
  readonly world: World;
  /** Paths of the projects that ask. */
  readonly projects: readonly string[];
  /** Of each project. */
  readonly namespaces: readonly string[];
  readonly count: (what: string) => void;
}

/**
 * Secrets that are born at edges and come back into the projects whose ReturnPolicies ask for them, while others stand there
 * that nobody asked for, and projects have their own where one would come.
 */
export class Births {
  readonly #options: BirthsOptions;
  /** What is the projects' own: nobody may touch it. */
  readonly #own: {
    readonly path: string;
    readonly namespace: string;
    readonly name: string;
    readonly resourceVersion: string;
  }[] = [];
  #stamp = 0;

  constructor(options: BirthsOptions) {
    this.#options = options;
  }

  async prepare(): Promise<void> {
    const { world, projects, namespaces } = this.#options;
    const [cell = ''] = world.edges.keys();
    for (const path of projects) {
      for (const namespace of namespaces) {
        const project = world.lookAt(world.federation, path);
        await this.#ask(project, namespace);
        const name = ownNameOf(cell);
        const { metadata } = await project.create(
          { cluster: undefined, gvr: secretsGvr, namespace },
          { ...secretOf(name, 'asked', { path, namespace, stamp: 0 }), metadata: { name, namespace } },
        );
        this.#own.push({ path, namespace, name, resourceVersion: metadata.resourceVersion ?? '' });
      }
    }
  }

  /** Until the signal fires; then every policy stands. */
  async run(random: Random, signal: AbortSignal): Promise<void> {
    const { world, projects, namespaces } = this.#options;
    while (!signal.aborted) {
      await tolerant(() => this.#once(random));
      await world.time.sleep(random.next() * pauseMsMax);
    }
    for (const path of projects) {
      for (const namespace of namespaces) {
        const project = world.peopleAt(world.federation, path);
        while (!(await tolerant(() => this.#ask(project, namespace)))) await world.time.sleep(500);
      }
    }
  }

  /** In what projects and edges differ. Equal to what the edges hold, and to nothing else, is what has come back. */
  async differences(): Promise<string[]> {
    const { world, projects, namespaces } = this.#options;
    const wanted = new Map<string, string>();
    const own = new Set(this.#own.map(({ path, namespace, name }) => `${path} ${namespace}/${name}`));
    for (const [cell, edge] of world.edges) {
      const mapped = await mappedNamespaces(world.lookAt(world.federation, `${cellsWorkspacePath}:${cell}`));
      const { items } = await world
        .lookAt(edge)
        .list({ cluster: undefined, gvr: secretsGvr }, { labelSelector: `${bornLabel}=asked` });
      for (const { metadata, data } of items as (KubeObject & { data?: unknown })[]) {
        const origin = mapped.get(metadata.namespace ?? '');
        if (origin === undefined || !projects.includes(origin.path)) continue;
        if (!namespaces.includes(origin.namespace)) continue;
        const key = `${origin.path} ${origin.namespace}/${metadata.name}-${cell}`;
        if (!own.has(key)) wanted.set(key, `${cell} ${JSON.stringify(data)}`);
      }
    }
    const found: string[] = [];
    for (const path of projects) {
      const project = world.lookAt(world.federation, path);
      const { items } = await project.list({ cluster: undefined, gvr: secretsGvr });
      for (const { metadata, data } of items as (KubeObject & { data?: { for?: string } })[]) {
        const cell = metadata.labels?.[returnedFromLabel];
        if (cell === undefined) continue;
        const key = `${path} ${metadata.namespace}/${metadata.name}`;
        const holds = `${cell} ${JSON.stringify(data)}`;
        const should = wanted.get(key);
        wanted.delete(key);
        if (should === undefined) found.push(`${key} has come back from ${cell}, and is not to`);
        else if (should !== holds) found.push(`${key} holds ${holds}, must hold ${should}`);
        const bornFor = Buffer.from(data?.for ?? '', 'base64').toString('utf8');
        if (bornFor !== `${path} ${metadata.namespace}`) found.push(`${key} was born for ${bornFor}`);
      }
    }
    for (const [key, should] of wanted) found.push(`${key} has not come back from ${should}`);
    return found;
  }

  /** A backup of the federation was put back: what is the projects' own is what it holds now. */
  async restored(): Promise<void> {
    for (const one of this.#own.splice(0)) {
      const now = await this.#find(one);
      if (now !== undefined) this.#own.push({ ...one, resourceVersion: now.metadata.resourceVersion ?? '' });
    }
  }

  /** What of the projects' own was touched. */
  async ownTouched(): Promise<string[]> {
    const touched: string[] = [];
    for (const one of this.#own) {
      const now = await this.#find(one);
      const what = `${one.path} ${one.namespace}/${one.name}, which is the project's own,`;
      if (now === undefined) touched.push(`${what} is gone`);
      else if (now.metadata.resourceVersion !== one.resourceVersion) touched.push(`${what} was changed`);
    }
    return touched;
  }

  async #find({ path, namespace, name }: { path: string; namespace: string; name: string }) {
    const { world } = this.#options;
    try {
      return await world
        .lookAt(world.federation, path)
        .get({ cluster: undefined, gvr: secretsGvr, namespace, name });
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  #ask(project: KubeClient, namespace: string): Promise<KubeObject> {
    const ref = { cluster: undefined, gvr: returnPoliciesGvr, namespace, name: policyName };
    return project.apply(
      ref,
      {
        apiVersion: 'federation.cellplane.io/v1alpha1',
        kind: 'ReturnPolicy',
        metadata: { name: policyName, namespace },
        spec: {
          resources: [{ kind: 'Secret', labelSelector: { matchLabels: { [bornLabel]: 'asked' } } }],
          naming: 'WithCell',
        },
      },
      { fieldManager: 'people', force: true, timeoutMs: callTimeoutMs },
    );
  }

  async #once(random: Random): Promise<void> {
    const { world, projects, namespaces, count } = this.#options;
    if (random.next() < 0.08) {
      const project = world.peopleAt(world.federation, random.pick(projects));
      const namespace = random.pick(namespaces);
      const ref = { cluster: undefined, gvr: returnPoliciesGvr, namespace, name: policyName };
      await project.delete(ref, { timeoutMs: callTimeoutMs });
      count('return policy deleted');
      await world.time.sleep(random.next() * 2_000);
      await this.#ask(project, namespace);
      return;
    }
    const edge = random.pick([...world.edges.values()]);
    const client = world.peopleAt(edge);
    const mapped = [...(await mappedNamespaces(client))].filter(
      ([, { path, namespace }]) => projects.includes(path) && namespaces.includes(namespace),
    );
    if (mapped.length === 0) return;
    const [namespace, origin] = random.pick(mapped);
    const name = random.pick(names);
    const ref = { cluster: undefined, gvr: secretsGvr, namespace, name };
    if (random.next() < 0.25) {
      await client.delete(ref, { timeoutMs: callTimeoutMs });
      return;
    }
    const label = random.next() < 0.75 ? 'asked' : 'unasked';
    const secret = secretOf(name, label, { ...origin, stamp: ++this.#stamp });
    await client.apply(ref, secret, { fieldManager: 'operator', force: true, timeoutMs: callTimeoutMs });
    count('born at an edge');
  }
}

interface Origin {
  readonly path: string;
  readonly namespace: string;
}

function secretOf(name: string, label: string, born: Origin & { readonly stamp: number }): KubeObject {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, labels: { [bornLabel]: label } },
    data: { for: base64(`${born.path} ${born.namespace}`), stamp: base64(String(born.stamp)) },
  };
}

/** Name there → the project's namespace that it stands for. */
async function mappedNamespaces(plane: KubeClient): Promise<Map<string, Origin>> {
  const { items } = await plane.list(
    { cluster: undefined, gvr: namespacesGvr },
    { labelSelector: copyLabels.originCluster },
  );
  return new Map(
    items
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map(({ metadata: { name = '', annotations = {} } }) => [
        name,
        {
          path: annotations[copyAnnotations.originPath] ?? '',
          namespace: annotations[copyAnnotations.originName] ?? '',
        },
      ]),
  );
}

/** False when the server did not do it, or did not say so. */
async function tolerant(act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    if (error instanceof ApiError) return false;
    throw error;
  }
}
