import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { ago, cells, served } from './testing/cells.ts';

test('cells of built-in kinds (source: Kubernetes pkg/printers/internalversion)', () => {
  const container = { name: 'c', image: 'i:1' };
  const rows: [string, string, JsonObject, { [column: string]: JsonValue }, string?][] = [
    [
      'apps',
      'deployments',
      {
        spec: {
          replicas: 3,
          selector: { matchLabels: { b: '1', a: '2' } },
          template: { spec: { containers: [container, container] } },
        },
        status: { readyReplicas: 1, updatedReplicas: 2 },
      },
      {
        Ready: '1/3',
        'Up-to-date': 2,
        Available: 0,
        Containers: 'c,c',
        Images: 'i:1,i:1',
        Selector: 'a=2,b=1',
      },
    ],
    [
      'apps',
      'replicasets',
      {
        spec: {
          replicas: 0,
          selector: {
            matchExpressions: [
              { key: 'a', operator: 'In', values: ['y', 'x'] },
              { key: 'b', operator: 'DoesNotExist' },
            ],
          },
        },
      },
      { Desired: 0, Current: 0, Ready: 0, Containers: '', Images: '', Selector: 'a in (x,y),!b' },
    ],
    [
      'apps',
      'statefulsets',
      { spec: { replicas: 2 }, status: { readyReplicas: 2 } },
      { Ready: '2/2', Containers: '', Images: '' },
    ],
    [
      'apps',
      'daemonsets',
      {
        spec: { selector: {}, template: { spec: { nodeSelector: { k: 'v' } } } },
        status: { desiredNumberScheduled: 4, numberReady: 3 },
      },
      {
        Desired: 4,
        Current: 0,
        Ready: 3,
        'Up-to-date': 0,
        Available: 0,
        'Node Selector': 'k=v',
        Containers: '',
        Images: '',
        Selector: '<none>',
      },
    ],
    [
      'apps',
      'controllerrevisions',
      {
        metadata: {
          name: 'x',
          creationTimestamp: ago(90),
          ownerReferences: [
            { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 's', uid: 'u', controller: true },
          ],
        },
        revision: 4,
      },
      { Controller: 'statefulset.apps/s', Revision: 4 },
    ],
    [
      'batch',
      'jobs',
      {
        spec: { completions: 2 },
        status: {
          succeeded: 2,
          startTime: ago(100),
          completionTime: ago(40),
          conditions: [{ type: 'Complete', status: 'True' }],
        },
      },
      {
        Status: 'Complete',
        Completions: '2/2',
        Duration: '60s',
        Containers: '',
        Images: '',
        Selector: '<none>',
      },
    ],
    [
      'batch',
      'jobs',
      { spec: { parallelism: 3 } },
      {
        Status: 'Running',
        Completions: '0/1 of 3',
        Duration: '',
        Containers: '',
        Images: '',
        Selector: '<none>',
      },
    ],
    [
      'batch',
      'cronjobs',
      {
        spec: {
          schedule: '* * * * *',
          suspend: false,
          jobTemplate: { spec: { template: { spec: { containers: [container] } } } },
        },
        status: { active: [{}], lastScheduleTime: ago(30) },
      },
      {
        Schedule: '* * * * *',
        Timezone: '<none>',
        Suspend: 'False',
        Active: 1,
        'Last Schedule': '30s',
        Containers: 'c',
        Images: 'i:1',
        Selector: '<none>',
      },
    ],
    [
      '',
      'services',
      {
        spec: {
          type: 'NodePort',
          clusterIPs: ['10.0.0.1'],
          ports: [
            { port: 80, nodePort: 30080, protocol: 'TCP' },
            { port: 53, protocol: 'UDP' },
          ],
          selector: { a: 'b' },
        },
      },
      {
        Type: 'NodePort',
        'Cluster-IP': '10.0.0.1',
        'External-IP': '<none>',
        'Port(s)': '80:30080/TCP,53/UDP',
        Selector: 'a=b',
      },
    ],
    [
      '',
      'services',
      {
        spec: { type: 'LoadBalancer', externalIPs: ['9.9.9.9'] },
        status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }, { hostname: 'h' }] } },
      },
      {
        Type: 'LoadBalancer',
        'Cluster-IP': '<none>',
        'External-IP': '1.2.3.4,h,9.9.9.9',
        'Port(s)': '<none>',
        Selector: '<none>',
      },
    ],
    [
      '',
      'services',
      { spec: { type: 'LoadBalancer' } },
      {
        Type: 'LoadBalancer',
        'Cluster-IP': '<none>',
        'External-IP': '<pending>',
        'Port(s)': '<none>',
        Selector: '<none>',
      },
    ],
    [
      '',
      'services',
      { spec: { type: 'ExternalName', externalName: 'e.x' } },
      {
        Type: 'ExternalName',
        'Cluster-IP': '<none>',
        'External-IP': 'e.x',
        'Port(s)': '<none>',
        Selector: '<none>',
      },
    ],
    [
      '',
      'endpoints',
      { subsets: [{ addresses: [{ ip: '1.1.1.1' }, { ip: '::1' }], ports: [{ port: 1 }, { port: 2 }] }] },
      { Endpoints: '1.1.1.1:1,[::1]:1,1.1.1.1:2 + 1 more...' },
    ],
    ['', 'endpoints', {}, { Endpoints: '<none>' }],
    [
      'discovery.k8s.io',
      'endpointslices',
      {
        addressType: 'IPv4',
        ports: [{ name: 'a', port: 1 }, { name: 'b' }, {}],
        endpoints: [{ addresses: ['1', '2'] }, { addresses: ['3', '4'] }],
      },
      { AddressType: 'IPv4', Ports: '1,b,*', Endpoints: '1,2,3 + 1 more...' },
    ],
    [
      'discovery.k8s.io',
      'endpointslices',
      { addressType: 'IPv6', endpoints: [] },
      { AddressType: 'IPv6', Ports: '<unset>', Endpoints: '<unset>' },
    ],
    ['', 'namespaces', { status: { phase: 'Active' } }, { Status: 'Active' }],
    ['', 'secrets', { type: 'Opaque', data: { a: '', b: '' } }, { Type: 'Opaque', Data: 2 }],
    ['', 'configmaps', { data: { a: '' }, binaryData: { b: '' } }, { Data: 2 }],
    ['', 'serviceaccounts', {}, {}],
    ['', 'limitranges', {}, { 'Created At': ago(90) }],
    ['rbac.authorization.k8s.io', 'roles', {}, { 'Created At': ago(90) }],
    ['apiextensions.k8s.io', 'customresourcedefinitions', {}, { 'Created At': ago(90) }],
    [
      'rbac.authorization.k8s.io',
      'rolebindings',
      {
        roleRef: { kind: 'Role', name: 'r' },
        subjects: [
          { kind: 'User', name: 'u' },
          { kind: 'ServiceAccount', namespace: 'n', name: 's' },
          { kind: 'User', name: 'w' },
        ],
      },
      { Role: 'Role/r', Users: 'u, w', Groups: '', ServiceAccounts: 'n/s' },
    ],
    [
      '',
      'nodes',
      {
        metadata: {
          name: 'x',
          creationTimestamp: ago(90),
          labels: { 'node-role.kubernetes.io/worker': '', 'kubernetes.io/role': 'a' },
        },
        spec: { unschedulable: true },
        status: {
          conditions: [{ type: 'Ready', status: 'False' }],
          addresses: [{ type: 'InternalIP', address: '1' }],
          nodeInfo: { kubeletVersion: 'v1', kernelVersion: 'k', architecture: 'arm' },
        },
      },
      {
        Status: 'NotReady,SchedulingDisabled',
        Roles: 'a,worker',
        Version: 'v1',
        'Internal-IP': '1',
        'External-IP': '<none>',
        'OS-Image': '<unknown>',
        'Kernel-Version': 'k (arm)',
        'Container-Runtime': '<unknown>',
      },
    ],
    [
      '',
      'persistentvolumes',
      {
        spec: {
          capacity: { storage: '5Gi' },
          accessModes: ['ReadWriteMany', 'ReadWriteOnce'],
          persistentVolumeReclaimPolicy: 'Retain',
          claimRef: { namespace: 'n', name: 'c' },
          storageClassName: 's',
          volumeMode: 'Block',
        },
        status: { phase: 'Bound' },
      },
      {
        Capacity: '5Gi',
        'Access Modes': 'RWO,RWX',
        'Reclaim Policy': 'Retain',
        Status: 'Bound',
        Claim: 'n/c',
        StorageClass: 's',
        VolumeAttributesClass: '<unset>',
        Reason: '',
        VolumeMode: 'Block',
      },
    ],
    [
      '',
      'persistentvolumeclaims',
      {
        spec: { volumeName: 'v', storageClassName: 's' },
        status: { phase: 'Bound', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOncePod'] },
      },
      {
        Status: 'Bound',
        Volume: 'v',
        Capacity: '1Gi',
        'Access Modes': 'RWOP',
        StorageClass: 's',
        VolumeAttributesClass: '<unset>',
        VolumeMode: '<unset>',
      },
    ],
    [
      'networking.k8s.io',
      'ingresses',
      {
        spec: {
          ingressClassName: 'i',
          rules: [{ host: 'a' }, { host: 'b' }, { host: 'c' }, { host: 'd' }],
          tls: [{}],
        },
        status: { loadBalancer: { ingress: [{ ip: '2' }] } },
      },
      { Class: 'i', Hosts: 'a,b,c + 1 more...', Address: '2', Ports: '80, 443' },
    ],
    [
      'networking.k8s.io',
      'ingressclasses',
      {
        metadata: {
          name: 'x',
          creationTimestamp: ago(90),
          annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' },
        },
        spec: { controller: 'c', parameters: { apiGroup: 'g', kind: 'K', name: 'n' } },
      },
      { Controller: 'c', Parameters: 'K.g/n' },
    ],
    ['networking.k8s.io', 'networkpolicies', { spec: { podSelector: {} } }, { 'Pod-Selector': '<none>' }],
    [
      'policy',
      'poddisruptionbudgets',
      { spec: { maxUnavailable: '10%' }, status: { disruptionsAllowed: 1 } },
      { 'Min Available': 'N/A', 'Max Unavailable': '10%', 'Allowed Disruptions': 1 },
    ],
    ['coordination.k8s.io', 'leases', { spec: { holderIdentity: 'me' } }, { Holder: 'me' }],
    [
      'storage.k8s.io',
      'storageclasses',
      { provisioner: 'p' },
      {
        Provisioner: 'p',
        ReclaimPolicy: 'Delete',
        VolumeBindingMode: 'Immediate',
        AllowVolumeExpansion: false,
      },
    ],
    [
      '',
      'resourcequotas',
      { status: { hard: { 'limits.cpu': '2', pods: '3' }, used: { pods: '1' } } },
      { Request: 'pods: 1/3', Limit: 'limits.cpu: 0/2' },
    ],
    [
      'certificates.k8s.io',
      'certificatesigningrequests',
      {
        spec: { signerName: 's', username: 'u', expirationSeconds: 3600 },
        status: { conditions: [{ type: 'Approved' }], certificate: 'eA==' },
      },
      { SignerName: 's', Requestor: 'u', RequestedDuration: '60m', Condition: 'Approved,Issued' },
    ],
    [
      'admissionregistration.k8s.io',
      'validatingadmissionpolicies',
      { spec: { validations: [{}, {}], paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } } },
      { Validations: 2, ParamKind: 'v1/ConfigMap' },
    ],
    [
      'admissionregistration.k8s.io',
      'validatingadmissionpolicybindings',
      { spec: { policyName: 'p', paramRef: { name: 'q' } } },
      { PolicyName: 'p', ParamRef: '*/q' },
    ],
    ['admissionregistration.k8s.io', 'mutatingwebhookconfigurations', { webhooks: [{}] }, { Webhooks: 1 }],
    [
      'apiregistration.k8s.io',
      'apiservices',
      {
        spec: { service: { namespace: 'n', name: 's' } },
        status: { conditions: [{ type: 'Available', status: 'False', reason: 'Gone' }] },
      },
      { Service: 'n/s', Available: 'False (Gone)' },
    ],
    [
      'scheduling.k8s.io',
      'priorityclasses',
      { value: -5 },
      { Value: -5, 'Global-Default': false, PreemptionPolicy: '' },
    ],
    [
      'flowcontrol.apiserver.k8s.io',
      'flowschemas',
      { spec: { priorityLevelConfiguration: { name: 'p' }, matchingPrecedence: 5 } },
      { PriorityLevel: 'p', MatchingPrecedence: 5, DistinguisherMethod: '<none>', MissingPL: '?' },
    ],
    [
      'autoscaling',
      'horizontalpodautoscalers',
      {
        apiVersion: 'autoscaling/v2',
        spec: {
          scaleTargetRef: { kind: 'Deployment', name: 'd' },
          maxReplicas: 5,
          metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { averageUtilization: 80 } } }],
        },
        status: {
          currentMetrics: [
            { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 12 } } },
          ],
        },
      },
      { Reference: 'Deployment/d', Targets: 'cpu: 12%/80%', MinPods: '<unset>', MaxPods: 5, Replicas: 0 },
    ],
    [
      'autoscaling',
      'horizontalpodautoscalers',
      {
        apiVersion: 'autoscaling/v1',
        spec: {
          scaleTargetRef: { kind: 'Deployment', name: 'd' },
          minReplicas: 1,
          maxReplicas: 5,
          targetCPUUtilizationPercentage: 50,
        },
      },
      { Reference: 'Deployment/d', Targets: 'cpu: <unknown>/50%', MinPods: '1', MaxPods: 5, Replicas: 0 },
      'v1',
    ],
    [
      'events.k8s.io',
      'events',
      {
        apiVersion: 'events.k8s.io/v1',
        eventTime: ago(10),
        type: 'Normal',
        reason: 'R',
        note: ' n ',
        regarding: { kind: 'Pod', name: 'p' },
        reportingController: 'c',
        reportingInstance: 'i',
      },
      {
        'Last Seen': '10s',
        Type: 'Normal',
        Reason: 'R',
        Object: 'pod/p',
        Subobject: '',
        Source: 'c, i',
        Message: 'n',
        'First Seen': '10s',
        Count: 1,
      },
    ],
  ];
  for (const [group, resource, object, expected, version] of rows) {
    assert.deepEqual(cells(served(group, resource, version), object), expected, `${resource}.${group}`);
  }
});
