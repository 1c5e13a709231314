import type { Workspace } from '../workspace/workspace.ts';
import { federationLevel } from './bootstrap-objects.ts';
import type { FairNode } from './fair-node.ts';
import { distinguisherOf, type FlowClass, type FlowConfiguration } from './flow-configuration.ts';
import { FlowLevels, type Waiting, type WorkspacePart } from './flow-levels.ts';
import { defaultFlowLimits, type FlowLimits } from './flow-limits.ts';
import { FlowMetrics, type RefusalReason } from './flow-metrics.ts';
import type { FlowRequest, Refusal, Seat } from './flow-request.ts';
import { HeldRefusals } from './held-refusals.ts';
import { Precedence } from './precedence.ts';
import { TakenSeat } from './taken-seat.ts';

export interface FlowControllerOptions {
  readonly configurations: {
    readonly server: FlowConfiguration;
    of(workspace: Workspace): FlowConfiguration | undefined;
  };
  /** Seats that a request takes. */
  readonly seatsOf: (request: FlowRequest) => number;
  /** Whether workspaces share the server. Default true. */
  readonly isShared?: boolean | undefined;
  readonly limits?: Partial<FlowLimits> | undefined;
  /** Milliseconds that only rise. Default `performance.now`. */
  readonly now?: (() => number) | undefined;
  /** Calls back after so many milliseconds, without holding the process. Default an unref'd `setTimeout`. */
  readonly later?: ((callback: () => void, ms: number) => unknown) | undefined;
}

/** What may wait for its turn of the event loop where a level queues nothing. */
const rejectingQueueLength = 50;
/** Dispatches prepared for one turn of the event loop. */
const stepsMax = 32;
/** Served in a turn however long it takes: time goes by too while other processes have the core. */
const dispatchesMin = 4;
const sweepMs = 250;
/** How many times its length a turn may last for workspaces that have had nothing of it yet. */
const overrunMax = 4;
/** Workspaces share the server for so long after a second one of them was served. */
const contentionMs = 1_000;
/** Somebody else than our own processes is about for so long after a request. */
const companyMs = 100;
/** Until those who give way or rest look whether they still have to, if nobody tells them before. */
const wayRestMs = 1;
/** The most that one request is charged for: what lasts longer was not its doing alone. */
const chargeMsMax = 20;

/**
 * API Priority and Fairness (KUBERNETES.md O2) for workspaces that share one thread. Two things are shared out: seats,
 * for requests that wait for a disk or a webhook, and main-thread time, for those that are answered where they stand.
 *
 * A request that finds a seat, nothing of its workspace waiting, and its part of the event loop's turn not used up is
 * served at once, without a promise. Else it waits in its flow's queue and is taken in fair order: levels by their
 * shares, workspaces alike, the workspace's own levels by theirs. Exempt ones never wait.
 */
export class FlowController {
  readonly #options: FlowControllerOptions;
  readonly #limits: FlowLimits;
  readonly #levels: FlowLevels;
  readonly #metrics = new FlowMetrics();
  readonly #now: () => number;
  readonly #later: (callback: () => void, ms: number) => unknown;
  readonly #held: HeldRefusals;
  readonly #precedence = new Precedence(() => this.#easedWay());
  readonly #exemptSeats = new WeakMap<FlowClass, Seat>();
  #configured: FlowConfiguration | undefined;
  /** Queues in which something may wait, each once; those that are empty go with the next sweep. */
  #waiting: FairNode<Waiting>[] = [];
  #isSweepArmed = false;
  /** Parts served in this turn. */
  readonly #turnParts: WorkspacePart[] = [];
  #turn = 0;
  #isTurnOpen = false;
  #turnStartMs = 0;
  /** Who is charged for the main-thread time since `#markMs`. */
  #runner: FairNode<Waiting> | undefined;
  #runnerPart: WorkspacePart | undefined;
  #markMs = 0;
  /** Steps that will run in the next check phase, and those of this one that are still to run. */
  #armedSteps = 0;
  #batch = 0;
  #sliceStartMs = 0;
  #dispatchedInSlice = 0;
  /** Until when somebody else than our own processes is about. */
  #companyUntilMs = Number.NEGATIVE_INFINITY;
  /** Everything that waits waits for seats, or gives way, or rests. */
  #isBlocked = false;
  #isResting = false;
  #onEased = (): void => {};
  /** The workspace that was last served, and until when there is more than one. */
  #lastKey = '';
  #contendedUntilMs = 0;

