import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterAnnotation } from '#api/core-kcp/cluster-annotation.ts';
import type { Cell } from '#api/federation/cell.ts';
import {
  awaitsCopy,
  copyAnnotations,
  copyLabels,
  edgeAnnotations,
  edgeFinalizer,
  syncAnnotations,
} from '#api/federation/copy-contract.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { DeleteOptions, KubeClient, Patch } from '#client/client.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { type CopyKey, copyKeyOf } from '../cell/copy-keys.ts';
import type { Claim } from '../edge/edge-claim.ts';
import type { EdgeMirror } from '../edge/edge-mirror.ts';
import { edgeObjectOf } from '../edge/edge-object.ts';
import type { ServedKind } from '../edge/served-kind.ts';
import { servedConfigMaps } from '../edge/testing/served-config-maps.ts';
import { ContainerGates, containerNamed } from './container-gates.ts';
import { CopyNotes } from './copy-notes.ts';
import type { SyncContext } from './sync-context.ts';
import { SyncRefusal } from './sync-refusal.ts';
import { syncContextOf } from './testing/sync-context.ts';
import { Withdrawer } from './withdrawer.ts';

const cellUid = 'our-cell';
const namespaces: ServedKind = {
  group: '',
  version: 'v1',
  resource: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
  hasStatus: false,
  isSyncable: true,
};
const definitions: ServedKind = {
  ...namespaces,
  group: 'apiextensions.k8s.io',
  resource: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
};
const deletionTimestamp = '2026-01-01T00:00:00Z';
const verbs = ['list', 'watch', 'patch', 'delete'];
const source = { incarnationId: 'i', clusterId: 'c' };

function objectOf({ kind, namespaced }: ServedKind, name: string, metadata = {}): KubeObject {
  const namespace = namespaced ? 'ns' : undefined;
  const labels = { [copyLabels.originCluster]: 'project1' };
  return {
    apiVersion: 'v1',
    kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      uid: `uid-${name}`,
      resourceVersion: '12',
      labels,
      annotations: { [copyAnnotations.originName]: name, [edgeAnnotations.cellUid]: cellUid },
      ...metadata,
    },
  };
}

