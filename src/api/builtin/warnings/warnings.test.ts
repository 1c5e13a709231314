import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { kindWarnings } from './warnings.ts';

/** Resource, the object beside its name, what it replaces (or null), what a kube-apiserver 1.36 answers in Warning headers. */
type Row = readonly [
  resource: string,
  object: JsonObject,
  old: JsonObject | null,
  warnings: readonly string[],
];

function named(object: JsonObject, generation: number): KubeObject {
  const metadata = { name: 'x', generation, ...(object['metadata'] as JsonObject | undefined) };
  return { ...object, metadata } as KubeObject;
}

const container = { name: 'c', image: 'i' };
const ofPod = (spec: JsonObject): JsonObject => ({ spec: { containers: [container], ...spec } });
const withContainer = (more: JsonObject): JsonObject => ({
  spec: { containers: [{ ...container, ...more }] },
});
const required = 'requiredDuringSchedulingIgnoredDuringExecution';
const preferred = 'preferredDuringSchedulingIgnoredDuringExecution';
const port = (more: JsonObject): JsonObject => ({ containerPort: 80, protocol: 'TCP', ...more });

const rows: readonly Row[] = [
  // pkg/api/pod/warnings.go
  ['pods', ofPod({}), null, []],
  [
    'pods',
    { metadata: { name: 'a.b' }, ...ofPod({}) },
    null,
    [
      "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]",
    ],
  ],
  ['pods', ofPod({ imagePullSecrets: [{}] }), ofPod({}), []],
  [
    'pods',
    ofPod({ imagePullSecrets: [{}, { name: 'a' }, { name: 'a' }] }),
    null,
    [
      'spec.imagePullSecrets[2].name: duplicate name "a"',
      'spec.imagePullSecrets[0].name: invalid empty name ""',
    ],
  ],
  [
    'pods',
    withContainer({
      env: [
        { name: 'A', value: '1' },
        { name: 'A', value: '$(A)2' },
        { name: 'A', value: '3' },
      ],
    }),
    null,
    ['spec.containers[0].env[2]: hides previous definition of "A", which may be dropped when using apply'],
  ],
  [
    'pods',
    withContainer({
      ports: [port({ name: 'p' }), port({}), port({ hostPort: 8 }), port({ hostIP: '10.0.0.1' })],
    }),
    null,
    [
      'spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]',
      'spec.containers[0].ports[2]: overlapping port definition with spec.containers[0].ports[0]',
      'spec.containers[0].ports[2]: overlapping port definition with spec.containers[0].ports[1]',
      'spec.containers[0].ports[3]: hostIP set without hostPort: {Name: HostPort:0 ContainerPort:80 Protocol:TCP HostIP:10.0.0.1}',
      'spec.containers[0].ports[3]: overlapping port definition with spec.containers[0].ports[0]',
      'spec.containers[0].ports[3]: overlapping port definition with spec.containers[0].ports[1]',
      'spec.containers[0].ports[3]: overlapping port definition with spec.containers[0].ports[2]',
    ],
  ],
  [
    'pods',
    {
      spec: {
        initContainers: [{ ...container, name: 'i', ports: [port({ name: 'web' })] }],
        containers: [{ ...container, ports: [{ containerPort: 81, protocol: 'TCP', name: 'web' }] }],
      },
    },
    null,
    [
      'spec.containers[0].ports[0]: duplicate port name "web" with spec.initContainers[0].ports[0], services and probes that select ports by name will use spec.initContainers[0].ports[0]',
    ],
  ],
  [
    'pods',
    withContainer({ resources: { limits: { memory: '1500m' }, requests: { memory: '1Gi' } } }),
    null,
    [
      'spec.containers[0].resources.limits[memory]: fractional byte value "1500m" is invalid, must be an integer',
    ],
  ],
  [
    'pods',
    ofPod({ nodeSelector: { 'beta.kubernetes.io/os': 'linux' }, terminationGracePeriodSeconds: -1 }),
    null,
    [
      'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
      'spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1',
    ],
  ],
  [
    'pods',
    ofPod({
      affinity: {
        nodeAffinity: {
          [preferred]: [
            { weight: 1, preference: { matchExpressions: [{ key: 'a', operator: 'In', values: ['b c'] }] } },
          ],
        },
        podAffinity: { [required]: [{ topologyKey: 'z' }] },
        podAntiAffinity: { [preferred]: [{ weight: 1, podAffinityTerm: { topologyKey: 'z' } }] },
      },
    }),
    null,
    [
      `spec.affinity.nodeAffinity.${preferred}[0].preference.matchExpressions[0].values[0]: b c is invalid, a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
      `spec.affinity.podAffinity.${required}[0].labelSelector: a null labelSelector results in matching no pod`,
      `spec.affinity.podAntiAffinity.${preferred}[0].podAffinityTerm.labelSelector: a null labelSelector results in matching no pod`,
    ],
  ],
  [
    'pods',
    ofPod({
      volumes: [
        { name: 'g', gitRepo: { repository: 'r' } },
        { name: 'm', configMap: { name: 'm', items: [{ path: 'a' }, { path: 'a/b' }] } },
        {
          name: 'p',
          projected: {
            sources: [
              { secret: { name: 's', items: [{ path: 'x' }] } },
              { serviceAccountToken: { path: 'x' } },
            ],
          },
        },
      ],
    }),
    null,
    [
      'spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+',
      'volume "m" (ConfigMap "m"): overlapping paths: "a/b" with "a"',
      'volume "p" (Projected): overlapping paths: "x" (ServiceAccountToken) with "x" (Secret "s")',
    ],
  ],
  // pkg/registry/apps, batch: a template is looked at when the generation rose
  [
    'deployments.apps',
    {
      metadata: { generation: 2 },
      spec: { template: { metadata: { annotations: { 'scheduler.alpha.kubernetes.io/critical-pod': '' } } } },
    },
    {},
    [
      'spec.template.metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the "priorityClassName" field instead',
    ],
  ],
  ['deployments.apps', { spec: { template: { spec: { imagePullSecrets: [{}] } } } }, {}, []],
  [
    'statefulsets.apps',
    { spec: { revisionHistoryLimit: -1 } },
    {},
    [
      'spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended',
    ],
  ],
  // pkg/api/service/warnings.go
  [
    'services',
    { spec: { type: 'ClusterIP', clusterIP: 'None', externalIPs: ['1.2.3.4'], sessionAffinity: 'ClientIP' } },
    null,
    [
      'spec.externalIPs is ignored for headless services',
      'spec.SessionAffinity is ignored for headless services',
    ],
  ],
  [
    'services',
    {
      spec: {
        type: 'LoadBalancer',
        externalIPs: ['2001:DB8::1'],
        externalName: 'a',
        loadBalancerSourceRanges: ['10.1.2.3/16'],
        trafficDistribution: 'PreferClose',
      },
    },
    null,
    [
      'spec.externalIPs[0]: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")',
      'spec.externalIPs is deprecated and may no longer be implemented in some clusters',
      'spec.loadBalancerSourceRanges[0]: CIDR value "10.1.2.3/16" is ambiguous in this context (should be "10.1.0.0/16" or "10.1.2.3/32"?)',
      'spec.externalName is ignored when spec.type is not "ExternalName"',
      'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
    ],
  ],
  // pkg/registry/networking/ingress
  [
    'ingresses.networking.k8s.io',
    { metadata: { annotations: { 'kubernetes.io/ingress.class': 'x' } }, spec: {} },
    null,
    ['annotation "kubernetes.io/ingress.class" is deprecated, please use \'spec.ingressClassName\' instead'],
  ],
  // pkg/registry/core/secret
  [
    'secrets',
    { type: 'kubernetes.io/tls', data: { 'tls.crt': '', 'tls.key': '' } },
    null,
    ['tls: failed to find any PEM data in certificate input'],
  ],
  // pkg/api/persistentvolume
  [
    'persistentvolumes',
    { spec: { persistentVolumeReclaimPolicy: 'Recycle', rbd: {} } },
    null,
    [
      'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
      'spec.rbd: deprecated in v1.28, non-functional in v1.31+',
    ],
  ],
  [
    'persistentvolumeclaims',
    { spec: { resources: { requests: { storage: '1500m' } } } },
    null,
    ['spec.resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer'],
  ],
  // pkg/registry/core/resourcequota
  [
    'resourcequotas',
    { spec: { hard: { cpu: '2', 'limits.cpu': '1' } } },
    null,
    ['ResourceQuota cpu (2) should be less than limits.cpu (1)'],
  ],
];

test('writers are told what a Kubernetes server tells them (C11)', () => {
  for (const [resource, object, old, expected] of rows) {
    const warn = kindWarnings[resource]!;
    const before = old === null ? undefined : named(old, 1);
    assert.deepEqual(warn(named(object, 1), before), expected, `${resource} ${JSON.stringify(object)}`);
  }
});
