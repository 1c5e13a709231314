import { createHash } from 'node:crypto';
import { formatApiVersion } from '#apimachinery/gvk.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition, ResourceVersion } from '#apimachinery/resource-definition.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { applyDefaults } from '#apimachinery/schema-walk/defaults.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import type { Revision } from '#storage/storage.ts';
import { bodyOf, storedApiVersionOf } from './stored-body.ts';
import { defaultsOf, objectOf } from './stored-object.ts';

/** What is worth knowing about one version of one definition, computed once. */
interface VersionPlan {
  readonly apiVersion: string;
  readonly storageApiVersion: string;
  /** The served form differs from the stored one in nothing but apiVersion. */
  readonly sameShape: boolean;
  /** Which defaults its schema has, as a hash; '' when none or when they are not applied on read. */
  readonly defaults: string;
}

const plans = new WeakMap<ResourceDefinition, Map<string, VersionPlan>>();

function planOf(definition: ResourceDefinition, version: ResourceVersion): VersionPlan {
  let byVersion = plans.get(definition);
  if (byVersion === undefined) {
    byVersion = new Map();
    plans.set(definition, byVersion);
  }
  let plan = byVersion.get(version.version);
  if (plan === undefined) {
    plan = {
      apiVersion: formatApiVersion({ group: definition.group, version: version.version }),
      storageApiVersion: formatApiVersion({
        group: definition.storedAs.group,
        version: definition.storageVersion,
      }),
      sameShape: version.fromStorage === undefined,
      // Built-in kinds are defaulted when written; a custom kind's schema may have changed since (R3).
      defaults: definition.origin === 'custom' ? defaultsHash(version.schema) : '',
    };
    byVersion.set(version.version, plan);
  }
  return plan;
}

export function servedApiVersion(served: ServedResource): string {
  return planOf(served.definition, served.version).apiVersion;
}

/** The hash of the defaults that objects written through this version carry (see `encodeStored`). */
export function defaultsMark(served: ServedResource): string {
  return planOf(served.definition, served.version).defaults;
}

/** Written as given, nothing defaulted: reads shall not default either. */
export const undefaultedMark = '-';

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

/** The stored object in the served version; the caller owns it. `revision` as in `objectOf`. */
export function servedObjectOf(entry: CacheEntry, served: ServedResource, revision?: Revision): KubeObject {
  const { definition, version } = served;
  const plan = planOf(definition, version);
  let object = objectOf(entry, revision);
  if (object.apiVersion !== plan.storageApiVersion && object.apiVersion !== plan.apiVersion) {
    // Written when another version was the storage version.
    const writtenAs = versionOfApiVersion(definition, object.apiVersion);
    if (writtenAs?.toStorage !== undefined) object = writtenAs.toStorage(object);
  }
  if (version.fromStorage !== undefined && object.apiVersion !== plan.apiVersion) {
    object = version.fromStorage(object);
  }
  object.apiVersion = plan.apiVersion;
  if (needsDefaults(entry, plan)) applyDefaults(version.schema, object);
  return object;
}

/**
 * The stored object's JSON in the served version, with its resourceVersion: stored bytes with one or two splices where
 * versions differ in nothing but their name, else parsed and converted.
 */
export function renderEntry(entry: CacheEntry, served: ServedResource, revision?: Revision): Buffer {
  const plan = planOf(served.definition, served.version);
  if (!needsDefaults(entry, plan)) {
    const stored = storedApiVersionOf(entry);
    if (stored === plan.apiVersion) return bodyOf(entry, revision);
    if (plan.sameShape && stored === plan.storageApiVersion) return bodyOf(entry, revision, plan.apiVersion);
  }
  return Buffer.from(JSON.stringify(servedObjectOf(entry, served, revision)));
}

function needsDefaults(entry: CacheEntry, plan: VersionPlan): boolean {
  if (plan.defaults === '') return false;
  const mark = defaultsOf(entry);
  return mark !== plan.defaults && mark !== undefaultedMark;
}

function versionOfApiVersion(
  definition: ResourceDefinition,
  apiVersion: string,
): ResourceVersion | undefined {
  return definition.versions.find(
    (one) => formatApiVersion({ group: definition.storedAs.group, version: one.version }) === apiVersion,
  );
}

/** A short hash over all defaults of a schema, '' when it has none. Cyclic schemas are walked once a node. */
function defaultsHash(schema: Schema): string {
  const found: string[] = [];
  const seen = new Set<Schema>();
  const walk = (node: Schema, path: string): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node.default !== undefined) found.push(`${path}=${JSON.stringify(node.default)}`);
    if (node.properties !== undefined) {
      for (const [name, child] of node.properties) walk(child, `${path}.${name}`);
    }
    if (node.additionalProperties !== undefined) walk(node.additionalProperties, `${path}.*`);
    if (node.items !== undefined) walk(node.items, `${path}[]`);
  };
  walk(schema, '');
  return found.length === 0
    ? ''
    : createHash('sha256').update(found.join('\n')).digest('base64url').slice(0, 8);
}
