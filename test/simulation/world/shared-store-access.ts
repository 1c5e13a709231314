import { StorageError } from '#storage/errors.ts';
import type {
  KeyValue,
  RangeOptions,
  RangeResult,
  Revision,
  Storage,
  StorageEvent,
  StorageKey,
  Subscription,
  Transaction,
  TransactionResult,
  WatchHandler,
  WatchOptions,
} from '#storage/storage.ts';
import type { Random } from '../../harness/random.ts';
import type { SimulatedProcess } from './process.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Between one server and a store that others write too. */
export interface StoreLine {
  isCut: boolean;
  /** Its watches tell nothing until then. */
  heldUntilMs: number;
  /** Share of the writes that are done and not answered. */
  answerLossRate: number;
  /** Share of the writes that the store refuses. */
  refusalRate: number;
}

export function newStoreLine(): StoreLine {
  return { isCut: false, heldUntilMs: 0, answerLossRate: 0, refusalRate: 0 };
}

/** Nothing more is done to it; what is refused is not touched. */
export function mend(line: StoreLine): void {
  line.isCut = false;
  line.heldUntilMs = 0;
  line.answerLossRate = 0;
}

export interface SharedStoreAccessOptions {
  readonly inner: Storage;
  readonly line: StoreLine;
  readonly process: Pick<SimulatedProcess, 'awake' | 'atWrite' | 'isAlive'>;
  readonly time: Pick<VirtualTime, 'nowMs' | 'sleep'>;
  readonly random: Random;
}

const latencyMsMax = 2;
const fsyncMsMax = 2;
/** As the etcd driver's (storage/etcd/etcd-connection.ts): a read is asked for elsewhere, a write is given up. */
const readMsMax = 3_000;
const writeMsMax = 10_000;
const lookAgainMs = 50;

/**
 * One server's access to a store that others write too, with what the etcd driver promises and no more: no `awaitSettled`, a
 * write may be answered before its event comes and the other way round, watches go on over whatever interrupts them and may come
 * late, and only a history that is gone ends them.
 */
