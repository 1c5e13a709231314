import { copyAnnotations } from '#api/federation/copy-contract.ts';
import { conflict, uidMismatch } from '#apimachinery/api-error.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject, ObjectMeta } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { formatTime } from '#apimachinery/rfc3339.ts';

/** meta/v1 DeleteOptions, checked (KUBERNETES.md X1, X2). */
export interface DeletionOptions {
  readonly dryRun: boolean;
  readonly gracePeriodSeconds?: number | undefined;
  readonly preconditions?:
    | { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined }
    | undefined;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  /** The older spelling of a policy; never together with one. */
  readonly orphanDependents?: boolean | undefined;
}

export const orphanFinalizer = 'orphan';
export const foregroundFinalizer = 'foregroundDeletion';

export type DeletionPlan =
  /** Nothing holds it: remove the key. `marks`: what a kind that ends gracefully is told to have had at its end. */
  | { readonly type: 'remove'; readonly marks?: DeletionMarks | undefined }
  /** Store this state, in which the object waits for its finalizers or its grace period. */
  | { readonly type: 'mark'; readonly object: KubeObject }
  /** It waits already and this request changes nothing about that. */
  | { readonly type: 'waiting' };

export type DeletionMarks = Pick<
  ObjectMeta,
  'deletionTimestamp' | 'deletionGracePeriodSeconds' | 'generation'
>;

/** Throws 409 when a precondition does not hold (X2). */
export function checkPreconditions(
  preconditions: DeletionOptions['preconditions'],
  actual: { readonly uid: string; readonly resourceVersion: string },
  definition: ResourceDefinition,
  name: string,
): void {
  if (preconditions === undefined) return;
  const { uid, resourceVersion } = preconditions;
  const words = isNamespace(definition) ? namespaceWords : deletionWords;
  // By its kind, not by its resource, as rest.BeforeDelete has it.
  const { group } = definition.storedAs;
  const told = isNamespace(definition) ? definition : { group, resource: definition.kind };
  if (uid !== undefined && uid !== actual.uid) throw conflict(told, name, words.uid(uid, actual.uid));
  if (resourceVersion !== undefined && resourceVersion !== actual.resourceVersion) {
    throw conflict(told, name, words.resourceVersion(resourceVersion, actual.resourceVersion));
  }
}

interface PreconditionWords {
  readonly uid: (asked: string, actual: string) => string;
  readonly resourceVersion: (asked: string, actual: string) => string;
}

/** rest.BeforeDelete. */
const deletionWords: PreconditionWords = {
  uid: (asked, actual) =>
    `the UID in the precondition (${asked}) does not match the UID in record (${actual}). The object might have been deleted and then recreated`,
  resourceVersion: (asked, actual) =>
    `the ResourceVersion in the precondition (${asked}) does not match the ResourceVersion in record (${actual}). The object might have been modified`,
};

/** The namespaces' own storage. */
const namespaceWords: PreconditionWords = {
  uid: uidMismatch,
  resourceVersion: (asked, actual) =>
    `Precondition failed: ResourceVersion in precondition: ${asked}, ResourceVersion in object meta: ${actual}`,
};

/**
 * Decides what a DELETE does to an object (X1, X3, X4). `object` is the stored state, freshly parsed; it becomes part of
 * the plan. `inert` objects are never acted on: their ownership has no say in how they go.
 */
