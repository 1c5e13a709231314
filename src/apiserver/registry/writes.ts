import type { KubeObject } from '#apimachinery/object.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import type { DeletionMarks } from './deletion.ts';

/** Admission as the registry calls it (A1); each returns undefined when done at once. */
export interface WriteAdmission {
  /** Whether `mutate` could change anything: only then is it called, and the object unshared for it; else `look`. */
  mutates(operation: 'CREATE' | 'UPDATE', object: KubeObject, old: KubeObject | undefined): boolean;
  look(
    operation: 'CREATE' | 'UPDATE',
    object: KubeObject,
    old: KubeObject | undefined,
  ): Promise<void> | undefined;
  /** `isNameGenerated`: of what is created. */
  mutate(
    operation: 'CREATE' | 'UPDATE',
    object: KubeObject,
    old: KubeObject | undefined,
    isNameGenerated?: boolean,
  ): Promise<void> | undefined;
  validate(
    operation: 'CREATE' | 'UPDATE' | 'DELETE',
    object: KubeObject | undefined,
    old: (() => KubeObject) | undefined,
  ): Promise<void> | undefined;
}

export interface WriteOptions {
  readonly dryRun: boolean;
  /** Texts for the client; appended. */
  readonly warnings: string[];
  readonly admission?: WriteAdmission | undefined;
  /** Coerced to its schema once it is found valid: what is applied was not before (apiextensions, whose storage does it). */
  readonly coerces?: boolean | undefined;
  /** Writes managedFields into the object (P4); undefined where the proposal carries them already (apply). */
  readonly track?:
    | ((object: KubeObject, live: KubeObject | undefined) => KubeObject | Promise<KubeObject>)
    | undefined;
}

export interface UpdateOptions extends WriteOptions {
  /** `status`, or another that tells Strategy what is written; '' for the object itself. */
  readonly subresource: string;
  /** An absent object is created: C4, P3. */
  readonly createWhenAbsent?: boolean | undefined;
  /** The uid is content like any other, which validation refuses to change, not a guard (PATCH). */
  readonly uidIsContent?: boolean | undefined;
}

export type WriteOutcome =
  | { readonly type: 'written'; readonly created: boolean; readonly entry: CacheEntry }
  /** C5. */
  | { readonly type: 'unchanged'; readonly entry: CacheEntry }
  /** Nothing held the object any more: it is gone; this is how it was last, in the served version. */
  | { readonly type: 'deleted'; readonly object: KubeObject }
  | { readonly type: 'dry-run'; readonly created: boolean; readonly object: KubeObject };

export type DeletionOutcome =
  | {
      readonly type: 'removed';
      readonly entry: CacheEntry;
      readonly uid: string;
      readonly marks?: DeletionMarks | undefined;
    }
  /** `isMarked`: by this call. */
  | { readonly type: 'waiting'; readonly entry: CacheEntry; readonly isMarked: boolean }
  /** It would wait like this: of no revision of its own, so that nothing may be kept under one. */
  | { readonly type: 'would-wait'; readonly entry: CacheEntry; readonly object: KubeObject };

/** `live` is the caller's to read, not to change; undefined when the object is absent and may be created. */
export type Propose = (live: KubeObject | undefined, attempt: number) => KubeObject | Promise<KubeObject>;
