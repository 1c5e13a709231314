import { isCrd } from '#api/apiextensions/crd.ts';
import { copyAnnotations } from '#api/federation/copy-contract.ts';
import type { JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import type { CellMetrics } from '../cell/cell-metrics.ts';
import type { CellWorkspace } from '../cell/cell-workspace.ts';
import { type CopyKey, type CopyPlace, copyKeyOf, parseCopyKey } from '../cell/copy-keys.ts';
import { digestOf } from '../digest.ts';
import { edgeRefOf } from '../downsync/sync-context.ts';
import type { SyncItem } from '../downsync/sync-item.ts';
import type { EdgeMirror } from '../edge/edge-mirror.ts';
import type { EdgeObject } from '../edge/edge-object.ts';
import { PendingStatuses } from '../edge/pending-statuses.ts';
import { bringsStatus, type ServedKind, statusOf } from '../edge/served-kind.ts';
import type { TokenBucket } from '../edge/token-bucket.ts';
import { mapStatus } from './map-status.ts';

export interface UpsyncOptions {
  /** Guarded: it waits while the edge is away, and has its timeouts. */
  readonly edgeClient: KubeClient;
  readonly workspace: CellWorkspace;
  readonly mirror: () => EdgeMirror;
  readonly pendingStatusBytesMax: number;
  /** Of the writes to copies. */
  readonly pace: TokenBucket;
  readonly metrics: CellMetrics;
}

interface Written {
  /** Digest of the edge's status; '' when it was written before this process began. */
  readonly edgeDigest: string;
  /** Digest of what was made of it for the copy. */
  readonly copyDigest: string;
  readonly edgeGeneration: number | undefined;
  readonly copyGeneration: number | undefined;
  /** Whether the edge held the copy's content then. */
  readonly inSync: boolean;
}

/** Differs from every status. */
const unknownStatus: Written = {
  edgeDigest: 'unknown',
  copyDigest: 'unknown',
  edgeGeneration: undefined,
  copyGeneration: undefined,
  inSync: false,
};

const noStatusDigest = digestOf({});

/** Carries statuses from one edge to the copies, each as soon as the edge's watch tells of it. */
export class Upsync {
  readonly #options: UpsyncOptions;
  readonly #written = new Map<CopyKey, Written>();
  readonly #pending: PendingStatuses;
  /** Kinds, by kindIdOf. */
  readonly #priming = new Map<string, Promise<void>>();
  readonly #isPrimed = new Set<string>();

  constructor(options: UpsyncOptions) {
    this.#options = options;
    this.#pending = new PendingStatuses(options.pendingStatusBytesMax);
  }

  /** The edge told a status. */
  learn(key: CopyKey, status: JsonValue): void {
    this.#pending.put(key, status, this.#written.get(key)?.edgeDigest);
  }

  /** Statuses that the edge told and that are not written yet. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /** What the edge told of it is void; what stands in the copy stands. */
  goneAtEdge(key: CopyKey): void {
    this.#pending.delete(key);
  }

  /** More objects of the kind were told of than are remembered: those will be told anew that come to be. */
  forgetUnknown(kind: ServedKind): void {
    for (const key of this.#pending.keys()) {
      const { group, resource, namespace, name } = parseCopyKey(key);
      if (group !== kind.group || resource !== kind.resource) continue;
      if (this.#options.mirror().get(kind, namespace, name) === undefined) this.#pending.delete(key);
    }
  }

  /** The copy is gone too. */
  forget(key: CopyKey): void {
    this.#written.delete(key);
    this.#pending.delete(key);
  }

  /**
   * To be awaited before the first `sync` of a kind: learns in one list what stands in the copies, so that a federator
   * that starts writes only what differs. Undefined when it is done already.
   */
  prime(kind: ServedKind, place: CopyPlace, signal: AbortSignal): Promise<void> | undefined {
    return bringsStatus(kind) ? this.#primed(place, signal) : undefined;
  }

  /** The edge has nothing of it any more: what stands in the copy goes. False while it is not its turn yet. */
  async takeBack({ key, place, copy }: SyncItem, signal: AbortSignal): Promise<boolean> {
    if (copy === undefined || isCrd(place)) return true;
    await this.#primed(place, signal);
    const before = this.#written.get(key);
    if (before === undefined || before.copyDigest === noStatusDigest || before.copyDigest === '') return true;
    const { pace, metrics, workspace } = this.#options;
    if (pace.waitMs > 0) return false;
    this.#written.set(key, unknownStatus);
    pace.spend(1);
    metrics.statusesWritten++;
    if (!(await workspace.writeStatus(place, {}, signal))) return true;
    this.#written.set(key, {
      edgeDigest: '',
      copyDigest: noStatusDigest,
      edgeGeneration: undefined,
      copyGeneration: copy.metadata.generation,
      inSync: true,
    });
    return true;
  }

  #primed(place: CopyPlace, signal: AbortSignal): Promise<void> | undefined {
    const id = kindIdOf(place);
    if (this.#isPrimed.has(id)) return undefined;
    let priming = this.#priming.get(id);
    if (priming === undefined) {
      priming = this.#prime(place, signal)
        .then(() => {
          this.#isPrimed.add(id);
        })
        .finally(() => this.#priming.delete(id));
      this.#priming.set(id, priming);
    }
    return priming;
  }

  /** Whether `sync` has nothing to do, and need not be primed first. */
  isSettled(kind: ServedKind, item: SyncItem): boolean {
    if (!bringsStatus(kind) || item.copy === undefined) return true;
    if (!this.#isPrimed.has(kindIdOf(kind)) || this.#pending.get(item.key) !== undefined) return false;
    const edge = this.#options.mirror().get(kind, item.place.namespace, item.place.name);
    return edge === undefined || !this.#countsAnew(item, edge);
  }

  /** Brings the copy's status to the edge's; returns after how many milliseconds to do so because it is not its turn yet. */
  async sync(kind: ServedKind, item: SyncItem, signal: AbortSignal): Promise<number> {
    if (!bringsStatus(kind) || item.copy === undefined) return 0;
    const { key, place, copy } = item;
    const edge = this.#options.mirror().get(kind, place.namespace, place.name);
    if (edge === undefined) return 0;
    const pending = this.#pending.get(key);
    if (pending === undefined && !this.#countsAnew(item, edge)) return 0;
    if (this.#options.pace.waitMs > 0) return this.#options.pace.waitMs;
    const edgeStatus = pending?.status ?? (await this.#read(kind, item, signal));
    const counted = {
      edgeGeneration: edge.metadata.generation,
      copyGeneration: copy.metadata.generation,
      inSync: holdsContentOf(copy, edge),
    };
    const status = mapStatus({ edgeStatus, ...counted });
    const copyDigest = digestOf(status);
    const before = this.#written.get(key);
    const isFirstAndEmpty = before === undefined && Object.keys(status ?? {}).length === 0;
    if (status !== undefined && !isFirstAndEmpty && before?.copyDigest !== copyDigest) {
      // Until it is answered, and for good when it is not, nobody knows what the copy says.
      this.#written.set(key, unknownStatus);
      this.#options.pace.spend(1);
      this.#options.metrics.statusesWritten++;
      if (!(await this.#options.workspace.writeStatus(place, status, signal))) return 0;
    }
    this.#written.set(key, {
      edgeDigest: pending?.digest ?? digestOf(edgeStatus),
      copyDigest,
      ...counted,
    });
    if (pending !== undefined) this.#pending.written(key, pending);
    return 0;
  }

  async #prime(kind: CopyPlace, signal: AbortSignal): Promise<void> {
    for await (const page of this.#options.workspace.readAll(kind, signal)) {
      for (const { metadata, status } of page) {
        if (status === undefined) continue;
        const { name = '', namespace = '', generation } = metadata;
        const key = copyKeyOf({ ...kind, namespace, name });
        if (this.#written.has(key)) continue;
        this.#written.set(key, {
          edgeDigest: '',
          copyDigest: digestOf(status as JsonValue),
          edgeGeneration: undefined,
          copyGeneration: generation,
          inSync: true,
        });
      }
    }
  }

  /**
   * The edge has come to hold the copy's content without a new generation of its own (a field that is not applied there, a label,
   * what it had held before): its status says what it said, but `observedGeneration` counts from another number now. Rare, so
   * it is read again, not remembered.
   */
  #countsAnew({ key, copy }: SyncItem, edge: EdgeObject): boolean {
    const written = this.#written.get(key);
    if (written === undefined || copy === undefined) return false;
    if (written.inSync && written.copyGeneration === copy.metadata.generation) return false;
    if (written.edgeDigest !== '' && written.edgeGeneration !== edge.metadata.generation) return false;
    return holdsContentOf(copy, edge);
  }

  async #read(kind: ServedKind, { place }: SyncItem, signal: AbortSignal): Promise<JsonValue | undefined> {
    return statusOf(kind, await this.#options.edgeClient.get(edgeRefOf(kind, place), { signal }));
  }
}

function holdsContentOf(copy: KubeObject, edge: EdgeObject): boolean {
  return edge.contentHash === copy.metadata.annotations?.[copyAnnotations.contentHash];
}

function kindIdOf({ group, resource }: Pick<CopyPlace, 'group' | 'resource'>): string {
  return `${group}/${resource}`;
}
