import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { systemClock } from '#apimachinery/clock.ts';
import { ensurePki, issueClientCertificate } from '#apiserver/pki/pki.ts';
import { EtcdServer, limitFlags, skipWithoutEtcd } from '../../../test/harness/etcd-server.ts';
import { until as untilItWorks } from '../../../test/harness/until.ts';
import { openCachedStorage } from '../cache/caching-storage.ts';
import { isStorageError, type StorageErrorCode } from '../errors.ts';
import { silentLogger } from '../logger.ts';
import type { Storage } from '../storage.ts';
import { guard, key, put, record, until, write } from '../testing/storage-fixture.ts';
import { Compactor } from './compactor.ts';
import { EtcdConnection } from './etcd-connection.ts';
import { type EtcdStorageOptions, openEtcdStorage } from './etcd-storage.ts';
import { KeySpace } from './key-space.ts';
import { MessageType } from './proto-codec.ts';
import { type Method, type RequestOp, txnMethod } from './rpc.ts';
import { openStore } from './store-marker.ts';

function rejectsWith(...codes: StorageErrorCode[]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isStorageError(error, ...codes), `expected ${codes.join(' or ')}, got ${String(error)}`);
    return true;
  };
}

const flags = [...limitFlags, '--unsafe-no-fsync'];
/** Where nothing is to end in its time: a busy machine takes longer over anything. */
const patienceMs = 120_000;

function patientConnection(endpoint: string): EtcdConnection {
  return new EtcdConnection(
    { endpoints: [endpoint], requestTimeoutMs: patienceMs },
    systemClock,
    silentLogger,
  );
}

