import { clusterOf } from '#api/core-kcp/cluster-annotation.ts';
import { logicalClusterName, logicalClustersGvr } from '#api/core-kcp/logical-cluster.ts';
import { copyLabels } from '#api/federation/copy-contract.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { entryOf, hasDeletionTimestamp, headerOf } from '#apiserver/registry/stored-object.ts';
import type { KubeClient } from '#client/client.ts';
import { parseObjectKey } from '#storage/keys.ts';
import type { KeyValue, StorageEvent } from '#storage/storage.ts';
import type { SimulatedServer } from './world/server.ts';

interface Copy {
  readonly uid: string | undefined;
  readonly isWithdrawn: boolean;
  /** The moment from which on it has stood, in the order of all writes. */
  readonly since: number;
}

interface Written {
  readonly value: Uint8Array;
  readonly moment: number;
}

type Witnessed = Pick<SimulatedServer, 'observe'>;

export interface DeletionWitnessOptions {
  readonly federation: Witnessed &
    Pick<SimulatedServer, 'backUp'> & { readonly admin: Pick<KubeClient, 'get'> };
  readonly edges: ReadonlyMap<string, Witnessed>;
  /** Whether a person may just have deleted that at the edge (`<resource> <namespace>/<name>`). */
  readonly mayBeByHand: (cell: string, what: string) => boolean;
}

/**
 * Sees every deletion of a copy's edge object in the moment in which it is committed, and what it rested on: its copy was
 * withdrawn, or there is none; one that went with a restore of the federation says nothing until a person has released it
 * (docs/federators.md, Deletion fails closed).
 */
export class DeletionWitness {
  readonly violations: string[] = [];
  readonly #options: DeletionWitnessOptions;
  /** Id of a cell's workspace → the cell. */
  readonly #cells = new Map<string, string>();
  /** By `<cell> <resource> <namespace>/<name>`. */
  readonly #copies = new Map<string, Copy>();
  /** Stood, from that moment on, when the federation was put back to a backup that does not hold it. */
  readonly #vanished = new Map<string, number>();
  /** How and when the edge object was written last; absent where that was not seen. */
  readonly #written = new Map<string, Written>();
  #moments = 0;

  constructor(options: DeletionWitnessOptions) {
    this.#options = options;
  }

  /** Once cells have their workspaces. */
  async start(): Promise<void> {
    const { federation, edges } = this.#options;
    await this.findCells();
    for (const [cell, edge] of edges) {
      await edge.observe({
        event: (event) => this.#edgeEvent(cell, event),
        restored: (backup) => this.#edgeRestored(cell, backup),
      });
    }
    await federation.observe({
      event: (event) => this.#copyEvent(event),
      restored: (backup) => this.#restored(backup),
    });
    for (const item of await federation.backUp()) {
      if (!this.#copies.has(this.#placeOf(item.key) ?? '')) this.#put(item);
    }
  }

  /** A cell has another workspace. */
  async findCells(): Promise<void> {
    const { federation, edges } = this.#options;
    for (const cell of edges.keys()) {
      const workspace = await federation.admin.get({
        cluster: `${cellsWorkspacePath}:${cell}`,
        gvr: logicalClustersGvr,
        name: logicalClusterName,
      });
      this.#cells.set(clusterOf(workspace), cell);
    }
  }

  /** A person lets happen what is held at the cell. */
  released(cell: string): void {
    for (const place of [...this.#vanished.keys()])
      if (place.startsWith(`${cell} `)) this.#vanished.delete(place);
  }

  /**
   * The edge was put back while all was at rest: what it holds stands since now. (In a storm a deletion that was right before
   * may still be under way.)
   */
  putBack(cell: string, backup: readonly KeyValue[]): void {
    for (const { key, value } of backup) {
      const what = describe(key);
      if (what !== undefined) this.#written.set(`${cell} ${what}`, { value, moment: ++this.#moments });
    }
  }

  #copyEvent({ type, key, value, revision }: StorageEvent): void {
    const place = this.#placeOf(key);
    if (place === undefined) return;
    if (type === 'put' && value !== undefined) this.#put({ key, value, revision });
    else this.#copies.delete(place);
  }

  #put(item: KeyValue): void {
    const place = this.#placeOf(item.key);
    if (place === undefined) return;
    const { uid } = headerOf(entryOf(item));
    const before = this.#copies.get(place);
    const since = before !== undefined && before.uid === uid ? before.since : ++this.#moments;
    this.#copies.set(place, { uid, isWithdrawn: hasDeletionTimestamp(item), since });
    this.#vanished.delete(place);
  }

  #restored(backup: readonly KeyValue[]): void {
    const before = [...this.#copies];
    this.#copies.clear();
    for (const item of backup) this.#put(item);
    for (const [place, copy] of before) {
      if (copy.isWithdrawn) continue;
      const now = this.#copies.get(place);
      if (now === undefined) this.#vanished.set(place, copy.since);
      // What stood all along does so since then; what has come back, only since now.
      else if (now.uid === copy.uid) this.#copies.set(place, { ...copy, isWithdrawn: now.isWithdrawn });
    }
  }

  /** What it holds again was written when it was, for what was to be there then. */
  #edgeRestored(cell: string, backup: readonly KeyValue[]): void {
    const values = new Map(backup.map(({ key, value }) => [`${cell} ${describe(key)}`, value]));
    for (const [place, { value }] of [...this.#written]) {
      if (!place.startsWith(`${cell} `)) continue;
      const now = values.get(place);
      if (now === undefined || Buffer.compare(now, value) !== 0) this.#written.delete(place);
    }
  }

  #edgeEvent(cell: string, { type, key, value, revision, previous }: StorageEvent): void {
    const what = describe(key);
    if (what === undefined) return;
    const place = `${cell} ${what}`;
    if (type === 'put') {
      // That it is to go is the deletion itself, which may have been decided a moment ago.
      const isDeletion = value !== undefined && hasDeletionTimestamp({ key, value, revision });
      if (value !== undefined && !isDeletion) this.#written.set(place, { value, moment: ++this.#moments });
      return;
    }
    const writtenAt = this.#written.get(place)?.moment ?? 0;
    this.#written.delete(place);
    if (previous === undefined || headerOf(entryOf(previous)).labels[copyLabels.originCluster] === undefined)
      return;
    if (this.#options.mayBeByHand(cell, what)) return;
    const copy = this.#copies.get(place);
    if (copy?.isWithdrawn === true) return;
    const since = copy?.since ?? this.#vanished.get(place);
    // One that was not written since was to go for what was before this copy: the deletion may have come late.
    if (since === undefined || writtenAt <= since) return;
    this.violations.push(
      copy === undefined
        ? `${place} was deleted: its copy went with a restore, and nobody released it`
        : `${place} was deleted although its copy stands`,
    );
  }

  /** Undefined for what is not in a cell's workspace. */
  #placeOf(key: string): string | undefined {
    const cell = this.#cells.get(key.split('/')[3] ?? '');
    const what = cell === undefined ? undefined : describe(key);
    return what === undefined ? undefined : `${cell} ${what}`;
  }
}

/** `<resource> <namespace>/<name>`; undefined for what is no object. */
function describe(key: string): string | undefined {
  if (key.split('/').length !== 6) return undefined;
  const { resource, namespace, name } = parseObjectKey(key);
  return `${resource} ${namespace}/${name}`;
}
