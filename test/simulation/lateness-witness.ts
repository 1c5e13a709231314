import { copyLabels, edgeAnnotations } from '#api/federation/copy-contract.ts';
import { hasLabels, headOf } from '#apiserver/registry/stored-object.ts';
import type { KeyValue, StorageEvent } from '#storage/storage.ts';
import type { SimulatedServer } from './world/server.ts';

interface Written {
  readonly uid: string | undefined;
  readonly copyRevision: bigint;
}

/**
 * Sees every write at an edge in the moment in which it is committed: none brings an older state of a copy over a newer one,
 * whoever was stopped between his reading and his writing (docs/federators.md, Assignment).
 */
export class LatenessWitness {
  readonly violations: string[] = [];
  /** By `<cell> <key>`. */
  readonly #written = new Map<string, Written>();

  async start(edges: ReadonlyMap<string, Pick<SimulatedServer, 'observe' | 'backUp'>>): Promise<void> {
    for (const [cell, edge] of edges) {
      await edge.observe({
        event: (event) => this.#event(cell, event),
        restored: (backup) => {
          for (const place of [...this.#written.keys()]) {
            if (place.startsWith(`${cell} `)) this.#written.delete(place);
          }
          for (const item of backup) this.#put(cell, item);
        },
      });
      for (const item of await edge.backUp()) this.#put(cell, item);
    }
  }

  #event(cell: string, { type, key, value, revision }: StorageEvent): void {
    if (type === 'put' && value !== undefined) this.#put(cell, { key, value, revision });
    else this.#written.delete(`${cell} ${key}`);
  }

  #put(cell: string, item: KeyValue): void {
    // What is no object has a shorter key.
    if (item.key.split('/').length !== 6 || !hasLabels(item)) return;
    const { uid, labels = {}, annotations = {} } = headOf(item).head.metadata;
    const told = annotations[edgeAnnotations.copyRevision];
    if (labels[copyLabels.originCluster] === undefined) return;
    if (told === undefined || !/^\d+$/.test(told)) return;
    const place = `${cell} ${item.key}`;
    const copyRevision = BigInt(told);
    const before = this.#written.get(place);
    if (before !== undefined && before.uid === uid && before.copyRevision > copyRevision) {
      this.violations.push(
        `${place} was written from its copy at revision ${copyRevision} over ${before.copyRevision}`,
      );
    }
    this.#written.set(place, { uid, copyRevision });
  }
}
