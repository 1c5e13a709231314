import { conditionOf } from '#api/conditions.ts';
import { bindingConditions, type ResourceBinding } from '#api/work/resource-binding.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { type Clock, sleep } from '#apimachinery/clock.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import type { Owns } from '#client/queue/work-sharing.ts';
import { ReconcileLoop, type ReconcileResult } from '#client/reconcile.ts';
import { WorkQueue } from '#client/workqueue.ts';
import type { BindingStore } from '../bindings/binding-store.ts';
import { clusterOf, type KeyParts, keyOf, type ProjectObjectKey, splitKey } from '../object-key.ts';
import { type Involved, type Telling, tellEvent } from './event-writer.ts';
import { whyFailed } from './why-failed.ts';

/** As Karmada's scheduler calls them (github.com/karmada-io/karmada/pkg/events/events.go). */
const failed = 'ScheduleBindingFailed';
const succeeded = 'ScheduleBindingSucceed';
/** As its detector calls what its scheduler does not come to see (pkg/detector/detector.go, BuildResourceBinding). */
const notApplied = 'ApplyPolicyFailed';
/** What stands for less is not told. */
const settleMs = 1_000;
/** An object is told of at most once in this time. */
const intervalMs = 30_000;
/** Before the server forgets the Event, after an hour. */
const againMs = 1_800_000;
const triesMax = 3;
const perSecondDefault = 20;
const objectsMaxDefault = 10_000;

export interface PlacementEventsOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly bindings: Pick<BindingStore, 'read'>;
  /** Uid of an object's binding, as far as is known. */
  readonly bindingUidOf: (key: KeyParts) => string | undefined;
  /** Objects told of in a second, over all. Default 20. */
  readonly perSecond?: number | undefined;
  /** Objects remembered; of further ones nothing is told. Default 10,000. */
  readonly objectsMax?: number | undefined;
}

interface Entry {
  /** The reason of what was told last; `stored`: of what was decided before this process began. */
  told: string | undefined;
  toldAtMs: number;
}

/**
 * Tells by Events of an object, and of its binding, that it could not be placed, and why, and that it could be after that. Of what is
 * placed at once nothing is told: who watches a project is not to see that it is federated (docs/federation-contract.md, FI1). For
 * people to read, no more: what is decided stands in the binding (decision 240).
 */
