import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '#client/logger.ts';

export interface ProcessSpec {
  /** Unique; names the log file. */
  readonly name: string;
  /** Arguments of the `cellplane` command. */
  readonly args: readonly string[];
  /** Options of Node for it, where the environment (NODE_OPTIONS) or the supervisor's own do not say otherwise. */
  readonly nodeOptions?: string | undefined;
}

/** What a supervised process tells its parent over IPC. */
export type ChildMessage =
  | { readonly type: 'ready'; readonly port?: number | undefined }
  /** It cannot run at all (bad data folder, taken port): restarting would not help at start-up. */
  | { readonly type: 'failed'; readonly message: string };

const restartMinMs = 250;
const restartMaxMs = 15_000;
/** A process that ran this long has earned a fresh backoff. */
const steadyAfterMs = 10_000;
const stopTimeoutMs = 15_000;

/**
 * Runs other `cellplane` commands as child processes, each with a log file of its own, and restarts one that dies with
 * a growing wait. Stopping ends them in the reverse order of their start, one after another.
 */
export class Supervisor {
  readonly #entry: string;
  readonly #logDirectory: string;
  readonly #logger: Logger;
  readonly #onRestart: () => void;
  readonly #children: Child[] = [];
  #stopping: Promise<void> | undefined;

  constructor(options: {
    readonly entry: string;
    readonly logDirectory: string;
    readonly logger: Logger;
    /** Called when a process has been started again: process ids have changed. */
    readonly onRestart?: (() => void) | undefined;
  }) {
    this.#entry = options.entry;
    this.#logDirectory = options.logDirectory;
    this.#logger = options.logger;
    this.#onRestart = options.onRestart ?? (() => {});
  }

  /** Starts a process and waits until it says that it is ready; throws with its reason when it cannot start. */
  async start(spec: ProcessSpec): Promise<{ readonly port: number | undefined }> {
    await mkdir(this.#logDirectory, { recursive: true });
    if (this.#stopping !== undefined)
      throw new Error(`${spec.name}: not started, everything is being stopped`);
    const log = createWriteStream(path.join(this.#logDirectory, `${spec.name}.log`), { flags: 'a' });
    const child = new Child(spec, this.#entry, log, this.#logger, this.#onRestart);
    this.#children.push(child);
    return child.start();
  }

  /** Name → process id, for those that run now. */
  processIds(): { readonly [name: string]: number } {
    const ids: { [name: string]: number } = {};
    for (const child of this.#children) if (child.pid !== undefined) ids[child.name] = child.pid;
    return ids;
  }

  /** Ends all that runs, also what is not ready yet; nothing is started after it. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    for (const child of this.#children.splice(0).reverse()) await child.stop();
  }
}

class Child {
  readonly #spec: ProcessSpec;
  readonly #entry: string;
  readonly #log: WriteStream;
  readonly #logger: Logger;
  readonly #onRestart: () => void;
  #process: ChildProcess | undefined;
  #stopping = false;
  #restartTimer: NodeJS.Timeout | undefined;
  #waitMs = restartMinMs;
  #startedAtMs = 0;
  #wasReady = false;

  constructor(spec: ProcessSpec, entry: string, log: WriteStream, logger: Logger, onRestart: () => void) {
    this.#spec = spec;
    this.#entry = entry;
    this.#log = log;
    this.#logger = logger;
    this.#onRestart = onRestart;
  }

  get name(): string {
    return this.#spec.name;
  }

  get pid(): number | undefined {
    return this.#process?.exitCode === null ? this.#process.pid : undefined;
  }

  start(): Promise<{ readonly port: number | undefined }> {
    return new Promise((resolve, reject) => {
      let failure = '';
      const child = this.#spawn((message) => {
        if (message.type === 'ready') {
          this.#wasReady = true;
          resolve({ port: message.port });
        } else failure = message.message;
      });
      child.once('exit', (code, signal) => {
        if (this.#wasReady) return;
        this.#stopping = true;
        const how = failure !== '' ? failure : `ended with ${signal ?? `code ${code}`} before it was ready`;
        reject(new Error(`${this.#spec.name}: ${how} (log: ${String(this.#log.path)})`));
      });
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    const child = this.#process;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          this.#logger.warn({ process: this.#spec.name, stopTimeoutMs }, 'process does not stop; killing it');
          child.kill('SIGKILL');
        }, stopTimeoutMs);
        child.once('exit', () => {
          clearTimeout(timer);
          resolve();
        });
        child.kill('SIGTERM');
      });
    }
    await new Promise<void>((resolve) => this.#log.end(() => resolve()));
  }

  #spawn(onMessage: (message: ChildMessage) => void): ChildProcess {
    this.#startedAtMs = Date.now();
    const { args, nodeOptions } = this.#spec;
    const env: NodeJS.ProcessEnv = { ...process.env, CELLPLANE_SUPERVISED: '1' };
    // Of two that say the same the later holds.
    if (nodeOptions !== undefined) env['NODE_OPTIONS'] = `${nodeOptions} ${env['NODE_OPTIONS'] ?? ''}`;
    const child = spawn(process.execPath, [...process.execArgv, this.#entry, ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env,
    });
    this.#process = child;
    child.stdout?.on('data', (chunk: Buffer) => this.#log.write(chunk));
    child.stderr?.on('data', (chunk: Buffer) => this.#log.write(chunk));
    child.on('message', (message) => onMessage(message as ChildMessage));
    child.on('error', (error) =>
      this.#logger.error({ err: error, process: this.#spec.name }, 'process could not be started'),
    );
    child.once('exit', (code, signal) => this.#onExit(code, signal));
    return child;
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#stopping || !this.#wasReady) return;
    if (Date.now() - this.#startedAtMs > steadyAfterMs) this.#waitMs = restartMinMs;
    const waitMs = this.#waitMs;
    this.#waitMs = Math.min(this.#waitMs * 2, restartMaxMs);
    this.#logger.warn({ process: this.#spec.name, code, signal, waitMs }, 'process ended; restarting it');
    this.#restartTimer = setTimeout(() => {
      if (this.#stopping) return;
      this.#spawn(() => {});
      this.#onRestart();
    }, waitMs);
  }
}
