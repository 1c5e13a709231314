import { StorageError } from '../errors.ts';
import { compareKeys } from '../key-order.ts';
import type { KeyValue, Revision, StorageEvent, Subscription, WatchHandler } from '../storage.ts';
import { WatcherIndex } from '../watchers.ts';
import { EtcdFollower, type FollowerHandler, type FollowerOptions } from './etcd-follower.ts';
import type { KeySpace } from './key-space.ts';
import type { EtcdEvent } from './rpc.ts';

/** What all followers of a hub have in common. */
export type HubOptions = Omit<FollowerOptions, 'range' | 'afterRevision'> & { readonly keys: KeySpace };

interface Subscriber {
  readonly prefix: string;
  readonly handler: WatchHandler;
  /** The place in the index; before, a follower of its own. */
  source: Subscription | undefined;
  /** In the index. */
  joined: boolean;
}

const deleteEvent = 1;

/**
 * All watches of this process on one watch of etcd, whose cost etcd bears per watch. One that begins in the past gets a
 * watch of its own until that has met the live one.
 */
export class WatchHub {
  readonly #options: HubOptions;
  readonly #index = new WatcherIndex<StorageEvent>();
  readonly #subscribers = new Set<Subscriber>();
  #live: EtcdFollower | undefined;

  constructor(options: HubOptions) {
    this.#options = options;
  }

  subscribe(prefix: string, afterRevision: Revision, handler: WatchHandler): Subscription {
    const subscriber: Subscriber = { prefix, handler, source: undefined, joined: false };
    this.#subscribers.add(subscriber);
    this.#live ??= this.#goLive(afterRevision);
    // All events after the live position are still to come there; those before it that matter are at or before ours.
    if (afterRevision >= this.#live.position) this.#join(subscriber, afterRevision);
    else this.#catchUp(subscriber, afterRevision);
    return { close: () => this.#remove(subscriber) };
  }

  /** Ends everything. Idempotent. */
  close(error: Error): void {
    for (const subscriber of [...this.#subscribers]) this.#end(subscriber, error);
  }

  #goLive(afterRevision: Revision): EtcdFollower {
    return this.#follow(afterRevision, {
      events: (revision, raw) => {
        const events = this.#eventsOf(raw);
        if (events.length > 0) this.#index.publish(events);
        else for (const { joined, handler } of this.#subscribers) if (joined) handler.progress?.(revision);
      },
      end: (error) => this.close(error),
    });
  }

  #catchUp(subscriber: Subscriber, afterRevision: Revision): void {
    const { prefix, handler } = subscriber;
    const follower = this.#follow(afterRevision, {
      events: (revision, raw) => {
        const events = this.#eventsOf(raw);
        const wanted = prefix === '' ? events : events.filter(({ key }) => key.startsWith(prefix));
        if (wanted.length > 0) handler.events(wanted);
        else if (events.length === 0) handler.progress?.(revision);
        if (!this.#subscribers.has(subscriber) || this.#live === undefined) return;
        if (revision < this.#live.position) return;
        follower.close();
        this.#join(subscriber, revision);
      },
      end: (error) => this.#end(subscriber, error),
    });
    subscriber.source = follower;
  }

  #join(subscriber: Subscriber, position: Revision): void {
    subscriber.joined = true;
    subscriber.source = this.#index.add(subscriber.prefix, position, {
      events: (events) => subscriber.handler.events(events),
      end: (error) => this.#end(subscriber, error),
    });
  }

  #follow(afterRevision: Revision, handler: FollowerHandler): EtcdFollower {
    const { keys, ...options } = this.#options;
    const follower = new EtcdFollower({ ...options, range: keys.all, afterRevision }, handler);
    follower.start();
    return follower;
  }

  #end(subscriber: Subscriber, error: Error): void {
    if (this.#remove(subscriber)) subscriber.handler.end(error);
  }

  #remove(subscriber: Subscriber): boolean {
    if (!this.#subscribers.delete(subscriber)) return false;
    subscriber.source?.close();
    if (this.#subscribers.size === 0) {
      this.#live?.close();
      this.#live = undefined;
    }
    return true;
  }

  /** Events on objects, in key order. Throws `unusable` when another store has taken this one's place. */
  #eventsOf(raw: readonly EtcdEvent[]): StorageEvent[] {
    const { keys } = this.#options;
    const events: StorageEvent[] = [];
    for (const event of raw) {
      const bytes = event.kv?.key;
      if (bytes === undefined) continue;
      const key = keys.decode(bytes);
      if (key !== undefined) events.push(this.#eventOf(event, key));
      else if (bytes.equals(keys.marker)) {
        throw new StorageError('unusable', 'etcd: the store was replaced by another one; start again');
      }
    }
    if (events.length > 1) events.sort((left, right) => compareKeys(left.key, right.key));
    return events;
  }

  #eventOf({ type, kv, prev_kv }: EtcdEvent, key: StorageEvent['key']): StorageEvent {
    const { scale, previousValues } = this.#options;
    const revision = scale.fromEtcd(kv?.mod_revision ?? 0);
    const isDelete = type === deleteEvent;
    let previous: KeyValue | undefined;
    if (previousValues) {
      if (prev_kv !== undefined) {
        previous = { key, value: prev_kv.value, revision: scale.fromEtcd(prev_kv.mod_revision) };
      } else if (isDelete || kv?.create_revision !== kv?.mod_revision) {
        // etcd leaves out what was compacted between the write and its telling of it.
        throw new StorageError('compacted', 'the value before was compacted', { revision });
      }
    }
    return {
      type: isDelete ? 'delete' : 'put',
      key,
      revision,
      value: isDelete ? undefined : kv?.value,
      previous,
    };
  }
}
