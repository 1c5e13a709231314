// Time, chance and the event loop of a whole simulated system: what waits for a timer costs nothing, and equal seeds give
// equal runs. It takes the place of Node's own timers, clocks and sources of chance while it is installed; nothing in the
// system under test knows.
import crypto from 'node:crypto';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';
import { emptyRandomPools } from '#apimachinery/random-pool.ts';
import { Random } from '../../harness/random.ts';

type Callback = (...args: unknown[]) => void;

/** Timers of seconds, which undici keeps in one list for the whole process; it has no types of them. */
const undiciTimers = createRequire(import.meta.url)('undici/lib/util/timers.js') as {
  readonly reset: () => void;
};
const realSetImmediate = globalThis.setImmediate;
const realClearImmediate = globalThis.clearImmediate;
/** What no timer fires after ends: a run that makes no progress in virtual time. */
const turnsPerMomentMax = 200_000;

/** One pending timer; what Node's own has that anyone uses. */
class VirtualTimer {
  readonly #time: VirtualTime;
  readonly callback: () => void;
  readonly repeatMs: number | undefined;
  readonly delayMs: number;
  /** Of its last arming. */
  order = 0;

  constructor(time: VirtualTime, callback: () => void, delayMs: number, repeats: boolean) {
    this.#time = time;
    this.callback = callback;
    this.delayMs = Number.isFinite(delayMs) && delayMs > 0 ? delayMs : 1;
    this.repeatMs = repeats ? this.delayMs : undefined;
  }

  unref(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  refresh(): this {
    this.#time.arm(this);
    return this;
  }

  close(): this {
    this.#time.cancel(this);
    return this;
  }

  [Symbol.toPrimitive](): number {
    return this.order;
  }

  [Symbol.dispose](): void {
    this.#time.cancel(this);
  }
}

/** One arming of a timer. */
interface Arming {
  readonly timer: VirtualTimer;
  readonly dueMs: number;
  readonly order: number;
}

/** The moment that a run begins at, in milliseconds since the epoch. */
const beginMs = Date.UTC(2026, 0, 1);

export class VirtualTime {
  /** How far some process's clock was set ahead, at most: what is over at a moment of that clock is over so much later by others. */
  aheadMsMax = 0;
  /** For what the simulated system draws itself: jitter, ids. */
  readonly #chance: Random;
  readonly #pending = new Set<VirtualTimer>();
  /** A binary heap by due time, then by the order of arming; what was cancelled or armed anew lies in it until its turn. */
  #queue: Arming[] = [];
  #nowMs = 0;
  #orders = 0;
  #immediates = 0;
  #restore: (() => void) | undefined;

  constructor(seed: number) {
    this.#chance = new Random(seed ^ 0x5bd1e995);
  }

  /** Milliseconds since the run began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  arm(timer: VirtualTimer): void {
    timer.order = ++this.#orders;
    this.#pending.add(timer);
    const arming = { timer, dueMs: this.#nowMs + timer.delayMs, order: timer.order };
    let at = this.#queue.length;
    this.#queue.push(arming);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(arming, this.#queue[parent] as Arming)) break;
      this.#queue[at] = this.#queue[parent] as Arming;
      at = parent;
    }
    this.#queue[at] = arming;
  }

  cancel(timer: VirtualTimer): void {
    this.#pending.delete(timer);
  }

  /** Resolves after so much virtual time. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.#set(resolve, delayMs, false));
  }

  /**
   * Runs `main` to its end, time jumping from timer to timer whenever nothing is left to do now. Rejects as `main` does, or
   * when nothing is left that could ever happen.
   */
  async run<T>(main: () => Promise<T>): Promise<T> {
    this.#install();
    try {
      let isDone = false;
      const result = main().finally(() => {
        isDone = true;
      });
      result.catch(() => {}); // seen below
      for (;;) {
        await this.#settle();
        if (isDone) return await result;
        const next = this.#next();
        if (next === undefined) throw new Error(`at ${this.#nowMs} ms nothing is left that could happen`);
        const { timer, dueMs } = next;
        this.#nowMs = Math.max(this.#nowMs, dueMs);
        if (timer.repeatMs === undefined) this.#pending.delete(timer);
        else this.arm(timer);
        timer.callback();
      }
    } finally {
      this.#restore?.();
      this.#restore = undefined;
      this.#pending.clear();
      this.#queue = [];
    }
  }

  /** Lets promises and immediates run until none is left. */
  async #settle(): Promise<void> {
    for (let turns = 0; ; turns++) {
      await new Promise((resolve) => realSetImmediate(resolve));
      if (this.#immediates === 0) return;
      if (turns > turnsPerMomentMax)
        throw new Error(`at ${this.#nowMs} ms the event loop does not come to rest`);
    }
  }

  #next(): Arming | undefined {
    for (;;) {
      const first = this.#queue[0];
      if (first === undefined) return undefined;
      this.#removeFirst();
      if (this.#pending.has(first.timer) && first.timer.order === first.order) return first;
    }
  }

