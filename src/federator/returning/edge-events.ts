import { eventKind } from '#api/federation/return-contract.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { Informer } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import type { Birth, Births } from './births.ts';
import { type EventFacts, type EventGroup, eventFactsOf, groupOf } from './event-facts.ts';

export interface EdgeEventsOptions {
  readonly edgeClient: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** When only Events of one type are asked for, the edge sends no others. */
  readonly type: string | undefined;
  readonly wanted: (event: KubeObject) => boolean;
  /** Something about what is said under this name in the namespace has changed. */
  readonly onChange: (namespace: string, name: string) => void;
}

/** Kept of one edge, and of one namespace there; further ones are left where they are until older ones have gone. */
const eventsMax = 4_000;
const namespaceEventsMax = 1_000;
const pageSize = 250;
const watchTimeoutSeconds = 300;

/**
 * The Events at an edge that are asked for, those that say the same as one: little of each, kept by one watch. Newest
 * first where only so many come back.
 */
export class EdgeEvents implements Births {
  readonly #options: EdgeEventsOptions;
  readonly #informer: Informer;
  readonly #counts = new Map<string, number>();

  constructor(options: EdgeEventsOptions) {
    const { edgeClient: client, clock, logger, type } = options;
    this.#options = options;
    this.#informer = new Informer({
      client,
      clock,
      logger,
      collection: { cluster: undefined, gvr: eventKind },
      ...(type === undefined ? {} : { fieldSelector: `type=${type}` }),
      pageSize,
      watchTimeoutSeconds,
      indexers: {
        namespace: ({ metadata }) => [metadata.namespace ?? ''],
        said: (event) => [saidIn(event.metadata.namespace ?? '', (event as EventFacts).said)],
      },
      transform: (event) => this.#kept(event),
    });
    this.#informer.addHandler({
      onAdd: (event) => {
        this.#count(event, 1);
        this.#tell(event);
      },
      onUpdate: (event, old) => {
        if ((event as EventFacts).said !== (old as EventFacts).said) this.#tell(old);
        this.#tell(event);
      },
      onDelete: (event) => {
        this.#count(event, -1);
        this.#tell(event);
      },
    });
  }

  get watch(): Births['watch'] {
    return this.#informer;
  }

  get(namespace: string, name: string): Birth | undefined {
    const group = this.group(namespace, name);
    return group === undefined ? undefined : birthOf(group);
  }

  /** What is said under the name, as one. */
  group(namespace: string, name: string): EventGroup | undefined {
    return groupOf(this.#informer.byIndex('said', saidIn(namespace, name)) as Iterable<EventFacts>);
  }

  *in(namespace: string): Iterable<Birth> {
    for (const { newest } of this.#groupsIn(namespace)) yield birthOf({ newest, count: newest.count });
  }

  /** The names in a namespace, the one that was said last first; at most `max`. */
  newestIn(namespace: string, max: number): ReadonlySet<string> {
    const groups = this.#groupsIn(namespace);
    groups.sort((a, b) => b.newest.lastMs - a.newest.lastMs || (a.newest.said < b.newest.said ? -1 : 1));
    return new Set(groups.slice(0, max).map(({ newest }) => newest.said));
  }

  #groupsIn(namespace: string): { newest: EventFacts }[] {
    const groups = new Map<string, { newest: EventFacts }>();
    for (const object of this.#informer.byIndex('namespace', namespace)) {
      const event = object as EventFacts;
      const group = groups.get(event.said);
      if (group === undefined) groups.set(event.said, { newest: event });
      else if (event.lastMs >= group.newest.lastMs) group.newest = event;
    }
    return [...groups.values()];
  }

  #kept(event: KubeObject): EventFacts | undefined {
    const { namespace = '', name = '' } = event.metadata;
    if (!this.#options.wanted(event)) return undefined;
    const isKnown = this.#informer.get(`|${namespace}/${name}`) !== undefined;
    const isFull =
      this.#informer.size >= eventsMax || (this.#counts.get(namespace) ?? 0) >= namespaceEventsMax;
    if (!isKnown && isFull) return undefined;
    return eventFactsOf(event, this.#options.clock.now());
  }

  #count({ metadata: { namespace = '' } }: KubeObject, by: number): void {
    const count = (this.#counts.get(namespace) ?? 0) + by;
    if (count <= 0) this.#counts.delete(namespace);
    else this.#counts.set(namespace, count);
  }

  #tell(event: KubeObject): void {
    this.#options.onChange(event.metadata.namespace ?? '', (event as EventFacts).said);
  }
}

function birthOf({ newest, count }: Pick<EventGroup, 'newest' | 'count'>): Birth {
  const { metadata, said } = newest;
  const { name: edgeName = '', ...others } = metadata;
  const seen = `${metadata.uid}/${metadata.resourceVersion}-${count}`;
  return { ...newest, metadata: { ...others, name: said }, edgeName, seen };
}

function saidIn(namespace: string, said: string): string {
  return `${namespace}/${said}`;
}
