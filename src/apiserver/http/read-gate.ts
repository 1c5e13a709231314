import type { Duplex } from 'node:stream';

export interface ReadGateLimits {
  /** Connections that are read in one turn of the event loop. */
  readonly perTurn: number;
  /** A connection on which nothing came for so long is read like any other. */
  readonly heldMs: number;
  /** Until the next look after one that found nothing. */
  readonly restMs: number;
}

export const defaultReadGateLimits: ReadGateLimits = { perTurn: 6, heldMs: 500, restMs: 1 };

export interface ReadGateOptions {
  readonly limits?: Partial<ReadGateLimits> | undefined;
  /** Milliseconds that only rise. Default `performance.now`. */
  readonly now?: (() => number) | undefined;
  /** Calls back after the current turn's input and output. Default `setImmediate`. */
  readonly nextTurn?: ((callback: () => void) => unknown) | undefined;
  /** Calls back after so many milliseconds, without holding the process. Default an unref'd `setTimeout`. */
  readonly later?: ((callback: () => void, ms: number) => unknown) | undefined;
}

/** A connection that was held before; one object for as long as it lives. */
interface Connection {
  readonly socket: Duplex;
  /** `free`: read like any other; `parked`: not before its time; `waiting`: in its queue; `looked`: read in this turn. */
  state: 'free' | 'parked' | 'waiting' | 'looked';
  key: string;
  /** Until when it is held if nothing comes. */
  untilMs: number;
}

interface Queue {
  readonly key: string;
  readonly connections: Connection[];
}

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
  readonly #known = new WeakMap<Duplex, Connection>();
  #size = 0;
  /** By workspace, in the order of its connections; some may be empty. */
  readonly #queues = new Map<string, Queue>();
  /** Queues in which something waits, the next one first. */
  readonly #order: Queue[] = [];
  /** Read in this turn, until something comes. */
  readonly #looked: Connection[] = [];
  #isArmed = false;

  constructor(options: ReadGateOptions = {}) {
    this.#limits = { ...defaultReadGateLimits, ...options.limits };
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
  came(socket: Duplex): void {
    if (this.#looked.length === 0) return;
    const connection = this.#known.get(socket);
    if (connection?.state === 'looked') this.#free(connection);
  }

  /** Leaves the connection unread until it is its turn, and not before `parkMs` are over. `key`: its workspace. */
  hold(socket: Duplex, key: string, parkMs = 0): void {
    if (socket.destroyed) return;
    const connection = this.#connection(socket);
    // More than one request may have come at once: its first wait holds.
    if (connection.state === 'parked' || connection.state === 'waiting') return;
    if (connection.state === 'free') this.#size++;
    connection.key = key;
    connection.state = 'parked';
    socket.pause();
    const wait = (): void => {
      connection.untilMs = this.#now() + this.#limits.heldMs;
      this.#queue(connection);
      this.#arm(false);
    };
    if (parkMs > 0) this.#later(wait, parkMs);
    else wait();
  }

  #connection(socket: Duplex): Connection {
    let connection = this.#known.get(socket);
    if (connection === undefined) {
      connection = { socket, state: 'free', key: '', untilMs: 0 };
      this.#known.set(socket, connection);
    }
    return connection;
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
    if (this.#isArmed) return;
    this.#isArmed = true;
    if (isResting) this.#later(this.#turn, this.#limits.restMs);
    else this.#nextTurn(this.#turn);
  }

  readonly #turn = (): void => {
    this.#isArmed = false;
    const { perTurn } = this.#limits;
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
      const connection = this.#next();
      if (connection === undefined) break;
      const { socket, untilMs } = connection;
      if (socket.destroyed || nowMs >= untilMs) this.#free(connection);
      if (socket.destroyed) continue;
      left--;
      if (connection.state === 'waiting') {
        connection.state = 'looked';
        this.#looked.push(connection);
      }
      socket.resume();
    }
    if (this.#looked.length > 0 || this.#order.length > 0) {
      this.#arm(silent > 0 && silent === looked.length);
    }
  };

  /** The workspaces take turns. */
  #next(): Connection | undefined {
    const queue = this.#order.shift();
    const connection = queue?.connections.shift();
    if (queue !== undefined && queue.connections.length > 0) this.#order.push(queue);
    return connection;
  }
}
