// Clients of one and of three API servers, on the embedded store and on etcd, while processes are killed and links cut:
// the history of every object is linearizable, and watches are complete.
import assert from 'node:assert/strict';
import { cp, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { disposeAll } from '../harness/dispose-all.ts';
import { EtcdServer, limitFlags, skipWithoutEtcd } from '../harness/etcd-server.ts';
import { freePort } from '../harness/free-port.ts';
import {
  adminConnection,
  type CellplaneProcess,
  startCellplane,
  temporaryFolder,
} from '../harness/processes.ts';
import { Random } from '../harness/random.ts';
import { TcpGate } from '../harness/tcp-gate.ts';
import { until } from '../harness/until.ts';
import { findViolation, type HistoryEntry } from '../simulation/linearizability.ts';
import { askRegister, contentOf, inRoot } from '../simulation/register-client.ts';
import { ApiWatch } from './api-watch.ts';
import { budgetOf } from './budget.ts';

/** An API server, with a gate before it and one between it and etcd. */
class Server {
  readonly directory: string;
  readonly port: number;
  readonly front: TcpGate;
  readonly back: TcpGate | undefined;
  #process: CellplaneProcess | undefined;
  #client: RemoteClient | undefined;

  private constructor(directory: string, port: number, back: TcpGate | undefined) {
    this.directory = directory;
    this.port = port;
    this.front = new TcpGate({ host: '127.0.0.1', port });
    this.back = back;
  }

  static async start(directory: string, etcd: EtcdServer | undefined): Promise<Server> {
    const back = etcd && new TcpGate({ host: '127.0.0.1', port: Number(new URL(etcd.endpoint).port) });
    await back?.start();
    const server = new Server(directory, await freePort(), back);
    await server.front.start();
    await server.resume();
    return server;
  }

  get client(): RemoteClient {
    if (this.#client === undefined) throw new Error('not started');
    return this.#client;
  }

  async resume(): Promise<void> {
    const storage =
      this.back === undefined
        ? []
        : ['--storage', 'etcd', '--etcd-servers', `http://127.0.0.1:${this.back.port}`];
    this.#process = await startCellplane([
      'apiserver',
      '--data-dir',
      this.directory,
      '--port',
      String(this.port),
      ...storage,
    ]);
    const connection = await adminConnection(this.directory);
    this.#client ??= new RemoteClient(
      { ...connection, server: `https://127.0.0.1:${this.front.port}` },
      { userAgent: 'cellplane-test' },
    );
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  async dispose(): Promise<void> {
    await this.#client?.close();
    await this.#process?.kill();
    await this.front.stop();
    await this.back?.stop();
  }
}

const clientsPerServer = 3;

