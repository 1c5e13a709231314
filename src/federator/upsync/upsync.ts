import { copyAnnotations } from '#api/federation/copy-contract.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { type CopyKey, copyKeyOf } from '../cell/copy-keys.ts';
import type { SyncItem } from '../cell/edge.ts';
import type { ServedKind } from '../edge/edge-kinds.ts';
import type { EdgeMirror } from '../edge/edge-mirror.ts';
import { type EdgeObject, edgeFieldManager, shortHash } from '../edge/edge-object.ts';
import { reaching } from '../edge/edge-unreached.ts';
import { mapStatus } from './map-status.ts';

export interface UpsyncOptions {
  readonly edgeClient: KubeClient;
  readonly federationClient: KubeClient;
  readonly cellWorkspace: string;
  readonly mirror: () => EdgeMirror;
}

interface Written {
  readonly edgeHash: string;
  /** Hash of what was made of it for the copy. */
  readonly copyHash: string;
  readonly edgeGeneration: number | undefined;
  readonly copyGeneration: number | undefined;
}

/** Carries statuses from one edge to the copies, each as soon as the edge's watch tells of it. */
export class Upsync {
  readonly #options: UpsyncOptions;
  readonly #written = new Map<CopyKey, Written>();

  constructor(options: UpsyncOptions) {
    this.#options = options;
  }

  writtenHash(kind: ServedKind, object: KubeObject): string | undefined {
    const { name = '', namespace = '' } = object.metadata;
    return this.#written.get(copyKeyOf({ ...kind, namespace, name }))?.edgeHash;
  }

  forget(key: CopyKey): void {
    this.#written.delete(key);
  }

  async sync(kind: ServedKind, item: SyncItem, signal: AbortSignal): Promise<void> {
    if (!kind.hasStatus || item.copy === undefined) return;
    const { key, place, copy } = item;
    const mirror = this.#options.mirror();
    const edge = mirror.get(kind, place.namespace, place.name);
    if (edge === undefined) return;
    const pending =
      mirror.pendingStatus(kind, place.namespace, place.name) ??
      (await this.#statusToMapAnew(kind, item, edge, signal));
    if (pending === undefined) return;
    const status = mapStatus({
      edgeStatus: pending,
      edgeGeneration: edge.metadata.generation,
      copyGeneration: copy.metadata.generation,
      inSync: edge.contentHash === copy.metadata.annotations?.[copyAnnotations.contentHash],
    });
    const copyHash = shortHash(status);
    if (status !== undefined && this.#written.get(key)?.copyHash !== copyHash) {
      try {
        await this.#options.federationClient.patch(
          {
            cluster: this.#options.cellWorkspace,
            gvr: { group: place.group, version: place.version, resource: place.resource },
            namespace: place.namespace === '' ? undefined : place.namespace,
            name: place.name,
          },
          // `add` replaces the whole: a merge could not take a field back.
          { type: 'json', operations: [{ op: 'add', path: '/status', value: status }] },
          { subresource: 'status', fieldManager: edgeFieldManager, signal },
        );
      } catch (error) {
        if (!isApiError(error, 'NotFound')) throw error;
        return;
      }
    }
    this.#written.set(key, {
      edgeHash: shortHash(pending),
      copyHash,
      edgeGeneration: edge.metadata.generation,
      copyGeneration: copy.metadata.generation,
    });
    mirror.statusWritten(kind, place.namespace, place.name, pending);
  }

  /**
   * The copy's generation rose, yet the edge had nothing to change (a field that is not applied there): its status says
   * what it said, but `observedGeneration` counts from another number now. Rare, so it is read again, not remembered.
   */
  async #statusToMapAnew(
    kind: ServedKind,
    { key, place, copy }: SyncItem,
    edge: EdgeObject,
    signal: AbortSignal,
  ): Promise<JsonValue | undefined> {
    const written = this.#written.get(key);
    if (written === undefined || written.copyGeneration === copy?.metadata.generation) return undefined;
    if (written.edgeGeneration !== edge.metadata.generation) return undefined;
    if (edge.contentHash !== copy?.metadata.annotations?.[copyAnnotations.contentHash]) return undefined;
    const present = await reaching(
      this.#options.edgeClient.get(
        {
          cluster: undefined,
          gvr: { group: kind.group, version: kind.version, resource: kind.resource },
          namespace: place.namespace === '' ? undefined : place.namespace,
          name: place.name,
        },
        { signal },
      ),
    );
    return present['status'];
  }
}
