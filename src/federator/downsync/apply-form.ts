import {
  awaitsCopy,
  copyAnnotations,
  edgeAnnotations,
  edgeFinalizer,
  syncAnnotations,
} from '#api/federation/copy-contract.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';

/** Annotations of the cell workspace's own that have no business at the edge. */
const localAnnotations = new Set<string>([
  'kcp.io/cluster',
  'kubectl.kubernetes.io/last-applied-configuration',
  ...Object.values(syncAnnotations),
]);

/** Kinds whose spec.replicas an autoscaler may own, by group/resource. */
const scalable = new Set([
  'apps/deployments',
  'apps/statefulsets',
  'apps/replicasets',
  '/replicationcontrollers',
]);

export interface ApplyFormOptions {
  readonly group: string;
  readonly resource: string;
  /** An autoscaler for this object is propagated: the edge decides about replicas. */
  readonly autoscaled: boolean;
  readonly cellUid: string;
}

/**
 * What a syncer applies at the edge for a copy: everything that was rendered, names unchanged, without what the cell
 * workspace's server or the syncer itself wrote. The copy is not changed; unchanged parts are shared.
 */
export function applyForm(copy: KubeObject, options: ApplyFormOptions): JsonObject {
  const { metadata, status: _status, ...rest } = copy;
  const annotations: { [key: string]: string } = {};
  for (const key in metadata.annotations) {
    if (!localAnnotations.has(key)) annotations[key] = metadata.annotations[key] as string;
  }
  // A copy that is another control plane's edge object may await that one's copy; what we bring further awaits nothing.
  if (annotations[copyAnnotations.deletionPolicy] === awaitsCopy)
    delete annotations[copyAnnotations.deletionPolicy];
  annotations[edgeAnnotations.copyRevision] = metadata.resourceVersion ?? '';
  annotations[edgeAnnotations.cellUid] = options.cellUid;
  const finalizers = metadata.finalizers?.filter((finalizer) => finalizer !== edgeFinalizer);
  const form: JsonObject = {
    ...rest,
    metadata: {
      name: metadata.name,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
      annotations,
      ...(finalizers === undefined || finalizers.length === 0 ? {} : { finalizers }),
    },
  };
  const spec = form['spec'];
  if (typeof spec === 'object' && spec !== null && !Array.isArray(spec)) {
    if (options.autoscaled && isScalable(options)) {
      const { replicas: _replicas, ...others } = spec;
      form['spec'] = others;
    } else if (options.group === '' && options.resource === 'namespaces') {
      // spec.finalizers belongs to the edge's own namespace controller.
      delete form['spec'];
    }
  }
  return form;
}

export function isScalable({
  group,
  resource,
}: {
  readonly group: string;
  readonly resource: string;
}): boolean {
  return scalable.has(`${group}/${resource}`);
}
