import { setTimeout } from 'node:timers/promises';
import { copyLabels } from '#api/federation/copy-contract.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import type { Random } from '../harness/random.ts';
import { type LoadKind, loadKinds, renderObject } from './kinds.ts';

/** Three repairs of one object in a minute would be taken for a rival, and answered with patience. */
const editsOfOneObjectMax = 2;
const pauseMs = 250;
/** A server that was paused does after its waking what it was sent before: longer than any pause. */
const lateMsMax = 15_000;
const foreignNamespace = 'edge-own';
/** On what was made in the place of a copy's object, for as long as the storm lasts. */
const inPlaceLabel = 'made-in-place';

/** What people do at an edge behind the federation's back. */
export class EdgeMeddler {
  readonly #client: KubeClient;
  readonly #mayTouch: (name: string) => boolean;
  readonly #edits = new Map<string, number>();
  readonly #deletedUntilMs = new Map<string, number>();
  /** Objects of the edge's own, as they were made: nobody may touch them. */
  readonly foreign: { readonly ref: ObjectRef; readonly resourceVersion: string }[] = [];
  readonly unexpected: string[] = [];
  edits = 0;
  statuses = 0;

  /** `mayTouch`: names of the objects that it is free to edit and delete. */
  constructor(client: KubeClient, mayTouch: (name: string) => boolean = () => true) {
    this.#client = client;
    this.#mayTouch = mayTouch;
  }

