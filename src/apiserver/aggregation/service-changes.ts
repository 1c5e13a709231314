import type { CacheEntry } from '#storage/cached-storage.ts';
import { parseObjectKey, rangePrefix } from '#storage/keys.ts';
import type { StoreEvents } from '../controllers/store-events.ts';
import { clusterOf } from '../registry/key-parts.ts';
import { headerOf } from '../registry/stored-object.ts';
import { sliceServiceLabel } from '../services/service-address.ts';
import type { RemoteApiService } from './api-service.ts';
import type { ApiServiceCatalog } from './api-service-catalog.ts';

/**
 * Tells of each APIService when its Service, or where that leads, has changed: whoever makes the Service after the APIService
 * does not wait for the next probe (k8s.io/kube-aggregator/pkg/controllers/status/remote does so too). One look into a map
 * for workspaces without APIServices of their own. Returns how to stop.
 */
export function followServices(
  events: StoreEvents,
  catalog: ApiServiceCatalog,
  look: (remote: RemoteApiService) => void,
): () => void {
  const lookAt = (clusterId: string, namespace: string, name: string | undefined): void => {
    for (const remote of catalog.remotesOf(clusterId).values()) {
      const { service } = remote;
      if (service.namespace === namespace && service.name === name) look(remote);
    }
  };
  const reset = (): void => {
    for (const remote of catalog.all()) look(remote);
  };
  const listen = (
    group: string,
    resource: string,
    serviceOf: (name: string, of: CacheEntry) => string | undefined,
  ) =>
    events.listen(rangePrefix({ group, resource }), {
      event: ({ key, entry, previous }) => {
        if (!catalog.has(clusterOf(key))) return;
        const { clusterId, namespace, name } = parseObjectKey(key);
        const told = entry ?? previous;
        if (told !== undefined) lookAt(clusterId, namespace, serviceOf(name, told));
      },
      reset,
    });
  const stops = [
    listen('', 'services', (name) => name),
    listen('', 'endpoints', (name) => name),
    listen('discovery.k8s.io', 'endpointslices', (_, slice) => headerOf(slice).labels[sliceServiceLabel]),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
