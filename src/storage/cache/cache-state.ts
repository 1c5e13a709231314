import type { CacheEntry, CacheSnapshot } from '../cached-storage.ts';
import { StorageError } from '../errors.ts';
import { compareKeys } from '../key-order.ts';
import type { KeyValue, Revision, StorageEvent, StorageKey } from '../storage.ts';
import { Bucket } from './bucket.ts';
import { EmptySnapshot, TreeSnapshot } from './cache-snapshot.ts';
import { Deque, firstAfter } from './deque.ts';
import type { OrderedTree } from './ordered-tree.ts';
import { PointMap } from './point-map.ts';
import { SlabEntry, SlabEvent, SlabStore } from './slab.ts';
import { type StagedWrite, StagedWrites } from './staged-writes.ts';

/** What an event costs beside the value that it alone keeps: the event, its entry, its places in two deques. */
const eventOverheadBytes = 256;
/** Backlog is delivered in calls of about this many events. */
const backlogPageEvents = 1024;

export interface RingLimits {
  readonly ringEventsMax: number;
  readonly ringBytesMax: number;
}

/** The state of all keys at `revision` and the ring of events since `oldest`. Synchronous; knows no store. */
export class CacheState {
  readonly #limits: RingLimits;
  readonly #points = new PointMap<SlabEntry>();
  /** By `/<group>/<resource>/`; keys of another shape are in the bucket ''. */
  readonly #buckets = new Map<string, Bucket>();
  #sortedBuckets: Bucket[] | undefined;
  #lastBucket: Bucket | undefined;
  readonly #slabs = new SlabStore();
  readonly #ring = new Deque<SlabEvent>();
  #ringBytes = 0;
  #revision: Revision;
  #oldest: Revision;
  #staging = false;
  /** Entries to release when staging ends: until then slabs must not be emptied. */
  #superseded: SlabEntry[] = [];

  /** The ring will hold what is applied after `revision`. */
  constructor(revision: Revision, limits: RingLimits) {
    this.#revision = revision;
    this.#oldest = revision;
    this.#limits = limits;
  }

  get revision(): Revision {
    return this.#revision;
  }

  /** Events after this revision are in the ring; states from it on can be told. */
  get oldest(): Revision {
    return this.#oldest;
  }

  get size(): number {
    return this.#points.size;
  }

