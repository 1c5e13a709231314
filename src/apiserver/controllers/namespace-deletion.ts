import { type Condition, withCondition } from '#api/conditions.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { CollectionRef } from '#client/client.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import type { CacheEntry, CacheEvent } from '#storage/cached-storage.ts';
import { objectKey, parseObjectKey } from '#storage/keys.ts';
import type { StorageKey } from '#storage/storage.ts';
import { placeOf } from '../registry/key-parts.ts';
import { hasDeletionTimestamp, headerOf, objectOf } from '../registry/stored-object.ts';
import type { ClusterId } from '../workspace/workspace.ts';
import { type ControllerContext, KeyedController } from './controller.ts';
import { lookAtEntries } from './store-events.ts';

const namespacesPrefix = '/core/namespaces/';
const namespacesGvr = { group: '', version: 'v1', resource: 'namespaces' } as const;
const recheckMs = 15_000;
const settleMs = 50;

interface Remaining {
  readonly collection: CollectionRef | undefined;
  readonly name: string;
  readonly entries: readonly CacheEntry[];
}

interface Namespace extends KubeObject {
  spec?: { finalizers?: string[] };
  status?: { phase?: string; conditions?: Condition[] };
}

/**
 * Empties namespaces that are being deleted and then takes their finalizer `kubernetes` off (KUBERNETES.md S3). All
 * namespaced resources count, custom ones included, served or not any more; pods go first (KEP-5080).
 */
export class NamespaceDeletion extends KeyedController {
  /** `<cluster>/<namespace>` of those that wait for their content to go. */
  readonly #waiting = new Set<string>();

  constructor(context: ControllerContext) {
    super(context, { name: 'namespace-deletion', concurrency: 8 });
  }

  protected listen(): (() => void)[] {
    const { events } = this.context;
    return [
      events.listen(namespacesPrefix, {
        event: ({ entry }) => {
          if (entry !== undefined && hasDeletionTimestamp(entry)) this.queue.add(loopKey(entry.key));
        },
        reset: () => this.resync(),
      }),
      events.listen(undefined, { event: (event) => this.#notice(event), reset: () => {} }),
    ];
  }

  #notice({ key }: CacheEvent): void {
    if (this.#waiting.size === 0) return;
    const waiting = placeOf(key);
    if (this.#waiting.has(waiting)) this.queue.addAfter(waiting, settleMs);
  }

  protected resync(): void {
    lookAtEntries(this.context, namespacesPrefix, this.signal, (entry) => {
      if (hasDeletionTimestamp(entry)) this.queue.add(loopKey(entry.key));
    });
  }

  protected async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const [clusterId, name] = key.split('/') as [string, string];
    const { storage, index } = this.context;
    const entry = storage.peek(namespaceKey(clusterId, name));
    const phase = index.recordOf(clusterId)?.phase;
    // A workspace that goes takes its namespaces with it.
    const isMoot = phase === 'Terminating' || phase === 'Deleting';
    if (entry === undefined || !hasDeletionTimestamp(entry) || isMoot) {
      this.#waiting.delete(key);
      return undefined;
    }
    const namespace = objectOf(entry) as Namespace;
    if (namespace.spec?.finalizers?.includes('kubernetes') !== true) {
      this.#waiting.delete(key);
      return undefined;
    }
    // Listening before looking: what happens between is noticed.
    this.#waiting.add(key);
    const failures = await this.#empty(clusterId, name, signal);
    const remaining = this.#remaining(clusterId, name);
    if (remaining.length > 0 || failures.length > 0) {
      await this.#report(clusterId, namespace, remaining, failures, signal);
      if (failures.length > 0) throw failures[0];
      return { requeueAfterMs: recheckMs };
    }
    await this.#finalize(clusterId, namespace, signal);
    this.#waiting.delete(key);
    return undefined;
  }

  /** Asks for the deletion of everything inside; returns what went wrong. */
  async #empty(clusterId: string, name: string, signal: AbortSignal): Promise<unknown[]> {
    const failures: unknown[] = [];
    const isPods = ({ collection }: Remaining) =>
      collection?.gvr.resource === 'pods' && collection.gvr.group === '';
    const remaining = this.#remaining(clusterId, name);
    const pods = remaining.filter(isPods);
    for (const one of pods.length > 0 ? pods : remaining) {
      try {
        await this.#emptyOne(one, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        if (!isApiError(error, 'NotFound')) failures.push(error);
      }
    }
    if (pods.length > 0 && failures.length === 0 && !this.#remaining(clusterId, name).some(isPods)) {
      return this.#empty(clusterId, name, signal);
    }
    return failures;
  }

  async #emptyOne({ collection, entries }: Remaining, signal: AbortSignal): Promise<void> {
    if (collection === undefined) {
      // Its definition is gone, and with it whoever could take finalizers off.
      for (let from = 0; from < entries.length; from += 1_000) {
        const some = entries.slice(from, from + 1_000);
        await this.context.storage.transact({
          guards: some.map(({ key, revision }) => ({ key, revision })),
          operations: some.map(({ key }) => ({ type: 'delete', key })),
        });
      }
      return;
    }
    if (entries.every(hasDeletionTimestamp)) return;
    await this.context.client.deleteCollection(collection, { propagationPolicy: 'Background', signal });
  }

