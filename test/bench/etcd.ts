import { systemClock } from '#apimachinery/clock.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import { EtcdConnection } from '#storage/etcd/etcd-connection.ts';
import { openEtcdStorage } from '#storage/etcd/etcd-storage.ts';
import { compareModRevision, rangeMethod, txnMethod } from '#storage/etcd/rpc.ts';
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
    const bare = await writesOfBareClient(etcd.endpoint, count);
    const store = await openEtcdStorage({
      endpoints: [etcd.endpoint],
      prefix: '/bench-storage',
      clock: systemClock,
    });
    const throughStorage = await writesThrough(store, count);
    const quorumReads = await readsOfBareClient(etcd.endpoint, count);
    const rows = [
      row('storage: creates of 4 KB on level, 64 writers', level, '/s'),
      row('storage: creates of 4 KB on etcd, 64 writers', throughStorage, '/s'),
      row('bare etcd client: creates of 4 KB, 64 writers', bare, '/s'),
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

function bareKey(index: number): Buffer {
  return Buffer.from(`/bench-bare/apps/deployments/bench/default/load-${index}`);
}

async function writesOfBareClient(endpoint: string, count: number): Promise<number> {
  const connection = new EtcdConnection({ endpoints: [endpoint] }, systemClock, silentLogger);
  try {
    return await rateOf(count, async (index) => {
      const key = bareKey(index);
      const answer = await connection.call(
        txnMethod,
        {
          compare: [{ target: compareModRevision, key, mod_revision: 0 }],
          success: [{ request_put: { key, value } }],
          failure: [],
        },
        { repeatable: false },
      );
      if (!answer.succeeded) throw new Error(`${key.toString()} is there already`);
    });
  } finally {
    connection.close();
  }
}

async function readsOfBareClient(endpoint: string, count: number): Promise<number> {
  const connection = new EtcdConnection({ endpoints: [endpoint] }, systemClock, silentLogger);
  try {
    return await rateOf(count, (index) =>
      connection.call(rangeMethod, { key: bareKey(index) }, { repeatable: true }),
    );
  } finally {
    connection.close();
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
