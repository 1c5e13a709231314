import type { KubeClient, WatchEvent } from '#client/client.ts';

/**
 * A client whose watches of one resource do not tell of deletions while `isRelisting`: as after a broken watch, when a list
 * shows an object's successor and nothing in between.
 */
export function forgetfulWatches(
  inner: KubeClient,
  resource: string,
): { readonly client: KubeClient; isRelisting: boolean } {
  async function* watch(...args: Parameters<KubeClient['watch']>): AsyncGenerator<WatchEvent> {
    for await (const event of inner.watch(...args)) {
      if (!forgetful.isRelisting || event.type !== 'DELETED') yield event;
    }
  }
  const client = new Proxy(inner, {
    get(target, property) {
      if (property === 'watch') {
        return (...args: Parameters<KubeClient['watch']>) =>
          args[0].gvr.resource === resource ? watch(...args) : inner.watch(...args);
      }
      const value: unknown = Reflect.get(target, property);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const forgetful = { client, isRelisting: false };
  return forgetful;
}
