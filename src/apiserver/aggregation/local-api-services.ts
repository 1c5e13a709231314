import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { priorityOfGroup } from '../discovery/api-groups.ts';
import { apiServiceGroup } from './api-service.ts';

/** Marks what follows what is served: nobody need keep it. */
export const automanagedLabel = 'kube-aggregator.kubernetes.io/automanaged';

/** Of an APIService without a Service; without the time of its change. */
export const localCondition = {
  type: 'Available',
  status: 'True',
  reason: 'Local',
  message: 'Local APIServices are always available',
} as const;

const versionPriorityMax = 15;

/** `versionPriority` where it is not the usual one (origin: `cmd/kube-apiserver/app/aggregator.go`). */
const versionPriorities = new Map([
  ['v1.', 1],
  ['v1.autoscaling', 15],
  ['v2.autoscaling', 30],
  ['v1.flowcontrol.apiserver.k8s.io', 21],
  ['v1.resource.k8s.io', 21],
  ['v1beta2.resource.k8s.io', 15],
  ['v1beta1.resource.k8s.io', 9],
  ['v1alpha3.resource.k8s.io', 1],
]);

/**
 * The APIServices that stand for what a workspace of some type serves itself (KUBERNETES.md O1), as kube-apiserver registers
 * them (those of its CRDs are CrdApiServices'): `kubectl get apiservices` shows them as Local and available. Nothing here
 * depends on them.
 */
export function localApiServices(
  definitions: readonly ResourceDefinition[],
  createdAt: string,
): readonly KubeObject[] {
  const versions = new Map<string, KubeObject>();
  for (const { group, versions: served } of definitions) {
    served.forEach(({ version, served: isServed }, place) => {
      const name = `${version}.${group}`;
      if (isServed && !versions.has(name))
        versions.set(name, localApiService(group, version, place, createdAt));
    });
  }
  return [...versions.values()];
}

function localApiService(group: string, version: string, place: number, createdAt: string): KubeObject {
  return {
    apiVersion: `${apiServiceGroup}/v1`,
    kind: 'APIService',
    metadata: {
      name: `${version}.${group}`,
      labels: { [automanagedLabel]: 'onstart' },
    },
    spec: {
      ...(group === '' ? {} : { group }),
      version,
      groupPriorityMinimum: priorityOfGroup(group),
      versionPriority:
        versionPriorities.get(`${version}.${group}`) ?? Math.max(1, versionPriorityMax - place),
    },
    status: {
      conditions: [{ ...localCondition, lastTransitionTime: createdAt }],
    },
  };
}
