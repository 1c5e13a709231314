import type { JsonObject } from '#apimachinery/json.ts';

/** A protobuf body in base64, and the object in JSON that it stands for. */
export interface ProtobufVector {
  readonly base64: string;
  readonly object: JsonObject;
}

/** Bodies that kubectl 1.33 sent, by request. */
export const kubectlBodies: { readonly [request: string]: ProtobufVector } = {
  'POST /api/v1/namespaces/default/configmaps cm1': {
    base64: 'azhzAAoPCgJ2MRIJQ29uZmlnTWFwEigKEwoDY20xEgAaACIAKgAyADgAQgASBgoBYRIBMRIJCgFiEgR6d2VpGgAiAA==',
    object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'cm1' }, data: { a: '1', b: 'zwei' } },
  },
  'POST /api/v1/namespaces/default/secrets s1': {
    base64: 'azhzAAoMCgJ2MRIGU2VjcmV0EiMKEgoCczESABoAIgAqADIAOABCABILCgFwEgZnZWhlaW0aABoAIgA=',
    object: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's1' }, data: { p: 'Z2VoZWlt' } },
  },
  'POST /api/v1/namespaces/default/secrets r1': {
    base64:
      'azhzAAoMCgJ2MRIGU2VjcmV0EqIBChIKAnIxEgAaACIAKgAyADgAQgASbAoRLmRvY2tlcmNvbmZpZ2pzb24SV3siYXV0aHMiOnsiaHR0cHM6Ly9pbmRleC5kb2NrZXIuaW8vdjEvIjp7InVzZXJuYW1lIjoidSIsInBhc3N3b3JkIjoicCIsImF1dGgiOiJkVHB3In19fRoea3ViZXJuZXRlcy5pby9kb2NrZXJjb25maWdqc29uGgAiAA==',
    object: {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'r1' },
      data: {
        '.dockerconfigjson':
          'eyJhdXRocyI6eyJodHRwczovL2luZGV4LmRvY2tlci5pby92MS8iOnsidXNlcm5hbWUiOiJ1IiwicGFzc3dvcmQiOiJwIiwiYXV0aCI6ImRUcHcifX19',
      },
      type: 'kubernetes.io/dockerconfigjson',
    },
  },
  'POST /api/v1/namespaces ns1': {
    base64: 'azhzAAoPCgJ2MRIJTmFtZXNwYWNlEhsKEwoDbnMxEgAaACIAKgAyADgAQgASABoCCgAaACIA',
    object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ns1' }, spec: {}, status: {} },
  },
  'POST /apis/apps/v1/namespaces/default/deployments d1': {
    base64:
      'azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50ErQBCh0KAmQxEgAaACIAKgAyADgAQgBaCQoDYXBwEgJkMRKEAQgAEgsKCQoDYXBwEgJkMRprChsKABIAGgAiACoAMgA4AEIAWgkKA2FwcBICZDESTBIuCgVuZ2lueBIFbmdpbngqADIKCgAQABhQIgAqAEIAagByAIABAIgBAJABAKIBABoAMgBCAEoAUgBYAGAAaACCAQCKAQCaAQDCAQAiAgoAKAA4ABoMCAAQABgAIAAoADgAGgAiAA==',
    object: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd1', labels: { app: 'd1' } },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: 'd1' } },
        template: {
          metadata: { labels: { app: 'd1' } },
          spec: {
            containers: [{ name: 'nginx', image: 'nginx', ports: [{ containerPort: 80 }], resources: {} }],
          },
        },
        strategy: {},
      },
      status: {},
    },
  },
  'POST /api/v1/namespaces/default/serviceaccounts sa1': {
    base64: 'azhzAAoUCgJ2MRIOU2VydmljZUFjY291bnQSFQoTCgNzYTESABoAIgAqADIAOABCABoAIgA=',
    object: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'sa1' } },
  },
  'POST /api/v1/namespaces/default/serviceaccounts/sa1/token': {
    base64:
      'azhzAAooChhhdXRoZW50aWNhdGlvbi5rOHMuaW8vdjESDFRva2VuUmVxdWVzdBIdChAKABIAGgAiACoAMgA4AEIAEgMg2AQaBAoAEgAaACIA',
    object: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: {},
      spec: { expirationSeconds: 600 },
      status: { token: '' },
    },
  },
  'POST /apis/rbac.authorization.k8s.io/v1/clusterroles r': {
    base64:
      'azhzAAorChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEgtDbHVzdGVyUm9sZRIeChEKAXISABoAIgAqADIAOABCABIJCgNnZXQqAi94GgAiAA==',
    object: {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'r' },
      rules: [{ verbs: ['get'], nonResourceURLs: ['/x'] }],
    },
  },
  'POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings rb': {
    base64:
      'azhzAAorChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEgtSb2xlQmluZGluZxJ+ChIKAnJiEgAaACIAKgAyADgAQgASJgoEVXNlchIZcmJhYy5hdXRob3JpemF0aW9uLms4cy5pbxoBdSIAEhoKDlNlcnZpY2VBY2NvdW50EgAaAnNhIgJucxokChlyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvEgRSb2xlGgFyGgAiAA==',
    object: {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'rb' },
      subjects: [
        { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'u' },
        { kind: 'ServiceAccount', name: 'sa', namespace: 'ns' },
      ],
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
    },
  },
  'POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings crb': {
    base64:
      'azhzAAoyChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEhJDbHVzdGVyUm9sZUJpbmRpbmcSawoTCgNjcmISABoAIgAqADIAOABCABInCgVHcm91cBIZcmJhYy5hdXRob3JpemF0aW9uLms4cy5pbxoBZyIAGisKGXJiYWMuYXV0aG9yaXphdGlvbi5rOHMuaW8SC0NsdXN0ZXJSb2xlGgFyGgAiAA==',
    object: {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'crb' },
      subjects: [{ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'g' }],
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'r' },
    },
  },
  'POST /api/v1/namespaces/default/services svc': {
    base64:
      'azhzAAoNCgJ2MRIHU2VydmljZRJpCh8KA3N2YxIAGgAiACoAMgA4AEIAWgoKA2FwcBIDc3ZjEkIKGwoHODAtODA4MBIDVENQGFAiBwgAEJA/GgAoABIKCgNhcHASA3N2YxoAIglDbHVzdGVySVA6AEIAUgBaAGAAaAAaAgoAGgAiAA==',
    object: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'svc', labels: { app: 'svc' } },
      spec: {
        ports: [{ name: '80-8080', protocol: 'TCP', port: 80, targetPort: 8080 }],
        selector: { app: 'svc' },
        type: 'ClusterIP',
      },
      status: { loadBalancer: {} },
    },
  },
  'POST /api/v1/namespaces/default/services svcn': {
    base64:
      'azhzAAoNCgJ2MRIHU2VydmljZRJuCiEKBHN2Y24SABoAIgAqADIAOABCAFoLCgNhcHASBHN2Y24SRQoeCgc4MC1odHRwEgNUQ1AYUCIKCAEQABoEaHR0cCgAEgsKA2FwcBIEc3ZjbhoAIghOb2RlUG9ydDoAQgBSAFoAYABoABoCCgAaACIA',
    object: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'svcn', labels: { app: 'svcn' } },
      spec: {
        ports: [{ name: '80-http', protocol: 'TCP', port: 80, targetPort: 'http' }],
        selector: { app: 'svcn' },
        type: 'NodePort',
      },
      status: { loadBalancer: {} },
    },
  },
  'POST /api/v1/namespaces/default/resourcequotas q': {
    base64:
      'azhzAAoTCgJ2MRINUmVzb3VyY2VRdW90YRIwChEKAXESABoAIgAqADIAOABCABIZCgoKA2NwdRIDCgExCgsKBHBvZHMSAwoBMhoAGgAiAA==',
    object: {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'q' },
      spec: { hard: { cpu: '1', pods: '2' } },
      status: {},
    },
  },
  'POST /apis/scheduling.k8s.io/v1/priorityclasses pc': {
    base64:
      'azhzAAolChRzY2hlZHVsaW5nLms4cy5pby92MRINUHJpb3JpdHlDbGFzcxIwChIKAnBjEgAaACIAKgAyADgAQgAQABgAIgAqFFByZWVtcHRMb3dlclByaW9yaXR5GgAiAA==',
    object: {
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: 'pc' },
      value: 0,
      preemptionPolicy: 'PreemptLowerPriority',
    },
  },
  'POST /apis/policy/v1/namespaces/default/poddisruptionbudgets pdb': {
    base64:
      'azhzAAogCglwb2xpY3kvdjESE1BvZERpc3J1cHRpb25CdWRnZXQSOAoTCgNwZGISABoAIgAqADIAOABCABIVCgkIARAAGgM1MCUSCAoGCgFhEgFiGgoIABgAIAAoADAAGgAiAA==',
    object: {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'pdb' },
      spec: { minAvailable: '50%', selector: { matchLabels: { a: 'b' } } },
      status: { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
    },
  },
  'POST /apis/policy/v1/namespaces/default/poddisruptionbudgets pdb2': {
    base64:
      'azhzAAogCglwb2xpY3kvdjESE1BvZERpc3J1cHRpb25CdWRnZXQSNgoUCgRwZGIyEgAaACIAKgAyADgAQgASEgoGCAAQABoAEggKBgoBYRIBYhoKCAAYACAAKAAwABoAIgA=',
    object: {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'pdb2' },
      spec: { minAvailable: 0, selector: { matchLabels: { a: 'b' } } },
      status: { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
    },
  },
  'POST /apis/batch/v1/namespaces/default/jobs j': {
    base64:
      'azhzAAoPCghiYXRjaC92MRIDSm9iEoIBChEKAWoSABoAIgAqADIAOABCABJjMmEKEAoAEgAaACIAKgAyADgAQgASTRIqCgFqEgdidXN5Ym94GgVzbGVlcBoBMSoAQgBqAHIAgAEAiAEAkAEAogEAGgVOZXZlcjIAQgBKAFIAWABgAGgAggEAigEAmgEAwgEAGgggACgAMAA6ABoAIgA=',
    object: {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'j' },
      spec: {
        template: {
          metadata: {},
          spec: {
            containers: [{ name: 'j', image: 'busybox', command: ['sleep', '1'], resources: {} }],
            restartPolicy: 'Never',
          },
        },
      },
      status: {},
    },
  },
  'POST /apis/batch/v1/namespaces/default/cronjobs cj': {
    base64:
      'azhzAAoTCghiYXRjaC92MRIHQ3JvbkpvYhKcAQoSCgJjahIAGgAiACoAMgA4AEIAEoMBCgkqICogKiAqICoaACp0ChIKAmNqEgAaACIAKgAyADgAQgASXjJcChAKABIAGgAiACoAMgA4AEIAEkgSIQoCY2oSB2J1c3lib3gqAEIAagByAIABAIgBAJABAKIBABoJT25GYWlsdXJlMgBCAEoAUgBYAGAAaACCAQCKAQCaAQDCAQAaABoAIgA=',
    object: {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'cj' },
      spec: {
        schedule: '* * * * *',
        jobTemplate: {
          metadata: { name: 'cj' },
          spec: {
            template: {
              metadata: {},
              spec: {
                containers: [{ name: 'cj', image: 'busybox', resources: {} }],
                restartPolicy: 'OnFailure',
              },
            },
          },
        },
      },
      status: {},
    },
  },
  'POST /apis/networking.k8s.io/v1/namespaces/default/ingresses ing': {
    base64:
      'azhzAAofChRuZXR3b3JraW5nLms4cy5pby92MRIHSW5ncmVzcxJIChMKA2luZxIAGgAiACoAMgA4AEIAEi0aKwoHZm9vLmNvbRIgCh4KHAoEL2JhchINIgsKA3N2YxIECgAQUBoFRXhhY3QaAgoAGgAiAA==',
    object: {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'ing' },
      spec: {
        rules: [
          {
            host: 'foo.com',
            http: {
              paths: [
                {
                  path: '/bar',
                  backend: { service: { name: 'svc', port: { number: 80 } } },
                  pathType: 'Exact',
                },
              ],
            },
          },
        ],
      },
      status: { loadBalancer: {} },
    },
  },
  'POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews': {
    base64:
      'azhzAAoyChdhdXRob3JpemF0aW9uLms4cy5pby92MRIXU2VsZlN1YmplY3RBY2Nlc3NSZXZpZXcSPAoQCgASABoAIgAqADIAOABCABIeChwKB2RlZmF1bHQSA2dldBoAIgAqBHBvZHMyADoAGggIABIAGgAgABoAIgA=',
    object: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      metadata: {},
      spec: { resourceAttributes: { namespace: 'default', verb: 'get', resource: 'pods' } },
      status: { allowed: false },
    },
  },
  'POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews': {
    base64:
      'azhzAAoxChdhdXRob3JpemF0aW9uLms4cy5pby92MRIWU2VsZlN1YmplY3RSdWxlc1JldmlldxIjChAKABIAGgAiACoAMgA4AEIAEgkKB2RlZmF1bHQaBBgAIgAaACIA',
    object: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectRulesReview',
      metadata: {},
      spec: { namespace: 'default' },
      status: { incomplete: false },
    },
  },
  'POST /apis/authentication.k8s.io/v1/selfsubjectreviews': {
    base64:
      'azhzAAotChhhdXRoZW50aWNhdGlvbi5rOHMuaW8vdjESEVNlbGZTdWJqZWN0UmV2aWV3EhoKEAoAEgAaACIAKgAyADgAQgASBgoECgASABoAIgA=',
    object: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'SelfSubjectReview',
      metadata: {},
      status: { userInfo: {} },
    },
  },
};

