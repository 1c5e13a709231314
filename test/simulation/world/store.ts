import type { KeyValue, Storage, StorageEvent, WatchHandler } from '#storage/storage.ts';
import { KeptStorage } from '../../harness/kept-storage.ts';

/** Is told at once what happens to a store. */
export interface StoreObserver {
  /** Every committed change, whoever made it. */
  event(event: StorageEvent): void;
  /** It was put back, and holds this now: no events tell of that. */
  restored?(backup: readonly KeyValue[]): void;
}

/** What the servers on it leave behind: it outlives each of them, is backed up, put back, and looked at past all of them. */
export class SimulatedStore {
  readonly #kept = new KeptStorage();
  readonly #observers: StoreObserver[] = [];

  get incarnationId(): string {
    return this.#kept.incarnationId;
  }

  currentRevision(): Promise<number> {
    return this.#kept.currentRevision();
  }

  /** One server's view; the next server takes a new one. */
  open(): Storage {
    return this.#kept.open();
  }

  backUp(): Promise<readonly KeyValue[]> {
    return this.#kept.backUp();
  }

  /** While no server is on it. */
  async restore(backup: readonly KeyValue[]): Promise<void> {
    await this.#kept.restore(backup);
    await this.#putBack(backup);
  }

  /** Likewise, as an edge's etcd is: its revisions begin again where they were in the backup. */
  async rewind(backup: readonly KeyValue[]): Promise<void> {
    await this.#kept.rewind(backup);
    await this.#putBack(backup);
  }

  /** Whoever has not heard of what is there now has to read everything anew. */
  async forgetHistory(): Promise<void> {
    const storage = this.#kept.open();
    await storage.compact(await storage.currentRevision());
  }

  /** From now on. */
  async observe(observer: StoreObserver): Promise<void> {
    this.#observers.push(observer);
    await this.#observe(observer);
  }

  async #putBack(backup: readonly KeyValue[]): Promise<void> {
    for (const observer of this.#observers) {
      observer.restored?.(backup);
      await this.#observe(observer);
    }
  }

  async #observe(observer: StoreObserver): Promise<void> {
    const storage = this.#kept.open();
    const handler: WatchHandler = {
      events: (events) => {
        for (const event of events) observer.event(event);
      },
      end: () => {},
    };
    await storage.watch({ prefix: '', afterRevision: await storage.currentRevision() }, handler);
  }
}
