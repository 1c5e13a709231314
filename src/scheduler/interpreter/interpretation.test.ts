import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyAnnotations } from '#api/federation/copy-contract.ts';
import {
  type ResourceInterpreterCustomization,
  validateCustomization,
} from '#api/policy/resource-interpreter-customization.ts';
import { gvrOf } from '../testing/control-plane.ts';
import { configMap, policy } from '../testing/objects.ts';
import { bindingWhere, condition, startScheduler, world } from '../testing/world.ts';
import { Interpretation } from './interpretation.ts';

const customization = (
  customizations: ResourceInterpreterCustomization['spec']['customizations'],
): ResourceInterpreterCustomization => ({
  apiVersion: 'config.karmada.io/v1alpha1',
  kind: 'ResourceInterpreterCustomization',
  metadata: { name: 'farms' },
  spec: { target: { apiVersion: 'example.com/v1', kind: 'Farm' }, customizations },
});
const farm = (size: number) => ({
  apiVersion: 'example.com/v1',
  kind: 'Farm',
  metadata: { name: 'farm', namespace: 'default' },
  spec: { workers: { size }, settings: 'config' },
});
const rules = {
  replicaResource: { cel: "{'replicas': object.spec.workers.size, 'requires': {'cpu': '500m'}}" },
  replicaRevision: { cel: "{'spec': {'workers': {'size': replicas}}}" },
  statusReflection: { cel: "has(object.status.busy) ? {'busy': object.status.busy} : {}" },
  statusAggregation: {
    cel: "{'busy': items.filter(i, has(i.status)).map(i, i.status.busy).sum(), 'cells': size(items)}",
  },
  healthInterpretation: { cel: 'has(object.status.busy) && object.status.busy <= object.spec.workers.size' },
  retention: { cel: "['/spec/settings']" },
  dependencyInterpretation: {
    cel: "[{'apiVersion': 'v1', 'kind': 'ConfigMap', 'name': object.spec.settings}]",
  },
};

const refused: [string, ResourceInterpreterCustomization['spec']['customizations'], string, RegExp][] = [
  [
    'Lua',
    { healthInterpretation: { luaScript: 'function' } },
    'healthInterpretation.luaScript',
    /Lua is not run here/,
  ],
  ['nothing', { healthInterpretation: {} }, 'healthInterpretation.cel', /Required/i],
  ['bad CEL', { healthInterpretation: { cel: 'object.' } }, 'healthInterpretation.cel', /Syntax error/],
  [
    'the wrong type',
    { healthInterpretation: { cel: "'yes'" } },
    'healthInterpretation.cel',
    /must evaluate to bool/,
  ],
  ['replicas that are only read', { replicaResource: { cel: '1' } }, 'replicaRevision', /must be written/],
];
for (const [what, customizations, field, why] of refused) {
  test(`a customization with ${what} is refused`, () => {
    const [error, ...more] = validateCustomization(customization(customizations));
    assert.equal(error?.field, `spec.customizations.${field}`);
    assert.match(`${error?.type} ${error?.message}`, why);
    assert.deepEqual(more, []);
  });
}

test('rules that fail leave things as they are without them, and say so', () => {
  const broken = new Interpretation(
    customization({
      replicaResource: { cel: 'object.spec.absent' },
      replicaRevision: { cel: "{'spec': {}}" },
      dependencyInterpretation: { cel: "[{'kind': 'Farm', 'name': 'x'}]" },
    }),
  );
  assert.equal(broken.replicas(farm(2)), undefined);
  assert.match(broken.failure ?? '', /farms: replicaResource no such key: absent/);
  assert.equal(broken.dependencies(farm(2)), undefined);
  assert.equal(broken.isHealthy({}), undefined);
});

test('what replicas ask for may say on which nodes they run; what nothing reads is no silent loss', () => {
  const saying = (cel: string): Interpretation =>
    new Interpretation(customization({ replicaResource: { cel }, replicaRevision: { cel: "{'spec': {}}" } }));
  const claim = "{'nodeSelector': {'disk': 'ssd'}, 'tolerations': [{'operator': 'Exists'}]}";
  const told = saying(`{'replicas': 2, 'nodeClaim': ${claim}}`).replicas(farm(2));
  assert.equal(told?.replicas, 2);
  assert.deepEqual(told?.nodes?.claim, {
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ operator: 'Exists' }],
  });
  for (const [cel, why] of [
    ["{'replicas': 2, 'nodeSelector': {}}", /gives nodeSelector, which nothing reads/],
    ["{'replicas': 2, 'requires': '1'}", /requires no map of quantities/],
    ["{'replicas': 2, 'nodeClaim': {'nodeSelector': {'disk': 1}}}", /a nodeClaim that is not made of/],
    ["{'replicas': 2, 'nodeClaim': {'nodeName': 'x'}}", /a nodeClaim that is not made of/],
  ] as const) {
    const broken = saying(cel);
    assert.equal(broken.replicas(farm(2)), undefined);
    assert.match(broken.failure ?? '', why);
  }
});

