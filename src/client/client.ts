import type { GroupVersionResource } from '#apimachinery/gvk.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { KubeList, KubeObject } from '#apimachinery/object.ts';

/** Where a collection lies. */
export interface CollectionRef {
  /**
   * The workspace: a path (`root:acme:shop`), a logical-cluster id, or `*` for list and watch over all workspaces.
   * Undefined for an API server without workspaces (an edge).
   */
  readonly cluster: string | undefined;
  readonly gvr: GroupVersionResource;
  /** Undefined = cluster-scoped, or all namespaces. */
  readonly namespace?: string | undefined;
}

export interface ObjectRef extends CollectionRef {
  readonly name: string;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Default 30,000. The call rejects with ApiError `Timeout`. Does not bound a watch. */
  readonly timeoutMs?: number | undefined;
}

export interface ReadOptions extends CallOptions {
  /** KUBERNETES.md L2. Default '': newest, linearizable. */
  readonly resourceVersion?: string | undefined;
  /** Ask for PartialObjectMetadata only (N4); a client may be told to have it without managedFields. */
  readonly metadataOnly?: boolean | undefined;
}

export interface ListOptions extends ReadOptions {
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan' | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
}

export interface WatchOptions extends CallOptions {
  readonly resourceVersion?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly metadataOnly?: boolean | undefined;
  /**
   * With `metadataOnly`: small objects may come whole in the event that tells that they are new. An offer of our own API server,
   * by a client that is told to take lean metadata; never a promise.
   */
  readonly newWhole?: boolean | undefined;
  readonly allowWatchBookmarks?: boolean | undefined;
  /** W6: synthetic ADDED events, then a bookmark annotated `k8s.io/initial-events-end`. */
  readonly sendInitialEvents?: boolean | undefined;
  /** Seconds after which the server ends the watch. */
  readonly timeoutSeconds?: number | undefined;
}

export interface WriteOptions extends CallOptions {
  readonly fieldManager?: string | undefined;
  readonly dryRun?: boolean | undefined;
  readonly subresource?: string | undefined;
  /** Be answered with the metadata of what was written, as PartialObjectMetadata (N4). */
  readonly metadataOnly?: boolean | undefined;
  /**
   * Who calls does not look at what is answered to a success: it need not be decoded, and what is returned then is an object
   * without name and revision. With `metadataOnly` little is sent, too.
   */
  readonly unread?: boolean | undefined;
  readonly fieldValidation?: 'Ignore' | 'Warn' | 'Strict' | undefined;
}

export interface ApplyOptions extends WriteOptions {
  readonly fieldManager: string;
  readonly force?: boolean | undefined;
  /**
   * Only create: AlreadyExists when the object is there. A precondition of our own API server; Kubernetes ignores it, so it
   * must not be relied upon elsewhere.
   */
  readonly ifAbsent?: boolean | undefined;
}

/** What becomes of an object's dependents when it is deleted (KUBERNETES.md X4). */
export type PropagationPolicy = 'Background' | 'Foreground' | 'Orphan';

export interface DeleteOptions extends CallOptions {
  readonly preconditions?:
    | { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined }
    | undefined;
  readonly propagationPolicy?: PropagationPolicy | undefined;
  readonly gracePeriodSeconds?: number | undefined;
  readonly dryRun?: boolean | undefined;
}

export type Patch =
  | { readonly type: 'json'; readonly operations: readonly JsonObject[] }
  | { readonly type: 'merge'; readonly body: JsonObject }
  | { readonly type: 'strategic'; readonly body: JsonObject };

export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string; readonly initialEventsEnd: boolean };

/**
 * The only door to an API server, one implementation per transport: loopback (in the server's own process) and remote.
 *
 * Objects returned are the caller's own to change; objects passed in are not kept. Errors are ApiError with the reason
 * of the server's Status; a server that cannot be reached is `ServiceUnavailable` with the network error as cause.
 * No call retries by itself.
 */
export interface KubeClient {
  get(ref: ObjectRef, options?: ReadOptions): Promise<KubeObject>;
  list(collection: CollectionRef, options?: ListOptions): Promise<KubeList>;
  /**
   * Ends cleanly when the server ends the watch or the signal fires; throws ApiError `Expired` when the revision is
   * compacted, another ApiError when the stream breaks. Breaking out of the loop closes the stream.
   */
  watch(collection: CollectionRef, options?: WatchOptions): AsyncIterable<WatchEvent>;
  create(collection: CollectionRef, object: KubeObject, options?: WriteOptions): Promise<KubeObject>;
  /** PUT. Guarded when the object carries a resourceVersion. */
  update(ref: ObjectRef, object: KubeObject, options?: WriteOptions): Promise<KubeObject>;
  patch(ref: ObjectRef, patch: Patch, options?: WriteOptions): Promise<KubeObject>;
  /** Server-side apply. */
  apply(ref: ObjectRef, object: JsonObject, options: ApplyOptions): Promise<KubeObject>;
  /** Returns what the server answers: the lingering object, or a Status. */
  delete(ref: ObjectRef, options?: DeleteOptions): Promise<JsonObject>;
  deleteCollection(collection: CollectionRef, options?: ListOptions & DeleteOptions): Promise<void>;
  /** Any other path (discovery, `/version`), relative to the workspace. Returns the decoded JSON answer. */
  raw(
    request: {
      readonly cluster: string | undefined;
      readonly method: 'GET' | 'POST' | 'PUT';
      readonly path: string;
      readonly accept?: string | undefined;
      readonly body?: JsonValue | undefined;
    },
    options?: CallOptions,
  ): Promise<JsonValue>;
  /** Idempotent. Ends open calls and watches. */
  close(): Promise<void>;
}
