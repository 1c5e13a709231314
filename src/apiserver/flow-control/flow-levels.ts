import { federationLevel } from './bootstrap-objects.ts';
import { FairNode, type Room } from './fair-node.ts';
import type { PriorityLevel, Queuing } from './priority-level.ts';
import { dealHand } from './shuffle-shard.ts';

/** A request that waits for its seat. */
export interface Waiting {
  readonly sinceMs: number;
  /** `isGone`: nobody is there any more to answer. */
  readonly request: { readonly isGone: boolean };
  readonly flow: Flow;
  readonly seats: number;
  readonly resolve: (isServed: boolean) => void;
}

/** Where in the tree a request is counted. */
export interface Flow {
  readonly part: WorkspacePart;
  readonly node: FairNode<Waiting>;
}

/** Weight of a level that has 20 shares: one of Kubernetes' middling ones. */
const sharesOfWeightOne = 20;
const weightMin = 0.05;
/** A workspace is heavy that had more than this part of the thread over the span. */
const heavyPart = 0.15;
const heavySpanMs = 100;
/** Time of the thread that a request takes before it is known whose it is, and when its answer is sent. */
const unseenMs = 0.05;
/** What of the time that a request is under way counts as time of the thread, of its first milliseconds. */
const underWayPart = 0.02;
const underWayMsMax = 20;
/** What is under way for less does not wait for a disk. */
const restAfterMsMin = 0.5;
/** Of the time that a heavy workspace's request was under way, what it rests for afterwards, while others write too. */
const restPart = 1;
const restMsMax = 10;
/** Others write too for so long after a request of theirs that was under way for a while. */
const sharedDiskMs = 1_000;
/** A workspace that had less of the thread may be forgotten when it asks for nothing. */
const warmMsMin = 1;
/** Workspaces that ask for nothing and are still known, before those that have cooled are looked for. */
const idleMax = 256;
/** One that has had so many levels of its own is made anew when it has nothing under way. */
const ownLevelsMax = 16;

/** Seats of one level that one workspace may hold: ever, in ours while we are alone, and when it is heavy while others ask. */
export interface WorkspaceSeats {
  readonly workspaceSeatsMax: number;
  readonly ownWorkspaceSeatsMax: number;
  readonly contendedSeatsMax: number;
}

/**
 * All levels of the server with the seats that they have (KUBERNETES.md O2): `ceil(seats × shares / all shares)` are a
 * level's own; while they are free it lends `lendablePercent` of them to levels that have none left.
 */
export class FlowLevels {
  readonly root = new FairNode<Waiting>(undefined);
  readonly #levels = new Map<string, LevelState>();
  readonly #seatsMax: number;
  readonly #bounds: WorkspaceSeats | undefined;
  /** When the turn of the event loop began. */
  nowMs = 0;
  /** Whether more than one workspace was served of late. */
  isContended = false;
  /** Whether those who keep the thread busy give way to others now; see Precedence. */
  givesWay = false;
  /** Who is not heavy and was the last to write, and until when heavy workspaces rest between their writes for that. */
  lightWriterKey = '';
  sharedDiskUntilMs = Number.NEGATIVE_INFINITY;
  /** Until when some workspace rests, at the latest. */
  restUntilMs = Number.NEGATIVE_INFINITY;
  /** Whether nobody but our own processes has asked for anything of late. */
  isOursAlone = false;

  /** `bounds`: undefined where one workspace may have all. */
  constructor(seatsMax: number, bounds: WorkspaceSeats | undefined) {
    this.#seatsMax = seatsMax;
    this.#bounds = bounds;
  }

  /** Whether somebody may have room as time goes by, without anybody's leaving. */
  get isWaitedFor(): boolean {
    return this.givesWay || this.nowMs < this.restUntilMs;
  }

  /** Takes on other settings. A level that is no more keeps what waits in it until that is served. */
  configure(levels: Iterable<PriorityLevel>): void {
    const wanted = new Map<string, PriorityLevel>();
    for (const level of levels) if (!level.isExempt) wanted.set(level.name, level);
    for (const [name, state] of this.#levels) {
      if (!wanted.has(name) && state.node.isIdle) this.#levels.delete(name);
    }
    for (const [name, settings] of wanted) {
      const known = this.#levels.get(name);
      if (known === undefined) this.#levels.set(name, new LevelState(this, settings));
      else known.settings = settings;
    }
    this.#divide();
  }

