import { clusterAnnotation } from '#api/core-kcp/cluster-annotation.ts';
import { type ReturnableKind, returnAnnotations } from '#api/federation/return-contract.ts';
import { annotationsOf } from '#api/federation/returned-object.ts';
import type { KubeObject } from '#apimachinery/object.ts';

/** Of an object that came back: where it came from, and what policies select by. */
export function sourcesAlone({ kind }: ReturnableKind, { apiVersion, metadata }: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, labels } = metadata;
  const keys = [clusterAnnotation, returnAnnotations.source, returnAnnotations.edgeState];
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      ...(labels === undefined ? {} : { labels }),
      annotations: annotationsOf(metadata, keys),
    },
  } as KubeObject;
}

/** Of a copied namespace: its labels and annotations, which name its origin. */
export function originsAlone({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { managedFields: _managed, finalizers: _finalizers, ...kept } = metadata;
  return { apiVersion, kind, metadata: kept };
}
