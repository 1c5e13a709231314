import { ApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, WatchEvent } from '#client/client.ts';

/**
 * A client whose watches of one resource leave out the objects that `isCut` names from `cut` on, and break off at `mend`: what
 * happened to these in between is seen by a list alone.
 */
export class CutWatches {
  readonly client: KubeClient;
  readonly #isCut: (object: KubeObject) => boolean;
  #isCutting = false;
  #mended = new AbortController();

  constructor(inner: KubeClient, resource: string, isCut: (object: KubeObject) => boolean) {
    this.#isCut = isCut;
    this.client = new Proxy(inner, {
      get: (target, property: keyof KubeClient) => {
        if (property !== 'watch') return target[property].bind(target);
        return (...args: Parameters<KubeClient['watch']>) =>
          args[0].gvr.resource === resource ? this.#watch(inner, ...args) : inner.watch(...args);
      },
    });
  }

  cut(): void {
    this.#isCutting = true;
  }

  mend(): void {
    this.#isCutting = false;
    this.#mended.abort();
    this.#mended = new AbortController();
  }

  async *#watch(
    inner: KubeClient,
    collection: Parameters<KubeClient['watch']>[0],
    options: Parameters<KubeClient['watch']>[1] = {},
  ): AsyncGenerator<WatchEvent> {
    const mended = this.#mended.signal;
    const signals = [mended, ...(options.signal === undefined ? [] : [options.signal])];
    try {
      for await (const event of inner.watch(collection, { ...options, signal: AbortSignal.any(signals) })) {
        if (event.type === 'BOOKMARK' || !this.#isCutting || !this.#isCut(event.object)) yield event;
      }
    } catch (error) {
      if (!mended.aborted) throw error;
    }
    if (mended.aborted) throw new ApiError('Expired', 'the watch was cut');
  }
}
