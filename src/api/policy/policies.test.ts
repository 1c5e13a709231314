import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { clusterTaintPolicyDefinition } from './cluster-taint-policy.ts';
import { projectDefinitions } from './definitions.ts';
import { federatedResourceQuotaDefinition } from './federated-resource-quota.ts';
import { type OverridePolicy, overridePolicyDefinition, validateOverridePolicy } from './override-policy.ts';
import {
  clusterPropagationPolicyDefinition,
  inheritedPropagationPolicyDefinition,
  type PropagationPolicy,
  propagationPolicyDefinition,
  validatePropagationPolicy,
} from './propagation-policy.ts';
import { schedulingProfileDefinition } from './scheduling-profile.ts';

const selector = { apiVersion: 'apps/v1', kind: 'Deployment' };
const policy = (spec: JsonObject): PropagationPolicy =>
  ({
    apiVersion: 'policy.karmada.io/v1alpha1',
    kind: 'PropagationPolicy',
    metadata: { name: 'p', namespace: 'default' },
    spec: { resourceSelectors: [{ ...selector }], ...spec },
  }) as PropagationPolicy;
const override = (overriders: JsonObject): OverridePolicy =>
  ({
    apiVersion: 'policy.karmada.io/v1alpha1',
    kind: 'OverridePolicy',
    metadata: { name: 'o', namespace: 'default' },
    spec: { resourceSelectors: [{ ...selector }], overrideRules: [{ overriders }] },
  }) as OverridePolicy;
/** A group `a` with tiers of these names. */
const overflowing = (primary: JsonObject, ...tiers: string[]): JsonObject => ({
  placement: {
    clusterAffinities: [
      { affinityName: 'a', ...primary, overflowAffinities: tiers.map((affinityName) => ({ affinityName })) },
    ],
    replicaScheduling: { replicaSchedulingType: 'Divided', replicaDivisionPreference: 'Aggregated' },
  },
});

const refused: [string, JsonObject][] = [
  ['spec.association', { association: true }],
  [
    'spec.failover.application.statePreservation.rules[0].jsonPath',
    {
      failover: {
        application: { statePreservation: { rules: [{ aliasLabelName: 'a', jsonPath: '{ .a[ }' }] } },
      },
    },
  ],
  [
    'spec.failover.cluster.statePreservation.rules[0].aliasLabelName',
    { failover: { cluster: { statePreservation: { rules: [{ aliasLabelName: 'a b', jsonPath: '.a' }] } } } },
  ],
  ['spec.failover.cluster.failback', { failover: { cluster: { failback: { afterSeconds: 60 } } } }],
  ['spec.association', { association: true }],
  ['spec.reschedule.unschedulable', { reschedule: { unschedulable: {} } }],
  [
    'spec.placement.replicaScheduling.weightPreference.staticWeightList[0].maxReplicas',
    {
      placement: {
        replicaScheduling: {
          replicaSchedulingType: 'Divided',
          replicaDivisionPreference: 'Aggregated',
          weightPreference: { staticWeightList: [{ targetCluster: {}, weight: 1, maxReplicas: 3 }] },
        },
      },
    },
  ],
  [
    'spec.rollout.waves[1]',
    {
      rollout: {
        waves: [{ name: 'all' }, { name: 'late', clusterAffinity: { clusterNames: ['a'] } }],
      },
    },
  ],
  [
    'spec.schedulePriority.priorityClassSource',
    { schedulePriority: { priorityClassSource: 'FederatedPriorityClass' } },
  ],
  [
    'spec.schedulePriority.priorityClassName',
    { schedulePriority: { priorityClassSource: 'KubePriorityClass' } },
  ],
  ['spec.schedulerName', { schedulerName: 'Mine' }],
  [
    'spec.placement.workloadAffinity.antiAffinity.groupByLabelKey',
    { placement: { workloadAffinity: { antiAffinity: { groupByLabelKey: 'a b' } } } },
  ],
  [
    'spec.placement.clusterAffinities[0].overflowAffinities',
    { placement: { clusterAffinities: [{ affinityName: 'a', overflowAffinities: [{}] }] } },
  ],
  ['spec.placement.clusterAffinities[0].overflowAffinities', overflowing({}, 'x')],
  [
    'spec.placement.clusterAffinities[0].overflowAffinities[1].affinityName',
    overflowing({ clusterNames: ['c'] }, 'x', 'x'),
  ],
  [
    'spec.placement.clusterAffinities[0].overflowAffinities[0].affinityName',
    overflowing({ clusterNames: ['c'] }, 'a'),
  ],
  [
    'spec.placement.spreadConstraints[0].spreadByField',
    { placement: { spreadConstraints: [{ spreadByField: 'continent' }] } },
  ],
  [
    'spec.placement.spreadConstraints[0].spreadByLabel',
    { placement: { spreadConstraints: [{ spreadByField: 'region', spreadByLabel: 'x' }] } },
  ],
  [
    'spec.placement.spreadConstraints[1]',
    { placement: { spreadConstraints: [{ spreadByField: 'zone' }, { spreadByField: 'zone' }] } },
  ],
  [
    'spec.placement.spreadConstraints[0].maxSkew',
    { placement: { spreadConstraints: [{ spreadByField: 'cluster', maxSkew: 1 }] } },
  ],
  [
    'spec.placement.spreadConstraints[0].minGroups',
    { placement: { spreadConstraints: [{ spreadByField: 'cluster', minGroups: 3, maxGroups: 2 }] } },
  ],
  ['spec.resourceSelectors', { resourceSelectors: [] }],
  ['spec.resourceSelectors[0].namespace', { resourceSelectors: [{ ...selector, namespace: 'other' }] }],
  [
    'spec.placement.clusterAffinity.fieldSelector.matchExpressions[0].key',
    {
      placement: {
        clusterAffinity: {
          fieldSelector: { matchExpressions: [{ key: 'rack', operator: 'In', values: ['x'] }] },
        },
      },
    },
  ],
];
for (const [field, spec] of refused) {
  test(`a policy with ${field} not honoured is refused by its path`, () => {
    assert.deepEqual(
      validatePropagationPolicy(policy(spec)).map((error) => error.field),
      [field],
    );
  });
}

