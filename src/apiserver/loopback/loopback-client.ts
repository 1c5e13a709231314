import { randomUUID } from 'node:crypto';
import { ApiError, isApiError, type StatusDetails, type StatusReason } from '#apimachinery/api-error.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { type LinkedController, linkedController } from '#apimachinery/lifecycle.ts';
import type { KubeList, KubeObject } from '#apimachinery/object.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import type {
  ApplyOptions,
  CallOptions,
  CollectionRef,
  DeleteOptions,
  KubeClient,
  ListOptions,
  ObjectRef,
  Patch,
  ReadOptions,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '#client/client.ts';
import { deleteOptionsBody, listQuery, watchQuery, writeQuery } from '#client/paths.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import type { Revision } from '#storage/storage.ts';
import { attributesOf, forbiddenError } from '../authz/attributes.ts';
import type { AuthorizationDecision, Authorizer } from '../authz/authorizer.ts';
import { servedObjectOf } from '../registry/conversion.ts';
import { fromStorageError } from '../registry/storage-errors.ts';
import { metadataObjectOf } from '../registry/stored-body.ts';
import type { ResourceContext } from '../request/context.ts';
import { loopbackUser, type UserInfo } from '../request/user.ts';
import { applyPatchType, jsonPatchType, mergePatchType, strategicMergePatchType } from '../verbs/patch.ts';
import type { RequestBody } from '../verbs/request-body.ts';
import type { ListResult, VerbResult, WatchResult } from '../verbs/result.ts';
import type { Verbs } from '../verbs/verbs.ts';
import type { Workspace, WorkspaceResolver } from '../workspace/workspace.ts';
import { LoopbackRequest } from './loopback-request.ts';
import { type QueuedItem, type WatchBacklog, WatchQueue } from './watch-queue.ts';

const defaultTimeoutMs = 30_000;

export interface LoopbackClientOptions {
  readonly verbs: Verbs;
  readonly workspaces: WorkspaceResolver;
  /** Default: the server's own user, a system:masters. */
  readonly user?: UserInfo | undefined;
  /** Asked for every call, as for a request over the network. Absent: every call is allowed. */
  readonly authorizer?: Authorizer | undefined;
  /** Default field manager of writes (C8). Default `cellplane`. */
  readonly fieldManager?: string | undefined;
  /** What a slow reader of a watch may leave behind before its watch is ended. */
  readonly watchBacklog?: WatchBacklog | undefined;
  /** Serves `raw`: discovery, `/version` and the like are the HTTP side's. Absent: `raw` is NotImplemented. */
  readonly raw?: KubeClient['raw'] | undefined;
}

interface Call {
  readonly verb: string;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
  readonly query?: { readonly [name: string]: string | number | boolean | undefined } | undefined;
  readonly body?: RequestBody | undefined;
}

/**
 * The client interface over the verbs of the same process: no sockets, no encoding of what is asked, and nothing mutable
 * shared with the server. Authorization and admission hold as for any other client.
 */
export class LoopbackClient implements KubeClient {
  readonly #options: LoopbackClientOptions;
  readonly #user: UserInfo;
  readonly #closing = new AbortController();
  /** Each has a signal of its own: one for all would collect the listeners of all. */
  readonly #openWatches = new Set<LinkedController>();

  constructor(options: LoopbackClientOptions) {
    this.#options = options;
    this.#user = options.user ?? loopbackUser;
  }

  async get(ref: ObjectRef, options: ReadOptions = {}): Promise<KubeObject> {
    const query =
      options.resourceVersion === undefined ? undefined : { resourceVersion: options.resourceVersion };
    const result = await this.#call(ref, { verb: 'get', name: ref.name, query }, options);
    if (result.type === 'entry' && options.metadataOnly === true) return metadataObjectOf(result.entry);
    return objectOfResult(result);
  }

  async list(collection: CollectionRef, options: ListOptions = {}): Promise<KubeList> {
    const result = await this.#call(collection, { verb: 'list', query: listQuery(options) }, options);
    if (result.type !== 'list') throw unexpected(result);
    return listOf(result, options.metadataOnly === true);
  }

