import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { gvrOf, until } from './testing/control-plane.ts';
import { clusterPolicy, configMap, policy } from './testing/objects.ts';
import {
  bindings,
  bindingWhere,
  policies,
  projectRef,
  startScheduler,
  type World,
  world,
} from './testing/world.ts';

const to = (...clusterNames: string[]): JsonObject => ({ placement: { clusterAffinity: { clusterNames } } });

const isIn = (w: World, name: string, cells: string) =>
  bindingWhere(w.controlPlane, w.project, name, ({ spec }) => {
    return (spec.clusters ?? []).map((one) => one.name).join() === cells;
  });

test('edits of a lazy policy act on an object when that is edited, and survive a restart', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  const lazy = policy('lazy', { activationPreference: 'Lazy', ...to('ams') });
  const ref = projectRef(project, policies, 'propagationpolicies', 'lazy');
  {
    await using scheduler = await startScheduler(controlPlane);
    await controlPlane.create(project, 'propagationpolicies', lazy);
    for (const name of ['a', 'b']) await controlPlane.create(project, 'configmaps', configMap(name));
    for (const name of ['a', 'b']) await isIn(w, name, 'ams');
    await controlPlane.admin.patch(ref, { type: 'merge', body: { spec: to('fra') } });
    const edit = (name: string) =>
      controlPlane.admin.patch(projectRef(project, 'v1', 'configmaps', name), {
        type: 'merge',
        body: { data: { edited: 'yes' } },
      });
    await edit('a');
    await isIn(w, 'a', 'fra');
    await until('all is done that can be', () => scheduler.idle);
    await isIn(w, 'b', 'ams');
  }
  await using scheduler = await startScheduler(controlPlane);
  await until('all is looked at', () => scheduler.idle);
  await isIn(w, 'b', 'ams');
  // A new object goes by the policy as it is; and one that is not lazy any more acts at once.
  await controlPlane.create(project, 'configmaps', configMap('c'));
  await isIn(w, 'c', 'fra');
  await controlPlane.admin.patch(ref, { type: 'merge', body: { spec: { activationPreference: null } } });
  const binding = await isIn(w, 'b', 'fra');
  assert.equal(binding.spec.activation, undefined);
});

test('an object that was there before a lazy policy is placed when it is edited', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using scheduler = await startScheduler(controlPlane);
  await controlPlane.create(project, 'configmaps', configMap('before'));
  // Times of edits are whole seconds.
  const made = Date.now();
  await until('the second is over', () => Math.floor(Date.now() / 1_000) > Math.floor(made / 1_000));
  await controlPlane.create(
    project,
    'propagationpolicies',
    policy('lazy', { activationPreference: 'Lazy', ...to('ams') }),
  );
  await controlPlane.create(project, 'configmaps', configMap('after'));
  await isIn(w, 'after', 'ams');
  await until('all is done that can be', () => scheduler.idle);
  assert.equal((await controlPlane.list(project, bindings, 'resourcebindings')).length, 1);
  await controlPlane.admin.patch(projectRef(project, 'v1', 'configmaps', 'before'), {
    type: 'merge',
    body: { data: { edited: 'yes' } },
  });
  await isIn(w, 'before', 'ams');
});

test('edits of a lazy policy above projects act on their objects when these are edited', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  const kinds = [['v1', 'ConfigMap']] as const;
  const spec = { enforcement: 'Default', activationPreference: 'Lazy', ...to('ams') };
  await controlPlane.create('root', 'clusterpropagationpolicies', clusterPolicy('common', kinds, spec));
  {
    await using scheduler = await startScheduler(controlPlane);
    for (const name of ['a', 'b']) await controlPlane.create(project, 'configmaps', configMap(name));
    for (const name of ['a', 'b']) await isIn(w, name, 'ams');
    const ref = { cluster: 'root', gvr: gvrOf(policies, 'clusterpropagationpolicies'), name: 'common' };
    await controlPlane.admin.patch(ref, { type: 'merge', body: { spec: to('fra') } });
    await controlPlane.admin.patch(projectRef(project, 'v1', 'configmaps', 'a'), {
      type: 'merge',
      body: { data: { edited: 'yes' } },
    });
    await isIn(w, 'a', 'fra');
    await until('all is done that can be', () => scheduler.idle);
    await isIn(w, 'b', 'ams');
  }
  await using scheduler = await startScheduler(controlPlane);
  await until('all is looked at', () => scheduler.idle);
  const binding = await isIn(w, 'b', 'ams');
  assert.equal(binding.spec.policy?.workspace, 'root');
});
