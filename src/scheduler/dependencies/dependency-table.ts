import type { KubeObject } from '#apimachinery/object.ts';
import type { DiscoveredResource } from '../discovery.ts';
import { thirdPartyNeeds } from '../interpreter/third-party.ts';
import { isPropagatedMetadata, resourceKey } from '../projection/kinds.ts';
import { type FieldPath, parseFieldPath, visitAt } from '../projection/paths.ts';
import { podSpecPaths } from '../projection/reference-table.ts';

/** What an object names of its own namespace and cannot do its work without. All are kinds of the core group. */
export interface Dependency {
  readonly resource: DependencyResource;
  readonly name: string;
}

export type DependencyResource =
  | 'configmaps'
  | 'secrets'
  | 'serviceaccounts'
  | 'persistentvolumeclaims'
  | 'services';

type Rules = readonly (readonly [path: string, resource: DependencyResource])[];

const core = (resource: DependencyResource, kind: string, hasStatus: boolean): DiscoveredResource => ({
  group: '',
  version: 'v1',
  resource,
  kind,
  namespaced: true,
  hasStatus,
  hasScale: false,
});

const resources: { readonly [resource in DependencyResource]: DiscoveredResource } = {
  configmaps: core('configmaps', 'ConfigMap', false),
  secrets: core('secrets', 'Secret', false),
  serviceaccounts: core('serviceaccounts', 'ServiceAccount', false),
  persistentvolumeclaims: core('persistentvolumeclaims', 'PersistentVolumeClaim', true),
  services: core('services', 'Service', true),
};

/** The kinds that can follow others. */
export const dependencyResources: readonly DiscoveredResource[] = Object.values(resources);

/** The kind of a dependency; undefined for a resource that never follows others. */
export function dependencyResourceOf(group: string, resource: string): DiscoveredResource | undefined {
  return group === '' && Object.hasOwn(resources, resource)
    ? resources[resource as DependencyResource]
    : undefined;
}

/** Of the core group; undefined for a kind that never follows others. */
export function dependencyResourceOfKind(kind: string): DependencyResource | undefined {
  const found = dependencyResources.find((resource) => resource.kind === kind);
  return found?.resource as DependencyResource | undefined;
}

/** core/v1 Container, as far as it names objects of the pod's namespace. */
const container: Rules = [
  ['envFrom[].configMapRef.name', 'configmaps'],
  ['envFrom[].secretRef.name', 'secrets'],
  ['env[].valueFrom.configMapKeyRef.name', 'configmaps'],
  ['env[].valueFrom.secretKeyRef.name', 'secrets'],
];

const volume: Rules = [
  ['configMap.name', 'configmaps'],
  ['secret.secretName', 'secrets'],
  ['projected.sources[].configMap.name', 'configmaps'],
  ['projected.sources[].secret.name', 'secrets'],
  ['persistentVolumeClaim.claimName', 'persistentvolumeclaims'],
  ['csi.nodePublishSecretRef.name', 'secrets'],
  ['azureFile.secretName', 'secrets'],
  ...(['cephfs', 'cinder', 'flexVolume', 'iscsi', 'rbd', 'scaleIO', 'storageos'] as const).map(
    (source) => [`${source}.secretRef.name`, 'secrets'] as const,
  ),
];

const under = (prefix: string, rules: Rules): Rules =>
  rules.map(([path, resource]) => [`${prefix}.${path}`, resource]);

const podSpec: Rules = [
  ...under('containers[]', container),
  ...under('initContainers[]', container),
  ...under('ephemeralContainers[]', container),
  ...under('volumes[]', volume),
  ['imagePullSecrets[].name', 'secrets'],
  ['serviceAccountName', 'serviceaccounts'],
];

const workloads = Object.entries(podSpecPaths).map(([resource, path]) => [
  resource,
  under(path as string, podSpec),
]);

const workloadRules = Object.fromEntries(workloads) as { readonly [resource: string]: Rules };

/** By `<resource>.<group>`: where an object names others of its namespace that it needs. */
const table: { readonly [resource: string]: Rules | undefined } = {
  ...workloadRules,
  'statefulsets.apps': [...under('spec.template.spec', podSpec), ['spec.serviceName', 'services']],
  serviceaccounts: [
    ['secrets[].name', 'secrets'],
    ['imagePullSecrets[].name', 'secrets'],
  ],
  'ingresses.networking.k8s.io': [
    ['spec.tls[].secretName', 'secrets'],
    ['spec.defaultBackend.service.name', 'services'],
    ['spec.rules[].http.paths[].backend.service.name', 'services'],
  ],
  ...Object.fromEntries(
    Object.entries(thirdPartyNeeds).map(([resource, rules]) => [
      resource,
      [...(workloadRules[resource] ?? []), ...rules],
    ]),
  ),
};

const compiled = new Map<string, readonly (readonly [path: FieldPath, resource: DependencyResource])[]>();

function rulesOf(group: string, resource: string) {
  const key = resourceKey(group, resource);
  let rules = compiled.get(key);
  if (rules === undefined) {
    rules = (Object.hasOwn(table, key) ? (table[key] ?? []) : []).map(
      ([path, needed]) => [parseFieldPath(path), needed] as const,
    );
    compiled.set(key, rules);
  }
  return rules;
}

/**
 * What an object of this resource names, each once, in no order: `propagateDeps` of Karmada, with Services of StatefulSets
 * and Ingresses, and the pull secrets of ServiceAccounts. A claim that a StatefulSet makes of a template is the edge's to
 * make. Empty for resources that name nothing, and for names that never travel.
 */
export function dependenciesOf(group: string, resource: string, object: KubeObject): Dependency[] {
  const found = new Map<string, Dependency>();
  const templates = new Set<string>();
  if (resourceKey(group, resource) === 'statefulsets.apps') {
    visitAt(object, claimTemplateNames, (name) => templates.add(String(name)));
  }
  const { namespace } = object.metadata;
  for (const [path, needed] of rulesOf(group, resource)) {
    visitAt(object, path, (name) => {
      if (typeof name !== 'string' || name === '') return;
      if (needed === 'persistentvolumeclaims' && templates.has(name)) return;
      if (!isPropagatedMetadata('', needed, { namespace, name })) return;
      found.set(`${needed}/${name}`, { resource: needed, name });
    });
  }
  return [...found.values()];
}

const claimTemplateNames = parseFieldPath('spec.volumeClaimTemplates[].metadata.name');
