import { createConnection, type NetConnectOpts, type Socket } from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';
import { AbstractConnector } from 'ioredis';

interface Target {
  readonly host?: string;
  readonly port?: number;
  readonly tls?: ConnectionOptions;
  readonly disconnectTimeout?: number;
}

const disconnectTimeoutMs = 2_000;

/**
 * Connects as ioredis does, and listens for errors of the socket to its end. ioredis listens for the first one: a TLS
 * handshake that is cut off may tell of two, and the second would end the process.
 */
export class RedisConnector extends AbstractConnector {
  readonly #target: Target;

  constructor(options: unknown) {
    const target = options as Target;
    super(target.disconnectTimeout ?? disconnectTimeoutMs);
    this.#target = target;
  }

  override async connect(): Promise<Socket> {
    const { host = '127.0.0.1', port = 6_379, tls } = this.#target;
    this.connecting = true;
    // What is disconnected in the turn in which it is told to connect opens no socket.
    await Promise.resolve();
    if (!this.connecting) throw new Error('Connection is closed.');
    const address: NetConnectOpts = { host, port };
    const stream = tls === undefined ? createConnection(address) : connect({ ...tls, ...address });
    stream.on('error', (error) => {
      this.firstError ??= error;
    });
    this.stream = stream;
    return stream;
  }
}
