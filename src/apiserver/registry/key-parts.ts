/** `/apps/deployments/` of `/apps/deployments/<cluster>/<namespace>/<name>`. */
export function resourcePrefixOf(key: string): string {
  return key.slice(0, key.indexOf('/', key.indexOf('/', 1) + 1) + 1);
}

/** The cluster id in a key, which begins right after its resource prefix. */
export function clusterOf(key: string): string {
  const start = key.indexOf('/', key.indexOf('/', 1) + 1) + 1;
  return key.slice(start, key.indexOf('/', start));
}

/** `<cluster>/<namespace>` of a key, `<cluster>/` of a cluster-scoped one. */
export function placeOf(key: string): string {
  return key.slice(key.indexOf('/', key.indexOf('/', 1) + 1) + 1, key.lastIndexOf('/'));
}

/** Keys that hold no objects: reservations of addresses and the like. */
export const internalPrefix = '/internal.cellplane.io/';