/** An edge whose namespace holds `content`, and a workspace that holds no copy but is there, at `at`. */
function worldOf(
  kind: ServedKind,
  {
    content = [],
    listed = content,
    beforeList = () => {},
    isWithdrawing = false,
    deletionBudget,
    at = source,
    hasVanished = false,
    noted,
    wantedAgain,
    mark,
    refusesMarks = false,
    more = {},
    name = 'a',
    applied,
    stored,
  }: {
    readonly content?: readonly KubeObject[];
    /** What lists tell of it. */
    readonly listed?: readonly KubeObject[];
    readonly beforeList?: () => void;
    readonly isWithdrawing?: boolean;
    readonly deletionBudget?: NonNullable<Cell['spec']>['deletionBudget'];
    readonly at?: typeof source;
    /** Its copy was seen to go without having been marked for deletion. */
    readonly hasVanished?: boolean;
    /** What the copy says is wrong. */
    readonly noted?: string;
    /** uid of the object that wants the copy again. */
    readonly wantedAgain?: string;
    /** What the edge object says of its deletion. */
    readonly mark?: string;
    readonly refusesMarks?: boolean;
    readonly more?: Partial<SyncContext>;
    readonly name?: string;
    /** The copy's revision that the edge was written from last. */
    readonly applied?: string;
    /** The copy as the workspace has it by now. */
    readonly stored?: KubeObject;
  },
) {
  const deleted: DeleteOptions[] = [];
  const patched: JsonObject[] = [];
  const released: JsonObject[] = [];
  const { client } = new ScriptedClient();
  const resources = [
    { resource: 'configmaps', scope: 'Namespaced', responseKind: { kind: 'ConfigMap' }, verbs },
  ];
  const widgets = [{ resource: 'widgets', scope: 'Namespaced', responseKind: { kind: 'Widget' }, verbs }];
  const edgeClient: KubeClient = {
    ...client,
    raw: async ({ path }) => {
      const [name, served] = path === '/api' ? ['', resources] : ['example.com', widgets];
      const items = [{ metadata: { name }, versions: [{ version: 'v1', resources: served }] }];
      return { kind: 'APIGroupDiscoveryList', items };
    },
    list: async () => {
      beforeList();
      return { apiVersion: 'v1', kind: 'List', metadata: {}, items: [...listed] };
    },
    async *watch() {
      for (const object of content) yield { type: 'ADDED', object };
      yield { type: 'BOOKMARK', resourceVersion: '12', initialEventsEnd: true };
    },
    delete: async (_ref, options = {}) => {
      deleted.push(options);
      return {};
    },
    patch: async (_ref, patch: Patch) => {
      if (refusesMarks) throw new ApiError('InternalError', 'failed calling webhook');
      if (patch.type === 'merge') patched.push(patch.body as JsonObject);
      return objectOf(kind, 'a');
    },
  };
  const federationClient: KubeClient = {
    ...client,
    get: async ({ name, gvr: { resource } }) => {
      if (resource !== 'logicalclusters' && stored !== undefined) return stored;
      if (resource !== 'logicalclusters') throw new ApiError('NotFound', 'no', { details: { name } });
      const annotations = { [clusterAnnotation]: at.clusterId };
      return {
        apiVersion: 'v1',
        kind: 'LogicalCluster',
        metadata: { annotations },
        status: { phase: 'Ready' },
      };
    },
    raw: async () => ({ controlPlaneId: 'cp', incarnationId: at.incarnationId }),
    patch: async (_ref, patch: Patch) => {
      if (patch.type === 'merge') released.push(patch.body as JsonObject);
      return objectOf(kind, 'a');
    },
  };
  const cell: Cell = {
    apiVersion: 'federation.cellplane.io/v1alpha1',
    kind: 'Cell',
    metadata: { name: 'cell-a', uid: cellUid, ...(isWithdrawing ? { deletionTimestamp } : {}) },
    spec: { deletionPolicy: 'Withdraw', ...(deletionBudget === undefined ? {} : { deletionBudget }) },
  };
  const gates = new ContainerGates();
  const claim: Claim = { controlPlaneId: 'cp', cellName: 'cell-a', cellUid, ...source };
  const clock = new ManualClock();
  const copies = new Map<CopyKey, KubeObject>();
  const shared = syncContextOf({ edgeClient, federationClient, clock, cellUid, copies });
  const context: SyncContext = {
    ...shared,
    copies: { ...shared.copies, hasVanished: () => hasVanished },
    cell: () => cell,
    claim: () => claim,
    ...more,
  };
  const withdrawer = new Withdrawer(context, new CopyNotes(context.workspace, clock), gates);
  const place = { ...kind, namespace: kind.namespaced ? 'ns' : '', name };
  const finalizers = [edgeFinalizer];
  const copy = objectOf(kind, 'a', { deletionTimestamp, finalizers, resourceVersion: '7' });
  if (noted !== undefined)
    copy.metadata.annotations = {
      ...copy.metadata.annotations,
      [syncAnnotations.syncError]: JSON.stringify({ reason: noted, message: '' }),
    };
  if (wantedAgain !== undefined)
    copy.metadata.annotations = { ...copy.metadata.annotations, [copyAnnotations.wantedAgain]: wantedAgain };
  const edge = objectOf(kind, 'a');
  if (mark !== undefined)
    edge.metadata.annotations = { ...edge.metadata.annotations, [copyAnnotations.deletionPolicy]: mark };
  if (applied !== undefined)
    edge.metadata.annotations = { ...edge.metadata.annotations, [edgeAnnotations.copyRevision]: applied };
  const remove = (failures = 0, evidence: 'withdrawn' | 'absent' = 'withdrawn') =>
    withdrawer.delete(
      kind,
      { key: copyKeyOf(place), place, copy: evidence === 'absent' ? undefined : copy, failures },
      edgeObjectOf(edge),
      evidence,
      new AbortController().signal,
    );
  const unmark = (metadata: KubeObject['metadata']) =>
    withdrawer.unmark(
      kind,
      { key: copyKeyOf(place), place, copy: objectOf(kind, 'a', metadata), failures: 0 },
      edgeObjectOf(edge),
      new AbortController().signal,
    );
  return { context, gates, copies, key: copyKeyOf(place), remove, unmark, deleted, patched, released };
}

