import { setTimeout as pause } from 'node:timers/promises';
import { isStorageError } from '#storage/errors.ts';
import type { Operation, Storage, StorageKey, Subscription, WatchHandler } from '#storage/storage.ts';
import { Random } from '../harness/random.ts';

/** What stands in every value: enough to know the whole transaction that wrote it. */
export interface Written {
  /** Of the transaction; never used twice. */
  readonly id: string;
  readonly writer: number;
  /** The writer's transactions up to this one. */
  readonly count: number;
  readonly puts: readonly string[];
  readonly deletes: readonly string[];
}

export interface LoadReport {
  acknowledged(written: Written, revision: number): void;
  /** It may or may not have happened. */
  unknown(written: Written): void;
  /** It surely has not happened. */
  refused(written: Written): void;
  /** A watch has told of this revision. */
  seen(revision: number): void;
}

export interface LoadOptions {
  readonly storage: Storage;
  readonly seed: number;
  readonly writers: number;
  /** Part of the transactions' ids: one load, one session. */
  readonly session: string;
  readonly report: LoadReport;
  /** Ends the load. */
  readonly signal: AbortSignal;
  /** Largest value in bytes; most are far smaller. */
  readonly valueBytesMax: number;
}

const sharedKeys = 40;

export function ownKey(writer: number): StorageKey {
  return `/own/r/c/n/${writer}` as StorageKey;
}

export function encodeWritten(written: Written, fillBytes: number): Buffer {
  const head = JSON.stringify(written);
  return Buffer.from(`${head}\n${fillOf(written.id, fillBytes)}`);
}

/** Throws for bytes that no load has written. */
export function decodeWritten(value: Buffer): Written {
  const end = value.indexOf(10);
  const written = JSON.parse(value.subarray(0, end).toString()) as Written;
  const fill = value.subarray(end + 1).toString();
  if (fill !== fillOf(written.id, fill.length)) throw new Error(`the value of ${written.id} is damaged`);
  return written;
}

function fillOf(id: string, bytes: number): string {
  return `${id};`.repeat(Math.ceil(bytes / (id.length + 1))).slice(0, bytes);
}

/**
 * Writes from several writers at once until the signal: transactions over a writer's own key, which is guarded, and a
 * few keys that all share, put and deleted, guarded or not. Goes on after errors that say that it may.
 */
export async function runLoad(options: LoadOptions): Promise<void> {
  const watch = await openWatch(options);
  try {
    await Promise.all(
      Array.from({ length: options.writers }, (_, writer) => new Writer(options, writer).run()),
    );
  } finally {
    watch?.close();
  }
}

/** Undefined when the load has ended before. */
async function openWatch({ storage, report, signal }: LoadOptions): Promise<Subscription | undefined> {
  const handler: WatchHandler = {
    events: (events) => {
      const last = events.at(-1);
      if (last !== undefined) report.seen(last.revision);
    },
    end: () => {},
  };
  while (!signal.aborted) {
    try {
      return await storage.watch({ prefix: '', afterRevision: await storage.currentRevision() }, handler);
    } catch (error) {
      if (!mayGoOn(error)) throw error;
      await pause(5);
    }
  }
  return undefined;
}

/** Whether what lies below the store is unwell for a while. */
function mayGoOn(error: unknown): boolean {
  return isStorageError(error, 'unavailable', 'outcome-unknown', 'timeout');
}

class Writer {
  readonly #options: LoadOptions;
  readonly #writer: number;
  readonly #random: Random;
  #attempts = 0;

  constructor(options: LoadOptions, writer: number) {
    this.#options = options;
    this.#writer = writer;
    this.#random = new Random(options.seed * 31 + writer);
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#write();
      } catch (error) {
        if (isStorageError(error, 'closed') && signal.aborted) return;
        if (!mayGoOn(error)) throw error;
        await pause(5);
      }
    }
  }

  async #write(): Promise<void> {
    const { storage, report, session, valueBytesMax } = this.#options;
    const random = this.#random;
    const own = await storage.get(ownKey(this.#writer));
    const touched = new Map<StorageKey, 'put' | 'delete'>([[ownKey(this.#writer), 'put']]);
    for (let further = random.between(0, 5); further > 0; further--) {
      const key = `/shared/r/c/n/${random.between(0, sharedKeys - 1)}` as StorageKey;
      touched.set(key, random.next() < 0.7 ? 'put' : 'delete');
    }
    const guards = [{ key: ownKey(this.#writer), revision: own?.revision ?? (0 as never) }];
    const written: Written = {
      id: `${session}.${this.#writer}.${this.#attempts++}`,
      writer: this.#writer,
      count: (own === undefined ? 0 : decodeWritten(own.value).count) + 1,
      puts: [...touched].flatMap(([key, type]) => (type === 'put' ? [key] : [])),
      deletes: [...touched].flatMap(([key, type]) => (type === 'delete' ? [key] : [])),
    };
    const operations = [...touched].map(([key, type]): Operation => {
      if (type === 'delete') return { type, key };
      const isLarge = random.next() < 0.03;
      return { type, key, value: encodeWritten(written, random.between(0, isLarge ? valueBytesMax : 400)) };
    });
    try {
      const result = await storage.transact({ guards, operations });
      // Nobody else writes this key: it is an earlier write of unknown outcome that has landed late.
      if (result.committed) report.acknowledged(written, result.revision);
      else report.refused(written);
    } catch (error) {
      if (isStorageError(error, 'unavailable')) report.refused(written);
      else report.unknown(written);
      throw error;
    }
  }
}
