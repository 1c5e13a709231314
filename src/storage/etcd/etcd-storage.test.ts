import { after, before, describe } from 'node:test';
import { systemClock } from '#apimachinery/clock.ts';
import { EtcdServer, limitFlags, skipWithoutEtcd } from '../../../test/harness/etcd-server.ts';
import { openCachedStorage } from '../cache/caching-storage.ts';
import type { Storage } from '../storage.ts';
import { runStorageConformance } from '../testing/storage-conformance.ts';
import type { StorageFixture } from '../testing/storage-fixture.ts';
import { openEtcdStorage } from './etcd-storage.ts';

describe('etcd', { skip: skipWithoutEtcd }, () => {
  let etcd: EtcdServer;
  let prefixes = 0;

  before(async () => {
    // It gives a write up after five seconds and two election timeouts of its own, also where it was itself that stood still.
    const patience = ['--heartbeat-interval=1000', '--election-timeout=50000'];
    etcd = await EtcdServer.start({ flags: [...limitFlags, '--unsafe-no-fsync', ...patience] });
  });
  after(() => etcd.dispose());

  /** Longer than any pause of a busy machine: nothing here is to end in its time. */
  const patienceMs = 120_000;
  /** The suite counts revisions, and a request for progress makes one. */
  const patient = { progressDelayMs: 2 * patienceMs, freshWaitMs: patienceMs };

  async function fixture(wrap: (storage: Storage) => Promise<Storage>): Promise<StorageFixture> {
    const prefix = `/conformance/${++prefixes}`;
    const open = async () =>
      wrap(
        await openEtcdStorage({
          endpoints: [etcd.endpoint],
          prefix,
          clock: systemClock,
          requestTimeoutMs: patienceMs,
        }),
      );
    let storage = await open();
    return {
      storage,
      reopen: async () => {
        await storage.close();
        storage = await open();
        return storage;
      },
      dispose: () => storage.close(),
    };
  }

  runStorageConformance('etcd', () => fixture(async (storage) => storage), {
    reopen: true,
    answersAfterEvents: false,
  });
  runStorageConformance('cache over etcd', () => fixture((storage) => openCachedStorage(storage, patient)), {
    reopen: true,
  });
  runStorageConformance(
    'small cache over etcd',
    () => fixture((storage) => openCachedStorage(storage, { ringEventsMax: 3, ...patient })),
    { reopen: true },
  );
});
