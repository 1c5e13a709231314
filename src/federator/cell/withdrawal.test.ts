import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Cell } from '#api/federation/cell.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { silentLogger } from '#client/logger.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import type { Claim } from '../edge/edge-claim.ts';
import { Wheel } from '../wheel.ts';
import { Withdrawal } from './withdrawal.ts';

const claim: Claim = {
  controlPlaneId: 'cp',
  cellName: 'a',
  cellUid: 'u',
  incarnationId: 'i1',
  clusterId: 'c1',
};

/** A cell that is withdrawn, with copies left, and its edge, which refuses so many deletions of the claim. */
function withdrawn(refusals = 0) {
  const clock = new ManualClock();
  const state = { copies: 1, deletions: 0, refusals, isConnected: true };
  const stored: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'cellplane-claim', uid: 'claim', resourceVersion: '1' },
    data: { ...claim },
  };
  const client = {
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
    name: 'a',
    cell: () => cell,
    edge: () => (state.isConnected ? { client, claim } : undefined),
    hasNoCopies: () => state.copies === 0,
    limits: { edgeTimeoutMs: 1_000 },
    wheel: new Wheel(clock),
    logger: silentLogger,
  });
  return { withdrawal, state, clock, cell };
}

test('the claim goes with the last copy, once, and not before there is an edge to release it at', async () => {
  const { withdrawal, state } = withdrawn();
  withdrawal.check();
  assert.equal(withdrawal.isDone, false, 'a copy is left');
  state.copies = 0;
  state.isConnected = false;
  withdrawal.check();
  assert.equal(withdrawal.isDone, false);
  state.isConnected = true;
  withdrawal.check();
  withdrawal.check();
  assert.equal(withdrawal.isDone, true);
  await withdrawal.stop(true);
  assert.equal(state.deletions, 1);
});

test('a cell that stays, or leaves its objects, keeps its claim', async () => {
  const { withdrawal, state, cell } = withdrawn();
  state.copies = 0;
  cell.spec = { ...cell.spec, deletionPolicy: 'Orphan' };
  withdrawal.check();
  await withdrawal.stop(true);
  assert.equal(state.deletions, 0);
});

test('a claim that could not be released is tried again a second later, until the cell is stopped', async () => {
  const { withdrawal, state, clock } = withdrawn(2);
  state.copies = 0;
  withdrawal.check();
  while (withdrawal.isDone) await turn();
  clock.advance(999);
  assert.equal(state.deletions, 1);
  clock.advance(1);
  assert.equal(withdrawal.isDone, true, 'it is being tried');
  while (withdrawal.isDone) await turn();
  assert.equal(state.deletions, 2);
  void withdrawal.stop(false);
  clock.advance(10_000);
  assert.equal(withdrawal.isDone, false, 'nobody tries');
});

test('a cell that is stopped before its last copy was seen to go releases what it has let go of', async () => {
  for (const hasLetGo of [true, false]) {
    const { withdrawal, state } = withdrawn();
    await withdrawal.stop(hasLetGo);
    assert.equal(state.deletions, hasLetGo ? 1 : 0);
  }
});
