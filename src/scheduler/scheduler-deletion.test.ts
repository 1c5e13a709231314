// docs/federation-contract.md: FD5
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyAnnotations, deletionHeldReason, syncAnnotations } from '#api/federation/copy-contract.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { KubeClient } from '#client/client.ts';
import { type Logger, silentLogger } from '#client/logger.ts';
import type { SchedulerOptions } from './scheduler-options.ts';
import { gvrOf, until } from './testing/control-plane.ts';
import { configMap, policy } from './testing/objects.ts';
import type { Syncer } from './testing/syncer.ts';
import {
  bindings,
  bindingWhere,
  policies,
  projectRef,
  startScheduler,
  type World,
  world,
} from './testing/world.ts';

const policyOf = ({ metadata }: KubeObject) => metadata.annotations?.[copyAnnotations.propagationPolicy];

/** The copy of a ConfigMap, once it is being deleted. */
function leaving(cell: Syncer, name: string): Promise<KubeObject> {
  return until(`the copy of ${name} leaves`, async () => {
    const copies = await cell.copies('v1', 'configmaps');
    return copies.find(({ metadata }) => metadata.deletionTimestamp !== undefined && metadata.name === name);
  });
}

async function objectOf(w: World, name: string): Promise<KubeObject | undefined> {
  try {
    return await w.controlPlane.admin.get(projectRef(w.project, 'v1', 'configmaps', name));
  } catch (error) {
    if (isApiError(error, 'NotFound')) return undefined;
    throw error;
  }
}

const isBound = async (w: World, name: string) =>
  (await w.controlPlane.list(w.project, bindings, 'resourcebindings')).some(({ metadata }) =>
    metadata.name?.startsWith(`${name}-configmaps-`),
  );

test('how a project deletes an object is carried on; in the foreground it waits for the edges', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all'));
  const names = ['fore', 'orphan', 'back', 'forced'];
  for (const name of names) await w.controlPlane.create(w.project, 'configmaps', configMap(name));
  for (const name of names)
    for (const cell of [w.fra, w.ams])
      await cell.report('v1', 'configmaps', await cell.copy('v1', 'configmaps', name));
  const remove = (name: string, propagationPolicy: 'Background' | 'Foreground' | 'Orphan') =>
    w.controlPlane.admin.delete(projectRef(w.project, 'v1', 'configmaps', name), { propagationPolicy });
  const isGone = (name: string) => async () => (await objectOf(w, name)) === undefined;

  await remove('fore', 'Foreground');
  assert.equal(policyOf(await leaving(w.fra, 'fore')), 'Foreground');
  assert.equal(policyOf(await leaving(w.ams, 'fore')), 'Foreground');
  assert.deepEqual((await objectOf(w, 'fore'))?.metadata.finalizers, ['foregroundDeletion']);
  await w.ams.release('v1', 'configmaps');
  await until('one edge let go', async () => (await w.ams.copies('v1', 'configmaps')).length === 3);
  assert.deepEqual((await objectOf(w, 'fore'))?.metadata.finalizers, ['foregroundDeletion']);
  assert.equal(await isBound(w, 'fore'), true);
  await w.fra.release('v1', 'configmaps');
  await until('it is gone', isGone('fore'));
  assert.equal(await isBound(w, 'fore'), false);

  // What is orphaned waits for nothing.
  await remove('orphan', 'Orphan');
  await until('it is gone', isGone('orphan'));
  assert.equal(policyOf(await leaving(w.fra, 'orphan')), 'Orphan');

  await remove('back', 'Background');
  assert.equal(await objectOf(w, 'back'), undefined);
  assert.equal(policyOf(await leaving(w.fra, 'back')), undefined);

  // Somebody does not want to wait for an edge that is away.
  await remove('forced', 'Foreground');
  await leaving(w.fra, 'forced');
  const body = { metadata: { finalizers: null } };
  await w.controlPlane.admin.patch(projectRef(w.project, 'v1', 'configmaps', 'forced'), {
    type: 'merge',
    body,
  });
  assert.equal(await objectOf(w, 'forced'), undefined);
  await until('the binding is gone', async () => !(await isBound(w, 'forced')));
});

