import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  copyAnnotations,
  copyLabels,
  edgeAnnotations,
  syncAnnotations,
} from '#api/federation/copy-contract.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { KubeClient } from '#client/client.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { copyKeyOf } from '../cell/copy-keys.ts';
import { edgeFieldManager, edgeObjectOf } from '../edge/edge-object.ts';
import { servedConfigMaps as kind } from '../edge/testing/served-config-maps.ts';
import { applyForm } from './apply-form.ts';
import { Downsync } from './downsync.ts';
import { syncContextOf } from './testing/sync-context.ts';

const place = { ...kind, namespace: 'ns', name: 'a' };
const key = copyKeyOf(place);
const cellUid = 'our-cell';
const labels = { [copyLabels.originCluster]: 'project1' };
const origin = { [copyAnnotations.originName]: 'a' };

/** What stands at the edge. */
function edgeObject(annotations: { [name: string]: string } = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'a',
      namespace: 'ns',
      uid: 'u',
      resourceVersion: '12',
      labels,
      annotations: {
        ...origin,
        [copyAnnotations.contentHash]: 'h',
        [edgeAnnotations.cellUid]: cellUid,
        ...annotations,
      },
      managedFields: [
        {
          manager: edgeFieldManager,
          operation: 'Apply',
          apiVersion: 'v1',
          fieldsType: 'FieldsV1',
          fieldsV1: { 'f:data': { 'f:a': {} } },
        },
      ],
    },
  };
}

const fieldsHash = edgeObjectOf(edgeObject()).fieldsHash;

/** A copy that says that all is well, but for what is given; an empty text takes an annotation away. */
function copyOf(annotations: { [name: string]: string } = {}, metadata = {}): KubeObject {
  const all = {
    ...origin,
    [copyAnnotations.contentHash]: 'h',
    [syncAnnotations.syncedHash]: 'h',
    [syncAnnotations.syncedFields]: fieldsHash,
    ...annotations,
  };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'a',
      namespace: 'ns',
      resourceVersion: '7',
      labels,
      annotations: Object.fromEntries(Object.entries(all).filter(([, value]) => value !== '')),
      ...metadata,
    },
    data: { a: 'b' },
  };
}

/** One Downsync whose edge's watch tells `atEdge`, and answers with `answer`, with a count of what it asks for. */
async function worldOf(
  copy: KubeObject | undefined,
  atEdge: KubeObject | undefined,
  answer: KubeObject = edgeObject(),
) {
  let requests = 0;
  const notes: string[] = [];
  const scripted = new ScriptedClient();
  if (atEdge !== undefined) scripted.items = [atEdge];
  const answered = async () => {
    requests++;
    return answer;
  };
  const client: KubeClient = {
    ...scripted.client,
    get: answered,
    apply: answered,
    patch: (_ref, patch) => {
      const { metadata } = (patch.type === 'merge' ? patch.body : {}) as Partial<KubeObject>;
      const note = metadata?.annotations?.[syncAnnotations.syncError];
      const { reason, message } = typeof note === 'string' ? JSON.parse(note) : {};
      if (reason !== undefined) notes.push(`${reason}: ${message}`);
      return answered();
    },
    delete: async () => {
      requests++;
      return {};
    },
  };
  const clock = new ManualClock();
  const copies = new Map(copy === undefined ? [] : [[key, copy] as const]);
  const parts = { edgeClient: client, federationClient: client, clock, cellUid, copies };
  const context = syncContextOf(parts);
  const { mirror, tally } = context;
  await mirror.ensure(kind);
  if (copy !== undefined) tally.markPending(key);
  const downsync = new Downsync(context);
  return {
    downsync,
    tally,
    context,
    notes: () => notes,
    item: { key, place, copy, failures: 0 },
    requests: () => requests,
    stop: () => mirror.stop(),
  };
}

const deleting = { deletionTimestamp: '2026-01-01T00:00:00Z' };

