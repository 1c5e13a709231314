import type { GroupVersionResource } from '#apimachinery/gvk.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type {
  ApplyOptions,
  CollectionRef,
  DeleteOptions,
  ListOptions,
  ObjectRef,
  WatchOptions,
  WriteOptions,
} from './client.ts';

/** `/clusters/<ref>` or nothing for a server without workspaces. */
export function clusterPrefix(cluster: string | undefined): string {
  if (cluster === undefined) return '';
  return cluster === '*' ? '/clusters/*' : `/clusters/${encodeURIComponent(cluster).replaceAll('%3A', ':')}`;
}

function groupVersionPath({ group, version }: GroupVersionResource): string {
  return group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
}

export function collectionPath(collection: CollectionRef): string {
  const namespace =
    collection.namespace === undefined || collection.namespace === ''
      ? ''
      : `/namespaces/${encodeURIComponent(collection.namespace)}`;
  return `${clusterPrefix(collection.cluster)}${groupVersionPath(collection.gvr)}${namespace}/${collection.gvr.resource}`;
}

export function objectPath(ref: ObjectRef, subresource?: string): string {
  const base = `${collectionPath(ref)}/${encodeURIComponent(ref.name)}`;
  return subresource === undefined || subresource === '' ? base : `${base}/${subresource}`;
}

/** Builds a query string; undefined values are left out. */
export function queryString(values: {
  readonly [name: string]: string | number | boolean | undefined;
}): string {
  const parts: string[] = [];
  for (const name in values) {
    const value = values[name];
    if (value !== undefined) parts.push(`${name}=${encodeURIComponent(String(value))}`);
  }
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

export function listQuery(options: ListOptions): { [name: string]: string | number | undefined } {
  return {
    resourceVersion: options.resourceVersion,
    resourceVersionMatch: options.resourceVersionMatch,
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
    limit: options.limit,
    continue: options.continue,
  };
}

export function watchQuery(options: WatchOptions): { [name: string]: string | number | boolean | undefined } {
  return {
    watch: true,
    resourceVersion: options.resourceVersion,
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
    allowWatchBookmarks: options.allowWatchBookmarks,
    sendInitialEvents: options.sendInitialEvents,
    // KUBERNETES.md W6: sendInitialEvents is refused without it.
    resourceVersionMatch: options.sendInitialEvents === true ? 'NotOlderThan' : undefined,
    timeoutSeconds: options.timeoutSeconds,
  };
}

export function writeQuery(options: WriteOptions): { [name: string]: string | undefined } {
  return {
    fieldManager: options.fieldManager,
    dryRun: options.dryRun === true ? 'All' : undefined,
    fieldValidation: options.fieldValidation,
  };
}

export function applyQuery(options: ApplyOptions): { [name: string]: string | boolean | undefined } {
  return {
    fieldManager: options.fieldManager,
    dryRun: options.dryRun === true ? 'All' : undefined,
    fieldValidation: options.fieldValidation,
    force: options.force,
    ifAbsent: options.ifAbsent,
  };
}

/** The body of a DELETE (KUBERNETES.md X1). */
export function deleteOptionsBody(options: DeleteOptions): JsonObject {
  const body: JsonObject = { kind: 'DeleteOptions', apiVersion: 'v1' };
  if (options.preconditions !== undefined) body['preconditions'] = { ...options.preconditions };
  if (options.propagationPolicy !== undefined) body['propagationPolicy'] = options.propagationPolicy;
  if (options.gracePeriodSeconds !== undefined) body['gracePeriodSeconds'] = options.gracePeriodSeconds;
  if (options.dryRun === true) body['dryRun'] = ['All'];
  return body;
}
