import {
  eventKind,
  isCustomGroup,
  type ReturnableKind,
  type ReturnKind,
  returnedObjectBytesMax,
  returnKindKey,
  staysAtEdge,
} from '#api/federation/return-contract.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import { ReconcileLoop, type ReconcileResult } from '#client/reconcile.ts';
import { WorkQueue } from '#client/workqueue.ts';
import { goneKinds } from '../edge/custom-kind-gone.ts';
import type { TokenBucket } from '../edge/token-bucket.ts';
import { Asked } from './asked.ts';
import { type BirthPlace, readBirth } from './birth-place.ts';
import { EventBringer } from './event-bringer.ts';
import { newestMs } from './newest-events.ts';
import { keyOf, keyOfReturned, partsOf } from './return-keys.ts';
import { returnedForm } from './returned-form.ts';
import { ReturnedObjects } from './returned-objects.ts';
import { servedAs, WatchedBirths } from './watched-births.ts';

export interface ReturnerOptions {
  readonly federationClient: KubeClient;
  /** Path of the cell's workspace. */
  readonly workspace: string;
  /** Undefined while the edge is not connected. */
  readonly edge: () => BirthPlace | undefined;
  /** Nothing is written while the cell is suspended or being withdrawn. */
  readonly isPaused: () => boolean;
  /** Paces what is written upward, together with statuses. */
  readonly pace: TokenBucket;
  /** Of Events, beside that: they are many, and the least of what goes upward. */
  readonly eventPace: TokenBucket;
  readonly clock: Clock;
  readonly logger: Logger;
}

const concurrency = 4;
/** Requests come in groups; the edge is listed anew once for all of them. */
const regroupMs = 200;
/** A kind that the edge does not serve, or not to us, is looked for again: first after this, then after twice as long, … */
const unservedRecheckMinMs = 1_000;
const unservedRecheckMaxMs = 30_000;
/** Whether the edge has said of one that it does not know it any more. */
const servedRecheckMs = 10_000;

/**
 * Brings objects that are born at one edge into the cell's workspace, as ReturnedObjects beside the ReturnRequests that ask
 * for them, and takes them away when the edge's go. Asked for nothing, it watches nothing at the edge.
 */
export class Returner {
  readonly #options: ReturnerOptions;
  readonly #asked: Asked;
  readonly #returned: ReturnedObjects;
  /** Keys: `<key of the kind>|<namespace>/<name>`; `trim|<namespace>/`; `regroup`; `kinds`. */
  readonly #queue: WorkQueue;
  readonly #loop: ReconcileLoop;
  readonly #births: WatchedBirths;
  readonly #events: EventBringer;
  /** Content that was too large, by key: until the edge object changes it is not read again. */
  readonly #refused = new Map<string, string>();
  /** Keys of the kinds of which the edge has no objects any more, as it was last asked; others that it does not serve it may have. */
  #gone: ReadonlySet<string> = new Set();
  #unservedRecheckMs = unservedRecheckMinMs;
  #isRegrouping = false;
  #isStarted = false;