const cases: readonly (readonly [
  name: string,
  copy: KubeObject | undefined,
  atEdge: KubeObject | undefined,
  isSettled: boolean,
])[] = [
  ['both say so', copyOf(), edgeObject(), true],
  ['no copy', undefined, edgeObject(), false],
  ['nothing at the edge', copyOf(), undefined, false],
  ['neither', undefined, undefined, false],
  ['the copy does not say so yet', copyOf({ [syncAnnotations.syncedHash]: '' }), edgeObject(), false],
  ['the copy has changed', copyOf({ [copyAnnotations.contentHash]: 'h2' }), edgeObject(), false],
  [
    'both say so of other content than the edge has',
    copyOf({ [copyAnnotations.contentHash]: 'h2', [syncAnnotations.syncedHash]: 'h2' }),
    edgeObject(),
    false,
  ],
  ['fields were taken', copyOf({ [syncAnnotations.syncedFields]: 'other' }), edgeObject(), false],
  ['an error stands on the copy', copyOf({ [syncAnnotations.syncError]: '{}' }), edgeObject(), false],
  ['the copy is being deleted', copyOf({}, deleting), edgeObject(), false],
  ['the edge is to stay as it is', copyOf({ [copyAnnotations.suspend]: 'true' }), edgeObject(), false],
  ['another cell left it', copyOf(), edgeObject({ [edgeAnnotations.cellUid]: 'other' }), false],
  [
    'a syncer beyond could not bring it further',
    copyOf(),
    edgeObject({ [syncAnnotations.syncError]: '{"reason":"Far","message":"away"}' }),
    false,
  ],
  [
    'it is being deleted at the edge',
    copyOf(),
    { ...edgeObject(), metadata: { ...edgeObject().metadata, ...deleting } },
    false,
  ],
];

for (const [name, copy, atEdge, isSettled] of cases) {
  test(`what needs nothing is found so at once, as it is after a longer look: ${name}`, async () => {
    const short = await worldOf(copy, atEdge);
    const long = await worldOf(copy, atEdge);
    try {
      const settled = short.downsync.settled(kind, short.item);
      assert.equal(settled !== undefined, isSettled);
      assert.equal(short.requests(), 0);
      if (settled === undefined) return;
      assert.deepEqual(await long.downsync.sync(kind, long.item, new AbortController().signal), settled);
      assert.equal(long.requests(), 0);
      assert.deepEqual(short.tally.counts, long.tally.counts);
      assert.equal(short.tally.counts.synced, 1);
    } finally {
      await Promise.all([short.stop(), long.stop()]);
    }
  });
}

test('a failure is told beside what says that a deletion is held, not in its place', async () => {
  const copy = copyOf({}, { deletionTimestamp: '2026-01-01T00:00:00Z' });
  const { downsync, context, item, notes, stop } = await worldOf(copy, edgeObject());
  const failure = { reason: 'InternalError', message: 'failed calling webhook' };
  const { signal } = new AbortController();
  try {
    context.held.hold(key, 'the budget is spent');
    await downsync.report(item, failure, false, signal);
    assert.match(notes().pop() ?? '', /^DeletionHeld: .*InternalError: failed calling webhook$/);
    context.held.forget(key);
    await downsync.report(item, failure, false, signal);
    assert.equal(notes().pop(), 'InternalError: failed calling webhook');
    // By the one who held it before.
    const annotations = { [syncAnnotations.syncError]: '{"reason":"DeletionHeld","message":"it is"}' };
    const noted = copyOf(annotations, { deletionTimestamp: '2026-01-01T00:00:00Z' });
    await downsync.report({ ...item, copy: noted }, failure, false, signal);
    assert.match(notes().pop() ?? '', /^DeletionHeld: /);
  } finally {
    await stop();
  }
});

test('what was found at the edge by a look, and its watch does not know of, is looked at again', async () => {
  const form = applyForm(copyOf(), { ...kind, autoscaled: false, cellUid });
  const { labels: applied = {}, annotations = {} } = form['metadata'] as KubeObject['metadata'];
  const found = edgeObject();
  const [entry] = found.metadata.managedFields ?? [];
  if (entry !== undefined) {
    const fieldsV1 = { 'f:labels': fieldsOf(applied), 'f:annotations': fieldsOf(annotations) };
    entry.fieldsV1 = { ...entry.fieldsV1, 'f:metadata': fieldsV1 };
  }
  const copy = copyOf({ [syncAnnotations.syncedFields]: edgeObjectOf(found).fieldsHash });
  const { downsync, item, requests, stop } = await worldOf(copy, undefined, found);
  try {
    // It has failed before: the edge is asked first.
    const outcome = await downsync.sync(kind, { ...item, failures: 1 }, new AbortController().signal);
    assert.equal(requests(), 1);
    assert.deepEqual(outcome, { state: 'present', requeueAfterMs: 10_000 });
  } finally {
    await stop();
  }
});

function fieldsOf(names: { readonly [name: string]: string }) {
  return Object.fromEntries(Object.keys(names).map((name) => [`f:${name}`, {}]));
}