describe('etcd driver', { skip: skipWithoutEtcd }, () => {
  let etcd: EtcdServer;
  let prefix: string;
  let prefixes = 0;
  const opened: Storage[] = [];

  async function open(options: Partial<EtcdStorageOptions> = {}): Promise<Storage> {
    const storage = await openEtcdStorage({
      endpoints: [etcd.endpoint],
      prefix,
      requestTimeoutMs: patienceMs,
      clock: systemClock,
      ...options,
    });
    opened.push(storage);
    return storage;
  }

  async function raw(...success: RequestOp[]): Promise<void> {
    const connection = patientConnection(etcd.endpoint);
    try {
      await connection.call(txnMethod, { compare: [], success, failure: [] }, { repeatable: true });
    } finally {
      connection.close();
    }
  }

  const rawPut = (name: string): RequestOp => ({
    request_put: { key: Buffer.from(name), value: Buffer.from('x') },
  });
  const rawDelete = (name: string): RequestOp => ({ request_delete_range: { key: Buffer.from(name) } });

  before(async () => {
    etcd = await EtcdServer.start({ flags });
  });
  after(() => etcd.dispose());
  beforeEach(() => {
    prefix = `/driver/${++prefixes}`;
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((storage) => storage.close()));
  });

  it('gives servers that start together one store', async () => {
    const storages = await Promise.all(Array.from({ length: 5 }, () => open()));
    assert.equal(new Set(storages.map((storage) => storage.controlPlaneId)).size, 1);
    assert.equal(new Set(storages.map((storage) => storage.incarnationId)).size, 1);
    const [first, second] = storages as [Storage, Storage];
    const at = await write(first, put('/g/r/c/n/a', '1'));
    assert.equal((await second.get(key('/g/r/c/n/a')))?.revision, at);
    const lost = await second.transact({ guards: [guard('/g/r/c/n/a', 0)], operations: [] });
    assert.ok(!lost.committed);
    assert.equal(lost.current?.value.toString(), '1');
  });

  it('tells the value of a refused guard among many', async () => {
    const storage = await open();
    const at = await write(storage, put('/g/r/c/n/7', 'seven'));
    const guards = Array.from({ length: 20 }, (_, index) => guard(`/g/r/c/n/${index}`, 0));
    const result = await storage.transact({ guards, operations: [] });
    assert.ok(!result.committed);
    assert.deepEqual([result.failedGuard.key, result.current?.value.toString()], ['/g/r/c/n/7', 'seven']);
    assert.equal(result.revision, at);
  });

  it('refuses a prefix that holds something else, and endpoints that are none', async () => {
    await raw(rawPut(`${prefix}/something`));
    await assert.rejects(open(), rejectsWith('unusable'));
    for (const endpoints of [[], ['127.0.0.1:2379'], ['http://a', 'https://b'], ['ftp://a']]) {
      await assert.rejects(open({ endpoints }), rejectsWith('unusable'));
    }
    await assert.rejects(open({ prefix: 'cellplane' }), rejectsWith('unusable'));
    await assert.rejects(open({ username: 'alone' }), rejectsWith('unusable'));
    await assert.rejects(
      open({ endpoints: ['http://127.0.0.1:1'], requestTimeoutMs: 200 }),
      rejectsWith('unavailable'),
    );
  });

  it('goes on to another member when one is away', async () => {
    const storage = await open({ endpoints: ['http://127.0.0.1:1', etcd.endpoint] });
    await write(storage, put('/g/r/c/n/a', '1'));
    assert.equal((await storage.get(key('/g/r/c/n/a')))?.value.toString(), '1');
  });

  it('keeps consistent reads fresh while others write elsewhere in the etcd', async () => {
    const cache = await openCachedStorage(await open(), { freshWaitMs: patienceMs });
    opened.push(cache);
    const other = await openCachedStorage(await open(), { freshWaitMs: patienceMs });
    opened.push(other);
    await write(cache, put('/g/r/c/n/a', '1'));
    for (let round = 0; round < 5; round++) {
      await raw(rawPut(`/foreign/${round}`));
      await cache.awaitFresh();
      assert.equal((await cache.get(key('/g/r/c/n/a')))?.value.toString(), '1');
      const unchanged = await cache.transact({ guards: [], operations: [] });
      assert.ok(cache.revision >= unchanged.revision);
    }
    const at = await write(cache, put('/g/r/c/n/b', '1'));
    assert.equal((await other.get(key('/g/r/c/n/b')))?.revision, at);
  });

  it('ends when another store takes the place of its own', async () => {
    const storage = await open();
    const at = await write(storage, put('/g/r/c/n/a', '1'));
    const recording = await record(storage, { prefix: '', afterRevision: at });
    await raw(rawDelete(`${prefix}/m/store`), rawDelete(`${prefix}/o/g/r/c/n/a`));
    const successor = await open();
    assert.notEqual(successor.controlPlaneId, storage.controlPlaneId);
    await assert.rejects(write(storage, put('/g/r/c/n/a', '2')), rejectsWith('unusable'));
    await assert.rejects(storage.currentRevision(), rejectsWith('unusable'));
    await until('the watch ends', () => recording.ended.length === 1);
    assert.ok(isStorageError(recording.ended[0], 'unusable'));
    assert.equal(await successor.get(key('/g/r/c/n/a')), undefined);
  });

  it('compacts once an interval, whichever server is first, to where the last interval began', async () => {
    const storage = await open();
    const compactors = await Promise.all(
      Array.from({ length: 2 }, async () => {
        const connection = patientConnection(etcd.endpoint);
        const keys = new KeySpace(prefix);
        const { scale } = await openStore(connection, keys);
        const parts = { connection, keys, scale, intervalMs: 1, clock: systemClock, logger: silentLogger };
        return { connection, compactor: new Compactor(parts) };
      }),
    );
    const turns = async () => {
      const done: boolean[] = [];
      for (const { compactor } of compactors) done.push(await compactor.turn());
      return done;
    };
    try {
      assert.deepEqual(await turns(), [true, false]);
      const began = await storage.currentRevision();
      await write(storage, put('/g/r/c/n/a', '1'));
      assert.equal(await storage.compactedRevision(), 1);
      assert.deepEqual(await turns(), [true, false]);
      assert.equal(await storage.compactedRevision(), began);
      assert.deepEqual(await turns(), [true, false]);
      assert.equal(await storage.compactedRevision(), began + 2);
    } finally {
      for (const { connection } of compactors) connection.close();
    }
  });

  it('reads large values in bearable answers', async () => {
    const storage = await open();
    for (let index = 0; index < 8; index++) {
      await storage.transact({
        guards: [],
        operations: [{ type: 'put', key: key(`/g/r/c/n/${index}`), value: Buffer.alloc(3_000_000, index) }],
      });
    }
    const { items } = await (await open()).range({ prefix: '' });
    assert.equal(items.length, 8);
  });

  it('goes on when etcd was away, and tells watches everything', async () => {
    const storage = await open();
    const hasty = await untilItWorks('the hasty store opens', () => open({ requestTimeoutMs: 1_800 }));
    const cache = await openCachedStorage(await open(), { freshWaitMs: patienceMs });
    opened.push(cache);
    const hastyCache = await untilItWorks('the hasty cache opens', async () =>
      openCachedStorage(await open({ requestTimeoutMs: 1_800 }), { freshWaitMs: 500 }),
    );
    opened.push(hastyCache);
    const start = await write(storage, put('/g/r/c/n/a', '0'));
    const recording = await record(storage, { prefix: '', afterRevision: start });
    const cached = await record(cache, { prefix: '', afterRevision: start });
    await write(storage, put('/g/r/c/n/a', '1'));
    await until('the event', () => recording.events.length === 1);
    await etcd.kill();
    await assert.rejects(hasty.get(key('/g/r/c/n/a')), rejectsWith('unavailable'));
    await assert.rejects(
      write(hasty, put('/g/r/c/n/a', 'lost')),
      rejectsWith('unavailable', 'outcome-unknown'),
    );
    await assert.rejects(hastyCache.get(key('/g/r/c/n/a')), rejectsWith('unavailable', 'timeout'));
    await etcd.resume();
    const at = await write(storage, put('/g/r/c/n/a', '2'));
    await until('the events', () =>
      [recording, cached].every(({ events }) => events.at(-1)?.revision === at),
    );
    assert.deepEqual(
      recording.events.map(({ value }) => value),
      ['1', '2'],
    );
    assert.deepEqual([...recording.ended, ...cached.ended], []);
    assert.equal((await cache.get(key('/g/r/c/n/a')))?.value.toString(), '2');
  });

  it('says that the outcome is unknown when etcd does not answer a write', async () => {
    const storage = await untilItWorks('the store opens', () => open({ requestTimeoutMs: 300 }));
    await etcd.freeze();
    try {
      await assert.rejects(write(storage, put('/g/r/c/n/a', '1')), rejectsWith('outcome-unknown'));
      await assert.rejects(storage.get(key('/g/r/c/n/a')), rejectsWith('unavailable'));
    } finally {
      etcd.thaw();
    }
    await untilItWorks('it answers', () => write(storage, put('/g/r/c/n/b', '1')));
  });
});

