/** A connection as the gate sees it. HTTP/1's is its socket. */
export interface GatedConnection {
  readonly destroyed: boolean;
  /** Nothing that comes is read until `resume`. */
  pause(): unknown;
  resume(): unknown;
  /** Whether writing to it has it read again (HTTP/2). */
  readonly isReadAfterWrites?: boolean | undefined;
}

export interface ReadGateLimits {
  /** Requests read in one turn of the event loop, as many from each connection as came when it was last looked at. */
  readonly perTurn: number;
  /** A connection on which nothing came for so long is read like any other. */
  readonly heldMs: number;
  /** Until the next look after one that found nothing. */
  readonly restMs: number;
}

export const defaultReadGateLimits: ReadGateLimits = { perTurn: 6, heldMs: 500, restMs: 1 };

export interface ReadGateOptions {
  readonly limits?: Partial<ReadGateLimits> | undefined;
  /** Whether nothing is to be read now, save what has been held for `heldMs`. Default never. */
  readonly isClosed?: (() => boolean) | undefined;
  /** Milliseconds that only rise. Default `performance.now`. */
  readonly now?: (() => number) | undefined;
  /** Calls back after the current turn's input and output. Default `setImmediate`. */
  readonly nextTurn?: ((callback: () => void) => unknown) | undefined;
  /** Calls back after so many milliseconds, without holding the process. Default an unref'd `setTimeout`. */
  readonly later?: ((callback: () => void, ms: number) => unknown) | undefined;
}

/** A connection that was held before; one object for as long as it lives. */
interface Connection {
  readonly socket: GatedConnection;
  /** `free`: read like any other; `parked`: not before its time; `waiting`: in its queue; `looked`: read in this turn. */
  state: 'free' | 'parked' | 'waiting' | 'looked';
  key: string;
  /** Until when it is held if nothing comes. */
  untilMs: number;
  /** Requests that came since it was last looked at, and as many as one look may bring. */
  came: number;
  expected: number;
  /** Turns in which it is to be paused again. */
  pauses: number;
}

interface Queue {
  readonly key: string;
  readonly connections: Connection[];
}

/** What one look at a connection is taken to bring, where nothing is known of it and it may bring more than one. */
const expectedOfMany = 4;
/** What is written leaves in this turn or the next. */
const pausesAfterWrites = 2;
/** Queues of workspaces kept before the empty ones are forgotten. */
const queuesMax = 64;

/**
 * Connections of workspaces that keep the thread busy beside others, between two requests (KUBERNETES.md O2). One turn of
 * the event loop reads whatever has come on all connections before it serves anything: of hundreds of connections that
 * ask again at once that alone takes ten milliseconds and more, for which everybody else waits. Here they are left unread
 * and looked at some in a turn, the workspaces taking turns, each workspace's connections in order. What they send stays
 * with the kernel, and then with whoever sends it.
 *
 * Holds a connection at most once, and none for which nothing came for `heldMs`: bounded by the connections there are.
 */
export class ReadGate {
  readonly #limits: ReadGateLimits;
  readonly #now: () => number;
  readonly #nextTurn: (callback: () => void) => unknown;
  readonly #later: (callback: () => void, ms: number) => unknown;
  readonly #known = new WeakMap<GatedConnection, Connection>();
  #size = 0;
  /** By workspace, in the order of its connections; some may be empty. */
  readonly #queues = new Map<string, Queue>();
  /** Queues in which something waits, the next one first. */
  readonly #order: Queue[] = [];
  /** Read in this turn, until something comes. */
  readonly #looked: Connection[] = [];
  /** Held, and read again when what was written to them has left. */
  #written: Connection[] = [];
  #armed: 'no' | 'turn' | 'rest' = 'no';
  readonly #isClosed: () => boolean;

  constructor(options: ReadGateOptions = {}) {
    this.#limits = { ...defaultReadGateLimits, ...options.limits };
    this.#isClosed = options.isClosed ?? (() => false);
    this.#now = options.now ?? (() => performance.now());
    this.#nextTurn = options.nextTurn ?? setImmediate;
    this.#later = options.later ?? ((callback, ms) => setTimeout(callback, ms).unref());
  }

  /** Connections that are held now. */
  get size(): number {
    return this.#size;
  }

  /** Connections of this workspace that wait for their turn. */
  waiting(key: string): number {
    return this.#queues.get(key)?.connections.length ?? 0;
  }

