import { createMemoryStorage } from '#storage/memory/memory-storage.ts';
import type { KeyValue, Storage, StorageKey, Subscription } from '#storage/storage.ts';

const fillerKey = '/test/filler' as StorageKey;

/** A store in memory that outlives the server on it: closing it ends its watches and nothing else. */
export class KeptStorage {
  #storage = createMemoryStorage();

  get controlPlaneId(): string {
    return this.#storage.controlPlaneId;
  }

  get incarnationId(): string {
    return this.#storage.incarnationId;
  }

  /** Everything that is stored now. */
  async backUp(): Promise<readonly KeyValue[]> {
    return (await this.#storage.range({ prefix: '/' })).items;
  }

  currentRevision(): Promise<number> {
    return this.#storage.currentRevision();
  }

  /** As `cellplane restore`: a new incarnation, every key of the backup at one revision beyond all that were handed out. */
  async restore(backup: readonly KeyValue[]): Promise<void> {
    const beyond = Number(await this.#storage.currentRevision()) + 100;
    await this.#replace(async (storage) => {
      await fill(storage, beyond);
      await write(storage, { type: 'delete', key: fillerKey });
      await write(storage, ...backup.map(({ key, value }) => ({ type: 'put', key, value }) as const));
    });
  }

  /** As `etcdctl snapshot restore`: every key at the revision that it had, and nothing after the newest of them. */
  async rewind(backup: readonly KeyValue[]): Promise<void> {
    const oldestFirst = [...backup].sort((a, b) => a.revision - b.revision);
    await this.#replace(async (storage) => {
      for (let at = 0; at < oldestFirst.length; ) {
        const { revision } = oldestFirst[at] as KeyValue;
        const next = oldestFirst.findIndex((item, i) => i > at && item.revision !== revision);
        const together = oldestFirst.slice(at, next < 0 ? undefined : next);
        await fill(storage, revision - 1);
        await write(storage, ...together.map(({ key, value }) => ({ type: 'put', key, value }) as const));
        at += together.length;
      }
      await write(storage, { type: 'delete', key: fillerKey });
    });
  }

  async #replace(load: (storage: Storage) => Promise<void>): Promise<void> {
    const before = this.#storage;
    const storage = createMemoryStorage({ controlPlaneId: before.controlPlaneId });
    this.#storage = storage;
    await load(storage);
    await storage.compact(await storage.currentRevision());
    await before.close();
  }

  /** One server's view; the next server takes a new one. */
  open(): Storage {
    const subscriptions = new Set<Subscription>();
    const own: Partial<Storage> = {
      watch: async (options, handler) => {
        const subscription = await storage.watch(options, handler);
        subscriptions.add(subscription);
        return subscription;
      },
      close: async () => {
        for (const subscription of subscriptions) subscription.close();
      },
    };
    const storage = this.#storage;
    return new Proxy(storage, {
      get: (target, property) => {
        const value: unknown = Reflect.get(own, property) ?? Reflect.get(target, property);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }
}

function write(
  storage: Storage,
  ...operations: Parameters<Storage['transact']>[0]['operations'][number][]
): Promise<unknown> {
  return storage.transact({ guards: [], operations });
}

/** Until the store stands at that revision. */
async function fill(storage: Storage, revision: number): Promise<void> {
  while (Number(await storage.currentRevision()) < revision) {
    await write(storage, { type: 'put', key: fillerKey, value: Buffer.from('{}') });
  }
}
