import { cloneJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceVersion } from '#apimachinery/resource-definition.ts';
import type { CachedStorage, CacheEntry } from '#storage/cached-storage.ts';
import { objectKey } from '#storage/keys.ts';
import { toStorageVersion } from '../registry/conversion.ts';
import { headerOf } from '../registry/stored-object.ts';
import { isInert } from '../registry/target.ts';
import type { ResourceContext } from '../request/context.ts';
import type { Workspace } from '../workspace/workspace.ts';
import type { AdmissionAttributes, AdmissionOperation } from './admission.ts';

/**
 * Whether webhooks and policies are asked about a request at all: not about webhook and policy configurations, which
 * could lock everybody out (A3), not about the system's own kinds and reviews, and never in a cell, where they are inert.
 */
export function concernsTenants({ context }: AdmissionAttributes): boolean {
  const { workspace, served } = context;
  const { definition } = served;
  if (workspace === undefined || definition.origin === 'system' || isInert(workspace, definition))
    return false;
  return definition.group !== 'admissionregistration.k8s.io';
}

/** The stored Namespace that a request's object is in; undefined for cluster-scoped objects and when it is gone. */
export function namespaceEntry(context: ResourceContext, storage: CachedStorage): CacheEntry | undefined {
  if (!context.served.definition.namespaced) return undefined;
  return storage.peek(
    objectKey({
      group: '',
      resource: 'namespaces',
      clusterId: (context.workspace as Workspace).id,
      namespace: '',
      name: context.namespace,
    }),
  );
}

/** Labels of the namespace that the object is in, or is; undefined for other cluster-scoped objects: all match. */
export function namespaceLabels(
  context: ResourceContext,
  object: KubeObject | undefined,
  storage: CachedStorage,
): { readonly [key: string]: string } | undefined {
  const { definition } = context.served;
  if (definition.group === '' && definition.resource === 'namespaces') return object?.metadata.labels ?? {};
  if (!definition.namespaced) return undefined;
  const entry = namespaceEntry(context, storage);
  return entry === undefined ? {} : headerOf(entry).labels;
}

/** AdmissionRequest v1 (A2) without its objects, as webhooks and expressions see it in one version of the resource. */
export function admissionRequest(
  attributes: AdmissionAttributes,
  version: ResourceVersion,
  uid: string,
): JsonObject {
  const { context, operation, dryRun } = attributes;
  const { definition, version: requested } = context.served;
  const { group, kind, resource } = definition;
  const { user, subresource } = context;
  const extra: JsonObject = {};
  for (const [key, values] of user.extra) extra[key] = [...values];
  const told = posted(context, operation);
  return {
    uid,
    kind: told ?? { group, version: version.version, kind },
    resource: { group, version: version.version, resource },
    ...(subresource === '' ? {} : { subResource: subresource, requestSubResource: subresource }),
    requestKind: told ?? { group, version: requested.version, kind },
    requestResource: { group, version: requested.version, resource },
    ...nameAndNamespace(attributes),
    operation,
    userInfo: {
      username: user.name,
      ...(user.uid === undefined ? {} : { uid: user.uid }),
      groups: [...user.groups],
      ...(user.extra.size === 0 ? {} : { extra }),
    },
    dryRun,
    options: {
      kind: optionsKind[operation],
      apiVersion: 'meta.k8s.io/v1',
      ...optionsOf(attributes),
      ...(dryRun ? { dryRun: ['All'] } : {}),
    },
  };
}

/** What is posted to a subresource of pods is of a kind of its own (Eviction, Binding). */
function posted(
  { served, subresource }: ResourceContext,
  operation: AdmissionOperation,
): JsonObject | undefined {
  if (operation !== 'CREATE' || subresource === '') return undefined;
  const own = served.version.subresources.find(({ name }) => name === subresource);
  return own && { group: own.group, version: own.version, kind: own.kind };
}

/** The options that stand in the URL; a deletion's may stand in its body instead. */
function optionsOf({ context, operation, deletion }: AdmissionAttributes): JsonObject {
  if (operation === 'DELETE') return deletion?.() ?? {};
  const options: JsonObject = {};
  for (const name of writeOptions) {
    const value = context.info.query.get(name);
    if (value !== null && value !== undefined && value !== '') options[name] = value;
  }
  return options;
}

const writeOptions = ['fieldManager', 'fieldValidation'];

const optionsKind = {
  CREATE: 'CreateOptions',
  UPDATE: 'UpdateOptions',
  DELETE: 'DeleteOptions',
  CONNECT: 'ConnectOptions',
} as const;

/** Of what is asked about; '' while it has none. */
export function requestedName({ context, object, oldObject, creation }: AdmissionAttributes): string {
  if (context.name !== '') return context.name;
  return creation?.isNameGenerated === true ? '' : ((object ?? oldObject)?.metadata.name ?? '');
}

function nameAndNamespace(attributes: AdmissionAttributes): JsonObject {
  const { context } = attributes;
  const name = requestedName(attributes);
  return {
    ...(name === '' ? {} : { name }),
    ...(context.namespace === '' ? {} : { namespace: context.namespace }),
  };
}

/** The objects of a request, as webhooks and expressions see them in one version of the resource. */
export function objectsInVersion(
  attributes: AdmissionAttributes,
  version: ResourceVersion,
): { readonly object: KubeObject | undefined; readonly oldObject: KubeObject | undefined } {
  const { context, object, oldObject } = attributes;
  const shown = object && completed(object, attributes);
  return {
    object: shown && inVersion(shown, context, version),
    oldObject: oldObject && inVersion(oldObject, context, version),
  };
}

/**
 * As far as it is while somebody may still change it: what is created has none of what the registry gives (rest.BeforeCreate
 * comes after mutation), what is updated has the revision that it replaces.
 */
function completed(object: KubeObject, { context, oldObject, creation }: AdmissionAttributes): KubeObject {
  const { metadata } = object;
  if (creation !== undefined && context.subresource === '') {
    const { uid: _, creationTimestamp: __, generation, name, ...rest } = metadata;
    const counts = context.served.definition.strategy.generation;
    const isOwn = counts === 'none' || counts === 'of-changes';
    const kept = {
      ...(creation.isNameGenerated || name === undefined ? {} : { name }),
      ...rest,
      ...(isOwn && generation !== undefined ? { generation } : {}),
    };
    return { ...object, metadata: kept };
  }
  const revision = oldObject?.metadata.resourceVersion;
  if (revision === undefined || metadata.resourceVersion !== undefined) return object;
  return { ...object, metadata: { ...metadata, resourceVersion: revision } };
}

/** The object in another version of its resource; the one given is not changed. */
export function inVersion(
  object: KubeObject,
  context: ResourceContext,
  version: ResourceVersion,
): KubeObject {
  const { served } = context;
  if (version === served.version) return object;
  const { group } = served.definition;
  const stored =
    served.version.toStorage === undefined ? object : toStorageVersion(cloneJson(object), served);
  const converted = version.fromStorage === undefined ? stored : version.fromStorage(stored);
  return { ...converted, apiVersion: group === '' ? version.version : `${group}/${version.version}` };
}