  /** A request came on this connection. */
  came(socket: GatedConnection): void {
    if (this.#size === 0) return;
    const connection = this.#known.get(socket);
    if (connection === undefined) return;
    connection.came++;
    if (connection.state === 'looked') this.#free(connection);
    else if (connection.state !== 'free') this.#pauseAgain(connection);
  }

  /** Leaves the connection unread until it is its turn, and not before `parkMs` are over. `key`: its workspace. */
  hold(socket: GatedConnection, key: string, parkMs = 0): void {
    if (socket.destroyed) return;
    const connection = this.#connection(socket);
    // More than one request may have come at once: its first wait holds.
    if (connection.state === 'parked' || connection.state === 'waiting') {
      this.#pauseAgain(connection);
      return;
    }
    if (connection.state === 'free') this.#size++;
    connection.key = key;
    connection.state = 'parked';
    connection.expected = Math.max(1, Math.min(connection.came, this.#limits.perTurn));
    connection.came = 0;
    socket.pause();
    this.#pauseAgain(connection);
    const wait = (): void => {
      connection.untilMs = this.#now() + this.#limits.heldMs;
      this.#queue(connection);
      this.#arm(false);
    };
    if (parkMs > 0) this.#later(wait, parkMs);
    else wait();
  }

  /** What `isClosed` says may have changed: looks at once instead of in a moment. */
  look(): void {
    if (this.#armed !== 'rest') return;
    this.#armed = 'turn';
    this.#nextTurn(this.#turn);
  }

  #connection(socket: GatedConnection): Connection {
    let connection = this.#known.get(socket);
    if (connection === undefined) {
      const came = socket.isReadAfterWrites === true ? expectedOfMany : 1;
      connection = { socket, state: 'free', key: '', untilMs: 0, came, expected: 1, pauses: 0 };
      this.#known.set(socket, connection);
    }
    return connection;
  }

  #pauseAgain(connection: Connection): void {
    if (connection.socket.isReadAfterWrites !== true) return;
    if (connection.pauses === 0) this.#written.push(connection);
    connection.pauses = pausesAfterWrites;
    this.#arm(false);
  }

  #free(connection: Connection): void {
    connection.state = 'free';
    this.#size--;
  }

  #queue(connection: Connection): void {
    if (connection.socket.destroyed) {
      this.#free(connection);
      return;
    }
    connection.state = 'waiting';
    const { key } = connection;
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      if (this.#queues.size >= queuesMax) this.#forgetEmpty();
      queue = { key, connections: [] };
      this.#queues.set(key, queue);
    }
    if (queue.connections.length === 0) this.#order.push(queue);
    queue.connections.push(connection);
  }

  #forgetEmpty(): void {
    for (const [key, { connections }] of this.#queues) if (connections.length === 0) this.#queues.delete(key);
  }

  #arm(isResting: boolean): void {
    if (this.#armed !== 'no') return;
    this.#armed = isResting ? 'rest' : 'turn';
    if (isResting) this.#later(this.#rested, this.#limits.restMs);
    else this.#nextTurn(this.#turn);
  }

  readonly #rested = (): void => {
    // A turn was wanted meanwhile, and this is no business of the rest after it.
    if (this.#armed === 'rest') this.#turn();
  };

  readonly #turn = (): void => {
    this.#armed = 'no';
    const { perTurn } = this.#limits;
    const isClosed = this.#isClosed();
    if (this.#written.length > 0) this.#pauseWritten();
    const nowMs = this.#now();
    const looked = this.#looked.splice(0);
    let silent = 0;
    for (const connection of looked) {
      if (connection.state !== 'looked') continue;
      silent++;
      connection.socket.pause();
      this.#queue(connection);
    }
    for (let left = perTurn; left > 0; ) {
      const connection = this.#next(isClosed ? nowMs : Number.POSITIVE_INFINITY);
      if (connection === undefined) break;
      const { socket, untilMs } = connection;
      if (socket.destroyed || nowMs >= untilMs) this.#free(connection);
      if (socket.destroyed) continue;
      left -= connection.expected;
      if (connection.state === 'waiting') {
        connection.state = 'looked';
        this.#looked.push(connection);
      }
      socket.resume();
    }
    if (this.#written.length > 0) this.#arm(false);
    else if (this.#looked.length > 0 || this.#order.length > 0) {
      this.#arm(isClosed || (silent > 0 && silent === looked.length));
    }
  };

  #pauseWritten(): void {
    const written = this.#written;
    this.#written = [];
    for (const connection of written) {
      connection.pauses--;
      const isHeld = connection.state === 'parked' || connection.state === 'waiting';
      if (isHeld && !connection.socket.destroyed) connection.socket.pause();
      if (isHeld && connection.pauses > 0) this.#written.push(connection);
      else connection.pauses = 0;
    }
  }

  /** The workspaces take turns. Only what is not to be held after `untilMs`. */
  #next(untilMs: number): Connection | undefined {
    for (let queues = this.#order.length; queues > 0; queues--) {
      const queue = this.#order.shift() as Queue;
      const { connections } = queue;
      const isDue = (connections[0]?.untilMs ?? 0) <= untilMs;
      const connection = isDue ? connections.shift() : undefined;
      if (connections.length > 0) this.#order.push(queue);
      if (isDue) return connection;
    }
    return undefined;
  }
}
