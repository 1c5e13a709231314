import { setTimeout } from 'node:timers/promises';
import { copyAnnotations, copyLabels, edgeAnnotations } from '#api/federation/copy-contract.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import { edgeFieldManager } from '#federator/edge/edge-object.ts';
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
/** Of so many looks at an edge, where strangers come there. */
const strangersRate = 0.15;

/** Whose an object is that nobody here made: the edge's own, or another control plane's copy. */
export type Stranger = 'own' | 'elsewhere';

/** What people do at an edge behind the federation's back. */
export class EdgeMeddler {
  readonly #client: KubeClient;
  readonly #mayTouch: (name: string) => boolean;
  readonly #strangersAt: readonly string[];
  readonly #edits = new Map<string, number>();
  readonly #deletedUntilMs = new Map<string, number>();
  /** Objects of the edge's own, as they were made: nobody may touch them. */
  readonly foreign: { readonly ref: ObjectRef; readonly resourceVersion: string }[] = [];
  readonly unexpected: string[] = [];
  #putBacks = 0;
  edits = 0;
  strangers = 0;
  statuses = 0;

  /**
   * `mayTouch`: names of the objects that it is free to edit and delete; `strangersAt`: names (with `<kind>` for the kind) under
   * which strangers make objects of their own before a copy comes there.
   */
  constructor(
    client: KubeClient,
    mayTouch: (name: string) => boolean = () => true,
    strangersAt: readonly string[] = [],
  ) {
    this.#client = client;
    this.#mayTouch = mayTouch;
    this.#strangersAt = strangersAt;
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
    await this.#make(
      this.#client,
      { cluster: undefined, gvr, namespace, name },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { whose: 'the edge' } },
    );
  }

  async #make(client: KubeClient, ref: ObjectRef, object: KubeObject, fieldManager?: string): Promise<void> {
    let asOf = this.#putBacks;
    let there = await client.create(ref, object, { fieldManager });
    // Made before the edge was put back, or after: what it holds now tells.
    while (asOf !== this.#putBacks) {
      asOf = this.#putBacks;
      there = await client.get(ref);
    }
    if (!isCopys(there)) this.foreign.push({ ref, resourceVersion: there.metadata.resourceVersion ?? '' });
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
          isOtherInstance(error) ||
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
    if (this.#strangersAt.length > 0 && random.next() < strangersRate) {
      const place = random.pick(this.#strangersAt).replace('<kind>', kind.kind.toLowerCase());
      return this.#makeStranger(this.#client, { kind, namespace, name: place }, random.pick(strangers));
    }
    if (object.metadata.labels?.[inPlaceLabel] !== undefined) return;
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
    if (action === 'delete') await this.#delete(ref, this.#client, object.metadata.uid);
    else await this.#client.patch(ref, { type: 'merge', body: ofInstance(object, handEdit(kind, random)) });
  }

  async #delete(ref: ObjectRef, client = this.#client, uid?: string): Promise<void> {
    const what = `${ref.gvr.resource} ${ref.namespace}/${ref.name}`;
    this.#deletedUntilMs.set(what, Number.POSITIVE_INFINITY);
    try {
      await client.delete(ref, uid === undefined ? {} : { preconditions: { uid } });
    } finally {
      this.#deletedUntilMs.set(what, performance.now() + lateMsMax);
    }
  }

  /**
   * Puts an object that is not ours in the place of a copy's, until `takeReplacementsAway`. False where that cannot be.
   * `look`: a client that no fault reaches.
   */
  async replace(ref: ObjectRef, look: KubeClient, whose: Stranger = 'own'): Promise<boolean> {
    const kind = loadKinds.find(({ gvr }) => gvr.resource === ref.gvr.resource);
    const { namespace = '', name } = ref;
    if (kind === undefined || !this.#mayTouch(name)) return false;
    const here = { cluster: undefined, gvr: kind.gvr, namespace, name };
    try {
      const before = await look.get(here);
      const { labels = {} } = before.metadata;
      if (labels[copyLabels.originCluster] === undefined || labels[inPlaceLabel] !== undefined) return false;
      await this.#delete(here, look);
      await this.#makeStranger(look, { kind, namespace, name }, whose);
      return true;
    } catch (error) {
      if (error instanceof ApiError) return false;
      throw error;
    }
  }

  async #makeStranger(
    client: KubeClient,
    place: { readonly kind: LoadKind; readonly namespace: string; readonly name: string },
    whose: Stranger,
  ): Promise<void> {
    const { kind, namespace, name } = place;
    const ref = { cluster: undefined, gvr: kind.gvr, namespace, name };
    await this.#make(client, ref, strangerAt(place, whose), edgeFieldManager);
    this.strangers++;
  }

  /** Makes way for the copies again. Returns what of it was touched before. */
  async takeReplacementsAway(look: KubeClient): Promise<string[]> {
    const touched = await this.foreignTouched(look);
    for (const { gvr } of loadKinds) {
      const { items } = await look.list({ cluster: undefined, gvr }, { labelSelector: inPlaceLabel });
      for (const { metadata } of items) {
        const ref = { cluster: undefined, gvr, namespace: metadata.namespace, name: metadata.name ?? '' };
        await this.#delete(ref, look);
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
    const body = ofInstance(object, { status });
    await this.#client.patch(ref, { type: 'merge', body }, { subresource: 'status' });
    this.statuses++;
  }

  /** The edge's store was put back to a backup, and does not answer yet. */
  putBack(): void {
    this.#putBacks++;
  }

  /** The edge was put back to a backup, and answers: what is its own is what it holds now. `look`: a client that no fault reaches. */
  async restored(look: KubeClient): Promise<void> {
    for (const own of this.foreign.splice(0)) {
      try {
        const now = await look.get(own.ref);
        if (isCopys(now)) continue;
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

/** In whose place one was made is there again. */
function isCopys({ metadata: { labels = {} } }: KubeObject): boolean {
  return labels[copyLabels.originCluster] !== undefined && labels[inPlaceLabel] === undefined;
}

const strangers: readonly Stranger[] = ['own', 'elsewhere'];

function strangerAt(
  { kind, namespace, name }: { readonly kind: LoadKind; readonly namespace: string; readonly name: string },
  whose: Stranger,
): KubeObject {
  const object = renderObject(kind, namespace, name, { stamp: 0, label: whose, replicas: 0 });
  const labels = { [inPlaceLabel]: 'true' };
  if (whose === 'own') return { ...object, metadata: { ...object.metadata, labels } };
  // As another control plane's federator has left it there.
  return {
    ...object,
    metadata: {
      ...object.metadata,
      labels: {
        ...labels,
        [copyLabels.originCluster]: 'elsewhere',
        [copyLabels.originControlPlane]: 'another-control-plane',
      },
      annotations: {
        [copyAnnotations.originPath]: 'root:elsewhere',
        [copyAnnotations.originGroup]: kind.gvr.group,
        [copyAnnotations.originResource]: kind.gvr.resource,
        [copyAnnotations.originNamespace]: namespace,
        [copyAnnotations.originName]: name,
        [copyAnnotations.originUid]: 'of-elsewhere',
        [copyAnnotations.contentHash]: 'of-elsewhere',
        [edgeAnnotations.cellUid]: 'another-cell',
        [edgeAnnotations.copyRevision]: '1',
      },
    },
  };
}

/** A patch was of an object in whose place there is another now. */
export function isOtherInstance(error: unknown): boolean {
  return isApiError(error, 'Invalid') && error.message.includes('metadata.uid: Invalid value');
}

/** Of this object alone: a stranger may have come into its place since it was read. */
function ofInstance({ metadata: { uid = '' } }: KubeObject, edit: JsonObject): JsonObject {
  return { ...edit, metadata: { ...(edit['metadata'] as JsonObject | undefined), uid } };
}

function handEdit(kind: LoadKind, random: Random): JsonObject {
  if (kind.scalable) return { spec: { replicas: random.between(20, 30) } };
  if (kind.kind === 'ConfigMap') return { data: { stamp: '0', added: 'by hand' } };
  return { metadata: { labels: { chaos: 'by-hand', added: 'by-hand' } } };
}
