import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionOf } from '#api/conditions.ts';
import {
  type FederatedResourceQuota,
  federatedResourceQuotasGvr,
} from '#api/policy/federated-resource-quota.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { until } from './testing/control-plane.ts';
import { configMap, policy } from './testing/objects.ts';
import { cellRef, startScheduler, world } from './testing/world.ts';

const quota = (staticAssignments: JsonObject[]): KubeObject => ({
  apiVersion: 'policy.karmada.io/v1alpha1',
  kind: 'FederatedResourceQuota',
  metadata: { name: 'compute', namespace: 'default' },
  spec: { overall: { cpu: '10' }, staticAssignments },
});
const hardOf = (copy: KubeObject): JsonObject => (copy['spec'] as JsonObject)['hard'] as JsonObject;

test('what a quota assigns to cells is a ResourceQuota there, beside what the project places', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  const ref = { cluster: project, gvr: federatedResourceQuotasGvr, namespace: 'default', name: 'compute' };
  {
    await using _scheduler = await startScheduler(controlPlane);
    await controlPlane.create(project, 'propagationpolicies', policy('all'));
    await controlPlane.create(project, 'configmaps', configMap('a'));
    await controlPlane.create(
      project,
      'federatedresourcequotas',
      quota([
        { clusterName: 'fra', hard: { cpu: '2', 'limits.memory': '4Gi' } },
        { clusterName: 'nowhere', hard: { cpu: '1' } },
      ]),
    );
    const copy = await w.fra.copy('v1', 'resourcequotas', 'compute');
    assert.deepEqual(hardOf(copy), { cpu: '2', 'limits.memory': '4Gi' });
    assert.equal(copy.metadata.name, 'compute');
    const beside = await w.fra.copy('v1', 'configmaps', 'a');
    assert.equal(copy.metadata.namespace, beside.metadata.namespace);

    // A cell is made that was assigned to before.
    await controlPlane.cell('nowhere');
    await until('the new cell has it', async () => {
      const all = await controlPlane.list('root:cells:nowhere', 'v1', 'resourcequotas');
      return all.length === 1;
    });
  }
  // A change and a deletion while no scheduler runs.
  await controlPlane.admin.patch(ref, {
    type: 'merge',
    body: { spec: { staticAssignments: [{ clusterName: 'ams', hard: { cpu: '3' } }] } },
  });
  {
    await using _scheduler = await startScheduler(controlPlane);
    await w.ams.copy('v1', 'resourcequotas', 'compute', (one) => hardOf(one)['cpu'] === '3');
    await w.fra.drained('v1', 'resourcequotas');
    // A cell that does not admit the project has none.
    const ams = cellRef('ams');
    const admit = (projects: string[]) =>
      controlPlane.admin.patch(ams, { type: 'merge', body: { spec: { projects } } });
    await admit(['root:others']);
    await w.ams.drained('v1', 'resourcequotas');
    await admit(['root:shop']);
    await w.ams.copy('v1', 'resourcequotas', 'compute');
  }
  await controlPlane.admin.delete(ref);
  await using _again = await startScheduler(controlPlane);
  await w.ams.drained('v1', 'resourcequotas');
});

test('what lies in a quota’s place and is none of ours stays, and the quota says so until it goes', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _scheduler = await startScheduler(controlPlane);
  await controlPlane.create(project, 'propagationpolicies', policy('all'));
  await controlPlane.create(project, 'configmaps', configMap('a'));
  const { namespace } = (await w.fra.copy('v1', 'configmaps', 'a')).metadata;
  const foreign = await controlPlane.create('root:cells:fra', 'resourcequotas', {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'compute', namespace },
    spec: { hard: { cpu: '7' } },
  });
  await controlPlane.create(
    project,
    'federatedresourcequotas',
    quota([
      { clusterName: 'fra', hard: { cpu: '2' } },
      { clusterName: 'ams', hard: { cpu: '3' } },
    ]),
  );
  const ref = { cluster: project, gvr: federatedResourceQuotasGvr, namespace: 'default', name: 'compute' };
  const collision = async () => {
    const { status } = (await controlPlane.admin.get(ref)) as FederatedResourceQuota;
    return conditionOf(status?.conditions, 'NameCollision');
  };
  const said = await until('the quota says so', async () => {
    const one = await collision();
    return one?.status === 'True' ? one : undefined;
  });
  assert.match(said.message ?? '', /^cell fra: /);
  await w.ams.copy('v1', 'resourcequotas', 'compute');
  const place = {
    cluster: 'root:cells:fra',
    gvr: { group: '', version: 'v1', resource: 'resourcequotas' },
    namespace: namespace ?? '',
    name: 'compute',
  };
  const still = await controlPlane.admin.get(place);
  assert.equal(still.metadata.resourceVersion, foreign.metadata.resourceVersion);
  await controlPlane.admin.delete(place);
  // Any change of the quota has it looked at before its time.
  await controlPlane.admin.patch(ref, { type: 'merge', body: { metadata: { labels: { look: 'again' } } } });
  await w.fra.copy('v1', 'resourcequotas', 'compute');
  await until('it is well', async () => (await collision())?.status === 'False');
});
