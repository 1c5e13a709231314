import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cell } from '#api/federation/cell.ts';
import { isClaimed } from '#api/federation/cell-claim.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { KubeClient } from '#client/client.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { ClaimNotice } from './claim-notice.ts';

const { signal } = new AbortController();
const ready = { type: 'Ready', status: 'True' as const, reason: 'EdgeReady', message: '' };

/** A Cell in the store, and a notice that has seen it as it was at first. */
function stored() {
  const clock = new ManualClock();
  const cell = (
    uid: string,
    revision: number,
    conditions: NonNullable<Cell['status']>['conditions'],
  ): Cell => ({
    apiVersion: 'federation.cellplane.io/v1alpha1',
    kind: 'Cell',
    metadata: { name: 'a', uid, resourceVersion: String(revision) },
    status: { conditions: conditions ?? [] },
  });
  const state = { cell: cell('u', 1, [ready]) as Cell | undefined, writes: 0, others: 0 };
  const federationClient: KubeClient = {
    ...new ScriptedClient().client,
    get: async () => {
      if (state.cell === undefined) throw new ApiError('NotFound', 'no');
      return state.cell;
    },
    patch: async (_ref, patch) => {
      if (patch.type !== 'merge') throw new Error('not a merge patch');
      const { metadata, status } = patch.body as { metadata: JsonObject; status: Cell['status'] };
      const revision = Number(state.cell?.metadata.resourceVersion);
      if (state.others-- > 0) {
        state.cell = cell('u', revision + 1, [...(state.cell?.status?.conditions ?? [])]);
        throw new ApiError('Conflict', 'changed');
      }
      assert.equal(metadata['resourceVersion'], String(revision), 'the list is replaced as it was read');
      state.writes++;
      state.cell = cell('u', revision + 1, status?.conditions);
      return state.cell;
    },
  };
  const seen = { cell: state.cell as Cell };
  const notice = new ClaimNotice({ federationClient, cell: () => seen.cell, clock });
  return { notice, state, seen, clock, other: () => cell('another', 5, [ready]) };
}

const told = (cell: Cell | undefined) =>
  cell?.status?.conditions?.map(({ type, status }) => `${type}=${status}`);

test('a Cell is told before its edge is claimed, once, and beside what others say of it', async () => {
  const { notice, state, seen } = stored();
  await notice.claiming(signal);
  assert.deepEqual(told(state.cell), ['Ready=True', 'Claimed=True']);
  await notice.claiming(signal);
  assert.equal(state.writes, 1, 'read and found to be so');
  seen.cell = state.cell as Cell;
  state.cell = undefined; // not asked for
  await notice.claiming(signal);
  assert.ok(isClaimed(seen.cell));
});

test('what others write meanwhile is kept', async () => {
  const { notice, state, clock } = stored();
  state.others = 3;
  const telling = notice.claiming(signal);
  await clock.advanceAsync(10_000, 100);
  await telling;
  assert.deepEqual([told(state.cell), state.writes], [['Ready=True', 'Claimed=True'], 1]);
});

test('after a release what was seen before it is not believed', async () => {
  const { notice, state, seen } = stored();
  await notice.claiming(signal);
  seen.cell = state.cell as Cell;
  await notice.released(signal);
  assert.deepEqual(told(state.cell), ['Ready=True', 'Claimed=False']);
  await notice.claiming(signal);
  assert.deepEqual(told(state.cell), ['Ready=True', 'Claimed=True']);
});

test('a Cell that has gone, or another of its name, is told nothing', async () => {
  const { notice, state, other } = stored();
  state.cell = other();
  await notice.released(signal);
  state.cell = undefined;
  await notice.released(signal);
  assert.equal(state.writes, 0);
});
