import { clusterAnnotation } from '#api/core-kcp/cluster-annotation.ts';
import { fnv32a } from '#apimachinery/hash.ts';
import type { KubeObject, ObjectMeta } from '#apimachinery/object.ts';

const keptAnnotationPrefix = 'federation.cellplane.io/';
/** Under this key stands a hash of the annotations that were cut away: it tells that one of them changed. */
const digestKey = 'federation.cellplane.io/watched-digest';
/** Written by tools and controllers with each change, and never copied. */
const ignoredAnnotations: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'deployment.kubernetes.io/revision',
  'deprecated.daemonset.template.generation',
]);

/**
 * What the scheduler keeps of an object that it watches: identity, labels, owners, and the annotations of the copy
 * contract. managedFields and what tools write into annotations are most of the bytes, and nobody here reads them.
 */
export function slimMetadata(object: KubeObject): KubeObject {
  const { metadata } = object;
  const { name, namespace, uid, resourceVersion, generation, deletionTimestamp, labels, ownerReferences } =
    metadata;
  const { finalizers, annotations } = metadata;
  const slim: ObjectMeta = {};
  if (name !== undefined) slim.name = name;
  if (namespace !== undefined) slim.namespace = namespace;
  if (uid !== undefined) slim.uid = uid;
  if (resourceVersion !== undefined) slim.resourceVersion = resourceVersion;
  if (generation !== undefined) slim.generation = generation;
  if (deletionTimestamp !== undefined) slim.deletionTimestamp = deletionTimestamp;
  if (labels !== undefined) slim.labels = labels;
  if (ownerReferences !== undefined) slim.ownerReferences = ownerReferences;
  if (finalizers !== undefined) slim.finalizers = finalizers;
  if (annotations !== undefined) slim.annotations = slimAnnotations(annotations);
  return { apiVersion: object.apiVersion, kind: object.kind, metadata: slim };
}

function slimAnnotations(annotations: { [key: string]: string }): { [key: string]: string } {
  const slim: { [key: string]: string } = {};
  const others: string[] = [];
  for (const key in annotations) {
    if (key === clusterAnnotation || key.startsWith(keptAnnotationPrefix))
      slim[key] = annotations[key] as string;
    else if (!ignoredAnnotations.has(key)) others.push(`${key}=${annotations[key]}\n`);
  }
  if (others.length > 0) slim[digestKey] = String(fnv32a(others.sort().join('')));
  return slim;
}
