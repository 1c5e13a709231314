import type { Cell } from '#api/federation/cell.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import type { ConnectionLimits, ServerConnection } from '#client/remote/connection.ts';
import { Breaker } from '../edge/breaker.ts';
import { type Claim, claimEdge, lookAtClaim, readClaim, refuseOwn, sameClaim } from '../edge/edge-claim.ts';
import { isSameConnection, readEdgeConnection } from '../edge/edge-connection.ts';
import { ServedKinds } from '../edge/edge-kinds.ts';
import type { EdgePace } from '../edge/edge-pace.ts';
import { CellProblem, type EdgeProblem, edgeProblemOf, isUnanswered } from '../edge/edge-problem.ts';
import { GuardedClient } from '../edge/guarded-client.ts';
import { StoreRevision } from '../edge/store-revision.ts';
import type { Wheel } from '../wheel.ts';
import { settledWithin } from '../within.ts';
import type { CellLimits } from './cell-limits.ts';
import type { CellMetrics } from './cell-metrics.ts';
import type { CellWorkspace } from './cell-workspace.ts';
import type { ClaimNotice } from './claim-notice.ts';
import type { Edge } from './edge.ts';
import { type CellHealth, HealthMonitor } from './health-monitor.ts';
import type { Withdrawal } from './withdrawal.ts';

/** Makes a client for an edge; a parameter so that tests can stand in for the network. */
export type ConnectEdge = (connection: ServerConnection, limits: Partial<ConnectionLimits>) => KubeClient;

export interface EdgeLinkOptions {
  readonly cell: () => Cell;
  readonly federationClient: KubeClient;
  readonly workspace: CellWorkspace;
  readonly connectEdge: ConnectEdge;
  readonly controlPlaneId: string;
  /** Of everything that is read from the edge. */
  readonly pace: EdgePace;
  readonly metrics: CellMetrics;
  readonly notice: Pick<ClaimNotice, 'claiming'>;
  readonly withdrawal: Pick<Withdrawal, 'isDue' | 'isDone' | 'begin' | 'release'>;
  /** Puts what syncs on top of an accepted connection. */
  readonly makeEdge: (edgeClient: KubeClient, kinds: ServedKinds, claim: Claim) => Edge;
  /** Another edge connection is in use, or none: keys have to be looked at. */
  readonly onConnected: () => void;
  /** The edge answers as it should, and did not when it was looked at before. */
  readonly onAnswersAgain: () => void;
  readonly onHealth: () => void;
  readonly wheel: Wheel;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: CellLimits;
  /** From 0 to 1; default Math.random. */
  readonly random?: (() => number) | undefined;
}

interface Line {
  readonly connection: ServerConnection;
  readonly breaker: Breaker;
  /** Not guarded: for trials. */
  readonly bare: KubeClient;
  readonly guarded: GuardedClient;
  readonly edge: Edge;
  readonly ending: AbortController;
  readonly revision: StoreRevision;
}

/** An edge of which something had to wait so recently floods. */
const floodMs = 10_000;
const factsIntervalMs = 300_000;
const retryMinMs = 200;
/** A watch that cannot be kept up for so long is told. */
const brokenWatchMs = 5_000;
/** A failed look at an edge that is still thought reachable is followed by the next after this. */
const doubtMs = 1_000;
/** A claim that could not be taken away is tried again after this. */
const releaseAgainMs = 1_000;
/** Credentials that are refused are read again no sooner than this. */
const refusedRereadMs = 1_000;

/**
 * Keeps one cell connected to its edge: reads the credentials, connects, claims, looks at the health, and does all of it
 * anew when something changed or failed. One thing at a time, on the federator's wheel: between two looks it is no more
 * than an entry there.
 */
export class EdgeLink {
  readonly #options: EdgeLinkOptions;
  readonly #health: HealthMonitor;
  readonly #stopping = new AbortController();
  readonly #wheelKey: string;
  #line: Line | undefined;
  #tending: Promise<void> | undefined;
  #again = false;
  /** Counts the servers that the Cell has named: what was begun for a former one must not be finished. */
  #address = 0;
  #retryMs = retryMinMs;
  #credentialsDueMs = 0;
  #credentialsReadAtMs = Number.NEGATIVE_INFINITY;
  /** The regular looks have begun, at a moment of their own. */
  #isRegular = false;
  /** What is wrong although the edge answers. */
  #note: EdgeProblem | undefined;
  #version = '';
  #wasUsable = true;
  #factsDueMs = 0;

