import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { isApiError } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ControlPlane } from './testing/control-plane.ts';

/** Manifests of the shapes that Karmada's documentation shows; applied as they are, in a project. */
const samples: { readonly [name: string]: string } = {
  'by names, divided by static weights': `
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: { name: weights }
spec:
  resourceSelectors: [{ apiVersion: apps/v1, kind: Deployment, name: nginx }]
  placement:
    clusterAffinity: { clusterNames: [member1, member2], exclude: [member3] }
    replicaScheduling:
      replicaDivisionPreference: Weighted
      replicaSchedulingType: Divided
      weightPreference:
        staticWeightList:
          - { targetCluster: { clusterNames: [member1] }, weight: 1 }
          - { targetCluster: { labelSelector: { matchLabels: { location: us } } }, weight: 2 }`,
  'dynamic weights, tolerations, fields': `
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: { name: dynamic }
spec:
  propagateDeps: true
  priority: 5
  preemption: Always
  conflictResolution: Overwrite
  schedulerName: default-scheduler
  resourceSelectors:
    - apiVersion: apps/v1
      kind: Deployment
      labelSelector: { matchExpressions: [{ key: app, operator: In, values: [nginx] }] }
  placement:
    clusterAffinity:
      fieldSelector:
        matchExpressions:
          - { key: provider, operator: In, values: [huaweicloud] }
          - { key: region, operator: NotIn, values: [cn-south-1] }
          - { key: zone, operator: In, values: [az-1] }
    clusterTolerations:
      - { key: cluster.karmada.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 300 }
    replicaScheduling:
      replicaDivisionPreference: Weighted
      replicaSchedulingType: Divided
      weightPreference: { dynamicWeight: AvailableReplicas }`,
  'groups in order with overflow': `
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: { name: groups }
spec:
  resourceSelectors: [{ apiVersion: apps/v1, kind: Deployment }]
  placement:
    clusterAffinities:
      - affinityName: local
        clusterNames: [local-1]
        overflowAffinities: [{ labelSelector: { matchLabels: { tier: cloud } } }]
      - { affinityName: cloud, clusterNames: [cloud-1, cloud-2] }
    replicaScheduling: { replicaSchedulingType: Divided, replicaDivisionPreference: Aggregated }`,
  'spread by region and cluster': `
apiVersion: policy.karmada.io/v1alpha1
kind: ClusterPropagationPolicy
metadata: { name: spread }
spec:
  resourceSelectors: [{ apiVersion: apps/v1, kind: Deployment, namespace: default }]
  placement:
    spreadConstraints:
      - { spreadByField: region, maxGroups: 2, minGroups: 2 }
      - { spreadByField: cluster, maxGroups: 5, minGroups: 1 }
    replicaScheduling: { replicaSchedulingType: Duplicated }`,
  'failover of applications with state': `
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: { name: failover }
spec:
  resourceSelectors: [{ apiVersion: apps/v1, kind: StatefulSet, name: db }]
  failover:
    application:
      decisionConditions: { tolerationSeconds: 60 }
      purgeMode: Immediately
      gracePeriodSeconds: 600
      statePreservation:
        rules: [{ aliasLabelName: application.example.com/failover-jobid, jsonPath: "{ .jobStatus.jobID }" }]
    cluster: { purgeMode: Directly }`,
  'suspension, preserved resources, priority, dependent overrides': `
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: { name: suspended }
spec:
  preserveResourcesOnDeletion: true
  suspension: { dispatchingOnClusters: { clusterNames: [member1] } }
  schedulePriority: { priorityClassSource: KubePriorityClass, priorityClassName: high-priority }
  dependentOverrides: [nginx-override]
  resourceSelectors: [{ apiVersion: apps/v1, kind: Deployment, name: nginx }]`,
  'workloads apart': `
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: { name: apart }
spec:
  resourceSelectors: [{ apiVersion: apps/v1, kind: Deployment }]
  placement:
    workloadAffinity:
      affinity: { groupByLabelKey: app.team }
      antiAffinity: { groupByLabelKey: app.group }`,
  'overrides of every sort': `
apiVersion: policy.karmada.io/v1alpha1
kind: OverridePolicy
metadata: { name: every-sort }
spec:
  resourceSelectors: [{ apiVersion: apps/v1, kind: Deployment, name: nginx }]
  overrideRules:
    - targetCluster: { clusterNames: [member1] }
      overriders:
        imageOverrider:
          - { component: Registry, operator: replace, value: registry.example.com }
          - { component: Tag, operator: remove, predicate: { path: /spec/template/spec/containers/0/image } }
        commandOverrider: [{ containerName: nginx, operator: add, value: [--debug] }]
        argsOverrider: [{ containerName: nginx, operator: remove, value: [--quiet] }]
        labelsOverrider: [{ operator: add, value: { env: prod } }]
        annotationsOverrider: [{ operator: replace, value: { foo: bar } }]
        fieldOverrider:
          - fieldPath: /data/db-config.yaml
            yaml: [{ subPath: /server/port, operator: replace, value: 8080 }]
        plaintext: [{ path: /spec/replicas, operator: replace, value: 2 }]`,
  'an override of the old form': `
apiVersion: policy.karmada.io/v1alpha1
kind: ClusterOverridePolicy
metadata: { name: old-form }
spec:
  resourceSelectors: [{ apiVersion: v1, kind: ConfigMap }]
  targetCluster: { labelSelector: { matchLabels: { failuredomain: dc-1 } } }
  overriders: { plaintext: [{ path: /data/a, operator: add, value: b }] }`,
  'a quota': `
apiVersion: policy.karmada.io/v1alpha1
kind: FederatedResourceQuota
metadata: { name: quota }
spec:
  overall: { cpu: 100, memory: 200Gi }
  staticAssignments:
    - { clusterName: member1, hard: { cpu: 10, memory: 20Gi } }`,
  'a rebalancer': `
apiVersion: apps.karmada.io/v1alpha1
kind: WorkloadRebalancer
metadata: { name: demo }
spec:
  ttlSecondsAfterFinished: 60
  workloads: [{ apiVersion: apps/v1, kind: Deployment, name: demo, namespace: default }]`,
};

