// Placement over real edges: what a platform team sets above projects, rollouts wave by wave, quotas and estimators.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { federatedResourceQuotasGvr } from '#api/policy/federated-resource-quota.ts';
import { clusterPropagationPoliciesGvr, propagationPoliciesGvr } from '#api/policy/group.ts';
import { bindingName } from '#api/work/binding-name.ts';
import { resourceBindingsGvr } from '#api/work/group.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { cellCommand } from '#cli/commands/cell.ts';
import { renderKubeconfig } from '#cli/kubeconfig-file.ts';
import { Constellation } from '../harness/constellation.ts';
import { disposeAll } from '../harness/dispose-all.ts';
import { deployments } from '../harness/edge-objects.ts';
import { temporaryFolder } from '../harness/processes.ts';
import { adminConnectionTo } from '../harness/test-pki.ts';
import { until } from '../harness/until.ts';

const cells = ['cell-a', 'cell-b', 'cell-c'] as const;
const project = 'root:acme:shop';
const broken = 'registry.example/web:broken';
const inShop = (gvr: typeof deployments | typeof resourceBindingsGvr, name: string) => ({
  cluster: project,
  gvr,
  namespace: 'shop',
  name,
});

describe('placement', { timeout: 600_000 }, () => {
  let constellation: Constellation;
  let estimator: Server;
  let edgesRun = true;
  let controllers: Promise<unknown>;
  const asked: JsonObject[] = [];

  before(async () => {
    estimator = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString('utf8');
      });
      request.on('end', () => {
        asked.push(JSON.parse(body) as JsonObject);
        response.end('{"replicas": 1}');
      });
    });
    await new Promise<void>((resolve) => estimator.listen(0, '127.0.0.1', resolve));
    // Nothing here is about a federator that is away: none is to be taken for such while the machine is busy.
    constellation = await Constellation.start({ cells, leaseDurationMs: 60_000 });
    await constellation.createProject(project);
    controllers = Promise.all(cells.map(runDeployments));
  });
  after(async () => {
    edgesRun = false;
    await disposeAll(
      () => controllers,
      constellation,
      () => estimator.closeAllConnections(),
      () => estimator.close(),
    );
  });

  /** Plays an edge's deployment controller: every image runs but the broken one. */
  async function runDeployments(cell: string): Promise<void> {
    const { client } = constellation.edge(cell);
    while (edgesRun) {
      const { items } = await client.list({ cluster: undefined, gvr: deployments });
      for (const object of items) {
        const { name = '', namespace, generation = 1, deletionTimestamp } = object.metadata;
        const status = object['status'] as { observedGeneration?: number } | undefined;
        if (status?.observedGeneration === generation || deletionTimestamp !== undefined) continue;
        const { replicas = 1 } = object['spec'] as { replicas?: number };
        const ready = JSON.stringify(object['spec']).includes(broken) ? 0 : replicas;
        const counts = {
          replicas,
          updatedReplicas: replicas,
          readyReplicas: ready,
          availableReplicas: ready,
        };
        const body = { status: { observedGeneration: generation, ...counts } };
        const ref = { cluster: undefined, gvr: deployments, namespace, name };
        try {
          await client.patch(ref, { type: 'merge', body }, { subresource: 'status' });
        } catch (error) {
          // Withdrawn or written since it was listed: a controller goes on.
          if (!isApiError(error, 'NotFound', 'Conflict')) throw error;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  const policy = (name: string, spec: JsonObject) =>
    constellation.admin.create(
      { cluster: project, gvr: propagationPoliciesGvr, namespace: 'shop' },
      {
        apiVersion: 'policy.karmada.io/v1alpha1',
        kind: 'PropagationPolicy',
        metadata: { name },
        spec: { resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment', name }], ...spec },
      },
    );
  const deploy = (name: string, image: string, replicas: number) =>
    constellation.admin.apply(
      inShop(deployments, name),
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name, namespace: 'shop' },
        spec: {
          replicas,
          selector: { matchLabels: { app: name } },
          template: {
            metadata: { labels: { app: name } },
            spec: { containers: [{ name: 'main', image, resources: { requests: { cpu: '100m' } } }] },
          },
        },
      },
      { fieldManager: 'test', force: true },
    );
  const binding = (name: string, holds: (one: ResourceBinding) => boolean) =>
    until(`the binding of ${name}`, async () => {
      const one = (await constellation.admin.get(
        inShop(resourceBindingsGvr, bindingName('apps', 'deployments', name)),
      )) as ResourceBinding;
      return holds(one) ? one : undefined;
    });
  const isUnbound = async (name: string): Promise<boolean> => {
    const ref = inShop(resourceBindingsGvr, bindingName('apps', 'deployments', name));
    try {
      await constellation.admin.get(ref);
      return false;
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
      return true;
    }
  };
  const imageAt = async (cell: string, name: string): Promise<string | undefined> => {
    const { items } = await constellation.edge(cell).client.list({ cluster: undefined, gvr: deployments });
    const object = items.find(({ metadata }) => metadata.name === name);
    return /"image":"([^"]*)"/.exec(JSON.stringify(object?.['spec'] ?? {}))?.[1];
  };
  const isAt = (cell: string, name: string, image: string | undefined) =>
    until(`${image ?? 'nothing'} in ${cell}`, async () => (await imageAt(cell, name)) === image);

  test('what is not allowed above is at no edge, and a change comes wave by wave or goes back', async () => {
    await constellation.admin.create(
      { cluster: 'root:acme', gvr: clusterPropagationPoliciesGvr },
      {
        apiVersion: 'policy.karmada.io/v1alpha1',
        kind: 'ClusterPropagationPolicy',
        metadata: { name: 'residency' },
        spec: {
          resourceSelectors: [{ apiVersion: '*', kind: '*' }],
          placement: { clusterAffinity: { exclude: ['cell-c'] } },
        },
      },
    );
    const waves = [
      { name: 'canary', clusterAffinity: { clusterNames: ['cell-b'] } },
      { name: 'all', approval: true },
    ];
    await policy('web', { rollout: { waves, healthTimeoutSeconds: 600 } });
    await deploy('web', 'registry.example/web:1', 2);
    for (const cell of ['cell-a', 'cell-b']) await isAt(cell, 'web', 'registry.example/web:1');
    await binding('web', ({ status }) => status?.summary?.healthy === 2);

    await deploy('web', 'registry.example/web:2', 2);
    const waiting = await binding('web', ({ status }) => status?.rollout?.phase === 'AwaitingApproval');
    assert.equal(await imageAt('cell-b', 'web'), 'registry.example/web:2');
    assert.equal(await imageAt('cell-a', 'web'), 'registry.example/web:1');
    await constellation.stopScheduler();
    await constellation.startScheduler();
    const approved = `${waiting.status?.rollout?.target}/all`;
    const annotations = { 'federation.cellplane.io/rollout-approved': approved };
    await constellation.admin.patch(inShop(deployments, 'web'), {
      type: 'merge',
      body: { metadata: { annotations } },
    });
    await isAt('cell-a', 'web', 'registry.example/web:2');
    await binding('web', ({ status }) => status?.rollout?.phase === 'Complete');

    await constellation.admin.patch(
      { cluster: project, gvr: propagationPoliciesGvr, namespace: 'shop', name: 'web' },
      { type: 'merge', body: { spec: { rollout: { healthTimeoutSeconds: 2 } } } },
    );
    await deploy('web', broken, 2);
    const back = await binding('web', ({ status }) => status?.rollout?.phase === 'RolledBack');
    await isAt('cell-b', 'web', 'registry.example/web:2');
    assert.match(back.status?.rollout?.message ?? '', /cell-b/);
    assert.equal(await imageAt('cell-a', 'web'), 'registry.example/web:2');
    assert.equal(await imageAt('cell-c', 'web'), undefined);
    assert.deepEqual(back.spec.boundBy, ['root:acme/residency']);
  });

  test('an estimator says what fits, and a quota what may', async () => {
    const { port } = estimator.address() as AddressInfo;
    await constellation.patchCell('cell-a', {
      spec: { estimator: { url: `http://127.0.0.1:${port}/`, timeoutMs: 10_000 } },
    });
    const replicaScheduling = {
      replicaSchedulingType: 'Divided',
      replicaDivisionPreference: 'Weighted',
      weightPreference: { dynamicWeight: 'AvailableReplicas' },
    };
    const placement = { clusterAffinity: { clusterNames: ['cell-a', 'cell-b'] }, replicaScheduling };
    // What was decided before the scheduler had heard of the estimator stands: others tell when it has.
    const probes: string[] = [];
    await until('the scheduler knows of the estimator', async () => {
      const name = `probe-${probes.length}`;
      probes.push(name);
      await policy(name, { placement });
      await deploy(name, 'registry.example/probe:1', 4);
      await binding(name, ({ spec }) => spec.clusters?.length === 2);
      return asked.length > 0;
    });
    for (const name of probes) await constellation.admin.delete(inShop(deployments, name));
    // Until then what they take is under way, and counts beside what the estimator says.
    for (const name of probes) await until(`the binding of ${name} is gone`, () => isUnbound(name));
    await policy('api', { placement });
    await deploy('api', 'registry.example/api:1', 4);
    const placed = await binding('api', ({ spec }) => spec.clusters?.length === 2);
    assert.deepEqual(placed.spec.clusters?.[0], { name: 'cell-a', replicas: 1 });
    assert.deepEqual(asked[0]?.['request'], { cpu: 0.1 });
    const told = placed.status?.decision?.cells ?? [];
    assert.deepEqual(
      told.map(({ name, replicas, refusal }) => [name, replicas ?? refusal]),
      [
        ['cell-a', 1],
        ['cell-b', 3],
        ['cell-c', 'ForbiddenByPolicy'],
      ],
    );
    assert.equal(told[2]?.policy, 'root:acme/residency');
    assert.equal(told[0]?.room, 1, "the estimator's word");
    assert.deepEqual(told[1]?.scores, { Stickiness: 0, SoftTaints: 50 });

    await constellation.admin.create(
      { cluster: project, gvr: federatedResourceQuotasGvr, namespace: 'shop' },
      {
        apiVersion: 'policy.karmada.io/v1alpha1',
        kind: 'FederatedResourceQuota',
        metadata: { name: 'all', namespace: 'shop' },
        spec: { overall: { cpu: '1' } },
      },
    );
    await until('the quota counts', async () => {
      const ref = { cluster: project, gvr: federatedResourceQuotasGvr, namespace: 'shop', name: 'all' };
      const status = (await constellation.admin.get(ref))['status'] as JsonObject | undefined;
      // Four of api, two each of web in two cells.
      return (status?.['overallUsed'] as JsonObject | undefined)?.['cpu'] === '800m';
    });
    await deploy('api', 'registry.example/api:1', 7);
    await binding('api', ({ status }) =>
      (status?.conditions ?? []).some(
        ({ type, reason }) => type === 'Scheduled' && reason === 'QuotaExceeded',
      ),
    );
    await deploy('api', 'registry.example/api:1', 6);
    await binding(
      'api',
      ({ spec }) => (spec.clusters ?? []).reduce((sum, one) => sum + (one.replicas ?? 0), 0) === 6,
    );
  });

  test('cordon, drain and uncordon by the command line: new work stays away, then all of it leaves', async () => {
    await using folder = await temporaryFolder();
    const kubeconfig = path.join(folder.path, 'kubeconfig');
    const connection = adminConnectionTo(constellation.pki, `${constellation.server.url}/clusters/root`);
    await writeFile(kubeconfig, renderKubeconfig([{ name: 'root', connection }], 'root'));
    const cell = async (...args: string[]): Promise<void> => {
      await cellCommand().parseAsync([...args, '--kubeconfig', kubeconfig], { from: 'user' });
    };
    const one = {
      clusterAffinity: { clusterNames: ['cell-a', 'cell-b'] },
      spreadConstraints: [{ spreadByField: 'cluster', minGroups: 1, maxGroups: 1 }],
    };
    await constellation.admin.delete({
      cluster: project,
      gvr: federatedResourceQuotasGvr,
      namespace: 'shop',
      name: 'all',
    });
    // What is decided before the scheduler has heard of a change is decided without it: guests tell where new work goes.
    const guests: string[] = [];
    const newWorkGoesTo = (wanted: string) =>
      until(`new work goes to ${wanted}`, async () => {
        const name = `guest-${guests.length}`;
        guests.push(name);
        await policy(name, { placement: one });
        await deploy(name, 'registry.example/guest:1', 1);
        const { spec } = await binding(name, ({ spec: { clusters } }) => clusters?.length === 1);
        return spec.clusters?.[0]?.name === wanted;
      });
    await newWorkGoesTo('cell-a');
    await policy('moves', { placement: one });
    await cell('cordon', 'cell-a');
    await newWorkGoesTo('cell-b');
    for (const name of guests) await constellation.admin.delete(inShop(deployments, name));
    await deploy('moves', 'registry.example/moves:1', 1);
    await isAt('cell-b', 'moves', 'registry.example/moves:1');
    await binding('moves', ({ status }) => status?.summary?.healthy === 1);
    await cell('uncordon', 'cell-a');
    await cell('drain', 'cell-b');
    await isAt('cell-a', 'moves', 'registry.example/moves:1');
    await isAt('cell-b', 'moves', undefined);
    await binding('moves', ({ spec }) => {
      return spec.clusters?.[0]?.name === 'cell-a' && spec.gracefulEvictionTasks === undefined;
    });
    await cell('uncordon', 'cell-b');
    const { spec } = await constellation.cell('cell-b');
    assert.deepEqual(spec?.taints ?? [], []);
    assert.equal(
      await imageAt('cell-a', 'moves'),
      'registry.example/moves:1',
      'it does not go back by itself',
    );
  });
});
