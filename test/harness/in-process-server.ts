import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { projectDefinitions } from '#api/policy/definitions.ts';
import { systemClock } from '#apimachinery/clock.ts';
import type { ServerPki } from '#apiserver/pki/pki.ts';
import type { UserInfo } from '#apiserver/request/user.ts';
import type { ApiServer, ApiServerOptions } from '#apiserver/server/options.ts';
import { startServer } from '#apiserver/server.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import { openEtcdStorage } from '#storage/etcd/etcd-storage.ts';
import { openLevelStorage } from '#storage/level/level-storage.ts';
import type { Storage } from '#storage/storage.ts';
import { disposeAll } from './dispose-all.ts';
import { EtcdServer, limitFlags } from './etcd-server.ts';
import { freePort } from './free-port.ts';
import { KeptStorage } from './kept-storage.ts';
import { testStorage } from './test-storage.ts';

export interface InProcessServerOptions {
  readonly mode: 'federation' | 'edge';
  readonly pki: ServerPki;
  readonly logger: Logger;
  /** Default: what `testStorage` says for a federation server, memory for an edge. */
  readonly storage?: 'memory' | 'level' | 'etcd' | undefined;
  readonly tokenFile?: string | undefined;
  /** Of the server's other options. */
  readonly serverOptions?: Partial<ApiServerOptions> | undefined;
}

/** An API server on a loopback port of its own that can be stopped and started again on what it stored. */
export class InProcessServer {
  readonly #options: InProcessServerOptions;
  readonly #memory: KeptStorage | undefined;
  readonly #folder: string | undefined;
  readonly #kind: 'memory' | 'level' | 'etcd';
  #etcd: EtcdServer | undefined;
  #server: ApiServer | undefined;
  #port = 0;

  constructor(options: InProcessServerOptions) {
    this.#options = options;
    this.#kind =
      options.storage ?? (options.mode === 'federation' && testStorage === 'etcd' ? 'etcd' : 'memory');
    if (this.#kind === 'level') this.#folder = mkdtempSync(path.join(os.tmpdir(), 'cellplane-store-'));
    if (this.#kind === 'memory') this.#memory = new KeptStorage();
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  get running(): boolean {
    return this.#server !== undefined;
  }

  /** The server's own user, without sockets, while it runs. */
  get loopbackClient(): KubeClient {
    if (this.#server === undefined) throw new TypeError('this server does not run');
    return this.#server.loopbackClient;
  }

  /** As a user of its own, without sockets, while it runs; discovery included. */
  clientAs(user: UserInfo): KubeClient {
    if (this.#server === undefined) throw new TypeError('this server does not run');
    return this.#server.clientAs(user);
  }

  async start(): Promise<void> {
    if (this.#server !== undefined) return;
    const { mode, pki, logger, tokenFile } = this.#options;
    // Its own from the first start on: clients find it there after the next.
    if (this.#port === 0 && this.#options.serverOptions?.listens !== false) this.#port = await freePort();
    const storage = await openCachedStorage(await this.#openStorage(), { logger });
    this.#server = await startServer({
      mode,
      storage,
      pki,
      bindAddress: '127.0.0.1',
      port: this.#port,
      externalHost: '127.0.0.1',
      projectDefinitions: projectDefinitions(),
      tokenFile,
      version: 'test',
      clock: systemClock,
      logger,
      ...this.#options.serverOptions,
    });
  }

  async #openStorage(): Promise<Storage> {
    const { logger } = this.#options;
    if (this.#memory !== undefined) return this.#memory.open();
    if (this.#kind === 'level') {
      return openLevelStorage({ directory: path.join(this.#folder ?? '', 'store'), logger });
    }
    this.#etcd ??= await EtcdServer.start({ flags: limitFlags });
    const endpoints = [this.#etcd.endpoint];
    return openEtcdStorage({ endpoints, prefix: '/cellplane', clock: systemClock, logger });
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.stop();
  }

  /** The store in memory, while the server is stopped. */
  get memory(): KeptStorage {
    if (this.#memory === undefined) throw new TypeError('this server stores on disk');
    return this.#memory;
  }

  /** Stops it and throws away what it stored. */
  async dispose(): Promise<void> {
    const folder = this.#folder;
    await disposeAll(
      () => this.stop(),
      () => this.#etcd?.dispose(),
      () => folder && rm(folder, { recursive: true, force: true, maxRetries: 5 }),
    );
  }
}
