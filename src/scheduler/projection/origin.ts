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

/** Written into `labels`, one by one: a literal with computed names takes V8 many times as long. */
export function setOriginLabels(labels: { [key: string]: string }, origin: Origin): void {
  labels[copyLabels.originCluster] = origin.cluster;
  labels[copyLabels.originControlPlane] = origin.controlPlane;
}

/** Likewise. */
export function setOriginAnnotations(annotations: { [key: string]: string }, origin: Origin): void {
  annotations[copyAnnotations.originPath] = origin.path;
  annotations[copyAnnotations.originGroup] = origin.group;
  annotations[copyAnnotations.originResource] = origin.resource;
  annotations[copyAnnotations.originNamespace] = origin.namespace;
  annotations[copyAnnotations.originName] = origin.name;
  annotations[copyAnnotations.originUid] = origin.uid;
  annotations[copyAnnotations.mappingVersion] = mappingVersion;
}
