import { numberAt, objectsAt, textAt, textsAt, valueAt } from '#api/builtin/read.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { objectKey, rangePrefix } from '#storage/keys.ts';
import { headerOf, objectOf } from '../registry/stored-object.ts';

/** What APIServices and webhooks name a Service by. */
export interface ServiceReference {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

export interface ServiceAddress {
  /** IP address or DNS name. */
  readonly host: string;
  readonly port: number;
}

/** The reasons of an APIService's condition Available (kube-aggregator). */
type AddressReason = 'ServiceNotFound' | 'ServicePortError' | 'EndpointsNotFound' | 'MissingEndpoints';

/** A Service that leads nowhere, and why. */
export class ServiceAddressError extends Error {
  override readonly name = 'ServiceAddressError';
  readonly reason: AddressReason;

  constructor(reason: AddressReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

export const sliceServiceLabel = 'kubernetes.io/service-name';

/** The name that a Service's certificate must bear, wherever it leads (KUBERNETES.md O1, A2, R7). */
export function serviceHostName({ namespace, name }: ServiceReference): string {
  return `${name}.${namespace}.svc`;
}

/**
 * Where the Services of a workspace lead. A workspace has no pod network: cluster IPs are only numbers here and are never
 * dialled. Instead, in this order: an ExternalName's DNS name with the port asked for; a ready address of the Service's
 * EndpointSlices; of its Endpoints; an address of its load balancer (as gathered from the cells); an external IP.
 */
export class ServiceAddresses {
  readonly #storage: CachedStorage;

  constructor(storage: CachedStorage) {
    this.#storage = storage;
  }

  /** One address, another each time where there are several. Throws ServiceAddressError. */
  resolve(clusterId: string, reference: ServiceReference): ServiceAddress {
    const { namespace, name, port } = reference;
    const at = `service/${name} in ${JSON.stringify(namespace)}`;
    const service = this.#read('', 'services', clusterId, namespace, name);
    if (service === undefined) throw new ServiceAddressError('ServiceNotFound', `${at} is not present`);
    if (textAt(service, 'spec', 'type') === 'ExternalName') {
      return { host: textAt(service, 'spec', 'externalName'), port };
    }
    const servicePort = objectsAt(service, 'spec', 'ports').find((one) => numberAt(one, 'port') === port);
    if (servicePort === undefined) {
      throw new ServiceAddressError('ServicePortError', `${at} is not listening on port ${port}`);
    }
    const portName = textAt(servicePort, 'name');
    const { found, addresses } = this.#endpoints(clusterId, namespace, name, portName);
    if (addresses.length > 0) return oneOf(addresses);
    const [outer] = outerHosts(service);
    if (outer !== undefined) return { host: outer, port };
    if (!found) {
      throw new ServiceAddressError('EndpointsNotFound', `cannot find endpointslices for ${at}`);
    }
    const wanted = `no addresses with port name ${JSON.stringify(portName)}`;
    throw new ServiceAddressError('MissingEndpoints', `endpointslices for ${at} have ${wanted}`);
  }

  #endpoints(
    clusterId: string,
    namespace: string,
    name: string,
    portName: string,
  ): { readonly found: boolean; readonly addresses: readonly ServiceAddress[] } {
    const addresses: ServiceAddress[] = [];
    let found = false;
    const slices = rangePrefix(
      { group: 'discovery.k8s.io', resource: 'endpointslices' },
      clusterId,
      namespace,
    );
    for (const entry of this.#storage.snapshot(slices).entries()) {
      if (headerOf(entry).labels[sliceServiceLabel] !== name) continue;
      found = true;
      addresses.push(...sliceAddresses(objectOf(entry), portName));
    }
    if (addresses.length > 0) return { found, addresses };
    const endpoints = this.#read('', 'endpoints', clusterId, namespace, name);
    if (endpoints === undefined) return { found, addresses };
    for (const subset of objectsAt(endpoints, 'subsets')) {
      const port = portOf(subset, portName);
      if (port === undefined) continue;
      for (const one of objectsAt(subset, 'addresses')) addresses.push({ host: textAt(one, 'ip'), port });
    }
    return { found: true, addresses };
  }

  #read(
    group: string,
    resource: string,
    clusterId: string,
    namespace: string,
    name: string,
  ): KubeObject | undefined {
    const entry = this.#storage.peek(objectKey({ group, resource, clusterId, namespace, name }));
    return entry === undefined ? undefined : objectOf(entry);
  }
}

/** Every address of the endpoints that are ready, or do not say. */
function sliceAddresses(slice: KubeObject, portName: string): ServiceAddress[] {
  const port = portOf(slice, portName);
  if (port === undefined) return [];
  return objectsAt(slice, 'endpoints')
    .filter((one) => valueAt(one, 'conditions', 'ready') !== false)
    .flatMap((one) => textsAt(one, 'addresses').map((host) => ({ host, port })));
}

function portOf(from: JsonObject, portName: string): number | undefined {
  const found = objectsAt(from, 'ports').find((one) => textAt(one, 'name') === portName);
  return found === undefined ? undefined : numberAt(found, 'port');
}

function outerHosts(service: KubeObject): string[] {
  const balanced = objectsAt(service, 'status', 'loadBalancer', 'ingress').map(
    (one) => textAt(one, 'ip') || textAt(one, 'hostname'),
  );
  return [...balanced, ...textsAt(service, 'spec', 'externalIPs')].filter((host) => host !== '');
}

function oneOf(addresses: readonly ServiceAddress[]): ServiceAddress {
  return addresses[Math.floor(Math.random() * addresses.length)] as ServiceAddress;
}
