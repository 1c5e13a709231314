import { type ReturnableKind, returnAnnotations } from '#api/federation/return-contract.ts';
import type { ReturnedObject } from '#api/federation/returned-object.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { clusterAnnotation } from '#client/informer.ts';

/** What is decided by; the object itself is read when its turn comes. */
export function slimReturned({ apiVersion, kind, metadata, spec }: ReturnedObject): ReturnedObject {
  const { name, namespace, uid, resourceVersion } = metadata;
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      annotations: keptOf(metadata, clusterAnnotation, returnAnnotations.edgeState),
    },
    spec: {
      ...(spec.apiVersion === undefined ? {} : { apiVersion: spec.apiVersion }),
      kind: spec.kind,
      name: spec.name,
      object: {},
    },
  } as ReturnedObject;
}

/** Of an object that came back: where it came from, and what policies select by. */
export function sourcesAlone({ kind }: ReturnableKind, { apiVersion, metadata }: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, labels } = metadata;
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      ...(labels === undefined ? {} : { labels }),
      annotations: keptOf(metadata, clusterAnnotation, returnAnnotations.source, returnAnnotations.edgeState),
    },
  } as KubeObject;
}

/** Of a copied namespace: its labels and annotations, which name its origin. */
export function originsAlone({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { managedFields: _managed, finalizers: _finalizers, ...kept } = metadata;
  return { apiVersion, kind, metadata: kept };
}

function keptOf({ annotations = {} }: KubeObject['metadata'], ...keys: string[]): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const key of keys) if (annotations[key] !== undefined) kept[key] = annotations[key];
  return kept;
}