  constructor(options: EdgeLinkOptions) {
    this.#options = options;
    this.#wheelKey = `link/${options.workspace.path}`;
    this.#health = new HealthMonitor({
      clock: options.clock,
      thresholds: () => {
        const { failureThreshold = 3, successThreshold = 1 } = options.cell().spec?.healthCheck ?? {};
        return { failures: failureThreshold, successes: successThreshold };
      },
      onChange: () => this.#onHealth(),
    });
  }

  get health(): CellHealth {
    return this.#health.health;
  }

  /** The edge while one is connected and ours. */
  get edge(): Edge | undefined {
    return this.#line?.edge;
  }

  /** The edge does not answer and is asked by trials alone. */
  get isBreakerOpen(): boolean {
    return this.#line?.breaker.isOpen === true;
  }

  start(): void {
    this.#tend();
  }

  /** Idempotent, and bounded in time. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#options.wheel.cancel(this.#wheelKey);
    const { clock, limits } = this.#options;
    if (this.#tending !== undefined) await settledWithin(clock, this.#tending, limits.stopTimeoutMs);
    await this.#drop();
  }

  /** What the connection rests on may have changed: it is read again now. */
  refresh(): void {
    this.#credentialsDueMs = 0;
    this.#tend();
  }

  /** The edge is to be looked at now: the last copy has gone, say. */
  lookNow(): void {
    this.#tend();
  }

  /** The Cell names another server: what goes to the former one is wrong from now on. */
  async disconnect(): Promise<void> {
    this.#address++;
    await this.#drop();
    this.refresh();
  }

  /** At most one look at a time; one that is asked for meanwhile follows it. */
  #tend(): void {
    if (this.#stopping.signal.aborted) return;
    if (this.#tending !== undefined) {
      this.#again = true;
      return;
    }
    this.#again = false;
    this.#tending = this.#look().then((delayMs) => {
      this.#tending = undefined;
      if (this.#stopping.signal.aborted) return;
      if (this.#again) this.#tend();
      else this.#options.wheel.schedule(this.#wheelKey, delayMs, () => this.#tend());
    });
  }

  /** Returns after how many milliseconds to look again. Never rejects. */
  async #look(): Promise<number> {
    const { clock, limits, logger, withdrawal } = this.#options;
    const signal = this.#stopping.signal;
    if (withdrawal.isDone) return limits.credentialsIntervalMs;
    try {
      if (this.#line === undefined || clock.monotonic() >= this.#credentialsDueMs) {
        const connected = await this.#refreshConnection(signal);
        if (connected) this.#retryMs = retryMinMs;
      }
      if (withdrawal.isDue && this.#line?.breaker.isOpen === false) await this.#release(this.#line, signal);
      if (withdrawal.isDone) return limits.credentialsIntervalMs;
      if (this.#line !== undefined) await this.#probe(this.#line, signal);
      return withdrawal.isDue ? Math.min(releaseAgainMs, this.#delayMs()) : this.#delayMs();
    } catch (error) {
      if (signal.aborted) return 0;
      const problem = edgeProblemOf(error);
      logger.debug({ err: error, reason: problem.reason, waitMs: this.#retryMs }, 'edge is not connected');
      this.#credentialsDueMs = clock.monotonic() + limits.credentialsIntervalMs;
      if (this.#line !== undefined) {
        // The former credentials still serve; should they fail, the probe says so.
        const { reason, message } = problem;
        this.#note = { reason: 'CredentialsNotUsable', message: `${reason}: ${message}`, reached: true };
        await this.#probe(this.#line, signal);
        return this.#delayMs();
      }
      this.#health.failed(problem);
      const delayMs = this.#retryMs * (0.75 + Math.random() / 2);
      this.#retryMs = Math.min(this.#retryMs * 2, limits.breakerOpenMaxMs);
      return delayMs;
    }
  }

  #delayMs(): number {
    const { clock, cell, limits, random = Math.random } = this.#options;
    const breaker = this.#line?.breaker;
    const intervalMs = (cell().spec?.healthCheck?.intervalSeconds ?? 30) * 1_000;
    const isDoubtful = this.#health.undecided || this.#line?.edge.isInDoubt === true;
    if (breaker?.isOpen === true || isDoubtful) {
      this.#isRegular = false;
      if (breaker?.isOpen === true) return breaker.trialDelayMs;
    } else if (!this.#isRegular) {
      this.#isRegular = true;
      // Cells that came at once, as after a start, are not looked at in the same moment for ever: a hundred probes together are
      // half a second of the thread that all cells share. Credentials are read by the same look, now and later.
      const shareMs = random() * Math.min(intervalMs, limits.credentialsIntervalMs);
      this.#credentialsDueMs = Math.min(this.#credentialsDueMs, clock.monotonic() + shareMs);
    }
    const probeMs = isDoubtful ? Math.min(doubtMs, intervalMs) : intervalMs;
    return Math.min(probeMs, Math.max(0, this.#credentialsDueMs - clock.monotonic()));
  }

  /** Connects when the credentials are other than those in use; true when they are good. Throws what is wrong. */
  async #refreshConnection(signal: AbortSignal): Promise<boolean> {
    const { federationClient, cell, clock, limits } = this.#options;
    this.#credentialsReadAtMs = clock.monotonic();
    const address = this.#address;
    let connection: ServerConnection;
    try {
      connection = await readEdgeConnection(federationClient, cell(), signal, this.#line?.connection);
    } catch (error) {
      // The federation API server cannot be asked: that says nothing about the edge.
      if (this.#line === undefined || !isApiError(error)) throw federationProblem(error);
      this.#credentialsDueMs = clock.monotonic() + limits.credentialsIntervalMs;
      return false;
    }
    if (this.#line === undefined || !isSameConnection(connection, this.#line.connection)) {
      await this.#connect(connection, address, signal);
    }
    this.#credentialsDueMs = clock.monotonic() + limits.credentialsIntervalMs;
    this.#note = undefined;
    return true;
  }

  async #connect(connection: ServerConnection, address: number, signal: AbortSignal): Promise<void> {
    const { connectEdge, makeEdge, limits, clock, onConnected, pace, withdrawal } = this.#options;
    const bare = connectOr(() =>
      connectEdge(connection, {
        connectionsMax: limits.concurrency + 4,
        connectTimeoutMs: Math.min(5_000, limits.edgeTimeoutMs),
        requestTimeoutMs: limits.edgeTimeoutMs,
        responseBytesMax: limits.edgeResponseBytesMax,
        watchFrameBytesMax: limits.edgeWatchEventBytesMax,
        pace: (bytes, call, kind) => pace.read(bytes, call, kind),
      }),
    );
    const ending = new AbortController();
    const breaker = new Breaker({
      clock,
      failureThreshold: limits.breakerFailures,
      openMinMs: limits.breakerOpenMinMs,
      openMaxMs: limits.breakerOpenMaxMs,
      onOpen: () => this.#tend(),
    });
    const guarded = new GuardedClient({
      client: bare,
      breaker,
      beforeAsking: (call) => pace.beforeAsking(call),
      timeoutMs: limits.edgeTimeoutMs,
      onUnauthorized: () => this.#onUnauthorized(),
      metrics: this.#options.metrics.edgeRequests,
    });
    try {
      // Nothing of this waits at the breaker: it is not in use yet.
      await refuseOwn(bare, this.#options.controlPlaneId, signal);
      if (withdrawal.isDue) {
        this.#refuseFormer(address);
        await withdrawal.release(bare, await this.#wantedClaim(signal), signal);
        await guarded.close();
        return;
      }
      const claim = await this.#claim(bare, signal);
      const kinds = new ServedKinds({ client: guarded, clock, signal: ending.signal });
      await kinds.refresh();
      // Whoever stopped meanwhile may not have waited for this.
      signal.throwIfAborted();
      this.#refuseFormer(address);
      const edge = makeEdge(guarded, kinds, claim);
      const old = this.#line;
      this.#line = { connection, breaker, bare, guarded, edge, ending, revision: new StoreRevision() };
      this.#factsDueMs = 0;
      onConnected();
      // The same edge by other credentials: what was asked by the former ones is answered.
      if (old !== undefined) await closeLine(old, old.guarded.retire());
    } catch (error) {
      ending.abort();
      await guarded.close();
      if (!isApiError(error, 'Unauthorized')) throw error;
      const { certificatePem } = connection;
      const { message } = edgeProblemOf(error, { certificatePem, nowMs: clock.now() });
      throw new CellProblem('Unauthorized', message, { reached: true, cause: error });
    }
  }

  /** Throws CellProblem when the Cell has come to name another server. */
  #refuseFormer(address: number): void {
    if (address === this.#address) return;
    throw new CellProblem('EndpointChanged', 'the Cell names another server by now');
  }

  /** The claim at the edge, which is ours. Throws CellProblem when it is another's. */
  async #claim(edgeClient: KubeClient, signal: AbortSignal): Promise<Claim> {
    const wanted = await this.#wantedClaim(signal);
    const present = await readClaim(edgeClient, { signal });
    if (present !== undefined) ours(present, wanted);
    this.#options.withdrawal.begin();
    await this.#options.notice.claiming(signal).catch((error: unknown) => {
      throw federationProblem(error);
    });
    return present ?? ours(await claimEdge(edgeClient, wanted, signal), wanted);
  }

  async #wantedClaim(signal: AbortSignal): Promise<Claim> {
    const { cell, controlPlaneId, workspace } = this.#options;
    const { name = '', uid = '' } = cell().metadata;
    const source = await workspace.source(signal).catch((error: unknown) => {
      throw federationProblem(error);
    });
    if (source === undefined) {
      throw new CellProblem('WorkspaceNotReady', `workspace ${workspace.path} is not ready`);
    }
    return { controlPlaneId, cellName: name, cellUid: uid, ...source };
  }

  /** The last thing that is done at a withdrawn edge; tried again until it is done. */
  async #release({ bare, edge }: Line, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.withdrawal.release(bare, edge.claim, signal);
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'the claim at the edge was not released');
      return;
    }
    await this.#drop();
  }

  /** One look at the edge's health: whether it answers, accepts us, and is ours still. */
  async #probe(line: Line, signal: AbortSignal): Promise<void> {
    const { clock, cell, withdrawal } = this.#options;
    const { breaker, bare, edge } = line;
    if (breaker.isOpen && breaker.trialDelayMs > 0) return;
    const timeoutMs = (cell().spec?.healthCheck?.timeoutSeconds ?? 10) * 1_000;
    const startedMs = clock.monotonic();
    try {
      const { claim, revision } = await lookAtClaim(bare, { signal, timeoutMs });
      const latencyMs = Math.round((clock.monotonic() - startedMs) * 10) / 10;
      if (claim === undefined && withdrawal.isDue) {
        breaker.tried(true); // it went, and the Cell does not know yet
        return;
      }
      if (claim === undefined) await claimEdge(bare, edge.claim, signal);
      else ours(claim, edge.claim);
      const isPutBack = line.revision.hasGoneBack(revision);
      if (claim === undefined || isPutBack) {
        await this.#beginAnew(line, { revision, isPutBack });
        return;
      }
      await this.#readFacts(line, { signal, timeoutMs });
      edge.reviewKinds().catch((error: unknown) => {
        this.#options.logger.debug({ err: error, path: this.#options.workspace.path }, 'discovery failed');
      });
      const wasAway = breaker.isOpen || this.#health.undecided;
      breaker.tried(true);
      this.#health.succeeded({
        kubernetesVersion: this.#version,
        latencyMs,
        note: this.#note ?? brokenWatchOf(edge) ?? this.#strain(latencyMs),
      });
      if (wasAway) this.#options.onAnswersAgain();
    } catch (error) {
      if (signal.aborted || this.#line !== line) return;
      const { certificatePem } = line.connection;
      const problem = edgeProblemOf(error, { certificatePem, nowMs: clock.now() });
      breaker.tried(problem.reached);
      this.#health.failed(problem);
      if (isApiError(error, 'Unauthorized')) this.#onUnauthorized();
      // It has become another's: nothing more is done there.
      if (error instanceof CellProblem) await this.#drop();
    }
  }

  /** Its watches would go on at a revision that the edge has yet to reach, and tell nothing until then. */
  async #beginAnew(
    line: Line,
    found: { readonly revision: string; readonly isPutBack: boolean },
  ): Promise<void> {
    const { logger, workspace } = this.#options;
    logger.warn(
      { path: workspace.path, ...found },
      'the edge is not what it was: its store was put back or made anew, or its claim taken away; all of it is compared',
    );
    if (this.#line === line) await this.#drop();
    this.refresh();
  }

  /** A condition keeps the last change alone: when an edge went and when it came back is found in the log. */
  #onHealth(): void {
    const { logger, onHealth } = this.#options;
    const { reachable, refused, reason, message } = this.#health.health;
    const isUsable = reachable === 'True' && !refused;
    if (reachable !== 'Unknown' && isUsable !== this.#wasUsable) {
      this.#wasUsable = isUsable;
      if (isUsable) logger.info({}, 'the edge can be used again');
      else logger.warn({ reason, message }, 'the edge cannot be used');
    }
    onHealth();
  }

  /** What makes an edge that answers a burden all the same. The messages do not change with every look. */
  #strain(latencyMs: number): EdgeProblem | undefined {
    const { pace, limits } = this.#options;
    if (pace.wasThrottled(floodMs)) {
      const mebibytes = limits.edgeReadBytesPerSecond / 2 ** 20;
      const share = limits.edgeEventMsPerSecond / 10;
      const message = `the edge sends more than is read of it (${mebibytes} MiB/s of answers, events for ${share} % of a processor, on average); the rest waits`;
      return { reason: 'EdgeFloods', message, reached: true };
    }
    if (latencyMs < limits.slowAnswerMs) return undefined;
    const message = `the edge API server takes longer than ${limits.slowAnswerMs} ms to answer`;
    return { reason: 'EdgeSlow', message, reached: true };
  }

  /** What changes rarely: version and kinds. */
  async #readFacts(
    { bare, edge }: Line,
    options: { readonly signal: AbortSignal; readonly timeoutMs: number },
  ): Promise<void> {
    const nowMs = this.#options.clock.monotonic();
    if (nowMs < this.#factsDueMs) return;
    const version = await bare.raw({ cluster: undefined, method: 'GET', path: '/version' }, options);
    this.#version = isJsonObject(version) ? String(version['gitVersion'] ?? '') : '';
    this.#factsDueMs = nowMs + factsIntervalMs;
    edge.kinds.expire();
    // Through the breaker, which may just be open: not waited for.
    edge.kinds.refresh().catch((error: unknown) => {
      this.#options.logger.debug({ err: error, path: this.#options.workspace.path }, 'discovery failed');
    });
  }

  /** The edge does not accept the credentials (any more): there may be others by now. */
  #onUnauthorized(): void {
    const { clock } = this.#options;
    const dueMs = this.#credentialsReadAtMs + refusedRereadMs;
    if (dueMs < this.#credentialsDueMs) this.#credentialsDueMs = dueMs;
    this.#options.wheel.schedule(this.#wheelKey, Math.max(0, dueMs - clock.monotonic()), () => this.#tend());
  }

  async #drop(): Promise<void> {
    const line = this.#line;
    this.#line = undefined;
    if (line !== undefined) await closeLine(line);
  }
}

