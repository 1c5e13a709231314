import { formatApiVersion } from '#apimachinery/gvk.ts';
import { cloneJson, equalJson } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition, ResourceVersion } from '#apimachinery/resource-definition.ts';
import { applyDefaults } from '#apimachinery/schema-walk/defaults.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import type { Revision } from '#storage/storage.ts';
import { coerceToSchema, type SchemaShape, shapeOf } from './coercion.ts';
import { isNoop } from './prepare.ts';
import { bodyOf, storedApiVersionOf } from './stored-body.ts';
import { isKnownToDiffer, noteDiffers, objectOf, schemaMarkOf, takeForMarked } from './stored-object.ts';
import { stripClusterAnnotation } from './target.ts';

/** What is worth knowing about one version of one definition, computed once. */
interface VersionPlan {
  readonly apiVersion: string;
  readonly storageApiVersion: string;
  /** The served form differs from the stored one in nothing but apiVersion. */
  readonly sameShape: boolean;
  /** What coercing an object of this version does; nothing to kinds that are not custom, which are done when written. */
  readonly coercion: SchemaShape;
}

const plans = new WeakMap<ResourceDefinition, Map<string, VersionPlan>>();
const noCoercion: SchemaShape = { shape: '', content: '' };

function planOf(definition: ResourceDefinition, version: ResourceVersion): VersionPlan {
  let byVersion = plans.get(definition);
  if (byVersion === undefined) {
    byVersion = new Map();
    plans.set(definition, byVersion);
  }
  let plan = byVersion.get(version.version);
  if (plan === undefined) {
    const isCustom = definition.origin === 'custom';
    const coercion = isCustom ? shapeOf(version.schema) : noCoercion;
    const storage = storageVersionOf(definition);
    plan = {
      apiVersion: formatApiVersion({ group: definition.group, version: version.version }),
      storageApiVersion: formatApiVersion({
        group: definition.storedAs.group,
        version: definition.storageVersion,
      }),
      sameShape:
        version.fromStorage === undefined &&
        (!isCustom || storage === version || coercion.shape === planOf(definition, storage).coercion.shape),
      coercion,
    };
    byVersion.set(version.version, plan);
  }
  return plan;
}

function storageVersionOf(definition: ResourceDefinition): ResourceVersion {
  const { versions, storageVersion } = definition;
  return versions.find((one) => one.version === storageVersion) ?? (versions[0] as ResourceVersion);
}

export function servedApiVersion(served: ServedResource): string {
  return planOf(served.definition, served.version).apiVersion;
}

/** Written as given, neither coerced nor defaulted: reads shall do neither. */
export const untouchedMark = '-';

/** An object of a built-in kind as it reads after it was stored, where its version has another shape; else the object itself. */
export function throughStorage({ definition, version }: ServedResource, object: KubeObject): KubeObject {
  const { toStorage, fromStorage } = version;
  if (definition.origin !== 'builtin' || toStorage === undefined || fromStorage === undefined) return object;
  return fromStorage(toStorage(object));
}

/** The object in its storage version; the argument may become part of the result and is no longer the caller's. */
export function toStorageVersion(object: KubeObject, served: ServedResource): KubeObject {
  const plan = planOf(served.definition, served.version);
  const converted = served.version.toStorage === undefined ? object : served.version.toStorage(object);
  if (converted.apiVersion === plan.storageApiVersion) return converted;
  if (converted === object) {
    converted.apiVersion = plan.storageApiVersion;
    return converted;
  }
  return { ...converted, apiVersion: plan.storageApiVersion };
}

/** An object as it is to be stored, and the mark to store with it (see `encodeStored`). */
export interface StorageForm {
  readonly object: KubeObject;
  readonly mark: string;
}

/**
 * The object in its storage version and in that version's shape. What that version has defaults for stays without where
 * the served one had none: they are those of the day on which it is read (apiextensions customresource_handler). The
 * argument is not changed but for its apiVersion.
 */
export function storageFormOf(object: KubeObject, served: ServedResource): StorageForm {
  const { definition, version } = served;
  const { sameShape } = planOf(definition, version);
  const storage = storageVersionOf(definition);
  const { content } = planOf(definition, storage).coercion;
  if (sameShape || definition.origin !== 'custom') {
    return { object: toStorageVersion(object, served), mark: content };
  }
  return coercedForm(toStorageVersion(cloneJson(object) as KubeObject, served), definition);
}

/** Of an object that stands in the storage version of a custom kind: coerced in place. */
export function coercedForm(object: KubeObject, definition: ResourceDefinition): StorageForm {
  const storage = storageVersionOf(definition);
  coerceToSchema(storage.schema, object);
  const defaulted = cloneJson(object) as KubeObject;
  applyDefaults(storage.schema, defaulted);
  const { content } = planOf(definition, storage).coercion;
  return { object, mark: equalJson(defaulted, object) ? content : '' };
}

/** Whether what is read in this version may be less than what was written in it. */
export function isReshaped({ definition, version }: ServedResource): boolean {
  return definition.origin === 'custom' && !planOf(definition, version).sameShape;
}

