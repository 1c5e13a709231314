import { copyAnnotations, copyLabels } from '#api/federation/copy-contract.ts';
import type { ObjectMeta } from '#apimachinery/object.ts';

/**
 * Which project object a copy stands for, as one comparable text: control plane, logical cluster and the object's address
 * there. Not its uid: an object that was re-created takes over its copies. Undefined for what is no copy (invariant 4).
 */
export function originKeyOf(metadata: ObjectMeta): string | undefined {
  const { labels = {}, annotations = {} } = metadata;
  const cluster = labels[copyLabels.originCluster];
  if (cluster === undefined) return undefined;
  return [
    labels[copyLabels.originControlPlane] ?? '',
    cluster,
    annotations[copyAnnotations.originGroup] ?? '',
    annotations[copyAnnotations.originResource] ?? '',
    annotations[copyAnnotations.originNamespace] ?? '',
    annotations[copyAnnotations.originName] ?? '',
  ].join('|');
}
