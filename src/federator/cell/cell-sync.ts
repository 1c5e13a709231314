import { crdGroup, crdResource, isCrd } from '#api/apiextensions/crd.ts';
import type { Cell } from '#api/federation/cell.ts';
import { cellAnnotations } from '#api/federation/cell-annotations.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { equalJson } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import type { Lots } from '#client/lots.ts';
import type { MetricText } from '#client/metrics/metric-text.ts';
import type { Priority } from '#client/queue/key-queue.ts';
import { ReconcileLoop, type ReconcileResult } from '#client/reconcile.ts';
import type { CatchUp } from '../catch-up.ts';
import { DeletionBudget } from '../downsync/deletion-budget.ts';
import { isWithdrawing } from '../downsync/sync-context.ts';
import type { SyncItem, SyncOutcome } from '../downsync/sync-item.ts';
import { waitsForKinds, waitsForNamespace } from '../downsync/sync-refusal.ts';
import { wavePriority } from '../downsync/waves.ts';
import type { Claim } from '../edge/edge-claim.ts';
import { type ApiEnablements, ServedKinds } from '../edge/edge-kinds.ts';
import { EdgePace } from '../edge/edge-pace.ts';
import { isUnanswered } from '../edge/edge-problem.ts';
import type { ServedKind } from '../edge/served-kind.ts';
import { TokenBucket } from '../edge/token-bucket.ts';
import { Returner } from '../returning/returner.ts';
import type { Room } from '../room/room-watch.ts';
import type { Wheel } from '../wheel.ts';
import { settledWithin } from '../within.ts';
import { CellCopies } from './cell-copies.ts';
import type { CellLimits } from './cell-limits.ts';
import { CellMetrics, writeCellMetrics } from './cell-metrics.ts';
import { CellWorkspace } from './cell-workspace.ts';
import { ClaimNotice } from './claim-notice.ts';
import { type CopyKey, parseCopyKey, targetOf } from './copy-keys.ts';
import { Edge } from './edge.ts';
import { type ConnectEdge, EdgeLink } from './edge-link.ts';
import type { CellHealth } from './health-monitor.ts';
import { HeldDeletions } from './held-deletions.ts';
import { PacedQueue } from './paced-queue.ts';
import { SweepSchedule } from './sweep-schedule.ts';
import { passingFailuresMax, syncFailureOf } from './sync-failure.ts';
import { SyncTally } from './sync-tally.ts';
import { WaitingKeys } from './waiting-keys.ts';
import { Withdrawal } from './withdrawal.ts';
import { WorkWidth } from './work-width.ts';

export interface CellSyncOptions {
  readonly cell: Cell;
  /** To the federation API server, as this federator. */
  readonly federationClient: KubeClient;
  readonly connectEdge: ConnectEdge;
  readonly controlPlaneId: string;
  readonly wheel: Wheel;
  readonly catchUp: CatchUp;
  /** Of notes, over all cells. */
  readonly noteLots: Lots;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: CellLimits;
  /** Something that the cell's status tells has changed. */
  readonly onReport: () => void;
  /** Nothing of it has changed but how many objects are in sync, if anything. */
  readonly onProgress: () => void;
}

/** What the keys of definitions begin with. */
const crdKeys = `${crdGroup}/${crdResource}|`;

/**
 * Everything for one cell, and nothing shared with another: queue, concurrency, connections, breaker, timeouts. Level
 * triggered: it is told keys, and brings each object of the edge to what its copy says, and the copy's status to what
 * the edge says.
 */
export class CellSync {
  readonly name: string;
  readonly tally: SyncTally;
  readonly held = new HeldDeletions();
  readonly #budget: DeletionBudget;
  readonly #metrics = new CellMetrics();
  readonly #options: CellSyncOptions;
  readonly #queue: PacedQueue;
  /** Of this cell over all its connections. */
  readonly #pace: EdgePace;
  readonly #statuses: TokenBucket;
  readonly #loop: ReconcileLoop;
  readonly #workspace: CellWorkspace;
  readonly #copies: CellCopies;
  /** What the cell's workspace serves. */
  readonly #workspaceKinds: ServedKinds;
  readonly #stopping = new AbortController();
  readonly #link: EdgeLink;
  readonly #sweeps: SweepSchedule;
  readonly #returner: Returner;
  readonly #waiting = new WaitingKeys();
  readonly #width: WorkWidth;
  readonly #withdrawal: Withdrawal;
  /** How many objects failed when one was last done, and the token of what was held; the first one done is news. */
  #failedTold = -1;
  #heldTold: string | undefined;
  #cell: Cell;
  #started = false;
  #stopped: Promise<void> | undefined;
  /** The claim takes over the present source: whoever comes next would hold what was released here. */
  #renewing: Promise<unknown> | undefined;

