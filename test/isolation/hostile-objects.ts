import { copyAnnotations, copyLabels, edgeFinalizer } from '#api/federation/copy-contract.ts';
import type { GroupVersionResource } from '#apimachinery/gvk.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';

const rbac = 'rbac.authorization.k8s.io';
const admission = 'admissionregistration.k8s.io';
const flowControl = 'flowcontrol.apiserver.k8s.io';

const adminRef = { apiGroup: rbac, kind: 'ClusterRole', name: 'cluster-admin' };
const everyone = [{ apiGroup: rbac, kind: 'Group', name: 'system:authenticated' }];
const everythingRule = [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/*'] }];
const webhook = {
  name: 'all.example.com',
  rules: everythingRule,
  clientConfig: { url: 'https://127.0.0.1:9/steal' },
  failurePolicy: 'Ignore',
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
};

function kind(
  gvr: GroupVersionResource,
  kindName: string,
  content: JsonObject,
  metadata: JsonObject = {},
): { readonly gvr: GroupVersionResource; readonly object: KubeObject } {
  const apiVersion = gvr.group === '' ? gvr.version : `${gvr.group}/${gvr.version}`;
  return {
    gvr,
    object: { apiVersion, kind: kindName, metadata: { name: 'hostile', ...metadata }, ...content },
  };
}

/** Kinds that grant rights, or act beyond a namespace: none may travel unless a cell allows it. */
export const authority = [
  kind({ group: rbac, version: 'v1', resource: 'clusterroles' }, 'ClusterRole', {
    rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }],
  }),
  kind({ group: rbac, version: 'v1', resource: 'clusterrolebindings' }, 'ClusterRoleBinding', {
    roleRef: adminRef,
    subjects: everyone,
  }),
  kind(
    { group: rbac, version: 'v1', resource: 'rolebindings' },
    'RoleBinding',
    { roleRef: adminRef, subjects: everyone },
    { namespace: 'default' },
  ),
  kind(
    { group: admission, version: 'v1', resource: 'validatingwebhookconfigurations' },
    'ValidatingWebhookConfiguration',
    { webhooks: [webhook] },
  ),
  kind(
    { group: admission, version: 'v1', resource: 'mutatingwebhookconfigurations' },
    'MutatingWebhookConfiguration',
    { webhooks: [webhook] },
  ),
  kind(
    { group: admission, version: 'v1', resource: 'validatingadmissionpolicies' },
    'ValidatingAdmissionPolicy',
    {
      spec: {
        failurePolicy: 'Ignore',
        matchConstraints: { resourceRules: everythingRule },
        validations: [{ expression: 'true' }],
      },
    },
  ),
  kind(
    { group: admission, version: 'v1', resource: 'validatingadmissionpolicybindings' },
    'ValidatingAdmissionPolicyBinding',
    { spec: { policyName: 'hostile', validationActions: ['Deny'] } },
  ),
  kind({ group: 'scheduling.k8s.io', version: 'v1', resource: 'priorityclasses' }, 'PriorityClass', {
    value: 1_000_000_000,
    globalDefault: true,
  }),
  kind({ group: 'storage.k8s.io', version: 'v1', resource: 'storageclasses' }, 'StorageClass', {
    provisioner: 'example.com/none',
  }),
  kind(
    { group: rbac, version: 'v1', resource: 'roles' },
    'Role',
    { rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }] },
    { namespace: 'default' },
  ),
  kind(
    { group: admission, version: 'v1', resource: 'mutatingadmissionpolicies' },
    'MutatingAdmissionPolicy',
    {
      spec: {
        failurePolicy: 'Ignore',
        reinvocationPolicy: 'Never',
        matchConstraints: { resourceRules: everythingRule },
        mutations: [
          {
            patchType: 'ApplyConfiguration',
            applyConfiguration: {
              expression: 'Object{metadata: Object.metadata{labels: {"whose": "mallory"}}}',
            },
          },
        ],
      },
    },
  ),
  kind(
    { group: admission, version: 'v1', resource: 'mutatingadmissionpolicybindings' },
    'MutatingAdmissionPolicyBinding',
    { spec: { policyName: 'hostile' } },
  ),
  kind({ group: 'node.k8s.io', version: 'v1', resource: 'runtimeclasses' }, 'RuntimeClass', {
    handler: 'hostile',
  }),
  kind({ group: 'networking.k8s.io', version: 'v1', resource: 'ingressclasses' }, 'IngressClass', {
    spec: { controller: 'example.com/none' },
  }),
  kind(
    { group: 'storage.k8s.io', version: 'v1', resource: 'volumeattributesclasses' },
    'VolumeAttributesClass',
    {
      driverName: 'example.com',
      parameters: { iops: '1' },
    },
  ),
  kind({ group: 'storage.k8s.io', version: 'v1', resource: 'csidrivers' }, 'CSIDriver', { spec: {} }),
  kind({ group: 'resource.k8s.io', version: 'v1', resource: 'deviceclasses' }, 'DeviceClass', { spec: {} }),
  kind({ group: 'resource.k8s.io', version: 'v1beta2', resource: 'devicetaintrules' }, 'DeviceTaintRule', {
    spec: {
      deviceSelector: { driver: 'example.com' },
      taint: { key: 'example.com/hostile', effect: 'NoExecute' },
    },
  }),
  kind(
    { group: flowControl, version: 'v1', resource: 'prioritylevelconfigurations' },
    'PriorityLevelConfiguration',
    {
      spec: {
        type: 'Limited',
        limited: { nominalConcurrencyShares: 1_000, limitResponse: { type: 'Reject' } },
      },
    },
  ),
  kind({ group: flowControl, version: 'v1', resource: 'flowschemas' }, 'FlowSchema', {
    spec: {
      matchingPrecedence: 2,
      priorityLevelConfiguration: { name: 'hostile' },
      rules: [
        {
          subjects: [{ kind: 'Group', group: { name: 'system:authenticated' } }],
          nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
        },
      ],
    },
  }),
  kind({ group: '', version: 'v1', resource: 'persistentvolumes' }, 'PersistentVolume', {
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/etc' } },
  }),
] as const;

