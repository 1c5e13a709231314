import { clusterOf } from '#api/core-kcp/cluster-annotation.ts';
import {
  type LogicalClusterObject,
  logicalClusterName,
  logicalClustersGvr,
} from '#api/core-kcp/logical-cluster.ts';
import { copiesGvr, copyName } from '#api/federation/copy.ts';
import { edgeFinalizer } from '#api/federation/copy-contract.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CollectionRef, KubeClient, ObjectRef } from '#client/client.ts';
import { readControlPlane } from '#client/control-plane.ts';
import { listPages } from '#client/list-pages.ts';
import { edgeFieldManager } from '../edge/edge-object.ts';
import type { CopyPlace } from './copy-keys.ts';

/** What became of a write to a copy is told by the copy's watch. */
const answerUnread = { metadataOnly: true, unread: true } as const;

/** Which store and which logical cluster a cell's copies lie in: absence elsewhere proves nothing. */
export interface CopySource {
  readonly incarnationId: string;
  readonly clusterId: string;
}

/** A cell's copies at the federation API server, for reading them whole and for writing onto them. */
export class CellWorkspace {
  readonly path: string;
  readonly #federationClient: KubeClient;

  constructor(federationClient: KubeClient, path: string) {
    this.#federationClient = federationClient;
    this.path = path;
  }

  /** The newest state; undefined when there is none. */
  async read(place: CopyPlace, signal: AbortSignal): Promise<KubeObject | undefined> {
    try {
      return await this.#federationClient.get(this.#refOf(place), { signal });
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  /**
   * Whether a consistent read finds no copy in this place. A version that the workspace does not serve proves nothing: the
   * copy may be stored in another.
   */
  async isAbsent(place: CopyPlace, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#federationClient.get(this.#refOf(place), { signal });
      return false;
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
      // An object that is not there is named by the answer; a path that is not served is not (KUBERNETES.md E1).
      if (error.details?.name === place.name) return true;
    }
    const namespace = place.namespace === '' ? undefined : place.namespace;
    try {
      const { items } = await this.#federationClient.list(
        { cluster: this.path, gvr: copiesGvr, namespace },
        { fieldSelector: `metadata.name=${copyName(place, place.name)}`, signal },
      );
      return items.every(({ metadata }) => (metadata.namespace ?? '') !== place.namespace);
    } catch (error) {
      // The workspace itself is not there: `source` says so.
      if (isApiError(error, 'NotFound')) return true;
      throw error;
    }
  }

  /** All copies of a kind, page by page. */
  async *readAll(kind: CollectionRef['gvr'], signal: AbortSignal): AsyncGenerator<KubeObject[]> {
    const { group, version, resource } = kind;
    const collection = { cluster: this.path, gvr: { group, version, resource } };
    for await (const page of listPages(this.#federationClient, collection, { limit: 200, signal }))
      yield page.items;
  }

  /** Sets annotations, removes those given as null; a copy that is gone needs none. */
  async annotate(
    place: CopyPlace,
    annotations: { [key: string]: string | null },
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.#federationClient.patch(
        this.#refOf(place),
        { type: 'merge', body: { metadata: { annotations } } },
        { fieldManager: edgeFieldManager, ...answerUnread, signal },
      );
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }

  async writeStatus(place: CopyPlace, status: KubeObject['status'], signal: AbortSignal): Promise<boolean> {
    try {
      await this.#federationClient.patch(
        this.#refOf(place),
        // `add` replaces the whole: a merge could not take a field back.
        { type: 'json', operations: [{ op: 'add', path: '/status', value: status ?? {} }] },
        { subresource: 'status', fieldManager: edgeFieldManager, ...answerUnread, signal },
      );
      return true;
    } catch (error) {
      if (isApiError(error, 'NotFound')) return false;
      throw error;
    }
  }

  /** Takes our finalizer off the copy as it was seen, so that it goes. Throws Conflict when it has changed since. */
  async release(place: CopyPlace, copy: KubeObject, signal: AbortSignal): Promise<void> {
    const finalizers = (copy.metadata.finalizers ?? []).filter((finalizer) => finalizer !== edgeFinalizer);
    const { uid, resourceVersion } = copy.metadata;
    try {
      await this.#federationClient.patch(
        this.#refOf(place),
        { type: 'merge', body: { metadata: { uid, resourceVersion, finalizers } } },
        { fieldManager: edgeFieldManager, ...answerUnread, signal },
      );
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }

  /** Where the copies lie now; undefined while the workspace is going, or is not yet or no longer there. */
  async source(signal: AbortSignal): Promise<CopySource | undefined> {
    let cluster: LogicalClusterObject;
    try {
      cluster = await this.#federationClient.get(
        { cluster: this.path, gvr: logicalClustersGvr, name: logicalClusterName },
        { signal },
      );
    } catch (error) {
      // Of a workspace that is gone the server says that it is not found, or that it is nobody's business.
      if (isApiError(error, 'NotFound', 'Forbidden')) return undefined;
      throw error;
    }
    const clusterId = clusterOf(cluster);
    if (clusterId === '' || cluster.metadata.deletionTimestamp !== undefined) return undefined;
    if (cluster.status?.phase !== 'Ready') return undefined;
    const { incarnationId } = await readControlPlane(this.#federationClient, signal);
    return { incarnationId, clusterId };
  }

  #refOf({ group, version, resource, namespace, name }: CopyPlace): ObjectRef {
    return {
      cluster: this.path,
      gvr: { group, version, resource },
      namespace: namespace === '' ? undefined : namespace,
      name,
    };
  }
}