export function planDeletion(
  object: KubeObject,
  definition: ResourceDefinition,
  options: DeletionOptions,
  nowMs: number,
  inert: boolean,
): DeletionPlan {
  const { metadata } = object;
  if (!inert && isPod(definition) && isEndingAnyway(metadata, options)) return { type: 'waiting' };
  const { markDeleted } = inert ? {} : definition.strategy;
  if (markDeleted !== undefined && metadata.deletionTimestamp === undefined) {
    markDeleted(object, formatTime(nowMs));
    return { type: 'mark', object };
  }
  const finalizers = inert
    ? (metadata.finalizers ?? [])
    : garbageCollectionFinalizers(metadata.finalizers ?? [], definition, options);
  const graceSeconds = inert ? 0 : graceSecondsOf(object, definition, options);
  if (finalizers.length === 0 && graceSeconds === 0 && !hasSpecFinalizers(object, definition)) {
    // Marked before it is seen that nothing is left to wait for (rest.BeforeDelete).
    if (!inert && isPod(definition)) markDying(metadata, 0, nowMs);
    return { type: 'remove', marks: isPod(definition) ? metadata : undefined };
  }

  let changed = !sameList(finalizers, metadata.finalizers ?? []) || (inert && handOn(metadata, options));
  if (finalizers.length === 0) delete metadata.finalizers;
  else metadata.finalizers = finalizers;
  const isNew = metadata.deletionTimestamp === undefined;
  const isUncommon = markDeleted !== undefined && metadata.deletionGracePeriodSeconds === undefined;
  // What was marked in its own way is made what all others are from the first by a later request (registry.markAsDeleting).
  if (isUncommon) metadata.deletionGracePeriodSeconds = 0;
  if (isUncommon || markDying(metadata, graceSeconds, nowMs)) changed = true;
  if (isNew && !inert && isNamespace(definition)) {
    // A namespace ends in its own way, not within a period.
    delete metadata.deletionGracePeriodSeconds;
    object['status'] = {
      ...(isJsonObject(object['status']) ? object['status'] : {}),
      phase: 'Terminating',
    };
  }
  return changed ? { type: 'mark', object } : { type: 'waiting' };
}

/**
 * Whether an object is given time to end already, and no less is asked for: then nothing about it changes, not even how its
 * dependents go (rest.BeforeDelete, registry.Store.Delete).
 */
function isEndingAnyway(
  { deletionTimestamp, deletionGracePeriodSeconds }: ObjectMeta,
  { gracePeriodSeconds }: DeletionOptions,
): boolean {
  if (deletionTimestamp === undefined || (deletionGracePeriodSeconds ?? 0) === 0) return false;
  if (gracePeriodSeconds === undefined) return true;
  return (gracePeriodSeconds < 0 ? 1 : gracePeriodSeconds) >= deletionGracePeriodSeconds!;
}

/** Sets until when an object has time to end. Returns whether that changed it. */
function markDying(metadata: ObjectMeta, graceSeconds: number, nowMs: number): boolean {
  if (metadata.deletionTimestamp === undefined) {
    metadata.deletionTimestamp = formatTime(nowMs + graceSeconds * 1000);
    metadata.deletionGracePeriodSeconds = graceSeconds;
    if (metadata.generation !== undefined) metadata.generation += 1;
    return true;
  }
  // A later request may shorten the grace period, never lengthen it.
  if (graceSeconds >= (metadata.deletionGracePeriodSeconds ?? 0)) return false;
  const asked = Date.parse(metadata.deletionTimestamp) - (metadata.deletionGracePeriodSeconds ?? 0) * 1000;
  const end = asked + graceSeconds * 1000;
  // Never in the past; what was to have some time has a second of it still (rest.BeforeDelete).
  metadata.deletionTimestamp = formatTime(Math.max(end, nowMs));
  metadata.deletionGracePeriodSeconds = end < nowMs && graceSeconds > 0 ? 1 : graceSeconds;
  return true;
}

/**
 * Whether a DELETE surely just removes the key: told from the header, so that most deletes parse nothing. False means
 * that `planDeletion` has to look.
 */
export function isPlainRemoval(
  finalizers: readonly string[],
  definition: ResourceDefinition,
  options: DeletionOptions,
): boolean {
  if (finalizers.length > 0 || definition.strategy.markDeleted !== undefined) return false;
  if (definition.group === '') {
    const { resource } = definition;
    if (resource === 'pods' || resource === 'namespaces') return false;
  }
  return propagationOf(finalizers, definition, options) === 'Background';
}

/**
 * Nothing is collected here, and what stands at the edge has owners and dependents: how a copy is deleted is written onto it, for
 * its syncer. Returns whether that changed it.
 */
