import https from 'node:https';
import net from 'node:net';

const checkIntervalMs = 50;

/**
 * A TCP load balancer in front of API servers: new connections go in turn to those whose /readyz answered 200 when asked
 * last, open ones stay where they are, as with any balancer that looks at no more than connections.
 */
export class TcpBalancer implements AsyncDisposable {
  readonly #targets = new Map<number, boolean>();
  readonly #sockets = new Set<net.Socket>();
  readonly #server = net.createServer((socket) => this.#accept(socket));
  #timer: NodeJS.Timeout | undefined;
  #turn = 0;

  static async start(ports: readonly number[]): Promise<TcpBalancer> {
    const balancer = new TcpBalancer();
    for (const port of ports) balancer.#targets.set(port, false);
    await new Promise<void>((resolve) => balancer.#server.listen(0, '127.0.0.1', resolve));
    balancer.#timer = setInterval(() => void balancer.#checkAll(), checkIntervalMs);
    await balancer.#checkAll();
    return balancer;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Whether new connections go to the server on this port. */
  isUp(port: number): boolean {
    return this.#targets.get(port) === true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #checkAll(): Promise<void> {
    await Promise.all(
      Array.from(this.#targets.keys(), async (port) => this.#targets.set(port, await isReady(port))),
    );
  }

  #accept(socket: net.Socket): void {
    const up = [...this.#targets].filter(([, isUp]) => isUp).map(([port]) => port);
    const port = up[this.#turn++ % Math.max(1, up.length)];
    if (port === undefined) {
      socket.destroy();
      return;
    }
    const upstream = net.connect(port, '127.0.0.1');
    for (const [one, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      this.#sockets.add(one);
      one.pipe(other);
      // What has come through is passed on, however the side ends that sent it.
      one.on('error', () => {});
      one.on('close', () => {
        this.#sockets.delete(one);
        other.end();
      });
    }
  }
}

function isReady(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, path: '/readyz', rejectUnauthorized: false, timeout: 1_000 };
    const request = https.get({ ...options, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}
