// The load generator's process: requests as ready bytes over plain TLS sockets, so that it costs far less than the server.
import tls from 'node:tls';
import { indexMark, type RawJob, type RawResult } from './raw-job.ts';
import { percentile } from './table.ts';

const headEnd = '\r\n\r\n';
const lengthHeader = 'content-length: ';

async function run(job: RawJob): Promise<RawResult> {
  const pieces = job.template.split(indexMark);
  const sockets = await Promise.all(Array.from({ length: job.clients }, () => connect(job)));
  // Connecting is no part of what is measured: whoever measures says when.
  const go = new Promise((resolve) => process.once('message', resolve));
  process.send?.({ connected: true });
  await go;
  const latencies: number[] = [];
  let failed = 0;
  let failure: string | undefined;
  let next = 0;
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  const client = (socket: tls.TLSSocket) =>
    new Promise<void>((resolve, reject) => {
      let beganMs = 0;
      /** Bytes of the answer that are still to come; undefined while its head is. */
      let left: number | undefined;
      let head = '';
      const send = (): void => {
        if (next >= job.count) {
          socket.destroy();
          resolve();
          return;
        }
        beganMs = performance.now();
        socket.write(pieces.join(String(next++).padStart(indexMark.length, '0')), 'latin1');
      };
      const take = (chunk: Buffer): void => {
        if (left === undefined) {
          head += chunk.toString('latin1');
          const end = head.indexOf(headEnd);
          if (end < 0) return;
          if (head.charCodeAt(9) !== 0x32) {
            failed++;
            failure ??= head;
          }
          left = end + headEnd.length + lengthOf(head) - head.length;
        } else left -= chunk.length;
        if (left > 0) return;
        left = undefined;
        head = '';
        latencies.push(performance.now() - beganMs);
        send();
      };
      socket.on('data', take);
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('the server closed a connection')));
      send();
    });
  await Promise.all(sockets.map(client));
  const seconds = (performance.now() - startedMs) / 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  latencies.sort((left, right) => left - right);
  return {
    perSecond: latencies.length / seconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    count: latencies.length,
    failed,
    failure,
    cpuUs: (user + system) / latencies.length,
  };
}

function lengthOf(head: string): number {
  const at = head.toLowerCase().indexOf(lengthHeader);
  if (at < 0) throw new Error(`an answer without a length:\n${head}`);
  return Number.parseInt(head.slice(at + lengthHeader.length, at + lengthHeader.length + 12), 10);
}

function connect({ host, port, caPem, certificatePem, keyPem }: RawJob): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect(
      { host, port, ca: caPem, cert: certificatePem, key: keyPem, ALPNProtocols: ['http/1.1'] },
      () => resolve(socket),
    );
    socket.setNoDelay(true);
    socket.once('error', reject);
  });
}

process.once('message', (job: RawJob) => {
  run(job).then(
    (result) => process.send?.({ result }, () => process.disconnect()),
    (error: unknown) => process.send?.({ error: String(error) }, () => process.disconnect()),
  );
});
