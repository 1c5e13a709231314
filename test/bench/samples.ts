import type { KubeObject } from '#apimachinery/object.ts';

/** A Deployment of about 1.5 KB as people write them. */
export function sampleDeployment(name: string, namespace = 'default'): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name,
      namespace,
      labels: { app: name, tier: 'backend', 'app.kubernetes.io/part-of': 'bench' },
    },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name, tier: 'backend' } },
        spec: {
          serviceAccountName: 'default',
          terminationGracePeriodSeconds: 5,
          securityContext: { fsGroup: 1000, runAsGroup: 1000, runAsNonRoot: true, runAsUser: 1000 },
          containers: [
            {
              name: 'server',
              image: 'registry.example/bench/server:v1.2.3',
              securityContext: {
                allowPrivilegeEscalation: false,
                capabilities: { drop: ['ALL'] },
                privileged: false,
                readOnlyRootFilesystem: true,
              },
              ports: [{ containerPort: 8080 }],
              env: Array.from({ length: 8 }, (_, index) => ({
                name: `SERVICE_ADDRESS_${index}`,
                value: `service-${index}.${namespace}.svc:5050`,
              })),
              readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, initialDelaySeconds: 10 },
              livenessProbe: { httpGet: { path: '/healthz', port: 8080 }, initialDelaySeconds: 10 },
              resources: {
                requests: { cpu: '100m', memory: '64Mi' },
                limits: { cpu: '200m', memory: '128Mi' },
              },
            },
          ],
        },
      },
    },
  };
}

export function sampleConfigMap(name: string, bytes: number, namespace = 'default'): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace },
    data: { text: 'x'.repeat(bytes) },
  };
}
