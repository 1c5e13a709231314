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
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { formatTime } from '#apimachinery/rfc3339.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import { Informer } from '#client/informer.ts';
import { LeaseHolder } from '#client/lease.ts';
import type { Logger } from '#client/logger.ts';
import { ReconcileLoop, type ReconcileResult } from '#client/reconcile.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { WorkQueue } from '#client/workqueue.ts';
import { cellStatusPatch } from './cell/cell-report.ts';
import { type CellLimits, CellSync, defaultCellLimits } from './cell/cell-sync.ts';

export interface FederatorOptions {
  readonly name: string;
  readonly federationClient: KubeClient;
  readonly connectEdge: (connection: ServerConnection) => KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly version: string;
  /** Labels of the Federator object, for `Cell.spec.federator.selector`. */
  readonly labels?: { readonly [key: string]: string } | undefined;
  readonly leaseDurationMs?: number | undefined;
  readonly cellLimits?: Partial<CellLimits> | undefined;
}

const reportIntervalMs = 1_000;
const credentialsIntervalMs = 60_000;

/**
 * Syncs the cells that the server assigned to this federator, each for itself. It registers, keeps one Lease alive,
 * and follows Cells; the server alone says which are ours (DESIGN.md, Federator / Assignment).
 */
export class FederatorProcess {
  readonly #options: FederatorOptions;
  readonly #lease: LeaseHolder;
  readonly #cellInformer: Informer;
  readonly #cells = new Map<string, CellSync>();
  /** Keys: `cell/<name>` start, stop or update; `report/<name>` write status; `probe/<name>` look at the edge. */
  readonly #queue: WorkQueue;
  readonly #loop: ReconcileLoop;
  #controlPlane = { controlPlaneId: '', incarnationId: '' };
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
    });
    this.#cellInformer = new Informer({
      client: federationClient,
      clock,
      logger,
      collection: { cluster: cellsWorkspacePath, gvr: cellsGvr },
      // Ours alone: more is not open to a federator (DESIGN.md, Assignment).
      fieldSelector: `status.federator=${name}`,
      indexers: { name: (cell) => [cell.metadata.name ?? ''] },
    });
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

  /** Resolves when the process has registered and knows its cells; before that it waits for the server. */
  async start(signal: AbortSignal): Promise<void> {
    if (this.#started) return;
    this.#started = true;
    this.#loop.start();
    this.#queue.add('register');
    this.#lease.start();
    const enqueue = (cell: KubeObject) => this.#queue.add(`cell/${cell.metadata.name}`);
    this.#cellInformer.addHandler({ onAdd: enqueue, onUpdate: enqueue, onDelete: enqueue });
    this.#cellInformer.start();
    signal.addEventListener('abort', () => void this.stop(), { once: true });
    await this.#cellInformer.synced;
  }

  /** Idempotent. Stops every cell, then gives the lease up. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    await this.#cellInformer.stop();
    await Promise.all([...this.#cells.values()].map((cell) => cell.stop()));
    this.#cells.clear();
    await this.#lease.stop();
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const slash = key.indexOf('/');
    const task = slash < 0 ? key : key.slice(0, slash);
    const name = slash < 0 ? '' : key.slice(slash + 1);
    switch (task) {
      case 'register':
        await this.#register(signal);
        return { requeueAfterMs: 30_000 };
      case 'cell':
        return this.#reconcileCell(name, signal);
      case 'report':
        return this.#report(name, signal);
      case 'probe':
        return this.#probe(name, signal);
      case 'credentials':
        await this.#cells.get(name)?.refreshCredentials();
        return this.#cells.has(name) ? { requeueAfterMs: credentialsIntervalMs } : undefined;
      default:
        throw new RangeError(`unknown task ${key}`);
    }
  }

  /** Says who we are and what we hold; also learns which store the server stands on. */
  async #register(signal: AbortSignal): Promise<void> {
    const { federationClient, name, version, labels, clock } = this.#options;
    await this.#learnControlPlane(signal);
    const ref: ObjectRef = { cluster: cellsWorkspacePath, gvr: federatorsGvr, name };
    try {
      await federationClient.create(
        ref,
        {
          apiVersion: `${federationGroup}/${federationVersion}`,
          kind: 'Federator',
          metadata: { name, ...(labels === undefined ? {} : { labels: { ...labels } }) },
        },
        { signal },
      );
    } catch (error) {
      if (!isApiError(error, 'AlreadyExists')) throw error;
    }
    const cells = [...this.cellNames];
    const status = { lastHeartbeatTime: formatTime(clock.now()), version, cells, held: cells.length };
    await federationClient.patch(ref, { type: 'merge', body: { status } }, { subresource: 'status', signal });
  }

  async #learnControlPlane(signal: AbortSignal): Promise<void> {
    const answer = await this.#options.federationClient.raw(
      { cluster: undefined, method: 'GET', path: '/.well-known/cellplane' },
      { signal },
    );
    if (!isJsonObject(answer)) return;
    this.#controlPlane = {
      controlPlaneId: String(answer['controlPlaneId'] ?? ''),
      incarnationId: String(answer['incarnationId'] ?? ''),
    };
  }

  async #reconcileCell(name: string, signal: AbortSignal): Promise<ReconcileResult> {
    const cell = this.#cellObject(name);
    const present = this.#cells.get(name);
    const ours =
      cell?.status?.assignment?.federator === this.#options.name &&
      cell.metadata.deletionTimestamp === undefined;
    if (cell === undefined || !ours) {
      if (present === undefined) return undefined;
      this.#cells.delete(name);
      await present.stop();
      this.#options.logger.info({ cell: name }, 'cell is not ours any more');
      this.#queue.add('register');
      return undefined;
    }
    if (present !== undefined && present.cell.metadata.uid === cell.metadata.uid) {
      present.update(cell);
      return undefined;
    }
    await present?.stop();
    if (this.#controlPlane.controlPlaneId === '') await this.#learnControlPlane(signal);
    const sync = new CellSync({
      cell,
      federationClient: this.#options.federationClient,
      connectEdge: this.#options.connectEdge,
      controlPlaneId: this.#controlPlane.controlPlaneId,
      incarnationId: () => this.#controlPlane.incarnationId,
      clock: this.#options.clock,
      logger: this.#options.logger,
      limits: { ...defaultCellLimits, ...this.#options.cellLimits },
      onReport: () => this.#queue.addAfter(`report/${name}`, this.#reportDelayMs(name)),
    });
    this.#cells.set(name, sync);
    this.#options.logger.info({ cell: name, epoch: cell.status?.assignment?.epoch }, 'cell is ours');
    sync.start();
    this.#queue.add('register');
    this.#queue.addAfter(`probe/${name}`, 1);
    this.#queue.addAfter(`credentials/${name}`, credentialsIntervalMs);
    return undefined;
  }

  readonly #reportedAtMs = new Map<string, number>();

  /** The first change is told at once, further ones at most once a second. */
  #reportDelayMs(name: string): number {
    const since = this.#options.clock.now() - (this.#reportedAtMs.get(name) ?? 0);
    return since >= reportIntervalMs ? 1 : reportIntervalMs - since;
  }

  async #report(name: string, signal: AbortSignal): Promise<ReconcileResult> {
    const sync = this.#cells.get(name);
    const cell = this.#cellObject(name);
    if (sync === undefined || cell === undefined) {
      this.#reportedAtMs.delete(name);
      return undefined;
    }
    const patch = cellStatusPatch({
      cell,
      health: sync.health,
      tally: sync.tally,
      nowMs: this.#options.clock.now(),
    });
    if (patch === undefined) return undefined;
    this.#reportedAtMs.set(name, this.#options.clock.now());
    try {
      await this.#options.federationClient.patch(
        { cluster: cellsWorkspacePath, gvr: cellsGvr, name },
        { type: 'merge', body: patch },
        { subresource: 'status', fieldManager: this.#options.name, signal },
      );
    } catch (error) {
      // Not ours any more, or gone: the cell's own event says so.
      if (!isApiError(error, 'NotFound', 'Forbidden')) throw error;
    }
    return undefined;
  }

  async #probe(name: string, signal: AbortSignal): Promise<ReconcileResult> {
    const sync = this.#cells.get(name);
    if (sync === undefined) return undefined;
    await sync.probe(signal);
    const intervalSeconds = sync.cell.spec?.healthCheck?.intervalSeconds ?? 30;
    return { requeueAfterMs: intervalSeconds * 1_000 };
  }

  #cellObject(name: string): Cell | undefined {
    for (const object of this.#cellInformer.byIndex('name', name)) return object as Cell;
    return undefined;
  }
}
