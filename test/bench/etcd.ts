import { Client, credentials } from '@grpc/grpc-js';
import { systemClock } from '#apimachinery/clock.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import { EtcdConnection } from '#storage/etcd/etcd-connection.ts';
import { openEtcdStorage } from '#storage/etcd/etcd-storage.ts';
import { compareModRevision, type Method, rangeMethod, txnMethod } from '#storage/etcd/rpc.ts';
import { objectKey } from '#storage/keys.ts';
import { openLevelStorage } from '#storage/level/level-storage.ts';
import { silentLogger } from '#storage/logger.ts';
import type { Revision, Storage } from '#storage/storage.ts';
import { EtcdServer, limitFlags, skipWithoutEtcd } from '../harness/etcd-server.ts';
import { adminConnection, startCellplane, temporaryFolder } from '../harness/processes.ts';
import { indexMark } from './raw-job.ts';
import { noteOf, type RawLoadResult, rawLoad } from './raw-load.ts';
import { sampleDeployment } from './samples.ts';
import { type Row, row } from './table.ts';

const clients = 64;
const value = Buffer.alloc(4_000, 'x');

/** The same writes and reads on level, on etcd, and by a client of etcd that does nothing else. */
export async function benchEtcd(scale: number): Promise<Row[]> {
  if (skipWithoutEtcd !== false) {
    process.stdout.write(`skipped: ${skipWithoutEtcd}\n`);
    return [];
  }
  const count = Math.ceil(10_000 * scale);
  const level = await writesOnLevel(count);
  const etcd = await EtcdServer.start({ flags: limitFlags });
  try {
    const bare = await writesOfBareClient(stockClient(etcd.endpoint), '/bench-bare', count);
    const own = await writesOfBareClient(ownClient(etcd.endpoint), '/bench-own', count);
    const store = await openEtcdStorage({
      endpoints: [etcd.endpoint],
      prefix: '/bench-storage',
      clock: systemClock,
    });
    const throughStorage = await writesThrough(store, count);
    const quorumReads = await readsOfBareClient(stockClient(etcd.endpoint), '/bench-bare', count);
    const rows = [
      row('storage: creates of 4 KB on level, 64 writers', level, '/s'),
      row('storage: creates of 4 KB on etcd, 64 writers', throughStorage, '/s'),
      row('bare etcd client: creates of 4 KB, 64 writers', bare, '/s', '@grpc/grpc-js as it comes'),
      row('the same over our own connection', own, '/s', 'no cache, no watch'),
      row('storage on etcd as a share of the bare client', throughStorage / bare, '', 'goal: 0.8'),
      row('bare etcd client: linearizable reads of 4 KB, 64 readers', quorumReads, '/s'),
    ];
    const onEtcd = await requestsOn(['--storage', 'etcd', '--etcd-servers', etcd.endpoint], scale);
    const onLevel = await requestsOn(['--storage', 'level'], scale);
    rows.push(
      row(
        'API: durable CREATE of a Deployment on etcd',
        onEtcd.create.perSecond,
        '/s',
        noteOf(onEtcd.create),
      ),
      row('API: the same on level', onLevel.create.perSecond, '/s', noteOf(onLevel.create)),
      row('API: consistent GET on etcd', onEtcd.get.perSecond, '/s', noteOf(onEtcd.get)),
      row('API: the same on level', onLevel.get.perSecond, '/s', noteOf(onLevel.get)),
      row(
        'consistent GET on etcd as a share of level',
        onEtcd.get.perSecond / onLevel.get.perSecond,
        '',
        'goal: 0.7',
      ),
    );
    return rows;
  } finally {
    await etcd.dispose();
  }
}

async function rateOf(count: number, run: (index: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const startedMs = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (next < count) await run(next++);
    }),
  );
  return count / ((performance.now() - startedMs) / 1_000);
}

async function writesOnLevel(count: number): Promise<number> {
  await using folder = await temporaryFolder();
  return await writesThrough(await openLevelStorage({ directory: folder.path }), count);
}

async function writesThrough(inner: Storage, count: number): Promise<number> {
  const storage = await openCachedStorage(inner);
  try {
    return await rateOf(count, async (index) => {
      const name = `load-${index}`;
      const place = { group: 'apps', resource: 'deployments', clusterId: 'bench', namespace: 'default' };
      const key = objectKey({ ...place, name });
      const result = await storage.transact({
        guards: [{ key, revision: 0 as Revision }],
        operations: [{ type: 'put', key, value }],
      });
      if (!result.committed) throw new Error(`${key} is there already`);
    });
  } finally {
    await storage.close();
  }
}

function bareKey(prefix: string, index: number): Buffer {
  return Buffer.from(`${prefix}/apps/deployments/bench/default/load-${index}`);
}

/** A client of etcd that does nothing but call: with the gRPC library as it comes, or with our own connection. */
interface BareClient {
  call<Request extends object, Response extends object>(
    method: Method<Request, Response>,
    request: Request,
  ): Promise<Response>;
  close(): void;
}

function stockClient(endpoint: string): BareClient {
  const client = new Client(new URL(endpoint).host, credentials.createInsecure());
  return {
    call: ({ path, request: requestType, response }, request) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          path,
          (message: typeof request) => requestType.encode(message),
          (bytes) => response.decode(bytes),
          request,
          (error, answer) => (answer === undefined ? reject(error) : resolve(answer)),
        );
      }),
    close: () => client.close(),
  };
}

function ownClient(endpoint: string): BareClient {
  const connection = new EtcdConnection({ endpoints: [endpoint] }, systemClock, silentLogger);
  return {
    call: (method, request) => connection.call(method, request, { repeatable: false }),
    close: () => connection.close(),
  };
}

async function writesOfBareClient(client: BareClient, prefix: string, count: number): Promise<number> {
  try {
    return await rateOf(count, async (index) => {
      const key = bareKey(prefix, index);
      const answer = await client.call(txnMethod, {
        compare: [{ target: compareModRevision, key, mod_revision: 0 }],
        success: [{ request_put: { key, value } }],
        failure: [],
      });
      if (!answer.succeeded) throw new Error(`${key.toString()} is there already`);
    });
  } finally {
    client.close();
  }
}

async function readsOfBareClient(client: BareClient, prefix: string, count: number): Promise<number> {
  try {
    return await rateOf(count, (index) => client.call(rangeMethod, { key: bareKey(prefix, index) }));
  } finally {
    client.close();
  }
}

async function requestsOn(
  storage: readonly string[],
  scale: number,
): Promise<{ readonly create: RawLoadResult; readonly get: RawLoadResult }> {
  await using folder = await temporaryFolder();
  await using server = await startCellplane([
    'apiserver',
    ...storage,
    '--data-dir',
    folder.path,
    '--port',
    '0',
    '--log-level',
    'warn',
  ]);
  const connection = await adminConnection(folder.path);
  const path = '/clusters/root/apis/apps/v1/namespaces/default/deployments';
  const body = JSON.stringify(sampleDeployment(`load-${indexMark}`));
  const create = await rawLoad(connection, server.pid, {
    clients,
    count: Math.ceil(10_000 * scale),
    request: { method: 'POST', path, contentType: 'application/json', body },
  });
  const get = await rawLoad(connection, server.pid, {
    clients,
    count: Math.ceil(20_000 * scale),
    request: { method: 'GET', path: `${path}/load-00000001` },
  });
  return { create, get };
}