  #remaining(clusterId: string, namespace: string): Remaining[] {
    const { storage, events, index } = this.context;
    const scheme = index.byId(clusterId as ClusterId)?.scheme;
    const remaining: Remaining[] = [];
    for (const prefix of events.resourcePrefixes()) {
      if (prefix === namespacesPrefix) continue;
      const entries = [...storage.snapshot(`${prefix}${clusterId}/${namespace}/`).entries()];
      const [first] = entries;
      if (first === undefined) continue;
      const { group, resource } = parseObjectKey(first.key);
      const version = scheme?.definitionOf(group, resource)?.versions.find((one) => one.served)?.version;
      const gvr = version === undefined ? undefined : { group, version, resource };
      remaining.push({
        collection: gvr === undefined ? undefined : { cluster: clusterId, gvr, namespace },
        name: `${resource}.${group}`,
        entries,
      });
    }
    return remaining;
  }

  async #report(
    clusterId: string,
    namespace: Namespace,
    remaining: readonly Remaining[],
    failures: readonly unknown[],
    signal: AbortSignal,
  ): Promise<void> {
    const now = nowTime(this.context.clock.now());
    let conditions = namespace.status?.conditions;
    for (const wanted of conditionsFor(remaining, failures)) {
      conditions = withCondition(conditions, wanted, now);
    }
    if (conditions === namespace.status?.conditions) return;
    const status = { ...namespace.status, phase: 'Terminating', conditions };
    await this.#put(clusterId, { ...namespace, status }, 'status', signal);
  }

  async #finalize(clusterId: string, namespace: Namespace, signal: AbortSignal): Promise<void> {
    const finalizers = (namespace.spec?.finalizers ?? []).filter((one) => one !== 'kubernetes');
    const spec: JsonObject = { ...namespace.spec, finalizers };
    if (finalizers.length === 0) delete spec['finalizers'];
    await this.#put(clusterId, { ...namespace, spec }, 'finalize', signal);
  }

  /** Carries uid and resourceVersion: a namespace that changed meanwhile is looked at again. */
  async #put(
    clusterId: string,
    namespace: Namespace,
    subresource: string,
    signal: AbortSignal,
  ): Promise<void> {
    const ref = { cluster: clusterId, gvr: namespacesGvr, name: namespace.metadata.name ?? '' };
    try {
      await this.context.client.update(ref, namespace, { subresource, signal });
    } catch (error) {
      if (isApiError(error, 'NotFound')) return;
      if (!isApiError(error, 'Conflict')) throw error;
      this.queue.addAfter(`${clusterId}/${ref.name}`, settleMs);
    }
  }
}

function loopKey(key: string): string {
  const { clusterId, name } = parseObjectKey(key);
  return `${clusterId}/${name}`;
}

function namespaceKey(clusterId: string, name: string): StorageKey {
  return objectKey({ group: '', resource: 'namespaces', clusterId, namespace: '', name });
}

/** The five conditions, in the words that Kubernetes' namespace controller uses and clients match on. */
function conditionsFor(remaining: readonly Remaining[], failures: readonly unknown[]): Condition[] {
  const held = new Map<string, number>();
  for (const entry of remaining.flatMap(({ entries }) => entries)) {
    for (const finalizer of headerOf(entry).finalizers) held.set(finalizer, (held.get(finalizer) ?? 0) + 1);
  }
  const resources = remaining
    .map(({ name, entries }) => `${name} has ${entries.length} resource instances`)
    .sort();
  const finalizers = [...held].map(([name, count]) => `${name} in ${count} resource instances`).sort();
  const failed = failures.map((error) => (error instanceof Error ? error.message : String(error)));
  return [
    {
      type: 'NamespaceDeletionDiscoveryFailure',
      status: 'False',
      reason: 'ResourcesDiscovered',
      message: 'All resources successfully discovered',
    },
    {
      type: 'NamespaceDeletionGroupVersionParsingFailure',
      status: 'False',
      reason: 'ParsedGroupVersions',
      message: 'All legacy kube types successfully parsed',
    },
    failed.length > 0
      ? {
          type: 'NamespaceDeletionContentFailure',
          status: 'True',
          reason: 'ContentDeletionFailed',
          message: `Failed to delete all resource types, ${failed.length} remaining: ${failed.join(', ').slice(0, 8_192)}`,
        }
      : {
          type: 'NamespaceDeletionContentFailure',
          status: 'False',
          reason: 'ContentDeleted',
          message: 'All content successfully deleted, may be waiting on finalization',
        },
    resources.length > 0
      ? {
          type: 'NamespaceContentRemaining',
          status: 'True',
          reason: 'SomeResourcesRemain',
          message: `Some resources are remaining: ${resources.join(', ')}`,
        }
      : {
          type: 'NamespaceContentRemaining',
          status: 'False',
          reason: 'ContentRemoved',
          message: 'All content successfully removed',
        },
    finalizers.length > 0
      ? {
          type: 'NamespaceFinalizersRemaining',
          status: 'True',
          reason: 'SomeFinalizersRemain',
          message: `Some content in the namespace has finalizers remaining: ${finalizers.join(', ')}`,
        }
      : {
          type: 'NamespaceFinalizersRemaining',
          status: 'False',
          reason: 'ContentHasNoFinalizers',
          message: 'All content-preserving finalizers finished',
        },
  ];
}
