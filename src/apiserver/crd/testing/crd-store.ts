import { crdGroup, crdResource } from '#api/apiextensions/crd.ts';
import { customResourceDefinitionStrategy as strategy } from '#api/apiextensions/strategy.ts';
import { conflict, notFound } from '#apimachinery/api-error.ts';
import { cloneJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { newUid } from '#apimachinery/uid.ts';
import type { CollectionRef, KubeClient, ObjectRef } from '#client/client.ts';
import type { CachedStorage, CacheEntry } from '#storage/cached-storage.ts';
import { objectKey, rangePrefix } from '#storage/keys.ts';
import type { Operation, Revision, StorageKey } from '#storage/storage.ts';

/** Objects as plain JSON in a real store, under a client that does as much of the API's work as CRDs need. */
export class CrdStore {
  readonly storage: CachedStorage;
  /** Writes that fail with a conflict before they count. */
  conflicts = 0;

  constructor(storage: CachedStorage) {
    this.storage = storage;
  }

  readonly objectOf = (entry: CacheEntry): KubeObject => {
    const object = JSON.parse(entry.value.toString()) as KubeObject;
    object.metadata.resourceVersion = String(entry.revision);
    return object;
  };

  async put(key: StorageKey, object: KubeObject | undefined): Promise<void> {
    const operation: Operation =
      object === undefined
        ? { type: 'delete', key }
        : { type: 'put', key, value: Buffer.from(JSON.stringify(object)) };
    const current = this.storage.peek(key);
    const result = await this.storage.transact({
      guards: [{ key, revision: (current?.revision ?? 0) as Revision }],
      operations: [operation],
    });
    if (!result.committed) throw new Error(`lost a race at ${key}`);
  }

  /** Creates a CRD `<plural>.<group>` as the API would. */
  async createCrd(
    clusterId: string,
    names: JsonObject,
    group = 'example.com',
    annotations = {},
  ): Promise<string> {
    const name = `${names['plural']}.${group}`;
    const crd: KubeObject = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name, uid: newUid(), annotations },
      spec: {
        group,
        scope: 'Namespaced',
        names: cloneJson(names),
        versions: [
          { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } },
        ],
      },
    };
    strategy.defaults?.(crd, 'v1');
    strategy.prepareForCreate?.(crd);
    await this.put(crdKey(clusterId, name), crd);
    return name;
  }

  async deleteCrd(clusterId: string, name: string): Promise<void> {
    const crd = this.crd(clusterId, name);
    if (crd === undefined) return;
    crd.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    await this.put(crdKey(clusterId, name), crd);
  }

  crd(clusterId: string, name: string): KubeObject | undefined {
    const entry = this.storage.peek(crdKey(clusterId, name));
    return entry === undefined ? undefined : this.objectOf(entry);
  }

  async createInstance(
    clusterId: string,
    resource: string,
    name: string,
    finalizers: string[] = [],
  ): Promise<StorageKey> {
    const key = objectKey({ group: 'example.com', resource, clusterId, namespace: 'default', name });
    const metadata = { name, namespace: 'default', uid: newUid(), finalizers };
    await this.put(key, { apiVersion: 'example.com/v1', kind: 'Any', metadata });
    return key;
  }

  get client(): KubeClient {
    const refuse = () => Promise.reject(new Error('not part of this client'));
    return {
      get: async (ref) => this.#get(ref),
      list: async (collection) => ({
        apiVersion: 'v1',
        kind: 'List',
        metadata: {},
        items: [...this.storage.snapshot(prefixOf(collection)).entries()].map(this.objectOf),
      }),
      update: (ref, object, options) => this.#update(ref, object, options?.subresource),
      delete: (ref) => this.#delete(ref),
      watch: () => {
        throw new Error('not part of this client');
      },
      create: refuse,
      patch: refuse,
      apply: refuse,
      deleteCollection: refuse,
      raw: refuse,
      close: () => Promise.resolve(),
    };
  }

  #get(ref: ObjectRef): KubeObject {
    const entry = this.storage.peek(keyOf(ref));
    if (entry === undefined) throw notFound(ref.gvr, ref.name);
    return this.objectOf(entry);
  }

  async #update(ref: ObjectRef, object: KubeObject, subresource: string | undefined): Promise<KubeObject> {
    const old = this.#get(ref);
    if (this.conflicts > 0) {
      this.conflicts--;
      throw conflict(ref.gvr, ref.name);
    }
    if (object.metadata.resourceVersion !== old.metadata.resourceVersion) throw conflict(ref.gvr, ref.name);
    const next: KubeObject =
      subresource === 'status'
        ? { ...old, metadata: object.metadata, status: object['status'] }
        : { ...object, status: old['status'] };
    const isGone =
      next.metadata.deletionTimestamp !== undefined && (next.metadata.finalizers ?? []).length === 0;
    await this.put(keyOf(ref), isGone ? undefined : next);
    return isGone ? next : this.#get(ref);
  }

  async #delete(ref: ObjectRef): Promise<JsonObject> {
    const object = this.#get(ref);
    if ((object.metadata.finalizers ?? []).length === 0) {
      await this.put(keyOf(ref), undefined);
      return { kind: 'Status' };
    }
    object.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    await this.put(keyOf(ref), object);
    return object;
  }
}

export function crdKey(clusterId: string, name: string): StorageKey {
  return objectKey({ group: crdGroup, resource: crdResource, clusterId, namespace: '', name });
}

function keyOf({ cluster = '', gvr, namespace = '', name }: ObjectRef): StorageKey {
  return objectKey({ group: gvr.group, resource: gvr.resource, clusterId: cluster, namespace, name });
}

function prefixOf({ cluster, gvr, namespace }: CollectionRef): string {
  return rangePrefix(gvr, cluster, namespace);
}
