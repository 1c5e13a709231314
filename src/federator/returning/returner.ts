import {
  type ReturnableKind,
  returnAnnotations,
  returnableKindOf,
  returnableKinds,
  returnedObjectBytesMax,
  selectsReturn,
  staysAtEdge,
} from '#api/federation/return-contract.ts';
import {
  type ReturnedObject,
  type ReturnRequest,
  returnedObjectName,
  returnedObjectsGvr,
  returnRequestsGvr,
} from '#api/federation/returned-object.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import { Informer } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import { ReconcileLoop, type ReconcileResult } from '#client/reconcile.ts';
import { WorkQueue } from '#client/workqueue.ts';
import { edgeFieldManager } from '../edge/edge-object.ts';
import type { TokenBucket } from '../edge/token-bucket.ts';
import { EdgeBirths } from './edge-births.ts';
import { returnedForm } from './returned-form.ts';

export interface ReturnerOptions {
  readonly federationClient: KubeClient;
  /** Path of the cell's workspace. */
  readonly workspace: string;
  /** Guarded; undefined while the edge is not connected. */
  readonly edgeClient: () => KubeClient | undefined;
  /** Nothing is written while the cell is suspended or being withdrawn. */
  readonly isPaused: () => boolean;
  /** Paces what is written upward, together with statuses. */
  readonly pace: TokenBucket;
  readonly clock: Clock;
  readonly logger: Logger;
}

const concurrency = 4;
/** Requests come in groups; the edge is listed anew once for all of them. */
const regroupMs = 200;

/**
 * Brings objects that are born at one edge into the cell's workspace, as ReturnedObjects beside the ReturnRequests that ask
 * for them, and takes them away when the edge's go. Asked for nothing, it watches nothing at the edge.
 */
export class Returner {
  readonly #options: ReturnerOptions;
  readonly #requests: Informer;
  readonly #returned: Informer;
  /** Keys: `<Kind>|<namespace>/<name>`, and `regroup`. */
  readonly #queue: WorkQueue;
  readonly #loop: ReconcileLoop;
  #births = new Map<string, EdgeBirths>();
  /** Content that was too large, by key: until the edge object changes it is not read again. */
  readonly #refused = new Map<string, string>();
  #isStarted = false;

