import { compareKeys } from '../key-order.ts';
import type { KeyValue, RangeOptions, Revision, StorageEvent, StorageKey } from '../storage.ts';
import type { LevelDatabase, LevelIterator, LevelView } from './database.ts';
import {
  bytesEnd,
  keyOfPointerKey,
  keyOfRecordKey,
  pointerKey,
  pointerRange,
  recordKey,
  recordStart,
  revisionOfRecordKey,
} from './key-codec.ts';
import { LogCheck } from './log-check.ts';
import { decodePointer } from './pointer.ts';
import { type DecodedRecord, decodeRecord } from './record.ts';

/** Pointers and records read in one go between two turns of the event loop. */
const pointersPerPage = 1_000;
const recordsPerPage = 500;
/** Values asked for at once: so many that about this many bytes are on the way. */
const valueBytesPerPage = 1024 * 1024;

export interface Place {
  readonly key: StorageKey;
  readonly revision: Revision;
}

/** Reads of one view of the database, which holds the store's state at `head` whole. */
export interface View {
  readonly database: LevelDatabase;
  readonly view: LevelView;
  readonly head: Revision;
}

/** Throws `corrupt`. */
export async function readKey({ database, view }: View, key: StorageKey): Promise<KeyValue | undefined> {
  const keyBytes = pointerKey(key);
  const [bytes] = await database.getMany([keyBytes], view);
  if (bytes === undefined) return undefined;
  const pointer = decodePointer(keyBytes, bytes);
  if (!pointer.present) return undefined;
  const [item] = await readValues(database, [{ key, revision: pointer.revision }], view);
  return item;
}

/** Values at places that the caller knows to hold puts. Throws `corrupt`. */
export async function readValues(
  database: LevelDatabase,
  places: readonly Place[],
  view?: LevelView,
): Promise<KeyValue[]> {
  const keys = places.map((place) => recordKey(place.revision, place.key));
  const records = await database.getMany(keys, view);
  return places.map(({ key, revision }, index) => {
    const { value } = decodeRecord(keys[index] as Buffer, records[index]);
    return { key, revision, value };
  });
}

export interface RangePage {
  readonly items: KeyValue[];
  readonly remaining: number;
  readonly more: boolean;
}

/** The items of a range at `revision`, at most the view's head and at least the compaction. Throws `corrupt`. */
export async function readRange(view: View, options: RangeOptions, revision: Revision): Promise<RangePage> {
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  const bytesMax = options.bytesMax ?? Number.POSITIVE_INFINITY;
  const items: KeyValue[] = [];
  let bytes = 0;
  let remaining = 0;
  for await (const places of placesAt(view, options, revision)) {
    let taken = 0;
    while (taken < places.length && items.length < limit && bytes < bytesMax) {
      const average = items.length === 0 ? 16 * 1024 : Math.max(256, bytes / items.length);
      const wanted = Math.min(limit - items.length, Math.max(1, Math.ceil(valueBytesPerPage / average)));
      const chunk = places.slice(taken, taken + wanted);
      for (const item of await readValues(view.database, chunk, view.view)) {
        if (bytes >= bytesMax) break;
        items.push(item);
        bytes += item.value.length;
        taken++;
      }
    }
    remaining += places.length - taken;
    if (remaining > 0 && options.countRemaining === false) return { items, remaining: 0, more: true };
  }
  return { items, remaining, more: remaining > 0 };
}

/** Where the keys of a range stood at `revision`, in key order, in pages. */
async function* placesAt(
  view: View,
  { prefix, startAfter }: RangeOptions,
  revision: Revision,
): AsyncGenerator<Place[]> {
  const start = pointerKey(prefix);
  const after = startAfter !== undefined && compareKeys(startAfter, prefix) >= 0 ? startAfter : undefined;
  const iterator = view.database.iterator({
    ...(after === undefined ? { gte: start } : { gt: pointerKey(after) }),
    lt: prefix === '' ? pointerRange.end : bytesEnd(start),
    view: view.view,
  });
  try {
    for (let page = await iterator.nextv(pointersPerPage); page.length > 0; ) {
      const places: Place[] = [];
      const later: Place[] = [];
      for (const [keyBytes, bytes] of page) {
        const pointer = decodePointer(keyBytes, bytes);
        if (pointer.revision > revision)
          later.push({ key: keyOfPointerKey(keyBytes), revision: pointer.revision });
        else if (pointer.present) places.push({ key: keyOfPointerKey(keyBytes), revision: pointer.revision });
      }
      if (later.length > 0) {
        places.push(...(await walkBack(view, later, revision)));
        places.sort((left, right) => compareKeys(left.key, right.key));
      }
      yield places;
      page = await iterator.nextv(pointersPerPage);
    }
  } finally {
    await iterator.close();
  }
}