  #removeFirst(): void {
    const last = this.#queue.pop() as Arming;
    const size = this.#queue.length;
    if (size === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && isBefore(this.#queue[child + 1] as Arming, this.#queue[child] as Arming))
        child++;
      if (!isBefore(this.#queue[child] as Arming, last)) break;
      this.#queue[at] = this.#queue[child] as Arming;
      at = child;
    }
    this.#queue[at] = last;
  }

  #set(callback: () => void, delayMs: number | undefined, repeats: boolean): VirtualTimer {
    const timer = new VirtualTimer(this, callback, Number(delayMs ?? 0), repeats);
    this.arm(timer);
    return timer;
  }

  #install(): void {
    if (this.#restore !== undefined) throw new Error('virtual time is installed already');
    const undo: (() => void)[] = [];
    const replace = <T extends object, K extends keyof T>(on: T, key: K, value: unknown) => {
      const before = Object.getOwnPropertyDescriptor(on, key);
      Object.defineProperty(on, key, { configurable: true, enumerable: true, writable: true, value });
      undo.push(() => {
        if (before === undefined) delete on[key];
        else Object.defineProperty(on, key, before);
      });
    };
    const set = (callback: Callback, delayMs?: number, ...args: unknown[]) =>
      this.#set(() => callback(...args), delayMs, false);
    const repeat = (callback: Callback, delayMs?: number, ...args: unknown[]) =>
      this.#set(() => callback(...args), delayMs, true);
    const clear = (timer: unknown) => {
      if (timer instanceof VirtualTimer) this.cancel(timer);
    };
    const immediates = new Set<unknown>();
    const immediate = (callback: Callback, ...args: unknown[]) => {
      const handle: unknown = realSetImmediate(() => {
        immediates.delete(handle);
        this.#immediates--;
        callback(...args);
      });
      immediates.add(handle);
      this.#immediates++;
      return handle;
    };
    const clearImmediate = (handle: unknown) => {
      if (!immediates.delete(handle)) return;
      this.#immediates--;
      realClearImmediate(handle as NodeJS.Immediate);
    };
    for (const place of [globalThis, timers] as const) {
      replace(place, 'setTimeout', set);
      replace(place, 'setInterval', repeat);
      replace(place, 'setImmediate', immediate);
      replace(place, 'clearTimeout', clear);
      replace(place, 'clearInterval', clear);
      replace(place, 'clearImmediate', clearImmediate);
    }
    replace(
      timersPromises,
      'setTimeout',
      (delayMs?: number, value?: unknown, options?: { signal?: AbortSignal }) =>
        this.#promise(delayMs ?? 0, value, options?.signal),
    );
    replace(
      timersPromises,
      'setImmediate',
      (value?: unknown) => new Promise((resolve) => immediate(() => resolve(value))),
    );
    const now = () => beginMs + Math.floor(this.#nowMs);
    const RealDate = globalThis.Date;
    class VirtualDate extends RealDate {
      constructor(...args: unknown[]) {
        if (args.length === 0) super(now());
        else super(...(args as [number]));
      }
      static override now(): number {
        return now();
      }
    }
    replace(globalThis, 'Date', VirtualDate);
    replace(performance, 'now', () => this.#nowMs);
    // How much of the time this machine works must not tell in a run.
    replace(performance, 'eventLoopUtilization', () => ({ active: 0, idle: this.#nowMs, utilization: 0 }));
    replace(Math, 'random', () => this.#chance.next());
    replace(AbortSignal, 'timeout', (delayMs: number) => {
      const controller = new AbortController();
      this.#set(
        () => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')),
        delayMs,
        false,
      );
      return controller.signal;
    });
    const bytes = (size: number) =>
      Buffer.from(Array.from({ length: size }, () => this.#chance.between(0, 255)));
    replace(crypto, 'randomBytes', bytes);
    replace(crypto, 'randomFillSync', (buffer: Buffer) => buffer.fill(bytes(buffer.length)));
    replace(crypto, 'randomUUID', () => uuidOf(bytes(16)));
    replace(crypto, 'randomInt', (...limits: [max: number] | [min: number, max: number]) => {
      const [min, max] = limits.length === 1 ? [0, limits[0]] : limits;
      return this.#chance.between(min, max - 1);
    });
    syncBuiltinESMExports();
    beginAnew();
    this.#restore = () => {
      for (const one of undo.reverse()) one();
      syncBuiltinESMExports();
      beginAnew();
    };
  }

  #promise(delayMs: number, value: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        this.cancel(timer);
        reject(signal?.reason);
      };
      const timer = this.#set(
        () => {
          signal?.removeEventListener('abort', onAbort);
          resolve(value);
        },
        delayMs,
        false,
      );
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}

/** Random bytes drawn ahead, and timers that lie in another run's time, would make a run another than its seed alone does. */
function beginAnew(): void {
  emptyRandomPools();
  undiciTimers.reset();
}

function isBefore(a: Arming, b: Arming): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}

/** RFC 9562, version 4. */
function uuidOf(bytes: Buffer): string {
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
