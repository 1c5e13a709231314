import net from 'node:net';
import { UsageError } from './run-command.ts';

/** Ports that this process was given for 0: a port is free again as soon as it was looked at, and what is to listen there starts later. */
const given = new Set<number>();

/**
 * The port itself when nothing listens on it, or any free one for 0, a different one each time. Throws a UsageError when it is taken: told before
 * anything is started, and with what to do.
 */
export function freePort(address: string, port: number, what: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new UsageError(
          error.code === 'EADDRINUSE'
            ? `port ${port} on ${address} is taken (${what} wants it); choose another with --port`
            : `cannot listen on ${address}:${port} for ${what}: ${error.message}`,
        ),
      );
    });
    probe.listen(port, address, () => {
      const bound = probe.address();
      const found = typeof bound === 'object' && bound !== null ? bound.port : port;
      const isTwice = port === 0 && given.has(found);
      given.add(found);
      probe.close(() => resolve(isTwice ? freePort(address, port, what) : found));
    });
  });
}
