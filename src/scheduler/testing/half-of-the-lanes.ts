import { systemClock } from '#apimachinery/clock.ts';
import type { KeyQueue } from '#client/queue/key-queue.ts';
import { laneOf } from '#client/queue/lanes.ts';
import type { SharingListener, WorkSharing } from '#client/queue/work-sharing.ts';
import { WorkQueue } from '#client/workqueue.ts';
import type { ControlPlane } from './control-plane.ts';

/** One of two schedulers that share the projects: those of every other lane. */
export class HalfOfTheLanes implements WorkSharing {
  readonly isDivided = true;
  readonly share = 0.5;
  readonly #parity: number;
  #isLost = false;
  #listener: SharingListener | undefined;

  constructor(parity: number) {
    this.#parity = parity;
  }

  owns = (owner: string): boolean => !this.#isLost && parityOf(owner) === this.#parity;

  queue(): KeyQueue {
    return new WorkQueue({ clock: systemClock });
  }

  start(_scope: string, listener: SharingListener): void {
    this.#listener = listener;
    listener.gained(this.owns);
  }

  /** All lanes go to another; or come back. */
  hand(isLost: boolean): void {
    const isOurs = (owner: string): boolean => parityOf(owner) === this.#parity;
    this.#isLost = isLost;
    if (isLost) this.#listener?.lost(isOurs);
    else this.#listener?.gained(isOurs);
  }

  async stop(): Promise<void> {}
}

/** Projects of both schedulers, those of the first one's half first. `first`: one that is there. */
export async function projectsOfBoth(controlPlane: ControlPlane, first: string): Promise<string[]> {
  const projects = [first];
  while (new Set(projects.map(parityOf)).size < 2)
    projects.push(await controlPlane.project(`p${projects.length}`));
  return projects.sort((a, b) => parityOf(a) - parityOf(b));
}

function parityOf(project: string): number {
  return laneOf(project) % 2;
}