test('what an edge keeps is said by pointers to what a copy brings', () => {
  const saying = (cel: string) => new Interpretation(customization({ retention: { cel } }));
  assert.deepEqual(saying("['/spec/workers/size', '/metadata/annotations/a.example~1b']").retained(farm(2)), [
    '/spec/workers/size',
    '/metadata/annotations/a.example~1b',
  ]);
  assert.deepEqual(saying("object.spec.workers.size > 1 ? ['/spec'] : []").retained(farm(1)), []);
  const listed = { ...farm(2), spec: { parts: [{ name: 'a' }] } };
  for (const [cel, why] of [
    ["['spec.paused']", /gives spec.paused, which is no JSON pointer/],
    ["['/status/x']", /gives \/status\/x, which no copy takes/],
    ["['/kind']", /which no copy takes to its edge, or each must/],
    ["['/metadata/name']", /or each must/],
    ["['/metadata/labels/federation.cellplane.io~1origin-cluster']", /or each must/],
    ["['/spec/parts/0/name']", /is inside of a list/],
    ['[1]', /gives what is no text/],
    [`[${Array.from({ length: 33 }, () => "'/spec/a'").join(', ')}]`, /more than 32 fields/],
  ] as const) {
    const broken = saying(cel);
    assert.equal(broken.retained(listed), undefined);
    assert.match(broken.failure ?? '', why);
  }
});

test("a project's kind is divided, judged and added up by its own rules, and what it needs follows", async () => {
  await using w = await world({ apis: { groups: ['*.com', 'example.com'] } });
  const { controlPlane, project } = w;
  await using _scheduler = await startScheduler(controlPlane);
  const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  await controlPlane.create(project, 'customresourcedefinitions', {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'farms.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'farms', singular: 'farm', kind: 'Farm', listKind: 'FarmList' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: anything, status: anything } } },
        },
      ],
    },
  });
  await controlPlane.create(project, 'resourceinterpretercustomizations', customization(rules));
  await controlPlane.create(project, 'configmaps', configMap('config'));
  const spec = {
    resourceSelectors: [{ apiVersion: 'example.com/v1', kind: 'Farm' }],
    propagateDeps: true,
    placement: {
      replicaScheduling: {
        replicaSchedulingType: 'Divided',
        replicaDivisionPreference: 'Weighted',
        weightPreference: {
          staticWeightList: [
            { targetCluster: { clusterNames: ['ams'] }, weight: 3 },
            { targetCluster: { clusterNames: ['fra'] }, weight: 2 },
          ],
        },
      },
    },
  };
  await controlPlane.create(project, 'propagationpolicies', policy('farms', spec));
  await controlPlane.create(project, 'farms', farm(5));
  const binding = await bindingWhere(controlPlane, project, 'farm', (one) => one.spec.clusters?.length === 2);
  assert.deepEqual(binding.spec.clusters, [
    { name: 'ams', replicas: 3 },
    { name: 'fra', replicas: 2 },
  ]);
  assert.equal(condition(binding, 'InterpretationFailed'), undefined);
  for (const [syncer, size, busy] of [
    [w.ams, 3, 2],
    [w.fra, 2, 9],
  ] as const) {
    const copy = await syncer.copy('example.com/v1', 'farms', 'farm');
    assert.deepEqual((copy['spec'] as { workers: unknown }).workers, { size });
    assert.equal(copy.metadata.annotations?.[copyAnnotations.retainedFields], '["/spec/settings"]');
    await syncer.report('example.com/v1', 'farms', copy, { busy, secret: 'x' });
    await syncer.copy('v1', 'configmaps', 'config');
  }
  const gathered = await bindingWhere(
    controlPlane,
    project,
    'farm',
    ({ status }) =>
      status?.summary?.healthy === 1 &&
      (status.aggregatedStatus ?? []).every((one) => Object.keys(one.status ?? {}).length > 0),
  );
  assert.deepEqual(
    gathered.status?.aggregatedStatus?.map(({ clusterName, health, status }) => [
      clusterName,
      health,
      status,
    ]),
    [
      ['ams', 'Healthy', { busy: 2 }],
      ['fra', 'Unhealthy', { busy: 9 }],
    ],
  );
  const ref = { cluster: project, gvr: gvrOf('example.com/v1', 'farms'), namespace: 'default', name: 'farm' };
  assert.deepEqual((await controlPlane.admin.get(ref))['status'], { busy: 11, cells: 2 });
});
