import http2 from 'node:http2';
import { adminConnection, temporaryFolder } from '../harness/processes.ts';
import { until } from '../harness/until.ts';
import { startApiServer } from './api-server.ts';
import { loadPool } from './load.ts';
import { sampleConfigMap } from './samples.ts';
import { percentile, type Row, row } from './table.ts';

const watchers = 1_000;
const changes = 100;

/** One write seen by a thousand watchers. */
export async function benchWatchFanout(): Promise<Row[]> {
  await using folder = await temporaryFolder();
  await using _server = await startApiServer(folder.path);
  const connection = await adminConnection(folder.path);
  const path = '/clusters/root/api/v1/namespaces/default/configmaps';
  const sessions = Array.from({ length: 10 }, () =>
    http2.connect(connection.server, {
      ca: connection.caPem,
      cert: connection.certificatePem,
      key: connection.keyPem,
    }),
  );
  let open = 0;
  const seen = new Array<number>(watchers).fill(0);
  const arrivals: number[] = [];
  let sentAtMs = 0;
  for (let watcher = 0; watcher < watchers; watcher++) {
    const stream = sessions[watcher % sessions.length]?.request({
      ':path': `${path}?watch=true&resourceVersion=0&fieldSelector=metadata.name%3Dwatched`,
    });
    stream?.on('response', () => open++);
    stream?.on('data', (chunk: Buffer) => {
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) {
        seen[watcher] = (seen[watcher] ?? 0) + 1;
        arrivals.push(performance.now() - sentAtMs);
      }
    });
    stream?.on('error', () => {});
  }
  await until('all watches stand', () => open === watchers, { timeoutMs: 60_000 });
  const pool = loadPool(connection, 1);
  const startedMs = performance.now();
  for (let change = 0; change < changes; change++) {
    sentAtMs = performance.now();
    const object = sampleConfigMap('watched', 500);
    object['data'] = { text: 'x'.repeat(500), change: String(change) };
    const answer = await pool.request(
      change === 0
        ? {
            method: 'POST',
            path,
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(object),
          }
        : {
            method: 'PUT',
            path: `${path}/watched`,
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(object),
          },
    );
    await answer.body.dump();
    await until('every watcher has seen the change', () => seen.every((count) => count >= change + 1), {
      timeoutMs: 30_000,
      everyMs: 1,
    });
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  arrivals.sort((a, b) => a - b);
  for (const session of sessions) session.destroy();
  await pool.destroy();
  return [
    row(
      `watch fan-out: events to ${watchers} watchers`,
      (watchers * changes) / seconds,
      '/s',
      'over 10 HTTP/2 connections',
    ),
    row(
      'watch fan-out: write to watcher',
      percentile(arrivals, 0.99),
      'ms',
      `p99; p50 ${percentile(arrivals, 0.5).toFixed(1)} ms`,
    ),
  ];
}
