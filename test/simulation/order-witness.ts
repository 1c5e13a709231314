import { copyAnnotations, copyLabels } from '#api/federation/copy-contract.ts';
import { entryOf, objectOf } from '#apiserver/registry/stored-object.ts';
import { parseObjectKey } from '#storage/keys.ts';
import type { KeyValue, StorageEvent } from '#storage/storage.ts';
import { loadKinds } from '../chaos/kinds.ts';
import type { SimulatedServer } from './world/server.ts';

interface Written {
  readonly uid: string | undefined;
  readonly stamp: number;
}

/**
 * Sees every write of a copy of the load's in the moment in which it is committed: stamps rise with each content of an object, so
 * that none brings an older content over a newer one, whoever was stopped between his decision and his request (decision 218). For
 * runs without rollouts, which bring former contents back.
 */
export class OrderWitness {
  readonly violations: string[] = [];
  /** By key in the store. */
  readonly #written = new Map<string, Written>();

  async start(federation: Pick<SimulatedServer, 'observe' | 'backUp'>): Promise<void> {
    await federation.observe({
      event: (event) => this.#event(event),
      restored: (backup) => {
        this.#written.clear();
        for (const item of backup) this.#put(item);
      },
    });
    for (const item of await federation.backUp()) this.#put(item);
  }

  #event({ type, key, value, revision }: StorageEvent): void {
    if (type === 'put' && value !== undefined) this.#put({ key, value, revision });
    else this.#written.delete(key);
  }

  #put(item: KeyValue): void {
    if (item.key.split('/').length !== 6) return;
    const { resource } = parseObjectKey(item.key);
    const kind = loadKinds.find(({ gvr }) => gvr.resource === resource);
    if (kind === undefined) return;
    const object = objectOf(entryOf(item));
    const { uid, labels = {}, annotations = {} } = object.metadata;
    if (labels[copyLabels.originCluster] === undefined) return;
    const stamp = kind.stampOf(object);
    if (!Number.isFinite(stamp)) return;
    const before = this.#written.get(item.key);
    if (before !== undefined && before.uid === uid && before.stamp > stamp) {
      const whose = `${annotations[copyAnnotations.originNamespace]}/${annotations[copyAnnotations.originName]}`;
      this.violations.push(`${item.key} (${whose}): content ${stamp} was written over ${before.stamp}`);
    }
    this.#written.set(item.key, { uid, stamp });
  }
}
