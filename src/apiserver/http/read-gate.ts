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

interface Held {
  readonly socket: Duplex;
  readonly key: string;
  readonly untilMs: number;
}

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
  /** Left unread, also those that only wait for their time. */
  readonly #unread = new Set<Duplex>();
  /** By workspace, in the order of its connections. */
  readonly #queues = new Map<string, Held[]>();
  /** Read in this turn, until something comes. */
  readonly #looked = new Map<Duplex, Held>();
  #isArmed = false;

  constructor(options: ReadGateOptions = {}) {
    this.#limits = { ...defaultReadGateLimits, ...options.limits };
    this.#now = options.now ?? (() => performance.now());
    this.#nextTurn = options.nextTurn ?? setImmediate;
    this.#later = options.later ?? ((callback, ms) => setTimeout(callback, ms).unref());
  }

  /** Connections that are held now. */
  get size(): number {
    return this.#unread.size + this.#looked.size;
  }

  /** Connections of this workspace that wait for their turn. */
  waiting(key: string): number {
    return this.#queues.get(key)?.length ?? 0;
  }

  /** A request came on this connection. */
  came(socket: Duplex): void {
    if (this.#looked.size > 0) this.#looked.delete(socket);
  }

  /** Leaves the connection unread until it is its turn, and not before `parkMs` are over. `key`: its workspace. */
  hold(socket: Duplex, key: string, parkMs = 0): void {
    // More than one request may have come at once: its first wait holds.
    if (socket.destroyed || this.#unread.has(socket)) return;
    this.#looked.delete(socket);
    socket.pause();
    this.#unread.add(socket);
    const queue = (): void => this.#queue({ socket, key, untilMs: this.#now() + this.#limits.heldMs });
    if (parkMs > 0) this.#later(queue, parkMs);
    else queue();
  }

  #queue(held: Held): void {
    const queue = this.#queues.get(held.key);
    if (queue === undefined) this.#queues.set(held.key, [held]);
    else queue.push(held);
    this.#arm(false);
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
    const isResting = this.#looked.size >= perTurn;
    for (const held of this.#looked.values()) this.#putBack(held);
    this.#looked.clear();
    for (let left = perTurn; left > 0; ) {
      const held = this.#next();
      if (held === undefined) break;
      const { socket, untilMs } = held;
      this.#unread.delete(socket);
      if (socket.destroyed) continue;
      left--;
      if (nowMs < untilMs) this.#looked.set(socket, held);
      socket.resume();
    }
    if (this.#looked.size > 0 || this.#queues.size > 0) this.#arm(isResting);
  };

  /** Nothing came on it. */
  #putBack(held: Held): void {
    const { socket, key } = held;
    if (socket.destroyed) return;
    socket.pause();
    this.#unread.add(socket);
    const queue = this.#queues.get(key);
    if (queue === undefined) this.#queues.set(key, [held]);
    else queue.push(held);
  }

  /** The workspaces take turns. */
  #next(): Held | undefined {
    for (const [key, queue] of this.#queues) {
      const held = queue.shift();
      this.#queues.delete(key);
      if (queue.length > 0) this.#queues.set(key, queue);
      if (held !== undefined) return held;
    }
    return undefined;
  }
}
