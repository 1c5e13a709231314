import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyAnnotations, copyLabels, edgeAnnotations } from '#api/federation/copy-contract.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { ApplyOptions, KubeClient } from '#client/client.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { copyKeyOf } from '../cell/copy-keys.ts';
import { edgeFieldManager, edgeObjectOf } from '../edge/edge-object.ts';
import { servedConfigMaps as kind } from '../edge/testing/served-config-maps.ts';
import { Applier } from './applier.ts';
import { CopyNotes, type NoteTurn } from './copy-notes.ts';
import type { ApplyReason } from './decide.ts';
import { KnownEdge } from './known-edge.ts';
import { syncContextOf } from './testing/sync-context.ts';

const conflict = () => new ApiError('Conflict', 'the object has been modified');

function copyOf(name: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace: 'ns',
      resourceVersion: '7',
      labels: { [copyLabels.originCluster]: 'project1' },
      annotations: { [copyAnnotations.originName]: name, [copyAnnotations.contentHash]: 'h' },
    },
    data: { a: 'b' },
  };
}

/** An edge that answers each apply as told, and has under every name what `present` tells. */
function worldOf(
  present: () => KubeObject | undefined,
  answer: (form: JsonObject) => KubeObject,
  noteTurn: NoteTurn = () => undefined,
) {
  const asked: string[] = [];
  const { client } = new ScriptedClient();
  const edgeClient: KubeClient = {
    ...client,
    get: async ({ name }) => {
      asked.push(`get ${name}`);
      const object = present();
      if (object === undefined) throw new ApiError('NotFound', 'no');
      return object;
    },
    apply: async ({ name }, form: JsonObject, options: ApplyOptions) => {
      const { resourceVersion = 'any' } = form['metadata'] as KubeObject['metadata'];
      asked.push(`apply ${name} over ${resourceVersion}${options.force === true ? ', forced' : ''}`);
      assert.equal(options.metadataOnly, true);
      return answer(form);
    },
  };
  const clock = new ManualClock();
  const known = new KnownEdge(clock);
  const copies = new Map(
    ['a', 'b'].map((name) => [copyKeyOf({ ...kind, namespace: 'ns', name }), copyOf(name)]),
  );
  const federationClient = { ...client, patch: async () => copyOf('x') };
  const options = { edgeClient, federationClient, clock, cellUid: 'our-cell', copies };
  const context = { ...syncContextOf(options), noteTurn };
  const applier = new Applier(context, new CopyNotes(context.workspace, clock), known);
  const { signal } = new AbortController();
  const itemOf = (name: string, failures: number) => {
    const place = { ...kind, namespace: 'ns', name };
    return { key: copyKeyOf(place), place, copy: copyOf(name), failures };
  };
  const apply = (name: string, failures = 0, why: ApplyReason = 'absent') =>
    applier.apply(kind, itemOf(name, failures), why, signal);
  const acknowledge = (name: string, object: KubeObject) =>
    applier.acknowledge(itemOf(name, 0), copyOf(name), edgeObjectOf(object), signal);
  const repairs = () => context.metrics.driftRepaired;
  const needsMore = (name: string) => applier.needsMore(itemOf(name, 0).key);
  const { mirror } = context;
  return { asked, apply, acknowledge, needsMore, repairs, known, mirror, copies };
}

const stored = (form: JsonObject): KubeObject => {
  const metadata = form['metadata'] as KubeObject['metadata'];
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...metadata, uid: 'u', resourceVersion: '12' } };
};

test('a new object is made by one request, which could change nothing that is there', async () => {
  const { asked, apply } = worldOf(() => undefined, stored);
  assert.equal((await apply('a')).state, 'present');
  assert.deepEqual(asked, ['apply a over 1']);
});

test('what is in the way is looked at, and not touched when it is another’s', async () => {
  const { asked, apply } = worldOf(
    () => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'ns' } }),
    () => {
      throw conflict();
    },
  );
  await assert.rejects(apply('a'), /no copy made under this name/);
  assert.deepEqual(asked, ['apply a over 1', 'get a']);
});

test('an edge that refuses the revision for what is absent is asked first from then on', async () => {
  const { asked, apply } = worldOf(
    () => undefined,
    (form) => {
      if ((form['metadata'] as KubeObject['metadata']).resourceVersion !== undefined) throw conflict();
      return stored(form);
    },
  );
  await apply('a');
  await apply('b');
  assert.deepEqual(asked, [
    'apply a over 1',
    'get a',
    'apply a over 1',
    'get a',
    'apply a over any',
    'get b',
    'apply b over any',
  ]);
});

