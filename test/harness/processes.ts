import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { loadKubeconfig } from '#client/kubeconfig.ts';
import type { ServerConnection } from '#client/remote/connection.ts';

const entry = path.resolve('bin/cellplane.js');

/** A folder that is removed at the end; data of one test or benchmark. */
export async function temporaryFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cellplane-'));
  return {
    path: folder,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true, maxRetries: 5 }),
  };
}

export interface CellplaneProcess extends AsyncDisposable {
  readonly pid: number;
  /** Port that it listens on, if it does. */
  readonly port: number | undefined;
  /** Milliseconds from spawning until it said that it was ready. */
  readonly readyAfterMs: number;
  /** Everything written to standard output and error so far. */
  output(): string;
  /** Ends it as an operator would; resolves with its exit code. */
  stop(): Promise<number | null>;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
}

/** Starts the built `cellplane` with these arguments and waits until it is ready. */
export function startCellplane(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<CellplaneProcess> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [entry, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, ...env, CELLPLANE_SUPERVISED: '1' },
  });
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString('utf8')).slice(-1_000_000);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      reject(new Error(`cellplane ${args[0]} ended with ${signal ?? code}:\n${output}`)),
    );
    child.on('message', (message: { type: string; port?: number }) => {
      if (message.type !== 'ready') return;
      resolve(handleOf(child, message.port, performance.now() - startedMs, () => output));
    });
  });
}

function handleOf(
  child: ChildProcess,
  port: number | undefined,
  readyAfterMs: number,
  output: () => string,
): CellplaneProcess {
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const end = (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    return exited;
  };
  return {
    pid: child.pid ?? 0,
    port,
    readyAfterMs,
    output,
    stop: () => end('SIGTERM'),
    kill: async () => {
      await end('SIGKILL');
    },
    [Symbol.asyncDispose]: async () => {
      await end('SIGTERM');
    },
  };
}

/** The admin's connection to a server that keeps its data in this folder; without a workspace in the URL. */
export async function adminConnection(dataDirectory: string): Promise<ServerConnection> {
  const connection = await loadKubeconfig(path.join(dataDirectory, 'admin.kubeconfig'));
  return { ...connection, server: new URL(connection.server).origin };
}
