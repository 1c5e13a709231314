import net from 'node:net';
import { UsageError } from './run-command.ts';

/**
 * The port itself when nothing listens on it, or any free one for 0. Throws a UsageError when it is taken: told before
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
      probe.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : port));
    });
  });
}
