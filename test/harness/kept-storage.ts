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

  /** As `cellplane restore`: a new incarnation, every key of the backup at one revision beyond all that were handed out. */
  async restore(backup: readonly KeyValue[]): Promise<void> {
    const before = this.#storage;
    const beyond = Number(await before.currentRevision()) + 100;
    const storage = createMemoryStorage({ controlPlaneId: before.controlPlaneId });
    this.#storage = storage;
    const write = (...operations: Parameters<Storage['transact']>[0]['operations'][number][]) =>
      storage.transact({ guards: [], operations });
    while (Number(await storage.currentRevision()) < beyond) {
      await write({ type: 'put', key: fillerKey, value: Buffer.from('{}') });
    }
    await write({ type: 'delete', key: fillerKey });
    await write(...backup.map(({ key, value }) => ({ type: 'put', key, value }) as const));
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
