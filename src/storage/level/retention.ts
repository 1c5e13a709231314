import type { Revision } from '../storage.ts';

/** When revisions were written, about one sample a `sampleMs`, so that an age can be turned into a revision. */
export class Timeline {
  readonly #sampleMs: number;
  #samples: { readonly timeMs: number; readonly revision: Revision }[];

  constructor(sampleMs: number, samples: { readonly timeMs: number; readonly revision: Revision }[]) {
    this.#sampleMs = sampleMs;
    this.#samples = samples;
  }

  note(timeMs: number, revision: Revision): void {
    const last = this.#samples.at(-1);
    if (last === undefined || timeMs >= last.timeMs + this.#sampleMs)
      this.#samples.push({ timeMs, revision });
  }

  /** The newest sampled revision written at or before `timeMs`; forgets the samples before it. */
  revisionAt(timeMs: number): Revision | undefined {
    const index = this.#samples.findLastIndex((sample) => sample.timeMs <= timeMs);
    if (index === -1) return undefined;
    this.#samples = this.#samples.slice(index);
    return this.#samples[0]?.revision;
  }
}
