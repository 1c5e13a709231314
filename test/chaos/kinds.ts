import type { GroupVersionResource } from '#apimachinery/gvk.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';

/** What the load writes into an object, and finds again in every plane. */
export interface Content {
  /** Different for every write. */
  readonly stamp: number;
  readonly label: string;
  /** Workloads only; 0 for others. */
  readonly replicas: number;
}

export interface LoadKind {
  readonly kind: string;
  readonly apiVersion: string;
  readonly gvr: GroupVersionResource;
  readonly scalable: boolean;
  /** The object without its metadata. */
  readonly body: (content: Content) => JsonObject;
  readonly stampOf: (object: KubeObject) => number;
}

const portMin = 1_000;

export const loadKinds: readonly LoadKind[] = [
  {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    gvr: { group: '', version: 'v1', resource: 'configmaps' },
    scalable: false,
    body: ({ stamp }) => ({ data: { stamp: String(stamp), constructor: 'kept' } }),
    stampOf: (object) => Number((object['data'] as { stamp?: string } | undefined)?.stamp),
  },
  {
    kind: 'Deployment',
    apiVersion: 'apps/v1',
    gvr: { group: 'apps', version: 'v1', resource: 'deployments' },
    scalable: true,
    body: ({ stamp, replicas }) => ({
      spec: {
        replicas,
        selector: { matchLabels: { app: 'chaos' } },
        template: {
          metadata: { labels: { app: 'chaos' } },
          spec: { containers: [{ name: 'main', image: `registry.example/app:${stamp}` }] },
        },
      },
    }),
    stampOf: (object) => Number(/app:(\d+)/.exec(JSON.stringify(object['spec']))?.[1]),
  },
  {
    kind: 'Service',
    apiVersion: 'v1',
    gvr: { group: '', version: 'v1', resource: 'services' },
    scalable: false,
    body: ({ stamp }) => ({
      spec: { selector: { app: 'chaos' }, ports: [{ port: portMin + stamp, targetPort: 8080 }] },
    }),
    stampOf: (object) =>
      Number((object['spec'] as { ports?: { port?: number }[] } | undefined)?.ports?.[0]?.port) - portMin,
  },
];

export function renderObject(
  { kind, apiVersion, body }: LoadKind,
  namespace: string,
  name: string,
  content: Content,
): KubeObject {
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, labels: { chaos: content.label } },
    ...body(content),
  };
}

export function readContent(kind: LoadKind, object: KubeObject): Content {
  return {
    stamp: kind.stampOf(object),
    label: object.metadata.labels?.['chaos'] ?? '',
    replicas: kind.scalable ? Number((object['spec'] as { replicas?: number } | undefined)?.replicas) : 0,
  };
}