/** The stored object in the served version; the caller owns it. `revision` as in `objectOf`. */
export function servedObjectOf(entry: CacheEntry, served: ServedResource, revision?: Revision): KubeObject {
  const { definition, version } = served;
  const plan = planOf(definition, version);
  let object = objectOf(entry, revision);
  if (definition.origin === 'custom') {
    const written = writtenVersionOf(definition, object.apiVersion);
    settle(entry, object, definition, written);
    object.apiVersion = plan.apiVersion;
    const isSame = written === version || planOf(definition, written).coercion.shape === plan.coercion.shape;
    if (!isSame && schemaMarkOf(entry) !== untouchedMark) coerceToSchema(version.schema, object);
    return object;
  }
  if (object.apiVersion !== plan.storageApiVersion && object.apiVersion !== plan.apiVersion) {
    // Written when another version was the storage version.
    const writtenAs = versionOfApiVersion(definition, object.apiVersion);
    if (writtenAs?.toStorage !== undefined) object = writtenAs.toStorage(object);
  }
  if (version.fromStorage !== undefined && object.apiVersion !== plan.apiVersion) {
    object = version.fromStorage(object);
  }
  object.apiVersion = plan.apiVersion;
  return object;
}

/** A custom resource as it is decoded from the store, in the version in which it lies there. */
export function settledObjectOf(entry: CacheEntry, definition: ResourceDefinition): KubeObject {
  const object = objectOf(entry);
  settle(entry, object, definition, writtenVersionOf(definition, object.apiVersion));
  return object;
}

/** Coerced and defaulted by the schema of the version in which it was written, unless it lies there so. */
function settle(
  entry: CacheEntry,
  object: KubeObject,
  definition: ResourceDefinition,
  written: ResourceVersion,
): void {
  const plan = planOf(definition, written);
  if (!needsCoercion(entry, plan)) return;
  const mark = plan.coercion.content;
  const before = isKnownToDiffer(entry, mark) ? undefined : cloneJson(object);
  coerceToSchema(written.schema, object);
  applyDefaults(written.schema, object);
  if (before === undefined) return;
  // Objects outlive the schema that they were written by. Most are what the new one makes of them, which is found out once.
  if (equalJson(before, object)) takeForMarked(entry, mark);
  else noteDiffers(entry, mark);
}

/** The mark of an object that stands in this version, coerced and defaulted. */
export function settledMark({ definition, version }: ServedResource): string {
  return planOf(definition, version).coercion.content;
}

/**
 * The stored object's JSON in the served version, with its resourceVersion: stored bytes with one or two splices where
 * versions differ in nothing but their name, else parsed and converted.
 */
export function renderEntry(entry: CacheEntry, served: ServedResource, revision?: Revision): Buffer {
  return (
    renderAsStored(entry, served, revision) ??
    Buffer.from(JSON.stringify(servedObjectOf(entry, served, revision)))
  );
}

/** The stored bytes with their splices; undefined where they have to be parsed. */
export function renderAsStored(
  entry: CacheEntry,
  served: ServedResource,
  revision?: Revision,
): Buffer | undefined {
  const { definition, version } = served;
  const plan = planOf(definition, version);
  const stored = storedApiVersionOf(entry);
  if (stored === plan.apiVersion) {
    return needsCoercion(entry, plan) ? undefined : bodyOf(entry, revision);
  }
  if (!plan.sameShape || stored !== plan.storageApiVersion) return undefined;
  return needsCoercion(entry, planOf(definition, storageVersionOf(definition)))
    ? undefined
    : bodyOf(entry, revision, plan.apiVersion);
}

/**
 * Whether writing an object that is what was read would still change what is stored: it lies there in a version that is
 * no longer the one to store in, or with what its served version or today's schema does not show (C5).
 */
export function isStoredOtherwise(entry: CacheEntry, object: KubeObject, served: ServedResource): boolean {
  const { definition, version } = served;
  const plan = planOf(definition, version);
  if (storedApiVersionOf(entry) !== plan.storageApiVersion) return true;
  if (definition.origin !== 'custom' || definition.conversion !== undefined) return false;
  const storage = planOf(definition, storageVersionOf(definition));
  if (plan.sameShape && !needsCoercion(entry, storage)) return false;
  const before = objectOf(entry);
  stripClusterAnnotation(before);
  return !isNoop(storageFormOf(cloneJson(object) as KubeObject, served).object, before);
}

/** `plan`: of the version in which the entry was written. */
function needsCoercion(entry: CacheEntry, { coercion }: VersionPlan): boolean {
  if (coercion.content === '') return false;
  const mark = schemaMarkOf(entry);
  return mark !== coercion.content && mark !== untouchedMark;
}

/** The version that an object was written in; the storage version where there is no such version any more. */
function writtenVersionOf(definition: ResourceDefinition, apiVersion: string): ResourceVersion {
  return versionOfApiVersion(definition, apiVersion) ?? storageVersionOf(definition);
}

function versionOfApiVersion(
  definition: ResourceDefinition,
  apiVersion: string,
): ResourceVersion | undefined {
  return definition.versions.find(
    (one) => formatApiVersion({ group: definition.storedAs.group, version: one.version }) === apiVersion,
  );
}
