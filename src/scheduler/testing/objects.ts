import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';

export function configMap(
  name: string,
  data: { [key: string]: string } = {},
  namespace = 'default',
): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data };
}

export function deployment(
  name: string,
  replicas: number,
  pod: JsonObject = {},
  namespace = 'default',
): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels: { app: name } },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'main', image: 'registry.example.com/app:1' }], ...pod },
      },
    },
  };
}

/** A PropagationPolicy in `default`, of `v1 ConfigMap` and `apps/v1 Deployment` unless told otherwise. */
export function policy(name: string, spec: JsonObject = {}): KubeObject {
  return {
    apiVersion: 'policy.karmada.io/v1alpha1',
    kind: 'PropagationPolicy',
    metadata: { name, namespace: 'default' },
    spec: {
      resourceSelectors: [
        { apiVersion: 'v1', kind: 'ConfigMap' },
        { apiVersion: 'apps/v1', kind: 'Deployment' },
      ],
      ...spec,
    },
  };
}

export function clusterPolicy(
  name: string,
  kinds: readonly (readonly [apiVersion: string, kind: string])[],
  spec: JsonObject = {},
): KubeObject {
  return {
    apiVersion: 'policy.karmada.io/v1alpha1',
    kind: 'ClusterPropagationPolicy',
    metadata: { name },
    spec: { resourceSelectors: kinds.map(([apiVersion, kind]) => ({ apiVersion, kind })), ...spec },
  };
}

export const divided: JsonObject = {
  replicaScheduling: { replicaSchedulingType: 'Divided', replicaDivisionPreference: 'Weighted' },
};

/** A CRD `widgets.example.com` whose `spec.size` is of this type. */
export const widgetCrd = (type: string): KubeObject => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: {
                  size: { type },
                  target: { type: 'object', properties: { namespace: { type: 'string' } } },
                },
              },
            },
          },
        },
      },
    ],
  },
});
