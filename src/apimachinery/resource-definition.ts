import type { FieldError } from './field-error.ts';
import type { JsonObject, JsonValue } from './json.ts';
import type { KubeObject } from './object.ts';
import type { Schema } from './schema.ts';

/**
 * All that the generic registry needs to serve one resource: built-in kinds, our own kinds, and custom resources are
 * the same thing to it. Immutable; shared over all workspaces that serve it.
 */
export interface ResourceDefinition {
  readonly group: string;
  /** Plural. */
  readonly resource: string;
  readonly kind: string;
  readonly listKind: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** Where it is stored: `events.k8s.io/events` lies under `{group: '', resource: 'events'}` (KUBERNETES.md O5). */
  readonly storedAs: { readonly group: string; readonly resource: string };
  readonly storageVersion: string;
  /** Served versions in order of preference (KUBERNETES.md D1). */
  readonly versions: readonly ResourceVersion[];
  readonly strategy: Strategy;
  /** `custom` refuses strategic merge patch and protobuf bodies (N2, P1), needs a resourceVersion on PUT (C3). */
  readonly origin: 'builtin' | 'system' | 'custom';
  /** For reviews and the like (TokenReview, Eviction): created, answered, never stored. */
  readonly virtual?: boolean | undefined;
  /** For custom definitions whose versions differ in shape: `spec.conversion.webhook` of the CRD (KUBERNETES.md R7). */
  readonly conversion?: JsonObject | undefined;
  /** For custom definitions: the CRD is going; what exists may be seen, changed and deleted, and nothing made. */
  readonly isTerminating?: boolean | undefined;
  /** For custom definitions: a hash of the content, schemas included; equal content has an equal hash. */
  readonly contentHash?: string | undefined;
}

export interface ResourceVersion {
  readonly version: string;
  readonly served: boolean;
  readonly schema: Schema;
  readonly verbs: readonly Verb[];
  readonly subresources: readonly Subresource[];
  readonly columns: readonly Column[];
  /** Extra field selectors beyond metadata.name and metadata.namespace: label → dotted path (KUBERNETES.md L5). */
  readonly selectableFields: ReadonlyMap<string, string>;
  /** Text of the Warning header when this version is used. */
  readonly deprecationWarning?: string | undefined;
  /** Conversion to and from the storage version; absent = only apiVersion differs. Must not change the argument. */
  readonly toStorage?: ((object: KubeObject) => KubeObject) | undefined;
  readonly fromStorage?: ((object: KubeObject) => KubeObject) | undefined;
}

/** How objects of a version become the storage version and back; empty where only apiVersion differs. */
export type Conversion = Pick<ResourceVersion, 'toStorage' | 'fromStorage'>;

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

export interface Subresource {
  readonly name: string;
  /** `status`, `scale`, or another that a handler of its own serves (`finalize`, `approval`, `token`, …). */
  readonly kind: string;
  readonly group: string;
  readonly version: string;
  readonly verbs: readonly Verb[];
  /** For `scale`: the three paths, dotted, without leading dot (KUBERNETES.md R6). */
  readonly scale?:
    | {
        readonly specReplicasPath: string;
        readonly statusReplicasPath: string;
        readonly labelSelectorPath?: string | undefined;
      }
    | undefined;
}

/** One column of a Table (KUBERNETES.md N3). */
export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: string | undefined;
  readonly description?: string | undefined;
  /** 0 = always shown, 1 = `-o wide`. */
  readonly priority: number;
  /** The cell's value; times as RFC 3339 text with type date are turned into ages by the table printer. */
  readonly value: (object: KubeObject, now: Date) => JsonValue;
}

/**
 * What a kind does differently. Every member is pure: it reads and changes only the object given (which the request
 * owns) and does no I/O. Order on create: decode → `defaults` → `prepareForCreate` → admission → schema validation →
 * `validate` → store. On update: `defaults` → `prepareForUpdate` → admission → schema → `validateUpdate`.
 */