const isContentRemains = (error: unknown) =>
  error instanceof SyncRefusal && error.reason === 'ContentRemains';

test('a namespace waits for what copies have brought into it, some ten seconds, and is then left with it', async () => {
  const { remove, deleted, patched, released } = worldOf(namespaces, {
    content: [objectOf(servedConfigMaps, 'b')],
  });
  for (const failures of [0, 1, 8]) await assert.rejects(remove(failures), isContentRemains);
  assert.deepEqual([patched, released], [[], []]);
  assert.equal((await remove(9)).state, 'gone');
  const [{ metadata = {} } = {}] = patched as { metadata?: JsonObject }[];
  assert.deepEqual(metadata['annotations'], { [copyAnnotations.deletionPolicy]: 'Orphan' });
  assert.deepEqual([metadata['uid'], metadata['resourceVersion']], ['uid-a', '12']);
  assert.deepEqual(released, [{ metadata: { uid: 'uid-a', resourceVersion: '7', finalizers: [] } }]);
  assert.deepEqual(deleted, []);
});

test('of a cell that is withdrawn a namespace waits for what copies have brought however long it takes', async () => {
  const content = [objectOf(servedConfigMaps, 'b')];
  const { remove, deleted, patched } = worldOf(namespaces, { content, isWithdrawing: true });
  for (const failures of [0, 9, 1_000]) await assert.rejects(remove(failures), isContentRemains);
  assert.deepEqual([deleted, patched], [[], []]);
});

test('an empty namespace goes', async () => {
  const { remove, deleted } = worldOf(namespaces, {});
  await remove();
  assert.equal(deleted.length, 1);
});

test('a namespace that lists call empty, and watches do not, stays', async () => {
  const own = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'own', namespace: 'a' } };
  const { remove, deleted, patched } = worldOf(namespaces, { content: [own], listed: [] });
  assert.equal((await remove()).state, 'gone');
  assert.deepEqual(deleted, []);
  assert.equal(patched.length, 1, 'it says that it is left there');
});

test('a definition goes where neither a list nor a watch tells of objects', async () => {
  const name = 'widgets.example.com';
  const full = worldOf(definitions, { name, content: [objectOf(servedConfigMaps, 'b')], listed: [] });
  await full.context.kinds.refresh();
  const isInstancesRemain = (error: unknown) =>
    error instanceof SyncRefusal && error.reason === 'InstancesRemain';
  await assert.rejects(full.remove(), isInstancesRemain);
  assert.deepEqual(full.deleted, []);
  const empty = worldOf(definitions, { name });
  await empty.context.kinds.refresh();
  await empty.remove();
  assert.equal(empty.deleted.length, 1);
});

test('of a cell that is withdrawn a definition stays with the edge’s own objects, and waits for what awaits a copy', async () => {
  const name = 'widgets.example.com';
  const content = [objectOf(servedConfigMaps, 'b')];
  const own = worldOf(definitions, { name, content, isWithdrawing: true });
  await own.context.kinds.refresh();
  assert.deepEqual(await own.remove(), { state: 'gone' });
  assert.deepEqual([own.deleted.length, own.patched.length], [0, 1], 'it is left to them');
  const mirror = { isAwaitingCopyOf: (uid: string) => uid === cellUid } as unknown as EdgeMirror;
  const awaited = worldOf(definitions, { name, content, isWithdrawing: true, more: { mirror } });
  await awaited.context.kinds.refresh();
  await assert.rejects(awaited.remove(), /objects of this kind are left/);
  assert.deepEqual([awaited.deleted, awaited.patched], [[], []]);
});

const inA = containerNamed('namespaces', 'a');

test('a namespace stays when something was on its way into it while it was looked through', async () => {
  const world = worldOf(namespaces, {
    beforeList: () => world.gates.enter([inA]) && world.gates.leave([inA]),
  });
  assert.deepEqual(await world.remove(0, 'absent'), { state: 'waiting', requeueAfterMs: 5_000 });
  assert.deepEqual(world.deleted, []);
  assert.equal(world.gates.enter([inA]), true);
  assert.equal((await world.remove(0, 'absent')).state, 'waiting');
  assert.deepEqual(world.deleted, [], 'nor while it is being brought there');
});