  /** How many keys there are in each bucket, by its prefix. */
  sizes(): Map<string, number> {
    return new Map([...this.#buckets.values()].map(({ prefix, size }) => [prefix, size]));
  }

  get ringEvents(): number {
    return this.#ring.length;
  }

  get ringBytes(): number {
    return this.#ringBytes;
  }

  get slabBytesHeld(): number {
    return this.#slabs.heldBytes;
  }

  /** Takes an item of the state at `revision`, before any event. */
  load({ key, revision, value }: KeyValue): void {
    const entry = this.#slabs.store(key, revision, value);
    this.#points.set(key, entry);
    this.#bucketOf(key).load(entry);
  }

  /** For writes that `loadStaged` takes later, all of them and in order, before anything else is changed. */
  stage(): StagedWrites {
    this.#staging = true;
    return new StagedWrites(this.#slabs);
  }

  /** Takes a write that comes before the ring's events. */
  loadStaged(write: StagedWrite): void {
    const { key, revision } = write;
    const previous = this.#points.get(key);
    const bucket = this.#bucketOf(key);
    if (write.slab === undefined) {
      this.#points.delete(key);
      bucket.unload(key);
    } else {
      const entry = new SlabEntry(key, revision, write.slab, write.offset, write.length);
      this.#points.set(key, entry);
      bucket.load(entry);
    }
    if (previous !== undefined) this.#superseded.push(previous);
    if (revision > this.#revision) this.#revision = revision;
    if (revision > this.#oldest) this.#oldest = revision;
  }

  /** Takes a write as an event for the ring. */
  applyStaged(write: StagedWrite): void {
    const { key, revision, slab, offset, length } = write;
    const entry = slab === undefined ? undefined : new SlabEntry(key, revision, slab, offset, length);
    const event = this.#change(key, revision, entry);
    if (event !== undefined) this.#pushRing(event);
  }

  /** All staged writes have been taken: what they superseded is released. */
  endStaging(): void {
    this.#staging = false;
    for (const entry of this.#superseded) this.#slabs.release(entry);
    this.#superseded = [];
  }

  /** Applies all events of one revision, the next one; returns them with their entries, for the watchers. */
  apply(events: readonly StorageEvent[]): SlabEvent[] {
    const applied: SlabEvent[] = [];
    for (const { key, revision, value } of events) {
      const entry = value === undefined ? undefined : this.#slabs.store(key, revision, value);
      const event = this.#change(key, revision, entry);
      if (event !== undefined) applied.push(event);
    }
    for (const event of applied) this.#pushRing(event);
    return applied;
  }

  /** The inner store has reached `revision` without an event for us. */
  advance(revision: Revision): void {
    if (revision > this.#revision) this.#revision = revision;
  }

  peek(key: StorageKey): CacheEntry | undefined {
    return this.#points.get(key);
  }

  /** Throws `compacted` or `future`. */
  snapshot(prefix: string, atRevision: Revision | undefined): CacheSnapshot {
    const revision = atRevision ?? this.#revision;
    if (atRevision !== undefined) this.#assertWithinRing(atRevision);
    const bucketPrefix = bucketPrefixOf(prefix);
    if (bucketPrefix !== '') {
      const bucket = this.#buckets.get(bucketPrefix);
      if (bucket === undefined || bucket.isEmptyAt(revision)) return new EmptySnapshot(revision);
      const trees = [this.#viewOf(bucket, revision)];
      return new TreeSnapshot({ revision, prefix, trees, stray: undefined, whole: bucketPrefix === prefix });
    }
    const trees: OrderedTree[] = [];
    let stray: OrderedTree | undefined;
    for (const bucket of this.#bucketsInOrder()) {
      if (bucket.prefix === '') stray = this.#viewOf(bucket, revision);
      else if (bucket.prefix.startsWith(prefix)) trees.push(this.#viewOf(bucket, revision));
    }
    return new TreeSnapshot({ revision, prefix, trees, stray, whole: false });
  }

  /** The ring's events after `afterRevision` under the prefix, in pages of whole revisions. Throws `compacted` or `future`. */
  backlog(prefix: string, afterRevision: Revision): SlabEvent[][] {
    this.#assertWithinRing(afterRevision);
    const bucketPrefix = bucketPrefixOf(prefix);
    const events = bucketPrefix === '' ? this.#ring : this.#buckets.get(bucketPrefix)?.events;
    const pages: SlabEvent[][] = [];
    if (events === undefined) return pages;
    let page: SlabEvent[] | undefined;
    for (let index = firstAfter(events, afterRevision); index < events.length; index++) {
      const event = events.at(index);
      if (!event.key.startsWith(prefix)) continue;
      if (
        page === undefined ||
        (page.length >= backlogPageEvents && page.at(-1)?.revision !== event.revision)
      ) {
        page = [];
        pages.push(page);
      }
      page.push(event);
    }
    return pages;
  }

  /** Events at or before `revision` are forgotten. */
  trim(revision: Revision): void {
    while (this.#ring.length > 0 && this.#ring.at(0).revision <= revision) this.#shiftRing();
    if (revision > this.#oldest) this.#oldest = revision;
  }

  #change(key: StorageKey, revision: Revision, entry: SlabEntry | undefined): SlabEvent | undefined {
    const previous = this.#points.get(key);
    if (previous === undefined && entry === undefined) return undefined;
    if (entry === undefined) this.#points.delete(key);
    else this.#points.set(key, entry);
    const event = new SlabEvent(key, revision, entry, previous);
    this.#bucketOf(key).apply(event);
    this.#revision = revision;
    return event;
  }

  #viewOf(bucket: Bucket, revision: Revision): OrderedTree {
    bucket.trimViews(this.#oldest);
    return bucket.viewAt(revision);
  }

  #pushRing(event: SlabEvent): void {
    this.#ring.push(event);
    this.#ringBytes += costOf(event);
    while (
      this.#ring.length > this.#limits.ringEventsMax ||
      (this.#ringBytes > this.#limits.ringBytesMax && this.#ring.length > 0)
    ) {
      this.#shiftRing();
    }
  }

  #shiftRing(): void {
    const event = this.#ring.shift();
    if (event === undefined) return;
    this.#ringBytes -= costOf(event);
    this.#oldest = event.revision;
    const bucket = this.#bucketOf(event.key);
    bucket.events.shift();
    bucket.trimViews(event.revision);
    // The event that ended an entry is younger than the one that made it: nothing in the ring names it after this.
    if (event.previous === undefined) return;
    if (this.#staging) this.#superseded.push(event.previous);
    else this.#slabs.release(event.previous);
  }

  #bucketOf(key: StorageKey): Bucket {
    // What comes one after the other is mostly of one resource.
    const last = this.#lastBucket;
    if (last !== undefined && key.startsWith(last.prefix)) return last;
    const bucket = this.#findBucket(key);
    // Every key starts with '', but not all of them are in that bucket.
    if (bucket.prefix !== '') this.#lastBucket = bucket;
    return bucket;
  }

  #findBucket(key: StorageKey): Bucket {
    const prefix = bucketPrefixOf(key);
    const known = this.#buckets.get(prefix);
    if (known !== undefined) return known;
    const bucket = new Bucket(prefix);
    this.#buckets.set(prefix, bucket);
    this.#sortedBuckets = undefined;
    return bucket;
  }

  #bucketsInOrder(): readonly Bucket[] {
    this.#sortedBuckets ??= [...this.#buckets.values()].sort((left, right) =>
      compareKeys(left.prefix, right.prefix),
    );
    return this.#sortedBuckets;
  }

  #assertWithinRing(revision: Revision): void {
    if (revision > this.#revision) {
      throw new StorageError('future', 'the revision is not reached yet', {
        revision,
        currentRevision: this.#revision,
      });
    }
    if (revision < this.#oldest) {
      throw new StorageError('compacted', 'the revision is older than the cache', {
        revision,
        compactedRevision: this.#oldest,
      });
    }
  }
}

function costOf(event: SlabEvent): number {
  return eventOverheadBytes + (event.previous?.length ?? 0);
}

/** `/<group>/<resource>/` of a key or of a prefix that reaches so far; '' for any other. */
export function bucketPrefixOf(key: string): string {
  if (key.charCodeAt(0) !== 0x2f) return '';
  const second = key.indexOf('/', 1);
  if (second === -1) return '';
  const third = key.indexOf('/', second + 1);
  return third === -1 ? '' : key.slice(0, third + 1);
}
