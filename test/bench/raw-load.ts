import { fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ServerConnection } from '#client/remote/connection.ts';
import type { RawJob, RawResult } from './raw-job.ts';

export interface RawRequest {
  readonly method: string;
  /** Path and body may hold `indexMark`, which becomes the request's number. */
  readonly path: string;
  readonly contentType?: string;
  readonly body?: string;
  readonly headers?: { readonly [name: string]: string };
}

export interface RawLoadResult extends RawResult {
  /** CPU time of the server for each request: all its threads, and the one that runs JavaScript. */
  readonly serverCpuUs: number;
  readonly serverMainCpuUs: number;
}

/**
 * Sends `count` requests over `clients` keep-alive connections from a process of its own, each connection the next
 * request when the answer to the last is there. Rejects when a connection breaks.
 */
export async function rawLoad(
  connection: ServerConnection,
  serverPid: number,
  options: { readonly clients: number; readonly count: number; readonly request: RawRequest },
): Promise<RawLoadResult> {
  const url = new URL(connection.server);
  const job: RawJob = {
    host: url.hostname,
    port: Number(url.port),
    caPem: connection.caPem,
    certificatePem: connection.certificatePem,
    keyPem: connection.keyPem,
    clients: options.clients,
    count: options.count,
    template: templateOf(url.host, options.request),
  };
  let before = { allUs: 0, mainUs: 0 };
  const result = await inProcess(job, async () => {
    before = await cpuOf(serverPid);
  });
  const after = await cpuOf(serverPid);
  return {
    ...result,
    serverCpuUs: (after.allUs - before.allUs) / result.count,
    serverMainCpuUs: (after.mainUs - before.mainUs) / result.count,
  };
}

interface ChildMessage {
  readonly connected?: true;
  readonly result?: RawResult;
  readonly error?: string;
}

function inProcess(job: RawJob, onConnected: () => Promise<void>): Promise<RawResult> {
  const child = fork(path.resolve('test/bench/raw-client.ts'), []);
  return new Promise((resolve, reject) => {
    child.on('message', ({ connected, result, error }: ChildMessage) => {
      if (connected === true) onConnected().then(() => child.send('go'), reject);
      else if (result !== undefined) resolve(result);
      else reject(new Error(error));
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error('the load generator ended')));
    child.send(job);
  });
}

function templateOf(
  host: string,
  { method, path: target, contentType, body = '', headers = {} }: RawRequest,
): string {
  // The mark is as long as what it becomes, so that the length holds.
  const length = Buffer.byteLength(body);
  const lines = [
    `${method} ${target} HTTP/1.1`,
    `Host: ${host}`,
    'User-Agent: bench',
    'Accept: application/json',
  ];
  if (contentType !== undefined) lines.push(`Content-Type: ${contentType}`, `Content-Length: ${length}`);
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** Clock ticks of /proc are 10 ms on every Linux that Node runs on. */
const tickUs = 10_000;

export interface ProcessCpu {
  readonly allUs: number;
  /** Of the thread that runs JavaScript. */
  readonly mainUs: number;
  /** How long that thread could have run and had no core: what looks like waiting for a disk or a peer may be this. */
  readonly mainWaitedUs: number;
}

/** CPU time of a process since it began. */
export async function cpuOf(pid: number): Promise<ProcessCpu> {
  const [all, main, scheduling] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/task/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/task/${pid}/schedstat`, 'utf8'),
  ]);
  return {
    allUs: ticksOf(all) * tickUs,
    mainUs: ticksOf(main) * tickUs,
    // Nanoseconds run, nanoseconds waited, times run.
    mainWaitedUs: Number(scheduling.split(' ')[1]) / 1_000,
  };
}

/** User and system time: fields 14 and 15 of proc(5), counted from behind the name, which may hold spaces. */
function ticksOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** CPU time tells more than rates do on a machine that others use too. */
export function noteOf({
  p99Ms,
  failed,
  failure,
  serverMainCpuUs,
  serverCpuUs,
  cpuUs,
}: RawLoadResult): string {
  const times = [serverMainCpuUs, serverCpuUs, cpuUs].map((us) => us.toFixed(0));
  const cpu = `CPU each: main thread ${times[0]} µs, all threads ${times[1]}, load generator ${times[2]}`;
  const first = failure === undefined ? '' : `; the first failure: ${failure.slice(0, 500)}`;
  return `p99 ${p99Ms.toFixed(1)} ms, ${failed} failed; ${cpu}${first}`;
}