  constructor(options: ReturnerOptions) {
    const { federationClient: client, workspace: cluster, clock, logger } = options;
    this.#options = options;
    this.#queue = new WorkQueue({ clock, backoffMinMs: 50, backoffMaxMs: 30_000 });
    this.#loop = new ReconcileLoop({
      name: `return/${cluster}`,
      queue: this.#queue,
      concurrency,
      logger,
      reconcile: (key, signal) => this.#reconcile(key, signal),
    });
    const indexers = { namespace: ({ metadata }: KubeObject) => [metadata.namespace ?? ''] };
    const shared = { client, clock, logger, indexers };
    this.#requests = new Informer({ ...shared, collection: { cluster, gvr: returnRequestsGvr } });
    this.#returned = new Informer({
      ...shared,
      collection: { cluster, gvr: returnedObjectsGvr },
      transform: (object) => slim(object as ReturnedObject),
    });
    const regroup = () => this.#queue.addAfter('regroup', regroupMs);
    this.#requests.addHandler({
      onAdd: regroup,
      onUpdate: (request, old) => {
        if (request.metadata.generation !== old.metadata.generation) regroup();
      },
      onDelete: regroup,
    });
    const look = (object: KubeObject) => this.#queue.add(keyOfReturned(object as ReturnedObject));
    this.#returned.addHandler({ onAdd: look, onDelete: look });
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#requests.start();
    this.#returned.start();
    Promise.all([this.#requests.synced, this.#returned.synced]).then(
      () => {
        this.#loop.start();
        this.#queue.add('regroup');
      },
      () => {}, // stopped before
    );
  }

  /** Another connection to the edge is in use, or the cell may be written to again. */
  restart(): void {
    this.#queue.add('regroup');
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    const births = [...this.#births.values()];
    this.#births.clear();
    await Promise.all([
      this.#loop.stop(),
      this.#requests.stop(),
      this.#returned.stop(),
      ...births.map((one) => one.stop()),
    ]);
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    if (key === 'regroup') {
      await this.#regroup();
      return undefined;
    }
    const edgeClient = this.#options.edgeClient();
    if (edgeClient === undefined || this.#options.isPaused()) return undefined;
    const waitMs = this.#options.pace.waitMs;
    if (waitMs > 0) return { requeueAfterMs: waitMs };
    await this.#bring(key, edgeClient, signal);
    return undefined;
  }

  /** Watches at the edge the kinds that are asked for now, and looks at everything anew. */
  async #regroup(): Promise<void> {
    const { edgeClient: connected, clock, logger } = this.#options;
    const former = [...this.#births.values()];
    this.#births = new Map();
    this.#refused.clear();
    await Promise.all(former.map((one) => one.stop()));
    const edgeClient = connected();
    if (edgeClient === undefined) return;
    for (const kind of returnableKinds) {
      if (!this.#isAsked(kind.kind)) continue;
      const births = new EdgeBirths({
        kind,
        edgeClient,
        clock,
        logger,
        wanted: (one, object) => this.#requestFor(one, object) !== undefined,
        onChange: (one, namespace, name) => this.#onBirth(one, namespace, name),
      });
      this.#births.set(kind.kind, births);
      births.start();
      births.synced.then(
        () => this.#lookAtReturned(),
        () => {}, // stopped before
      );
    }
    this.#lookAtReturned();
  }

  #lookAtReturned(): void {
    for (const object of this.#returned.values()) this.#queue.add(keyOfReturned(object as ReturnedObject));
  }

  #onBirth({ kind }: ReturnableKind, namespace: string, name: string): void {
    this.#queue.add(keyOf(kind, namespace, name));
    // One that went makes room for another.
    const births = this.#births.get(kind);
    if (births?.get(namespace, name) === undefined) {
      for (const { metadata } of births?.in(namespace) ?? []) {
        if (this.#returnedAs(kind, namespace, metadata.name ?? '') === undefined) {
          this.#queue.add(keyOf(kind, namespace, metadata.name ?? ''));
        }
      }
    }
  }

  async #bring(key: string, edgeClient: KubeClient, signal: AbortSignal): Promise<void> {
    const { kind, namespace, name } = partsOf(key);
    const returnable = returnableKindOf(kind);
    const births = this.#births.get(kind);
    // Not asked for any more: known without the edge. Asked for: absence counts only in a complete list.
    if (this.#isAsked(kind) && births?.hasSynced !== true) return;
    const birth = births?.get(namespace, name);
    const present = this.#returnedAs(kind, namespace, name);
    const isWanted = birth !== undefined && returnable !== undefined && this.#fits(returnable, birth);
    if (!isWanted) {
      this.#refused.delete(key);
      if (present !== undefined) await this.#remove(present, signal);
      return;
    }
    const seen = `${birth.metadata.uid}/${birth.metadata.resourceVersion}`;
    if (this.#refused.get(key) === seen) return;
    const { group, version, resource } = returnable;
    const ref: ObjectRef = { cluster: undefined, gvr: { group, version, resource }, namespace, name };
    let object: KubeObject;
    try {
      object = await edgeClient.get(ref, { signal });
    } catch (error) {
      if (isApiError(error, 'NotFound')) return; // its event is on the way
      throw error;
    }
    const { object: form, state, bytes } = returnedForm(object);
    if (bytes > returnedObjectBytesMax || staysAtEdge(kind, object)) {
      this.#refused.set(key, seen);
      this.#options.logger.warn({ key, bytes }, 'an object of the edge is not returned: it is too large');
      if (present !== undefined) await this.#remove(present, signal);
      return;
    }
    if (present?.metadata.annotations?.[returnAnnotations.edgeState] === state) return;
    this.#options.pace.spend(1);
    const refUp = this.#refOf(namespace, returnedObjectName(kind, name));
    const annotations = { [returnAnnotations.edgeState]: state };
    await this.#options.federationClient.apply(
      refUp,
      {
        apiVersion: `${returnedObjectsGvr.group}/${returnedObjectsGvr.version}`,
        kind: 'ReturnedObject',
        metadata: { name: refUp.name, namespace, annotations },
        spec: { kind, name, object: form },
      },
      { fieldManager: edgeFieldManager, force: true, signal },
    );
  }

  #isAsked(kind: string): boolean {
    for (const request of this.#requests.values()) {
      if ((request as ReturnRequest).spec.resources.some((one) => one.kind === kind)) return true;
    }
    return false;
  }

  /** Whether it is among as many as its request allows; of those the first by name. */
  #fits(kind: ReturnableKind, birth: KubeObject): boolean {
    const request = this.#requestFor(kind, birth);
    if (request === undefined) return false;
    const namespace = birth.metadata.namespace ?? '';
    let before = 0;
    for (const [other, births] of this.#births) {
      for (const one of births.in(namespace)) {
        const isBefore =
          other < kind.kind ||
          (other === kind.kind && (one.metadata.name ?? '') < (birth.metadata.name ?? ''));
        if (isBefore && selectsReturn(request.spec.resources, other, one.metadata)) before++;
      }
      if (before >= request.spec.maxObjects) return false;
    }
    return true;
  }

  #requestFor({ kind }: ReturnableKind, { metadata }: KubeObject): ReturnRequest | undefined {
    for (const request of this.#requests.byIndex('namespace', metadata.namespace ?? '')) {
      if (selectsReturn((request as ReturnRequest).spec.resources, kind, metadata))
        return request as ReturnRequest;
    }
    return undefined;
  }

  #returnedAs(kind: string, namespace: string, name: string): KubeObject | undefined {
    return this.#returned.get(`|${namespace}/${returnedObjectName(kind, name)}`);
  }

  async #remove({ metadata }: KubeObject, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.federationClient.delete(
        this.#refOf(metadata.namespace ?? '', metadata.name ?? ''),
        {
          preconditions: { uid: metadata.uid },
          signal,
        },
      );
    } catch (error) {
      if (!isApiError(error, 'NotFound', 'Conflict')) throw error;
    }
  }

  #refOf(namespace: string, name: string): ObjectRef {
    return { cluster: this.#options.workspace, gvr: returnedObjectsGvr, namespace, name };
  }
}

function keyOf(kind: string, namespace: string, name: string): string {
  return `${kind}|${namespace}/${name}`;
}

function partsOf(key: string): { readonly kind: string; readonly namespace: string; readonly name: string } {
  const bar = key.indexOf('|');
  const slash = key.indexOf('/', bar);
  return { kind: key.slice(0, bar), namespace: key.slice(bar + 1, slash), name: key.slice(slash + 1) };
}

function keyOfReturned({ metadata, spec }: ReturnedObject): string {
  return keyOf(spec.kind, metadata.namespace ?? '', spec.name);
}

/** Without the workspace's own annotation: all lie in one, and are found by namespace and name. */
function slim({ apiVersion, kind, metadata, spec }: ReturnedObject): ReturnedObject {
  const { name, namespace, uid, resourceVersion } = metadata;
  const state = metadata.annotations?.[returnAnnotations.edgeState];
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      ...(state === undefined ? {} : { annotations: { [returnAnnotations.edgeState]: state } }),
    },
    spec: { kind: spec.kind, name: spec.name, object: {} },
  } as ReturnedObject;
}
