import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { endWithThisProcess, killHard } from '#test/harness/child-process.ts';
import { freePort } from '#test/harness/free-port.ts';

const program = process.env['CELLPLANE_TEST_REDIS'] ?? 'redis-server';

/** What is kept of its output, for the line that it is waited for. */
const outputCharsMax = 10_000;

/** Why tests with Redis cannot run here; undefined when they can. */
export const redisMissing: string | undefined =
  spawnSync(program, ['--version']).status === 0
    ? undefined
    : 'redis-server is not installed (Debian: apt-get install redis-server, or CELLPLANE_TEST_REDIS=valkey-server)';

/** A Redis server of its own on a free port, without persistence unless asked for. */
export class RedisServer {
  readonly port: number;
  readonly #directory: string;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(port: number, directory: string, args: readonly string[]) {
    this.port = port;
    this.#directory = directory;
    this.#args = args;
  }

  static async start(args: readonly string[] = []): Promise<RedisServer> {
    const directory = await mkdtemp(path.join(tmpdir(), 'cellplane-redis-'));
    const server = new RedisServer(await freePort(), directory, args);
    await server.start();
    return server;
  }

  /** One that speaks TLS alone, and asks for client certificates; `args` tell its certificates. */
  static async startTls(args: readonly string[]): Promise<RedisServer> {
    const directory = await mkdtemp(path.join(tmpdir(), 'cellplane-redis-'));
    const port = await freePort();
    const server = new RedisServer(port, directory, ['--port', '0', '--tls-port', String(port), ...args]);
    await server.start();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it again after `kill`. Resolves when it answers. */
  async start(): Promise<void> {
    const child = spawn(
      program,
      [
        ...['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
        ...['--dir', this.#directory, '--maxmemory-policy', 'noeviction'],
        ...this.#args,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    this.#child = child;
    endWithThisProcess(child);
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`${program} ended with ${code}`)));
      let output = '';
      child.stdout.setEncoding('utf8');
      child.stdout.on('data', (text: string) => {
        output = (output + text).slice(-outputCharsMax);
        if (/ready to accept connections/i.test(output)) resolve();
      });
    });
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Sends one command and resolves with the first line of the answer. */
  send(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write(`${command}\r\n`));
      let answer = '';
      socket.once('error', reject);
      socket.once('close', () => reject(new Error(`${program} answered ${command} with ${answer}`)));
      socket.setEncoding('utf8');
      socket.on('data', (text: string) => {
        answer += text;
        const end = answer.indexOf('\r\n');
        if (end === -1) return;
        resolve(answer.slice(0, end));
        socket.destroy();
      });
    });
  }

  /** What it holds in memory is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    await killHard(child);
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