function ours(claim: Claim, wanted: Claim): Claim {
  if (sameClaim(claim, wanted)) return claim;
  throw new CellProblem(
    'ForeignClaim',
    `the edge is claimed by cell ${claim.cellName} (uid ${claim.cellUid}) of control plane ${claim.controlPlaneId}; nothing is synced there`,
    { reached: true },
  );
}

/** It answers, but does not tell what changes there. */
function brokenWatchOf(edge: Edge): EdgeProblem | undefined {
  const broken = edge.brokenWatch(brokenWatchMs);
  if (broken === undefined) return undefined;
  const { kind, error } = broken;
  const name = kind.group === '' ? kind.resource : `${kind.resource}.${kind.group}`;
  const { reason, message } = edgeProblemOf(error);
  return {
    reason: 'WatchBroken',
    message: `${name} cannot be watched: ${reason}: ${message}`,
    reached: true,
  };
}

/** An error of the federation API server must not be told as the edge's. */
function federationProblem(error: unknown): unknown {
  if (!isUnanswered(error)) return error;
  return new CellProblem('FederationUnreachable', error.message, { cause: error });
}

async function closeLine({ edge, ending, guarded }: Line, closed = guarded.close()): Promise<void> {
  ending.abort(new ApiError('ServiceUnavailable', 'the connection to the edge was given up'));
  await edge.close(closed);
}

/** Credentials that no client can be made of are a problem of the Secret. */
function connectOr(connect: () => KubeClient): KubeClient {
  try {
    return connect();
  } catch (error) {
    throw new CellProblem('CredentialsInvalid', error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  }
}
