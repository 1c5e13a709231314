import type { Clock } from '#apimachinery/clock.ts';
import type { LeaseHolder } from '../lease.ts';
import { WorkQueue } from '../workqueue.ts';
import type { KeyQueue } from './key-queue.ts';
import type { SharingListener, WorkSharing } from './work-sharing.ts';

/** Of several processes the one that holds a lease does all work; the others know everything and stand by. */
export class LeaderSharing implements WorkSharing {
  readonly isDivided = false;
  readonly #clock: Clock;
  readonly #lease: LeaseHolder;

  constructor(lease: LeaseHolder, clock: Clock) {
    this.#lease = lease;
    this.#clock = clock;
  }

  get share(): number {
    return this.#lease.held ? 1 : 0;
  }

  owns = (): boolean => this.#lease.held;

  queue(): KeyQueue {
    return new WorkQueue({ clock: this.#clock });
  }

  start(_scope: string, { gained, lost }: SharingListener): void {
    this.#lease.onChange((held) => (held ? gained(() => true) : lost(() => true)));
    this.#lease.start();
  }

  stop(): Promise<void> {
    return this.#lease.stop();
  }
}