  constructor(options: ReturnerOptions) {
    const { workspace, clock, logger } = options;
    this.#options = options;
    this.#queue = new WorkQueue({ clock, backoffMinMs: 50, backoffMaxMs: 30_000 });
    this.#loop = new ReconcileLoop({
      name: `return/${workspace}`,
      queue: this.#queue,
      concurrency,
      logger,
      reconcile: (key, signal) => this.#reconcile(key, signal),
    });
    this.#asked = new Asked({ ...options, onChange: () => this.#queue.addAfter('regroup', regroupMs) });
    this.#returned = new ReturnedObjects({
      ...options,
      onChange: (returned) => this.#queue.add(keyOfReturned(returned)),
    });
    this.#births = new WatchedBirths({
      asked: this.#asked,
      clock,
      logger,
      onChange: (kind, namespace, name) => this.#onBirth(kind, namespace, name),
      onSynced: () => this.#lookAtReturned(),
      onAttempt: () => this.#queue.add('kinds'),
    });
    this.#events = new EventBringer({ ...options, asked: this.#asked, returned: this.#returned });
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#asked.start();
    this.#returned.start();
    Promise.all([this.#asked.synced, this.#returned.synced]).then(
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
    await Promise.all([this.#loop.stop(), this.#asked.stop(), this.#returned.stop(), this.#births.stop()]);
    // A regrouping that was under way may have begun others meanwhile.
    await this.#births.stop();
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const edge = this.#options.edge();
    if (key === 'regroup') {
      await this.#regroup(edge);
      return undefined;
    }
    if (key === 'kinds') return this.#lookForKinds(edge, signal);
    if (edge === undefined || this.#options.isPaused()) return undefined;
    if (key.startsWith('trim|')) {
      const { events } = this.#births;
      if (events === undefined) return undefined;
      for (const outdated of this.#events.outdated(events, partsOf(key).namespace)) this.#queue.add(outdated);
      return undefined;
    }
    const waitMs = this.#options.pace.waitMs;
    if (waitMs > 0) return { requeueAfterMs: waitMs };
    const { kind } = partsOf(key);
    return kind === eventKind.kind
      ? this.#events.bring(key, this.#births.events, edge, signal)
      : this.#bring(key, edge, signal);
  }

  /** Watches at the edge the kinds that are asked for now, and looks at everything anew. */
  async #regroup(edge: BirthPlace | undefined): Promise<void> {
    this.#refused.clear();
    this.#gone = new Set();
    this.#events.restart();
    this.#isRegrouping = true;
    try {
      await this.#births.stop();
    } finally {
      this.#isRegrouping = false;
    }
    if (edge === undefined) return;
    this.#births.start(edge);
    this.#lookAtReturned();
    this.#unservedRecheckMs = unservedRecheckMinMs;
    this.#queue.add('kinds');
  }

  /** Kinds that come to be served are watched from then on, those that cease to be no more; who asked for one is told. */
  async #lookForKinds(edge: BirthPlace | undefined, signal: AbortSignal): Promise<ReconcileResult> {
    const asked = this.#asked.kinds();
    // Nothing is watched in the middle of a regrouping, which looks here at its end: what is missing now would begin another.
    if (edge === undefined || asked.length === 0 || this.#isRegrouping) return undefined;
    const isMissing = (kind: ReturnKind) => !this.#births.has(kind);
    if (asked.some(isMissing) || this.#births.hasUnknown) {
      // What was just installed counts: the edge is asked anew, not more often than this.
      edge.kinds.expire();
      await edge.kinds.refresh();
      if (asked.some((kind) => isMissing(kind) === (servedAs(kind, edge) !== undefined))) {
        this.#queue.add('regroup');
        return undefined;
      }
    }
    const missing = asked.filter(isMissing);
    const unread = this.#births.refusedKinds();
    await this.#asked.tell(missing, unread);
    await this.#lookForGone(edge, missing, signal);
    if (missing.length === 0 && unread.size === 0) return { requeueAfterMs: servedRecheckMs };
    const requeueAfterMs = this.#unservedRecheckMs;
    this.#unservedRecheckMs = Math.min(2 * requeueAfterMs, unservedRecheckMaxMs);
    return { requeueAfterMs };
  }

  /** What came back of kinds that went with all their objects while nobody watched goes too. */
  async #lookForGone(
    { client: edgeClient }: BirthPlace,
    missing: readonly ReturnKind[],
    signal: AbortSignal,
  ): Promise<void> {
    const returned = new Set(Array.from(this.#returned.values(), (one) => partsOf(keyOfReturned(one)).kind));
    const kinds = missing.filter((kind) => isCustomGroup(kind.group) && returned.has(returnKindKey(kind)));
    if (kinds.length === 0) {
      this.#gone = new Set();
      return;
    }
    try {
      this.#gone = new Set((await goneKinds(edgeClient, kinds, signal)).map(returnKindKey));
    } catch (error) {
      this.#gone = new Set();
      if (!isApiError(error)) throw error;
      this.#options.logger.info({ err: error }, 'the edge does not say which kinds are gone');
    }
    if (this.#gone.size > 0) this.#lookAtReturned();
  }

  #lookAtReturned(): void {
    for (const returned of this.#returned.values()) this.#queue.add(keyOfReturned(returned));
  }

  #onBirth(kind: ReturnableKind, namespace: string, name: string): void {
    this.#queue.add(keyOf(kind, namespace, name));
    if (kind === eventKind) {
      this.#queue.addAfter(`trim|${namespace}/`, newestMs);
      return;
    }
    // One that went makes room for another.
    const births = this.#births.get(returnKindKey(kind))?.births;
    if (births?.get(namespace, name) === undefined) {
      for (const { metadata } of births?.in(namespace) ?? []) {
        if (this.#returned.get(kind, namespace, metadata.name ?? '') === undefined) {
          this.#queue.add(keyOf(kind, namespace, metadata.name ?? ''));
        }
      }
    }
  }

  async #bring(key: string, edge: BirthPlace, signal: AbortSignal): Promise<undefined> {
    const { kind: kindKey, namespace, name } = partsOf(key);
    const known = this.#births.get(kindKey);
    // Not asked for any more: known without the edge. Asked for: absence counts only in a complete list, or of the whole kind.
    const isKnown = known === undefined ? this.#gone.has(kindKey) : known.births.watch.hasSynced;
    if (this.#asked.hasKind(kindKey) && !isKnown) return;
    const birth = known?.births.get(namespace, name);
    const present = this.#returned.byKey(key);
    if (known === undefined || birth === undefined || !this.#births.fits(known.kind, birth)) {
      this.#refused.delete(key);
      if (present !== undefined) await this.#returned.remove(present, signal);
      return;
    }
    const seen = `${birth.metadata.uid}/${birth.metadata.resourceVersion}`;
    if (this.#refused.get(key) === seen) return;
    const object = await readBirth(edge, known.kind, birth, signal);
    if (object === undefined) return;
    const form = returnedForm(object, isCustomGroup(known.kind.group));
    const isTooLarge = form.bytes > returnedObjectBytesMax;
    if (isTooLarge || staysAtEdge(known.kind.kind, object)) {
      this.#refused.set(key, seen);
      if (isTooLarge) {
        this.#options.logger.warn(
          { key, bytes: form.bytes, bytesMax: returnedObjectBytesMax },
          'an object of the edge is not returned: it is too large',
        );
      }
      if (present !== undefined) await this.#returned.remove(present, signal);
      return;
    }
    await this.#returned.put(known.kind, birth, form, signal);
  }
}
