import type { TimerHandle } from '#apimachinery/clock.ts';
import { parseTime } from '#apimachinery/rfc3339.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import type { Revision, StorageKey } from '#storage/storage.ts';
import { objectOf } from '../registry/stored-object.ts';
import type { Controller, ControllerContext } from './controller.ts';
import { deleteEach } from './delete-each.ts';
import { lookAtEntries } from './store-events.ts';

const eventsPrefix = '/core/events/';

/** How long an Event is kept after its last write (KUBERNETES.md O5). */
export const eventTtlMs = 3_600_000;
/** How exact that is: events that expire within one tick go together. */
const tickMs = 10_000;
const deletionsAtOnce = 1_000;

/**
 * Removes Events when their time is over: one wheel of ticks and one timer for all workspaces. Whatever was written again
 * since has another revision and another tick.
 */
export class EventExpiry implements Controller {
  readonly name = 'event-expiry';
  readonly #context: ControllerContext;
  /** Tick → keys that expire in it, with the revision they were seen at. */
  readonly #wheel = new Map<number, Map<StorageKey, Revision>>();
  readonly #stopping = new AbortController();
  #timer: TimerHandle | undefined;
  #unlisten: (() => void) | undefined;
  #turning: Promise<void> = Promise.resolve();
  /** All ticks before this one have been turned. */
  #nextTick: number;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#nextTick = Math.floor(context.clock.now() / tickMs);
  }

  start(): void {
    if (this.#unlisten !== undefined) return;
    this.#unlisten = this.#context.events.listen(eventsPrefix, {
      event: ({ entry }) => {
        // What was just written lives its full time; what it says about times is its writer's word.
        if (entry !== undefined) this.#put(entry, this.#context.clock.now() + eventTtlMs);
      },
      reset: () => this.#resync(),
    });
    this.#resync();
    this.#arm();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#timer?.cancel();
    this.#unlisten?.();
    await this.#turning;
  }

  #resync(): void {
    this.#wheel.clear();
    lookAtEntries(this.#context, eventsPrefix, this.#stopping.signal, (entry) =>
      this.#put(entry, this.#writtenAt(entry) + eventTtlMs),
    );
  }

  /** The newest time that an event bears and that is not in the future, as near as its last write can be told. */
  #writtenAt(entry: CacheEntry): number {
    const now = this.#context.clock.now();
    const event = objectOf(entry);
    const series = event['series'] as { lastObservedTime?: unknown } | null | undefined;
    const times = [
      event.metadata.creationTimestamp,
      event['lastTimestamp'],
      event['eventTime'],
      series?.lastObservedTime,
    ];
    let newest = 0;
    for (const time of times) {
      const at = typeof time === 'string' ? parseTime(time) : undefined;
      if (at !== undefined && at > newest && at <= now) newest = at;
    }
    return newest === 0 ? now : newest;
  }

  #put({ key, revision }: CacheEntry, expiresAt: number): void {
    const tick = Math.max(Math.ceil(expiresAt / tickMs), this.#nextTick);
    const keys = this.#wheel.get(tick);
    if (keys === undefined) this.#wheel.set(tick, new Map([[key, revision]]));
    else keys.set(key, revision);
  }

  #arm(): void {
    if (this.#stopping.signal.aborted) return;
    const waitMs = tickMs - (this.#context.clock.now() % tickMs);
    this.#timer = this.#context.clock.setTimeout(() => this.#turn(), waitMs).unref();
  }

  #turn(): void {
    const tick = Math.floor(this.#context.clock.now() / tickMs);
    const due: [StorageKey, Revision][] = [];
    for (; this.#nextTick <= tick; this.#nextTick++) {
      const keys = this.#wheel.get(this.#nextTick);
      if (keys === undefined) continue;
      this.#wheel.delete(this.#nextTick);
      for (const [key, revision] of keys) {
        if (this.#context.storage.peek(key)?.revision === revision) due.push([key, revision]);
      }
    }
    this.#turning = this.#remove(due).finally(() => this.#arm());
  }

  async #remove(due: readonly (readonly [StorageKey, Revision])[]): Promise<void> {
    for (let from = 0; from < due.length; from += deletionsAtOnce) {
      if (this.#stopping.signal.aborted) return;
      await this.#removeSome(due.slice(from, from + deletionsAtOnce));
    }
  }

  async #removeSome(due: readonly (readonly [StorageKey, Revision])[]): Promise<void> {
    const { storage, logger, clock } = this.#context;
    const current = due.filter(([key, revision]) => storage.peek(key)?.revision === revision);
    if (current.length === 0) return;
    try {
      const entries = current.map(([key, revision]) => ({ key, revision }));
      if (await deleteEach(storage, entries)) return;
    } catch (error) {
      logger.debug({ err: error }, 'events could not be removed; they are tried again');
    }
    // Those that were written meanwhile stand in the wheel already, an hour on.
    for (const [key, revision] of current) {
      const entry = storage.peek(key);
      if (entry?.revision === revision) this.#put(entry, clock.now() + tickMs);
    }
  }
}
