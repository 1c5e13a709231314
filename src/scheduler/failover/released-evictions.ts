import type { GracefulEvictionTask } from '#api/work/resource-binding.ts';

/**
 * Written on the object by whoever lets go of a copy that was left in a cell: `<cell>/<creationTimestamp>` of the eviction, several
 * separated by commas. With the time it speaks of that eviction alone, and of no later one. (In Karmada people set
 * `suppressDeletion: false` in the binding; here bindings are the scheduler's alone to write.)
 */
export const releaseAnnotation = 'federation.cellplane.io/released-evictions';

export function releaseOf({ fromCluster, creationTimestamp }: GracefulEvictionTask): string {
  return `${fromCluster}/${creationTimestamp}`;
}

export function isReleased(task: GracefulEvictionTask, released: string | undefined): boolean {
  if (released === undefined) return false;
  const wanted = releaseOf(task);
  return released.split(',').some((one) => one.trim() === wanted);
}
