import type { Socket } from 'node:net';

export interface HandshakeGateOptions {
  /** Handshakes begun in one turn of the event loop. Default 2. */
  readonly perTurn?: number | undefined;
  /** A connection over which nothing has come for so long is closed. Default 30 s. */
  readonly silentMs?: number | undefined;
  /** Calls back after the current turn's input and output. Default `setImmediate`. */
  readonly nextTurn?: ((callback: () => void) => unknown) | undefined;
}

const defaultPerTurn = 2;
const defaultSilentMs = 30_000;

/**
 * Has new connections begin their TLS handshakes some in a turn of the event loop, in the order in which they first sent
 * something. One turn accepts all that have come and reads what all of them have sent, and a handshake is a millisecond of
 * keys and signatures: hundreds that came together kept everything else waiting for tens of milliseconds. What a connection
 * has sent is read before, which costs little, so that a turn is spent only on what can go on at once, and Node hands it
 * to TLS. Bounded by the connections there are.
 */
export class HandshakeGate {
  readonly #begin: (socket: Socket) => void;
  readonly #perTurn: number;
  readonly #silentMs: number;
  readonly #nextTurn: (callback: () => void) => unknown;
  #waiting: Socket[] = [];
  /** Of `#waiting`, how many have had their turn. */
  #done = 0;
  #left: number;
  #isArmed = false;

  /** `begin`: hands the connection to TLS. */
  constructor(begin: (socket: Socket) => void, options: HandshakeGateOptions = {}) {
    this.#begin = begin;
    this.#perTurn = options.perTurn ?? defaultPerTurn;
    this.#silentMs = options.silentMs ?? defaultSilentMs;
    this.#nextTurn = options.nextTurn ?? setImmediate;
    this.#left = this.#perTurn;
  }

  /** A connection as it was accepted. */
  enter(socket: Socket): void {
    socket.on('error', ignore);
    socket.setTimeout(this.#silentMs, close);
    socket.once('readable', () => {
      // Ended without a word.
      if (socket.readableLength === 0) socket.destroy();
      else this.#queue(socket);
    });
  }

  #queue(socket: Socket): void {
    if (this.#left > 0) this.#take(socket);
    else this.#waiting.push(socket);
    if (this.#isArmed) return;
    this.#isArmed = true;
    this.#nextTurn(this.#turn);
  }

  #take(socket: Socket): void {
    if (socket.destroyed) return;
    this.#left--;
    socket.setTimeout(0, close);
    socket.off('error', ignore);
    this.#begin(socket);
  }

  readonly #turn = (): void => {
    this.#left = this.#perTurn;
    while (this.#left > 0 && this.#done < this.#waiting.length) {
      this.#take(this.#waiting[this.#done++] as Socket);
    }
    if (this.#done === this.#waiting.length) {
      this.#waiting = [];
      this.#done = 0;
    }
    // Once more after the last: what comes in the same turn is counted with it.
    this.#isArmed = this.#left < this.#perTurn;
    if (this.#isArmed) this.#nextTurn(this.#turn);
  };
}

function ignore(): void {}

function close(this: Socket): void {
  this.destroy();
}
