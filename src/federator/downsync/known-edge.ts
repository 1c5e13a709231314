import type { Clock } from '#apimachinery/clock.ts';
import type { CopyKey } from '../cell/copy-keys.ts';
import type { EdgeObject } from '../edge/edge-object.ts';

interface Known {
  readonly object: EdgeObject;
  /** What the watch had told when we wrote; while it tells nothing else, our own answer is newer. */
  readonly overRevision: string | undefined;
  readonly untilMs: number;
}

/** How long a watch may lag behind the answer to a write before it is believed again. */
export const echoMaxMs = 10_000;

/** What our own writes at the edge were answered: newer than the watch for a moment, and the measure of drift after it. */
export class KnownEdge {
  readonly #clock: Clock;
  readonly #known = new Map<CopyKey, Known>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `mirrored`: what the watch had told before. */
  applied(key: CopyKey, object: EdgeObject, mirrored: EdgeObject | undefined): void {
    const overRevision = mirrored?.metadata.resourceVersion;
    this.#known.set(key, { object, overRevision, untilMs: this.#clock.monotonic() + echoMaxMs });
  }

  /** The last write's content and fields. */
  get(key: CopyKey): { readonly contentHash: string; readonly fieldsHash: string } | undefined {
    return this.#known.get(key)?.object;
  }

  /** The newer of what the watch tells and what our own write was answered. */
  newest(key: CopyKey, mirrored: EdgeObject | undefined): EdgeObject | undefined {
    const known = this.#known.get(key);
    if (known === undefined || mirrored?.metadata.resourceVersion !== known.overRevision) return mirrored;
    return this.#clock.monotonic() < known.untilMs ? known.object : mirrored;
  }

  /**
   * How long our own answer is still to be believed against the watch; 0: the watch is. It must be looked at again then:
   * what came and went between two looks of the watch is told by no event.
   */
  believedForMs(key: CopyKey, mirrored: EdgeObject | undefined): number {
    const known = this.#known.get(key);
    if (known === undefined || mirrored?.metadata.resourceVersion !== known.overRevision) return 0;
    return Math.max(0, known.untilMs - this.#clock.monotonic());
  }

  forget(key: CopyKey): void {
    this.#known.delete(key);
  }
}
