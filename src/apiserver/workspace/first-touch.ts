import { type Clock, systemClock } from '#apimachinery/clock.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { ObjectMeta } from '#apimachinery/object.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { objectKey } from '#storage/keys.ts';
import type { Operation } from '#storage/storage.ts';
import { serviceAddressReservations } from '../registry/service-allocator.ts';
import { plantSeeds, type Seed } from './seed.ts';
import type { ClusterId, Workspace } from './workspace.ts';
import { namespaceSeed } from './workspace-belongings.ts';

export const serviceAccountName = 'default';
export const rootCaName = 'kube-root-ca.crt';

/** Undeletable, and made last by nothing but the first touch: it tells whether that was. */
const witness = 'kube-system';
/** Namespaces that a Kubernetes cluster has from its start (KUBERNETES.md S1). */
const systemNamespaces = ['default', 'kube-public', 'kube-node-lease', witness] as const;

export interface FirstTouchOptions {
  readonly storage: CachedStorage;
  /** PEM of the CA that signed the serving certificate. */
  readonly rootCa: () => string;
  /** Where the server is reached from inside: an IP address and a port. */
  readonly advertise: () => { readonly address: string; readonly port: number };
  /** First address of the service range, which no allocator hands out: `10.96.0.1`. */
  readonly kubernetesServiceIp: string;
  readonly clock?: Clock | undefined;
}

/**
 * What Kubernetes expects in a cluster (KUBERNETES.md S1, S4) is written when a workspace is first asked for something,
 * so that one which nobody uses costs nothing.
 */
export class FirstTouch {
  readonly #options: FirstTouchOptions;
  readonly #clock: Clock;
  /** Bounded by the requests under way. */
  readonly #touching = new Map<ClusterId, Promise<void>>();

  constructor(options: FirstTouchOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Undefined when there is nothing (more) to write, which one look-up tells; else settles when it is written. */
  touch(workspace: Workspace): Promise<void> | undefined {
    if (workspace.inert || workspace.phase !== 'Ready') return undefined;
    if (isTouched(this.#options.storage, workspace.id)) return undefined;
    const underWay = this.#touching.get(workspace.id);
    if (underWay !== undefined) return underWay;
    const touching = this.#write(workspace).finally(() => this.#touching.delete(workspace.id));
    this.#touching.set(workspace.id, touching);
    return touching;
  }

  /**
   * No two objects of one kind in one transaction: a watch that breaks between two events of one revision is resumed behind
   * both (KUBERNETES.md W2).
   */
  async #write(workspace: Workspace): Promise<void> {
    const now = nowTime(this.#clock.now());
    const { storage, kubernetesServiceIp } = this.#options;
    const reservation: Operation = {
      type: 'put',
      key: objectKey({
        ...serviceAddressReservations,
        clusterId: workspace.id,
        namespace: '',
        name: kubernetesServiceIp,
      }),
      value: Buffer.from(JSON.stringify({ namespace: 'default', name: 'kubernetes' })),
    };
    const common = plantSeeds(storage, this.#commonSeeds(workspace), now, [reservation]);
    const namespaces = systemNamespaces.map((name) => this.#seedsOf(workspace, name));
    const last = namespaces.pop() ?? [];
    await Promise.all([common, ...namespaces.map((seeds) => plantSeeds(storage, seeds, now))]);
    await plantSeeds(storage, last, now);
  }

  #seedsOf(workspace: Workspace, name: (typeof systemNamespaces)[number]): Seed[] {
    const namespace = namespaceSeed(name);
    return seedsIn(workspace, [
      ['', 'namespaces', namespace.metadata, namespace.content],
      ['', 'serviceaccounts', { name: serviceAccountName, namespace: name }, {}],
      ['', 'configmaps', rootCaMetadata(name), { data: rootCaData(this.#options.rootCa()) }],
    ]);
  }

  #commonSeeds(workspace: Workspace): Seed[] {
    const { advertise, kubernetesServiceIp } = this.#options;
    const { address, port } = advertise();
    const ipv6 = address.includes(':');
    const metadata = { name: 'kubernetes', namespace: 'default' };
    const labels = { component: 'apiserver', provider: 'kubernetes' };
    return seedsIn(workspace, [
      ['', 'services', { ...metadata, labels }, kubernetesService(kubernetesServiceIp, port)],
      [
        '',
        'endpoints',
        { ...metadata, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
        { subsets: [{ addresses: [{ ip: address }], ports: [{ name: 'https', port, protocol: 'TCP' }] }] },
      ],
      [
        'discovery.k8s.io',
        'endpointslices',
        { ...metadata, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
        {
          addressType: ipv6 ? 'IPv6' : 'IPv4',
          endpoints: [{ addresses: [address], conditions: { ready: true } }],
          ports: [{ name: 'https', port, protocol: 'TCP' }],
        },
      ],
    ]);
  }
}

type Planned = readonly [
  group: string,
  resource: string,
  metadata: ObjectMeta & { readonly name: string },
  content: JsonObject,
];

/** Those of the objects whose kinds the workspace has. */
function seedsIn(workspace: Workspace, planned: readonly Planned[]): Seed[] {
  const seeds: Seed[] = [];
  for (const [group, resource, metadata, content] of planned) {
    const definition = workspace.scheme.definitionOf(group, resource);
    if (definition === undefined) continue;
    const clusterAnnotation = workspace.type !== 'edge';
    seeds.push({ definition, clusterId: workspace.id, clusterAnnotation, metadata, content });
  }
  return seeds;
}

/** Whether the workspace has got what `FirstTouch` writes. */
export function isTouched(storage: CachedStorage, clusterId: ClusterId): boolean {
  const key = objectKey({ group: '', resource: 'namespaces', clusterId, namespace: '', name: witness });
  return storage.peek(key) !== undefined;
}

export function rootCaMetadata(namespace: string): ObjectMeta & { readonly name: string } {
  return {
    name: rootCaName,
    namespace,
    annotations: {
      'kubernetes.io/description':
        'Contains a CA bundle that can be used to verify the API server when using internal endpoints.',
    },
  };
}

export function rootCaData(certificate: string): { [key: string]: string } {
  return { 'ca.crt': certificate };
}

function kubernetesService(clusterIp: string, port: number): JsonObject {
  return {
    spec: {
      type: 'ClusterIP',
      clusterIP: clusterIp,
      clusterIPs: [clusterIp],
      ipFamilies: [clusterIp.includes(':') ? 'IPv6' : 'IPv4'],
      ipFamilyPolicy: 'SingleStack',
      internalTrafficPolicy: 'Cluster',
      sessionAffinity: 'None',
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: port }],
    },
    status: { loadBalancer: {} },
  };
}