export interface Strategy {
  /** How names are validated; returns what is wrong, in Kubernetes' words. Default: DNS-1123 subdomain. */
  readonly validateName?: ((name: string) => string[]) | undefined;
  /** Defaulting beyond the schema's own defaults (KUBERNETES.md C11). In place. */
  readonly defaults?: ((object: KubeObject, version: string) => void) | undefined;
  /** Wipes or fills what users may not set on create, beyond status. In place. */
  readonly prepareForCreate?: ((object: KubeObject) => void) | undefined;
  /** What a new object has when it is read back and nobody looks at before: called after admission and validation. In place. */
  readonly completeNew?: ((object: KubeObject) => void) | undefined;
  /** A new object has another name, since the generated one was taken: brings what was made of that into line. In place. */
  readonly renameNew?: ((object: KubeObject, former: string) => void) | undefined;
  readonly prepareForUpdate?:
    | ((object: KubeObject, old: KubeObject, subresource: string) => void)
    | undefined;
  readonly validate?: ((object: KubeObject) => FieldError[]) | undefined;
  readonly validateUpdate?:
    | ((object: KubeObject, old: KubeObject, subresource: string) => FieldError[])
    | undefined;
  /** What the writer is told of an object that is accepted; `old` is what it replaces, undefined on create. */
  readonly warnings?: ((object: KubeObject, old: KubeObject | undefined) => string[]) | undefined;
  /** True: PUT to an absent name creates (KUBERNETES.md C4). */
  readonly createOnUpdate?: boolean | undefined;
  /** False: PUT needs a resourceVersion (C3). Default: true for built-ins, false for custom. */
  readonly unconditionalUpdate?: boolean | undefined;
  /**
   * C6. `spec` (default): rises when anything but metadata and status changes. `none`: never set. `constant`: 1 for ever.
   * `of-changes`: counts the changes, so that a new object has none. `spec-and-labels`: rises with labels too.
   */
  readonly generation?: 'spec' | 'none' | 'constant' | 'of-changes' | 'spec-and-labels' | undefined;
  /** Default true when there is a status subresource: the main path ignores status, `/status` ignores the rest (C7). */
  readonly separateStatus?: boolean | undefined;
  /**
   * Set: who writes `/status` writes metadata too, but for these fields of it. Unset: of metadata nothing but
   * managedFields (C7).
   */
  readonly statusKeepsMetadata?: readonly ('labels' | 'ownerReferences')[] | undefined;
  /**
   * How often a kind's own validation of an update looks at metadata that has been looked at for all kinds: at the change
   * (default), at the whole once or twice, at both in one order or the other, or at nothing. Each time has causes of its own in the error.
   */
  readonly metadataLooks?: 'change' | 'whole' | 'twice' | 'whole first' | 'both' | 'none' | undefined;
  /** Whether a generateName may be whatever fits a path: only the name is held to the kind's rule. */
  readonly prefixIsFree?: boolean;
  /** A generateName is the name, as it is. */
  readonly prefixIsName?: boolean;
  /** By subresource (`''`: the object itself): fields that nobody comes to own by writing there, where it is no general rule. */
  readonly unownedFields?: { readonly [subresource: string]: readonly string[] } | undefined;
  /** The kind that errors name, where that is another than the definition's: events of both groups are core's. */
  readonly toldAs?: { readonly group: string; readonly kind: string } | undefined;
  /** True: a status given at creation is stored, although later ones go through `/status` (Node). */
  readonly keepsStatusOnCreate?: boolean | undefined;
  /** X1, X4: what DELETE does by default; `unsupported`: whatever is asked, dependents are not looked at (events). */
  readonly defaultPropagation?: 'Background' | 'Orphan' | 'unsupported' | undefined;
  /** How it is marked as going, where that is not as all others are: the first time only, in place. */
  readonly markDeleted?: ((object: KubeObject, now: string) => void) | undefined;
  /** Selectable field values that are not a plain path. */
  readonly fields?: ((object: KubeObject) => JsonObject) | undefined;
}
