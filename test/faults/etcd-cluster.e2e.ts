// What goes wrong with an etcd cluster while an API server runs on it: clients get clean errors, and afterwards the same
// server process goes on.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { disposeAll } from '../harness/dispose-all.ts';
import { skipWithoutEtcd } from '../harness/etcd-server.ts';
import { Random } from '../harness/random.ts';
import { TcpGate } from '../harness/tcp-gate.ts';
import { until } from '../harness/until.ts';
import { ApiWatch } from './api-watch.ts';
import { budgetOf, repeat } from './budget.ts';
import { type EtcdBackedServer, startEtcdBackedServer } from './etcd-backed-server.ts';
import { EtcdCluster } from './etcd-cluster.ts';

const configMaps = { group: '', version: 'v1', resource: 'configmaps' } as const;
const inRoot = { cluster: 'root', gvr: configMaps, namespace: 'default' } as const;
/** How long the server bears with a call of etcd. */
const requestTimeoutMs = 2_000;
/** How long its clients bear with it: that it hangs is told by that. */
const clientTimeoutMs = 120_000;
const quotaBytes = 24 * 1024 * 1024;

function configMap(name: string, value: string): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { value } };
}

/** Errors that a client may get while etcd is unwell: it is told to try again, or to look what became of its write. */
function assertClean(error: unknown): asserts error is ApiError {
  assert.ok(error instanceof ApiError, `no Status: ${String(error)}`);
  assert.doesNotMatch(
    error.message,
    /did not answer within/,
    'the server answers before its client gives up',
  );
  assert.ok([503, 504, 429].includes(error.code), `${error.code} ${error.reason}: ${error.message}`);
}

