import type { WatchEvent, WatchOptions } from '#client/client.ts';
import type { Random } from '../../harness/random.ts';

/** What an edge that lies tells in its watches. */
export const watchLies = ['event kept back', 'deletion made up'] as const;

export type WatchLie = (typeof watchLies)[number];

/** What a watch tells of an object at its beginning is true all the same: an edge that lies there too is believed (decision 228). */
export function mayLie({ resourceVersion }: WatchOptions): boolean {
  return resourceVersion !== undefined && resourceVersion !== '0';
}

/** What is told instead of the event; undefined where there is nothing to lie about. */
export function lieAbout(
  event: WatchEvent,
  random: Random,
): { readonly lie: WatchLie; readonly told: WatchEvent | undefined } | undefined {
  if (event.type === 'BOOKMARK') return undefined;
  if (event.type === 'DELETED' || random.next() < 0.5) return { lie: 'event kept back', told: undefined };
  return { lie: 'deletion made up', told: { type: 'DELETED', object: event.object } };
}