describe('etcd driver and an etcd as it comes', { skip: skipWithoutEtcd }, () => {
  const accessTo = ({ endpoint }: EtcdServer): EtcdStorageOptions => ({
    endpoints: [endpoint],
    prefix: '/c',
    clock: systemClock,
    requestTimeoutMs: patienceMs,
  });

  const opened: Storage[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((storage) => storage.close()));
  });
  async function open(options: EtcdStorageOptions): Promise<Storage> {
    const storage = await openEtcdStorage(options);
    opened.push(storage);
    return storage;
  }

  it('is told that a transaction or value is too large for it', async () => {
    const etcd = await EtcdServer.start({ flags: ['--unsafe-no-fsync'] });
    try {
      const storage = await open(accessTo(etcd));
      const many = Array.from({ length: 200 }, (_, index) => put(`/g/r/c/n/${index}`, 'x'));
      await assert.rejects(write(storage, ...many), rejectsWith('too-large'));
      await assert.rejects(
        write(storage, put('/g/r/c/n/a', 'x'.repeat(2_000_000))),
        rejectsWith('too-large'),
      );
      await assert.rejects(
        write(storage, put('/g/r/c/n/a', 'x'.repeat(3_000_000))),
        rejectsWith('too-large'),
      );
      await write(storage, put('/g/r/c/n/a', 'x'.repeat(1_000_000)));
    } finally {
      await etcd.dispose();
    }
  });

  it('goes on reading when etcd is full', async () => {
    const etcd = await EtcdServer.start({ flags: [...flags, '--quota-backend-bytes=12000000'] });
    try {
      const storage = await open(accessTo(etcd));
      await assert.rejects(async () => {
        for (let index = 0; index < 30; index++) {
          await write(storage, put(`/g/r/c/n/${index}`, 'x'.repeat(1_000_000)));
        }
      }, rejectsWith('unavailable'));
      assert.equal((await storage.get(key('/g/r/c/n/0')))?.value.length, 1_000_000);
    } finally {
      await etcd.dispose();
    }
  });

  it('renews its token when etcd no longer takes it', async () => {
    const etcd = await EtcdServer.start({ flags });
    try {
      await enableAuth(etcd.endpoint);
      const access = accessTo(etcd);
      await assert.rejects(open(access), rejectsWith('unavailable'));
      await assert.rejects(
        open({ ...access, username: 'root', password: 'wrong' }),
        rejectsWith('unavailable'),
      );
      const storage = await open({ ...access, username: 'root', password: 'secret' });
      const at = await write(storage, put('/g/r/c/n/a', '1'));
      const recording = await record(storage, { prefix: '', afterRevision: at });
      // Tokens live in the memory of etcd.
      await etcd.kill();
      await etcd.resume();
      await until('a write', async () => {
        try {
          await write(storage, put('/g/r/c/n/b', '1'));
          return true;
        } catch (error) {
          return rejectsWith('unavailable', 'outcome-unknown')(error) && false;
        }
      });
      await until('the watch is back', () => recording.events.length > 0);
      assert.deepEqual(recording.ended, []);
    } finally {
      await etcd.dispose();
    }
  });

  it('speaks TLS and shows its certificate', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'cellplane-etcd-pki-'));
    const pki = await ensurePki({ directory: folder, hosts: [], now: new Date() });
    const files = { certFile: 'etcd.crt', keyFile: 'etcd.key', clientCaFile: 'clients.crt' };
    const at = (name: string) => path.join(folder, name);
    await writeFile(at(files.certFile), pki.serving.certificatePem);
    await writeFile(at(files.keyFile), pki.serving.keyPem);
    await writeFile(at(files.clientCaFile), pki.ca.certificatePem);
    const etcd = await EtcdServer.start({
      flags,
      tls: { certFile: at(files.certFile), keyFile: at(files.keyFile), clientCaFile: at(files.clientCaFile) },
    });
    try {
      const access = accessTo(etcd);
      const { certificatePem, keyPem } = issueClientCertificate(pki.ca, {
        commonName: 'cellplane',
        organizations: [],
        days: 1,
      });
      const caPem = pki.ca.certificatePem;
      const storage = await open({ ...access, caPem, certPem: certificatePem, keyPem });
      await write(storage, put('/g/r/c/n/a', '1'));
      for (const wrong of [{}, { caPem }]) {
        await assert.rejects(
          open({ ...access, ...wrong, requestTimeoutMs: 500 }),
          rejectsWith('unavailable'),
        );
      }
    } finally {
      await etcd.dispose();
      await rm(folder, { recursive: true });
    }
  });
});

interface Names {
  readonly name?: string;
  readonly text?: string;
}

/** What `etcdctl user add root:secret`, `user grant-role root root` and `auth enable` do. */
async function enableAuth(endpoint: string): Promise<void> {
  const connection = patientConnection(endpoint);
  const names = new MessageType<Names>({
    name: { number: 1, kind: 'string' },
    text: { number: 2, kind: 'string' },
  });
  const call = (name: string, request: Names) => {
    const method: Method<Names, object> = {
      path: `/etcdserverpb.Auth/${name}`,
      request: names,
      response: new MessageType<object>({}),
    };
    return connection.call(method, request, { repeatable: false });
  };
  try {
    await call('UserAdd', { name: 'root', text: 'secret' });
    await call('RoleAdd', { name: 'root' });
    await call('UserGrantRole', { name: 'root', text: 'root' });
    await call('AuthEnable', {});
  } finally {
    connection.close();
  }
}
