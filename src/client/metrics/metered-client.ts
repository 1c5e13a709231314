import type { KubeClient } from '../client.ts';
import { outcomeOf, type RequestMetrics } from './request-metrics.ts';

/** The client, with each of its calls counted; watches are not. */
export function meteredClient(client: KubeClient, metrics: RequestMetrics): KubeClient {
  const metered = async <T>(call: () => Promise<T>): Promise<T> => {
    const startedMs = performance.now();
    try {
      const answer = await call();
      metrics.observe('ok', (performance.now() - startedMs) / 1_000);
      return answer;
    } catch (error) {
      metrics.observe(outcomeOf(error), (performance.now() - startedMs) / 1_000);
      throw error;
    }
  };
  return {
    get: (ref, options) => metered(() => client.get(ref, options)),
    list: (collection, options) => metered(() => client.list(collection, options)),
    watch: (collection, options) => client.watch(collection, options),
    create: (collection, object, options) => metered(() => client.create(collection, object, options)),
    update: (ref, object, options) => metered(() => client.update(ref, object, options)),
    patch: (ref, patch, options) => metered(() => client.patch(ref, patch, options)),
    apply: (ref, object, options) => metered(() => client.apply(ref, object, options)),
    delete: (ref, options) => metered(() => client.delete(ref, options)),
    deleteCollection: (collection, options) => metered(() => client.deleteCollection(collection, options)),
    raw: (request, options) => metered(() => client.raw(request, options)),
    close: () => client.close(),
  };
}