/** `then` comes into a namespace of which the cell's is being deleted: it waits. */
async function intoLeavingNamespace(w: World, options: Partial<SchedulerOptions>, then: string) {
  const scheduler = await startScheduler(w.controlPlane, { emptyNamespaceMs: 0, ...options });
  const placement = { clusterAffinity: { clusterNames: ['fra'] } };
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', { placement }));
  await w.controlPlane.create(w.project, 'configmaps', configMap('former'));
  await w.fra.copy('v1', 'configmaps', 'former');
  await w.controlPlane.admin.delete(projectRef(w.project, 'v1', 'configmaps', 'former'));
  await leaving(w.fra, 'former');
  await w.fra.release('v1', 'configmaps');
  await until('the namespace leaves', async () => {
    const namespaces = await w.fra.copies('v1', 'namespaces');
    return namespaces.some(({ metadata }) => metadata.deletionTimestamp !== undefined);
  });
  await w.controlPlane.create(w.project, 'configmaps', configMap(then));
  return scheduler;
}

test('what waits for a namespace that is being deleted is told once, as no failure, and on its binding', async () => {
  await using w = await world();
  const lines: string[] = [];
  const write = (fields: object, message: string): void => {
    lines.push(`${message} ${JSON.stringify(fields)}`);
  };
  const logger: Logger = { ...silentLogger, debug: write, info: write, warn: write };
  await using _scheduler = await intoLeavingNamespace(w, { logger }, 'next');
  const waits = () => lines.filter((line) => line.startsWith('waiting'));
  await until('it is told', () => waits().length > 0);
  assert.match(waits()[0] ?? '', /"why":"cell fra: the namespace in the cell is being deleted"/);
  await bindingWhere(w.controlPlane, w.project, 'next', ({ status }) =>
    /the namespace in the cell is being deleted/.test(JSON.stringify(status?.conditions)),
  );
  await w.fra.release('v1', 'namespaces');
  await w.fra.copy('v1', 'configmaps', 'next');
  assert.equal(waits().length, 1);
  const failed = lines.filter(
    (line) => line.startsWith('reconcile failed') && line.includes('being deleted'),
  );
  assert.deepEqual(failed, []);
});

test('what waits for a namespace goes on when that is gone, whatever time it is', async () => {
  await using w = await world();
  await using scheduler = await intoLeavingNamespace(w, { clock: new ManualClock() }, 'next');
  await bindingWhere(w.controlPlane, w.project, 'next', () => scheduler.idle);
  await w.fra.release('v1', 'namespaces');
  await w.fra.copy('v1', 'configmaps', 'next');
});

test('what a held copy says of its successor follows what is wanted, whoever writes onto it meanwhile', async () => {
  await using w = await world();
  const { admin, scheduler: inner } = w.controlPlane;
  const ref = (name: string, namespace: string | undefined) => ({
    cluster: 'root:cells:fra',
    gvr: gvrOf('v1', 'configmaps'),
    namespace,
    name,
  });
  const annotate = (
    { metadata: { name = '', namespace } }: KubeObject,
    annotations: { [key: string]: string },
  ) => admin.patch(ref(name, namespace), { type: 'merge', body: { metadata: { annotations } } });
  /** Each is written over something that has just changed. */
  const late = new Set(['wanted', 'wanted no more']);
  const patch: KubeClient['patch'] = async (at, change, options) => {
    const { metadata = {} } = (change.type === 'merge' ? change.body : {}) as Partial<KubeObject>;
    const uid = metadata.annotations?.[copyAnnotations.wantedAgain];
    if (uid !== undefined && late.delete(uid === null ? 'wanted no more' : 'wanted'))
      await annotate(await admin.get(at), { someone: 'else' });
    return inner.patch(at, change, options);
  };
  const client: KubeClient = new Proxy(inner, {
    get: (target, name: keyof KubeClient) => (name === 'patch' ? patch : target[name].bind(target)),
  });
  await using _scheduler = await startScheduler(w.controlPlane, { client, clock: new ManualClock() });
  const placement = (...clusterNames: string[]) => ({ placement: { clusterAffinity: { clusterNames } } });
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', placement('ams', 'fra')));
  const place = (...cells: string[]) =>
    admin.patch(
      { ...projectRef(w.project, policies, 'propagationpolicies', 'all'), namespace: 'default' },
      { type: 'merge', body: { spec: placement(...cells) } },
    );
  await w.controlPlane.create(w.project, 'configmaps', configMap('a'));
  await w.fra.copy('v1', 'configmaps', 'a');
  await place('ams');
  const copy = await leaving(w.fra, 'a');
  await annotate(copy, {
    [syncAnnotations.syncError]: JSON.stringify({ reason: deletionHeldReason, message: 'the budget' }),
  });
  const isWanted = async () => {
    const { metadata } = await admin.get(ref('a', copy.metadata.namespace));
    return metadata.annotations?.[copyAnnotations.wantedAgain] !== undefined;
  };
  await place('ams', 'fra');
  await until('it says that it is wanted again', isWanted);
  await place('ams');
  await until('it says so no more', async () => !(await isWanted()));
  assert.equal(late.size, 0);
});