test('what has a copy again by the time that it would be deleted stays', async () => {
  const again = objectOf(namespaces, 'a', { uid: 'other' });
  const world = worldOf(namespaces, { beforeList: () => world.copies.set(world.key, again) });
  assert.equal((await world.remove(0, 'absent')).state, 'waiting');
  assert.deepEqual(world.deleted, []);
});

test('what is deleted is what was seen', async () => {
  const { remove, deleted } = worldOf(servedConfigMaps, {});
  assert.equal((await remove()).state, 'waiting');
  assert.deepEqual(deleted[0]?.preconditions, { uid: 'uid-a', resourceVersion: '12' });
});

test('a withdrawal that is old news deletes nothing that a later copy has brought', async () => {
  const successor = objectOf(servedConfigMaps, 'a', { uid: 'successor', resourceVersion: '9' });
  const late = worldOf(servedConfigMaps, { applied: '8', stored: successor });
  assert.deepEqual(await late.remove(), { state: 'waiting', requeueAfterMs: 60_000 });
  const gone = worldOf(servedConfigMaps, { applied: '8' });
  assert.equal((await gone.remove()).state, 'waiting');
  assert.deepEqual([late.deleted, gone.deleted], [[], []], 'what became of it is told by its own events');
});

test('a withdrawal holds that is so still, though the edge names a later revision: the store may have been put back', async () => {
  const still = objectOf(servedConfigMaps, 'a', { deletionTimestamp, resourceVersion: '7' });
  const world = worldOf(servedConfigMaps, { applied: '8', stored: still });
  await world.remove();
  assert.equal(world.deleted.length, 1);
  const usual = worldOf(servedConfigMaps, {
    applied: '6',
    stored: { ...still, metadata: { name: 'not asked for' } },
  });
  await usual.remove();
  assert.equal(usual.deleted.length, 1);
});

test('what has no copy goes where the copies lie at the source that the edge was claimed under', async () => {
  const { context, remove, deleted } = worldOf(servedConfigMaps, {});
  await remove(0, 'absent');
  assert.equal(deleted.length, 1);
  assert.equal(context.held.size, 0);
});

for (const [what, at] of [
  ['a store that was put back', { ...source, incarnationId: 'i2' }],
  ['a workspace that was made anew', { ...source, clusterId: 'c2' }],
] as const) {
  test(`what has no copy in ${what} is held`, async () => {
    const { context, remove, deleted } = worldOf(servedConfigMaps, { at });
    assert.equal((await remove(0, 'absent')).state, 'waiting');
    assert.equal(context.held.size, 1);
    assert.match(context.held.first ?? '', /nothing says that it was withdrawn/);
    assert.deepEqual(deleted, []);
  });
}

test('what has no copy since that went without having been withdrawn is held, though all else is as it was', async () => {
  const { context, remove, deleted } = worldOf(servedConfigMaps, { hasVanished: true });
  assert.equal((await remove(0, 'absent')).state, 'waiting');
  assert.match(context.held.first ?? '', /without having been withdrawn/);
  assert.deepEqual(deleted, []);
});

test('a deletion that the former holder of the cell held is held by the next, whose budget is fresh', async () => {
  const { context, remove, deleted } = worldOf(servedConfigMaps, { noted: 'DeletionHeld' });
  assert.equal((await remove()).state, 'waiting');
  assert.equal(context.held.size, 1);
  assert.deepEqual(deleted, []);
  const other = worldOf(servedConfigMaps, { noted: 'Invalid' });
  await other.remove();
  assert.equal(other.deleted.length, 1, 'any other note holds nothing');
});