  /** Makes what is the edge's own, before anything arrives. */
  async prepare(): Promise<void> {
    const namespaces = { group: '', version: 'v1', resource: 'namespaces' };
    await this.#client.create(
      { cluster: undefined, gvr: namespaces },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: foreignNamespace } },
    );
    await this.#own(foreignNamespace, 'own');
  }

  async #own(namespace: string, name: string): Promise<void> {
    const gvr = { group: '', version: 'v1', resource: 'configmaps' };
    const made = await this.#client.create(
      { cluster: undefined, gvr, namespace },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { whose: 'the edge' } },
    );
    const ref = { cluster: undefined, gvr, namespace, name };
    this.foreign.push({ ref, resourceVersion: made.metadata.resourceVersion ?? '' });
  }

  async run(random: Random, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#once(random);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        // The edge is away, or someone was faster.
        const expected =
          error.code >= 500 ||
          error.code === 429 ||
          ['NotFound', 'Conflict', 'AlreadyExists', 'Forbidden'].includes(error.reason);
        if (!expected) this.unexpected.push(`edge: ${error.reason}: ${error.message}`);
      }
      await setTimeout(pauseMs);
    }
  }

  async #once(random: Random): Promise<void> {
    const kind = random.pick(loadKinds);
    const { items } = await this.#client.list(
      { cluster: undefined, gvr: kind.gvr },
      { labelSelector: copyLabels.originCluster },
    );
    if (items.length === 0) return;
    const object = random.pick(items);
    const { name = '', namespace = '' } = object.metadata;
    const ref = { cluster: undefined, gvr: kind.gvr, namespace, name };
    if (!this.foreign.some((own) => own.ref.namespace === namespace)) await this.#own(namespace, 'edge-own');
    const action = random.weighted({ status: kind.scalable ? 6 : 0, edit: 1, delete: 1 });
    if (action === 'status') return this.writeStatus(ref, object, random.next());
    if (!this.#mayTouch(name)) return;
    const key = `${kind.kind} ${namespace}/${name}`;
    const edits = this.#edits.get(key) ?? 0;
    if (edits >= editsOfOneObjectMax) return;
    this.#edits.set(key, edits + 1);
    this.edits++;
    if (action === 'delete') await this.#delete(ref);
    else await this.#client.patch(ref, { type: 'merge', body: handEdit(kind, random) });
  }

  async #delete(ref: ObjectRef, client = this.#client): Promise<void> {
    const what = `${ref.gvr.resource} ${ref.namespace}/${ref.name}`;
    this.#deletedUntilMs.set(what, Number.POSITIVE_INFINITY);
    try {
      await client.delete(ref);
    } finally {
      this.#deletedUntilMs.set(what, performance.now() + lateMsMax);
    }
  }

  /**
   * Puts an object of the edge's own in the place of a copy's, until `takeReplacementsAway`. False where that cannot be.
   * `look`: a client that no fault reaches.
   */
  async replace(ref: ObjectRef, look: KubeClient): Promise<boolean> {
    const kind = loadKinds.find(({ gvr }) => gvr.resource === ref.gvr.resource);
    const { namespace = '', name } = ref;
    if (kind === undefined || !this.#mayTouch(name)) return false;
    const here = { cluster: undefined, gvr: kind.gvr, namespace, name };
    try {
      const before = await look.get(here);
      if (before.metadata.labels?.[copyLabels.originCluster] === undefined) return false;
      await this.#delete(here, look);
      const own = renderObject(kind, namespace, name, { stamp: 0, label: 'own', replicas: 0 });
      const labelled = { ...own, metadata: { ...own.metadata, labels: { [inPlaceLabel]: 'true' } } };
      const made = await look.create(here, labelled);
      this.foreign.push({ ref: here, resourceVersion: made.metadata.resourceVersion ?? '' });
      return true;
    } catch (error) {
      if (error instanceof ApiError) return false;
      throw error;
    }
  }

  /** Makes way for the copies again. Returns what of it was touched before. */
  async takeReplacementsAway(look: KubeClient): Promise<string[]> {
    const touched = await this.foreignTouched(look);
    for (const { gvr } of loadKinds) {
      const { items } = await look.list({ cluster: undefined, gvr }, { labelSelector: inPlaceLabel });
      for (const { metadata } of items) {
        const ref = { cluster: undefined, gvr, namespace: metadata.namespace, name: metadata.name ?? '' };
        await look.delete(ref);
        const at = this.foreign.findIndex(
          (own) => own.ref.gvr === gvr && own.ref.namespace === ref.namespace && own.ref.name === ref.name,
        );
        if (at >= 0) this.foreign.splice(at, 1);
      }
    }
    return touched;
  }

  /** Whether a deletion of `<resource> <namespace>/<name>` may be one of these. */
  mayHaveDeleted(what: string): boolean {
    return (this.#deletedUntilMs.get(what) ?? Number.NEGATIVE_INFINITY) > performance.now();
  }

  /** The status that an edge's own controllers would write, with this share of the replicas ready. */
  async writeStatus(ref: ObjectRef, object: KubeObject, share: number): Promise<void> {
    const { replicas = 0 } = object['spec'] as { replicas?: number };
    const ready = Math.floor(replicas * share);
    const status = {
      observedGeneration: object.metadata.generation ?? 1,
      replicas,
      updatedReplicas: replicas,
      readyReplicas: ready,
      availableReplicas: ready,
    };
    await this.#client.patch(ref, { type: 'merge', body: { status } }, { subresource: 'status' });
    this.statuses++;
  }

  /** The edge was put back to a backup: what is its own is what it holds now. `look`: a client that no fault reaches. */
  async restored(look: KubeClient): Promise<void> {
    for (const own of this.foreign.splice(0)) {
      try {
        const now = await look.get(own.ref);
        // In whose place it was made is there again.
        if (now.metadata.labels?.[copyLabels.originCluster] !== undefined) continue;
        this.foreign.push({ ref: own.ref, resourceVersion: now.metadata.resourceVersion ?? '' });
      } catch (error) {
        if (!isApiError(error, 'NotFound')) throw error;
      }
    }
  }

  /** What of the edge's own was touched. */
  async foreignTouched(look: KubeClient = this.#client): Promise<string[]> {
    const found = await Promise.all(
      this.foreign.map(async ({ ref, resourceVersion }) => {
        const what = `${ref.namespace}/${ref.name}, which is the edge's own,`;
        try {
          const now = await look.get(ref);
          return now.metadata.resourceVersion === resourceVersion ? [] : [`${what} was changed`];
        } catch (error) {
          return [`${what} is gone: ${(error as Error).message}`];
        }
      }),
    );
    return found.flat();
  }
}

function handEdit(kind: LoadKind, random: Random): JsonObject {
  if (kind.scalable) return { spec: { replicas: random.between(20, 30) } };
  if (kind.kind === 'ConfigMap') return { data: { stamp: '0', added: 'by hand' } };
  return { metadata: { labels: { chaos: 'by-hand', added: 'by-hand' } } };
}
