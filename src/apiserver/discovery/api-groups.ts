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

/**
 * `groupPriorityMinimum` of each group (origin: `cmd/kube-apiserver/app/aggregator.go` and
 * `pkg/controlplane/apiserver/aggregator.go`): they are listed by it, then by name. All others follow by name.
 */
const groupPriorities = new Map([
  ['', 18_000],
  ['apiregistration.k8s.io', 17_900],
  ['apps', 17_800],
  ['events.k8s.io', 17_750],
  ['authentication.k8s.io', 17_700],
  ['authorization.k8s.io', 17_600],
  ['autoscaling', 17_500],
  ['batch', 17_400],
  ['certificates.k8s.io', 17_300],
  ['networking.k8s.io', 17_200],
  ['policy', 17_100],
  ['rbac.authorization.k8s.io', 17_000],
  ['storage.k8s.io', 16_800],
  ['admissionregistration.k8s.io', 16_700],
  ['apiextensions.k8s.io', 16_700],
  ['scheduling.k8s.io', 16_600],
  ['coordination.k8s.io', 16_500],
  ['node.k8s.io', 16_300],
  ['discovery.k8s.io', 16_200],
  ['resource.k8s.io', 16_200],
  ['flowcontrol.apiserver.k8s.io', 16_100],
  ['internal.apiserver.k8s.io', 16_000],
  ['storagemigration.k8s.io', 15_800],
]);
const groupRanks = new Map([...groupPriorities.keys()].map((name, rank) => [name, rank]));

/** A Kubernetes group's place among them, undefined for any other group. */
export function rankOfGroup(name: string): number | undefined {
  return groupRanks.get(name);
}

/** `groupPriorityMinimum` of an APIService of this group that the server serves itself. */
export function priorityOfGroup(name: string): number {
  return groupPriorities.get(name) ?? otherGroupPriority;
}

/** As of CustomResourceDefinitions' groups, but before them. */
const otherGroupPriority = 8_000;

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
  const rankA = groupRanks.get(a) ?? groupRanks.size;
  const rankB = groupRanks.get(b) ?? groupRanks.size;
  return rankA - rankB || (a < b ? -1 : a > b ? 1 : 0);
}

export function findGroup(scheme: Scheme, name: string): ApiGroup | undefined {
  return apiGroups(scheme).find((group) => group.name === name);
}