  watch(collection: CollectionRef, options: WatchOptions = {}): AsyncIterable<WatchEvent> {
    return { [Symbol.asyncIterator]: () => this.#watch(collection, options) };
  }

  create(collection: CollectionRef, object: KubeObject, options: WriteOptions = {}): Promise<KubeObject> {
    const name = options.subresource === undefined ? undefined : object.metadata.name;
    return this.#write(collection, { verb: 'create', name, body: { object } }, options);
  }

  update(ref: ObjectRef, object: KubeObject, options: WriteOptions = {}): Promise<KubeObject> {
    return this.#write(ref, { verb: 'update', name: ref.name, body: { object } }, options);
  }

  patch(ref: ObjectRef, patch: Patch, options: WriteOptions = {}): Promise<KubeObject> {
    return this.#write(ref, { verb: 'patch', name: ref.name, body: patchBody(patch) }, options);
  }

  apply(ref: ObjectRef, object: JsonObject, options: ApplyOptions): Promise<KubeObject> {
    const query = { force: options.force, ifAbsent: options.ifAbsent };
    const body: RequestBody = { object, contentType: applyPatchType };
    return this.#write(ref, { verb: 'patch', name: ref.name, body, query }, options);
  }

  async delete(ref: ObjectRef, options: DeleteOptions = {}): Promise<JsonObject> {
    const body: RequestBody = { object: deleteOptionsBody(options) };
    const result = await this.#call(ref, { verb: 'delete', name: ref.name, body }, options);
    return result.type === 'status' ? result.body : objectOfResult(result);
  }

  async deleteCollection(
    collection: CollectionRef,
    options: ListOptions & DeleteOptions = {},
  ): Promise<void> {
    const body: RequestBody = { object: deleteOptionsBody(options) };
    await this.#call(collection, { verb: 'deletecollection', query: listQuery(options), body }, options);
  }

  raw(request: Parameters<KubeClient['raw']>[0], options: CallOptions = {}): Promise<JsonValue> {
    if (this.#options.raw !== undefined) return this.#options.raw(request, options);
    return Promise.reject(new ApiError('NotImplemented', `${request.path} is not served in this process`));
  }

  close(): Promise<void> {
    this.#closing.abort();
    for (const watch of [...this.#openWatches]) watch.abort();
    return Promise.resolve();
  }

  async #write(collection: CollectionRef, call: Call, options: WriteOptions): Promise<KubeObject> {
    const query = { ...writeQuery(options), ...call.query };
    const { subresource } = options;
    const result = await this.#call(collection, { ...call, query, subresource }, options);
    if (result.type === 'status') return result.body as KubeObject;
    if (result.type === 'entry' && options.metadataOnly === true) return metadataObjectOf(result.entry);
    return objectOfResult(result);
  }

  async #call(collection: CollectionRef, call: Call, options: CallOptions): Promise<VerbResult> {
    const signal = options.signal ?? this.#closing.signal;
    const context = await this.#context(collection, call, signal);
    const result = this.#options.verbs.execute(context, { body: call.body });
    return result instanceof Promise
      ? bounded(result, options.timeoutMs ?? defaultTimeoutMs, options.signal)
      : result;
  }

  async #context(collection: CollectionRef, call: Call, signal: AbortSignal): Promise<ResourceContext> {
    try {
      return await this.#admitted(collection, call, signal);
    } catch (error) {
      throw fromStorageError(error);
    }
  }

  async #admitted(collection: CollectionRef, call: Call, signal: AbortSignal): Promise<ResourceContext> {
    if (this.#closing.signal.aborted) throw new ApiError('ServiceUnavailable', 'the client is closed');
    if (signal.aborted) throw aborted(signal);
    const clusterRef = collection.cluster ?? 'root';
    const isWildcard = clusterRef === '*';
    let workspace = isWildcard ? undefined : await this.#resolve(clusterRef);
    const { group, version, resource } = collection.gvr;
    const lookUp = (): ServedResource | undefined => {
      const scheme = workspace?.scheme ?? this.#options.workspaces.wildcardScheme();
      return scheme.lookupResource(group, version, resource);
    };
    let served = lookUp();
    // A CRD may have been established through another server, as where it is asked for over the network (dispatcher.ts).
    const fresh = served === undefined ? this.#options.workspaces.awaitFresh?.() : undefined;
    if (fresh !== undefined) {
      await fresh;
      if (!isWildcard) workspace = await this.#resolve(clusterRef);
      served = lookUp();
    }
    const namespace = collection.namespace ?? '';
    if (served === undefined || (namespace !== '' && !served.definition.namespaced)) {
      throw new ApiError('NotFound', 'the server could not find the requested resource', {
        details: { ...(group === '' ? {} : { group }), kind: resource },
      });
    }
    const name = call.name ?? '';
    const subresource = call.subresource ?? '';
    const info = new LoopbackRequest(
      clusterRef,
      call.verb,
      { group, version, resource, subresource, namespace, name },
      call.query ?? {},
    );
    await this.#authorize(info, workspace);
    return {
      info,
      user: this.#user,
      workspace,
      auditId: randomUUID(),
      signal,
      warnings: [],
      defaultFieldManager: this.#options.fieldManager ?? 'cellplane',
      served,
      subresource,
      namespace,
      name,
    };
  }

  /** Synchronously where known; a workspace that another server has just made is looked for again. */
  async #resolve(clusterRef: string): Promise<Workspace> {
    const { workspaces } = this.#options;
    try {
      return workspaces.resolve(clusterRef);
    } catch (error) {
      if (workspaces.resolveFresh === undefined || !isApiError(error, 'NotFound', 'Forbidden')) throw error;
      return workspaces.resolveFresh(clusterRef);
    }
  }

