import { Pool } from 'undici';
import type { ServerConnection } from '#client/remote/connection.ts';
import { percentile } from './table.ts';

export interface LoadRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH';
  readonly path: string;
  readonly body?: string | Buffer;
  readonly contentType?: string;
}

export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly count: number;
  readonly failed: number;
}

/** A pool of keep-alive connections with the connection's credentials. */
export function loadPool(connection: ServerConnection, clients: number): Pool {
  return new Pool(new URL(connection.server).origin, {
    connections: clients,
    pipelining: 1,
    connect: {
      ...(connection.caPem === undefined ? {} : { ca: connection.caPem }),
      ...(connection.certificatePem === undefined ? {} : { cert: connection.certificatePem }),
      ...(connection.keyPem === undefined ? {} : { key: connection.keyPem }),
    },
  });
}

/** Keeps `clients` requests under way until `count` are done or the time is over. */
export async function load(
  pool: Pool,
  options: {
    readonly clients: number;
    readonly count: number;
    readonly secondsMax?: number;
    readonly request: (index: number) => LoadRequest;
  },
): Promise<LoadResult> {
  let next = 0;
  let failed = 0;
  const latencies: number[] = [];
  const startedMs = performance.now();
  const endMs = startedMs + (options.secondsMax ?? 60) * 1_000;
  const client = async () => {
    while (next < options.count && performance.now() < endMs) {
      const { method, path, body, contentType } = options.request(next++);
      const beganMs = performance.now();
      const answer = await pool.request({
        method,
        path,
        body: body ?? null,
        headers: contentType === undefined ? {} : { 'content-type': contentType },
      });
      await answer.body.dump({ limit: 1e9 });
      if (answer.statusCode > 299) failed++;
      latencies.push(performance.now() - beganMs);
    }
  };
  await Promise.all(Array.from({ length: options.clients }, client));
  const seconds = (performance.now() - startedMs) / 1_000;
  latencies.sort((a, b) => a - b);
  return {
    perSecond: latencies.length / seconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    count: latencies.length,
    failed,
  };
}