describe('an etcd cluster on its bad days', { skip: skipWithoutEtcd }, () => {
  const { seed } = budgetOf(0, 0);
  const random = new Random(seed);
  let etcd: EtcdCluster;
  let gates: TcpGate[];
  let server: EtcdBackedServer;
  let names = 0;

  before(async () => {
    etcd = await EtcdCluster.start([`--quota-backend-bytes=${quotaBytes}`]);
    gates = etcd.endpoints.map(
      (endpoint) => new TcpGate({ host: '127.0.0.1', port: Number(new URL(endpoint).port) }),
    );
    await Promise.all(gates.map((gate) => gate.start()));
    const endpoints = gates.map(({ port }) => `http://127.0.0.1:${port}`);
    server = await startEtcdBackedServer(endpoints, requestTimeoutMs);
  });
  after(() => disposeAll(server, ...(gates ?? []).map((gate) => () => gate.stop()), () => etcd?.dispose()));

  /** Writes until it is told to stop; fails for any error that is not clean, and for any write that is lost. */
  function keepWriting() {
    const acknowledged = new Map<string, string>();
    const errors: ApiError[] = [];
    let slowestMs = 0;
    let isOver = false;
    const writer = async (): Promise<void> => {
      while (!isOver) {
        const name = `object-${names++}`;
        const startMs = performance.now();
        try {
          const created = await server.admin.create(inRoot, configMap(name, name), {
            timeoutMs: clientTimeoutMs,
          });
          acknowledged.set(name, created.metadata.resourceVersion ?? '');
        } catch (error) {
          assertClean(error);
          errors.push(error);
          await pause(20);
        }
        slowestMs = Math.max(slowestMs, performance.now() - startMs);
      }
    };
    const done = Promise.all(Array.from({ length: 4 }, writer));
    // A failure is told by `stop`.
    done.catch(() => {});
    return {
      acknowledged,
      errors,
      async stop() {
        isOver = true;
        await done;
        return slowestMs;
      },
      /** A test that fails leaves nobody writing into the next one's collection. */
      async [Symbol.asyncDispose]() {
        isOver = true;
        await done.catch(() => {});
      },
      async goesOn(what: string) {
        const before = acknowledged.size;
        await Promise.race([until(what, () => acknowledged.size > before + 8), done.then(() => {})]);
      },
    };
  }

  /** Where a member or this process is held up for longer than the server bears with, it is asked again. */
  const startWatch = (resourceVersion?: string) =>
    until('the watch begins', () => ApiWatch.start(server.admin, inRoot, resourceVersion));

  async function assertAllThere(watch: ApiWatch, acknowledged: ReadonlyMap<string, string>): Promise<void> {
    const { items } = await until('the server lists', () => server.admin.list(inRoot));
    const found = new Map(items.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
    for (const [name, resourceVersion] of acknowledged) assert.equal(found.get(name), resourceVersion, name);
    await watch.assertAgrees(server.admin);
  }

  test('leader changes: no write is lost, watches go on', async (t) => {
    t.diagnostic(`seed ${seed}`);
    const budget = budgetOf(1_500, 1);
    const watch = await startWatch();
    await using load = keepWriting();
    await load.goesOn('the load begins');
    await repeat(budget, async () => {
      const what = random.pick(['move', 'kill', 'freeze'] as const);
      if (what === 'move') {
        await etcd.moveLeader();
      } else {
        const leader = etcd.members[(await etcd.leader()) ?? 0];
        if (what === 'kill') await leader?.kill();
        else await leader?.freeze();
        await load.goesOn(`another leads after ${what}`);
        if (what === 'kill') await leader?.resume();
        else leader?.thaw();
      }
      await load.goesOn(`all is well after ${what}`);
    });
    const slowestMs = await load.stop();
    t.diagnostic(
      JSON.stringify({
        written: load.acknowledged.size,
        errors: load.errors.length,
        slowestMs: Math.round(slowestMs),
      }),
    );
    await assertAllThere(watch, load.acknowledged);
    await watch.close();
    assert.equal(watch.expired, 0);
  });

  test('lost quorum: 503 or 504 in bounded time, reads that may be old go on, recovery without a restart', async (t) => {
    const watch = await startWatch();
    await using load = keepWriting();
    await load.goesOn('the load begins');
    const gone = etcd.members.slice(0, 2);
    await Promise.all(gone.map((member) => member.kill()));
    await until('writes fail', () => load.errors.length > 0);
    const startMs = performance.now();
    const readError = await server.admin.list(inRoot, { limit: 1, timeoutMs: clientTimeoutMs }).then(
      () => undefined,
      (error: unknown) => error,
    );
    assertClean(readError);
    t.diagnostic(
      `a consistent read: ${readError.code} ${readError.message} after ${Math.round(performance.now() - startMs)} ms`,
    );
    assert.ok((await server.admin.list(inRoot, { resourceVersion: '0' })).items.length > 0);
    await Promise.all(gone.map((member) => member.resume()));
    await load.goesOn('writes go on');
    t.diagnostic(`the slowest write took ${Math.round(await load.stop())} ms`);
    await assertAllThere(watch, load.acknowledged);
    await watch.close();
    assert.equal(watch.expired, 0);
  });

  test('compaction: a watch at the end goes on, one that begins before it is told', async () => {
    const watch = await startWatch();
    const revision = async () => {
      const { metadata } = await until('the server lists', () => server.admin.list(inRoot, { limit: 1 }));
      return String(metadata.resourceVersion);
    };
    const begunAt = await revision();
    await using load = keepWriting();
    await load.goesOn('the load begins');
    for (let round = 0; round < 5; round++) {
      // No further than the server has come: one that is behind has to begin anew, and its clients with it.
      await etcd.compact(random.between(0, 2), await revision());
      // The stream that the server follows etcd by has to be taken up again right after a compaction.
      if (round % 2 === 1) await etcd.moveLeader();
      await load.goesOn('after a compaction');
    }
    await load.stop();
    await assertAllThere(watch, load.acknowledged);
    await watch.close();
    assert.equal(watch.expired, 0);
    // The server's own memory reaches further back than etcd's log.
    const second = await startWatch(begunAt);
    await second.assertAgrees(server.admin);
    await second.close();
    assert.equal(second.expired, 0);
  });

  test('cut off for longer than history reaches back: clients list again, nothing old is shown', async () => {
    for (let index = 0; index < 5; index++) {
      await until('it is written', () =>
        server.admin
          .create(inRoot, configMap(`cut-off-${index}`, '1'))
          .catch((error: unknown) => isApiError(error, 'AlreadyExists') || Promise.reject(error)),
      );
    }
    const watch = await startWatch();
    await Promise.all(gates.map((gate) => gate.set('closed')));
    const keys = (await etcd.keys()).filter(
      (key) => key.includes('/configmaps/') && /cut-off-[0-3]$/.test(key),
    );
    assert.equal(keys.length, 4);
    for (const key of keys) await etcd.delete(key);
    await etcd.compact(0);
    await Promise.all(gates.map((gate) => gate.set('open')));
    await until('a list shows what is', async () => {
      const { items } = await server.admin.list(inRoot);
      const names = items.flatMap(({ metadata }) =>
        /^cut-off/.test(metadata.name ?? '') ? [metadata.name] : [],
      );
      assert.deepEqual(names, ['cut-off-4']);
      return true;
    });
    await using load = keepWriting();
    await load.goesOn('writes go on');
    await load.stop();
    await watch.assertAgrees(server.admin);
    await watch.close();
    assert.equal(watch.expired, 1);
  });

  test('space exceeded: writes are refused with 503, reads and watches go on, space makes all well', async () => {
    const watch = await startWatch();
    const large = 'x'.repeat(900_000);
    const written: string[] = [];
    const unclear: string[] = [];
    let tries = 0;
    const refusal = await until('the space is exceeded', async () => {
      const name = `large-${tries++}`;
      try {
        await server.admin.create(inRoot, configMap(name, large), { timeoutMs: clientTimeoutMs });
        written.push(name);
        return undefined;
      } catch (error) {
        assertClean(error);
        if (error.code === 503 && (await etcd.isFull())) return error;
        // A disk that is busy with other things takes longer over so much than the server bears with.
        unclear.push(name);
        return undefined;
      }
    });
    assert.ok(written.length + unclear.length > 5);
    assert.equal(refusal.code, 503, refusal.message);
    assert.ok((refusal.details?.retryAfterSeconds ?? 0) > 0);
    const { items } = await until('the server lists', () => server.admin.list(inRoot));
    for (const name of written) assert.ok(items.some(({ metadata }) => metadata.name === name));
    // What frees space is let in.
    for (const name of [...written, ...unclear]) {
      await until(`${name} is gone`, () =>
        server.admin.delete({ ...inRoot, name }).catch((error: unknown) => {
          if (isApiError(error, 'NotFound')) return true;
          throw error;
        }),
      );
    }
    await etcd.makeSpace();
    await using load = keepWriting();
    await load.goesOn('writes go on');
    await load.stop();
    await assertAllThere(watch, load.acknowledged);
    await watch.close();
    assert.equal(watch.expired, 0);
  });
});
