import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { cellTaints } from '#api/federation/cell-taints.ts';
import { schedulingProfilesGvr } from '#api/policy/scheduling-profile.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { forbidden } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { type ExplainInput, explain } from '#scheduler/explain/explain.ts';
import { parseAssumption } from '#scheduler/explain/what-if.ts';
import { ControlPlane, gvrOf, until } from '#scheduler/testing/control-plane.ts';
import { configMap, deployment, policy } from '#scheduler/testing/objects.ts';
import { bindingWhere, policies, startScheduler } from '#scheduler/testing/world.ts';
import { readExplainInput } from '../../src/cli/explain/input.ts';
import { Random } from '../harness/random.ts';
import { seedFrom } from '../harness/seed.ts';

const deployments = gvrOf('apps/v1', 'deployments');
const cellNames = ['a', 'b', 'c', 'd', 'e'];
const taintOf: { readonly [state: string]: string } = {
  drained: cellTaints.drain,
  cordoned: cellTaints.cordon,
  down: 'down',
};
const tolerated: JsonObject[] = [{}, { tolerationSeconds: 0 }];
const tiers = ['gold', 'silver'];
const rounds = Number(process.env['CELLPLANE_WHAT_IF_ROUNDS'] ?? 10);
const changesInRound = 4;

const apiEnablements: JsonObject[] = [
  { groupVersion: 'v1', resources: [{ name: 'configmaps', kind: 'ConfigMap' }] },
  { groupVersion: 'apps/v1', resources: [{ name: 'deployments', kind: 'Deployment' }] },
];

/** Pods that fit in the cell, in which nothing ever runs: what is placed there is under way. */
const roomIn = (index: number): number => 5 + 2 * index;

/** Of every second cell nobody says what is taken. */
const roomOf = (pods: string, index: number): JsonObject => ({
  allocatable: { pods, cpu: '40' },
  ...(index % 2 === 0 ? { allocated: {} } : {}),
});

const evenProfile: KubeObject = {
  apiVersion: `${schedulingProfilesGvr.group}/${schedulingProfilesGvr.version}`,
  kind: 'SchedulingProfile',
  metadata: { name: 'even' },
  spec: {
    scores: [
      { name: 'Balance', weight: 10 },
      { name: 'Stickiness', weight: 1 },
    ],
  },
};

/** What may be asked of a cell, and what is written to have it so. */
const changes: { readonly [state: string]: (taints: readonly JsonObject[]) => JsonObject } = {
  drained: (taints) => ({ spec: { taints: [...taints, { key: cellTaints.drain, effect: 'NoExecute' }] } }),
  cordoned: (taints) => ({ spec: { taints: [...taints, { key: cellTaints.cordon, effect: 'NoSchedule' }] } }),
  down: (taints) => ({ spec: { taints: [...taints, { key: 'down', effect: 'NoExecute' }] } }),
  up: () => ({ spec: { taints: null } }),
};

/** A placement of some sort, with failover and rescheduling as may be. */
function specOf(random: Random): JsonObject {
  const weighted = { replicaSchedulingType: 'Divided', replicaDivisionPreference: 'Weighted' };
  const divisions: JsonObject[] = [
    { replicaSchedulingType: 'Duplicated' },
    weighted,
    { ...weighted, weightPreference: { dynamicWeight: 'AvailableReplicas' } },
    { replicaSchedulingType: 'Divided', replicaDivisionPreference: 'Aggregated' },
    {
      ...weighted,
      weightPreference: {
        staticWeightList: [
          { targetCluster: { clusterNames: ['a', 'b'] }, weight: 3, minReplicas: 1, maxReplicas: 4 },
          { targetCluster: {}, weight: 1 },
        ],
      },
    },
  ];
  const spreads: JsonObject[][] = [
    [],
    [{ spreadByField: 'cluster', minGroups: 1, maxGroups: 2 }],
    [
      { spreadByField: 'region', minGroups: 2, maxGroups: 2 },
      { spreadByField: 'cluster', minGroups: 2 },
    ],
    [{ spreadByLabel: 'tier', minGroups: 1, maxGroups: 1 }],
  ];
  const affinities: JsonObject[] = [
    {},
    { clusterAffinity: { exclude: ['e'] } },
    { clusterAffinity: { labelSelector: { matchLabels: { tier: 'gold' } } } },
    {
      clusterAffinities: [
        { affinityName: 'first', clusterNames: ['a', 'b'] },
        { affinityName: 'second', clusterNames: ['c', 'd', 'e'] },
      ],
    },
  ];
  const spreadConstraints = random.pick(spreads);
  return {
    placement: {
      ...random.pick(affinities),
      ...(spreadConstraints.length === 0 ? {} : { spreadConstraints }),
      replicaScheduling: random.pick(divisions),
      ...(chance(random, 0.3)
        ? {
            clusterTolerations: [
              { key: cellTaints.drain, operator: 'Exists', effect: 'NoExecute', ...random.pick(tolerated) },
            ],
          }
        : {}),
    },
    ...(chance(random, 0.3) ? { failover: { cluster: { purgeMode: 'Directly' } } } : {}),
    ...(chance(random, 0.3) ? { reschedule: { triggers: ['CellLabelsChanged', 'CellJoined'] } } : {}),
    ...(chance(random, 0.1) ? { suspension: { scheduling: true } } : {}),
    ...(chance(random, 0.1) ? { dependentOverrides: ['not-there'] } : {}),
  };
}

