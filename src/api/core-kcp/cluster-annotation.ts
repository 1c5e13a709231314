import type { KubeObject } from '#apimachinery/object.ts';

/** Tells the workspace that an object lies in, in each answer of a workspace and in wildcard ones (KCP.md, Addressing). */
export const clusterAnnotation = 'kcp.io/cluster';

/** Logical cluster id of the workspace that the object lies in; '' where it does not say. */
export function clusterOf({ metadata }: KubeObject): string {
  return metadata.annotations?.[clusterAnnotation] ?? '';
}
