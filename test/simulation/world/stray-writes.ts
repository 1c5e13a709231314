import { schedulerName } from './names.ts';
import type { SimulatedProcess } from './process.ts';
import type { Reachable } from './reachable.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Sees a scheduler's writes that rest on what it has read of a store which is another one by now. */
export class StrayWrites {
  readonly violations: string[] = [];
  readonly #time: VirtualTime;
  /** By scheduler and server: what the scheduler's knowledge of it began with. */
  readonly #begunWith = new Map<string, { readonly by: SimulatedProcess; readonly incarnationId: string }>();

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  /** A scheduler has read which workspaces there are: what it decides from now on rests on this store. */
  begins(by: SimulatedProcess, { plane, incarnationId }: Reachable): void {
    if (by.name.startsWith(schedulerName)) this.#begunWith.set(`${by.name}>${plane}`, { by, incarnationId });
  }

  /** A write is carried out. */
  writes(by: SimulatedProcess, verb: string, { plane, incarnationId }: Reachable): void {
    const begun = this.#begunWith.get(`${by.name}>${plane}`);
    if (begun === undefined || begun.by !== by || begun.incarnationId === incarnationId) return;
    const atMs = Math.round(this.#time.nowMs);
    this.violations.push(
      `${by.name}: ${verb} at ${atMs} ms by what it knew of ${plane} before that was put back`,
    );
  }
}