test('a policy that selects every kind places nothing: what is about placing is refused by its path', () => {
  const inherited = (spec: JsonObject): string[] => {
    const object = policy({ resourceSelectors: [{ apiVersion: '*', kind: '*' }], ...spec });
    delete object.metadata.namespace;
    inheritedPropagationPolicyDefinition.strategy.defaults?.(object, 'v1alpha1');
    return (inheritedPropagationPolicyDefinition.strategy.validate?.(object) ?? []).map(({ field }) => field);
  };
  const placing: JsonObject = {
    priority: 3,
    preemption: 'Always',
    failover: { cluster: { purgeMode: 'Directly' } },
    placement: { clusterTolerations: [{ operator: 'Exists' }], clusterAffinity: {} },
  };
  const bounding = {
    priority: 0,
    preemption: 'Never',
    conflictResolution: 'Abort',
    schedulerName: 'default-scheduler',
    suspension: { dispatching: true },
    placement: { clusterAffinity: {}, spreadConstraints: [{ spreadByField: 'region', minGroups: 2 }] },
  };
  assert.deepEqual(inherited(bounding), []);
  assert.deepEqual(inherited(placing).sort(), [
    'spec.failover',
    'spec.placement.clusterTolerations',
    'spec.preemption',
    'spec.priority',
  ]);
  assert.deepEqual(inherited({ ...placing, resourceSelectors: [{ ...selector }] }), []);
});

test('what means nothing is accepted: false, empty, the default scheduler', () => {
  const spec = {
    propagateDeps: false,
    association: false,
    dependentOverrides: [],
    failover: {},
    schedulerName: 'default-scheduler',
  };
  assert.deepEqual(validatePropagationPolicy(policy(spec)), []);
});

test("Karmada's sample policy is honoured", () => {
  const spec = {
    placement: {
      clusterAffinity: { clusterNames: ['member1', 'member2'] },
      replicaScheduling: {
        replicaDivisionPreference: 'Weighted',
        replicaSchedulingType: 'Divided',
        weightPreference: {
          staticWeightList: [
            { targetCluster: { clusterNames: ['member1'] }, weight: 1 },
            { targetCluster: { clusterNames: ['member2'] }, weight: 1 },
          ],
        },
      },
    },
  };
  assert.deepEqual(validatePropagationPolicy(policy(spec)), []);
});

