import { clusterAnnotation } from '#api/core-kcp/cluster-annotation.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition, ResourceVersion } from '#apimachinery/resource-definition.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import { objectKey } from '#storage/keys.ts';
import type { StorageKey } from '#storage/storage.ts';
import type { Workspace } from '../workspace/workspace.ts';

/** Which object of which workspace, at which version. */
export interface Target {
  readonly workspace: Workspace;
  readonly served: ServedResource;
  /** Empty for cluster-scoped objects. */
  readonly namespace: string;
  readonly name: string;
}

export function keyOf(target: Target): StorageKey {
  const { storedAs } = target.served.definition;
  return objectKey({
    group: storedAs.group,
    resource: storedAs.resource,
    clusterId: target.workspace.id,
    namespace: target.namespace,
    name: target.name,
  });
}

/**
 * Whether objects of this kind are stored as given and never acted on: all but CRDs and the system's own kinds in a
 * cell workspace (DESIGN.md, Cell workspaces are warehouses).
 */
export function isInert(workspace: Workspace, definition: ResourceDefinition): boolean {
  return workspace.inert && definition.origin !== 'system' && definition.group !== 'apiextensions.k8s.io';
}

/** Whether status is written by `/status` alone (C7). */
export function separatesStatus({ definition, version }: ServedResource): boolean {
  return definition.strategy.separateStatus ?? hasSubresource(version, 'status');
}

export function hasSubresource(version: ResourceVersion, name: string): boolean {
  for (const subresource of version.subresources) if (subresource.name === name) return true;
  return false;
}

/**
 * Objects of workspaces carry `kcp.io/cluster`; an edge's objects look like any cluster's. The annotation is put on
 * when an object is encoded and taken off when it is decoded for a write: nobody can set it, no field manager owns it.
 */
export function carriesClusterAnnotation(workspace: Workspace): boolean {
  return workspace.type !== 'edge';
}

export function stripClusterAnnotation(object: KubeObject): void {
  const { annotations } = object.metadata;
  if (annotations?.[clusterAnnotation] === undefined) return;
  delete annotations[clusterAnnotation];
  for (const _ in annotations) return;
  delete object.metadata.annotations;
}

/** The object with the annotation; the argument is not changed. */
export function withClusterAnnotation(object: KubeObject, clusterId: string): KubeObject {
  const { metadata } = object;
  return {
    ...object,
    metadata: { ...metadata, annotations: { ...metadata.annotations, [clusterAnnotation]: clusterId } },
  };
}