describe('linearizability under faults', () => {
  const folders: Awaited<ReturnType<typeof temporaryFolder>>[] = [];
  const servers: Server[] = [];
  const etcds: EtcdServer[] = [];
  let runs = 0;
  after(() =>
    disposeAll(
      ...servers.map((server) => () => server.dispose()),
      ...etcds.map((etcd) => () => etcd.dispose()),
      ...folders,
    ),
  );

  async function boot(count: number, etcd: EtcdServer | undefined): Promise<Server[]> {
    const folder = await temporaryFolder();
    folders.push(folder);
    const booted: Server[] = [];
    for (let index = 0; index < count; index++) {
      const directory = path.join(folder.path, `server-${index}`);
      if (index > 0) {
        await mkdir(path.join(directory, 'pki'), { recursive: true });
        for (const file of ['ca.crt', 'ca.key', 'service-account.key']) {
          await cp(path.join(folder.path, 'server-0', 'pki', file), path.join(directory, 'pki', file));
        }
      }
      const server = await Server.start(directory, etcd);
      booted.push(server);
      servers.push(server);
    }
    return booted;
  }

  /** One thing that goes wrong, and is put right again. */
  async function misfortune(
    random: Random,
    tried: readonly Server[],
    etcd: EtcdServer | undefined,
    isLong: boolean,
  ): Promise<string> {
    const server = random.pick(tried);
    // Beyond what keep-alive bears with, where there is time for it.
    const durationMs =
      isLong && random.next() < 0.05 ? random.between(5_000, 20_000) : random.between(50, 900);
    const what = random.weighted({
      killServer: 2,
      cutClients: 2,
      hangClients: 1,
      cutEtcd: etcd === undefined ? 0 : 3,
      hangEtcd: etcd === undefined ? 0 : 2,
      killEtcd: etcd === undefined ? 0 : 2,
      freezeEtcd: etcd === undefined ? 0 : 1,
    });
    const gate = what === 'cutClients' || what === 'hangClients' ? server.front : server.back;
    switch (what) {
      case 'killServer':
        await server.kill();
        await server.resume();
        break;
      case 'killEtcd':
        await etcd?.kill();
        await pause(durationMs / 4);
        await etcd?.resume();
        break;
      case 'freezeEtcd':
        await etcd?.freeze();
        await pause(durationMs);
        etcd?.thaw();
        break;
      default:
        await gate?.set(what.startsWith('cut') ? 'closed' : 'hanging');
        await pause(durationMs);
        // What hung is lost: a line that comes back after a pause is another matter than one that is cut.
        await gate?.set('open');
    }
    return what;
  }

  async function run(t: TestContext, tried: readonly Server[], etcd: EtcdServer | undefined): Promise<void> {
    const budget = budgetOf(1_500, 1 / 3);
    t.diagnostic(`seed ${budget.seed}`);
    const random = new Random(budget.seed);
    // Absent at first, whatever ran before on the same store.
    const keys = Array.from({ length: 8 }, (_, index) => `register-${runs}-${index}`);
    runs++;
    const histories = new Map<string, HistoryEntry[]>(keys.map((key) => [key, []]));
    // What went wrong in the run before may have been one of its servers' etcd.
    const watches = await Promise.all(
      tried.map(({ client }) => until('the server answers', () => ApiWatch.start(client, inRoot))),
    );
    let isOver = false;
    let calls = 0;
    let unknown = 0;
    const client = async (index: number): Promise<void> => {
      const chance = new Random(budget.seed * 100 + index);
      const last = new Map<string, KubeObject>();
      for (let count = 0; !isOver; count++) {
        // Some always ask the same server, some any.
        const server = index % 3 === 0 ? chance.pick(tried) : tried[index % tried.length];
        const key = chance.pick(keys);
        const startMs = performance.now();
        const asked =
          server && (await askRegister(server.client, key, `${index}.${count}`, chance.next(), last));
        const endMs = performance.now();
        if (asked === undefined) {
          await pause(10);
          continue;
        }
        histories.get(key)?.push({ call: asked.call, startMs, endMs });
        calls++;
        if ('answer' in asked.call && asked.call.answer === 'unknown') {
          unknown++;
          await pause(10);
        }
      }
    };
    const clients = Promise.all(
      Array.from({ length: clientsPerServer * tried.length }, (_, index) => client(index)),
    );
    clients.catch(() => {});
    const happened: { [what: string]: number } = {};
    const endMs = performance.now() + budget.durationMs;
    try {
      do {
        await pause(random.between(50, 400));
        const what = await misfortune(random, tried, etcd, budget.isLong);
        happened[what] = (happened[what] ?? 0) + 1;
        const before = calls;
        await until('calls go on', () => calls > before + 10);
      } while (performance.now() < endMs);
    } finally {
      isOver = true;
    }
    await clients;
    t.diagnostic(`${calls} calls, ${unknown} of unknown outcome; ${JSON.stringify(happened)}`);

    // The last word of every server, by consistent reads, belongs to the history too.
    for (const server of tried) {
      for (const key of keys) {
        // A server that nobody has asked since the last misfortune may not be over it.
        const read = await until('the server answers', async () => {
          const startMs = performance.now();
          const value = await server.client
            .get({ ...inRoot, name: key })
            .then(contentOf, (error: unknown) => {
              if (isApiError(error, 'NotFound')) return undefined;
              throw error;
            });
          return { value, startMs };
        });
        const { value, startMs } = read;
        histories.get(key)?.push({ call: { type: 'read', value }, startMs, endMs: performance.now() });
      }
    }
    for (const [key, history] of histories) {
      const violation = findViolation(history);
      assert.equal(violation, undefined, `${key}: ${JSON.stringify(violation?.stuckAt, undefined, 1)}`);
    }
    for (const watch of watches) {
      for (const server of tried) await watch.assertAgrees(server.client);
      await watch.close();
      assert.equal(watch.expired, 0);
    }
  }

  const skip = skipWithoutEtcd;

  test('one server on the embedded store', async (t) => run(t, await boot(1, undefined), undefined));

  test('one server on etcd, then three', { skip }, async (t) => {
    const etcd = await EtcdServer.start({
      flags: [...limitFlags, '--heartbeat-interval=50', '--election-timeout=500'],
    });
    etcds.push(etcd);
    const tried = await boot(3, etcd);
    await run(t, tried.slice(0, 1), etcd);
    await run(t, tried, etcd);
  });
});