export class SharedStoreAccess implements Storage {
  readonly controlPlaneId: string;
  readonly incarnationId: string;
  readonly #options: SharedStoreAccessOptions;
  readonly #streams = new Set<EventStream>();
  readonly #writes = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(options: SharedStoreAccessOptions) {
    this.#options = options;
    this.controlPlaneId = options.inner.controlPlaneId;
    this.incarnationId = options.inner.incarnationId;
  }

  get(key: StorageKey): Promise<KeyValue | undefined> {
    return this.#read((inner) => inner.get(key));
  }

  range(options: RangeOptions): Promise<RangeResult> {
    return this.#read((inner) => inner.range(options));
  }

  currentRevision(): Promise<Revision> {
    return this.#read((inner) => inner.currentRevision());
  }

  compact(revision: Revision): Promise<void> {
    return this.#read((inner) => inner.compact(revision));
  }

  compactedRevision(): Promise<Revision> {
    return this.#read((inner) => inner.compactedRevision());
  }

  async transact(transaction: Transaction): Promise<TransactionResult> {
    this.#assertOpen();
    const write = this.#write(transaction);
    this.#writes.add(write);
    try {
      return await write;
    } finally {
      this.#writes.delete(write);
    }
  }

  async watch(options: WatchOptions, handler: WatchHandler): Promise<Subscription> {
    const { time, random, inner } = this.#options;
    const stream: EventStream = new EventStream({
      handler,
      latencyMs: () => random.next() ** 2 * latencyMsMax,
      time,
      passable: () => this.#tellable(),
      onEnd: () => void this.#streams.delete(stream),
    });
    const subscription = await this.#read(() => inner.watch(options, stream));
    stream.atEnd(() => subscription.close());
    this.#streams.add(stream);
    return { close: () => stream.close() };
  }

  /** What its watches have yet to tell is compacted. */
  loseWatches(): void {
    const compacted = new StorageError('compacted', 'the revision was compacted');
    for (const stream of [...this.#streams]) stream.fail(compacted);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled([...this.#writes]);
    for (const stream of [...this.#streams]) stream.fail(closed());
  }

  async #read<T>(perform: (inner: Storage) => Promise<T>): Promise<T> {
    const { inner, process } = this.#options;
    this.#assertOpen();
    await this.#cross(readMsMax, 'unavailable');
    const value = await perform(inner);
    await this.#cross(readMsMax, 'unavailable');
    await process.awake();
    return value;
  }

  async #write(transaction: Transaction): Promise<TransactionResult> {
    const { inner, process, random, time, line } = this.#options;
    await process.awake();
    await process.atWrite('before');
    if (line.refusalRate > 0 && random.next() < line.refusalRate) {
      throw new StorageError('unavailable', 'injected: the store takes no writes now');
    }
    await this.#cross(writeMsMax, 'outcome-unknown');
    await time.sleep(random.next() ** 2 * fsyncMsMax);
    // What the dead have not sent yet is never sent.
    if (!process.isAlive) await process.awake();
    const result = await inner.transact(transaction);
    await process.atWrite('after');
    if (line.answerLossRate > 0 && random.next() < line.answerLossRate) {
      throw new StorageError('outcome-unknown', 'injected: the connection to the store broke');
    }
    await this.#cross(writeMsMax, 'outcome-unknown');
    await process.awake();
    return result;
  }

  /** One way; throws where that takes too long. */
  async #cross(msMax: number, otherwise: 'unavailable' | 'outcome-unknown'): Promise<void> {
    const { time, random, line } = this.#options;
    const endMs = time.nowMs + msMax;
    await time.sleep(random.next() ** 2 * latencyMsMax);
    while (line.isCut) {
      if (time.nowMs >= endMs) throw new StorageError(otherwise, 'injected: cut off from the store');
      await time.sleep(lookAgainMs);
    }
  }

  async #tellable(): Promise<void> {
    const { time, line, process } = this.#options;
    for (;;) {
      await process.awake();
      const heldMs = line.heldUntilMs - time.nowMs;
      if (heldMs > 0) await time.sleep(Math.min(heldMs, lookAgainMs));
      else if (line.isCut) await time.sleep(lookAgainMs);
      else return;
    }
  }

  #assertOpen(): void {
    if (this.#isClosed) throw closed();
  }
}

function closed(): StorageError {
  return new StorageError('closed', 'the store was stopped');
}

interface StreamOptions {
  readonly handler: WatchHandler;
  readonly latencyMs: () => number;
  readonly time: Pick<VirtualTime, 'nowMs' | 'sleep'>;
  /** Resolves when something can be told. */
  readonly passable: () => Promise<void>;
  readonly onEnd: () => void;
}

/** Events on their way, in their order. */
class EventStream implements WatchHandler {
  readonly #options: StreamOptions;
  #waiting: { readonly events: readonly StorageEvent[]; readonly dueMs: number }[] = [];
  #isPumping = false;
  #isOver = false;
  #atEnd: () => void = () => {};

  constructor(options: StreamOptions) {
    this.#options = options;
  }

  atEnd(callback: () => void): void {
    if (this.#isOver) callback();
    else this.#atEnd = callback;
  }

  events(events: readonly StorageEvent[]): void {
    if (this.#isOver) return;
    const { time, latencyMs } = this.#options;
    this.#waiting.push({ events, dueMs: time.nowMs + latencyMs() });
    if (!this.#isPumping) void this.#pump();
  }

  end(error: Error): void {
    this.fail(error);
  }

  fail(error: Error): void {
    if (this.#isOver) return;
    this.close();
    this.#options.handler.end(error);
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waiting = [];
    this.#atEnd();
    this.#options.onEnd();
  }

  async #pump(): Promise<void> {
    const { time, passable, handler } = this.#options;
    this.#isPumping = true;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (next.dueMs > time.nowMs) await time.sleep(next.dueMs - time.nowMs);
      await passable();
      // Ended meanwhile, it has nothing to tell any more.
      const first = this.#waiting.shift();
      if (first === undefined) break;
      try {
        handler.events(first.events);
      } catch (error) {
        this.fail(error instanceof Error ? error : new Error(String(error)));
      }
    }
    this.#isPumping = false;
  }
}
