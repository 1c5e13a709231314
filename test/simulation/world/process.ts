import type { Clock, TimerHandle } from '#apimachinery/clock.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Around a write: before it is sent or committed, or after it, when nobody was told yet. */
export type AroundWrite = 'before' | 'after';

interface Aim {
  readonly when: AroundWrite;
  writesLeft: number;
  readonly strike: () => void;
}

/**
 * One run of a simulated process: it can be paused, its clock can jump, and it can be killed at any await. What is killed
 * stays where it is for good: none of its timers fires, none of its calls is answered.
 */
export class SimulatedProcess {
  readonly name: string;
  readonly clock: Clock;
  readonly #time: VirtualTime;
  #jumpMs = 0;
  #isAlive = true;
  #isPaused = false;
  #aim: Aim | undefined;
  readonly #atWaking: (() => void)[] = [];
  readonly #atDeath = new Set<() => void>();

  constructor(name: string, time: VirtualTime) {
    this.name = name;
    this.#time = time;
    this.clock = {
      now: () => Date.now() + this.#jumpMs,
      monotonic: () => time.nowMs,
      setTimeout: (callback, delayMs) => this.#setTimeout(callback, delayMs),
    };
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Calls back when the process is killed. Returns how to take that back. */
  onDeath(callback: () => void): () => void {
    this.#atDeath.add(callback);
    return () => void this.#atDeath.delete(callback);
  }

  /** As SIGKILL. */
  kill(): void {
    this.#isAlive = false;
    this.#aim = undefined;
    this.#atWaking.length = 0;
    for (const callback of this.#atDeath) callback();
    this.#atDeath.clear();
  }

  /** `strike` is done around the `nth` write from now on; it takes the place of what was aimed before. */
  aimAtWrite(nth: number, when: AroundWrite, strike: () => void): void {
    this.#aim = { when, writesLeft: nth, strike };
  }

  forgetAim(): void {
    this.#aim = undefined;
  }

  /** For whoever carries its writes: returns never, when the process dies of it. */
  async atWrite(when: AroundWrite): Promise<void> {
    const aim = this.#aim;
    if (aim?.when !== when || --aim.writesLeft > 0) return;
    this.#aim = undefined;
    aim.strike();
    await this.awake();
  }

  /** As SIGSTOP. */
  pause(): void {
    this.#isPaused = true;
  }

  /** As SIGCONT. */
  wake(): void {
    this.#isPaused = false;
    for (const callback of this.#atWaking.splice(0)) if (this.#isAlive) callback();
  }

  /** The clock on the wall is set. */
  jump(byMs: number): void {
    this.#jumpMs += byMs;
    this.#time.aheadMsMax = Math.max(this.#time.aheadMsMax, this.#jumpMs);
  }

  /** Resolves while the process runs; never, when it is dead. */
  awake(): Promise<void> {
    return new Promise((resolve) => this.#whenAwake(resolve));
  }

  sleep(delayMs: number): Promise<void> {
    return this.#time.sleep(delayMs).then(() => this.awake());
  }

  #whenAwake(callback: () => void): void {
    if (!this.#isAlive) return;
    if (this.#isPaused) this.#atWaking.push(callback);
    else callback();
  }

  #setTimeout(callback: () => void, delayMs: number): TimerHandle {
    let isCancelled = false;
    const timer = setTimeout(() => {
      this.#whenAwake(() => {
        if (!isCancelled) callback();
      });
    }, delayMs);
    const handle: TimerHandle = {
      cancel: () => {
        isCancelled = true;
        clearTimeout(timer);
      },
      unref: () => handle,
    };
    return handle;
  }
}
