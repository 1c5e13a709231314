import type { Clock } from '#apimachinery/clock.ts';
import type { KeyQueue } from '#client/queue/key-queue.ts';
import type { WorkSharing } from '#client/queue/work-sharing.ts';
import { WorkQueue } from '#client/workqueue.ts';
import { clusterOf } from './object-key.ts';

/** The scheduler's queues, one for each kind of thing that is looked at. */
export class Queues {
  /** Keys of project objects: shared by all schedulers. */
  readonly objects: KeyQueue;
  /** Keys of propagation policies: every scheduler knows what they select. */
  readonly policies: WorkQueue;
  readonly rebalancers: WorkQueue;
  /** Keys of propagation policies whose objects are rolled out further. */
  readonly progress: WorkQueue;
  /** Names of cells. */
  readonly taints: WorkQueue;

  constructor(clock: Clock, sharing: WorkSharing) {
    this.objects = sharing.queue(clusterOf);
    this.policies = new WorkQueue({ clock });
    this.rebalancers = new WorkQueue({ clock });
    this.progress = new WorkQueue({ clock });
    this.taints = new WorkQueue({ clock });
  }

  get idle(): boolean {
    return this.#all().every((queue) => queue.idle);
  }

  close(): void {
    for (const queue of this.#all()) queue.close();
  }

  #all(): readonly KeyQueue[] {
    return [this.objects, this.policies, this.rebalancers, this.progress, this.taints];
  }
}
