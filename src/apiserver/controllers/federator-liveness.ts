import { cellsWorkspacePath, federatorLeaseNamespace } from '#api/federation/group.ts';
import type { Clock, TimerHandle } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CachedStorage, CacheEntry } from '#storage/cached-storage.ts';
import { parseObjectKey } from '#storage/keys.ts';
import { objectOf } from '../registry/stored-object.ts';
import type { WorkspaceDirectory } from '../workspace/workspace-index.ts';
import type { StoreEvents } from './store-events.ts';

const leasesPrefix = '/coordination.k8s.io/leases/';
const leaseSecondsDefault = 15;

interface Observed {
  readonly holder: string;
  readonly renewTime: string;
  readonly durationMs: number;
  /** When this renewal was seen here, on the monotonic clock: the writer's clock does not matter. */
  readonly seenAt: number;
  /** Since when it has been live without a break. */
  readonly liveSince: number;
}

/**
 * Which federators live: each renews one Lease of its own name in `root:cells`, namespace `cellplane-federators`. A
 * Lease that has not been seen to change for its duration is dead, one that is deleted or has no holder at once. After a
 * start every lease counts as just renewed, so that nobody is taken for dead before it could speak.
 */
export class FederatorLiveness {
  readonly #storage: CachedStorage;
  readonly #events: StoreEvents;
  readonly #index: WorkspaceDirectory;
  readonly #clock: Clock;
  readonly #observed = new Map<string, Observed>();
  readonly #listeners = new Set<() => void>();
  #unlisten: (() => void) | undefined;
  #timer: TimerHandle | undefined;

  constructor(options: {
    readonly storage: CachedStorage;
    readonly events: StoreEvents;
    readonly index: WorkspaceDirectory;
    readonly clock: Clock;
  }) {
    this.#storage = options.storage;
    this.#events = options.events;
    this.#index = options.index;
    this.#clock = options.clock;
  }

  start(): void {
    if (this.#unlisten !== undefined) return;
    this.#unlisten = this.#events.listen(leasesPrefix, {
      event: ({ key, entry }) => {
        if (this.#note(key, entry)) this.#tell();
      },
      reset: () => this.#read(),
    });
    this.#read();
  }

  stop(): void {
    this.#unlisten?.();
    this.#timer?.cancel();
  }

  /** Calls back when a federator comes, goes, or has settled. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  isLive(federator: string): boolean {
    const observed = this.#observed.get(federator);
    return observed !== undefined && this.#clock.monotonic() < observed.seenAt + observed.durationMs;
  }

  /** Live for at least one lease period without a break. */
  isSettled(federator: string): boolean {
    const observed = this.#observed.get(federator);
    return (
      observed !== undefined &&
      this.isLive(federator) &&
      this.#clock.monotonic() >= observed.liveSince + observed.durationMs
    );
  }

  #read(): void {
    const cells = this.#index.find(cellsWorkspacePath);
    if (cells === undefined) return;
    const range = `${leasesPrefix}${cells.id}/${federatorLeaseNamespace}/`;
    const seen = new Set<string>();
    for (const entry of this.#storage.snapshot(range).entries()) {
      this.#note(entry.key, entry);
      seen.add(parseObjectKey(entry.key).name);
    }
    for (const name of this.#observed.keys()) if (!seen.has(name)) this.#observed.delete(name);
    this.#tell();
  }

  /** Whether anyone came or went. */
  #note(key: string, entry: CacheEntry | undefined): boolean {
    const { clusterId, namespace, name } = parseObjectKey(key);
    if (namespace !== federatorLeaseNamespace) return false;
    if (this.#index.recordOf(clusterId)?.path !== cellsWorkspacePath) return false;
    const lease = entry === undefined ? undefined : (objectOf(entry) as Lease);
    const { holderIdentity = '', renewTime = '', leaseDurationSeconds } = lease?.spec ?? {};
    if (holderIdentity === '') return this.#observed.delete(name);
    const before = this.#observed.get(name);
    const wasLive = this.isLive(name);
    if (before?.renewTime === renewTime && before.holder === holderIdentity) return false;
    const now = this.#clock.monotonic();
    this.#observed.set(name, {
      holder: holderIdentity,
      renewTime,
      durationMs: 1_000 * (leaseDurationSeconds ?? leaseSecondsDefault),
      seenAt: now,
      liveSince: wasLive && before !== undefined ? before.liveSince : now,
    });
    return !wasLive;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
    this.#arm();
  }

  /** One timer, for the next federator to die or settle. */
  #arm(): void {
    this.#timer?.cancel();
    const now = this.#clock.monotonic();
    let next = Number.POSITIVE_INFINITY;
    for (const { seenAt, liveSince, durationMs } of this.#observed.values()) {
      for (const at of [seenAt + durationMs, liveSince + durationMs]) if (at > now && at < next) next = at;
    }
    if (next === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#clock.setTimeout(() => this.#check(), Math.max(1, next - now)).unref();
  }

  #check(): void {
    this.#tell();
  }
}

interface Lease extends KubeObject {
  spec?: { holderIdentity?: string; renewTime?: string; leaseDurationSeconds?: number };
}
