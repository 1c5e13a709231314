import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyDefinition } from '#api/federation/copy.ts';
import { copyLabels } from '#api/federation/copy-contract.ts';
import { encodeStored } from '#apiserver/registry/encode-stored.ts';
import type { KeyValue, Revision, StorageKey } from '#storage/storage.ts';
import { OrderWitness } from './order-witness.ts';
import type { StoreObserver } from './world/store.ts';

const key = '/core/configmaps/cell/n/x' as StorageKey;

function copyOf(uid: string, stamp: number): KeyValue {
  const metadata = { name: 'x', namespace: 'n', uid, labels: { [copyLabels.originCluster]: 'p' } };
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { stamp: String(stamp) } };
  return { key, value: encodeStored(object, copyDefinition), revision: 1 as Revision };
}

test('an older content over a newer one is seen, but for another copy and after a restore', async () => {
  const witness = new OrderWitness();
  const observers: StoreObserver[] = [];
  await witness.start({
    observe: async (one) => void observers.push(one),
    backUp: async () => [copyOf('u1', 3)],
  });
  const put = (uid: string, stamp: number) =>
    observers[0]?.event({ type: 'put', ...copyOf(uid, stamp), previous: undefined });
  put('u1', 3);
  put('u1', 5);
  put('u2', 1);
  put('u2', 2);
  assert.deepEqual(witness.violations, []);
  observers[0]?.restored?.([copyOf('u2', 1)]);
  put('u2', 1);
  assert.deepEqual(witness.violations, []);
  put('u2', 4);
  put('u2', 2);
  assert.equal(witness.violations.length, 1);
  assert.match(witness.violations[0] ?? '', /content 2 was written over 4/);
});
