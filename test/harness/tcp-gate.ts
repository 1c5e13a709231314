import net from 'node:net';
import { freePort } from './free-port.ts';

export type GateMode =
  /** Bytes go through. */
  | 'open'
  /** Connections are accepted, and nothing ever comes back: a server that hangs. */
  | 'hanging'
  /** Connections are cut and new ones refused: a server that is gone. */
  | 'closed';

/** Stands before a server's port, on a port of its own, and lets tests break the line. */
export class TcpGate {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #sockets = new Set<net.Socket>();
  #server: net.Server | undefined;
  #port = 0;
  #mode: GateMode = 'open';

  constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
  }

  get port(): number {
    return this.#port;
  }

  /** Connections that stand now, both sides counted. */
  get connections(): number {
    return this.#sockets.size;
  }

  async start(): Promise<void> {
    // It may be closed and opened again.
    this.#port = await freePort();
    await this.#listen();
  }

  async set(mode: GateMode): Promise<void> {
    if (mode === this.#mode) return;
    const before = this.#mode;
    this.#mode = mode;
    if (mode === 'hanging') {
      // What is under way hangs too.
      for (const socket of this.#sockets) socket.pause();
      return;
    }
    this.#cut();
    if (mode === 'closed') await this.#unlisten();
    else if (before === 'closed') await this.#listen();
  }

  async stop(): Promise<void> {
    this.#mode = 'closed';
    this.#cut();
    await this.#unlisten();
  }

  #listen(): Promise<void> {
    const server = net.createServer((socket) => this.#accept(socket));
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, this.#target.host, resolve);
    });
  }

  #unlisten(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    return new Promise((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  #accept(inner: net.Socket): void {
    this.#keep(inner);
    if (this.#mode === 'hanging') {
      inner.pause();
      return;
    }
    const outer = net.connect(this.#target);
    this.#keep(outer);
    inner.pipe(outer);
    outer.pipe(inner);
    inner.once('close', () => outer.destroy());
    outer.once('close', () => inner.destroy());
  }

  #keep(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
