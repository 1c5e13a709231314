import type { Clock } from '#apimachinery/clock.ts';
import type { KeyQueue } from '#client/queue/key-queue.ts';
import type { WorkSharing } from '#client/queue/work-sharing.ts';
import { WorkQueue } from '#client/workqueue.ts';
import { clusterOf } from './object-key.ts';

export interface QueueLength {
  readonly name: string;
  /** Keys that wait, for a worker or for their time, or are worked on. */
  readonly size: number;
  /** Of these, those that wait for a worker. */
  readonly ready: number;
}

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

  /** Of each, in this process. */
  lengths(): readonly QueueLength[] {
    const { objects, policies, rebalancers, taints } = this;
    return Object.entries({ objects, policies, rebalancers, taints }).map(([name, { size, ready }]) => ({
      name,
      size,
      ready,
    }));
  }

  close(): void {
    for (const queue of this.#all()) queue.close();
  }

  #all(): readonly KeyQueue[] {
    return [this.objects, this.policies, this.rebalancers, this.progress, this.taints];
  }
}
