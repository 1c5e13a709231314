import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { federatorsGvr } from '#api/federation/federator.ts';
import {
  cellsWorkspacePath,
  federationGroup,
  federationVersion,
  federatorLeaseNamespace,
} from '#api/federation/group.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { formatTime } from '#apimachinery/rfc3339.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import { type ControlPlane, readControlPlane } from '#client/control-plane.ts';
import { Informer } from '#client/informer.ts';
import { LeaseHolder } from '#client/lease.ts';
import { type Logger, withFields } from '#client/logger.ts';
import { Lots } from '#client/lots.ts';
import type { MetricText } from '#client/metrics/metric-text.ts';
import { ReconcileLoop, type ReconcileResult } from '#client/reconcile.ts';
import { WorkQueue } from '#client/workqueue.ts';
import { CatchUp } from './catch-up.ts';
import { type CellLimits, defaultCellLimits } from './cell/cell-limits.ts';
import { cellReport } from './cell/cell-report.ts';
import { CellSync } from './cell/cell-sync.ts';
import type { ConnectEdge } from './cell/edge-link.ts';
import { isWithdrawing } from './downsync/sync-context.ts';
import { Wheel } from './wheel.ts';

export interface FederatorOptions {
  readonly name: string;
  readonly federationClient: KubeClient;
  readonly connectEdge: ConnectEdge;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly version: string;
  /** Labels of the Federator object, for `Cell.spec.federator.selector`. */
  readonly labels?: { readonly [key: string]: string } | undefined;
  readonly leaseDurationMs?: number | undefined;
  readonly cellLimits?: Partial<CellLimits> | undefined;
}

const reportIntervalMs = 1_000;
/** Of the reports that tell progress alone: all cells together make at most ten each second (docs/decisions/0122). */
const progressIntervalMsPerCell = 100;
/** Notes on copies of kinds without a status go together. */
const noteIntervalMs = 100;
const registerIntervalMs = 30_000;
const lagIntervalMs = 10_000;

/**
 * Syncs the cells that the server assigned to this federator, each for itself. It registers, keeps one Lease alive,
 * and follows Cells; the server alone says which are ours (DESIGN.md, Federator / Assignment).
 */
export class FederatorProcess {
  readonly #options: FederatorOptions;
  readonly #lease: LeaseHolder;
  readonly #cellInformer: Informer;
  readonly #cells = new Map<string, CellSync>();
  /** Those that are stopping: a cell that comes back waits for its former self. */
  readonly #leaving = new Map<string, Promise<void>>();
  /** What every cell has to do from time to time. */
  readonly #wheel: Wheel;
  readonly #catchUp = new CatchUp();
  readonly #noteLots: Lots;
  /**
   * Keys: `register`; `incarnation` compare the store's; `cell/<name>` start, stop or update; `report/<name>` write status.
   * None of them asks an edge.
   */
  readonly #queue: WorkQueue;
  readonly #loop: ReconcileLoop;
  /** When each cell's status was last compared, and when last written. */
  readonly #comparedAtMs = new Map<string, number>();
  readonly #reportedAtMs = new Map<string, number>();
  /** When a cell's progress, and nothing else as far as is known, is to be told. */
  readonly #progressDueAtMs = new Map<string, number>();
  #controlPlane: ControlPlane | undefined;
  #started = false;

