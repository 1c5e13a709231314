import {
  type CrdNames,
  conditionsOf,
  crdCleanupFinalizer,
  crdGroup,
  crdResource,
  hasCondition,
  namesOf,
  specOf,
  statusOf,
} from '#api/apiextensions/crd.ts';
import { withCondition } from '#api/conditions.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { KeyedBackoff } from '#apimachinery/backoff.ts';
import { type Clock, systemClock } from '#apimachinery/clock.ts';
import { asText } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { Scheme } from '#apimachinery/scheme.ts';
import type { CollectionRef, KubeClient, ObjectRef } from '#client/client.ts';
import { type Logger, silentLogger } from '#client/logger.ts';
import type { WorkQueueMetrics } from '#client/metrics/work-queue-metrics.ts';
import { ReconcileLoop, type ReconcileResult } from '#client/reconcile.ts';
import { WorkQueue } from '#client/workqueue.ts';
import type { CrdCatalog } from './crd-catalog.ts';
import { deleteInstances, instancesOf } from './crd-instances.ts';
import type { CrdRecord } from './crd-record.ts';
import { nextCrdStatus, type TakenNames } from './crd-status.ts';

export interface CrdControllerOptions {
  readonly catalog: CrdCatalog;
  /** The loopback client: it reads and writes CRDs by the id of their workspace. */
  readonly client: KubeClient;
  /** What a workspace serves apart from its CRDs: their names are taken. */
  readonly baseScheme?: ((clusterId: string) => Scheme | undefined) | undefined;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
  /** Where its queues are counted. */
  readonly queues?: WorkQueueMetrics | undefined;
}

interface Terminating {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

/** apiextensions-apiserver, controller/finalizer. */
const inProgress: Terminating = {
  ...{ status: 'True', reason: 'InstanceDeletionInProgress' },
  message: 'CustomResource deletion is in progress',
};
const completed: Terminating = {
  ...{ status: 'False', reason: 'InstanceDeletionCompleted' },
  message: 'removed all instances',
};
const neverEstablished: Terminating = {
  ...{ status: 'False', reason: 'NeverEstablished' },
  message: 'resource was never established',
};

const crdGvr = { group: crdGroup, version: 'v1', resource: crdResource } as const;

/**
 * Accepts names, establishes CRDs and cleans up after deleted ones (KUBERNETES.md R2), for all workspaces. Names of one
 * workspace are decided one after the other, so that two CRDs never get the same; workspaces do not wait for each other.
 * Level-triggered: what it does follows from the CRD read at that moment, and every write is guarded by its revision.
 */
export class CrdController {
  readonly name = 'crds';
  readonly #options: CrdControllerOptions;
  readonly #clock: Clock;
  readonly #naming: ReconcileLoop;
  readonly #namingQueue: WorkQueue;
  readonly #cleaning: ReconcileLoop;
  readonly #cleaningQueue: WorkQueue;
  /** Workspace → CRDs of it to look at. */
  readonly #dirty = new Map<string, Set<string>>();
  /** Waits between looks at instances that linger. */
  readonly #lingering = new KeyedBackoff({ initialMs: 100, maxMs: 5_000, jitter: 0.2 });
  #unlisten: (() => void) | undefined;

