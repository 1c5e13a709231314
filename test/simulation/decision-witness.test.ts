import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { copyDefinition } from '#api/federation/copy.ts';
import { resourceBindingDefinition } from '#api/work/resource-binding.ts';
import { encodeStored } from '#apiserver/registry/encode-stored.ts';
import type { KeyValue, Revision, StorageKey } from '#storage/storage.ts';
import { DecisionWitness } from './decision-witness.ts';
import type { StoreObserver } from './world/store.ts';

function workload(replicas: number, uid = 'one'): KeyValue {
  const object = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'x', namespace: 'n', uid },
    spec: { replicas },
  };
  return {
    key: '/apps/deployments/p/n/x' as StorageKey,
    value: encodeStored(object, copyDefinition),
    revision: 1 as Revision,
  };
}

function decision(replicas: number, uid = 'one'): KeyValue {
  const object = {
    apiVersion: 'work.karmada.io/v1alpha2',
    kind: 'ResourceBinding',
    metadata: { name: 'x-deployment', namespace: 'n' },
    spec: {
      resource: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'n', name: 'x', uid },
      replicas,
    },
  };
  return {
    key: '/work.karmada.io/resourcebindings/p/n/x-deployment' as StorageKey,
    value: encodeStored(object, resourceBindingDefinition),
    revision: 1 as Revision,
  };
}

describe('decisions in their order', () => {
  let witness: DecisionWitness;
  let observer: StoreObserver;

  beforeEach(async () => {
    witness = new DecisionWitness();
    await witness.start({
      observe: async (one) => {
        observer = one;
      },
      backUp: async () => [workload(1)],
    });
  });

  const put = (...items: KeyValue[]) => {
    for (const item of items) observer.event({ type: 'put', ...item, previous: undefined });
  };

  test('one on an older state than the one before is seen', () => {
    put(decision(1), workload(2), workload(3), decision(3), decision(2));
    assert.equal(witness.violations.length, 1);
    assert.match(witness.violations[0] ?? '', /decided for 2 replicas, after a decision for 3/);
  });

  test('states that are passed over, come again or are not known are held against nobody', () => {
    put(workload(2), workload(1), decision(2), decision(1), decision(1), decision(7));
    assert.deepEqual(witness.violations, []);
  });

  test('one that comes where the one before was taken back is written over nothing', () => {
    put(workload(2), decision(2));
    const { key } = decision(2);
    observer.event({ type: 'delete', key, revision: 2 as Revision, value: undefined, previous: undefined });
    put(decision(1), decision(2));
    assert.deepEqual(witness.violations, []);
    put(decision(1));
    assert.equal(witness.violations.length, 1);
  });

  test('another object of the name begins anew, and so does a store that was put back', () => {
    put(workload(2), decision(2), workload(1, 'two'), decision(1, 'two'), decision(2));
    assert.deepEqual(witness.violations, []);
    put(workload(2, 'two'), decision(2, 'two'));
    observer.restored?.([workload(1, 'two'), decision(1, 'two')]);
    put(decision(1, 'two'));
    assert.deepEqual(witness.violations, []);
  });
});
