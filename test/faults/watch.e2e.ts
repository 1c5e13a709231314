// Random schedules of writes, slow readers, reconnects, compactions and restarts: what a list and the events after it
// add up to is the state at every revision, in order, each event once.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { isApiError } from '#apimachinery/api-error.ts';
import { systemClock } from '#apimachinery/clock.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { openCachedStorage, openWithCache } from '#storage/cache/caching-storage.ts';
import { isStorageError } from '#storage/errors.ts';
import { openEtcdStorage } from '#storage/etcd/etcd-storage.ts';
import { openLevelStorage } from '#storage/level/level-storage.ts';
import type { Operation, Revision, Storage, TakeAll } from '#storage/storage.ts';
import { disposeAll } from '../harness/dispose-all.ts';
import { EtcdServer, limitFlags, skipWithoutEtcd } from '../harness/etcd-server.ts';
import { freePort } from '../harness/free-port.ts';
import { adminConnection, startCellplane } from '../harness/processes.ts';
import { Random } from '../harness/random.ts';
import { TcpGate } from '../harness/tcp-gate.ts';
import { until } from '../harness/until.ts';
import { configMap, inRoot } from '../simulation/register-client.ts';
import { ApiWatch } from './api-watch.ts';
import { budgetOf, repeat } from './budget.ts';
import { scratchFolder } from './disk-shim.ts';
import { HistoryWatcher, keyOf, WriteHistory } from './watch-history.ts';

interface Restartable {
  open(): Promise<Storage>;
  /** A fault of what lies below the store, if there is one. */
  disturb?(): Promise<void>;
}

/** What one schedule came to. */
interface Sums {
  writes: number;
  restarts: number;
  compactions: number;
  resumes: number;
  relists: number;
}

