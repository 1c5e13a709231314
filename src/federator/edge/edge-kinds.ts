import type { Cell } from '#api/federation/cell.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeClient } from '#client/client.ts';
import { readDiscovery } from './read-discovery.ts';
import type { ServedKind } from './served-kind.ts';

export interface ServedKindsOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** The workspace whose kinds they are; absent: the server has none. */
  readonly cluster?: string | undefined;
  /** Ends readings under way. */
  readonly signal: AbortSignal;
  /** An unknown kind makes discovery be read again: not sooner than this, and more rarely while nothing new is found. */
  readonly refreshMinMs?: number | undefined;
  readonly refreshMaxMs?: number | undefined;
}

/** What a Cell's status tells of an edge's kinds, in a fixed order. */
export type ApiEnablements = NonNullable<NonNullable<Cell['status']>['apiEnablements']>;

/** Which resources an API server serves, in which versions. */
export class ServedKinds {
  readonly #options: ServedKindsOptions;
  readonly #refreshMinMs: number;
  readonly #refreshMaxMs: number;
  /** By `<group>/<version>/<resource>`. */
  #kinds = new Map<string, ServedKind>();
  #enablements: ApiEnablements | undefined;
  #refreshedAtMs = Number.NEGATIVE_INFINITY;
  #refreshAfterMs: number;
  #refreshing: Promise<void> | undefined;

  constructor(options: ServedKindsOptions) {
    const { refreshMinMs = 500, refreshMaxMs = 30_000 } = options;
    this.#options = options;
    this.#refreshMinMs = refreshMinMs;
    this.#refreshMaxMs = refreshMaxMs;
    this.#refreshAfterMs = refreshMinMs;
  }

  /** The kind in the wanted version, or undefined when it was not served so when that was last read. */
  peek(group: string, version: string, resource: string): ServedKind | undefined {
    return this.#kinds.get(`${group}/${version}/${resource}`);
  }

  /** As they were last read; undefined before that. */
  get enablements(): ApiEnablements | undefined {
    return this.#enablements;
  }

  /** All of them, as they were last read. */
  values(): IterableIterator<ServedKind> {
    return this.#kinds.values();
  }

  /** Any version of a resource that is served, as it was last read. */
  peekAny(group: string, resource: string): ServedKind | undefined {
    for (const kind of this.#kinds.values()) {
      if (kind.group === group && kind.resource === resource) return kind;
    }
    return undefined;
  }

  /** A resource in all versions that are served, as it was last read, in the server's own order: the best first. */
  versionsOf(group: string, resource: string): ServedKind[] {
    return [...this.#kinds.values()].filter((kind) => kind.group === group && kind.resource === resource);
  }

  /** Something hints that the server serves other kinds now (a CRD came or went): it is asked again soon. */
  expire(): void {
    this.#refreshAfterMs = this.#refreshMinMs;
  }

  /** Reads discovery, unless that was done a moment ago. Concurrent callers share one reading. Throws ApiError. */
  refresh(): Promise<void> {
    if (this.#refreshing !== undefined) return this.#refreshing;
    if (this.#options.clock.monotonic() - this.#refreshedAtMs < this.#refreshAfterMs)
      return Promise.resolve();
    this.#refreshing = this.#read().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #read(): Promise<void> {
    const startedMs = this.#options.clock.monotonic();
    const kinds = new Map<string, ServedKind>();
    for (const kind of await readDiscovery(
      this.#options.client,
      this.#options.signal,
      this.#options.cluster,
    )) {
      kinds.set(`${kind.group}/${kind.version}/${kind.resource}`, kind);
    }
    const isNew = [...kinds.keys()].some((key) => !this.#kinds.has(key));
    this.#kinds = kinds;
    this.#enablements = enablementsOf(kinds.values());
    // By when it began: what changed while it was read must be asked for again.
    this.#refreshedAtMs = startedMs;
    this.#refreshAfterMs = isNew
      ? this.#refreshMinMs
      : Math.min(this.#refreshAfterMs * 2, this.#refreshMaxMs);
  }
}

function enablementsOf(kinds: Iterable<ServedKind>): ApiEnablements {
  const groups = new Map<string, ApiEnablements[number]['resources']>();
  for (const { group, version, resource, kind } of kinds) {
    const groupVersion = group === '' ? version : `${group}/${version}`;
    const resources = groups.get(groupVersion) ?? [];
    resources.push({ name: resource, kind });
    groups.set(groupVersion, resources);
  }
  return [...groups.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([groupVersion, resources]) => ({
      groupVersion,
      resources: resources.sort((a, b) => (a.name < b.name ? -1 : 1)),
    }));
}
