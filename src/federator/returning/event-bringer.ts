import {
  eventKind,
  returnAnnotations,
  returnedEventAgeMaxMs,
  returnedObjectBytesMax,
} from '#api/federation/return-contract.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import type { TokenBucket } from '../edge/token-bucket.ts';
import type { Asked } from './asked.ts';
import { type BirthPlace, readBirth } from './birth-place.ts';
import type { EdgeEvents } from './edge-events.ts';
import { eventForm } from './event-facts.ts';
import { EventTurns } from './event-turns.ts';
import { NewestEvents } from './newest-events.ts';
import { keyOfReturned, partsOf } from './return-keys.ts';
import type { ReturnedObjects } from './returned-objects.ts';

export interface EventBringerOptions {
  readonly asked: Asked;
  readonly returned: ReturnedObjects;
  /** Of all Events of the cell. */
  readonly eventPace: TokenBucket;
  readonly clock: Clock;
}

/** An Event that is said again and again is told upward once in this time. */
const eventRepeatMs = 10_000;

/** Brings Events of an edge: the newest of them, each when it is its turn, and gone when they are old. */
export class EventBringer {
  readonly #options: EventBringerOptions;
  readonly #turns: EventTurns;
  readonly #newest: NewestEvents;

  constructor(options: EventBringerOptions) {
    const { asked, eventPace: pace, clock } = options;
    this.#options = options;
    this.#turns = new EventTurns({ clock, pace, repeatMs: eventRepeatMs });
    this.#newest = new NewestEvents({ clock, max: (namespace) => asked.eventsMax(namespace) });
  }

  /** Other Events are asked for. */
  restart(): void {
    this.#newest.clear();
  }

  /** Events of old go by themselves, here as everywhere; new ones come when it is their turn. */
  async bring(
    key: string,
    events: EdgeEvents | undefined,
    edge: BirthPlace,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    const { asked, returned, clock } = this.#options;
    const { namespace, name } = partsOf(key);
    if (asked.hasKind(eventKind.kind) && events?.watch.hasSynced !== true) return undefined;
    const nowMs = clock.now();
    const group = events?.group(namespace, name);
    const birth = events?.get(namespace, name);
    const present = returned.byKey(key);
    const expiresMs = (group?.lastMs ?? 0) + returnedEventAgeMaxMs;
    if (
      events === undefined ||
      group === undefined ||
      birth === undefined ||
      expiresMs <= nowMs ||
      !this.#newest.has(events, namespace, name)
    ) {
      this.#turns.forget(key);
      if (present !== undefined) await returned.remove(present, signal);
      return undefined;
    }
    const isTold = present?.metadata.annotations?.[returnAnnotations.edgeState] === birth.seen;
    if (isTold) return { requeueAfterMs: expiresMs - nowMs + 1 };
    const waitMs = this.#turns.waitMs(key);
    if (waitMs > 0) return { requeueAfterMs: waitMs };
    const event = await readBirth(edge, eventKind, birth, signal);
    if (event === undefined) return undefined;
    const object = eventForm(event, name, group);
    const bytes = Buffer.byteLength(JSON.stringify(object));
    if (bytes > returnedObjectBytesMax) {
      this.#turns.told(key);
      return undefined;
    }
    await returned.put(eventKind, birth, { object, state: birth.seen ?? '', bytes }, signal);
    this.#turns.told(key);
    return { requeueAfterMs: expiresMs - nowMs + 1 };
  }

  /** Newer Events have come: keys of the oldest that came back, which make room. */
  *outdated(events: EdgeEvents, namespace: string): Iterable<string> {
    const names = this.#newest.count(events, namespace);
    for (const returned of this.#options.returned.in(namespace)) {
      const { kind, apiVersion, name } = returned.spec;
      if (kind === eventKind.kind && apiVersion === undefined && !names.has(name))
        yield keyOfReturned(returned);
    }
  }
}