describe('watches', () => {
  let folder: Awaited<ReturnType<typeof scratchFolder>>;
  let etcd: EtcdServer | undefined;
  let stores = 0;

  before(async () => {
    folder = await scratchFolder();
    if (skipWithoutEtcd !== false) return;
    etcd = await EtcdServer.start({
      flags: [...limitFlags, '--heartbeat-interval=20', '--election-timeout=200'],
    });
  });
  after(() => disposeAll(() => etcd?.dispose(), folder));

  function levelStore(random: Random): Restartable {
    const directory = path.join(folder.path, `level-${stores++}`);
    const isCached = random.next() < 0.6;
    const ringEventsMax = random.pick([5, 50, 100_000]);
    const historyRevisionsMax = random.pick([20, 200, 100_000]);
    return {
      async open() {
        const level = (takeAll?: TakeAll) =>
          openLevelStorage({ directory, historyRevisionsMax, compactIntervalMs: 10, takeAll });
        return isCached ? openWithCache(level, { ringEventsMax }) : level();
      },
    };
  }

  function etcdStore(random: Random): Restartable {
    const prefix = `/watch-${stores++}`;
    const isCached = random.next() < 0.6;
    const ringEventsMax = random.pick([5, 50, 100_000]);
    const compactionIntervalMs = random.pick([0, 150]);
    return {
      async open() {
        const store = await openEtcdStorage({
          endpoints: [etcd?.endpoint ?? ''],
          prefix,
          compactionIntervalMs,
          clock: systemClock,
        });
        return isCached ? openCachedStorage(store, { ringEventsMax }) : store;
      },
      async disturb() {
        await etcd?.kill();
        await etcd?.resume();
      },
    };
  }

  async function schedule(random: Random, store: Restartable, durationMs: number, sums: Sums): Promise<void> {
    const history = new WriteHistory();
    let storage = await store.open();
    let isOver = false;
    let ids = 0;
    const writer = async (chance: Random): Promise<void> => {
      while (!isOver) {
        const id = ids++;
        const operations = randomOperations(chance, id);
        // Where outcomes may stay unknown, a key that only this write ever touches tells in the end.
        if (store.disturb !== undefined) {
          operations.push({ type: 'put', key: keyOf(`/tx/r/c/n/${id}`), value: Buffer.from(`${id} /tx`) });
        }
        try {
          const result = await storage.transact({ guards: [], operations });
          assert.ok(result.committed);
          history.committed(result.revision, operations);
        } catch (error) {
          if (isStorageError(error, 'outcome-unknown')) history.unknown(operations);
          else if (!isStorageError(error, 'unavailable', 'closed')) throw error;
          await pause(2);
        }
        if (chance.next() < 0.3) await pause(chance.between(0, 5));
      }
    };
    const writers = Promise.all(Array.from({ length: 3 }, () => writer(random.fork())));
    writers.catch(() => {});
    const watchers: HistoryWatcher[] = [];
    const endMs = performance.now() + durationMs;
    try {
      while (performance.now() < endMs) {
        const what = random.weighted({
          watch: 4,
          disturb: 4,
          compact: 3,
          restart: 1,
          below: store.disturb ? 0.5 : 0,
        });
        if (what === 'watch' && watchers.length < 12) {
          watchers.push(
            new HistoryWatcher(() => storage, {
              prefix: random.pick(['', '', '/a', '/b/r/c/n/1', '/none']),
              slowMs: random.pick([0, 0, 0, 1]),
              // Below the size of a page of the log nothing would ever pass.
              backlogEventsMax: random.pick([600, 1_000]),
              previousValues: random.next() < 0.5,
            }),
          );
        } else if (what === 'disturb' && watchers.length > 0) {
          random.pick(watchers).disturb();
        } else if (what === 'compact') {
          await compactSomewhere(storage, random).catch((error: unknown) => {
            if (!isStorageError(error, 'unavailable', 'future', 'compacted', 'timeout', 'outcome-unknown'))
              throw error;
          });
          sums.compactions++;
        } else if (what === 'restart') {
          const before = storage;
          await before.close();
          storage = await store.open();
          sums.restarts++;
        } else if (what === 'below') {
          await store.disturb?.();
          sums.restarts++;
        }
        await pause(random.between(0, 30));
      }
    } finally {
      isOver = true;
    }
    await writers;
    // A last write that all who watch everything must hear of.
    let tries = 0;
    const last = await until('the last write', async () => {
      const names = ['/a/r/c/n/last', '/b/r/c/n/1-last', '/none/r/c/n/last'];
      const value = Buffer.from(`last ${tries++}`);
      const operations = names.map((name): Operation => ({ type: 'put', key: keyOf(name), value }));
      try {
        const result = await storage.transact({ guards: [], operations });
        if (!result.committed) return undefined;
        history.committed(result.revision, operations);
        return result;
      } catch (error) {
        if (isStorageError(error, 'outcome-unknown')) history.unknown(operations);
        throw error;
      }
    });
    await until('all watches have told the last write', () =>
      watchers.every((watcher) => watcher.position >= last.revision),
    );
    await Promise.all(watchers.map((watcher) => watcher.stop()));
    const told = (await storage.range({ prefix: '/tx' })).items;
    await storage.close();
    const replayed = history.replay([
      ...told.map(({ value, revision }) => ({ value: value.toString(), revision })),
      ...watchers.flatMap(({ seen }) => seen),
    ]);
    for (const watcher of watchers) {
      watcher.check(replayed);
      sums.resumes += watcher.resumes;
      sums.relists += watcher.relists;
    }
    sums.writes += history.writes;
  }

  for (const [name, make, skip] of [
    ['level', levelStore, false],
    ['etcd', etcdStore, skipWithoutEtcd],
  ] as const) {
    test(`${name}: list and events are the state at every revision`, { skip }, async (t) => {
      const budget = budgetOf(1_500, 1 / 3);
      t.diagnostic(`seed ${budget.seed}`);
      const sums: Sums = { writes: 0, restarts: 0, compactions: 0, resumes: 0, relists: 0 };
      await repeat(budget, async (seed) => {
        const random = new Random(seed);
        await schedule(random, make(random), random.between(200, 1_500), sums);
      });
      t.diagnostic(JSON.stringify(sums));
      assert.ok(sums.writes > 0);
    });
  }

  test('through the API: slow readers, reconnects and restarts', async (t) => {
    const budget = budgetOf(1_500, 1 / 3);
    t.diagnostic(`seed ${budget.seed}`);
    const random = new Random(budget.seed);
    const directory = path.join(folder.path, 'server');
    const port = await freePort();
    const start = () => startCellplane(['apiserver', '--data-dir', directory, '--port', String(port)]);
    let server = await start();
    const gate = new TcpGate({ host: '127.0.0.1', port });
    await gate.start();
    const connection = await adminConnection(directory);
    const client = new RemoteClient(
      { ...connection, server: `https://127.0.0.1:${gate.port}` },
      { userAgent: 'cellplane-test' },
    );
    try {
      const watches = await Promise.all(Array.from({ length: 6 }, () => ApiWatch.start(client, inRoot)));
      for (const watch of watches) watch.slowMs = random.pick([0, 0, 1, 3]);
      const begunAt = Math.max(...watches.map(({ resourceVersion }) => resourceVersion));
      const acknowledged: number[] = [];
      let isOver = false;
      const writer = async (chance: Random): Promise<void> => {
        while (!isOver) {
          const name = `object-${chance.between(0, 30)}`;
          try {
            const object = await client
              .create(inRoot, configMap(name, String(chance.next())))
              .catch((error: unknown) => {
                if (!isApiError(error, 'AlreadyExists')) throw error;
                return client.patch(
                  { ...inRoot, name },
                  { type: 'merge', body: { data: { value: String(chance.next()) } } },
                );
              });
            acknowledged.push(Number(object.metadata.resourceVersion));
            if (chance.next() < 0.3) await client.delete({ ...inRoot, name });
          } catch {
            await pause(10);
          }
        }
      };
      const writers = Promise.all(Array.from({ length: 4 }, () => writer(random.fork())));
      const endMs = performance.now() + budget.durationMs;
      let restarts = 0;
      try {
        while (performance.now() < endMs) {
          const what = random.weighted({ disturb: 6, cut: 2, restart: 1 });
          if (what === 'disturb') {
            random.pick(watches).disturb();
          } else if (what === 'cut') {
            await gate.set('closed');
            await pause(random.between(0, 200));
            await gate.set('open');
          } else {
            if (random.next() < 0.5) await server.kill();
            else await server.stop();
            server = await start();
            restarts++;
          }
          await pause(random.between(20, 200));
        }
      } finally {
        isOver = true;
      }
      await writers;
      for (const watch of watches) {
        watch.slowMs = 0;
        await watch.assertAgrees(client);
        assert.equal(watch.expired, 0);
        // The state agrees before what was made last and has gone again is told.
        const newest = Math.max(begunAt, ...acknowledged);
        await until('the last acknowledged write is told', () => watch.resourceVersion >= newest);
        const missing = acknowledged.filter(
          (revision) => revision > begunAt && !watch.revisions.has(revision),
        );
        assert.deepEqual(missing, [], 'acknowledged writes that the watch has not told');
        await watch.close();
      }
      t.diagnostic(
        JSON.stringify({
          written: acknowledged.length,
          restarts,
          events: watches.reduce((sum, { events }) => sum + events, 0),
          connections: watches.reduce((sum, { connections }) => sum + connections, 0),
        }),
      );
    } finally {
      await disposeAll(
        () => client.close(),
        () => gate.stop(),
        server,
      );
    }
  });
});

function randomOperations(random: Random, id: number): Operation[] {
  const operations: Operation[] = [];
  const keys = new Set<string>();
  const count = random.pick([1, 1, 1, 2, 6]);
  while (keys.size < count) keys.add(`/${random.pick(['a', 'b'])}/r/c/n/${random.between(0, 12)}`);
  for (const [index, name] of [...keys].entries()) {
    const key = keyOf(name);
    // At least one put, by which the transaction is known.
    if (index > 0 && random.next() < 0.4) operations.push({ type: 'delete', key });
    else operations.push({ type: 'put', key, value: Buffer.from(`${id} ${name}`) });
  }
  // A key that only goes: it was put by another.
  const gone = keyOf(`/a/r/c/n/${random.between(0, 12)}`);
  if (!keys.has(gone) && random.next() < 0.3) operations.push({ type: 'delete', key: gone });
  return operations;
}

async function compactSomewhere(storage: Storage, random: Random): Promise<void> {
  const head = await storage.currentRevision();
  await storage.compact(Math.max(1, head - random.pick([0, 0, 3, 30])) as Revision);
}
