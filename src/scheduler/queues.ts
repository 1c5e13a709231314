import type { Clock } from '#apimachinery/clock.ts';
import { WorkQueue } from '#client/workqueue.ts';

/** The scheduler's queues, one for each kind of thing that is looked at. */
export class Queues {
  /** Keys of project objects. */
  readonly objects: WorkQueue;
  /** Keys of propagation policies. */
  readonly policies: WorkQueue;
  readonly rebalancers: WorkQueue;
  /** Names of cells. */
  readonly taints: WorkQueue;

  constructor(clock: Clock) {
    this.objects = new WorkQueue({ clock });
    this.policies = new WorkQueue({ clock });
    this.rebalancers = new WorkQueue({ clock });
    this.taints = new WorkQueue({ clock });
  }

  get idle(): boolean {
    return this.#all().every((queue) => queue.idle);
  }

  close(): void {
    for (const queue of this.#all()) queue.close();
  }

  #all(): readonly WorkQueue[] {
    return [this.objects, this.policies, this.rebalancers, this.taints];
  }
}
