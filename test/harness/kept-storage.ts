import { createMemoryStorage } from '#storage/memory/memory-storage.ts';
import type { Storage, Subscription } from '#storage/storage.ts';

/** A store in memory that outlives the server on it: closing it ends its watches and nothing else. */
export class KeptStorage {
  readonly #storage = createMemoryStorage();

  get controlPlaneId(): string {
    return this.#storage.controlPlaneId;
  }

  /** One server's view; the next server takes a new one. */
  open(): Storage {
    const storage = this.#storage;
    const subscriptions = new Set<Subscription>();
    return {
      controlPlaneId: storage.controlPlaneId,
      incarnationId: storage.incarnationId,
      awaitSettled: () => undefined,
      get: (key) => storage.get(key),
      range: (options) => storage.range(options),
      transact: (transaction) => storage.transact(transaction),
      watch: async (options, handler) => {
        const subscription = await storage.watch(options, handler);
        subscriptions.add(subscription);
        return subscription;
      },
      currentRevision: () => storage.currentRevision(),
      compact: (revision) => storage.compact(revision),
      compactedRevision: () => storage.compactedRevision(),
      close: async () => {
        for (const subscription of subscriptions) subscription.close();
      },
    };
  }
}
