import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { formatApiVersion, type GroupVersionResource } from '#apimachinery/gvk.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import { isResourceGone } from './custom-kind-gone.ts';

export interface GoneResourcesOptions {
  /** Guarded. */
  readonly edgeClient: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Asked {
  readonly atMs: number;
  readonly answer: Promise<boolean>;
}

/** All copies of a kind fail at once when it goes: the edge is asked once for all of them. */
const askedAgainAfterMs = 10_000;
/** Of those that were asked for last; kinds that are not served are few. */
const askedMax = 1_000;

/** Of which custom resources, none of them served, one edge has no objects any more. */
export class GoneResources {
  readonly #options: GoneResourcesOptions;
  readonly #asked = new Map<string, Asked>();

  constructor(options: GoneResourcesOptions) {
    this.#options = options;
  }

  /** False when the edge does not say. */
  has(resource: GroupVersionResource, signal: AbortSignal): Promise<boolean> {
    const key = `${formatApiVersion(resource)}/${resource.resource}`;
    const nowMs = this.#options.clock.monotonic();
    const before = this.#asked.get(key);
    if (before !== undefined && nowMs - before.atMs < askedAgainAfterMs) return before.answer;
    const answer = this.#ask(resource, signal);
    this.#asked.delete(key);
    this.#asked.set(key, { atMs: nowMs, answer });
    const [oldest] = this.#asked.keys();
    if (this.#asked.size > askedMax && oldest !== undefined) this.#asked.delete(oldest);
    return answer;
  }

  async #ask(resource: GroupVersionResource, signal: AbortSignal): Promise<boolean> {
    const { edgeClient, logger } = this.#options;
    try {
      return await isResourceGone(edgeClient, resource, signal);
    } catch (error) {
      if (!isApiError(error)) throw error;
      logger.info({ err: error, ...resource }, 'the edge does not say whether a kind is gone');
      return false;
    }
  }
}