test('what explain tells under other circumstances is what is decided when they come', async (t) => {
  const seed = seedFrom('CELLPLANE_WHAT_IF_SEED');
  t.diagnostic(`seed ${seed}`);
  const random = new Random(seed);
  await using controlPlane = await ControlPlane.open();
  const { admin } = controlPlane;
  const project = await controlPlane.project('shop');
  for (const [i, name] of cellNames.entries()) {
    await controlPlane.cell(name, { region: `r${i % 3}` }, { tier: tiers[i % 2] as string });
    // One that has told what it serves has joined, whatever becomes of it.
    const ref = { cluster: 'root:cells', gvr: cellsGvr, name };
    await admin.patch(
      ref,
      { type: 'merge', body: { status: { apiEnablements, ...roomOf(`${roomIn(i)}`, i) } } },
      { subresource: 'status' },
    );
  }
  await using scheduler = await startScheduler(controlPlane);
  const policyRef = (name: string) => ({
    cluster: project,
    gvr: gvrOf(policies, 'propagationpolicies'),
    namespace: 'default',
    name,
  });
  const bindingOf = (name: string, holds: (binding: ResourceBinding) => boolean): Promise<ResourceBinding> =>
    bindingWhere(controlPlane, project, name, holds);
  let told = 0;
  /** Returns when the scheduler has heard of it: then a placement by a label that came with it finds the cells. */
  const changeCells = async (names: readonly string[], change: (cell: Cell) => JsonObject): Promise<void> => {
    const seen = String(++told);
    for (const name of names) {
      const ref = { cluster: 'root:cells', gvr: cellsGvr, name };
      const { spec, metadata } = change((await admin.get(ref)) as Cell);
      const labels = {
        ...((metadata as JsonObject | undefined)?.['labels'] as JsonObject | undefined),
        seen,
      };
      const body = { ...(spec === undefined ? {} : { spec }), metadata: { labels } };
      await admin.patch(ref, { type: 'merge', body });
    }
    // One of its own each time: of an older one a former decision could be taken for this.
    const canary = `canary-${told}`;
    const placement = { clusterAffinity: { labelSelector: { matchLabels: { seen } } } };
    const resourceSelectors = [{ apiVersion: 'v1', kind: 'ConfigMap', name: canary }];
    await controlPlane.create(
      project,
      'propagationpolicies',
      policy(canary, { resourceSelectors, placement }),
    );
    await controlPlane.create(project, 'configmaps', configMap(canary));
    const others = cellNames.length - names.length;
    await bindingOf(canary, ({ status }) => {
      const unmatched = status?.refusals?.find(({ code }) => code === 'AffinityNotMatched')?.count ?? 0;
      return status !== undefined && unmatched === others;
    });
    const configMaps = { group: '', version: 'v1', resource: 'configmaps' };
    await admin.delete({ cluster: project, gvr: configMaps, namespace: 'default', name: canary });
    await admin.delete(policyRef(canary));
    await until('all is decided', () => scheduler.idle);
  };
  const predict = async (name: string, whatIf: ExplainInput['whatIf']): Promise<string> => {
    const resource = { gvr: deployments, kind: 'Deployment', namespaced: true, scalable: true, name };
    const question = { workspace: project, namespace: 'default', nowMs: Date.now(), whatIf };
    const { cells = [] } = explain(await readExplainInput(admin, question, resource)).whatIf ?? {};
    return shown(
      cells.filter(({ would }) => would !== false).map(({ cell, would }) => [cell, Number(would)]),
    );
  };

  for (let round = 0; round < rounds; round++) {
    const name = `web-${round}`;
    const resourceSelectors = [{ apiVersion: 'apps/v1', kind: 'Deployment', name }];
    const spec = { resourceSelectors, ...specOf(random) };
    await controlPlane.create(project, 'propagationpolicies', policy(name, spec));
    await controlPlane.create(project, 'deployments', deployment(name, random.between(0, 6)));
    const ref = { cluster: project, gvr: deployments, namespace: 'default', name };
    let binding = await bindingOf(name, () => true);
    const steps = [JSON.stringify(spec)];
    for (let change = 0; change < changesInRound; change++) {
      const cell = random.pick(cellNames);
      const kind = random.weighted({ replicas: 1, label: 1, state: 3 });
      const replicas = kind === 'replicas' ? random.between(0, 9) : undefined;
      const tier = random.pick(tiers);
      const state = random.pick(Object.keys(changes));
      const text = kind === 'label' ? `cell/${cell}.labels.tier=${tier}` : `cell/${cell}=${state}`;
      const assumptions = replicas === undefined ? [parseAssumption(text)] : [];
      steps.push(`${shown(targetsOf(binding))} → ${replicas ?? text}`);
      const want = await predict(name, { assumptions, replicas });
      if (replicas === undefined) {
        await changeCells([cell], ({ spec: { taints = [] } = {} }) =>
          kind === 'label'
            ? { metadata: { labels: { tier } } }
            : (changes[state]?.(taints.filter(({ key }) => key !== taintOf[state])) ?? {}),
        );
      } else {
        const { metadata } = await admin.patch(ref, { type: 'merge', body: { spec: { replicas } } });
        await bindingOf(
          name,
          (one) => one.spec.replicas === replicas && metadata.uid === one.spec.resource.uid,
        );
        await until('all is decided', () => scheduler.idle);
      }
      binding = await bindingOf(name, () => true);
      const why = binding.status?.conditions?.find(({ type }) => type === 'Scheduled')?.message;
      assert.equal(shown(targetsOf(binding)), want, `seed ${seed}, ${steps.join('\n')}\n${why}`);
    }
    await admin.delete(ref);
    await admin.delete(policyRef(name));
    await changeCells(cellNames, () => changes['up']?.([]) ?? {});
  }
});

