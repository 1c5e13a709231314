import { copyAnnotations, copyLabels } from '#api/federation/copy-contract.ts';
import type { ObjectMeta } from '#apimachinery/object.ts';
import { mappingVersion } from './names.ts';

/** Which project object a copy stands for (docs/copies.md). */
export interface Origin {
  readonly controlPlane: string;
  /** Logical cluster id. */
  readonly cluster: string;
  readonly path: string;
  readonly group: string;
  readonly resource: string;
  /** Empty for cluster scope. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** Undefined when the object is no copy, or says too little to know whose. */
export function originOf(metadata: ObjectMeta): Origin | undefined {
  const cluster = metadata.labels?.[copyLabels.originCluster];
  const controlPlane = metadata.labels?.[copyLabels.originControlPlane];
  if (cluster === undefined || controlPlane === undefined) return undefined;
  const annotations = metadata.annotations ?? {};
  const resource = annotations[copyAnnotations.originResource];
  const name = annotations[copyAnnotations.originName];
  if (resource === undefined || name === undefined) return undefined;
  return {
    controlPlane,
    cluster,
    path: annotations[copyAnnotations.originPath] ?? '',
    group: annotations[copyAnnotations.originGroup] ?? '',
    resource,
    namespace: annotations[copyAnnotations.originNamespace] ?? '',
    name,
    uid: annotations[copyAnnotations.originUid] ?? '',
  };
}

/** The same project object; one that was re-created (other uid) takes over its copies, and a workspace may move. */
export function sameOrigin(a: Origin, b: Origin): boolean {
  return (
    a.controlPlane === b.controlPlane &&
    a.cluster === b.cluster &&
    a.group === b.group &&
    a.resource === b.resource &&
    a.namespace === b.namespace &&
    a.name === b.name
  );
}

export function originLabels(origin: Origin): { [key: string]: string } {
  return {
    [copyLabels.originCluster]: origin.cluster,
    [copyLabels.originControlPlane]: origin.controlPlane,
  };
}

export function originAnnotations(origin: Origin): { [key: string]: string } {
  return {
    [copyAnnotations.originPath]: origin.path,
    [copyAnnotations.originGroup]: origin.group,
    [copyAnnotations.originResource]: origin.resource,
    [copyAnnotations.originNamespace]: origin.namespace,
    [copyAnnotations.originName]: origin.name,
    [copyAnnotations.originUid]: origin.uid,
    [copyAnnotations.mappingVersion]: mappingVersion,
  };
}