/**
 * An object that claims, in every mark that the federation knows, to be the victim's. `owner` lies beside it: of one that is
 * not there the garbage collector makes short work.
 */
export function forged(victim: KubeObject, victimId: string, owner: KubeObject): KubeObject {
  const { annotations = {}, namespace } = victim.metadata;
  const { name: ownerName = '', uid = '' } = owner.metadata;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'forged',
      labels: { [copyLabels.originCluster]: victimId, [copyLabels.originControlPlane]: 'other' },
      annotations: {
        ...Object.fromEntries(Object.entries(annotations).filter(([key]) => key.includes('cellplane'))),
        [copyAnnotations.originNamespace]: namespace ?? '',
        [copyAnnotations.conflictResolution]: 'Overwrite',
        [copyAnnotations.suspend]: 'true',
        [copyAnnotations.deletionPolicy]: 'Orphan',
        [copyAnnotations.contentHash]: 'x',
      },
      ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: ownerName, uid }],
      finalizers: [edgeFinalizer],
    },
    data: { whose: 'mallory' },
  };
}

/** OverridePolicies that try to change what a copy is, each for the ConfigMap of the name that it is given. */
export function hostileOverrides(victim: KubeObject, victimId: string): ((name: string) => KubeObject)[] {
  const pointer = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');
  const overrides: JsonObject[] = [
    { path: '/metadata/namespace', operator: 'replace', value: victim.metadata.namespace ?? '' },
    { path: '/metadata/name', operator: 'replace', value: 'crown' },
    { path: '/kind', operator: 'replace', value: 'Secret' },
    { path: '/apiVersion', operator: 'replace', value: 'rbac.authorization.k8s.io/v1' },
    { path: '/metadata/uid', operator: 'add', value: victim.metadata.uid ?? '' },
    { path: `/metadata/labels/${pointer(copyLabels.originCluster)}`, operator: 'replace', value: victimId },
    {
      path: `/metadata/annotations/${pointer(copyAnnotations.originPath)}`,
      operator: 'replace',
      value: 'root:globex:shop',
    },
    {
      path: `/metadata/annotations/${pointer(copyAnnotations.conflictResolution)}`,
      operator: 'add',
      value: 'Overwrite',
    },
    {
      path: '/metadata/ownerReferences',
      operator: 'add',
      value: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'crown', uid: victim.metadata.uid ?? '' }],
    },
    {
      path: '/metadata',
      operator: 'replace',
      value: { name: 'crown', namespace: victim.metadata.namespace ?? '' },
    },
    { path: '', operator: 'replace', value: victim as unknown as JsonObject },
    { path: '/__proto__/polluted', operator: 'add', value: 'yes' },
    { path: '/constructor/prototype/polluted', operator: 'add', value: 'yes' },
  ];
  return overrides.map((override) => (name) => ({
    apiVersion: 'policy.karmada.io/v1alpha1',
    kind: 'OverridePolicy',
    metadata: { name, namespace: 'default' },
    spec: {
      resourceSelectors: [{ apiVersion: 'v1', kind: 'ConfigMap', name }],
      overrideRules: [{ overriders: { plaintext: [override] } }],
    },
  }));
}