function handOn(
  metadata: KubeObject['metadata'],
  { propagationPolicy, orphanDependents }: DeletionOptions,
): boolean {
  const policy = propagationPolicy ?? (orphanDependents === true ? 'Orphan' : undefined);
  const name = copyAnnotations.propagationPolicy;
  const wanted = policy === 'Background' ? undefined : (policy ?? metadata.annotations?.[name]);
  if (wanted === metadata.annotations?.[name]) return false;
  const { [name]: _former, ...rest } = metadata.annotations ?? {};
  metadata.annotations = wanted === undefined ? rest : { ...rest, [name]: wanted };
  return true;
}

/** Whether an update has taken away the last thing that kept a dying object (X3). */
export function isFinallyDeleted(object: KubeObject, definition: ResourceDefinition): boolean {
  const { metadata } = object;
  return (
    metadata.deletionTimestamp !== undefined &&
    (metadata.finalizers === undefined || metadata.finalizers.length === 0) &&
    (metadata.deletionGracePeriodSeconds ?? 0) === 0 &&
    !hasSpecFinalizers(object, definition)
  );
}

/** The finalizers that carry a propagation policy to the garbage collector (X4). */
function garbageCollectionFinalizers(
  existing: readonly string[],
  definition: ResourceDefinition,
  options: DeletionOptions,
): string[] {
  const policy = propagationOf(existing, definition, options);
  const finalizers = existing.filter((one) => one !== orphanFinalizer && one !== foregroundFinalizer);
  if (policy === 'Orphan') finalizers.push(orphanFinalizer);
  if (policy === 'Foreground') finalizers.push(foregroundFinalizer);
  return sameMembers(finalizers, existing) ? [...existing] : finalizers;
}

/** What the request says, else what an earlier one said, else the kind's default. */
function propagationOf(
  existing: readonly string[],
  definition: ResourceDefinition,
  { orphanDependents, propagationPolicy }: DeletionOptions,
): 'Background' | 'Foreground' | 'Orphan' {
  if (definition.strategy.defaultPropagation === 'unsupported') return 'Background';
  if (orphanDependents === true) return 'Orphan';
  // The namespaces' own storage (shouldHaveDeleteDependentsFinalizer).
  if (orphanDependents === false) return isNamespace(definition) ? 'Foreground' : 'Background';
  if (propagationPolicy !== undefined) return propagationPolicy;
  if (existing.includes(orphanFinalizer)) return 'Orphan';
  if (existing.includes(foregroundFinalizer)) return 'Foreground';
  return definition.strategy.defaultPropagation ?? 'Background';
}

/** Only a pod that runs somewhere gets time to end (X3). */
function graceSecondsOf(
  object: KubeObject,
  definition: ResourceDefinition,
  options: DeletionOptions,
): number {
  if (!isPod(definition)) return 0;
  const spec = isJsonObject(object['spec']) ? object['spec'] : {};
  const status = isJsonObject(object['status']) ? object['status'] : {};
  if (typeof spec['nodeName'] !== 'string' || spec['nodeName'] === '') return 0;
  if (status['phase'] === 'Succeeded' || status['phase'] === 'Failed') return 0;
  const { deletionTimestamp, deletionGracePeriodSeconds } = object.metadata;
  const own = spec['terminationGracePeriodSeconds'];
  const asked = options.gracePeriodSeconds ?? (typeof own === 'number' ? own : 30);
  // What is negative is a second (rest.BeforeDelete).
  const seconds = asked < 0 ? 1 : asked;
  if (deletionTimestamp === undefined) return seconds;
  if (options.gracePeriodSeconds === undefined) return deletionGracePeriodSeconds ?? 0;
  return Math.min(seconds, deletionGracePeriodSeconds ?? 0);
}

/** A namespace goes when its own finalizers, in spec, are gone too (S3). */
function hasSpecFinalizers(object: KubeObject, definition: ResourceDefinition): boolean {
  if (!isNamespace(definition) || !isJsonObject(object['spec'])) return false;
  const { finalizers } = object['spec'];
  return Array.isArray(finalizers) && finalizers.length > 0;
}

function isPod({ group, resource }: ResourceDefinition): boolean {
  return group === '' && resource === 'pods';
}

function isNamespace(definition: ResourceDefinition): boolean {
  return definition.group === '' && definition.resource === 'namespaces';
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}

function sameMembers(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one) => b.includes(one));
}
