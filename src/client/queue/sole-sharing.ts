import type { Clock } from '#apimachinery/clock.ts';
import { WorkQueue } from '../workqueue.ts';
import type { KeyQueue } from './key-queue.ts';
import type { SharingListener, WorkSharing } from './work-sharing.ts';

/** For a process that is known to be the only one: everything is its own from the start on. */
export class SoleSharing implements WorkSharing {
  readonly isDivided = false;
  readonly #clock: Clock;
  #started = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get share(): number {
    return this.#started ? 1 : 0;
  }

  owns = (): boolean => this.#started;

  queue(): KeyQueue {
    return new WorkQueue({ clock: this.#clock });
  }

  start(_scope: string, listener: SharingListener): void {
    this.#started = true;
    listener.gained(() => true);
  }

  async stop(): Promise<void> {
    this.#started = false;
  }
}
