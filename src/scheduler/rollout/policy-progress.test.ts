import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RolloutProgress } from '#api/policy/rollout-progress.ts';
import type { RolloutStatus } from '#api/work/resource-binding.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { applyMergePatch } from '#apiserver/patch/merge-patch.ts';
import type { Patch } from '#client/client.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import type { WorkQueue } from '#client/workqueue.ts';
import { KeyStates } from '../key-state.ts';
import { keyOf } from '../object-key.ts';
import type { Policies } from '../policy/policies.ts';
import { policyKeyOf } from '../policy/policy-index.ts';
import { PolicyProgress } from './policy-progress.ts';

const policyKey = policyKeyOf('p', 'default', 'web');
const key = keyOf({
  group: 'apps',
  resource: 'deployments',
  cluster: 'p',
  namespace: 'default',
  name: 'web',
});
const underWay: RolloutStatus = {
  phase: 'Progressing',
  stable: 'a',
  target: 'b',
  wave: 0,
  waves: 2,
  since: '2026-01-01T00:00:00Z',
};
const complete: RolloutStatus = { ...underWay, phase: 'Complete', wave: 1 };

/** One object of one policy, of which the watch tells nothing that it is not asked to. */
function world() {
  let stored: JsonObject = {};
  let told: RolloutProgress | undefined;
  let looks = 0;
  let writes = 0;
  let refusal: ApiError | undefined;
  const states = new KeyStates();
  const state = states.claim(key, policyKey);
  const policy = { cluster: 'p', namespace: 'default', name: 'web', uid: 'u', spec: { rollout: {} } };
  const progress = new PolicyProgress({
    client: {
      ...new ScriptedClient().client,
      patch: async (_ref, patch: Patch) => {
        assert.equal(patch.type, 'merge');
        writes++;
        if (refusal !== undefined) throw refusal;
        stored = applyMergePatch(stored, patch.body as JsonObject) as JsonObject;
        return { apiVersion: 'policy.karmada.io/v1alpha1', kind: 'PropagationPolicy', metadata: {} };
      },
    },
    states,
    policies: {
      index: { get: () => policy },
      policyAbove: () => undefined,
      toldProgress: () => told,
    } as unknown as Policies,
    queue: { addAfter: () => looks++ } as unknown as WorkQueue,
    share: () => 1,
    owns: () => true,
  });
  const stands = () =>
    (stored['status'] as JsonObject | undefined)?.['rollout'] as RolloutProgress | undefined;
  return {
    stands,
    writes: () => writes,
    looks: () => looks,
    refuse: (reason: 'Conflict' | 'NotFound' | undefined) => {
      refusal = reason === undefined ? undefined : new ApiError(reason, 'no');
    },
    write: async (status: RolloutStatus) => {
      state.rolloutStatus = status;
      await progress.reconcile(policyKey, new AbortController().signal);
    },
    tell: (what = stands()) => {
      told = what;
      progress.told(policyKey);
    },
  };
}

test('what was written over a status that the watch had not told is set right when it tells', async () => {
  const w = world();
  await w.write(underWay);
  assert.equal(w.stands()?.unfinished?.length, 1);
  await w.write(complete);
  assert.equal(w.stands()?.complete, 1);
  w.tell();
  assert.equal(w.looks(), 1);
  await w.write(complete);
  assert.equal(w.stands()?.unfinished, undefined);
  w.tell();
  assert.equal(w.looks(), 1, 'our own word is no news');
});

test('what is again as the watch still tells is written over what it has not told', async () => {
  const w = world();
  await w.write(complete);
  w.tell();
  await w.write(underWay);
  const second = w.stands();
  await w.write(complete);
  assert.equal(w.writes(), 2, 'the watch tells so');
  w.tell(second);
  assert.equal(w.looks(), 1);
  await w.write(complete);
  assert.deepEqual([w.stands()?.complete, w.stands()?.unfinished], [1, undefined]);
});

test('what was refused for another write is looked at again; of a policy that is gone nothing is', async () => {
  const { write, refuse, looks, stands } = world();
  refuse('Conflict');
  await write(underWay);
  assert.equal(looks(), 1);
  refuse('NotFound');
  await write(underWay);
  assert.equal(looks(), 1);
  refuse(undefined);
  await write(underWay);
  assert.equal(stands()?.progressing, 1);
});