test('defaults as Karmada’s webhook: own namespace, spread over cells', () => {
  const one = policy({ placement: { spreadConstraints: [{ maxGroups: 2 }] } });
  propagationPolicyDefinition.strategy.defaults?.(one, 'v1alpha1');
  assert.equal(one.spec.resourceSelectors[0]?.namespace, 'default');
  assert.deepEqual(one.spec.placement?.spreadConstraints, [
    { maxGroups: 2, spreadByField: 'cluster', minGroups: 1 },
  ]);
});

const refusedOverrides: [string, JsonObject][] = [
  ['fieldOverrider[0].fieldPath', { fieldOverrider: [{ fieldPath: '/metadata/name' }] }],
  [
    'fieldOverrider[0].json[0].value',
    { fieldOverrider: [{ fieldPath: '/data/x', json: [{ subPath: '/a', operator: 'add' }] }] },
  ],
  ['plaintext[0].path', { plaintext: [{ path: '/metadata/name', operator: 'replace', value: 'x' }] }],
  ['plaintext[0].path', { plaintext: [{ path: 'spec', operator: 'remove' }] }],
  ['plaintext[0].value', { plaintext: [{ path: '/spec/x', operator: 'add' }] }],
  ['imageOverrider[0].value', { imageOverrider: [{ component: 'Tag', operator: 'replace' }] }],
  [
    'labelsOverrider[0].value[federation.cellplane.io/origin-cluster]',
    { labelsOverrider: [{ operator: 'add', value: { 'federation.cellplane.io/origin-cluster': 'x' } }] },
  ],
];
for (const [field, overriders] of refusedOverrides) {
  test(`an override with ${field} is refused`, () => {
    assert.deepEqual(
      validateOverridePolicy(override(overriders)).map((error) => error.field),
      [`spec.overrideRules[0].overriders.${field}`],
    );
  });
}