test('what was written from a newer copy is not written over from an older one that is only now looked at', async () => {
  const { asked, apply, known } = worldOf(() => undefined, stored);
  const { metadata, ...content } = copyOf('a');
  const atEdge = (revision: string): KubeObject => ({
    ...content,
    metadata: {
      ...metadata,
      uid: 'u',
      resourceVersion: '30',
      annotations: { ...metadata.annotations, [edgeAnnotations.copyRevision]: revision },
    },
  });
  const key = copyKeyOf({ ...kind, namespace: 'ns', name: 'a' });
  known.applied(key, edgeObjectOf(atEdge('9')), undefined);
  await assert.rejects(apply('a', 0, 'changed'), /written from a newer copy/);
  assert.deepEqual(asked, []);
  known.applied(key, edgeObjectOf(atEdge('6')), undefined);
  await apply('a', 0, 'changed');
  assert.deepEqual(asked, ['apply a over 30, forced']);
});

test('what somebody else makes between the look and the apply is not written over', async () => {
  const made: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'ns' } };
  const present: { object: KubeObject | undefined } = { object: undefined };
  const { asked, apply } = worldOf(
    () => present.object,
    () => {
      present.object = made;
      throw conflict();
    },
  );
  // It has failed before: the edge is asked first.
  await assert.rejects(apply('a', 1), (error) => isApiError(error, 'Conflict'));
  assert.deepEqual(asked, ['get a', 'apply a over 1', 'get a']);
});

test('a repair that no answer came to is counted once, when the object is seen repaired; a refused one is not', async () => {
  const { metadata, ...content } = copyOf('a');
  const drifted: KubeObject = {
    ...content,
    metadata: { ...metadata, uid: 'u', resourceVersion: '30' },
    data: { a: 'by hand' },
  };
  const mended: KubeObject = { ...drifted, metadata: { ...drifted.metadata, resourceVersion: '31' } };
  let answer: () => KubeObject = () => {
    throw conflict();
  };
  const { apply, acknowledge, needsMore, repairs } = worldOf(
    () => drifted,
    () => answer(),
  );
  await assert.rejects(apply('a', 0, 'drift'), (error) => isApiError(error, 'Conflict'));
  assert.equal(needsMore('a'), false);
  await acknowledge('a', mended);
  assert.equal(repairs(), 0, 'whoever was in the way has put it right');
  answer = () => {
    throw new ApiError('Timeout', 'no answer', { cause: new Error('ETIMEDOUT') });
  };
  await assert.rejects(apply('a', 0, 'drift'), (error) => isApiError(error, 'Timeout'));
  assert.equal(repairs(), 0);
  assert.equal(needsMore('a'), true, 'nothing else tells whether it was made');
  await acknowledge('a', mended);
  await acknowledge('a', mended);
  assert.equal(repairs(), 1);
  await assert.rejects(apply('a', 0, 'drift'), (error) => isApiError(error, 'Timeout'));
  answer = () => mended;
  await apply('a', 0, 'drift');
  assert.equal(repairs(), 2, 'made again, and answered');
});

test('the note of a kind without a status takes its turn; with one the status waits behind it, and it takes none', async () => {
  for (const hasStatus of [false, true]) {
    let turns = 0;
    const { apply, mirror } = worldOf(
      () => undefined,
      stored,
      () => {
        turns++;
        return undefined;
      },
    );
    Object.assign(mirror, { kindOf: () => ({ ...kind, hasStatus }) });
    await apply('a');
    assert.equal(turns, hasStatus ? 0 : 1);
  }
});

test('a copy that is read as one that goes is not brought to the edge any more', async () => {
  const { asked, apply, copies } = worldOf(() => undefined, stored);
  const key = copyKeyOf({ ...kind, namespace: 'ns', name: 'a' });
  const { metadata, ...content } = copyOf('a');
  copies.set(key, { ...content, metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } });
  assert.equal((await apply('a')).state, 'waiting');
  assert.deepEqual(asked, []);
});

test('what merely lags behind a copy that changed is no drift; what its edge keeps is applied as it is there', async () => {
  const { metadata, ...content } = copyOf('a');
  const atEdge: KubeObject = {
    ...content,
    metadata: {
      ...metadata,
      uid: 'u',
      resourceVersion: '30',
      managedFields: [
        {
          manager: edgeFieldManager,
          operation: 'Apply',
          fieldsV1: { 'f:metadata': { 'f:labels': {}, 'f:annotations': {} }, 'f:data': {} },
        },
      ],
    },
    data: { a: 'theirs' },
  };
  const forms: JsonObject[] = [];
  const { apply, repairs, copies } = worldOf(
    () => atEdge,
    (form) => {
      forms.push(form);
      return { ...atEdge, metadata: { ...atEdge.metadata, resourceVersion: '31' } };
    },
  );
  const key = copyKeyOf({ ...kind, namespace: 'ns', name: 'a' });
  const annotations = {
    ...metadata.annotations,
    [copyAnnotations.contentHash]: 'newer',
    [copyAnnotations.retainedFields]: '["/data/a"]',
  };
  copies.set(key, { ...content, metadata: { ...metadata, annotations } });
  await apply('a', 0, 'drift');
  assert.equal(repairs(), 0);
  assert.deepEqual(forms[0]?.['data'], { a: 'theirs' });
});