  constructor(options: FederatorOptions) {
    this.#options = options;
    const { federationClient, clock, logger, name, leaseDurationMs = 10_000 } = options;
    this.#lease = new LeaseHolder({
      client: federationClient,
      clock,
      logger,
      identity: name,
      lease: {
        cluster: cellsWorkspacePath,
        gvr: { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' },
        namespace: federatorLeaseNamespace,
        name,
      },
      durationMs: leaseDurationMs,
      renewIntervalMs: Math.max(500, Math.floor(leaseDurationMs / 4)),
      // The one call that is made again and again whatever there is to do.
      onAnsweredAgain: () => {
        for (const cell of this.#cells.values()) cell.answersAgain();
      },
    });
    this.#cellInformer = new Informer({
      client: federationClient,
      clock,
      logger,
      collection: { cluster: cellsWorkspacePath, gvr: cellsGvr },
      // Ours alone: more is not open to a federator (DESIGN.md, Assignment).
      fieldSelector: `status.federator=${name}`,
      indexers: { name: (cell) => [cell.metadata.name ?? ''] },
      onRelist: () => this.#queue.add('incarnation'),
    });
    this.#wheel = new Wheel(clock);
    this.#noteLots = new Lots(clock, noteIntervalMs);
    this.#queue = new WorkQueue({ clock, backoffMinMs: 50, backoffMaxMs: 10_000 });
    this.#loop = new ReconcileLoop({
      name: `federator/${name}`,
      queue: this.#queue,
      concurrency: 32,
      logger,
      reconcile: (key, signal) => this.#reconcile(key, signal),
    });
  }

  /** Names of the cells that are synced now. */
  get cellNames(): readonly string[] {
    return [...this.#cells.keys()].sort();
  }

  cell(name: string): CellSync | undefined {
    return this.#cells.get(name);
  }

  /** Adds what is to be told of the process and of each cell that it holds, one before each step. */
  *writeMetrics(text: MetricText): Generator<void> {
    text.gauge('cellplane_federator_cells', 'Cells that this federator holds.', this.#cells.size);
    text.gauge('cellplane_federator_cells_catching_up', 'Cells with much to do.', this.#catchUp.size);
    for (const [name, sync] of this.#cells) {
      sync.writeMetrics(text, this.#cellObject(name) ?? sync.cell);
      yield;
    }
  }

  /** Why it cannot do its work; undefined when it can. What ails an edge is told on its Cell. */
  get notReady(): string | undefined {
    if (!this.#cellInformer.hasSynced) return 'the Cells have not been listed yet';
    if (!this.#cellInformer.connected) return 'the federation API server is not reached';
    return undefined;
  }

  /** Resolves when the process has registered and knows its cells; before that it waits for the server. */
  async start(signal: AbortSignal): Promise<void> {
    if (this.#started) return;
    this.#started = true;
    this.#loop.start();
    this.#queue.add('register');
    this.#lease.start();
    const enqueue = (cell: KubeObject) => {
      this.#queue.add(`cell/${cell.metadata.name}`);
      // What others wrote into its status may be what we have to say otherwise.
      this.#queue.addAfter(`report/${cell.metadata.name}`, this.#reportDelayMs(cell.metadata.name ?? ''));
    };
    this.#cellInformer.addHandler({ onAdd: enqueue, onUpdate: enqueue, onDelete: enqueue });
    this.#cellInformer.start();
    signal.addEventListener('abort', () => void this.stop(), { once: true });
    await this.#cellInformer.synced;
  }

  /** Idempotent, and bounded in time. Stops every cell, then gives the lease up. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    await this.#cellInformer.stop();
    for (const name of this.cellNames) this.#leave(name);
    await Promise.all(this.#leaving.values());
    this.#wheel.stop();
    await this.#lease.stop();
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const slash = key.indexOf('/');
    const task = slash < 0 ? key : key.slice(0, slash);
    const name = slash < 0 ? '' : key.slice(slash + 1);
    switch (task) {
      case 'register':
        await this.#register(signal);
        return { requeueAfterMs: registerIntervalMs };
      case 'incarnation':
        await this.#compareIncarnation(signal);
        return undefined;
      case 'cell':
        await this.#reconcileCell(name, signal);
        return undefined;
      case 'report':
        await this.#report(name, signal);
        return undefined;
      default:
        throw new RangeError(`unknown task ${key}`);
    }
  }

  /** Says who we are and what we hold. */
  async #register(signal: AbortSignal): Promise<void> {
    const { federationClient, name, version, labels, clock } = this.#options;
    const ref: ObjectRef = { cluster: cellsWorkspacePath, gvr: federatorsGvr, name };
    const create = () =>
      federationClient.create(
        ref,
        {
          apiVersion: `${federationGroup}/${federationVersion}`,
          kind: 'Federator',
          metadata: { name, ...(labels === undefined ? {} : { labels: { ...labels } }) },
        },
        { signal },
      );
    const cells = [...this.cellNames];
    const status = { lastHeartbeatTime: formatTime(clock.now()), version, cells, held: cells.length };
    const tell = () =>
      federationClient.patch(ref, { type: 'merge', body: { status } }, { subresource: 'status', signal });
    try {
      await tell();
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
      await create();
      await tell();
    }
    this.#controlPlane ??= await readControlPlane(federationClient, signal);
  }

  /** A store that was put back to a backup holds other things than what was written: every cell begins anew. */
  async #compareIncarnation(signal: AbortSignal): Promise<void> {
    const before = this.#controlPlane;
    if (before === undefined) return;
    const now = await readControlPlane(this.#options.federationClient, signal);
    if (now.incarnationId === before.incarnationId) return;
    const { incarnationId } = now;
    this.#options.logger.warn({ incarnationId }, 'the federation store was restored: all cells begin anew');
    this.#controlPlane = now;
    for (const name of this.cellNames) {
      this.#leave(name);
      this.#queue.add(`cell/${name}`);
    }
  }

  async #reconcileCell(name: string, signal: AbortSignal): Promise<void> {
    const cell = this.#cellObject(name);
    const present = this.#cells.get(name);
    if (cell === undefined || !this.#isOurs(cell)) {
      if (present === undefined) return;
      this.#leave(name);
      this.#options.logger.info({ cell: name }, 'cell is not ours any more');
      this.#queue.add('register');
      return;
    }
    if (present !== undefined && present.cell.metadata.uid === cell.metadata.uid) {
      present.update(cell);
      return;
    }
    if (present !== undefined) this.#leave(name);
    const leaving = this.#leaving.get(name);
    if (leaving !== undefined) {
      // Not waited for here: this loop is all cells'.
      void leaving.then(() => this.#queue.add(`cell/${name}`));
      return;
    }
    this.#controlPlane ??= await readControlPlane(this.#options.federationClient, signal);
    this.#take(cell, this.#controlPlane);
  }

  /** Assigned to us, and to be synced: a Cell that is being deleted only as long as its edge is withdrawn. */
  #isOurs(cell: Cell): boolean {
    return (
      cell.status?.assignment?.federator === this.#options.name &&
      (cell.metadata.deletionTimestamp === undefined || isWithdrawing(cell))
    );
  }

  #take(cell: Cell, { controlPlaneId }: ControlPlane): void {
    const { federationClient, connectEdge, clock, logger, cellLimits } = this.#options;
    const name = cell.metadata.name ?? '';
    const sync = new CellSync({
      cell,
      federationClient,
      connectEdge,
      controlPlaneId,
      wheel: this.#wheel,
      catchUp: this.#catchUp,
      noteLots: this.#noteLots,
      clock,
      logger: withFields(logger, { cell: name }),
      limits: { ...defaultCellLimits, ...cellLimits },
      onReport: () => this.#queue.addAfter(`report/${name}`, this.#reportDelayMs(name)),
      onProgress: () => this.#progressed(name),
    });
    this.#cells.set(name, sync);
    logger.info({ cell: name, epoch: cell.status?.assignment?.epoch }, 'cell is ours');
    sync.start();
    this.#queue.add('register');
    this.#queue.add(`report/${name}`);
  }

  #leave(name: string): void {
    const sync = this.#cells.get(name);
    if (sync === undefined) return;
    this.#cells.delete(name);
    this.#comparedAtMs.delete(name);
    this.#reportedAtMs.delete(name);
    this.#progressDueAtMs.delete(name);
    const leaving = sync.stop().finally(() => {
      if (this.#leaving.get(name) === leaving) this.#leaving.delete(name);
    });
    this.#leaving.set(name, leaving);
  }

  /** One more is in sync: while a report of progress is due anyway, that is found then. */
  #progressed(name: string): void {
    const dueAtMs = this.#progressDueAtMs.get(name);
    if (dueAtMs !== undefined && this.#options.clock.monotonic() < dueAtMs) return;
    this.#queue.addAfter(`report/${name}`, this.#reportDelayMs(name));
  }

  /** The first change is looked at at once, further ones at most once a second. */
  #reportDelayMs(name: string): number {
    const sinceMs =
      this.#options.clock.monotonic() - (this.#comparedAtMs.get(name) ?? Number.NEGATIVE_INFINITY);
    return sinceMs >= reportIntervalMs ? 1 : reportIntervalMs - sinceMs;
  }

  /** How long progress waits to be told: 0 when it may be now. */
  #progressDelayMs(name: string): number {
    const intervalMs = Math.max(reportIntervalMs, this.#cells.size * progressIntervalMsPerCell);
    const reportedAtMs = this.#reportedAtMs.get(name) ?? Number.NEGATIVE_INFINITY;
    return Math.max(0, reportedAtMs + intervalMs - this.#options.clock.monotonic());
  }

  async #report(name: string, signal: AbortSignal): Promise<void> {
    const sync = this.#cells.get(name);
    const cell = this.#cellObject(name);
    if (sync === undefined || cell === undefined) return;
    const { clock, federationClient } = this.#options;
    const { health, tally, held, copiesKnown, copiesBeyondMax, isClaimed, apiEnablements, room } = sync;
    const known = { copiesKnown, copiesBeyondMax, isClaimed, apiEnablements, room };
    const report = cellReport({ cell, health, tally, held, ...known, nowMs: clock.now() });
    // How far behind it is grows without anything happening.
    if (tally.lagMs > 0) this.#queue.addAfter(`report/${name}`, lagIntervalMs);
    if (report === undefined) return;
    this.#comparedAtMs.set(name, clock.monotonic());
    const delayMs = report.isProgress ? this.#progressDelayMs(name) : 0;
    if (delayMs > 0) {
      this.#progressDueAtMs.set(name, clock.monotonic() + delayMs);
      this.#queue.addAfter(`report/${name}`, delayMs);
      return;
    }
    this.#progressDueAtMs.delete(name);
    this.#reportedAtMs.set(name, clock.monotonic());
    try {
      await federationClient.patch(
        { cluster: cellsWorkspacePath, gvr: cellsGvr, name },
        { type: 'merge', body: report.patch },
        {
          subresource: 'status',
          fieldManager: this.#options.name,
          metadataOnly: true,
          unread: true,
          signal,
        },
      );
    } catch (error) {
      // Changed meanwhile, not ours any more, or gone: the cell's own event says so.
      if (!isApiError(error, 'NotFound', 'Forbidden', 'Conflict')) throw error;
    }
  }

  #cellObject(name: string): Cell | undefined {
    for (const object of this.#cellInformer.byIndex('name', name)) return object as Cell;
    return undefined;
  }
}
