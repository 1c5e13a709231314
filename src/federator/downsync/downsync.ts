import type { Cell } from '#api/federation/cell.ts';
import {
  copyAnnotations,
  copyLabels,
  edgeFinalizer,
  syncAnnotations,
} from '#api/federation/copy-contract.ts';
import { ApiError, isApiError, type StatusReason } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import type { CopyKey, CopyPlace } from '../cell/copy-keys.ts';
import type { SyncItem } from '../cell/edge.ts';
import type { SyncTally } from '../cell/sync-tally.ts';
import type { ServedKind } from '../edge/edge-kinds.ts';
import type { EdgeMirror } from '../edge/edge-mirror.ts';
import { edgeFieldManager, edgeObjectOf } from '../edge/edge-object.ts';
import { reaching } from '../edge/edge-unreached.ts';
import { applyForm } from './apply-form.ts';
import { AutoscaledTargets } from './autoscaled-targets.ts';
import { decideDownsync, isStale } from './decide.ts';
import { DeletionBudget } from './deletion-budget.ts';
import { DriftRecord } from './drift-record.ts';
import { appliedFieldsOf, fieldsNotOwned } from './managed-trie.ts';

export interface DownsyncOptions {
  readonly edgeClient: KubeClient;
  readonly federationClient: KubeClient;
  readonly cellWorkspace: string;
  readonly cell: () => Cell;
  readonly controlPlaneId: string;
  readonly incarnationId: () => string;
  readonly mirror: EdgeMirror;
  readonly tally: SyncTally;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timeoutMs: number;
}

const passingReasons = new Set<StatusReason>([
  'Conflict',
  'NotFound',
  'TooManyRequests',
  'ServiceUnavailable',
  'Timeout',
]);

/** `present`: the edge holds the copy. `gone`: neither side holds anything. `waiting`: nothing to do until an event. */
export type DownsyncOutcome = 'present' | 'gone' | 'waiting';

/** Carries copies to one edge: applies, repairs, deletes. */
export class Downsync {
  readonly #options: DownsyncOptions;
  readonly #budget: DeletionBudget;
  readonly #drift: DriftRecord;
  readonly #autoscaled = new AutoscaledTargets();
  /** Hash of our fields after our last apply, by key. */
  readonly #knownFields = new Map<CopyKey, string>();

  constructor(options: DownsyncOptions) {
    this.#options = options;
    this.#budget = new DeletionBudget(options.clock);
    this.#drift = new DriftRecord(options.clock);
  }

  async sync(kind: ServedKind, item: SyncItem, signal: AbortSignal): Promise<DownsyncOutcome> {
    const { key, place, copy } = item;
    const { mirror, tally } = this.#options;
    const edge = mirror.get(kind, place.namespace, place.name);
    const step = decideDownsync({
      copy,
      edge,
      absence: item.absence,
      knownFieldsHash: this.#knownFields.get(key),
    });
    switch (step.type) {
      case 'none':
        tally.forget(key);
        this.#forget(key);
        return edge === undefined ? 'gone' : 'waiting';
      case 'await-deletion':
        tally.markPending(key);
        return 'waiting';
      case 'release':
        await this.#release(item, signal);
        return 'gone';
      case 'delete':
        await this.#delete(kind, item, step.evidence, signal);
        return 'waiting';
      case 'acknowledge':
        await this.#acknowledge(item, signal);
        return 'present';
      case 'apply':
        tally.markPending(key);
        return this.#apply(kind, item, step.why, signal);
      default:
        return step satisfies never;
    }
  }

  /** For a copy that is to go while the edge does not (or no longer) serve its kind: nothing can be there. */
  async releaseUnserved(item: SyncItem, signal: AbortSignal): Promise<DownsyncOutcome> {
    if (item.copy !== undefined) await this.#release(item, signal);
    this.#forget(item.key);
    return 'gone';
  }