const weighted = { replicaSchedulingType: 'Divided', replicaDivisionPreference: 'Weighted' };
const byRoom = { ...weighted, weightPreference: { dynamicWeight: 'AvailableReplicas' } };
const aggregated = { replicaSchedulingType: 'Divided', replicaDivisionPreference: 'Aggregated' };
const oneCell = [{ spreadByField: 'cluster', minGroups: 1, maxGroups: 1 }];
const twoCells = [{ spreadByField: 'cluster', minGroups: 1, maxGroups: 2 }];
const planned = {
  ...weighted,
  weightPreference: {
    staticWeightList: [{ targetCluster: {}, weight: 1, minReplicas: 1, maxReplicas: 9 }],
  },
};

/** What the scheduler makes of these depends on what is under way in the cells, or on how many objects each has. */
const pending: { readonly [name: string]: JsonObject } = {
  'by-room': { placement: { replicaScheduling: byRoom } },
  'by-room-in-two': { placement: { replicaScheduling: byRoom, spreadConstraints: twoCells } },
  'by-room-evenly': {
    schedulerName: 'even',
    placement: { replicaScheduling: byRoom, spreadConstraints: twoCells },
  },
  'in-few': { placement: { replicaScheduling: aggregated } },
  planned: { placement: { replicaScheduling: planned } },
  'evenly-in-one': { schedulerName: 'even', placement: { spreadConstraints: oneCell } },
};

