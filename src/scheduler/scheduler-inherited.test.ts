import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { gvrOf, until } from './testing/control-plane.ts';
import { clusterPolicy, configMap, deployment, policy } from './testing/objects.ts';
import { bindingWhere, cellRef, policies, startScheduler, world } from './testing/world.ts';

const inGermany: JsonObject = { clusterAffinity: { labelSelector: { matchLabels: { region: 'de' } } } };
const everything = [['*', '*']] as const;
const names = (clusters: readonly { name: string }[] | undefined) => (clusters ?? []).map(({ name }) => name);
const cpps = 'clusterpropagationpolicies';

test('an inherited policy bounds what projects, failover and dependencies may do', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using scheduler = await startScheduler(controlPlane);
  await controlPlane.create(project, 'propagationpolicies', policy('own', { propagateDeps: true }));
  await controlPlane.create(project, 'configmaps', configMap('config'));
  const pod = { volumes: [{ name: 'v', configMap: { name: 'config' } }] };
  await controlPlane.create(project, 'deployments', deployment('web', 1, pod));
  await w.ams.copy('apps/v1', 'deployments', 'web');

  await controlPlane.create('root', cpps, clusterPolicy('residency', everything, { placement: inGermany }));
  const bound = await bindingWhere(controlPlane, project, 'web', ({ spec }) => spec.clusters?.length === 1);
  assert.deepEqual(names(bound.spec.clusters), ['fra']);
  assert.deepEqual(bound.spec.boundBy, ['root/residency']);
  assert.equal(bound.spec.policy?.name, 'own');
  assert.deepEqual(
    bound.status?.refusals?.map(({ code, policy: by, examples }) => [code, by, examples]),
    [['ForbiddenByPolicy', 'root/residency', ['ams']]],
  );
  await w.ams.drained('apps/v1', 'deployments');
  await w.ams.drained('v1', 'configmaps');

  // The one cell that is allowed fails: nothing goes elsewhere.
  const fra = cellRef('fra');
  const taints = [{ key: 'down', effect: 'NoExecute' }];
  await controlPlane.admin.patch(fra, { type: 'merge', body: { spec: { taints } } });
  await bindingWhere(controlPlane, project, 'web', ({ status }) => {
    return status?.conditions?.some(({ message }) => message?.includes('it stays where it is')) === true;
  });
  await until('all is done that can be', () => scheduler.idle);
  assert.deepEqual(await w.ams.copies('apps/v1', 'deployments'), []);

  // Nor does suspending save a project from it.
  await controlPlane.admin.patch(
    { cluster: project, gvr: gvrOf(policies, 'propagationpolicies'), namespace: 'default', name: 'own' },
    { type: 'merge', body: { spec: { suspension: { scheduling: true, dispatching: true } } } },
  );
  const residency = { cluster: 'root', gvr: gvrOf(policies, cpps), name: 'residency' };
  const inHolland = { clusterAffinity: { labelSelector: { matchLabels: { region: 'nl' } } } };
  await controlPlane.admin.patch(residency, { type: 'merge', body: { spec: { placement: inHolland } } });
  await bindingWhere(controlPlane, project, 'web', ({ spec }) => spec.clusters?.length === 0);
  await w.fra.drained('apps/v1', 'deployments');
});

test('an inherited policy places what no policy of the project selects, and gives way to one that does', async () => {
  await using w = await world();
  const { controlPlane } = w;
  const project = await controlPlane.project('store', 'acme');
  await using _scheduler = await startScheduler(controlPlane);
  const kinds = [['v1', 'ConfigMap']] as const;
  const defaults = { placement: inGermany, enforcement: 'Default' };
  await controlPlane.create('root:acme', cpps, clusterPolicy('defaults', kinds, defaults));
  await controlPlane.create(project, 'configmaps', configMap('a'));
  const byDefault = await bindingWhere(controlPlane, project, 'a', ({ spec }) => spec.clusters?.length === 1);
  assert.deepEqual(byDefault.spec.policy?.workspace, 'root:acme');
  assert.equal(byDefault.spec.boundBy, undefined);
  await controlPlane.create(project, 'propagationpolicies', policy('own'));
  const own = await bindingWhere(controlPlane, project, 'a', ({ spec }) => spec.clusters?.length === 2);
  assert.equal(own.spec.policy?.name, 'own');
  // An override from above has the last word.
  const rule = (operator: string, value: string): JsonObject => ({
    resourceSelectors: [{ apiVersion: 'v1', kind: 'ConfigMap' }],
    overrideRules: [{ overriders: { labelsOverrider: [{ operator, value: { zone: value } }] } }],
  });
  const override = (kind: string, spec: JsonObject, namespace?: string) => ({
    apiVersion: policies,
    kind,
    metadata: { name: 'zone', ...(namespace === undefined ? {} : { namespace }) },
    spec,
  });
  const above = override('ClusterOverridePolicy', rule('add', 'above'));
  await controlPlane.create('root:acme', 'clusteroverridepolicies', above);
  await controlPlane.create(
    project,
    'overridepolicies',
    override('OverridePolicy', rule('add', 'own'), 'default'),
  );
  await w.fra.copy('v1', 'configmaps', 'a', ({ metadata }) => metadata.labels?.['zone'] === 'above');
});

test('what only stands above projects is refused in one', async () => {
  await using w = await world();
  for (const [what, spec, kinds] of [
    ['enforcement', { enforcement: 'Default' }, [['v1', 'ConfigMap']]],
    ['kind', {}, everything],
  ] as const) {
    await assert.rejects(
      w.controlPlane.create(w.project, cpps, clusterPolicy('x', kinds, spec)),
      (error) => isApiError(error, 'Invalid') && error.message.includes(what),
    );
  }
});