  constructor(options: FlowControllerOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#later = options.later ?? ((callback, ms) => setTimeout(callback, ms).unref());
    this.#limits = { ...defaultFlowLimits, ...options.limits };
    this.#levels = new FlowLevels(
      this.#limits.seatsMax,
      options.isShared === false ? undefined : this.#limits,
    );
    this.#held = new HeldRefusals(this.#limits.refusalDelayMs, this.#limits.heldRefusalsMax);
  }

  /** Requests waiting for a seat. */
  get queued(): number {
    return this.#levels.root.queued;
  }

  /** Whether workspaces that keep the thread busy are neither to be read nor served now; see Precedence. */
  get givesWay(): boolean {
    return this.#precedence.holds(this.#now());
  }

  /** Sets what is called when `givesWay` has become false because nobody is there any more to give way to. */
  whenEased(callback: () => void): void {
    this.#onEased = callback;
  }

  /** Never rejects. */
  enter(request: FlowRequest): Seat | Refusal | Promise<Seat | Refusal> {
    const nowMs = this.#now();
    this.#account(nowMs);
    const { info, user, workspace } = request;
    const server = this.#serverConfiguration().classify(info, user);
    if (server.level.isExempt) return this.#exempt(server);
    const ownConfiguration = workspace === undefined ? undefined : this.#options.configurations.of(workspace);
    const own = ownConfiguration?.classify(info, user);
    const level = this.#levels.level(server.level.name)!;
    const part = level.part(workspace?.id ?? `*/${user.name}`);
    const ownLevel = part.own(own?.level ?? server.level, ownConfiguration?.shares ?? 0);
    const seats = Math.min(this.#options.seatsOf(request), Math.max(1, level.workspaceSeatsMax));
    const shown = own ?? server;
    if (server.level.name !== federationLevel) this.#companyUntilMs = nowMs + companyMs;
    this.#levels.isOursAlone = nowMs >= this.#companyUntilMs;
    this.#openTurn(nowMs);
    part.came(nowMs);
    if (this.#isCrowd(request, part)) return this.#refuse(request, part, server, shown, 'queue-full', nowMs);
    this.#levels.givesWay = this.#precedence.holds(nowMs);
    const hasRoom = level.hasRoom() && part.hasRoom() && ownLevel.hasRoom();
    if (hasRoom && part.node.queued === 0 && this.#hasTurn(part, nowMs)) {
      return this.#seat(server, shown, part, ownLevel.node, seats, nowMs, 0);
    }
    const { queuing } = ownLevel;
    if (queuing === undefined && !hasRoom)
      return this.#refuse(request, part, server, shown, 'concurrency-limit', nowMs);
    if (this.#isOverfull(part)) return this.#refuse(request, part, server, shown, 'queue-full', nowMs);
    const flow = `${shown.schema.name}/${distinguisherOf(shown.schema, info, user)}`;
    const queue = queuing === undefined ? ownLevel.queue(0) : ownLevel.queueFor(flow, queuing);
    if (queue.items.length >= (queuing?.queueLengthLimit ?? rejectingQueueLength)) {
      return this.#refuse(request, part, server, shown, 'queue-full', nowMs);
    }
    return this.#wait(request, { server, shown, part, queue, seats, nowMs });
  }

  /** Prometheus text. */
  render(): string {
    return this.#metrics.render(this.#levels);
  }

  #serverConfiguration(): FlowConfiguration {
    const { server } = this.#options.configurations;
    if (server !== this.#configured) {
      this.#configured = server;
      this.#levels.configure(server.levels.values());
    }
    return server;
  }

  #exempt(server: FlowClass): Seat {
    this.#runner = undefined;
    this.#runnerPart = undefined;
    this.#metrics.dispatched(server, 0);
    let seat = this.#exemptSeats.get(server);
    if (seat === undefined) {
      const counts = this.#metrics.of(server);
      seat = {
        shown: server,
        crowds: false,
        leave: () => {
          counts.executing--;
        },
      };
      this.#exemptSeats.set(server, seat);
    }
    return seat;
  }

  #seat(
    server: FlowClass,
    shown: FlowClass,
    part: WorkspacePart,
    node: FairNode<Waiting>,
    seats: number,
    nowMs: number,
    waitedMs: number,
  ): Seat {
    this.#metrics.dispatched(server, waitedMs);
    node.occupy(seats);
    this.#touch(part);
    this.#runner = node;
    this.#runnerPart = part;
    const isPreceding = part.level.isPreceding(part);
    if (isPreceding) this.#precedence.enter(nowMs);
    return new TakenSeat(shown, this.#metrics.of(server), part, node, seats, isPreceding, nowMs, this.#left);
  }

  /** A seat has become free. */
  readonly #left = (part: WorkspacePart, sinceMs: number, wasPreceding: boolean): void => {
    const nowMs = this.#now();
    if (wasPreceding) this.#precedence.leave(nowMs);
    part.left(nowMs - sinceMs, nowMs);
    if (!this.#isTurnOpen) part.level.restIfIdle(part);
    if (this.#levels.root.queued === 0) return;
    this.#isBlocked = false;
    this.#armSteps(1);
  };

  /** The last request has left that others gave way to. */
  #easedWay(): void {
    this.#levels.givesWay = false;
    this.#onEased();
  }

  /** Looks again in a moment, unless somebody tells before; the thread has nothing to do until then. */
  #restForWay(): void {
    if (this.#isResting) return;
    this.#isResting = true;
    this.#later(() => {
      this.#isResting = false;
      if (this.#levels.root.queued === 0) return;
      this.#isBlocked = false;
      this.#armSteps(1);
    }, wayRestMs);
  }

  #refuse(
    request: FlowRequest,
    part: WorkspacePart,
    server: FlowClass,
    shown: FlowClass,
    reason: RefusalReason,
    nowMs: number,
  ): Refusal | Promise<Refusal> {
    this.#metrics.refused(server, reason);
    this.#runner = undefined;
    this.#runnerPart = undefined;
    part.level.restIfIdle(part);
    if (request.parks) return { shown, leave: undefined, parkMs: this.#limits.parkMs };
    const refusal: Refusal = { shown, leave: undefined, parkMs: 0 };
    return this.#held.hold(nowMs)?.then(() => refusal) ?? refusal;
  }

  #wait(
    request: FlowRequest,
    place: {
      readonly server: FlowClass;
      readonly shown: FlowClass;
      readonly part: WorkspacePart;
      readonly queue: FairNode<Waiting>;
      readonly seats: number;
      readonly nowMs: number;
    },
  ): Promise<Seat | Refusal> {
    const { server, shown, part, queue, seats, nowMs } = place;
    const counts = this.#metrics.of(server);
    counts.inQueue++;
    this.#touch(part);
    if (!queue.isSwept) {
      queue.isSwept = true;
      this.#waiting.push(queue);
    }
    this.#armSweep();
    const waiting = new Promise<Seat | Refusal>((resolve) => {
      const settle = (isServed: boolean): void => {
        counts.inQueue--;
        if (isServed) {
          const seatedMs = this.#now();
          resolve(this.#seat(server, shown, part, queue, seats, seatedMs, seatedMs - nowMs));
          return;
        }
        this.#metrics.refused(server, request.isGone ? 'cancelled' : 'time-out');
        resolve({ shown, leave: undefined, parkMs: 0 });
      };
      queue.push({ sinceMs: nowMs, request, flow: { part, node: queue }, seats, resolve: settle });
    });
    this.#isBlocked = false;
    this.#armSteps(1);
    return waiting;
  }

  /** A workspace that keeps the thread busy beside others has more waiting than it may have then. */
  #isCrowd(request: FlowRequest, part: WorkspacePart): boolean {
    const { contendedQueuedMax, contendedUnreadMax } = this.#limits;
    const { unread, parks } = request;
    return parks && (unread >= contendedUnreadMax || part.node.queued >= contendedQueuedMax) && part.isBound;
  }

  /** A workspace that has more than an equal part of all waiting requests has no more, once they are too many. */
  #isOverfull(part: WorkspacePart): boolean {
    const { queuedMax } = this.#limits;
    const { queued } = this.#levels.root;
    if (queued < queuedMax) return false;
    let parts = 0;
    for (const level of this.#levels.all()) parts += level.active;
    return queued >= 2 * queuedMax || part.node.queued >= queuedMax / Math.max(1, parts);
  }

  /** Each turn costs system calls, and the fewer requests it serves the fewer share a write to disk. */
  #turnMs(nowMs: number): number {
    const { turnMs, ownTurnMs } = this.#limits;
    return nowMs < this.#companyUntilMs ? turnMs : Math.max(turnMs, ownTurnMs);
  }

  /** Whether the turn has time left, or the workspace has not had its part of it. */
  #hasTurn(part: WorkspacePart, nowMs: number): boolean {
    const turnMs = this.#turnMs(nowMs);
    const goneMs = nowMs - this.#turnStartMs;
    if (goneMs < turnMs && this.#levels.root.queued === 0) return true;
    // Of very many workspaces each would be the first to come: then the queues say who is next.
    if (goneMs > turnMs * overrunMax) return false;
    return part.turn !== this.#turn || part.usedMs * Math.max(1, this.#turnParts.length) < turnMs;
  }

  #openTurn(nowMs: number): void {
    if (this.#isTurnOpen) return;
    this.#isTurnOpen = true;
    this.#turn++;
    this.#turnStartMs = nowMs;
    this.#levels.nowMs = nowMs;
    this.#levels.isContended = nowMs < this.#contendedUntilMs;
    this.#armSteps(0);
  }

  #closeTurn(): void {
    this.#isTurnOpen = false;
    this.#runner = undefined;
    this.#runnerPart = undefined;
    for (const part of this.#turnParts) part.level.restIfIdle(part);
    this.#turnParts.length = 0;
  }

  #touch(part: WorkspacePart): void {
    if (part.turn === this.#turn) return;
    part.turn = this.#turn;
    part.usedMs = 0;
    this.#turnParts.push(part);
    if (part.key === this.#lastKey) return;
    if (this.#lastKey !== '') this.#contendedUntilMs = this.#turnStartMs + contentionMs;
    this.#lastKey = part.key;
  }

  /** Charges what went by since the last look to whoever was served then. */
  #account(nowMs: number): void {
    if (this.#runner !== undefined && this.#runnerPart !== undefined && this.#isTurnOpen) {
      const ms = Math.min(nowMs - this.#markMs, chargeMsMax);
      this.#runner.charge(ms);
      this.#runnerPart.charge(ms, nowMs);
    }
    this.#markMs = nowMs;
  }

  /** Prepares so many more dispatches, and the step that ends the turn after them. */
  #armSteps(dispatches: number): void {
    let more = Math.min(dispatches, stepsMax - this.#armedSteps) + (this.#armedSteps === 0 ? 1 : 0);
    for (; more > 0; more--) {
      this.#armedSteps++;
      setImmediate(this.#step);
    }
  }

  /**
   * One dispatch, or the turn's end. Each is a callback of its own, so that all that a request does before it waits for
   * something (reading its body included) is done, and counted, before the next is taken.
   */
  readonly #step = (): void => {
    const nowMs = this.#now();
    if (this.#batch === 0) {
      this.#batch = this.#armedSteps;
      this.#armedSteps = 0;
      this.#sliceStartMs = nowMs;
      this.#dispatchedInSlice = 0;
    }
    this.#batch--;
    this.#account(nowMs);
    const { queued } = this.#levels.root;
    if (this.#batch > 0) {
      const isDue =
        this.#dispatchedInSlice < dispatchesMin || nowMs - this.#sliceStartMs < this.#turnMs(nowMs);
      if (queued > 0 && isDue) this.#dispatch(nowMs);
      return;
    }
    this.#closeTurn();
    if (queued > 0 && !this.#isBlocked) this.#armSteps(queued);
  };

  #dispatch(nowMs: number): void {
    if (!this.#isTurnOpen) this.#openTurn(nowMs);
    this.#levels.givesWay = this.#precedence.holds(nowMs);
    this.#levels.isOursAlone = nowMs >= this.#companyUntilMs;
    for (;;) {
      const queue = this.#levels.root.next();
      if (queue === undefined) {
        this.#isBlocked = this.#levels.root.queued > 0;
        if (this.#isBlocked && this.#levels.isWaitedFor) this.#restForWay();
        return;
      }
      const item = queue.shift();
      if (item === undefined) return;
      this.#dispatchedInSlice++;
      const { isGone } = item.request;
      item.resolve(!isGone);
      if (!isGone) return;
    }
  }

  #armSweep(): void {
    if (this.#isSweepArmed) return;
    this.#isSweepArmed = true;
    this.#later(this.#sweep, sweepMs);
  }

  /** Refuses what has waited too long, and lets go what nobody waits for any more. */
  readonly #sweep = (): void => {
    this.#isSweepArmed = false;
    const oldest = this.#now() - this.#limits.queueWaitMs;
    const queues = this.#waiting;
    this.#waiting = [];
    for (const queue of queues) {
      for (const item of queue.removeWhere(({ request, sinceMs }) => request.isGone || sinceMs < oldest)) {
        item.resolve(false);
        if (!this.#isTurnOpen) item.flow.part.level.restIfIdle(item.flow.part);
      }
      queue.isSwept = queue.items.length > 0;
      if (queue.isSwept) this.#waiting.push(queue);
    }
    if (this.#waiting.length === 0) return;
    this.#armSweep();
    // A workspace that is no longer heavy may have more seats, and no seat need have become free for that.
    this.#isBlocked = false;
    this.#armSteps(1);
  };
}
