import { compareVersions } from '#api/builtin/definitions.ts';
import { formatApiVersion } from '#apimachinery/gvk.ts';
import type { Scheme, ServedResource } from '#apimachinery/scheme.ts';

/** One group as discovery shows it: versions by priority, resources by name. */
export interface ApiGroup {
  /** Empty for the core group. */
  readonly name: string;
  readonly versions: readonly ApiGroupVersion[];
}

export interface ApiGroupVersion {
  /** `apps/v1` */
  readonly apiVersion: string;
  readonly version: string;
  readonly resources: readonly ServedResource[];
}

/** In the order in which kube-apiserver lists them; all others follow by name. */
const groupOrder = [
  '',
  'apiregistration.k8s.io',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'internal.apiserver.k8s.io',
  'resource.k8s.io',
  'storagemigration.k8s.io',
];
const groupRanks = new Map(groupOrder.map((name, rank) => [name, rank]));

/** A Kubernetes group's place among them, undefined for any other group. */
export function rankOfGroup(name: string): number | undefined {
  return groupRanks.get(name);
}

const groupsOf = new WeakMap<Scheme, readonly ApiGroup[]>();

/** All served groups of a scheme, core first (KUBERNETES.md D1). Made once per scheme. */
export function apiGroups(scheme: Scheme): readonly ApiGroup[] {
  let groups = groupsOf.get(scheme);
  if (groups === undefined) {
    groups = collectGroups(scheme);
    groupsOf.set(scheme, groups);
  }
  return groups;
}

function collectGroups(scheme: Scheme): readonly ApiGroup[] {
  const byGroup = new Map<string, Map<string, ServedResource[]>>();
  for (const definition of scheme.definitions) {
    for (const version of definition.versions) {
      if (!version.served) continue;
      let versions = byGroup.get(definition.group);
      if (versions === undefined) {
        versions = new Map();
        byGroup.set(definition.group, versions);
      }
      const resources = versions.get(version.version);
      if (resources === undefined) versions.set(version.version, [{ definition, version }]);
      else resources.push({ definition, version });
    }
  }
  return [...byGroup.keys()].sort(compareGroups).map((name) => ({
    name,
    versions: [...(byGroup.get(name) ?? [])]
      .sort(([a], [b]) => compareVersions(a, b))
      .map(([version, resources]) => ({
        apiVersion: formatApiVersion({ group: name, version }),
        version,
        resources: resources.sort((a, b) => (a.definition.resource < b.definition.resource ? -1 : 1)),
      })),
  }));
}

function compareGroups(a: string, b: string): number {
  const rankA = groupRanks.get(a) ?? groupOrder.length;
  const rankB = groupRanks.get(b) ?? groupOrder.length;
  return rankA - rankB || (a < b ? -1 : a > b ? 1 : 0);
}

export function findGroup(scheme: Scheme, name: string): ApiGroup | undefined {
  return apiGroups(scheme).find((group) => group.name === name);
}