  constructor(options: CellSyncOptions) {
    this.#options = options;
    this.#cell = options.cell;
    this.name = options.cell.metadata.name ?? '';
    const { clock, limits, logger, federationClient } = options;
    this.#budget = new DeletionBudget(clock);
    this.tally = new SyncTally(clock, (afterMs) => this.#metrics.delays.observe(afterMs / 1_000));
    this.#workspace = new CellWorkspace(federationClient, `${cellsWorkspacePath}:${this.name}`);
    this.#queue = new PacedQueue({ clock, limits });
    this.#width = new WorkWidth({
      cell: this.name,
      catchUp: options.catchUp,
      limits,
      pending: () => this.tally.counts.pending,
      isBreakerOpen: () => this.#link.isBreakerOpen,
    });
    this.#pace = new EdgePace({
      clock,
      bytesPerSecond: limits.edgeReadBytesPerSecond,
      burstBytes: limits.edgeReadBurstBytes,
      eventMsPerSecond: limits.edgeEventMsPerSecond,
      eventBurstMs: limits.edgeEventBurstMs,
    });
    this.#statuses = new TokenBucket({
      clock,
      perSecond: limits.statusesPerSecond,
      burst: limits.statusesBurst,
    });
    this.#loop = new ReconcileLoop({
      name: `cell/${this.name}`,
      queue: this.#queue,
      concurrency: limits.concurrency,
      logger,
      reconcile: (key, signal) => this.#reconcile(key, signal),
    });
    this.#copies = new CellCopies({
      federationClient,
      workspace: this.#workspace.path,
      clock,
      logger,
      copiesMax: limits.copiesMax,
      onChange: (key, copy) => this.#onCopy(key, copy),
    });
    this.#workspaceKinds = new ServedKinds({
      client: federationClient,
      cluster: this.#workspace.path,
      clock,
      signal: this.#stopping.signal,
    });
    const notice = new ClaimNotice({ federationClient, cell: () => this.#cell, clock });
    this.#withdrawal = new Withdrawal({
      cell: () => this.#cell,
      hasNoCopies: () => this.#copies.hasSynced && this.#copies.size === 0 && this.#copies.beyondMax === 0,
      isAwaitingCopy: () => this.#link.edge?.isAwaitingCopy === true,
      notice,
    });
    this.#link = new EdgeLink({
      ...options,
      cell: () => this.#cell,
      notice,
      withdrawal: this.#withdrawal,
      workspace: this.#workspace,
      pace: this.#pace,
      metrics: this.#metrics,
      makeEdge: (edgeClient, kinds, claim) => this.#makeEdge(edgeClient, kinds, claim),
      onConnected: () => {
        this.#enqueueAll();
        this.#sweeps.restart();
        this.#returner.restart();
      },
      onAnswersAgain: () => this.#queue.answersAgain(),
      onHealth: options.onReport,
    });
    this.#returner = new Returner({
      federationClient,
      workspace: this.#workspace.path,
      edge: () => this.#link.edge,
      isPaused: () => this.#cell.spec?.suspend === true || isWithdrawing(this.#cell),
      pace: this.#statuses,
      eventPace: new TokenBucket({ clock, perSecond: limits.eventsPerSecond, burst: limits.eventsBurst }),
      clock,
      logger,
    });
    this.#sweeps = new SweepSchedule({
      ...options,
      workspace: this.#workspace.path,
      edge: () => (this.#copies.hasSynced ? this.#link.edge : undefined),
      idle: () => this.#queue.idle,
    });
  }

  get cell(): Cell {
    return this.#cell;
  }

  get health(): CellHealth {
    return this.#link.health;
  }

  /** What the edge serves; undefined while it is not connected. */
  get apiEnablements(): ApiEnablements | undefined {
    return this.#link.edge?.kinds.enablements;
  }

  /** What the edge's nodes have free; undefined while it is not watched, or not known yet. */
  get room(): Room | undefined {
    return this.#link.edge?.room;
  }

  /** Copies that are left alone because the cell has too many. */
  get copiesBeyondMax(): number {
    return this.#copies.beyondMax;
  }

  /** Our claim stands at the edge, and is to. */
  get isClaimed(): boolean {
    return this.#link.edge !== undefined && !this.#withdrawal.isDone;
  }

  get copiesKnown(): boolean {
    return this.#copies.hasSynced;
  }

  /** Nothing waits to be done now, and nothing failed. */
  get idle(): boolean {
    return this.#copies.hasSynced && this.#queue.idle && this.tally.counts.pending === 0;
  }

  /** Nothing waits for a later look either. */
  get settled(): boolean {
    return this.idle && this.#queue.size === 0;
  }

  /** Adds the cell's series. `cell`: as its status stands now. */
  writeMetrics(text: MetricText, cell: Cell): void {
    writeCellMetrics(text, this.#metrics, {
      cell,
      objects: this.tally.counts,
      held: this.held.size,
      lagMs: this.tally.lagMs,
      queued: this.#queue.size,
      isBreakerOpen: this.#link.isBreakerOpen,
      edgeBytes: this.#pace.bytes,
      edgeThrottledMs: this.#pace.throttledMs,
    });
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#copies.start();
    this.#link.start();
    this.#returner.start();
    // Work begins when both sides are known: an object without a copy means nothing before.
    this.#copies.synced.then(
      () => {
        if (this.#stopped !== undefined) return;
        this.#loop.start();
        this.#endIfDue();
      },
      () => {}, // stopped before
    );
  }

  /** Idempotent, and bounded in time: what does not end by then is left to its timeouts. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** The federation API server does what it is asked for, after it did not. */
  answersAgain(): void {
    this.#queue.answersAgain();
  }

  /** Takes over a changed Cell; the connection is made anew when what it rests on has changed. */
  update(cell: Cell): void {
    const old = this.#cell;
    this.#cell = cell;
    const { spec: before = {} } = old;
    const { spec: after = {} } = cell;
    if (before.apiEndpoint !== after.apiEndpoint || before.proxyURL !== after.proxyURL) {
      void this.#link.disconnect();
    } else if (!equalJson(before.secretRef, after.secretRef)) this.#link.refresh();
    if (before.suspend === true && after.suspend !== true) {
      this.#enqueueAll();
      this.#returner.restart();
    }
    if (before.watchNodes !== after.watchNodes) {
      this.#link.edge?.watchRoom(after.watchNodes !== false);
      this.#options.onReport();
    }
    const isFirstDeletion =
      old.metadata.deletionTimestamp === undefined && cell.metadata.deletionTimestamp !== undefined;
    if (isFirstDeletion && isWithdrawing(cell)) this.#enqueueAll();
    this.#endIfDue();
    this.#releaseHeld();
  }

  /** The Cell, its copies, or what stands at its edge have changed. */
  #endIfDue(): void {
    if (this.#withdrawal.isDue || this.#withdrawal.isUndone) this.#link.lookNow();
  }

  async #stop(): Promise<void> {
    const { clock, limits } = this.#options;
    this.#stopping.abort();
    this.#width.stop();
    await this.#renewing;
    const parts = Promise.all([
      this.#loop.stop(),
      this.#copies.stop(),
      this.#sweeps.stop(),
      this.#returner.stop(),
      this.#link.stop(),
    ]);
    await settledWithin(clock, parts, 2 * limits.stopTimeoutMs);
  }

  #makeEdge(edgeClient: KubeClient, kinds: Edge['kinds'], claim: Claim): Edge {
    const { clock, logger, limits } = this.#options;
    const edge = new Edge({
      edgeClient,
      workspace: this.#workspace,
      copies: this.#copies,
      kinds,
      workspaceKinds: this.#workspaceKinds,
      cell: () => this.#cell,
      claim,
      held: this.held,
      budget: this.#budget,
      tally: this.tally,
      clock,
      logger,
      limits,
      statuses: this.#statuses,
      metrics: this.#metrics,
      noteTurn: () => this.#noteTurn(),
      enqueue: (key) => this.#enqueue(key),
      onChange: (kind, key, gone, priority) => this.#onEdgeChange(kind, key, gone, priority),
      onRoom: this.#options.onProgress,
    });
    edge.watchRoom(this.#cell.spec?.watchNodes !== false);
    return edge;
  }

  /** A note holds a worker: who has more to do than workers does not wait, and what is under way fills batches anyway. */
  #noteTurn(): Promise<void> | undefined {
    if (this.#width.isCatchingUp || this.#queue.ready > 0) return undefined;
    return this.#options.noteLots.turn();
  }

  #onCopy(key: CopyKey, copy: KubeObject | undefined): void {
    if (copy !== undefined && !this.tally.knows(key)) this.tally.markPending(key);
    if (key.startsWith(crdKeys)) this.#workspaceKinds.expire();
    this.#enqueue(key, this.#copies.hasSynced ? 'normal' : priorityOf(key, copy));
    this.#endIfDue();
  }

  #onEdgeChange(kind: ServedKind, key: CopyKey, gone: boolean, priority: Priority): void {
    if (gone) {
      this.#copies.forget(key);
      this.#endIfDue();
    }
    this.#enqueue(key, priority);
    // A kind that a CRD brings or takes away, or a namespace that has come: who waited for it need not wait longer.
    if (isCrd(kind)) {
      this.#link.edge?.kinds.expire();
      if (!gone) this.#wake(waitsForKinds);
    } else if (kind.group === '' && kind.resource === 'namespaces' && !gone) {
      this.#wake(waitsForNamespace(parseCopyKey(key).name));
    }
  }

  #wake(what: string): void {
    for (const key of this.#waiting.take(what)) this.#enqueue(key);
  }

  #enqueue(key: CopyKey, priority: Priority = 'normal'): void {
    this.#queue.forget(key);
    this.#queue.add(key, priority);
  }

  #enqueueAll(): void {
    // What somebody changes just now is not held up by it. Told in order, since some find a worker waiting for them.
    const waves = new Map<number, CopyKey[]>();
    for (const key of this.#copies.keys()) {
      const priority = priorityOf(key, this.#copies.get(key));
      const keys = waves.get(priority);
      if (keys === undefined) waves.set(priority, [key]);
      else keys.push(key);
    }
    for (const [priority, keys] of [...waves].sort(([a], [b]) => b - a)) {
      for (const key of keys) this.#enqueue(key, priority);
    }
    for (const key of this.#link.edge?.keys() ?? [])
      if (this.#copies.get(key) === undefined) this.#enqueue(key);
  }

  async #reconcile(key: CopyKey, signal: AbortSignal): Promise<ReconcileResult> {
    const edge = this.#link.edge;
    const copy = this.#copies.get(key);
    // Without an edge, all is looked at when there is one; suspended, when it is not any more.
    if (edge === undefined || this.#withdrawal.isDone || this.#cell.spec?.suspend === true) {
      if (copy === undefined) this.tally.forget(key);
      else this.tally.markPending(key);
      return undefined;
    }
    const place = parseCopyKey(key);
    const version = copy === undefined ? edge.versionAt(place) : targetOf(copy).version;
    const item = { key, place: { ...place, version }, copy, failures: this.#queue.failuresOf(key) };
    this.#waiting.delete(key);
    const settled = edge.settled(item);
    if (settled !== undefined) {
      this.#width.passed();
      return this.#done(item, settled);
    }
    const turn = this.#width.enter();
    if (turn !== undefined) await turn;
    try {
      return this.#done(item, await edge.sync(item, signal));
    } catch (error) {
      if (signal.aborted) throw error;
      await this.#failed(item, edge, error, signal);
      throw error;
    } finally {
      this.#width.leave();
    }
  }

  #done({ key, copy }: SyncItem, { state, requeueAfterMs }: SyncOutcome): ReconcileResult {
    this.#queue.succeeded(key);
    if (state === 'gone' && copy === undefined) this.#copies.forget(key);
    const { failed } = this.tally.counts;
    const { token } = this.held;
    if (failed === this.#failedTold && token === this.#heldTold) this.#options.onProgress();
    else {
      this.#failedTold = failed;
      this.#heldTold = token;
      this.#options.onReport();
    }
    return requeueAfterMs === undefined ? undefined : { requeueAfterMs };
  }

  async #failed(item: SyncItem, edge: Edge, error: unknown, signal: AbortSignal): Promise<void> {
    const { key, failures } = item;
    this.#options.onReport();
    // The edge is away, or another connection took over: told on the Cell, and nobody's fault here.
    if (isUnanswered(error) || edge !== this.#link.edge) {
      this.#queue.unanswered(key);
      if (item.copy !== undefined) this.tally.markPending(key);
      return;
    }
    const failure = syncFailureOf(error);
    if (failure.waitsFor !== undefined) {
      this.#waiting.add(failure.waitsFor, key);
      // It may have come between the look and now.
      if (edge.isThere(failure.waitsFor)) this.#wake(failure.waitsFor);
    } else this.#queue.failed(key);
    if (failure.isPassing && failures < passingFailuresMax) {
      if (item.copy !== undefined) this.tally.markPending(key);
    } else {
      const { reason, message } = failure;
      this.tally.markFailed(key, { reason, message });
      await edge.report(item, { reason, message }, signal);
    }
  }

  /** A person gave the token of what is held: all of that happens, and the present source is the edge's from now on. */
  #releaseHeld(): void {
    const keys = this.held.release(this.#cell.metadata.annotations?.[cellAnnotations.releaseDeletions]);
    if (keys.length === 0) return;
    const { logger, limits, clock } = this.#options;
    logger.warn({ count: keys.length }, 'held deletions are released');
    for (const key of keys) this.#enqueue(key);
    this.#renewing = settledWithin(clock, this.#renewClaim(), limits.edgeTimeoutMs);
    this.#options.onReport();
  }

  async #renewClaim(): Promise<void> {
    const edge = this.#link.edge;
    if (edge === undefined) return;
    const signal = AbortSignal.timeout(this.#options.limits.edgeTimeoutMs);
    try {
      await edge.renewClaim(signal);
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'the claim at the edge was not renewed');
    }
  }
}

/** Of one of all the cell's copies. */
function priorityOf(key: CopyKey, copy: KubeObject | undefined): number {
  return wavePriority(parseCopyKey(key), copy === undefined || copy.metadata.deletionTimestamp !== undefined);
}