  async #authorize(info: LoopbackRequest, workspace: Workspace | undefined): Promise<void> {
    const { authorizer } = this.#options;
    if (authorizer === undefined) return;
    const attributes = attributesOf(info, this.#user, workspace);
    const decided: AuthorizationDecision = await authorizer.authorize(attributes);
    if (decided.decision !== 'allow') throw forbiddenError(attributes, decided.reason);
  }

  async *#watch(
    collection: CollectionRef,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent, void, undefined> {
    const ending = linkedController(options.signal);
    if (ending.signal.aborted || this.#closing.signal.aborted) return;
    this.#openWatches.add(ending);
    const queue = new WatchQueue(() => ending.abort(), this.#options.watchBacklog);
    ending.signal.addEventListener('abort', () => queue.end(undefined), { once: true });
    try {
      const watch = await this.#openWatch(collection, options, ending.signal);
      if (watch === undefined) return;
      const stop = watch.start(queue);
      try {
        for (;;) {
          const item = await queue.take();
          if (item === undefined) break;
          yield eventOf(item, watch.served, options.metadataOnly === true);
        }
      } finally {
        stop();
      }
      if (queue.status !== undefined) throw errorOf(queue.status);
    } finally {
      ending.dispose();
      this.#openWatches.delete(ending);
    }
  }

  async #openWatch(
    collection: CollectionRef,
    options: WatchOptions,
    signal: AbortSignal,
  ): Promise<WatchResult | undefined> {
    try {
      const context = await this.#context(collection, { verb: 'watch', query: watchQuery(options) }, signal);
      const result = await this.#options.verbs.execute(context, { body: undefined });
      if (result.type !== 'watch') throw unexpected(result);
      return result;
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    }
  }
}

function patchBody(patch: Patch): RequestBody {
  switch (patch.type) {
    case 'json':
      return { object: [...patch.operations], contentType: jsonPatchType };
    case 'merge':
      return { object: patch.body, contentType: mergePatchType };
    case 'strategic':
      return { object: patch.body, contentType: strategicMergePatchType };
    default: {
      const unknown: never = patch;
      throw new Error(`unknown patch ${String(unknown)}`);
    }
  }
}

function objectOfResult(result: VerbResult): KubeObject {
  switch (result.type) {
    case 'entry':
      return servedObjectOf(result.entry, result.served);
    case 'object':
      return result.object;
    case 'encoded':
      return JSON.parse(result.body.toString('utf8')) as KubeObject;
    default:
      throw unexpected(result);
  }
}

function listOf(result: ListResult, metadataOnly: boolean): KubeList {
  const { definition } = result.served;
  const items: KubeObject[] = [];
  for (const entry of result.entries) items.push(shown(entry, result.served, metadataOnly, undefined));
  const page = result.page();
  const metadata: KubeList['metadata'] = { resourceVersion: String(result.revision) };
  if (page.continue !== undefined) metadata.continue = page.continue;
  if (page.remainingItemCount !== undefined) metadata.remainingItemCount = page.remainingItemCount;
  const { group } = definition;
  const { version } = result.served.version;
  return {
    apiVersion: metadataOnly ? 'meta.k8s.io/v1' : group === '' ? version : `${group}/${version}`,
    kind: metadataOnly ? 'PartialObjectMetadataList' : definition.listKind,
    metadata,
    items,
  };
}

function shown(
  entry: CacheEntry,
  served: ServedResource,
  metadataOnly: boolean,
  revision: Revision | undefined,
): KubeObject {
  return metadataOnly ? metadataObjectOf(entry, revision) : servedObjectOf(entry, served, revision);
}

function eventOf(item: QueuedItem, served: ServedResource, metadataOnly: boolean): WatchEvent {
  if (item.type === 'bookmark') {
    return {
      type: 'BOOKMARK',
      resourceVersion: String(item.revision),
      initialEventsEnd: item.initialEventsEnd,
    };
  }
  const { type, entry, revision } = item.delivery;
  return { type, object: shown(entry, served, metadataOnly, revision) };
}

/** Rejects with 504 when the call takes too long, with the signal's reason when the caller gives up first. */
function bounded(
  result: Promise<VerbResult>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<VerbResult> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new ApiError('Timeout', `the request did not complete within ${timeoutMs} ms`));
    }, timeoutMs);
    const onAbort = (): void => {
      if (signal !== undefined) reject(aborted(signal));
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    result.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    });
  });
}

function aborted(signal: AbortSignal): unknown {
  return signal.reason ?? new ApiError('Timeout', 'the request was given up');
}

function errorOf(status: JsonObject): ApiError {
  const { reason, message, details, code } = status;
  return new ApiError(
    typeof reason === 'string' ? (reason as StatusReason) : 'InternalError',
    typeof message === 'string' ? message : 'the watch broke',
    { details: details as StatusDetails | undefined, code: typeof code === 'number' ? code : undefined },
  );
}

function unexpected(result: VerbResult): ApiError {
  return new ApiError('InternalError', `unexpected answer of type ${result.type}`);
}
