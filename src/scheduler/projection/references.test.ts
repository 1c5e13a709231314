import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { readPointer } from './json-pointer.ts';
import {
  admission,
  affinityAt,
  gateway,
  mapper,
  ns,
  object,
  pod,
  projectLabels,
  rbac,
  rendered,
  term,
} from './testing/render.ts';

/** Each row: what lies at a pointer before, and what the copy has there. `undefined`: nothing. */
interface Row {
  readonly what: string;
  readonly resource: string;
  readonly object: JsonObject;
  readonly at: string;
  readonly want: JsonValue | undefined;
  readonly owns?: string;
}

const rows: Row[] = [
  {
    what: 'names in the pod’s own namespace stay',
    resource: 'deployments',
    object: pod({
      serviceAccountName: 'app',
      imagePullSecrets: [{ name: 'pull' }],
      volumes: [{ name: 'v', secret: { secretName: 's' } }],
    }),
    at: '/spec/template/spec/serviceAccountName',
    want: 'app',
  },
  {
    what: 'affinity namespaces',
    resource: 'deployments',
    object: pod(term({ namespaces: ['other'] })),
    at: `${affinityAt}/namespaces`,
    want: [ns('other')],
  },
  {
    what: 'an empty namespaceSelector means the project',
    resource: 'deployments',
    object: pod(term({ namespaceSelector: {} })),
    at: `${affinityAt}/namespaceSelector`,
    want: { matchLabels: projectLabels },
  },
  {
    what: 'no namespaceSelector stays none',
    resource: 'deployments',
    object: pod(term({ topologyKey: 'z' })),
    at: `${affinityAt}/namespaceSelector`,
    want: undefined,
  },
  {
    what: 'a platform class that the project does not have',
    resource: 'deployments',
    object: pod({ priorityClassName: 'high' }),
    at: '/spec/template/spec/priorityClassName',
    want: 'high',
  },
  {
    what: 'a platform class of the project',
    resource: 'deployments',
    object: pod({ priorityClassName: 'high' }),
    owns: 'scheduling.k8s.io/priorityclasses/high',
    at: '/spec/template/spec/priorityClassName',
    want: mapper.clusterScoped('scheduling.k8s.io', 'priorityclasses', 'high'),
  },
  {
    what: 'metadata.name in a namespaceSelector is the mapped name',
    resource: 'networkpolicies',
    object: object('networking.k8s.io/v1', 'NetworkPolicy', {
      spec: {
        ingress: [
          {
            from: [
              {
                namespaceSelector: {
                  matchLabels: { 'kubernetes.io/metadata.name': 'api' },
                  matchExpressions: [{ key: 'a', operator: 'Exists' }],
                },
              },
            ],
          },
        ],
      },
    }),
    at: '/spec/ingress/0/from/0/namespaceSelector',
    want: {
      matchLabels: { 'kubernetes.io/metadata.name': ns('api'), ...projectLabels },
      matchExpressions: [{ key: 'a', operator: 'Exists' }],
    },
  },
  {
    what: 'RoleBinding subjects',
    resource: 'rolebindings',
    object: object(rbac, 'RoleBinding', {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
      subjects: [
        { kind: 'ServiceAccount', name: 'a', namespace: 'api' },
        { kind: 'User', name: 'system:serviceaccount:api:a' },
        { kind: 'Group', name: 'system:serviceaccounts:api' },
        { kind: 'User', name: 'jane' },
      ],
    }),
    at: '/subjects',
    want: [
      { kind: 'ServiceAccount', name: 'a', namespace: ns('api') },
      { kind: 'User', name: `system:serviceaccount:${ns('api')}:a` },
      { kind: 'Group', name: `system:serviceaccounts:${ns('api')}` },
      { kind: 'User', name: 'jane' },
    ],
  },
  {
    what: 'webhooks are confined',
    resource: 'validatingwebhookconfigurations',
    object: object(
      admission,
      'ValidatingWebhookConfiguration',
      {
        webhooks: [
          {
            name: 'w',
            clientConfig: { service: { name: 's', namespace: 'api' } },
            rules: [{ operations: ['*'], scope: '*' }],
          },
        ],
      },
      null,
    ),
    at: '/webhooks/0',
    want: {
      name: 'w',
      clientConfig: { service: { name: 's', namespace: ns('api') } },
      rules: [{ operations: ['*'], scope: 'Namespaced' }],
      namespaceSelector: { matchLabels: projectLabels },
    },
  },
  {
    what: 'a policy binding names the project’s policy and is confined',
    resource: 'validatingadmissionpolicybindings',
    object: object(
      admission,
      'ValidatingAdmissionPolicyBinding',
      { spec: { policyName: 'p', paramRef: { namespace: 'api', name: 'x' } } },
      null,
    ),
    at: '/spec/policyName',
    want: mapper.clusterScoped('admissionregistration.k8s.io', 'validatingadmissionpolicies', 'p'),
  },
  {
    what: 'a claim of a volume',
    resource: 'persistentvolumes',
    object: object(
      'v1',
      'PersistentVolume',
      { spec: { claimRef: { namespace: 'api', name: 'c', uid: 'u' } } },
      null,
    ),
    at: '/spec/claimRef',
    want: { namespace: ns('api'), name: 'c' },
  },
  {
    what: 'routes: parents and backends in other namespaces, local ones stay',
    resource: 'httproutes',
    object: object(gateway, 'HTTPRoute', {
      spec: {
        parentRefs: [{ name: 'g', namespace: 'infra' }],
        rules: [{ backendRefs: [{ name: 's' }, { name: 't', namespace: 'api' }] }],
      },
    }),
    at: '/spec',
    want: {
      parentRefs: [{ name: 'g', namespace: ns('infra') }],
      rules: [{ backendRefs: [{ name: 's' }, { name: 't', namespace: ns('api') }] }],
    },
  },
  {
    what: 'a gateway open to all is open to the project',
    resource: 'gateways',
    object: object(gateway, 'Gateway', {
      spec: { listeners: [{ name: 'l', allowedRoutes: { namespaces: { from: 'All' } } }] },
    }),
    at: '/spec/listeners/0/allowedRoutes/namespaces',
    want: { from: 'Selector', selector: { matchLabels: projectLabels } },
  },
  {
    what: 'a GatewayClass of the project',
    resource: 'gateways',
    object: object(gateway, 'Gateway', { spec: { gatewayClassName: 'mine' } }),
    owns: 'gateway.networking.k8s.io/gatewayclasses/mine',
    at: '/spec/gatewayClassName',
    want: mapper.clusterScoped('gateway.networking.k8s.io', 'gatewayclasses', 'mine'),
  },
  {
    what: 'ReferenceGrant',
    resource: 'referencegrants',
    object: object('gateway.networking.k8s.io/v1beta1', 'ReferenceGrant', {
      spec: { from: [{ group: '', kind: 'X', namespace: 'api' }] },
    }),
    at: '/spec/from/0/namespace',
    want: ns('api'),
  },
  {
    what: 'a namespaced issuer stays',
    resource: 'certificates',
    object: object('cert-manager.io/v1', 'Certificate', {
      spec: { issuerRef: { kind: 'Issuer', name: 'i' } },
    }),
    owns: 'cert-manager.io/clusterissuers/i',
    at: '/spec/issuerRef/name',
    want: 'i',
  },
  {
    what: 'a default class is no default at the edge',
    resource: 'storageclasses',
    object: {
      ...object('storage.k8s.io/v1', 'StorageClass', {}, null),
      metadata: { name: 'x', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    },
    at: '/metadata/annotations/storageclass.kubernetes.io~1is-default-class',
    want: undefined,
  },
  {
    what: 'allocated addresses and ports of a Service go',
    resource: 'services',
    object: object('v1', 'Service', {
      spec: {
        type: 'NodePort',
        clusterIP: '10.0.0.1',
        clusterIPs: ['10.0.0.1'],
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
        ports: [{ port: 80, nodePort: 30001 }],
      },
    }),
    at: '/spec',
    want: { type: 'NodePort', ports: [{ port: 80 }] },
  },
  {
    what: 'a headless Service stays headless',
    resource: 'services',
    object: object('v1', 'Service', { spec: { clusterIP: 'None', clusterIPs: ['None'], ports: [] } }),
    at: '/spec',
    want: { clusterIP: 'None', ports: [] },
  },
  {
    what: 'what the server made of a Job goes',
    resource: 'jobs',
    object: object('batch/v1', 'Job', {
      spec: {
        selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': 'u' } },
        template: { metadata: { labels: { app: 'a', 'controller-uid': 'u', 'job-name': 'x' } }, spec: {} },
      },
    }),
    at: '/spec',
    want: { template: { metadata: { labels: { app: 'a' } }, spec: {} } },
  },
];

for (const row of rows) {
  test(`references: ${row.what}`, () => {
    const owns = (group: string, resource: string, name: string): boolean =>
      `${group}/${resource}/${name}` === row.owns;
    const copy = rendered(row.object as KubeObject, { resource: row.resource, owns });
    assert.deepEqual(readPointer(copy, row.at), row.want);
  });
}
