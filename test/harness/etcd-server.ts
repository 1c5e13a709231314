import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { findProgram, skipWithout } from '../programs.ts';
import { endWithThisProcess, killHard } from './child-process.ts';
import { freePort } from './free-port.ts';

export const skipWithoutEtcd = skipWithout('etcd', 'apt-get install etcd-server, or see etcd.io/docs');

export interface EtcdServerOptions {
  /** Further flags. */
  readonly flags?: readonly string[] | undefined;
  /** `https` with these files when given. */
  readonly tls?:
    | { readonly certFile: string; readonly keyFile: string; readonly clientCaFile: string }
    | undefined;
}

/** A busy machine takes its time to start one. */
const readyWithinMs = 120_000;

/** What Cellplane needs of an etcd to keep all its limits; see docs/storage.md. */
export const limitFlags = ['--max-txn-ops=10001', '--max-request-bytes=50331648'];

/** An etcd of our own on loopback, with data that is gone afterwards. */
export class EtcdServer {
  readonly endpoint: string;
  readonly #file: string;
  readonly #flags: readonly string[];
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #output = '';

  private constructor(file: string, endpoint: string, flags: readonly string[], folder: string) {
    this.#file = file;
    this.endpoint = endpoint;
    this.#flags = flags;
    this.#folder = folder;
  }

  static async start(options: EtcdServerOptions = {}): Promise<EtcdServer> {
    const file = findProgram('etcd');
    if (file === undefined) throw new Error('etcd is not installed');
    const folder = await mkdtemp(path.join(tmpdir(), 'cellplane-etcd-'));
    const [clientPort, peerPort] = await Promise.all([freePort(), freePort()]);
    const { tls } = options;
    const endpoint = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${clientPort}`;
    const peer = `http://127.0.0.1:${peerPort}`;
    const server = new EtcdServer(
      file,
      endpoint,
      [
        '--name=test',
        `--data-dir=${path.join(folder, 'data')}`,
        `--listen-client-urls=${endpoint}`,
        `--advertise-client-urls=${endpoint}`,
        `--listen-peer-urls=${peer}`,
        `--initial-advertise-peer-urls=${peer}`,
        `--initial-cluster=test=${peer}`,
        ...(tls === undefined
          ? []
          : [
              `--cert-file=${tls.certFile}`,
              `--key-file=${tls.keyFile}`,
              `--trusted-ca-file=${tls.clientCaFile}`,
              '--client-cert-auth',
            ]),
        ...(options.flags ?? []),
      ],
      folder,
    );
    await server.resume();
    return server;
  }

  /** Starts the process again, on the same data. */
  async resume(): Promise<void> {
    const child = spawn(this.#file, this.#flags, { stdio: ['ignore', 'ignore', 'pipe'], env: {} });
    this.#child = child;
    endWithThisProcess(child);
    this.#output = '';
    const ready = new Promise<void>((resolve, reject) => {
      child.stderr?.setEncoding('utf8');
      child.stderr?.on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-100_000);
        if (/ready to serve client requests|serving (insecure )?client requests/.test(this.#output))
          resolve();
      });
      child.once('error', reject);
      child.once('exit', (code) =>
        reject(new Error(`etcd ended with ${code}: ${this.#output.slice(-2_000)}`)),
      );
    });
    await Promise.race([
      ready,
      pause(readyWithinMs, undefined, { ref: false }).then(() => {
        throw new Error(`etcd is not ready: ${this.#output.slice(-2_000)}`);
      }),
    ]);
  }

  /** Forgets every state but the newest, as an operator's `etcdctl compact` does. Without TLS only. */
  async compact(): Promise<void> {
    const { header } = await this.#call<{ header: { revision: string } }>('range', { key: 'AA==' });
    await this.#call('compaction', { revision: header.revision, physical: true });
  }

  async #call<Answer>(what: string, body: object): Promise<Answer> {
    const answer = await fetch(`${this.endpoint}/v3/kv/${what}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`etcd ${what}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Answer;
  }

  /** `kill -9`; the data stays. */
  kill(): Promise<void> {
    return killHard(this.#child);
  }

  /** Keeps a copy of the data; the process must have been killed. */
  async backUp(): Promise<void> {
    await rm(this.#backup, { recursive: true, force: true });
    await cp(this.#data, this.#backup, { recursive: true });
  }

  /** Puts the data back to the copy; the process must have been killed. */
  async putBack(): Promise<void> {
    await rm(this.#data, { recursive: true, force: true });
    await cp(this.#backup, this.#data, { recursive: true });
  }

  get #data(): string {
    return path.join(this.#folder, 'data');
  }

  get #backup(): string {
    return path.join(this.#folder, 'backup');
  }

  /** Stops the process: it keeps its connections and answers nothing. */
  async freeze(): Promise<void> {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    for (;;) {
      // Again, should something else let it go on meanwhile.
      process.kill(pid, 'SIGSTOP');
      const threads = await readdir(`/proc/${pid}/task`);
      const states = await Promise.all(
        threads.map(async (thread) => {
          const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8').catch(() => undefined);
          if (stat === undefined) return 'T'; // it has ended meanwhile
          return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
        }),
      );
      if (states.every((state) => state === 'T')) return;
      await pause(5);
    }
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Idempotent. */
  async dispose(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