export class PlacementEvents {
  readonly #options: PlacementEventsOptions;
  readonly #objectsMax: number;
  readonly #gapMs: number;
  readonly #queue: WorkQueue;
  readonly #loop: ReconcileLoop;
  /** The objects that do not fit, or have not for long. */
  readonly #entries = new Map<ProjectObjectKey, Entry>();
  #freeAtMs = Number.NEGATIVE_INFINITY;
  #fullToldAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: PlacementEventsOptions) {
    const { clock, logger, perSecond = perSecondDefault, objectsMax = objectsMaxDefault } = options;
    this.#options = options;
    this.#objectsMax = objectsMax;
    this.#gapMs = 1_000 / perSecond;
    this.#queue = new WorkQueue({ clock });
    this.#loop = new ReconcileLoop({
      name: 'placement-events',
      queue: this.#queue,
      reconcile: (key, signal) => this.#tell(key, signal),
      // One after the other, so that the rest waits in the queue for the pace.
      concurrency: 1,
      logger,
    });
  }

  get loop(): ReconcileLoop {
    return this.#loop;
  }

  /** The binding was committed over `present`. Next to nothing for what is placed, as nearly everything is. */
  decided(parts: KeyParts, binding: ResourceBinding, present: ResourceBinding | undefined): void {
    const why = failureOf(binding);
    if (why === undefined && present === undefined) return;
    const key = keyOf(parts);
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      if (entry.told !== why) this.#queue.addAfter(key, settleMs);
      return;
    }
    const hadFailed = why === undefined && present !== undefined && failureOf(present) !== undefined;
    if (why === undefined && !hadFailed) return;
    if (this.#entries.size >= this.#objectsMax) {
      this.#tellFull();
      return;
    }
    this.#entries.set(key, { told: hadFailed ? 'stored' : undefined, toldAtMs: Number.NEGATIVE_INFINITY });
    this.#queue.addAfter(key, settleMs);
  }

  /** The object is gone, or not placed any more. */
  drop(key: ProjectObjectKey): void {
    this.#entries.delete(key);
  }

  /** These projects are another scheduler's to tell of. */
  forget(owns: Owns): void {
    for (const key of this.#entries.keys()) if (owns(clusterOf(key))) this.drop(key);
  }

  async #tell(key: ProjectObjectKey, signal: AbortSignal): Promise<ReconcileResult> {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const { clock, bindings, logger } = this.#options;
    const sinceMs = clock.monotonic() - entry.toldAtMs;
    if (sinceMs < intervalMs) return { requeueAfterMs: intervalMs - sinceMs };
    const parts = splitKey(key);
    try {
      const binding = await bindings.read(parts, signal);
      const why = binding === undefined ? undefined : failureOf(binding);
      if (why !== undefined && why === entry.told && sinceMs < againMs)
        return { requeueAfterMs: againMs - sinceMs };
      const wasTold = entry.told !== undefined && entry.told !== succeeded;
      if (binding === undefined || (why === undefined && !(wasTold && isScheduled(binding)))) {
        this.drop(key);
        return undefined;
      }
      await this.#pace(signal);
      const { message = '' } = conditionOf(binding.status?.conditions, bindingConditions.scheduled) ?? {};
      const telling: Telling = {
        type: why === undefined ? 'Normal' : 'Warning',
        reason: why === undefined ? succeeded : why === 'PriorityClassNotFound' ? notApplied : failed,
        message: why === undefined ? message : whyFailed(message, binding.status?.refusals),
        now: nowTime(clock.now()),
      };
      for (const involved of this.#involvedIn(parts, binding))
        await tellEvent(this.#options.client, parts.cluster, involved, telling, signal);
      entry.told = why ?? succeeded;
    } catch (error) {
      if (signal.aborted || (!isFinal(error) && this.#queue.failuresOf(key) < triesMax)) throw error;
      // Nobody is to be kept from anything by what is for people to read.
      logger.debug({ err: error, key }, 'an event is left out');
      this.drop(key);
      return undefined;
    }
    entry.toldAtMs = clock.monotonic();
    return { requeueAfterMs: intervalMs };
  }

  #tellFull(): void {
    const { clock, logger } = this.#options;
    const nowMs = clock.monotonic();
    if (nowMs - this.#fullToldAtMs < againMs) return;
    this.#fullToldAtMs = nowMs;
    logger.info({ objects: this.#objectsMax }, 'no event tells of further objects that do not fit');
  }

  async #pace(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const waitMs = this.#freeAtMs - clock.monotonic();
    if (waitMs > 0) await sleep(clock, waitMs, signal);
    this.#freeAtMs = clock.monotonic() + this.#gapMs;
  }

  /** The object, which people look at, and the binding, as Karmada's scheduler does. */
  *#involvedIn(parts: KeyParts, { apiVersion, kind, metadata, spec }: ResourceBinding): Iterable<Involved> {
    const namespace = parts.namespace === '' ? undefined : parts.namespace;
    const { resource } = spec;
    const { uid = '' } = resource;
    yield { apiVersion: resource.apiVersion, kind: resource.kind, namespace, name: parts.name, uid };
    const bindingUid = this.#options.bindingUidOf(parts) ?? metadata.uid ?? '';
    yield { apiVersion, kind, namespace, name: metadata.name ?? '', uid: bindingUid };
  }
}

function isScheduled({ status }: ResourceBinding): boolean {
  return conditionOf(status?.conditions, bindingConditions.scheduled)?.status === 'True';
}

/** Why the object cannot be placed; undefined where it can, or nobody has tried since the policy suspends scheduling. */
function failureOf({ status }: ResourceBinding): string | undefined {
  const condition = conditionOf(status?.conditions, bindingConditions.scheduled);
  if (condition?.status !== 'False' || condition.reason === 'SchedulingSuspended') return undefined;
  return condition.reason;
}

/** Another try would end the same way: the namespace is going, a quota or a webhook refuses it. */
function isFinal(error: unknown): boolean {
  return isApiError(error, 'NotFound', 'Forbidden', 'Invalid', 'BadRequest');
}