  #divide(): void {
    const states = [...this.#levels.values()];
    let shares = 0;
    for (const { settings } of states) shares += settings.shares;
    let lendable = 0;
    for (const state of states) {
      const { settings } = state;
      state.nominalSeats = shares === 0 ? 0 : Math.ceil((this.#seatsMax * settings.shares) / shares);
      state.lendableSeats = Math.round((state.nominalSeats * settings.lendablePercent) / 100);
      state.node.weight = Math.max(weightMin, settings.shares / sharesOfWeightOne);
      lendable += state.lendableSeats;
    }
    for (const state of states) {
      const { borrowingLimitPercent: percent } = state.settings;
      const wanted =
        percent === undefined ? Number.POSITIVE_INFINITY : Math.round((state.nominalSeats * percent) / 100);
      state.borrowableSeats = Math.min(wanted, lendable - state.lendableSeats);
      const most = state.nominalSeats + state.borrowableSeats;
      const bounds = this.#bounds;
      const part = Math.ceil(most / 2);
      state.workspaceSeatsMax =
        bounds === undefined ? most : Math.max(1, Math.min(bounds.workspaceSeatsMax, part));
      // What our own processes write into a workspace is nobody's flood, and all wait for it.
      state.isOurs = bounds === undefined || state.settings.name === federationLevel;
      state.aloneSeatsMax =
        bounds === undefined || !state.isOurs
          ? state.workspaceSeatsMax
          : Math.max(state.workspaceSeatsMax, Math.min(bounds.ownWorkspaceSeatsMax, part));
      state.contendedSeatsMax =
        bounds === undefined || state.isOurs
          ? state.workspaceSeatsMax
          : Math.min(state.workspaceSeatsMax, Math.max(1, bounds.contendedSeatsMax));
    }
  }

  level(name: string): LevelState | undefined {
    return this.#levels.get(name);
  }

  all(): Iterable<LevelState> {
    return this.#levels.values();
  }

  /** Seats that the other levels could lend to this one now. */
  lentTo(borrower: LevelState): number {
    let free = 0;
    for (const other of this.#levels.values()) {
      if (other === borrower) continue;
      const unused = other.nominalSeats - other.node.executing;
      // One that has gone above its own takes from what all lend.
      free += unused < 0 ? unused : Math.min(other.lendableSeats, unused);
    }
    return Math.max(0, Math.min(borrower.borrowableSeats, free));
  }
}

/** One level of the server. */
export class LevelState implements Room {
  settings: PriorityLevel;
  nominalSeats = 0;
  lendableSeats = 0;
  borrowableSeats = 0;
  /** What one workspace may hold, so that none has all of a level for as long as it likes. */
  workspaceSeatsMax = 0;
  /** The same while our own processes are alone. */
  aloneSeatsMax = 0;
  /** The same for one that is heavy while others ask too. */
  contendedSeatsMax = 0;
  /** Nobody in it is bound for being heavy: the level is our own processes', or one workspace may have all. */
  isOurs = false;
  readonly node: FairNode<Waiting>;
  /** Those that hold or wait for a seat, or were served in this turn of the event loop: bounded by requests under way. */
  active = 0;
  readonly #levels: FlowLevels;
  /** The active ones, and idle ones: at most `idleMax` beside those that are warm, which the time in the span bounds. */
  readonly #parts = new Map<string, WorkspacePart>();

  constructor(levels: FlowLevels, settings: PriorityLevel) {
    this.#levels = levels;
    this.settings = settings;
    this.node = new FairNode<Waiting>(levels.root, 1, this);
  }

  /** Seats that it may hold at this moment. */
  get limitSeats(): number {
    return this.node.executing < this.nominalSeats
      ? this.nominalSeats
      : this.nominalSeats + this.#levels.lentTo(this);
  }

  /** What one workspace may hold now, unless it is bound for being heavy. */
  get partSeatsMax(): number {
    return this.#levels.isOursAlone ? this.aloneSeatsMax : this.workspaceSeatsMax;
  }

  /** Whether a workspace that had so much of the thread, as `heatMs` at `atMs` says, has fewer seats now. */
  isBound(heatMs: number, atMs: number): boolean {
    const { isContended, nowMs } = this.#levels;
    return isContended && cooled(heatMs, nowMs - atMs) > heavyPart * heavySpanMs;
  }

  /** Whether one that is heavy, as `heatMs` at `atMs` says, is not to be served now, others being under way. */
  givesWay(heatMs: number, atMs: number): boolean {
    return this.#levels.givesWay && !this.isOurs && this.isBound(heatMs, atMs);
  }

  /** Whether one rests that is to do so until `restUntilMs` while it is heavy, as `heatMs` at `atMs` says. */
  rests(restUntilMs: number, heatMs: number, atMs: number): boolean {
    return this.#levels.nowMs < restUntilMs && this.isBound(heatMs, atMs);
  }

  /** Until when one rests whose request was under way for so long; undefined where it need not. */
  restAfter(part: WorkspacePart, tookMs: number, nowMs: number): number | undefined {
    const levels = this.#levels;
    if (!part.isBound) {
      levels.lightWriterKey = part.key;
      levels.sharedDiskUntilMs = nowMs + sharedDiskMs;
      return undefined;
    }
    if (part.key === levels.lightWriterKey || nowMs >= levels.sharedDiskUntilMs) return undefined;
    const untilMs = nowMs + Math.min(tookMs * restPart, restMsMax);
    if (untilMs > levels.restUntilMs) levels.restUntilMs = untilMs;
    return untilMs;
  }

  /** Whether others give way to one that is not heavy. */
  isPreceding(part: WorkspacePart): boolean {
    return this.#levels.isContended && !this.isOurs && !part.isBound;
  }

  hasRoom(): boolean {
    // When it is full there is still what single workspaces are sure of.
    return this.node.executing < this.limitSeats || this.node.executing < 2 * this.nominalSeats;
  }

  part(key: string): WorkspacePart {
    let part = this.#parts.get(key);
    if (part === undefined) {
      part = new WorkspacePart(this, key);
      this.#parts.set(key, part);
    }
    if (!part.isActive) {
      part.isActive = true;
      this.active++;
    }
    return part;
  }

  /** The workspace has no part of the level any more once it asks for nothing. */
  restIfIdle(part: WorkspacePart): void {
    if (!part.isIdle || !part.isActive) return;
    part.isActive = false;
    part.node.settle();
    this.active--;
    if (part.ownLevels > ownLevelsMax) this.#parts.delete(part.key);
    if (this.#parts.size - this.active > idleMax) this.#forgetCooled();
  }

  #forgetCooled(): void {
    for (const [key, part] of this.#parts) {
      if (!part.isActive && part.heatMs(this.#levels.nowMs) < warmMsMin) this.#parts.delete(key);
    }
  }
}

/** What one workspace has of one level. */
export class WorkspacePart implements Room {
  readonly level: LevelState;
  readonly key: string;
  readonly node: FairNode<Waiting>;
  /** Whether it holds or waits for a seat, or was served in this turn of the event loop. */
  isActive = false;
  /** The turn of the event loop that it was last served in, and the main-thread time that it had in it. */
  turn = -1;
  usedMs = 0;
  #heatMs = 0;
  #heatAtMs = 0;
  #restUntilMs = Number.NEGATIVE_INFINITY;
  readonly #own = new Map<string, OwnLevel>();

  constructor(level: LevelState, key: string) {
    this.level = level;
    this.key = key;
    this.node = new FairNode<Waiting>(level.node, 1, this);
  }

  hasRoom(): boolean {
    const { level, node } = this;
    if (node.executing >= level.partSeatsMax) return false;
    if (level.givesWay(this.#heatMs, this.#heatAtMs)) return false;
    if (level.rests(this.#restUntilMs, this.#heatMs, this.#heatAtMs)) return false;
    if (
      !level.isOurs &&
      node.executing >= level.contendedSeatsMax &&
      level.isBound(this.#heatMs, this.#heatAtMs)
    )
      return false;
    if (level.node.executing < level.limitSeats) return true;
    // The level is full: an equal part of it is sure to each, up to twice the level in all.
    if (level.node.executing >= 2 * level.nominalSeats) return false;
    return node.executing < Math.max(1, Math.floor(level.nominalSeats / level.active));
  }

  /** Whether it keeps the thread busy while others ask for something too. */
  get isBound(): boolean {
    return !this.level.isOurs && this.level.isBound(this.#heatMs, this.#heatAtMs);
  }

  /** Main-thread time of late, as it counts at this moment. */
  heatMs(nowMs: number): number {
    return cooled(this.#heatMs, nowMs - this.#heatAtMs);
  }

  /** Levels by name that it has had since it was made. */
  get ownLevels(): number {
    return this.#own.size;
  }

  /** Counts main-thread time that it had up to now. */
  charge(ms: number, nowMs: number): void {
    this.usedMs += ms;
    this.#warm(ms, nowMs);
  }

  /** A request of it has come, whatever becomes of it. */
  came(nowMs: number): void {
    this.#warm(unseenMs, nowMs);
  }

  /**
   * A request of it has been under way for so long. A write is on its way to the disk meanwhile, and no other can go there: of
   * a workspace that is heavy the next ones begin after as long a rest, so that others' mostly find the disk free.
   */
  left(tookMs: number, nowMs: number): void {
    const { level } = this;
    if (level.isOurs || tookMs < restAfterMsMin) return;
    this.#warm(Math.min(tookMs, underWayMsMax) * underWayPart, nowMs);
    const restUntilMs = level.restAfter(this, tookMs, nowMs);
    if (restUntilMs !== undefined && restUntilMs > this.#restUntilMs) this.#restUntilMs = restUntilMs;
  }

  /**
   * The workspace's own level by this name, made of what it says now. `allShares`: of all its levels together; 0 where
   * it says nothing and the level is the server's.
   */
  own(settings: PriorityLevel, allShares: number): OwnLevel {
    let own = this.#own.get(settings.name);
    if (own === undefined) {
      own = new OwnLevel(this, settings);
      this.#own.set(settings.name, own);
    }
    own.configure(settings, allShares);
    return own;
  }

  get isIdle(): boolean {
    return this.node.isIdle;
  }

  #warm(ms: number, nowMs: number): void {
    this.#heatMs = cooled(this.#heatMs, nowMs - this.#heatAtMs) + ms;
    this.#heatAtMs = nowMs;
  }
}

/** A level inside a workspace's part: the workspace's own, or the server's level itself where it has none. */
export class OwnLevel implements Room {
  readonly part: WorkspacePart;
  readonly node: FairNode<Waiting>;
  #settings: PriorityLevel;
  #seatsMax = Number.POSITIVE_INFINITY;
  readonly #queues = new Map<number, FairNode<Waiting>>();

  constructor(part: WorkspacePart, settings: PriorityLevel) {
    this.part = part;
    this.#settings = settings;
    this.node = new FairNode<Waiting>(part.node, 1, this);
  }

  configure(settings: PriorityLevel, allShares: number): void {
    this.#settings = settings;
    this.node.isFirst = settings.isExempt;
    if (allShares === 0) {
      this.#seatsMax = Number.POSITIVE_INFINITY;
    } else if (settings.isExempt) {
      this.node.weight = exemptWeight;
      this.#seatsMax = Number.POSITIVE_INFINITY;
    } else {
      this.node.weight = Math.max(weightMin, settings.shares / sharesOfWeightOne);
      this.#seatsMax = Math.ceil((this.part.level.workspaceSeatsMax * settings.shares) / allShares);
    }
  }

  hasRoom(): boolean {
    // Above its own seats only while nothing else of the workspace waits.
    return this.node.executing < this.#seatsMax || this.part.node.queued === this.node.queued;
  }

  /** How requests wait here; never more than the server's level lets a flow have. */
  get queuing(): Queuing | undefined {
    const { queuing } = this.part.level.settings;
    const given = this.#settings.isExempt ? queuing : this.#settings.queuing;
    if (given === undefined || queuing === undefined || given === queuing) return given;
    const queues = Math.min(given.queues, queuing.queues);
    return {
      queues,
      handSize: Math.min(given.handSize, queues),
      queueLengthLimit: Math.min(given.queueLengthLimit, queuing.queueLengthLimit),
    };
  }

  /** The shortest of the queues that were dealt to the flow. */
  queueFor(flow: string, { queues, handSize }: Queuing): FairNode<Waiting> {
    let best: FairNode<Waiting> | undefined;
    for (const card of dealHand(flow, queues, handSize)) {
      const queue = this.queue(card);
      if (best === undefined || load(queue) < load(best)) best = queue;
    }
    return best ?? this.queue(0);
  }

  /** One queue by its number, made when it is first used; gone with the part. */
  queue(card: number): FairNode<Waiting> {
    let queue = this.#queues.get(card);
    if (queue === undefined) {
      queue = new FairNode<Waiting>(this.node);
      this.#queues.set(card, queue);
    }
    return queue;
  }
}

/** Time that one had counts less the longer it is ago. */
function cooled(heatMs: number, agoMs: number): number {
  return agoMs >= heavySpanMs ? 0 : heatMs * (1 - Math.max(0, agoMs) / heavySpanMs);
}

/** What a workspace exempts goes before all else of its part. */
const exemptWeight = 1_000;

function load({ queued, executing }: FairNode<Waiting>): number {
  return queued + executing;
}