/** Follows the links of keys written after `revision` to where they stood at it. */
async function walkBack(view: View, places: Place[], revision: Revision): Promise<Place[]> {
  const found: Place[] = [];
  let later = places;
  while (later.length > 0) {
    const next: Place[] = [];
    for (let start = 0; start < later.length; start += recordsPerPage) {
      const chunk = later.slice(start, start + recordsPerPage);
      const keys = chunk.map((place) => recordKey(place.revision, place.key));
      const records = await view.database.getMany(keys, view.view);
      for (const [index, { key }] of chunk.entries()) {
        const { link, linkDeleted } = decodeRecord(keys[index] as Buffer, records[index]);
        if (link === 0) continue;
        if (link > revision) next.push({ key, revision: link });
        else if (!linkDeleted) found.push({ key, revision: link });
      }
    }
    later = next;
  }
  return found;
}

/** One record. Also the event that it tells of, without what stood there before. */
export class LogEntry implements StorageEvent {
  readonly keyBytes: Buffer;
  readonly revision: Revision;
  readonly record: DecodedRecord;

  /** Throws `corrupt`. */
  constructor(keyBytes: Buffer, bytes: Buffer) {
    this.keyBytes = keyBytes;
    this.revision = revisionOfRecordKey(keyBytes);
    this.record = decodeRecord(keyBytes, bytes);
  }

  /** Decoded when asked for: who only verifies has no use for it. */
  get key(): StorageKey {
    return keyOfRecordKey(this.keyBytes);
  }

  get type(): 'put' | 'delete' {
    return this.record.type;
  }

  get value(): Buffer | undefined {
    return this.record.type === 'put' ? this.record.value : undefined;
  }

  get previous(): undefined {
    return undefined;
  }
}

/**
 * What `iterator` gives, in pages of at most `size`. LevelDB reads the next page in a thread of its own while one is
 * worked off here: so who wants all of it waits for the slower of the two, not for both.
 */
export async function* readAhead(iterator: LevelIterator, size: number): AsyncGenerator<[Buffer, Buffer][]> {
  let coming = iterator.nextv(size);
  for (;;) {
    const page = await coming;
    if (page.length === 0) return;
    coming = iterator.nextv(size);
    // Whoever stops before the end never hears of it.
    coming.catch(() => {});
    yield page;
  }
}

/**
 * The records after `after` up to `upTo`, in order, in pages of whole revisions. Throws `corrupt` when one does not
 * match its checksum, when a revision is missing or not whole.
 */
export async function* readLog(
  database: LevelDatabase,
  after: Revision,
  upTo: Revision,
  view?: LevelView,
): AsyncGenerator<LogEntry[]> {
  const iterator = database.iterator({
    gte: recordStart(after + 1),
    lt: recordStart(upTo + 1),
    view,
    pageBytes: valueBytesPerPage,
  });
  try {
    yield* wholeRevisions(iterator, after, upTo);
  } finally {
    await iterator.close();
  }
}

async function* wholeRevisions(
  iterator: LevelIterator,
  after: Revision,
  upTo: Revision,
): AsyncGenerator<LogEntry[]> {
  const check = new LogCheck(after);
  let entries: LogEntry[] = [];
  for await (const page of readAhead(iterator, recordsPerPage)) {
    for (const [keyBytes, bytes] of page) {
      const entry = new LogEntry(keyBytes, bytes);
      check.next(entry);
      entries.push(entry);
    }
    if (check.whole) {
      yield entries;
      entries = [];
    } else {
      const open = entries.findIndex((entry) => entry.revision === check.revision);
      if (open > 0) yield entries.splice(0, open);
    }
  }
  check.end(upTo);
}

/**
 * All records up to the compaction that are still there, in the order of writing. Those made superfluous but not yet
 * deleted are among them. Throws `corrupt`.
 */
export async function* readCompacted(
  database: LevelDatabase,
  compacted: Revision,
  view?: LevelView,
): AsyncGenerator<LogEntry[]> {
  const iterator = database.iterator({
    gte: recordStart(0),
    lt: recordStart(compacted + 1),
    view,
    pageBytes: valueBytesPerPage,
  });
  try {
    for await (const page of readAhead(iterator, recordsPerPage)) {
      yield page.map(([keyBytes, bytes]) => new LogEntry(keyBytes, bytes));
    }
  } finally {
    await iterator.close();
  }
}

/** Turns log entries into events with what stood there before. */
export async function eventsOfLog(
  { database, view }: View,
  entries: readonly LogEntry[],
  withPrevious: boolean,
): Promise<StorageEvent[]> {
  const linked = withPrevious ? entries.filter(({ record }) => record.link !== 0 && !record.linkDeleted) : [];
  const previous = new Map<string, KeyValue>();
  for (let start = 0; start < linked.length; start += recordsPerPage) {
    const chunk = linked.slice(start, start + recordsPerPage);
    const places = chunk.map(({ key, record }) => ({ key, revision: record.link }));
    for (const item of await readValues(database, places, view)) {
      previous.set(`${item.revision}${item.key}`, item);
    }
  }
  return entries.map(({ key, revision, record }) => ({
    type: record.type,
    key,
    revision,
    value: record.type === 'put' ? record.value : undefined,
    previous: previous.size === 0 ? undefined : previous.get(`${record.link}${key}`),
  }));
}
