import http from 'node:http';
import net from 'node:net';

export interface TestProxy extends AsyncDisposable {
  readonly url: string;
  /** Targets that it was asked for, `host:port`. */
  readonly targets: readonly string[];
}

/** A proxy that takes CONNECT; `status` other than 200: refuses. */
export async function startConnectProxy(status = 200): Promise<TestProxy> {
  const targets: string[] = [];
  const sockets = new Set<net.Socket>();
  const server = http.createServer((_request, response) => response.writeHead(405).end());
  server.on('connect', (request, socket, head) => {
    const target = request.url ?? '';
    targets.push(target);
    if (status !== 200) {
      socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
      return;
    }
    const colon = target.lastIndexOf(':');
    const outer = net.connect(Number(target.slice(colon + 1)), target.slice(0, colon), () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      outer.write(head);
      pipe(socket as net.Socket, outer);
    });
    for (const one of [socket as net.Socket, outer]) keep(one, sockets);
  });
  return listening(server, 'http', targets, sockets);
}

/** A SOCKS5 proxy without credentials. `reply` other than 0: refuses. */
export async function startSocksProxy(reply = 0): Promise<TestProxy> {
  const targets: string[] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    keep(socket, sockets);
    socket.once('data', () => {
      socket.write(Uint8Array.of(5, 0));
      socket.once('data', (request) => {
        const length = request[4] ?? 0;
        const host = request.subarray(5, 5 + length).toString('utf8');
        const port = request.readUInt16BE(5 + length);
        targets.push(`${host}:${port}`);
        const answer = Uint8Array.of(5, reply, 0, 1, 127, 0, 0, 1, 0, 0);
        if (reply !== 0) {
          socket.end(answer);
          return;
        }
        const outer = net.connect(port, host, () => {
          socket.write(answer);
          pipe(socket, outer);
        });
        keep(outer, sockets);
      });
    });
  });
  return listening(server, 'socks5', targets, sockets);
}

function pipe(inner: net.Socket, outer: net.Socket): void {
  inner.pipe(outer);
  outer.pipe(inner);
  inner.once('close', () => outer.destroy());
  outer.once('close', () => inner.destroy());
}

function keep(socket: net.Socket, sockets: Set<net.Socket>): void {
  sockets.add(socket);
  socket.on('error', () => socket.destroy());
  socket.once('close', () => sockets.delete(socket));
}

async function listening(
  server: net.Server,
  protocol: string,
  targets: readonly string[],
  sockets: Set<net.Socket>,
): Promise<TestProxy> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `${protocol}://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    targets,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