  #forget(key: CopyKey): void {
    this.#knownFields.delete(key);
    this.#drift.forget(key);
    this.#autoscaled.forget(key);
  }

  async #apply(
    kind: ServedKind,
    item: SyncItem,
    why: 'absent' | 'changed' | 'drift' | 'fields-unknown',
    signal: AbortSignal,
  ): Promise<DownsyncOutcome> {
    const { key, place } = item;
    const { edgeClient, mirror, timeoutMs, logger } = this.#options;
    const copy = await this.#readCopy(place, signal);
    if (copy === undefined || copy.metadata.deletionTimestamp !== undefined) return 'waiting'; // its event is on the way
    if (kind.group === 'autoscaling' && kind.resource === 'horizontalpodautoscalers')
      this.#autoscaled.learn(key, copy);
    const target = `${place.group}/${copy.kind}|${place.namespace}/${place.name}`;
    const form = applyForm(copy, {
      group: place.group,
      resource: place.resource,
      autoscaled: this.#autoscaled.has(target),
    });
    const edgeRef = this.#edgeRef(kind, place);
    const known = mirror.get(kind, place.namespace, place.name);
    let force = true;
    if (known === undefined || why === 'fields-unknown' || why === 'drift') {
      const present = await this.#readEdge(edgeRef, signal);
      if (present === undefined) force = false;
      else if (!this.#isOurs(present, copy)) this.#refuseUnmanaged(present, copy);
      else {
        if (isStale(copy.metadata.resourceVersion ?? '', present.metadata.annotations)) {
          throw new ApiError('Conflict', 'the edge was written from a newer copy than this one');
        }
        const owned = appliedFieldsOf(present, edgeFieldManager) ?? {};
        const missing = fieldsNotOwned(form, owned);
        const sameHash =
          present.metadata.annotations?.[copyAnnotations.contentHash] ===
          copy.metadata.annotations?.[copyAnnotations.contentHash];
        if (sameHash && this.#drift.onlyDropped(key, missing)) {
          this.#knownFields.set(key, edgeObjectOf(present).fieldsHash);
          await this.#acknowledge(item, signal);
          return 'present';
        }
        if (why === 'drift') {
          const rival = rivalOf(present);
          const contested = this.#drift.repaired(key);
          logger.info({ key, missing, rival, contested }, 'edge object drifted; repairing it');
          if (contested) {
            await this.#reportError(
              item,
              { reason: 'DriftContested', message: `${rival} keeps changing ${missing.join(', ')}` },
              signal,
            );
          }
        }
        setPreconditions(form, present);
      }
    } else {
      if (known.contentHash !== '' && known.metadata.uid !== undefined) setPreconditions(form, known);
    }
    let applied: KubeObject;
    try {
      applied = await reaching(
        edgeClient.apply(edgeRef, form, { fieldManager: edgeFieldManager, force, signal, timeoutMs }),
      );
    } catch (error) {
      await this.#explainRefusal(item, error, signal);
      throw error;
    }
    const small = edgeObjectOf(applied);
    this.#knownFields.set(key, small.fieldsHash);
    this.#drift.applied(key, fieldsNotOwned(form, appliedFieldsOf(applied, edgeFieldManager) ?? {}));
    await this.#acknowledge({ ...item, copy }, signal);
    return 'present';
  }

  /** Says on the copy what the edge has now; no request when it says so already. */
  async #acknowledge(item: SyncItem, signal: AbortSignal): Promise<void> {
    const { copy, key, place } = item;
    const { tally } = this.#options;
    tally.markSynced(key);
    const annotations = copy?.metadata.annotations ?? {};
    const hash = annotations[copyAnnotations.contentHash] ?? '';
    const contested = this.#drift.isContested(key);
    if (
      annotations[syncAnnotations.syncedHash] === hash &&
      (contested || annotations[syncAnnotations.syncError] === undefined)
    )
      return;
    await this.#annotate(
      place,
      { [syncAnnotations.syncedHash]: hash, ...(contested ? {} : { [syncAnnotations.syncError]: null }) },
      signal,
    );
  }

  async #explainRefusal(item: SyncItem, error: unknown, signal: AbortSignal): Promise<void> {
    // Conflicts and missing namespaces or kinds pass by themselves; an edge that is not reached says so on its Cell.
    if (!(error instanceof ApiError) || passingReasons.has(error.reason)) return;
    await this.#reportError(item, { reason: error.reason, message: error.message.slice(0, 1_024) }, signal);
  }

  async #reportError(
    item: SyncItem,
    failure: { reason: string; message: string },
    signal: AbortSignal,
  ): Promise<void> {
    const text = JSON.stringify(failure);
    if (item.copy?.metadata.annotations?.[syncAnnotations.syncError] === text) return;
    await this.#annotate(item.place, { [syncAnnotations.syncError]: text }, signal);
  }

  async #annotate(
    place: CopyPlace,
    annotations: { [key: string]: string | null },
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.#options.federationClient.patch(
        this.#copyRef(place),
        { type: 'merge', body: { metadata: { annotations } } },
        { fieldManager: edgeFieldManager, signal },
      );
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }

  async #delete(
    kind: ServedKind,
    item: SyncItem,
    evidence: 'observed' | 'inferred',
    signal: AbortSignal,
  ): Promise<void> {
    const { key, place } = item;
    const { mirror, edgeClient, timeoutMs, tally, cell, logger } = this.#options;
    const edge = mirror.get(kind, place.namespace, place.name);
    if (edge === undefined) return;
    if (evidence === 'inferred' && !(await this.#absenceConfirmed(place, signal))) {
      tally.markHeld(
        key,
        `${place.resource} ${place.namespace}/${place.name} has no copy, but its deletion was not seen`,
      );
      return;
    }
    const budget = cell().spec?.deletionBudget;
    const limits =
      budget === undefined
        ? undefined
        : {
            maxObjects: budget.maxObjects ?? Number.POSITIVE_INFINITY,
            maxPercent: budget.maxPercent ?? 100,
            windowMs: (budget.windowSeconds ?? 3_600) * 1_000,
          };
    if (!this.#budget.take(limits, mirror.objectCount)) {
      tally.markHeld(
        key,
        `the deletion budget of the cell is spent (${place.resource} ${place.namespace}/${place.name})`,
      );
      return;
    }
    logger.debug({ key, evidence }, 'deleting at the edge');
    try {
      await reaching(
        edgeClient.delete(this.#edgeRef(kind, place), {
          preconditions: { uid: edge.metadata.uid, resourceVersion: edge.metadata.resourceVersion },
          propagationPolicy: 'Background',
          signal,
          timeoutMs,
        }),
      );
    } catch (error) {
      // Gone already, or changed since: its event brings the key back.
      if (!isApiError(error, 'NotFound', 'Conflict')) throw error;
    }
  }

  /** A consistent read says that the copy is gone, from the store that the edge was claimed under. */
  async #absenceConfirmed(place: CopyPlace, signal: AbortSignal): Promise<boolean> {
    const before = this.#options.incarnationId();
    if (before === '') return false;
    return (await this.#readCopy(place, signal)) === undefined && this.#options.incarnationId() === before;
  }

  /** Takes our finalizer off the copy, so that it goes. */
  async #release(item: SyncItem, signal: AbortSignal): Promise<void> {
    const { copy, place, key } = item;
    if (copy === undefined) return;
    const finalizers = (copy.metadata.finalizers ?? []).filter((finalizer) => finalizer !== edgeFinalizer);
    try {
      await this.#options.federationClient.patch(
        this.#copyRef(place),
        { type: 'merge', body: { metadata: { resourceVersion: copy.metadata.resourceVersion, finalizers } } },
        { fieldManager: edgeFieldManager, signal },
      );
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
    this.#options.tally.forget(key);
    this.#forget(key);
  }

  async #readCopy(place: CopyPlace, signal: AbortSignal): Promise<KubeObject | undefined> {
    try {
      return await this.#options.federationClient.get(this.#copyRef(place), { signal });
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async #readEdge(edgeRef: ObjectRef, signal: AbortSignal): Promise<KubeObject | undefined> {
    try {
      return await reaching(
        this.#options.edgeClient.get(edgeRef, { signal, timeoutMs: this.#options.timeoutMs }),
      );
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  /** The same origin: control plane, logical cluster and the object's address there (invariant 4). */
  #isOurs(present: KubeObject, copy: KubeObject): boolean {
    const labels = present.metadata.labels ?? {};
    if (labels[copyLabels.originControlPlane] !== this.#options.controlPlaneId) return false;
    if (labels[copyLabels.originCluster] !== copy.metadata.labels?.[copyLabels.originCluster]) return false;
    const addressed = [
      copyAnnotations.originNamespace,
      copyAnnotations.originName,
      copyAnnotations.originResource,
    ];
    return addressed.every((key) => present.metadata.annotations?.[key] === copy.metadata.annotations?.[key]);
  }

  #refuseUnmanaged(present: KubeObject, copy: KubeObject): void {
    const labelled = present.metadata.labels?.[copyLabels.originCluster] !== undefined;
    const overwrite = copy.metadata.annotations?.[copyAnnotations.conflictResolution] === 'Overwrite';
    // Another project's copy is never touched, whatever a policy says.
    if (!labelled && (overwrite || present.kind === 'Namespace')) return;
    throw new ApiError(
      'AlreadyExists',
      labelled
        ? 'NameCollision: the edge holds a copy of another origin under this name'
        : 'the edge holds an object that no copy made under this name; conflictResolution Overwrite would take it over',
    );
  }

  #edgeRef(kind: ServedKind, place: CopyPlace): ObjectRef {
    return {
      cluster: undefined,
      gvr: { group: kind.group, version: kind.version, resource: kind.resource },
      namespace: place.namespace === '' ? undefined : place.namespace,
      name: place.name,
    };
  }

  #copyRef(place: CopyPlace): ObjectRef {
    return {
      cluster: this.#options.cellWorkspace,
      gvr: { group: place.group, version: place.version, resource: place.resource },
      namespace: place.namespace === '' ? undefined : place.namespace,
      name: place.name,
    };
  }
}

/** Compare-and-swap: what we write over is what we have seen (DESIGN.md, Fencing). */
function setPreconditions(form: { [key: string]: unknown }, present: KubeObject): void {
  const metadata = form['metadata'];
  if (!isJsonObject(metadata)) return;
  metadata['uid'] = present.metadata.uid;
  metadata['resourceVersion'] = present.metadata.resourceVersion;
}

/** Who wrote last beside us. */
function rivalOf(present: KubeObject): string {
  const others = (present.metadata.managedFields ?? []).filter(
    (entry) => entry.manager !== edgeFieldManager && entry.subresource !== 'status',
  );
  others.sort((a, b) => (b.time ?? '').localeCompare(a.time ?? ''));
  return others[0]?.manager ?? 'someone';
}