  constructor(options: CrdControllerOptions) {
    this.#options = options;
    const { clock = systemClock, logger = silentLogger, queues } = options;
    this.#clock = clock;
    const backoffMaxMs = 30_000;
    const naming = queues?.of('crd-names');
    this.#namingQueue = new WorkQueue({ clock, backoffMinMs: 20, backoffMaxMs, figures: naming });
    this.#naming = new ReconcileLoop({
      name: 'crd-names',
      queue: this.#namingQueue,
      reconcile: (clusterId, signal) => this.#nameAll(clusterId, signal),
      concurrency: 4,
      logger,
    });
    const cleaning = queues?.of('crd-cleanup');
    this.#cleaningQueue = new WorkQueue({ clock, backoffMinMs: 50, backoffMaxMs, figures: cleaning });
    this.#cleaning = new ReconcileLoop({
      name: 'crd-cleanup',
      queue: this.#cleaningQueue,
      reconcile: (key, signal) => this.#cleanUp(key, signal),
      concurrency: 4,
      logger,
    });
  }

  /** Idempotent; a stopped controller is not started again. */
  start(): void {
    if (this.#unlisten !== undefined) return;
    this.#unlisten = this.#options.catalog.onCrd((clusterId, name, record, previous) => {
      this.#notice(clusterId, name, record, previous);
    });
    this.#naming.start();
    this.#cleaning.start();
  }

  /** Idempotent; resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#unlisten?.();
    await Promise.all([this.#naming.stop(), this.#cleaning.stop()]);
  }

  #notice(
    clusterId: string,
    name: string,
    record: CrdRecord | undefined,
    previous: CrdRecord | undefined,
  ): void {
    // Later changes of a CRD that goes are mostly ours; the clean-up looks again by itself until it is done.
    if (record?.deleting === true) {
      if (previous?.deleting !== true) this.#cleaningQueue.add(`${clusterId}/${name}`);
    } else if (record?.settled === false) this.#markDirty(clusterId, name);
    const gaveNamesBack =
      previous !== undefined && (record === undefined || record.accepted !== previous.accepted);
    if (!gaveNamesBack) return;
    for (const other of this.#options.catalog.recordsOf(clusterId)) {
      if (other.group === previous.group && !other.namesAccepted && other.name !== name) {
        this.#markDirty(clusterId, other.name);
      }
    }
  }

  #markDirty(clusterId: string, name: string): void {
    this.#remember(clusterId, name);
    this.#namingQueue.add(clusterId);
  }

  #remember(clusterId: string, name: string): void {
    let names = this.#dirty.get(clusterId);
    if (names === undefined) {
      names = new Set();
      this.#dirty.set(clusterId, names);
    }
    names.add(name);
  }

  async #nameAll(clusterId: string, signal: AbortSignal): Promise<ReconcileResult> {
    const names = this.#dirty.get(clusterId) ?? new Set();
    this.#dirty.delete(clusterId);
    // What this round has accepted, in case the cache does not show it yet.
    const accepted = new Map<string, { readonly group: string; readonly names: CrdNames }>();
    let failure: unknown;
    for (const name of names) {
      try {
        await this.#nameOne(clusterId, name, accepted, signal);
      } catch (error) {
        // Tried again with the others when the queue's backoff is over.
        this.#remember(clusterId, name);
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return undefined;
  }

  async #nameOne(
    clusterId: string,
    name: string,
    accepted: Map<string, { readonly group: string; readonly names: CrdNames }>,
    signal: AbortSignal,
  ): Promise<void> {
    const crd = await this.#read(clusterId, name, signal);
    if (crd === undefined || crd.metadata.deletionTimestamp !== undefined) return;
    const taken = this.#takenNames(clusterId, crd, accepted);
    const status = nextCrdStatus(crd, taken, nowTime(this.#clock.now()));
    const group = asText(specOf(crd)['group']);
    accepted.set(name, { group, names: namesOf((status ?? statusOf(crd))['acceptedNames']) });
    if (status === undefined) return;
    await this.#options.client.update(
      refOf(clusterId, name),
      { ...crd, status },
      { subresource: 'status', signal },
    );
  }

  #takenNames(
    clusterId: string,
    crd: KubeObject,
    accepted: ReadonlyMap<string, { readonly group: string; readonly names: CrdNames }>,
  ): TakenNames {
    const group = asText(specOf(crd)['group']);
    const resources = new Set<string>();
    const kinds = new Set<string>();
    const take = (names: CrdNames) => {
      for (const name of [names.plural, names.singular, ...names.shortNames])
        if (name !== '') resources.add(name);
      for (const name of [names.kind, names.listKind]) if (name !== '') kinds.add(name);
    };
    for (const record of this.#options.catalog.recordsOf(clusterId)) {
      if (record.name !== crd.metadata.name && record.group === group) take(record.accepted);
    }
    for (const [name, one] of accepted)
      if (name !== crd.metadata.name && one.group === group) take(one.names);
    for (const definition of this.#options.baseScheme?.(clusterId)?.definitions ?? []) {
      if (definition.group === group) take({ ...definition, plural: definition.resource });
    }
    return { resources, kinds };
  }

  async #cleanUp(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const slash = key.indexOf('/');
    const clusterId = key.slice(0, slash);
    const name = key.slice(slash + 1);
    const { client } = this.#options;
    let crd = await this.#read(clusterId, name, signal);
    if (
      crd?.metadata.deletionTimestamp === undefined ||
      crd.metadata.finalizers?.includes(crdCleanupFinalizer) !== true
    ) {
      this.#lingering.reset(key);
      return undefined;
    }
    const isEstablished = hasCondition(crd, 'Established');
    if (isEstablished) {
      crd = await this.#setTerminating(clusterId, crd, inProgress, signal);
      const collection = instancesOf(crd, clusterId);
      if (collection !== undefined && !(await this.#deleteAll(collection, signal)))
        return { requeueAfterMs: this.#lingering.next(key) };
    }
    this.#lingering.reset(key);
    const finalizers = (crd.metadata.finalizers ?? []).filter((one) => one !== crdCleanupFinalizer);
    // Told too where another finalizer keeps it.
    const told = this.#withTerminating(crd, isEstablished ? completed : neverEstablished);
    await client.update(
      refOf(clusterId, name),
      { ...told, metadata: { ...crd.metadata, finalizers } },
      { subresource: 'status', signal },
    );
    return undefined;
  }

  #withTerminating(crd: KubeObject, wanted: Terminating): KubeObject {
    const before = conditionsOf(crd);
    const conditions = withCondition(before, { type: 'Terminating', ...wanted }, nowTime(this.#clock.now()));
    const isSame = conditions === before || conditions.every((one, index) => one === before[index]);
    return isSame ? crd : { ...crd, status: { ...statusOf(crd), conditions } };
  }

  /** Whether the collection was seen empty. A second look follows the first: most objects go when they are asked to. */
  async #deleteAll(collection: CollectionRef, signal: AbortSignal): Promise<boolean> {
    const { client } = this.#options;
    if ((await deleteInstances(client, collection, signal)) === 0) return true;
    return (await deleteInstances(client, collection, signal)) === 0;
  }

  async #setTerminating(
    clusterId: string,
    crd: KubeObject,
    wanted: Terminating,
    signal: AbortSignal,
  ): Promise<KubeObject> {
    const changed = this.#withTerminating(crd, wanted);
    if (changed === crd) return crd;
    return this.#options.client.update(refOf(clusterId, crd.metadata.name ?? ''), changed, {
      subresource: 'status',
      signal,
    });
  }

  async #read(clusterId: string, name: string, signal: AbortSignal): Promise<KubeObject | undefined> {
    try {
      return await this.#options.client.get(refOf(clusterId, name), { signal });
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
  }
}

function refOf(clusterId: string, name: string): ObjectRef {
  return { cluster: clusterId, gvr: crdGvr, name };
}