/** What is refused, with what the answer must say. */
const refused: { readonly [name: string]: readonly [yaml: string, says: RegExp] } = {
  Lua: [
    `
apiVersion: config.karmada.io/v1alpha1
kind: ResourceInterpreterCustomization
metadata: { name: lua }
spec:
  target: { apiVersion: apps/v1, kind: Deployment }
  customizations:
    healthInterpretation: { luaScript: "function InterpretHealth(o) return true end" }`,
    /healthInterpretation\.luaScript: .*Lua is not run here; write the rule in CEL/,
  ],
};

let controlPlane: ControlPlane;
let project: string;
before(async () => {
  controlPlane = await ControlPlane.open();
  project = await controlPlane.project('shop');
});
after(() => controlPlane[Symbol.asyncDispose]());

const namespaced = new Set(['PropagationPolicy', 'OverridePolicy', 'FederatedResourceQuota']);
const plurals: { readonly [kind: string]: string } = {
  PropagationPolicy: 'propagationpolicies',
  ClusterPropagationPolicy: 'clusterpropagationpolicies',
  OverridePolicy: 'overridepolicies',
  ClusterOverridePolicy: 'clusteroverridepolicies',
  FederatedResourceQuota: 'federatedresourcequotas',
  WorkloadRebalancer: 'workloadrebalancers',
  ResourceInterpreterCustomization: 'resourceinterpretercustomizations',
};

function apply(yaml: string): { given: KubeObject; made: Promise<KubeObject> } {
  const given = parseAllDocuments(yaml)[0]?.toJS() as KubeObject;
  const object: KubeObject = {
    ...given,
    metadata: { ...given.metadata, ...(namespaced.has(given.kind) ? { namespace: 'default' } : {}) },
  };
  return { given, made: controlPlane.create(project, plurals[given.kind] ?? '', object) };
}

for (const [name, yaml] of Object.entries(samples)) {
  test(`applies unchanged: ${name}`, async () => {
    const { given, made } = apply(yaml);
    assertHolds((await made)['spec'], given['spec'], 'spec');
  });
}
for (const [name, [yaml, says]] of Object.entries(refused)) {
  test(`is refused, saying so: ${name}`, async () => {
    await assert.rejects(
      apply(yaml).made,
      (error) => isApiError(error, 'Invalid') && says.test(error.message),
    );
  });
}

/** Nothing that was written is lost; defaults may have been added. */
function assertHolds(actual: JsonValue | undefined, wanted: JsonValue | undefined, path: string): void {
  if (isJsonObject(wanted)) {
    for (const key of Object.keys(wanted))
      assertHolds(isJsonObject(actual) ? actual[key] : undefined, wanted[key], `${path}.${key}`);
  } else if (Array.isArray(wanted)) {
    wanted.forEach((item, i) => {
      assertHolds(Array.isArray(actual) ? actual[i] : undefined, item, `${path}[${i}]`);
    });
  } else {
    assert.deepEqual(actual, wanted, path);
  }
}
