import net from 'node:net';
import { UsageError } from './run-command.ts';

/** Throws a UsageError when something listens on the port already. Port 0 is always free. */
export function assertPortFree(address: string, port: number, what: string): Promise<void> {
  if (port === 0) return Promise.resolve();
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
    probe.listen(port, address, () => probe.close(() => resolve()));
  });
}