test('no budget holds a namespace or a definition that has become empty, nor is either taken from it', async () => {
  const deletionBudget = { maxObjects: 0 };
  const object = worldOf(servedConfigMaps, { deletionBudget });
  await object.remove();
  assert.equal(object.context.held.size, 1, 'what is lost with its deletion is held');
  const name = 'widgets.example.com';
  for (const world of [
    worldOf(namespaces, { deletionBudget }),
    worldOf(namespaces, { deletionBudget, noted: 'DeletionHeld' }),
    worldOf(definitions, { deletionBudget, name }),
  ]) {
    await world.context.kinds.refresh();
    await world.remove();
    assert.equal(world.context.held.size, 0);
    assert.equal(world.deleted.length, 1);
  }
  const full = worldOf(namespaces, { deletionBudget, content: [objectOf(servedConfigMaps, 'b')] });
  await assert.rejects(full.remove(), isContentRemains);
  assert.deepEqual(full.deleted, [], 'what is in it goes before it, or not at all');
  const gone = worldOf(namespaces, { deletionBudget, at: { ...source, clusterId: 'c2' } });
  await gone.remove(0, 'absent');
  assert.equal(gone.context.held.size, 1, 'an absence that says nothing holds it as ever');
});

test('what is held and wanted again stays at the edge as it is, says so there, and its copy goes', async () => {
  const { context, remove, deleted, patched, released } = worldOf(servedConfigMaps, {
    noted: 'DeletionHeld',
    wantedAgain: 'made-anew',
  });
  assert.deepEqual(await remove(), { state: 'gone' });
  assert.deepEqual(deleted, []);
  const annotations = { [copyAnnotations.deletionPolicy]: awaitsCopy };
  assert.deepEqual(patched, [{ metadata: { uid: 'uid-a', resourceVersion: '12', annotations } }]);
  assert.deepEqual(released, [{ metadata: { resourceVersion: '7', uid: 'uid-a', finalizers: [] } }]);
  assert.equal(context.held.size, 0);
});

test('what is wanted again at an edge that refuses the mark stays held', async () => {
  const world = worldOf(servedConfigMaps, {
    noted: 'DeletionHeld',
    wantedAgain: 'made-anew',
    refusesMarks: true,
  });
  await assert.rejects(world.remove(), /failed calling webhook/);
  assert.equal(world.context.held.has(world.key), true);
  assert.deepEqual(world.deleted, []);
  assert.ok(!JSON.stringify(world.released).includes('finalizers'), 'its copy does not go');
});

test('what nobody holds goes, whatever is wanted of it', async () => {
  const { remove, deleted, patched } = worldOf(servedConfigMaps, { wantedAgain: 'made-anew' });
  await remove();
  assert.equal(deleted.length, 1);
  assert.deepEqual(patched, []);
});

test('what awaits a copy that does not come is held, though its copy went as it should', async () => {
  const { context, remove, deleted } = worldOf(servedConfigMaps, { mark: awaitsCopy });
  await remove(0, 'absent');
  assert.deepEqual(deleted, []);
  assert.match(context.held.first ?? '', /was wanted again, and no copy of it has come/);
  context.held.release(context.held.token);
  await remove(0, 'absent');
  assert.equal(deleted.length, 1, 'until a person says that it may go');
});

test('of what awaits a copy it is asked anew whether that was withdrawn: a successor may have come', async () => {
  const late = worldOf(servedConfigMaps, { mark: awaitsCopy });
  assert.equal((await late.remove()).state, 'waiting');
  assert.deepEqual([late.deleted, late.patched, late.released], [[], [], []], 'the copy is gone by now');
  const stored = objectOf(servedConfigMaps, 'a', { deletionTimestamp, resourceVersion: '8' });
  const still = worldOf(servedConfigMaps, { mark: awaitsCopy, stored });
  await still.remove();
  assert.equal(still.deleted.length, 1, 'the very copy is still to go, and nothing holds it any more');
});

test('with its mark what awaited a copy is told the revision of that copy, so that who is late sees it', async () => {
  const { unmark, patched } = worldOf(servedConfigMaps, { mark: awaitsCopy });
  const annotations = { [copyAnnotations.deletionPolicy]: null, [edgeAnnotations.copyRevision]: '9' };
  await unmark({ resourceVersion: '9' });
  assert.deepEqual(patched.pop(), { metadata: { uid: 'uid-a', resourceVersion: '12', annotations } });
  await unmark({ resourceVersion: '9', annotations: { [syncAnnotations.syncedHash]: 'h' } });
  assert.deepEqual(patched.pop(), {
    metadata: {
      uid: 'uid-a',
      resourceVersion: '12',
      annotations: { [copyAnnotations.deletionPolicy]: null },
    },
  });
});
