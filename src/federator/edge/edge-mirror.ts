import { awaitsCopy, copyLabels } from '#api/federation/copy-contract.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { Informer, TooManyObjects } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import type { Priority } from '#client/queue/key-queue.ts';
import { type CopyKey, copyKeyOf } from '../cell/copy-keys.ts';
import { settledWithin } from '../within.ts';
import { type EdgeObject, edgeObjectOf, isTooLong } from './edge-object.ts';
import { bringsStatus, type ServedKind, statusOf } from './served-kind.ts';

export interface EdgeMirrorOptions {
  readonly edgeClient: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long `ensure` waits for a first list before it says why there is none. */
  readonly timeoutMs: number;
  /** Objects of all kinds together that are remembered; of a kind that would have more the watch is broken, and says why. */
  readonly objectsMax: number;
  /** There are more: what is known of the kind's objects that are not remembered may be forgotten. */
  readonly onOverfull: (kind: ServedKind) => void;
  /** An object of ours changed, appeared or went at the edge. */
  readonly onChange: (kind: ServedKind, key: CopyKey, gone: boolean, priority: Priority) => void;
  /** The edge told a status: before `onChange` for the same event. */
  readonly onStatus: (key: CopyKey, status: JsonValue) => void;
}

interface MirroredKind {
  readonly kind: ServedKind;
  readonly informer: Informer;
  /** When it was first seen to be broken. */
  brokenAtMs?: number | undefined;
}

/** A watch at an edge that cannot be kept up. */
export interface BrokenWatch {
  readonly kind: ServedKind;
  readonly forMs: number;
  readonly error: unknown;
}

/** Objects of one list page: bodies of some hundred kilobytes, not of many megabytes. */
const pageSize = 250;
/** As client-go: between once and twice this, so that not all are begun anew at once. */
const watchTimeoutSeconds = 300;
const retryMaxMs = 10_000;
/** An edge with too many objects is read again up to that many. */
const overfullRetryMaxMs = 300_000;

/**
 * What stands at the edge of ours, kind by kind, kept by one watch a kind (all over shared connections). Only objects
 * that carry a copy's labels are seen; what is remembered of each is small.
 */
export class EdgeMirror {
  readonly #options: EdgeMirrorOptions;
  /** By `<group>/<resource>`: each in one version at a time. */
  readonly #kinds = new Map<string, MirroredKind>();
  #isStopped = false;

  constructor(options: EdgeMirrorOptions) {
    this.#options = options;
  }