const divided = { replicaSchedulingType: 'Divided' };
const weights = { staticWeightList: [{ targetCluster: {}, weight: 1 }] };
const unused: [string[], JsonObject][] = [
  [
    ['spec.resourceSelectors[0].labelSelector'],
    { resourceSelectors: [{ ...selector, name: 'a', labelSelector: { matchLabels: { a: 'b' } } }] },
  ],
  [
    [
      'spec.placement.replicaScheduling.replicaDivisionPreference',
      'spec.placement.replicaScheduling.weightPreference',
    ],
    {
      placement: {
        replicaScheduling: {
          replicaSchedulingType: 'Duplicated',
          replicaDivisionPreference: 'Weighted',
          weightPreference: weights,
        },
      },
    },
  ],
  [
    ['spec.placement.replicaScheduling.weightPreference'],
    {
      placement: {
        replicaScheduling: {
          ...divided,
          replicaDivisionPreference: 'Aggregated',
          weightPreference: weights,
        },
      },
    },
  ],
  [
    ['spec.placement.replicaScheduling.weightPreference.staticWeightList'],
    {
      placement: {
        replicaScheduling: {
          ...divided,
          weightPreference: { ...weights, dynamicWeight: 'AvailableReplicas' },
        },
      },
    },
  ],
  [
    ['spec.placement.near', 'spec.placement.clusterTolerations[0]'],
    {
      placement: {
        near: { latitude: 1, longitude: 1 },
        clusterTolerations: [{ operator: 'Exists', effect: 'PreferNoSchedule' }],
      },
    },
  ],
  [
    ['spec.failover.application.gracePeriodSeconds'],
    { failover: { application: { purgeMode: 'Immediately', gracePeriodSeconds: 60 } } },
  ],
  [
    ['spec.schedulePriority.priorityClassName'],
    { schedulePriority: { priorityClassSource: 'PodPriorityClass', priorityClassName: 'x' } },
  ],
  [
    ['spec.resourceSelectors[0].kind', 'spec.resourceSelectors[2].kind', 'spec.resourceSelectors[3].kind'],
    {
      resourceSelectors: [
        { apiVersion: 'v1', kind: 'Node' },
        { ...selector },
        { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole' },
        { apiVersion: 'apps/v1', kind: 'Deploymet' },
        { apiVersion: 'example.com/v1', kind: 'Widget' },
      ],
    },
  ],
  [
    ['spec.placement.clusterAffinity.clusterNames', 'spec.placement.workloadAffinity.affinity'],
    {
      placement: {
        clusterAffinity: { clusterNames: ['a', 'b'], exclude: ['b', 'c', 'a'] },
        workloadAffinity: { affinity: { groupByLabelKey: 'x' }, antiAffinity: { groupByLabelKey: 'x' } },
      },
    },
  ],
  [
    ['spec.placement.clusterAffinities[1].clusterNames'],
    {
      placement: {
        clusterAffinities: [
          { affinityName: 'one', clusterNames: ['a', 'b'], exclude: ['b'] },
          { affinityName: 'two', clusterNames: ['b'], exclude: ['b'] },
        ],
        workloadAffinity: { affinity: { groupByLabelKey: 'x' }, antiAffinity: { groupByLabelKey: 'y' } },
      },
    },
  ],
  [['spec.rollout.waves[0].pauseSeconds'], { rollout: { waves: [{ name: 'all', pauseSeconds: 60 }] } }],
  [
    [],
    {
      placement: {
        near: { latitude: 1, longitude: 1 },
        spreadConstraints: [{ maxGroups: 1 }],
        replicaScheduling: { ...divided, weightPreference: weights },
      },
      failover: { application: { purgeMode: 'Graciously', gracePeriodSeconds: 60 } },
      rollout: { waves: [{ name: 'a', clusterAffinity: {}, pauseSeconds: 60 }] },
    },
  ],
];
for (const [fields, spec] of unused) {
  test(`what Karmada accepts is accepted, and the writer is told of ${fields.join(' and ') || 'nothing'}`, () => {
    assert.deepEqual(validatePropagationPolicy(policy(spec)), []);
    const { warnings } = propagationPolicyDefinition.strategy;
    const told = warnings?.(policy(spec), undefined) ?? [];
    assert.deepEqual(
      told.map((text) => text.slice(0, text.indexOf(': has no effect: '))),
      fields,
    );
  });
}

test('kinds that cannot go by a policy, or not in waves, and taints that nothing adds', () => {
  const clusterRole = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole' };
  const clusterWide = (spec: JsonObject): PropagationPolicy => {
    const { metadata, ...rest } = policy(spec);
    return { ...rest, kind: 'ClusterPropagationPolicy', metadata: { name: 'p' } };
  };
  const toldOf = (object: KubeObject, { strategy }: ResourceDefinition) =>
    strategy.warnings?.(object, undefined);
  const wide = { resourceSelectors: [clusterRole, { ...clusterRole, namespace: 'x' }] };
  assert.deepEqual(toldOf(clusterWide(wide), clusterPropagationPolicyDefinition), [
    'spec.resourceSelectors[1].namespace: has no effect: a ClusterRole has none',
  ]);
  const everything = clusterWide({ resourceSelectors: [{ apiVersion: '*', kind: '*' }] });
  assert.deepEqual(toldOf(everything, inheritedPropagationPolicyDefinition), []);
  const rollout = { waves: [{ name: 'all' }] };
  const secret = { apiVersion: 'v1', kind: 'Secret' };
  const staged = validatePropagationPolicy(
    clusterWide({ rollout, resourceSelectors: [{ ...selector }, clusterRole, secret] }),
  );
  assert.deepEqual(
    staged.map(({ field }) => field),
    ['spec.resourceSelectors[1].kind', 'spec.resourceSelectors[2].kind'],
  );
  const own = { resourceSelectors: [{ apiVersion: 'policy.karmada.io/v1alpha1', kind: 'OverridePolicy' }] };
  assert.match(String(toldOf(policy(own), propagationPolicyDefinition)), /OverridePolicy is never taken/);
  const overridden = override({});
  overridden.spec.resourceSelectors = [clusterRole];
  assert.match(String(toldOf(overridden, overridePolicyDefinition)), /only cluster-wide policies select it/);
  const taints: KubeObject = {
    apiVersion: 'policy.karmada.io/v1alpha1',
    kind: 'ClusterTaintPolicy',
    metadata: { name: 't' },
    spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] },
  };
  assert.match(String(toldOf(taints, clusterTaintPolicyDefinition)), /^spec.taints: has no effect/);
});

