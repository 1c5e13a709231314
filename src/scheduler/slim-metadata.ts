import { fnv32a } from '#apimachinery/hash.ts';
import type { KubeObject, ObjectMeta } from '#apimachinery/object.ts';
import { clusterAnnotation } from '#client/informer.ts';

const keptAnnotationPrefix = 'federation.cellplane.io/';
/** Under this key stands a hash of the annotations that were cut away: it tells that one of them changed. */
const digestKey = 'federation.cellplane.io/watched-digest';
/** Written by tools and controllers with each change, and never copied. */
const ignoredAnnotations: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'deployment.kubernetes.io/revision',
]);

/**
 * What the scheduler keeps of an object that it watches: identity, labels, owners, and the annotations of the copy
 * contract. managedFields and what tools write into annotations are most of the bytes, and nobody here reads them.
 */
export function slimMetadata(object: KubeObject): KubeObject {
  const { metadata } = object;
  const slim: ObjectMeta = {};
  for (const field of keptFields)
    if (metadata[field] !== undefined) Object.assign(slim, { [field]: metadata[field] });
  if (metadata.annotations !== undefined) slim.annotations = slimAnnotations(metadata.annotations);
  return { apiVersion: object.apiVersion, kind: object.kind, metadata: slim };
}

const keptFields = [
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'deletionTimestamp',
  'labels',
  'ownerReferences',
  'finalizers',
] as const;

function slimAnnotations(annotations: { [key: string]: string }): { [key: string]: string } {
  const slim: { [key: string]: string } = {};
  let others = '';
  for (const key of Object.keys(annotations).sort()) {
    const value = annotations[key] as string;
    if (key === clusterAnnotation || key.startsWith(keptAnnotationPrefix)) slim[key] = value;
    else if (!ignoredAnnotations.has(key)) others += `${key}=${value}\n`;
  }
  if (others !== '') slim[digestKey] = String(fnv32a(others));
  return slim;
}
