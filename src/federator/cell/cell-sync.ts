import type { Cell } from '#api/federation/cell.ts';
import { copiesGvr } from '#api/federation/copy.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { sleep } from '#apimachinery/clock.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import { Informer } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import { ReconcileLoop, type ReconcileResult } from '#client/reconcile.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { WorkQueue } from '#client/workqueue.ts';
import { Breaker } from '../edge/breaker.ts';
import { type Claim, claimEdge, sameClaim } from '../edge/edge-claim.ts';
import { edgeConnectionOf } from '../edge/edge-connection.ts';
import { type ServedKind, ServedKinds } from '../edge/edge-kinds.ts';
import type { EdgeObject } from '../edge/edge-object.ts';
import { EdgeUnreached } from '../edge/edge-unreached.ts';
import type { CellHealth } from './cell-report.ts';
import { copyKeyOf, parseCopyKey, placeOf } from './copy-keys.ts';
import { Edge } from './edge.ts';
import { SyncTally } from './sync-tally.ts';

export interface CellLimits {
  /** Objects of one cell worked on at once. */
  readonly concurrency: number;
  readonly edgeTimeoutMs: number;
  readonly breakerFailures: number;
  readonly breakerOpenMinMs: number;
  readonly breakerOpenMaxMs: number;
}

export const defaultCellLimits: CellLimits = {
  concurrency: 8,
  edgeTimeoutMs: 10_000,
  breakerFailures: 3,
  breakerOpenMinMs: 200,
  breakerOpenMaxMs: 15_000,
};

export interface CellSyncOptions {
  readonly cell: Cell;
  /** To the federation API server, as this federator. */
  readonly federationClient: KubeClient;
  /** Makes a client for the edge; a parameter so that tests can stand in for the network. */
  readonly connectEdge: (connection: ServerConnection) => KubeClient;
  readonly controlPlaneId: string;
  /** The incarnation of the federation server's store: absence seen at another one proves nothing. */
  readonly incarnationId: () => string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: CellLimits;
  /** Something that the cell's status tells has changed. */
  readonly onReport: () => void;
}

/**
 * Everything for one cell, and nothing shared with another: queue, concurrency, connections, breaker, timeouts. Level
 * triggered: it is told keys, and brings each object of the edge to what its copy says, and the copy's status to what
 * the edge says.
 */
export class CellSync {
  readonly name: string;
  readonly tally: SyncTally;
  readonly #options: CellSyncOptions;
  readonly #logger: Logger;
  readonly #queue: WorkQueue;
  readonly #loop: ReconcileLoop;
  readonly #breaker: Breaker;
  readonly #stopping = new AbortController();
  #cell: Cell;
  #connection: ServerConnection | undefined;
  #edge: Edge | undefined;
  #copies: Informer | undefined;
  #running: Promise<void> | undefined;
  #health: CellHealth = { reachable: 'Unknown', reason: 'Starting', message: 'no answer from the edge yet' };
  /** The copies' metadata by our own keys; the informer's are keyed by workspace too. */
  readonly #copyOf = new Map<string, KubeObject>();
  /** Copies whose deletion we saw happen: their absence is wanted. */
  readonly #seenDeleted = new Set<string>();

