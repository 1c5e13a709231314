import { asList, asObject, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { handlerKey } from './request.ts';
import type { SubresourceMerge } from './update.ts';

/** Subresources that write one part of an object of its own kind, by `handlerKey` (C10). */
export const subresourceMerges: ReadonlyMap<string, SubresourceMerge> = new Map<string, SubresourceMerge>([
  [handlerKey('', 'namespaces', 'finalize'), mergeFinalize],
  [handlerKey('certificates.k8s.io', 'certificatesigningrequests', 'approval'), mergeApproval],
  [handlerKey('', 'pods', 'ephemeralcontainers'), mergeEphemeralContainers],
  [handlerKey('', 'pods', 'resize'), mergeResize],
]);

/** S3: the namespace's own finalizers, which stand in spec. */
function mergeFinalize(proposed: KubeObject, live: KubeObject): KubeObject {
  const spec: JsonObject = { ...asObject(live['spec']) };
  const { finalizers } = asObject(proposed['spec']);
  if (Array.isArray(finalizers) && finalizers.length > 0) spec['finalizers'] = finalizers;
  else delete spec['finalizers'];
  return overlay(live, proposed, { spec });
}

/** O5: of the status conditions alone, beside metadata (csrApprovalStrategy); validation tells what may not change. */
function mergeApproval(proposed: KubeObject, live: KubeObject): KubeObject {
  const { conditions: _, ...status } = asObject(live['status']);
  const conditions = asObject(proposed['status'])['conditions'];
  if (Array.isArray(conditions) && conditions.length > 0) status['conditions'] = conditions;
  const hasStatus = live['status'] !== undefined || status['conditions'] !== undefined;
  return { ...live, metadata: proposed.metadata, ...(hasStatus ? { status } : {}) };
}

function mergeEphemeralContainers(proposed: KubeObject, live: KubeObject): KubeObject {
  const spec: JsonObject = { ...asObject(live['spec']) };
  const containers = asObject(proposed['spec'])['ephemeralContainers'];
  if (containers === undefined) delete spec['ephemeralContainers'];
  else spec['ephemeralContainers'] = containers;
  return overlay(live, proposed, { spec });
}

/**
 * Of a resize only the resources count, the pod's and its containers', and the resize policies. Where containers come, go
 * or change places, they stay as proposed: validation refuses them (podResizeStrategy dropNonResizeUpdates).
 */
function mergeResize(proposed: KubeObject, live: KubeObject): KubeObject {
  const spec: JsonObject = { ...asObject(live['spec']) };
  for (const list of ['containers', 'initContainers']) {
    const wanted = asList(asObject(proposed['spec'])[list]);
    const standing = asList(spec[list]);
    if (wanted.length !== standing.length || wanted.some((one, i) => nameOf(one) !== nameOf(standing[i]))) {
      spec[list] = wanted;
      continue;
    }
    if (spec[list] === undefined) continue;
    spec[list] = standing.map((container, i) => {
      const resized = wanted[i];
      if (!isJsonObject(container) || !isJsonObject(resized)) return container;
      const copy: JsonObject = { ...container };
      for (const key of ['resources', 'resizePolicy']) {
        if (resized[key] === undefined) delete copy[key];
        else copy[key] = resized[key];
      }
      return copy;
    });
  }
  const { resources } = asObject(proposed['spec']);
  if (resources === undefined) delete spec['resources'];
  else spec['resources'] = resources;
  return overlay(live, proposed, { spec });
}

function nameOf(container: JsonValue | undefined): JsonValue | undefined {
  return isJsonObject(container) ? container['name'] : undefined;
}

/** The live object with other parts; of the proposal's metadata only what guards and tracks the write counts. */
function overlay(live: KubeObject, proposed: KubeObject, parts: JsonObject): KubeObject {
  const metadata = { ...live.metadata };
  const { resourceVersion, uid, managedFields } = proposed.metadata;
  if (resourceVersion === undefined) delete metadata.resourceVersion;
  else metadata.resourceVersion = resourceVersion;
  if (uid !== undefined) metadata.uid = uid;
  if (managedFields !== undefined) metadata.managedFields = managedFields;
  return { ...live, ...parts, metadata };
}
