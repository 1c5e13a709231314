import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { clusterAnnotation } from '#api/core-kcp/cluster-annotation.ts';
import { copyDefinition } from '#api/federation/copy.ts';
import { copyLabels } from '#api/federation/copy-contract.ts';
import { encodeStored } from '#apiserver/registry/encode-stored.ts';
import type { KeyValue, Revision, StorageEvent, StorageKey } from '#storage/storage.ts';
import { DeletionWitness } from './deletion-witness.ts';
import type { StoreObserver } from './world/store.ts';

const cellCluster = 'cluster-of-cell';

/** A store whose changes the test tells. */
class ToldStore {
  readonly #observers: StoreObserver[] = [];
  readonly #items = new Map<StorageKey, KeyValue>();

  async observe(observer: StoreObserver): Promise<void> {
    this.#observers.push(observer);
  }

  async backUp(): Promise<readonly KeyValue[]> {
    return [...this.#items.values()];
  }

  put(cluster: string, uid: string, deletionTimestamp?: string): void {
    const metadata = {
      name: 'x',
      namespace: 'n',
      uid,
      labels: { [copyLabels.originCluster]: 'p' },
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    };
    const key = `/core/configmaps/${cluster}/n/x` as StorageKey;
    const value = encodeStored({ apiVersion: 'v1', kind: 'ConfigMap', metadata }, copyDefinition);
    const item: KeyValue = { key, value, revision: 1 as Revision };
    this.#tell({ type: 'put', ...item, previous: this.#items.get(key) });
    this.#items.set(key, item);
  }

  delete(cluster: string): void {
    const key = `/core/configmaps/${cluster}/n/x` as StorageKey;
    const previous = this.#items.get(key);
    this.#items.delete(key);
    this.#tell({ type: 'delete', key, revision: 2 as Revision, value: undefined, previous });
  }

  restore(backup: readonly KeyValue[]): void {
    this.#items.clear();
    for (const item of backup) this.#items.set(item.key, item);
    for (const observer of this.#observers) observer.restored?.(backup);
  }

  #tell(event: StorageEvent): void {
    for (const observer of this.#observers) observer.event(event);
  }
}

describe('deletions at an edge', () => {
  let federation: ToldStore;
  let edge: ToldStore;
  let witness: DeletionWitness;
  let isByHand: boolean;

  beforeEach(async () => {
    federation = new ToldStore();
    edge = new ToldStore();
    isByHand = false;
    const workspace = { metadata: { annotations: { [clusterAnnotation]: cellCluster } } };
    witness = new DeletionWitness({
      federation: Object.assign(federation, { admin: { get: async () => workspace as never } }),
      edges: new Map([['cell-a', edge]]),
      mayBeByHand: (_, what) => isByHand && what === 'configmaps n/x',
    });
    await witness.start();
  });

  const inSync = () => {
    federation.put(cellCluster, 'one');
    edge.put('edge', 'there');
  };

  test('a copy that stands is none to delete for', () => {
    inSync();
    edge.delete('edge');
    assert.deepEqual(witness.violations, ['cell-a configmaps n/x was deleted although its copy stands']);
  });

  test('withdrawn, absent, or by hand', () => {
    inSync();
    federation.put(cellCluster, 'one', '2026-01-01T00:00:00Z');
    edge.delete('edge');
    edge.put('edge', 'there again');
    federation.delete(cellCluster);
    edge.delete('edge');
    inSync();
    isByHand = true;
    edge.delete('edge');
    assert.deepEqual(witness.violations, []);
  });

  test('a deletion for what was before this copy may come late, while the edge was not written for it', () => {
    edge.put('edge', 'there');
    federation.put(cellCluster, 'two');
    edge.put('edge', 'there', '2026-01-01T00:00:00Z');
    edge.delete('edge');
    assert.deepEqual(witness.violations, []);
  });

  test('what an edge that was put back holds stands since then, and no deletion of it comes late', async () => {
    edge.put('edge', 'there');
    const backup = await edge.backUp();
    edge.delete('edge');
    federation.put(cellCluster, 'two');
    edge.restore(backup);
    witness.putBack('cell-a', backup);
    edge.delete('edge');
    assert.deepEqual(witness.violations, ['cell-a configmaps n/x was deleted although its copy stands']);
  });

  test('a copy that went with a restore says nothing until a person releases it', () => {
    inSync();
    federation.restore([]);
    edge.delete('edge');
    assert.deepEqual(witness.violations, [
      'cell-a configmaps n/x was deleted: its copy went with a restore, and nobody released it',
    ]);
    inSync();
    federation.restore([]);
    witness.released('cell-a');
    edge.delete('edge');
    assert.equal(witness.violations.length, 1);
  });

  test('a deletion for what was before a copy that went with a restore may come late as well', () => {
    edge.put('edge', 'there');
    federation.put(cellCluster, 'two');
    federation.restore([]);
    edge.delete('edge');
    assert.deepEqual(witness.violations, []);
  });

  test('what an edge holds again after a restore was not written for a copy that came later', async () => {
    edge.put('edge', 'there');
    const backup = await edge.backUp();
    federation.put(cellCluster, 'two');
    edge.put('edge', 'for the second copy');
    edge.restore(backup);
    edge.delete('edge');
    assert.deepEqual(witness.violations, []);
  });

  test('what a restore of the edge has left as it was stands as before', async () => {
    inSync();
    edge.restore(await edge.backUp());
    edge.delete('edge');
    assert.deepEqual(witness.violations, ['cell-a configmaps n/x was deleted although its copy stands']);
  });

  test('a copy that came back with a restore stands since then', async () => {
    inSync();
    const backup = await federation.backUp();
    federation.put(cellCluster, 'one', '2026-01-01T00:00:00Z');
    federation.restore(backup);
    edge.delete('edge');
    assert.deepEqual(witness.violations, []);
    edge.put('edge', 'there again');
    edge.delete('edge');
    assert.equal(witness.violations.length, 1);
  });

  test('what stood before a restore and after it stands all along', async () => {
    inSync();
    federation.restore(await federation.backUp());
    edge.delete('edge');
    assert.equal(witness.violations.length, 1);
  });
});
