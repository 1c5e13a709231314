import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { UsageError } from './run-command.ts';

/** Where Linux takes ports for `listen(0)` and for outgoing connections from, as it is shipped (ip(7)). */
const defaultEphemeral = 32_768;
/** How many ports below those are looked through for a free one. */
const portsBelow = 8_000;
/** A process begins where those with the next ids do not: started together, they do not choose the same one. */
const portsAProcess = 8;

/** Ports that this process was given for 0: a port is free again as soon as it was looked at, and what is to listen there starts later. */
const given = new Set<number>();

/**
 * The port itself when nothing listens on it, or any free one for 0, a different one each time. Throws a UsageError when it is
 * taken: told before anything is started, and with what to do.
 *
 * A port for 0 lies below those that the kernel hands out by itself: until something listens there, and while that restarts,
 * no outgoing connection and no `listen(0)` of anyone takes it.
 */
export async function freePort(address: string, port: number, what: string): Promise<number> {
  if (port !== 0) return probe(address, port, what);
  const end = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').then(
    (text) => Number.parseInt(text, 10),
    () => defaultEphemeral,
  );
  const first = Math.max(1_024, end - portsBelow);
  const count = end - first;
  for (let tries = 0; tries < count; tries++) {
    const wanted = first + ((process.pid * portsAProcess + tries) % count);
    if (given.has(wanted)) continue;
    given.add(wanted);
    try {
      return await probe(address, wanted, what);
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
  }
  // All are taken, or there are none: the kernel hands out nearly all ports by itself.
  for (;;) {
    const found = await probe(address, 0, what);
    if (given.has(found)) continue;
    given.add(found);
    return found;
  }
}

function isTaken(error: unknown): boolean {
  const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  return code === 'EADDRINUSE';
}

/** The port that could be listened on, which is `port` but for 0. */
function probe(address: string, port: number, what: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new UsageError(
          error.code === 'EADDRINUSE'
            ? `port ${port} on ${address} is taken (${what} wants it); choose another with --port`
            : `cannot listen on ${address}:${port} for ${what}: ${error.message}`,
          { cause: error },
        ),
      );
    });
    server.listen(port, address, () => {
      const bound = server.address();
      const found = typeof bound === 'object' && bound !== null ? bound.port : port;
      server.close(() => resolve(found));
    });
  });
}