test('what other decisions take that no cell tells of yet, and how many objects each has, is known to what if', async () => {
  await using controlPlane = await ControlPlane.open();
  const { admin } = controlPlane;
  const project = await controlPlane.project('shop');
  const other = await controlPlane.project('other');
  for (const [i, name] of ['a', 'b', 'c'].entries()) {
    await controlPlane.cell(name);
    const status = { apiEnablements, ...roomOf(`${20 + 4 * i}`, i) };
    const ref = { cluster: 'root:cells', gvr: cellsGvr, name };
    await admin.patch(ref, { type: 'merge', body: { status } }, { subresource: 'status' });
  }
  await admin.create({ cluster: 'root:cells', gvr: schedulingProfilesGvr }, evenProfile);
  await using scheduler = await startScheduler(controlPlane);
  const settle = async (cluster: string, name: string, replicas: number): Promise<ResourceBinding> => {
    const decided = await bindingWhere(controlPlane, cluster, name, ({ spec }) => spec.replicas === replicas);
    await until('all is decided', () => scheduler.idle);
    return decided;
  };
  // Another project's replicas are under way in c alone, its ConfigMaps lie in a.
  const only = (...clusterNames: string[]): JsonObject => ({ clusterAffinity: { clusterNames } });
  const noise = {
    resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment' }],
    placement: { ...only('c'), replicaScheduling: byRoom },
  };
  const maps = { resourceSelectors: [{ apiVersion: 'v1', kind: 'ConfigMap' }], placement: only('a') };
  await controlPlane.create(other, 'propagationpolicies', policy('noise', noise));
  await controlPlane.create(other, 'propagationpolicies', policy('maps', maps));
  for (const name of ['one', 'two', 'three']) {
    await controlPlane.create(other, 'configmaps', configMap(name));
    await bindingWhere(controlPlane, other, name, () => true);
  }
  const requests = { cpu: '2' };
  const heavy = { containers: [{ name: 'main', image: 'registry.example/app:1', resources: { requests } }] };
  await controlPlane.create(other, 'deployments', deployment('heavy', 9, heavy));
  await settle(other, 'heavy', 9);

  const asked = async (
    reader: KubeClient,
    name: string,
    replicas: number,
  ): Promise<{ readonly targets: string; readonly unknown: readonly string[] }> => {
    const resource = { gvr: deployments, kind: 'Deployment', namespaced: true, scalable: true, name };
    const whatIf = { assumptions: [], replicas };
    const question = { workspace: project, namespace: 'default', nowMs: Date.now(), whatIf };
    const { whatIf: told, unknown } = explain(await readExplainInput(reader, question, resource));
    const cells = told?.cells.filter(({ would }) => would !== false) ?? [];
    return { targets: shown(cells.map(({ cell, would }) => [cell, Number(would)])), unknown };
  };
  const leaks: string[] = [];
  for (const [name, spec] of Object.entries(pending)) {
    const resourceSelectors = [{ apiVersion: 'apps/v1', kind: 'Deployment', name }];
    await controlPlane.create(project, 'propagationpolicies', policy(name, { resourceSelectors, ...spec }));
    await controlPlane.create(project, 'deployments', deployment(name, 4));
    let stands = shown(targetsOf(await settle(project, name, 4)));
    assert.deepEqual(await asked(admin, name, 4), { targets: stands, unknown: [] }, `${name}: as it is`);
    const ref = { cluster: project, gvr: deployments, namespace: 'default', name };
    for (const replicas of [11, 7, 13]) {
      const { targets } = await asked(admin, name, replicas);
      // Who may not read other projects' bindings is told so.
      const blind = await asked(without(admin, '*'), name, replicas);
      assert.match(blind.unknown.join(), /^bindings of other projects: not for this user to read/);
      if (blind.targets !== targets) leaks.push(name);
      await admin.patch(ref, { type: 'merge', body: { spec: { replicas } } });
      stands = shown(targetsOf(await settle(project, name, replicas)));
      assert.equal(targets, stands, `${name}: with ${replicas} replicas`);
    }
  }
  // The table is about what else is under way: without it the answer would have been another.
  assert.ok(new Set(leaks).size >= 3, `only ${leaks.join()} depend on what other projects have`);
});

/** As somebody sees it who may not read over all workspaces. */
function without(client: KubeClient, cluster: string): KubeClient {
  return new Proxy(client, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if ((args[0] as { readonly cluster?: string }).cluster === cluster)
          return Promise.reject(
            forbidden({ group: 'work.karmada.io', resource: 'resourcebindings' }, '', 'not for you'),
          );
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
}

function targetsOf({ spec }: ResourceBinding): [string, number][] {
  return (spec.clusters ?? []).map(({ name, replicas = 0 }) => [name, replicas]);
}

function shown(targets: readonly (readonly [cell: string, replicas: number])[]): string {
  return targets.map(([cell, replicas]) => `${cell}:${replicas}`).join(' ');
}

function chance(random: Random, share: number): boolean {
  return random.next() < share;
}