  /**
   * Begins to mirror a kind, and resolves when its first list is in: undefined when it is already. Rejects with the
   * informer's last error when that takes too long, so that a kind which cannot be listed holds nothing up; with
   * ServiceUnavailable once it is stopped: what is under way then must begin nothing that nobody would end.
   */
  ensure(kind: ServedKind): Promise<void> | undefined {
    if (this.#isStopped) {
      return Promise.reject(new ApiError('ServiceUnavailable', 'the connection to the edge was given up'));
    }
    const key = kindKeyOf(kind);
    let mirrored = this.#kinds.get(key);
    if (mirrored?.kind.version !== kind.version) {
      const former = mirrored;
      mirrored = { kind, informer: this.#mirror(kind) };
      this.#kinds.set(key, mirrored);
      mirrored.informer.start();
      if (former !== undefined) void this.#succeed(former, mirrored);
    }
    return mirrored.informer.hasSynced ? undefined : this.#synced(mirrored.informer);
  }

  /** Whether the kind's first list is in. */
  has(kind: ServedKind): boolean {
    const mirrored = this.#kinds.get(kindKeyOf(kind));
    return mirrored?.kind.version === kind.version && mirrored.informer.hasSynced;
  }

  /** The version in which a resource is mirrored; undefined when it is not. */
  kindOf(group: string, resource: string): ServedKind | undefined {
    return this.#kinds.get(`${group}/${resource}`)?.kind;
  }

  /** The kinds of which the edge says that it does not know them. */
  unknown(): ServedKind[] {
    const kinds: ServedKind[] = [];
    for (const { kind, informer } of this.#kinds.values()) {
      if (!informer.connected && isApiError(informer.lastError, 'NotFound')) kinds.push(kind);
    }
    return kinds;
  }

  /** Of everything of ours that is known to stand at the edge. */
  *keys(): Generator<CopyKey> {
    for (const { kind, informer } of this.#kinds.values()) {
      for (const object of informer.values()) yield keyOf(kind, object);
    }
  }

  get(kind: ServedKind, namespace: string, name: string): EdgeObject | undefined {
    const informer = this.#kinds.get(kindKeyOf(kind))?.informer;
    return informer?.get(`|${namespace}/${name}`) as EdgeObject | undefined;
  }

  /** The kind is not served any more: what was there of it is gone. */
  async forget(kind: ServedKind): Promise<void> {
    const mirrored = this.#kinds.get(kindKeyOf(kind));
    if (mirrored === undefined || mirrored.kind.version !== kind.version) return;
    this.#kinds.delete(kindKeyOf(kind));
    await mirrored.informer.stop();
    for (const object of mirrored.informer.values()) {
      this.#options.onChange(kind, keyOf(kind, object), true, 'normal');
    }
  }

  /**
   * The kind that has not been listed or watched for `minMs`, and why: what changes of it at the edge is not seen. Undefined
   * when all stand; to be asked again and again, as what fails is timed by the questions.
   */
  brokenWatch(minMs: number): BrokenWatch | undefined {
    const nowMs = this.#options.clock.monotonic();
    let broken: BrokenWatch | undefined;
    for (const mirrored of this.#kinds.values()) {
      const { kind, informer } = mirrored;
      if (informer.connected || informer.lastError === undefined) {
        mirrored.brokenAtMs = undefined;
        continue;
      }
      mirrored.brokenAtMs ??= nowMs;
      const forMs = nowMs - mirrored.brokenAtMs;
      if (broken === undefined || forMs > broken.forMs) broken = { kind, forMs, error: informer.lastError };
    }
    return broken !== undefined && broken.forMs >= minMs ? broken : undefined;
  }

  /** Whether a watch has failed and not yet been begun anew. */
  get isInDoubt(): boolean {
    for (const { informer } of this.#kinds.values()) {
      if (!informer.connected && informer.lastError !== undefined) return true;
    }
    return false;
  }

  get objectCount(): number {
    let count = 0;
    for (const { informer } of this.#kinds.values()) count += informer.size;
    return count;
  }

  /** Whether anything of this Cell stands there that awaits its next copy (decision 234). */
  isAwaitingCopyOf(cellUid: string): boolean {
    for (const { informer } of this.#kinds.values()) {
      for (const object of informer.values()) {
        const edge = object as EdgeObject;
        if (edge.deletionPolicy === awaitsCopy && edge.cellUid === cellUid) return true;
      }
    }
    return false;
  }

  /** Idempotent, and for good. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#kinds.values()].map(({ informer }) => informer.stop()));
    this.#kinds.clear();
  }

  #mirror(kind: ServedKind): Informer {
    const { edgeClient, clock, logger, objectsMax, onChange, onStatus, onOverfull } = this.#options;
    const informer: Informer = new Informer({
      client: edgeClient,
      clock,
      logger,
      collection: {
        cluster: undefined,
        gvr: { group: kind.group, version: kind.version, resource: kind.resource },
      },
      labelSelector: copyLabels.originCluster,
      // Of content nothing is looked at but the status; ConfigMaps and Secrets may be large, and nobody's business here.
      metadataOnly: !kind.hasStatus,
      pageSize,
      watchTimeoutSeconds,
      mayGoBack: true,
      objectsMax: () => Math.max(0, objectsMax - this.objectCount + informer.size),
      onFailure: (error) => {
        if (error instanceof TooManyObjects) onOverfull(kind);
      },
      retryMaxMs: (error) => (error instanceof TooManyObjects ? overfullRetryMaxMs : retryMaxMs),
      transform: (object) => {
        if (isTooLong(object)) return undefined;
        if (bringsStatus(kind) && object.metadata.deletionTimestamp === undefined) {
          // One that was made again has none: what stands in the copy is of its forerunner.
          onStatus(keyOf(kind, object), statusOf(kind, object) ?? {});
        }
        return edgeObjectOf(object);
      },
    });
    informer.addHandler({
      // What the first list tells is what stood there all along.
      onAdd: (object) =>
        onChange(kind, keyOf(kind, object), false, informer.hasSynced ? 'normal' : 'background'),
      onUpdate: (object) => onChange(kind, keyOf(kind, object), false, 'normal'),
      onDelete: (object) => onChange(kind, keyOf(kind, object), true, 'normal'),
    });
    return informer;
  }

  /** Another version of a resource takes a former one's place: what went meanwhile is told, what is there was. */
  async #succeed(former: MirroredKind, mirrored: MirroredKind): Promise<void> {
    await former.informer.stop();
    try {
      await mirrored.informer.synced;
    } catch {
      return; // stopped before
    }
    for (const object of former.informer.values()) {
      const { name = '', namespace = '' } = object.metadata;
      if (mirrored.informer.get(`|${namespace}/${name}`) !== undefined) continue;
      this.#options.onChange(mirrored.kind, keyOf(mirrored.kind, object), true, 'normal');
    }
  }

  async #synced(informer: Informer): Promise<void> {
    const { clock, timeoutMs } = this.#options;
    // One that has failed says so at once: keys of this kind must not take the others' places while they wait.
    if (informer.lastError === undefined) await settledWithin(clock, informer.nextAttempt(), timeoutMs);
    if (informer.hasSynced) return;
    throw informer.lastError ?? new ApiError('Timeout', `the edge gave no list within ${timeoutMs} ms`);
  }
}

function kindKeyOf({ group, resource }: ServedKind): string {
  return `${group}/${resource}`;
}

function keyOf({ group, resource }: ServedKind, { metadata }: KubeObject): CopyKey {
  const { name = '', namespace = '' } = metadata;
  return copyKeyOf({ group, resource, namespace, name });
}
