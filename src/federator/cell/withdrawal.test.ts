import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cell } from '#api/federation/cell.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import type { Claim } from '../edge/edge-claim.ts';
import { Withdrawal } from './withdrawal.ts';

const claim: Claim = {
  controlPlaneId: 'cp',
  cellName: 'a',
  cellUid: 'u',
  incarnationId: 'i1',
  clusterId: 'c1',
};
const { signal } = new AbortController();

/** A cell that is withdrawn, with copies left, and its edge, which refuses so many deletions of the claim. */
function withdrawn({ refusals = 0, owner = claim } = {}) {
  const state = { copies: 1, isAwaiting: false, deletions: 0, refusals, told: 0, isToldRefused: false };
  const stored: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'cellplane-claim', uid: 'claim', resourceVersion: '1' },
    data: { ...owner },
  };
  const edgeClient = {
    ...new ScriptedClient().client,
    get: async () => stored,
    delete: async () => {
      state.deletions++;
      if (state.refusals-- > 0) throw new ApiError('ServiceUnavailable', 'no answer');
      return stored;
    },
  };
  const cell: Cell = {
    apiVersion: 'federation.cellplane.io/v1alpha1',
    kind: 'Cell',
    metadata: { name: 'a', deletionTimestamp: '2026-01-01T00:00:00Z' },
    spec: { deletionPolicy: 'Withdraw' },
  };
  const withdrawal = new Withdrawal({
    cell: () => cell,
    hasNoCopies: () => state.copies === 0,
    isAwaitingCopy: () => state.isAwaiting,
    notice: {
      released: async () => {
        if (state.isToldRefused) throw new ApiError('ServiceUnavailable', 'no answer');
        state.told++;
      },
    },
  });
  return { withdrawal, state, edgeClient, cell };
}

test('the claim goes when the last copy has gone, and the Cell is told after it', async () => {
  const { withdrawal, state, edgeClient } = withdrawn();
  assert.equal(withdrawal.isDue, false, 'a copy is left');
  state.copies = 0;
  assert.equal(withdrawal.isDue, true);
  const releasing = withdrawal.release(edgeClient, claim, signal);
  assert.deepEqual(
    [withdrawal.isDone, state.told],
    [true, 0],
    'nobody may do anything at the edge meanwhile',
  );
  await releasing;
  assert.deepEqual([withdrawal.isDone, withdrawal.isDue], [true, false]);
  assert.deepEqual([state.deletions, state.told], [1, 1]);
});

test('a cell that stays, or leaves its objects, keeps its claim', () => {
  const { withdrawal, state, cell } = withdrawn();
  state.copies = 0;
  cell.spec = { ...cell.spec, deletionPolicy: 'Orphan' };
  assert.equal(withdrawal.isDue, false);
  cell.spec = { ...cell.spec, deletionPolicy: 'Withdraw' };
  delete cell.metadata.deletionTimestamp;
  assert.equal(withdrawal.isDue, false);
});

test('a claim that could not be released, or of which the Cell could not be told, is due again', async () => {
  const { withdrawal, state, edgeClient } = withdrawn({ refusals: 1 });
  state.copies = 0;
  await assert.rejects(withdrawal.release(edgeClient, claim, signal), /no answer/);
  assert.deepEqual([withdrawal.isDue, withdrawal.isDone, state.told], [true, false, 0]);
  state.isToldRefused = true;
  await assert.rejects(withdrawal.release(edgeClient, claim, signal), /no answer/);
  assert.equal(withdrawal.isDue, true);
  state.isToldRefused = false;
  await withdrawal.release(edgeClient, claim, signal);
  assert.deepEqual([withdrawal.isDone, state.told], [true, 1]);
});

test('an edge that is another’s by now is left alone, and the Cell may go', async () => {
  const { withdrawal, state, edgeClient } = withdrawn({ owner: { ...claim, cellUid: 'another' } });
  state.copies = 0;
  await withdrawal.release(edgeClient, claim, signal);
  assert.deepEqual([state.deletions, state.told], [0, 1]);
});

test('a copy that came late has the edge claimed again, and released again after it', async () => {
  const { withdrawal, state, edgeClient } = withdrawn();
  state.copies = 0;
  await withdrawal.release(edgeClient, claim, signal);
  state.copies = 1;
  assert.deepEqual([withdrawal.isDone, withdrawal.isUndone], [false, true]);
  withdrawal.begin();
  assert.equal(withdrawal.isUndone, false);
  state.copies = 0;
  assert.equal(withdrawal.isDue, true);
  await withdrawal.release(edgeClient, claim, signal);
  assert.deepEqual([state.deletions, state.told], [2, 2]);
});

test('the claim stands until what awaited a copy has gone as well', () => {
  const { withdrawal, state } = withdrawn();
  state.copies = 0;
  state.isAwaiting = true;
  assert.equal(withdrawal.isDue, false);
  state.isAwaiting = false;
  assert.equal(withdrawal.isDue, true);
});
