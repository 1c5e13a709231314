import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { InvalidArgumentError, type Option } from 'commander';
import { MetricText } from '#client/metrics/metric-text.ts';
import { UsageError } from './run-command.ts';
import { setting } from './settings.ts';

export interface MetricsAddress {
  readonly host: string;
  readonly port: number;
}

export interface MetricsSources {
  /** Adds what the part has to tell, a piece (at most some hundred series) before each step. */
  readonly write: (text: MetricText) => Iterable<void>;
  /** Why it is not ready; undefined when it is. */
  readonly notReady: () => string | undefined;
}

export interface MetricsServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** `--metrics-address`: absent, nothing is served. */
export function metricsOption(): Option {
  return setting(
    '--metrics-address <address>',
    'serve /metrics, /healthz and /readyz there over HTTP, host:port or :port (loopback); default: nowhere',
    { parse: parseMetricsAddress },
  );
}

/** `host:port`, `[address]:port` or `:port`. */
export function parseMetricsAddress(text: string): MetricsAddress {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new InvalidArgumentError('must be host:port or :port, as 127.0.0.1:9090');
  }
  const host = match[1] ?? match[2] ?? '';
  return { host: host === '' ? '127.0.0.1' : host, port };
}

/**
 * Serves a part's metrics as Prometheus text, `/healthz` (the process runs) and `/readyz`. Throws UsageError when the
 * address cannot be listened on. Nothing secret is told, and nothing is asked of whoever reads it: the address is to be
 * one that only those can reach who may.
 */
export async function startMetricsServer(
  { host, port }: MetricsAddress,
  sources: MetricsSources,
): Promise<MetricsServer> {
  const delays = monitorEventLoopDelay({ resolution: 10 });
  delays.enable();
  const server = http.createServer((request, answer) => {
    const { pathname } = new URL(request.url ?? '/', 'http://metrics.invalid');
    const send = (code: number, body: string, type = 'text/plain; charset=utf-8') =>
      answer.writeHead(code, { 'content-type': type }).end(request.method === 'HEAD' ? undefined : body);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      send(405, 'only GET and HEAD\n');
    } else if (pathname === '/metrics') {
      const text = new MetricText();
      writeProcess(text, { p99: delays.percentile(99) / 1e9, max: delays.max / 1e9 });
      delays.reset();
      answer.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
      sendMetrics(answer, text, sources, request.method === 'HEAD').catch((error: unknown) => {
        answer.destroy(error instanceof Error ? error : undefined);
      });
    } else if (pathname === '/healthz' || pathname === '/livez') send(200, 'ok\n');
    else if (pathname === '/readyz') {
      const why = sources.notReady();
      send(why === undefined ? 200 : 503, why === undefined ? 'ok\n' : `not ready: ${why}\n`);
    } else send(404, 'there are /metrics, /healthz and /readyz\n');
  });
  server.headersTimeout = 5_000;
  server.requestTimeout = 10_000;
  server.maxConnections = 32;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new UsageError(`--metrics-address ${host}:${port} cannot be listened on: ${error.message}`)),
    );
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      delays.disable();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Some hundred cells have tens of thousands of lines: they are made, and sent, with other work in between. */
async function sendMetrics(
  answer: http.ServerResponse,
  text: MetricText,
  sources: MetricsSources,
  isHead: boolean,
): Promise<void> {
  const turns = new Turns();
  for (const _ of sources.write(text)) if (turns.isOver) await turns.next();
  if (!isHead) {
    for (const part of text.parts()) {
      answer.write(part);
      if (turns.isOver) await turns.next();
      if (answer.destroyed) return;
    }
  }
  answer.end();
}

/** How long the telling may keep everything else waiting. */
const turnMs = 1;

class Turns {
  #beganMs = performance.now();

  get isOver(): boolean {
    return performance.now() - this.#beganMs >= turnMs;
  }

  async next(): Promise<void> {
    await setImmediate();
    this.#beganMs = performance.now();
  }
}

function writeProcess(
  text: MetricText,
  loopDelaySeconds: { readonly p99: number; readonly max: number },
): void {
  const { user, system } = process.cpuUsage();
  text.counter('process_cpu_seconds_total', 'CPU time of the process.', (user + system) / 1e6);
  text.gauge('process_resident_memory_bytes', 'Resident memory of the process.', process.memoryUsage.rss());
  text.gauge(
    'process_start_time_seconds',
    'When the process began, in Unix time.',
    Math.round(performance.timeOrigin / 1_000),
  );
  const known = (seconds: number) => (Number.isFinite(seconds) ? seconds : 0);
  text.gauge(
    'nodejs_eventloop_delay_p99_seconds',
    'How late the event loop was, 99th percentile since the last reading.',
    known(loopDelaySeconds.p99),
  );
  text.gauge(
    'nodejs_eventloop_delay_max_seconds',
    'How late the event loop was at most since the last reading.',
    known(loopDelaySeconds.max),
  );
}
