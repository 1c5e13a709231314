import assert from 'node:assert/strict';
import { test } from 'node:test';
import { definitionAnnotations } from '#api/federation/copy-contract.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { type ControlPlane, gvrOf, until } from './testing/control-plane.ts';
import { clusterPolicy, widgetCrd } from './testing/objects.ts';
import { bindingWhere, cellRef, condition, startScheduler, world } from './testing/world.ts';

const crdsApi = 'apiextensions.k8s.io/v1';
const crds = 'customresourcedefinitions';
const widgetsCrd = 'widgets.example.com';
const definitions = clusterPolicy('definitions', [[crdsApi, 'CustomResourceDefinition']]);

const widget = (name: string, size: unknown): KubeObject => ({
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name, namespace: 'default' },
  spec: { size } as JsonObject,
});

function tellServed(controlPlane: ControlPlane, cell: string, served: boolean): Promise<KubeObject> {
  const widgets = { groupVersion: 'example.com/v1', resources: [{ name: 'widgets', kind: 'Widget' }] };
  const apiEnablements = [
    { groupVersion: 'v1', resources: [{ name: 'configmaps', kind: 'ConfigMap' }] },
    ...(served ? [widgets] : []),
  ];
  return controlPlane.admin.patch(
    cellRef(cell),
    { type: 'merge', body: { status: { apiEnablements } } },
    { subresource: 'status' },
  );
}

test('the binding of a definition tells what each cell made of it', async () => {
  await using w = await world({ apis: { groups: ['example.com'] } });
  await using _scheduler = await startScheduler(w.controlPlane);
  await w.controlPlane.cell('closed', { apis: { groups: ['other.org'] } });
  await w.controlPlane.create(w.project, 'clusterpropagationpolicies', definitions);
  await w.controlPlane.create(w.project, crds, widgetCrd('integer'));

  const crd = await w.fra.copy(crdsApi, crds, widgetsCrd);
  assert.equal(crd.metadata.annotations?.[definitionAnnotations.definedBy], w.project);
  const placed = await bindingWhere(
    w.controlPlane,
    w.project,
    widgetsCrd,
    (one) => one.spec.clusters?.length === 2 && condition(one, 'FullyApplied') !== undefined,
  );
  assert.deepEqual(placed.status?.refusals, [{ code: 'APINotServed', count: 1, examples: ['closed'] }]);
  assert.equal(condition(placed, 'FullyApplied')?.message, '0 of 2 cells have it');

  // The edge of one has it, and does not serve it yet.
  await tellServed(w.controlPlane, 'fra', false);
  await w.fra.report(crdsApi, crds, crd);
  const itemOf = (binding: ResourceBinding, cell: string) =>
    binding.status?.aggregatedStatus?.find(({ clusterName }) => clusterName === cell);
  const half = await bindingWhere(w.controlPlane, w.project, widgetsCrd, (one) =>
    /^NotEstablished: /.test(itemOf(one, 'fra')?.appliedMessage ?? ''),
  );
  assert.equal(itemOf(half, 'fra')?.applied, true);
  assert.equal(itemOf(half, 'fra')?.health, 'Unknown');

  for (const [name, cell] of [['fra', w.fra] as const, ['ams', w.ams] as const]) {
    await cell.report(crdsApi, crds, await cell.copy(crdsApi, crds, widgetsCrd));
    await tellServed(w.controlPlane, name, true);
  }
  const whole = await bindingWhere(
    w.controlPlane,
    w.project,
    widgetsCrd,
    (one) => one.status?.summary?.healthy === 2,
  );
  assert.equal(condition(whole, 'FullyApplied')?.status, 'True');

  // A drain waits for nothing: what belongs to the cell stays there.
  const taints = [{ key: 'drain', effect: 'NoExecute' }];
  const fra = cellRef('fra');
  await w.controlPlane.admin.patch(fra, { type: 'merge', body: { spec: { taints } } });
  const left = await bindingWhere(
    w.controlPlane,
    w.project,
    widgetsCrd,
    ({ spec }) => spec.clusters?.length === 1,
  );
  assert.equal(left.spec.gracefulEvictionTasks, undefined);
  const ams = { ...fra, name: 'ams' };
  await w.controlPlane.admin.patch(ams, { type: 'merge', body: { spec: { taints } } });
  const none = await bindingWhere(
    w.controlPlane,
    w.project,
    widgetsCrd,
    ({ spec }) => spec.clusters?.length === 0,
  );
  assert.equal(none.spec.gracefulEvictionTasks, undefined);
  assert.equal((await w.fra.copies(crdsApi, crds)).length, 1);
});

test('of two definitions that differ one is kept, for a reason that is told, until its reason is gone', async () => {
  await using w = await world();
  const other = await w.controlPlane.project('other');
  await using _scheduler = await startScheduler(w.controlPlane);
  const widgets = clusterPolicy('widgets', [['example.com/v1', 'Widget']]);
  for (const project of [w.project, other])
    await w.controlPlane.create(project, 'clusterpropagationpolicies', definitions);
  await w.controlPlane.create(w.project, crds, widgetCrd('integer'));
  await w.fra.copy(crdsApi, crds, widgetsCrd);
  await w.ams.copy(crdsApi, crds, widgetsCrd);

  await w.controlPlane.create(other, crds, widgetCrd('string'));
  const refused = (words: RegExp) => (one: ResourceBinding) =>
    words.test(condition(one, 'APIConflict')?.message ?? '') &&
    condition(one, 'APIConflict')?.status === 'True';
  const isRefused = refused(/which was there before, .*size\.type differs/);
  const told = await bindingWhere(
    w.controlPlane,
    other,
    widgetsCrd,
    (one) => isRefused(one) && one.status?.summary !== undefined,
  );
  assert.equal(told.status?.summary?.applied, 0);

  // Who has objects there has the say.
  await w.controlPlane.create(other, 'clusterpropagationpolicies', widgets);
  await until('widgets are served', () => w.controlPlane.create(other, 'widgets', widget('theirs', 'big')));
  await w.fra.copy('example.com/v1', 'widgets', 'theirs');
  await bindingWhere(w.controlPlane, w.project, widgetsCrd, refused(/which has objects there, /));
  await bindingWhere(
    w.controlPlane,
    other,
    widgetsCrd,
    (one) => condition(one, 'APIConflict')?.status === 'False',
  );
  const crd = await w.fra.copy(crdsApi, crds, widgetsCrd);
  assert.equal(crd.metadata.annotations?.[definitionAnnotations.definedBy], other);
  assert.equal(crd.metadata.annotations?.[definitionAnnotations.definedByPath], 'root:other');

  // It goes with the definition; then the first project's is the cells' again.
  await w.controlPlane.admin.delete({ cluster: other, gvr: gvrOf(crdsApi, crds), name: widgetsCrd });
  for (const cell of [w.fra, w.ams]) await cell.drained('example.com/v1', 'widgets');
  await bindingWhere(
    w.controlPlane,
    w.project,
    widgetsCrd,
    (one) => condition(one, 'APIConflict')?.status === 'False',
  );
  const follows = await w.fra.copy(
    crdsApi,
    crds,
    widgetsCrd,
    ({ metadata }) => metadata.annotations?.[definitionAnnotations.definedBy] === w.project,
  );
  assert.equal(follows.metadata.annotations?.[definitionAnnotations.definedByPath], 'root:shop');
});