  constructor(options: CellSyncOptions) {
    this.#options = options;
    this.#cell = options.cell;
    this.name = options.cell.metadata.name ?? '';
    this.#logger = options.logger;
    const { clock, limits } = options;
    this.tally = new SyncTally(clock);
    this.#breaker = new Breaker({
      clock,
      failureThreshold: limits.breakerFailures,
      openMinMs: limits.breakerOpenMinMs,
      openMaxMs: limits.breakerOpenMaxMs,
    });
    this.#queue = new WorkQueue({ clock, backoffMinMs: 20, backoffMaxMs: 30_000 });
    this.#loop = new ReconcileLoop({
      name: `cell/${this.name}`,
      queue: this.#queue,
      concurrency: limits.concurrency,
      logger: this.#logger,
      reconcile: (key, signal) => this.#reconcile(key, signal),
    });
  }

  get workspace(): string {
    return `${cellsWorkspacePath}:${this.name}`;
  }

  get cell(): Cell {
    return this.#cell;
  }

  get health(): CellHealth {
    return this.#health;
  }

  /** The edge's client while one is connected. */
  get edgeClient(): KubeClient | undefined {
    return this.#edge?.client;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop.stop();
    await this.#running;
    await this.#copies?.stop();
    await this.#edge?.close();
  }

  /** Takes over a changed Cell; the connection is made anew when what it rests on has changed. */
  update(cell: Cell): void {
    const old = this.#cell;
    this.#cell = cell;
    const same =
      JSON.stringify([old.spec?.apiEndpoint, old.spec?.secretRef, old.spec?.suspend]) ===
      JSON.stringify([cell.spec?.apiEndpoint, cell.spec?.secretRef, cell.spec?.suspend]);
    if (!same) void this.refreshCredentials();
  }

  /** Reads the credentials again and reconnects when they changed; keys go on meanwhile with the old connection. */
  async refreshCredentials(): Promise<void> {
    const signal = this.#stopping.signal;
    try {
      const connection = await this.#readConnection(signal);
      if (JSON.stringify(connection) === JSON.stringify(this.#connection)) return;
      await this.#connect(connection, signal);
      this.#requeueAll();
    } catch (error) {
      if (!signal.aborted) this.#unreachable(error);
    }
  }

  /** One look at the edge's health; called by the federator's wheel at the cell's interval. */
  async probe(signal: AbortSignal): Promise<void> {
    const edge = this.#edge;
    if (edge === undefined) return;
    const { clock } = this.#options;
    const timeoutMs = (this.#cell.spec?.healthCheck?.timeoutSeconds ?? 10) * 1_000;
    const startedMs = clock.monotonic();
    try {
      const version = await edge.client.raw(
        { cluster: undefined, method: 'GET', path: '/version' },
        { signal, timeoutMs },
      );
      this.#breaker.reached();
      this.#setHealth({
        reachable: 'True',
        reason: 'Reachable',
        message: 'the edge API server answers',
        kubernetesVersion: isJsonObject(version) ? String(version['gitVersion'] ?? '') : '',
        probe: { atMs: clock.now(), latencyMs: Math.round((clock.monotonic() - startedMs) * 10) / 10 },
      });
    } catch (error) {
      if (signal.aborted) return;
      this.#breaker.unreached();
      this.#unreachable(error);
    }
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const signal = this.#stopping.signal;
    let waitMs = 200;
    while (!signal.aborted) {
      try {
        await this.#connect(await this.#readConnection(signal), signal);
        break;
      } catch (error) {
        if (signal.aborted) return;
        this.#unreachable(error);
        await sleep(clock, waitMs * (0.75 + Math.random() / 2), signal).catch(() => {});
        waitMs = Math.min(waitMs * 2, this.#options.limits.breakerOpenMaxMs);
      }
    }
    if (signal.aborted) return;
    this.#copies = new Informer({
      client: this.#options.federationClient,
      clock,
      logger: this.#logger,
      collection: { cluster: this.workspace, gvr: copiesGvr },
    });
    this.#copies.addHandler({
      onAdd: (copy) => this.#onCopy(copy),
      onUpdate: (copy) => this.#onCopy(copy),
      onDelete: (copy) => {
        const key = copyKeyOf(placeOf(copy));
        this.#copyOf.delete(key);
        // A copy that had its deletion begun was released by us or is gone on purpose.
        if (copy.metadata.deletionTimestamp !== undefined) this.#seenDeleted.add(key);
        this.#enqueue(key);
      },
    });
    this.#copies.start();
    await this.#copies.synced.catch(() => {});
    if (!signal.aborted) this.#loop.start();
  }

  #onCopy(copy: KubeObject): void {
    const key = copyKeyOf(placeOf(copy));
    this.#copyOf.set(key, copy);
    this.#seenDeleted.delete(key);
    this.#enqueue(key);
  }

  #enqueue(key: string): void {
    this.#queue.forget(key);
    this.#queue.add(key);
  }

  #requeueAll(): void {
    for (const key of this.#copyOf.keys()) this.#enqueue(key);
  }

  async #readConnection(signal: AbortSignal): Promise<ServerConnection> {
    const ref = this.#cell.spec?.secretRef;
    let secret: KubeObject | undefined;
    if (ref !== undefined) {
      const secretRef: ObjectRef = {
        cluster: cellsWorkspacePath,
        gvr: { group: '', version: 'v1', resource: 'secrets' },
        namespace: ref.namespace,
        name: ref.name,
      };
      secret = await this.#options.federationClient.get(secretRef, { signal });
    }
    return edgeConnectionOf(this.#cell, secret);
  }

  async #connect(connection: ServerConnection, signal: AbortSignal): Promise<void> {
    const { clock, limits, controlPlaneId } = this.#options;
    const client = this.#options.connectEdge(connection);
    try {
      const wanted: Claim = { controlPlaneId, cellName: this.name, cellUid: this.#cell.metadata.uid ?? '' };
      const claim = await claimEdge(client, wanted, signal);
      if (!sameClaim(claim, wanted)) {
        throw new ApiError(
          'Forbidden',
          `the edge is claimed by cell ${claim.cellName} (uid ${claim.cellUid}) of control plane ${claim.controlPlaneId}; nothing is synced there`,
        );
      }
      const kinds = new ServedKinds({ client, cluster: undefined, clock });
      await kinds.refresh();
      const edge = new Edge({
        edgeClient: client,
        federationClient: this.#options.federationClient,
        kinds,
        cellWorkspace: this.workspace,
        cell: () => this.#cell,
        controlPlaneId,
        incarnationId: this.#options.incarnationId,
        tally: this.tally,
        clock,
        logger: this.#logger,
        timeoutMs: limits.edgeTimeoutMs,
        onChange: (kind, object, gone) => this.#onEdgeChange(kind, object, gone),
      });
      const old = this.#edge;
      this.#edge = edge;
      this.#connection = connection;
      await old?.close();
      this.#breaker.reached();
      await this.probe(signal);
    } catch (error) {
      if (this.#edge?.client !== client) await client.close();
      throw error;
    }
  }

  #onEdgeChange(kind: ServedKind, object: EdgeObject, gone: boolean): void {
    const { name = '', namespace = '' } = object.metadata;
    const place = { group: kind.group, version: kind.version, resource: kind.resource, namespace, name };
    this.#enqueue(copyKeyOf(place));
    // A kind that a CRD has brought, or a namespace that has come: those who waited for it need not wait longer.
    if (
      !gone &&
      ((kind.group === 'apiextensions.k8s.io' && kind.resource === 'customresourcedefinitions') ||
        kind.resource === 'namespaces')
    ) {
      for (const key of this.#waiting.splice(0)) this.#enqueue(key);
    }
  }

  /** Keys that failed for want of their namespace or kind. */
  readonly #waiting: string[] = [];

  async #reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const edge = this.#edge;
    if (edge === undefined || this.#copies === undefined || this.#cell.spec?.suspend === true)
      return undefined;
    const place = parseCopyKey(key);
    const copy = this.#copyOf.get(key);
    const waitMs = this.#breaker.waitMs();
    if (waitMs > 0) {
      if (copy !== undefined) this.tally.markPending(key);
      return { requeueAfterMs: waitMs };
    }
    this.#breaker.begin();
    try {
      const absence = this.#seenDeleted.has(key) ? 'observed' : 'inferred';
      const outcome = await edge.sync({ key, place, copy, absence }, signal);
      this.#breaker.reached();
      if (outcome === 'gone') this.#seenDeleted.delete(key);
      this.#options.onReport();
      return undefined;
    } catch (error) {
      if (signal.aborted) throw error;
      this.#failed(key, error);
      throw error;
    }
  }

  #failed(key: string, error: unknown): void {
    if (error instanceof EdgeUnreached) {
      this.#breaker.unreached();
      this.#unreachable(error.cause);
    } else this.#breaker.reached();
    const reason =
      error instanceof ApiError
        ? error.reason
        : error instanceof EdgeUnreached
          ? 'EdgeUnreachable'
          : 'InternalError';
    const message = error instanceof Error ? error.message : String(error);
    this.tally.markFailed(key, { reason, message });
    if (isApiError(error, 'NotFound')) this.#waiting.push(key);
    this.#options.onReport();
  }

  #unreachable(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    // An edge that answers with a refusal (401, 403, a foreign claim) is reached, and yet of no use.
    const refusal = error instanceof ApiError && !isUnanswered(error) ? error.reason : undefined;
    this.#setHealth({
      reachable: refusal === undefined ? 'False' : 'True',
      reason: refusal ?? 'EdgeUnreachable',
      message,
      refused: refusal !== undefined,
    });
  }

  #setHealth(health: CellHealth): void {
    const old = this.#health;
    this.#health = {
      ...health,
      kubernetesVersion: health.kubernetesVersion ?? old.kubernetesVersion,
      probe: health.probe ?? old.probe,
    };
    this.#options.onReport();
  }
}

function isUnanswered(error: ApiError): boolean {
  return error.reason === 'ServiceUnavailable' || error.reason === 'Timeout';
}