test('an inherited policy may be lazy where it only places', () => {
  const { validate } = inheritedPropagationPolicyDefinition.strategy;
  const refusedFor = (enforcement: string) =>
    validate?.(policy({ enforcement, activationPreference: 'Lazy' })).map(({ field }) => field);
  assert.deepEqual(refusedFor('Required'), ['spec.activationPreference']);
  assert.deepEqual(refusedFor('Default'), []);
});

test('an override that removes needs no value, and its writer is told', () => {
  const overriders = {
    imageOverrider: [{ component: 'Tag', operator: 'remove', value: 'x' }],
    plaintext: [{ path: '/spec/x', operator: 'remove', value: 1 }],
    fieldOverrider: [{ fieldPath: '/data/x', json: [{ subPath: '/a', operator: 'remove', value: 1 }] }],
  };
  assert.deepEqual(validateOverridePolicy(override(overriders)), []);
  const told = overridePolicyDefinition.strategy.warnings?.(override(overriders), undefined) ?? [];
  assert.deepEqual(
    told.map((text) => text.slice('spec.overrideRules[0].overriders.'.length, text.indexOf(': has'))),
    ['imageOverrider[0].value', 'plaintext[0].value', 'fieldOverrider[0].json[0].value'],
  );
});

test('the kinds of a project', () => {
  assert.deepEqual(
    projectDefinitions().map(({ resource, group, namespaced }) => `${resource}.${group} ${namespaced}`),
    [
      'propagationpolicies.policy.karmada.io true',
      'clusterpropagationpolicies.policy.karmada.io false',
      'overridepolicies.policy.karmada.io true',
      'clusteroverridepolicies.policy.karmada.io false',
      'resourcebindings.work.karmada.io true',
      'clusterresourcebindings.work.karmada.io false',
      'workloadrebalancers.apps.karmada.io false',
      'federatedresourcequotas.policy.karmada.io true',
      'templaterevisions.federation.cellplane.io true',
      'resourceinterpretercustomizations.config.karmada.io false',
    ],
  );
  assert.equal(overridePolicyDefinition.versions[0]?.schema.type, 'object');
});

test('a quota of a whole project stands where few may write, and says nothing of single cells', () => {
  const refused = (namespace: string, spec: JsonObject): string[] =>
    (
      federatedResourceQuotaDefinition.strategy.validate?.({
        apiVersion: 'policy.karmada.io/v1alpha1',
        kind: 'FederatedResourceQuota',
        metadata: { name: 'q', namespace },
        spec,
      }) ?? []
    ).map(({ field }) => field);
  const overall = { cpu: '1' };
  const staticAssignments = [{ clusterName: 'a', hard: overall }];
  assert.deepEqual(refused('default', { overall, staticAssignments }), []);
  assert.deepEqual(refused('kube-system', { scope: 'Project', overall }), []);
  assert.deepEqual(refused('default', { scope: 'Project', overall }), ['spec.scope']);
  assert.deepEqual(refused('kube-system', { scope: 'Project', staticAssignments }), [
    'spec.staticAssignments',
  ]);
});

test('a score stands once in a profile, a named one once for each name', () => {
  const scores = [
    { name: 'Cost', weight: 5 },
    { name: 'Named', score: 'x', weight: 1 },
    { name: 'Named', score: 'y', weight: 1 },
    { name: 'Named', score: 'x', weight: 2 },
    { name: 'Cost', weight: 1 },
  ];
  const profile: KubeObject = {
    apiVersion: 'federation.cellplane.io/v1alpha1',
    kind: 'SchedulingProfile',
    metadata: { name: 'p' },
    spec: { scores },
  };
  assert.deepEqual(
    schedulingProfileDefinition.strategy.validate?.(profile)?.map(({ field }) => field),
    ['spec.scores[3]', 'spec.scores[4]'],
  );
});
