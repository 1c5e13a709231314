import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';

/** Where Linux takes ports for `listen(0)` and for outgoing connections from, as it is shipped (ip(7)). */
const defaultEphemeral = 32_768;
const lowest = 15_000;
/** Those below the kernel's are for Cellplane's own choice (`--port 0`, src/cli/free-port.ts). */
const productPorts = 8_000;
const triesMax = 200;

/** `npm test` runs suites beside one another, each in a lane (`1/2` is the second of two), and each lane has ports of its own. */
const [lane, lanes] = (process.env['CELLPLANE_TEST_LANE'] ?? '0/1').split('/').map(Number) as [
  number,
  number,
];

const given = new Set<number>();
let firstEphemeral: Promise<number> | undefined;

/**
 * A port of loopback on which nothing listens, for what has to listen later, or again after an end. It lies below those that
 * the kernel hands out by itself: no connection and no `listen(0)` takes it meanwhile. Never the same twice, and none of
 * another lane.
 */
export async function freePort(): Promise<number> {
  firstEphemeral ??= readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').then(
    (text) => Number.parseInt(text, 10),
    () => defaultEphemeral,
  );
  const count = Math.floor(((await firstEphemeral) - productPorts - lowest) / lanes);
  for (let tries = 0; tries < triesMax; tries++) {
    const wanted = count < triesMax ? 0 : lowest + lane * count + Math.floor(Math.random() * count);
    const port = await probe(wanted);
    if (port === undefined || given.has(port)) continue;
    given.add(port);
    return port;
  }
  throw new Error('no port is free');
}

/** The port, when one could listen there. */
function probe(wanted: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port: wanted, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}
