import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { CellWorkspace } from '../cell/cell-workspace.ts';
import { copyKeyOf } from '../cell/copy-keys.ts';
import { CopyNotes } from './copy-notes.ts';

const place = { group: '', version: 'v1', resource: 'configmaps', namespace: 'ns', name: 'a' };
const { signal } = new AbortController();
const syncError = 'federation.cellplane.io/sync-error';

test('a failure that only words itself anew is told anew once in a while, another one at once', async () => {
  const clock = new ManualClock();
  const copy: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a', namespace: 'ns', resourceVersion: '1', annotations: {} },
  };
  const written: string[] = [];
  const { client } = new ScriptedClient();
  const workspace = new CellWorkspace(
    {
      ...client,
      patch: async (_ref, patch) => {
        const { metadata = {} } = (patch.type === 'json' ? {} : patch.body) as Partial<KubeObject>;
        written.push(metadata.annotations?.[syncError] ?? '');
        // The watch tells it.
        Object.assign(copy.metadata, metadata, { resourceVersion: String(written.length + 1) });
        return copy;
      },
    },
    'root:cells:cell-a',
  );
  const notes = new CopyNotes(workspace, clock);
  const fail = (reason: string, message: string) =>
    notes.failed({ key: copyKeyOf(place), place, copy }, { reason, message }, signal);
  await fail('InternalError', 'request 1');
  for (let request = 2; request < 10; request++) {
    clock.advance(2_000);
    await fail('InternalError', `request ${request}`);
  }
  assert.equal(written.length, 4, 'more that was found out about one failure is told at once, thrice');
  clock.advance(30_000);
  await fail('InternalError', 'request 10');
  assert.equal(written.length, 5);
  assert.match(written[4] ?? '', /request 10/);
  await fail('InternalError', 'request 11');
  assert.equal(written.length, 5);
  await fail('Forbidden', 'exceeded quota');
  assert.equal(written.length, 6);
  await fail('Forbidden', 'exceeded quota');
  assert.equal(written.length, 6, 'it says so already');
});

test('a note that could not be written is written at the next try, one that was is not', async () => {
  const copy: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a', namespace: 'ns', resourceVersion: '1', annotations: {} },
  };
  let isAway = true;
  let written = 0;
  const patch = async () => {
    if (isAway) throw new ApiError('ServiceUnavailable', 'no answer');
    written++;
    return copy;
  };
  const workspace = new CellWorkspace({ ...new ScriptedClient().client, patch }, 'root:cells:cell-a');
  const notes = new CopyNotes(workspace, new ManualClock());
  const note = () => notes.synced({ key: copyKeyOf(place), place, copy }, 'f', 'none', signal);
  await assert.rejects(note(), (error) => isApiError(error, 'ServiceUnavailable'));
  isAway = false;
  await note();
  assert.equal(written, 1);
  await note();
  assert.equal(written, 1, 'the watch has yet to tell it');
  // Somebody has written the copy, and taken the note off it.
  copy.metadata.resourceVersion = '3';
  await note();
  assert.equal(written, 2);
});

test('a note waits for its turn, which is not asked for while there is nothing to write', async () => {
  const copy: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a', namespace: 'ns', resourceVersion: '1', annotations: {} },
  };
  let written = 0;
  const patch = async () => {
    written++;
    return copy;
  };
  const workspace = new CellWorkspace({ ...new ScriptedClient().client, patch }, 'root:cells:cell-a');
  const notes = new CopyNotes(workspace, new ManualClock());
  let go = () => {};
  const lot = new Promise<void>((resolve) => {
    go = resolve;
  });
  let asked = 0;
  const turn = () => {
    asked++;
    return lot;
  };
  const target = { key: copyKeyOf(place), place, copy };
  const noted = notes.synced(target, 'f', 'none', signal, turn);
  await new Promise(setImmediate);
  assert.deepEqual([asked, written], [1, 0]);
  go();
  await noted;
  assert.equal(written, 1);
  await notes.synced(target, 'f', 'none', signal, turn);
  assert.deepEqual([asked, written], [1, 1], 'the watch has yet to tell it');
});