/** Bodies that Kubernetes' own encoder makes, with the JSON that its JSON encoder makes of the same object. */
export const goBodies: readonly ProtobufVector[] = [
  {
    base64: 'azhzAAoXCg5hdXRvc2NhbGluZy92MRIFU2NhbGUSHwoTCgF4EgAaAm5zIgAqADIAOABCABICCAAaBAgAEgAaACIA',
    object: {
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      metadata: { name: 'x', namespace: 'ns' },
      spec: {},
      status: { replicas: 0 },
    },
  },
  {
    base64:
      'azhzAAofChZjb29yZGluYXRpb24uazhzLmlvL3YxEgVMZWFzZRIqChMKAXgSABoCbnMiACoAMgA4AEIAEhMKABAPIgsIpfrNrAYQgJTvOigAGgAiAA==',
    object: {
      kind: 'Lease',
      apiVersion: 'coordination.k8s.io/v1',
      metadata: { name: 'x', namespace: 'ns' },
      spec: {
        holderIdentity: '',
        leaseDurationSeconds: 15,
        renewTime: '2024-01-02T03:04:05.123456Z',
        leaseTransitions: 0,
      },
    },
  },
  {
    base64:
      'azhzAAopCg5hdXRvc2NhbGluZy92MhIXSG9yaXpvbnRhbFBvZEF1dG9zY2FsZXISXwoTCgF4EgAaAm5zIgAqADIAOABCABJCChgKCkRlcGxveW1lbnQSAWQaB2FwcHMvdjEQABgAIiIKCFJlc291cmNlIhYKA2NwdRIPCgtVdGlsaXphdGlvbiBQGgQYACAAGgAiAA==',
    object: {
      kind: 'HorizontalPodAutoscaler',
      apiVersion: 'autoscaling/v2',
      metadata: { name: 'x', namespace: 'ns' },
      spec: {
        scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' },
        minReplicas: 0,
        maxReplicas: 0,
        metrics: [
          {
            type: 'Resource',
            resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
          },
        ],
      },
      status: { desiredReplicas: 0 },
    },
  },
  {
    base64:
      'azhzAAozChZjZXJ0aWZpY2F0ZXMuazhzLmlvL3YxEhlDZXJ0aWZpY2F0ZVNpZ25pbmdSZXF1ZXN0El4KGQoBYxIAGgAiACoAMgA4AEIICKX6zawGEAASHQoDYWJjEgAaADILCgFrEgYKATEKATI6BWEuYi9jGiIKIAoIQXBwcm92ZWQSABoAIggIpfrNrAYQACoAMgRUcnVlGgAiAA==',
    object: {
      kind: 'CertificateSigningRequest',
      apiVersion: 'certificates.k8s.io/v1',
      metadata: { name: 'c', creationTimestamp: '2024-01-02T03:04:05Z' },
      spec: { request: 'YWJj', signerName: 'a.b/c', extra: { k: ['1', '2'] } },
      status: { conditions: [{ type: 'Approved', status: 'True', lastUpdateTime: '2024-01-02T03:04:05Z' }] },
    },
  },
  {
    base64:
      'azhzAAokChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEgRSb2xlEiQKEwoBeBIAGgJucyIAKgAyADgAQgASDQoDZ2V0EgAaBHBvZHMaACIA',
    object: {
      kind: 'Role',
      apiVersion: 'rbac.authorization.k8s.io/v1',
      metadata: { name: 'x', namespace: 'ns' },
      rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }],
    },
  },
  {
    base64: 'azhzAAoYCgdhcHBzL3YxEg1EZWxldGVPcHRpb25zEhMIABIDEgE3IgpGb3JlZ3JvdW5kGgAiAA==',
    object: {
      kind: 'DeleteOptions',
      apiVersion: 'apps/v1',
      gracePeriodSeconds: 0,
      preconditions: { resourceVersion: '7' },
      propagationPolicy: 'Foreground',
    },
  },
  {
    base64: 'azhzAAoVCglwb2xpY3kvdjESCEV2aWN0aW9uEhkKEwoBeBIAGgJucyIAKgAyADgAQgASAhgAGgAiAA==',
    object: {
      kind: 'Eviction',
      apiVersion: 'policy/v1',
      metadata: { name: 'x', namespace: 'ns' },
      deleteOptions: { orphanDependents: false },
    },
  },
  {
    base64:
      'azhzAAooChhhdXRoZW50aWNhdGlvbi5rOHMuaW8vdjESDFRva2VuUmVxdWVzdBIuChAKABIAGgAiACoAMgA4AEIAEhQKAWEaDAoDUG9kEgAaAXAiACCQHBoECgASABoAIgA=',
    object: {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: {},
      spec: { audiences: ['a'], expirationSeconds: 3600, boundObjectRef: { kind: 'Pod', name: 'p' } },
      status: { token: '' },
    },
  },
  {
    base64:
      'azhzAAoJCgJ2MRIDUG9kEpgCClAKAXgSABoAIgAqADIAOABCAIoBPAoBbRIGVXBkYXRlGgJ2MSIICKX6zawGEAAyCEZpZWxkc1YxOhUKE3siZjpzcGVjIjp7Ii4iOnt9fX1CABKuAQoQCgF2EgsSCQoAEgUKAzFHaRJYCgFjEgAqADoUCgFFEgAaDRoLCgQKAmNtEgFrGABCDwoNCgNjcHUSBgoENTAwbVIYCgwaCgoGCAAQABoAEgAQABgAIAAoADAAagByAIABAIgBAJABAKIBABoAIAAyAEIASgBSAFgAYABoAIIBAIoBAJoBAMIBAPABAJICHgoZCgFlEgAqAEIAagByAIABAIgBAJABAKIBABIBYxoTCgAaACIAKgAyAEoAWgByAIgBABoAIgA=',
    object: {
      kind: 'Pod',
      apiVersion: 'v1',
      metadata: {
        name: 'x',
        managedFields: [
          {
            manager: 'm',
            operation: 'Update',
            apiVersion: 'v1',
            time: '2024-01-02T03:04:05Z',
            fieldsType: 'FieldsV1',
            fieldsV1: { 'f:spec': { '.': {} } },
          },
        ],
      },
      spec: {
        volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Gi' } }],
        containers: [
          {
            name: 'c',
            env: [{ name: 'E', valueFrom: { configMapKeyRef: { name: 'cm', key: 'k', optional: false } } }],
            resources: { limits: { cpu: '500m' } },
            livenessProbe: { tcpSocket: { port: 0 } },
          },
        ],
        ephemeralContainers: [{ name: 'e', resources: {}, targetContainerName: 'c' }],
        terminationGracePeriodSeconds: 0,
        enableServiceLinks: false,
      },
      status: {},
    },
  },
  {
    base64:
      'azhzAAodCgdhcHBzL3YxEhJDb250cm9sbGVyUmV2aXNpb24SLQoTCgF4EgAaAm5zIgAqADIAOABCABIUChJ7InNwZWMiOnsiYSI6WzFdfX0YABoAIgA=',
    object: {
      kind: 'ControllerRevision',
      apiVersion: 'apps/v1',
      metadata: { name: 'x', namespace: 'ns' },
      data: { spec: { a: [1] } },
      revision: 0,
    },
  },
  {
    base64:
      'azhzAAozChdhcGlleHRlbnNpb25zLms4cy5pby92MRIYQ3VzdG9tUmVzb3VyY2VEZWZpbml0aW9uEvMBChYKBmFzLmIuYxIAGgAiACoAMgA4AEIAEsoBCgNiLmMaCwoCYXMSACIBQSoAIgpOYW1lc3BhY2VkOqcBCgJ2MRAAGAAimgEKlwEKABIAIgAqBm9iamVjdDIAOgBQAFkAAAAAAADgP2AAegCQAQDCASYKJAoAEgAiACoGc3RyaW5nMgA6AFAAYAB6AJABAKgCALgCAMACAOoBNgoBcBIxCgASACIAKgAyADoAQgkKB3siZCI6MX1QAGAAegCQAQCiAQUKAyJhIqgCALgCAMACAPIBAggBqAIAsAIBuAIAwAIAOABQABoMEggKABIAIgAqACAAGgAiAA==',
    object: {
      kind: 'CustomResourceDefinition',
      apiVersion: 'apiextensions.k8s.io/v1',
      metadata: { name: 'as.b.c' },
      spec: {
        group: 'b.c',
        names: { plural: 'as', kind: 'A' },
        scope: 'Namespaced',
        versions: [
          {
            name: 'v1',
            served: false,
            storage: false,
            schema: {
              openAPIV3Schema: {
                type: 'object',
                minimum: 0.5,
                items: { type: 'string' },
                properties: { p: { default: { d: 1 }, enum: ['a'] } },
                additionalProperties: true,
                'x-kubernetes-preserve-unknown-fields': true,
              },
            },
          },
        ],
      },
      status: { acceptedNames: { plural: '', kind: '' } },
    },
  },
];
