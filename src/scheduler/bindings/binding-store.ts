import { LRUCache } from 'lru-cache';
import { clusterResourceBindingsGvr, resourceBindingsGvr } from '#api/work/group.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import { bindingNameOf, type KeyParts, keyOf, type ProjectObjectKey } from '../object-key.ts';
import { isNewer } from '../watches/resource-versions.ts';

const bindingsRememberedMax = 10_000;

/** Bindings as they are stored, with those written or read last remembered, to save reading what we wrote ourselves. */
export class BindingStore {
  readonly #client: KubeClient;
  readonly #told: (key: KeyParts) => KubeObject | undefined;
  /** Uids of bindings that we deleted, until the watch tells: to know that they are gone before it does. */
  readonly #deleted = new LRUCache<ProjectObjectKey, string>({ max: bindingsRememberedMax });
  readonly #remembered = new LRUCache<ProjectObjectKey, ResourceBinding>({ max: bindingsRememberedMax });

  /** `told`: the binding's metadata as the watch last told it. */
  constructor(client: KubeClient, told: (key: KeyParts) => KubeObject | undefined) {
    this.#client = client;
    this.#told = told;
  }

  /** Whether there is one, as far as is known. */
  isKnown(key: KeyParts): boolean {
    const told = this.#told(key)?.metadata.uid;
    return (told !== undefined && this.#deleted.get(keyOf(key)) !== told) || this.#remembered.has(keyOf(key));
  }

  /** What we remember when it is as new as what the watch told, else what is stored; undefined when there is none. */
  async read(key: KeyParts, signal: AbortSignal): Promise<ResourceBinding | undefined> {
    const remembered = this.#remembered.get(keyOf(key));
    const told = this.#told(key)?.metadata.resourceVersion;
    if (remembered === undefined && told === undefined) return undefined;
    if (remembered !== undefined && !isNewer(told, remembered.metadata.resourceVersion)) return remembered;
    try {
      const binding = (await this.#client.get(refOf(key), { signal })) as ResourceBinding;
      this.#remembered.set(keyOf(key), binding);
      return binding;
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
      this.forget(key);
      return undefined;
    }
  }

  /**
   * The one write of a decision; none when `binding` is `present`. Throws Conflict or AlreadyExists when what we knew was
   * old: it is read anew at the next look.
   */
  async commit(
    key: KeyParts,
    binding: ResourceBinding,
    present: ResourceBinding | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    if (binding === present) return;
    const ref = refOf(key);
    try {
      // The server keeps a binding as it is sent: of the answer only the metadata is new.
      const options = { signal, metadataOnly: true };
      const { metadata } =
        present === undefined
          ? await this.#client.create(ref, binding, options)
          : await this.#client.update(ref, binding, options);
      this.#remembered.set(keyOf(key), { ...binding, metadata });
    } catch (error) {
      this.forget(key);
      if (isApiError(error, 'AlreadyExists')) {
        // The watch has not told yet: read it, so that the next look knows it.
        this.#remembered.set(keyOf(key), (await this.#client.get(ref, { signal })) as ResourceBinding);
      }
      throw error;
    }
  }

  /** In the state that was read; gone already counts as done. Throws Conflict when somebody has written it since: it is decided anew. */
  async delete(key: KeyParts, present: ResourceBinding | undefined, signal: AbortSignal): Promise<void> {
    const told = this.#told(key)?.metadata.uid;
    try {
      if (present !== undefined) {
        const { uid, resourceVersion } = present.metadata;
        await this.#client.delete(refOf(key), { preconditions: { uid, resourceVersion }, signal });
      }
    } catch (error) {
      this.forget(key);
      if (!isApiError(error, 'NotFound')) throw error;
    }
    if (told !== undefined) this.#deleted.set(keyOf(key), told);
    this.forget(key);
  }

  forget(key: KeyParts): void {
    this.#remembered.delete(keyOf(key));
  }
}

function refOf(key: KeyParts): ObjectRef {
  const { cluster, namespace } = key;
  return {
    cluster,
    gvr: namespace === '' ? clusterResourceBindingsGvr : resourceBindingsGvr,
    namespace: namespace === '' ? undefined : namespace,
    name: bindingNameOf(key),
  };
}
