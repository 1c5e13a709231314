import type { Clock } from '#apimachinery/clock.ts';
import type { Logger } from '#client/logger.ts';
import { ReconcileLoop, type ReconcileResult } from '#client/reconcile.ts';
import { WorkQueue } from '#client/workqueue.ts';
import type { ProjectObjectKey } from '../object-key.ts';
import { type CellNamespaces, emptyNamespaceMs } from './cell-namespaces.ts';
import { type CopyIndex, type CopyRecord, placeKeyOf } from './copy-index.ts';

export interface NamespaceKeeperOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly index: CopyIndex;
  readonly namespaces: CellNamespaces;
  /** Whether a decision of its own keeps the mapped namespace. */
  readonly isDecided: (key: ProjectObjectKey, place: string) => boolean;
  /** Whether the project's work is this scheduler's. */
  readonly owns: (cluster: string) => boolean;
  /** Whether a mapped namespace may go from this cell workspace at all. */
  readonly mayWithdrawFrom: (cellId: string) => boolean;
  /** Brings the labels of a mapped namespace up to date with its project's namespace. */
  readonly refresh: (record: CopyRecord, signal: AbortSignal) => Promise<void>;
  readonly emptyMs?: number | undefined;
}

/**
 * Looks after mapped namespaces in cell workspaces: their labels follow the project's namespace, and they go when no copy
 * has been in them for a minute and nothing of another origin is (DESIGN.md, Names). Works on places.
 */
export class NamespaceKeeper {
  readonly #options: NamespaceKeeperOptions;
  readonly #queue: WorkQueue;
  readonly #loop: ReconcileLoop;
  /** Place → since when it is empty. */
  readonly #emptySince = new Map<string, number>();

  constructor(options: NamespaceKeeperOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({ clock: options.clock });
    this.#loop = new ReconcileLoop({
      name: 'mapped-namespaces',
      queue: this.#queue,
      reconcile: (place, signal) => this.#keep(place, signal),
      concurrency: 4,
      logger: options.logger,
    });
  }

  start(): void {
    this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  /** To be called when the mapped namespace, its project's namespace, or what lies in it changed. */
  look(cellId: string, mappedName: string): void {
    this.#queue.add(
      placeKeyOf({ cellId, group: '', resource: 'namespaces', namespace: '', name: mappedName }),
    );
  }

  /** To be called when a copy came into the mapped namespace: it is empty no more. */
  fill(cellId: string, mappedName: string): void {
    if (this.#emptySince.size > 0) this.look(cellId, mappedName);
  }

  async #keep(place: string, signal: AbortSignal): Promise<ReconcileResult> {
    const { index, clock, namespaces, isDecided, refresh, emptyMs = emptyNamespaceMs } = this.#options;
    const record = index.get(place);
    if (record === undefined || record.deleting || !this.#options.owns(record.origin.cluster)) {
      this.#emptySince.delete(place);
      return undefined;
    }
    if (isDecided(record.key, place) || index.countInNamespace(record.cellId, record.name) > 0) {
      this.#emptySince.delete(place);
      await refresh(record, signal);
      return undefined;
    }
    const nowMs = clock.now();
    const sinceMs = this.#emptySince.get(place);
    if (sinceMs === undefined) {
      this.#emptySince.set(place, nowMs);
      return { requeueAfterMs: emptyMs };
    }
    if (nowMs - sinceMs < emptyMs) return { requeueAfterMs: emptyMs - (nowMs - sinceMs) };
    if (!this.#options.mayWithdrawFrom(record.cellId)) return undefined;
    const isWanted = () => isDecided(record.key, place);
    if (!(await namespaces.withdrawEmpty(record, isWanted, signal))) return { requeueAfterMs: emptyMs };
    this.#emptySince.delete(place);
    return undefined;
  }
}
