// Deletions at an edge fail closed: what was seen to be withdrawn goes, what merely is not there any more stays.
// docs/federation-contract.md: FD6
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { conditionOf } from '#api/conditions.ts';
import { type CellSpec, cellsGvr } from '#api/federation/cell.ts';
import { cellAnnotations } from '#api/federation/cell-annotations.ts';
import { copyAnnotations, edgeAnnotations, syncAnnotations } from '#api/federation/copy-contract.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { workspacesGvr } from '#api/tenancy/workspace.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { Constellation, type ConstellationOptions } from '../harness/constellation.ts';
import { type CopySpec, CopyWriter } from '../harness/copies.ts';
import { configMaps, edgeRef, find, namespaces } from '../harness/edge-objects.ts';
import { placeInShop } from '../harness/place-in-shop.ts';
import { until } from '../harness/until.ts';

const crds = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' } as const;

describe('deletions', { timeout: 600_000 }, () => {
  let constellation: Constellation;
  let copies: CopyWriter;
  afterEach(() => constellation[Symbol.asyncDispose]());

  const start = async (options: ConstellationOptions = {}) => {
    constellation = await Constellation.start({ scheduler: false, ...options });
    copies = new CopyWriter(constellation.admin);
    await copies.namespace();
  };
  const edge = () => constellation.edge().client;
  const atEdge = (name: string) => find(edge(), edgeRef(configMaps, name, 'ns'));
  const synced = async (...names: string[]) => {
    for (const name of names) await copies.configMap(name, { key: name });
    for (const name of names) await until(`${name} is at the edge`, () => atEdge(name));
    await until('the copies say so', async () => {
      const { status } = await constellation.cell();
      return status?.objects?.pending === 0 && (status.objects.synced ?? 0) > names.length;
    });
  };
  /** Its finalizer is taken off by hand: the copy goes without its syncer. */
  const releaseByHand = async (name: string) => {
    await copies.delete({ name });
    const body = { metadata: { finalizers: null } };
    await constellation.admin.patch(copies.refOf({ name }), { type: 'merge', body });
  };
  const held = async () => conditionOf((await constellation.cell()).status?.conditions, 'DeletionHeld');
  const tokenOf = (message = '') => message.slice(message.lastIndexOf('=') + 1);

  test('a workspace that is removed withdraws nothing: its copies went with their finalizers on', async () => {
    await start({ storage: 'memory' });
    await synced('a', 'b');
    const ref = { cluster: cellsWorkspacePath, gvr: workspacesGvr, name: 'cell-a' };
    const before = await constellation.admin.get(ref);
    await constellation.admin.delete(ref).catch((error: Error) => error.message);
    const after = await find(constellation.admin, ref);
    if (
      after !== undefined &&
      after.metadata.uid === before.metadata.uid &&
      after.metadata.deletionTimestamp === undefined
    ) {
      // The server keeps it while there is a Cell: take the copies' ground away beneath it.
      const { memory } = constellation.server;
      await constellation.server.stop();
      const clusterId = String((before['spec'] as { cluster?: string }).cluster);
      const stored = await memory.backUp();
      await memory.restore(stored.filter(({ key }) => !key.includes(`/${clusterId}/ns/`)));
      await constellation.server.start();
    }
    // Two at least, one after the other; the namespace is the third.
    await until('the deletions are held', async () => {
      const one = await held();
      if (one?.status === 'True' && /^[23] deletions at the edge are held/.test(one.message ?? ''))
        return true;
      throw new Error(`${one?.status}: ${one?.message}`);
    });
    assert.ok(await atEdge('a'));
    assert.ok(await atEdge('b'));
  });

  test('what a restored store does not know is held until exactly that is released', async () => {
    await start({ storage: 'memory' });
    await synced('old');
    const { memory } = constellation.server;
    const backup = await memory.backUp();
    await synced('new-1', 'new-2');
    await constellation.server.stop();
    await memory.restore(backup);
    await constellation.server.start();
    const condition = await until('two are held', async () => {
      const one = await held();
      return one?.message?.startsWith('2 deletions') === true ? one : undefined;
    });
    assert.ok(await atEdge('new-1'));
    assert.ok(await atEdge('new-2'));
    const release = (token: string) =>
      constellation.patchCell('cell-a', {
        metadata: { annotations: { [cellAnnotations.releaseDeletions]: token } },
      });
    await release('guessed');
    // Work goes on meanwhile.
    await copies.configMap('old', { key: 'changed' });
    await until('another change is synced', async () => {
      const data = (await atEdge('old'))?.['data'] as { key?: string } | undefined;
      return data?.key === 'changed';
    });
    assert.ok(await atEdge('new-1'), 'a token that was not given releases nothing');
    await release(tokenOf(condition.message));
    await until(
      'both go',
      async () => (await atEdge('new-1')) === undefined && (await atEdge('new-2')) === undefined,
    );
    await until('nothing is held', async () => (await held())?.status === 'False');
    assert.ok(await atEdge('old'));
    // The edge follows the restored store from now on: what is known to be absent there is gone again.
    await constellation.federator().stop();
    await releaseByHand('old');
    await constellation.federator().start();
    await until('it goes', async () => (await atEdge('old')) === undefined);
  });

  test('a federator that was away does not take what it finds without a copy for withdrawn elsewhere', async () => {
    await start();
    await synced('kept', 'gone');
    await constellation.federator().stop();
    await releaseByHand('gone');
    // And somebody at the edge copies our labels onto objects of their own.
    const labels = (await atEdge('kept'))?.metadata.labels ?? {};
    const child: KubeObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'child', namespace: 'ns', labels },
    };
    await edge().create({ cluster: undefined, gvr: configMaps, namespace: 'ns' }, child);
    await constellation.federator().start();
    await until('what is known to be gone goes', async () => (await atEdge('gone')) === undefined);
    assert.ok(await atEdge('kept'));
    assert.ok(await atEdge('child'), 'what we did not apply is not ours');
  });

  test('the deletion budget holds what exceeds it, over a restart too', async () => {
    await start({ cellSpec: { deletionBudget: { maxObjects: 2, windowSeconds: 3_600 } } });
    await synced('a', 'b', 'c', 'd', 'e');
    for (const name of ['a', 'b', 'c', 'd']) await copies.delete({ name });
    const count = async () => {
      const all = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(atEdge));
      return all.filter((one) => one !== undefined).length;
    };
    await until('two are held', async () => (await held())?.message?.startsWith('2 deletions'));
    // What the budget let pass may be under way still.
    await until('two are gone', async () => (await count()) === 3);
    await constellation.federator().stop();
    await constellation.federator().start();
    await copies.configMap('marker', {});
    await until('the next one works', () => atEdge('marker'));
    const condition = await until('the same are held', async () => {
      const one = await held();
      return one?.message?.startsWith('2 deletions') === true ? one : undefined;
    });
    assert.equal(await count(), 3);
    await constellation.patchCell('cell-a', {
      metadata: { annotations: { [cellAnnotations.releaseDeletions]: tokenOf(condition.message) } },
    });
    await until('they are let go', async () => (await count()) === 1);
  });

  test('what is held and made again in its project stays at the edge, and becomes what it is now', async () => {
    await start({ scheduler: true, cellSpec: { deletionBudget: { maxObjects: 0 } } });
    const project = 'root:acme:shop';
    const { admin } = constellation;
    await constellation.createProject(project);
    await placeInShop(admin, project, 'all', [{ apiVersion: 'v1', kind: 'ConfigMap' }], ['cell-a']);
    const inShop = { cluster: project, gvr: configMaps, namespace: 'shop' };
    const make = (value: string) =>
      admin.create(inShop, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'kept' },
        data: { value },
      });
    const there = async () => {
      const { items } = await edge().list({ cluster: undefined, gvr: configMaps });
      return items.find(({ metadata }) => metadata.name === 'kept');
    };
    const holds = async (value: string) => {
      const object = await there();
      return (object?.['data'] as { value?: string } | undefined)?.value === value ? object : undefined;
    };
    await make('one');
    const before = await until('it is at the edge', () => holds('one'));
    await admin.delete({ ...inShop, name: 'kept' });
    await until('its deletion is held', async () => (await held())?.status === 'True');
    await make('two');
    const after = await until('it is what was made anew', () => holds('two'));
    assert.equal(after.metadata.uid, before.metadata.uid, 'it was not deleted in between');
    await until('nothing is held any more', async () => (await held())?.status !== 'True');
    const mark = async () => (await there())?.metadata.annotations?.[copyAnnotations.deletionPolicy];
    await until('it is its copy’s again', async () => (await mark()) === undefined);
    await admin.delete({ ...inShop, name: 'kept' });
    const condition = await until('its next deletion is held as well', async () => {
      const one = await held();
      return one?.status === 'True' ? one : undefined;
    });
    assert.ok(await there());
    await constellation.patchCell('cell-a', {
      metadata: { annotations: { [cellAnnotations.releaseDeletions]: tokenOf(condition.message) } },
    });
    await until('a person lets it go', async () => (await there()) === undefined);
  });

  test('what awaits its copy keeps its status for it, over a restart, and goes with a withdrawn Cell', async () => {
    const cellSpec: CellSpec = { deletionBudget: { maxObjects: 0 }, deletionPolicy: 'Withdraw' };
    await start({ cellSpec });
    const web = { apiVersion: 'apps/v1', kind: 'Deployment', resource: 'deployments', name: 'web' };
    const ranked = {
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      resource: 'priorityclasses',
      namespace: '',
      name: 'ranked',
      content: { value: 7 },
    };
    const edgeRefs = {
      web: { cluster: undefined, gvr: copies.refOf(web).gvr, namespace: 'ns', name: 'web' },
      ranked: { cluster: undefined, gvr: copies.refOf(ranked).gvr, name: 'ranked' },
    };
    const isSynced = async (spec: CopySpec) => {
      const { annotations = {} } = (await copies.get(spec)).metadata;
      return annotations[syncAnnotations.syncedHash] === annotations[copyAnnotations.contentHash];
    };
    /** Its copy is deleted, held, and wanted again: it goes. */
    const letGo = async (spec: CopySpec) => {
      await copies.delete(spec);
      const noted = async () => (await copies.get(spec)).metadata.annotations?.[syncAnnotations.syncError];
      await until('it is held', async () => /DeletionHeld/.test((await noted()) ?? ''));
      const annotations = { [copyAnnotations.wantedAgain]: 'another' };
      const body = { metadata: { annotations } };
      await constellation.admin.patch(copies.refOf(spec), { type: 'merge', body });
      await copies.isGone(spec);
    };
    const isAwaited = () =>
      until('it is held for a copy', async () => {
        const { status, message = '' } = (await held()) ?? {};
        return status === 'True' && /was wanted again, and no copy of it has come/.test(message);
      });

    await copies.deployment('web', 2);
    const before = await until('it is at the edge', () => find(edge(), edgeRefs.web));
    await until('its copy says so', () => isSynced(web));
    const status = { observedGeneration: before.metadata.generation ?? 0, replicas: 2, readyReplicas: 2 };
    await edge().patch(edgeRefs.web, { type: 'merge', body: { status } }, { subresource: 'status' });
    const told = async () => (await copies.get(web))['status'];
    await until('its status comes back', async () =>
      JSON.stringify(await told())?.includes('"readyReplicas":2'),
    );
    await letGo(web);
    await isAwaited();
    await constellation.federator().stop();
    await constellation.federator().start();
    await isAwaited();

    const { metadata: made } = await copies.deployment('web', 2);
    await until('the next copy is in sync', () => isSynced(web));
    await until('the status is the next one’s too', async () => {
      const now = (await told()) as { observedGeneration?: number; readyReplicas?: number } | undefined;
      return now?.readyReplicas === 2 && now.observedGeneration === made.generation;
    });
    const after = await until('nothing awaits anything', async () => {
      const object = await find(edge(), edgeRefs.web);
      return object?.metadata.annotations?.[copyAnnotations.deletionPolicy] === undefined
        ? object
        : undefined;
    });
    assert.equal(after.metadata.uid, before.metadata.uid);
    assert.equal(after.metadata.generation, before.metadata.generation, 'its spec was not touched');
    const revision = after.metadata.annotations?.[edgeAnnotations.copyRevision] ?? '';
    assert.ok(BigInt(revision) >= BigInt(made.resourceVersion ?? ''), 'it says which copy it is of');
    await until('nothing is held', async () => (await held())?.status !== 'True');

    // Nothing of the cell has a copy any more when the Cell goes, but one object awaits one.
    await copies.put(ranked);
    await until('it is at the edge', () => find(edge(), edgeRefs.ranked));
    await letGo(ranked);
    await isAwaited();
    const { message } = (await held()) ?? {};
    await letGo(web);
    await until('both are held', async () => (await held())?.message?.startsWith('2 deletions'));
    assert.match(message ?? '', /priorityclasses ranked/);
    await edge().delete(edgeRefs.web);
    const namespace = { kind: 'Namespace', resource: 'namespaces', namespace: '', name: 'ns' };
    await copies.delete(namespace);
    await copies.isGone(namespace);
    const cell = { cluster: cellsWorkspacePath, gvr: cellsGvr, name: 'cell-a' };
    await constellation.admin.delete(cell);
    await until('the Cell is gone', async () => (await find(constellation.admin, cell)) === undefined);
    assert.equal(await find(edge(), edgeRefs.ranked), undefined, 'it went before the claim');
  });

  test('what is held stays held while the edge does not serve its kind, until the kind is gone there', async () => {
    await start({ cellSpec: { deletionBudget: { maxObjects: 0 } } });
    const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    const crd: KubeObject = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'bolts.parts.example.com' },
      spec: {
        group: 'parts.example.com',
        scope: 'Namespaced',
        names: { kind: 'Bolt', listKind: 'BoltList', plural: 'bolts', singular: 'bolt' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
      },
    };
    await constellation.admin.create({ cluster: `${cellsWorkspacePath}:cell-a`, gvr: crds }, crd);
    await edge().create({ cluster: undefined, gvr: crds }, crd);
    const bolt = { apiVersion: 'parts.example.com/v1', kind: 'Bolt', resource: 'bolts', name: 'b' };
    await until('the kind is served in the cell', () => copies.put(bolt));
    const boltRef = edgeRef(copies.refOf(bolt).gvr, 'b', 'ns');
    const serve = (value: boolean) =>
      edge().patch(edgeRef(crds, crd.metadata.name ?? ''), {
        type: 'json',
        operations: [{ op: 'add', path: '/spec/versions/0/served', value }],
      });
    const noted = async (what: RegExp) => {
      const { annotations = {} } = (await copies.get(bolt)).metadata;
      return what.test(annotations[syncAnnotations.syncError] ?? '');
    };
    const { metadata: before } = await until('it is at the edge', () => find(edge(), boltRef));
    await copies.delete(bolt);
    await until('it is held', () => noted(/DeletionHeld/));
    for (const restart of [false, true]) {
      if (restart) await constellation.federator().stop();
      await serve(false);
      if (restart) await constellation.federator().start();
      await until('it is told beside', () => noted(/"DeletionHeld".*besides, APINotServed/));
      await until('a person can let it go', async () => (await held())?.status === 'True');
      await serve(true);
      await until('it is held as before', () => noted(/DeletionHeld.*budget/));
      assert.equal((await find(edge(), boltRef))?.metadata.uid, before.uid);
    }
    await edge().delete(edgeRef(crds, crd.metadata.name ?? ''));
    await copies.isGone(bolt);
    await until('nothing is held', async () => (await held())?.status !== 'True');
  });

  test('deleting a Cell leaves its edge alone; another Cell is refused there until the claim is taken away', async () => {
    await start();
    await synced('a');
    const cells = { cluster: cellsWorkspacePath, gvr: cellsGvr };
    const cellIsGone = async () =>
      (await find(constellation.admin, { ...cells, name: 'cell-a' })) === undefined;
    await constellation.admin.delete({ ...cells, name: 'cell-a' });
    await until('the Cell is gone', cellIsGone);
    assert.ok(await atEdge('a'));
    await constellation.addCell('cell-a');
    await until('the new Cell is refused', async () => {
      const ready = conditionOf((await constellation.cell()).status?.conditions, 'Ready');
      return ready?.status === 'False' && ready.reason === 'ForeignClaim';
    });
    await edge().delete(edgeRef(configMaps, 'cellplane-claim', 'cellplane-system'));
    await until('it is accepted', async () => {
      const ready = conditionOf((await constellation.cell()).status?.conditions, 'Ready');
      return ready?.status === 'True';
    });
    await copies.namespace();
    await copies.configMap('b', {});
    await until('it syncs', () => atEdge('b'));
    assert.ok(await atEdge('a'), 'what the former Cell left is nobody’s to delete');
    // The same object under the new Cell is taken over.
    await copies.configMap('a', { key: 'again' });
    await until('it follows', async () => {
      const data = (await atEdge('a'))?.['data'] as { key?: string } | undefined;
      return data?.key === 'again';
    });
  });

  test('deletionPolicy Withdraw empties the edge before the Cell goes, and gives the edge free', async () => {
    await start({ cellSpec: { deletionPolicy: 'Withdraw', deletionBudget: { maxObjects: 1 } } });
    await synced('a', 'b', 'c');
    const cells = { cluster: cellsWorkspacePath, gvr: cellsGvr };
    await constellation.admin.delete({ ...cells, name: 'cell-a' });
    await until(
      'the Cell is gone',
      async () => (await find(constellation.admin, { ...cells, name: 'cell-a' })) === undefined,
    );
    for (const name of ['a', 'b', 'c']) assert.equal(await atEdge(name), undefined);
    assert.equal(await find(edge(), edgeRef(namespaces, 'ns')), undefined);
    await until(
      'the claim is gone',
      async () =>
        (await find(edge(), edgeRef(configMaps, 'cellplane-claim', 'cellplane-system'))) === undefined,
    );
    assert.ok(await find(edge(), edgeRef(namespaces, 'default')));
  });
});
