import { type buildConnector, type Dispatcher, Pool } from 'undici';
import { type BatchMethod, batchPath } from '#api/federation/batch.ts';
import { incarnationHeader, isOtherStore } from '#api/federation/store-incarnation.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeList, KubeObject } from '#apimachinery/object.ts';
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
} from '../client.ts';
import { type OpenCall, OpenCalls } from '../open-calls.ts';
import {
  applyQuery,
  clusterPrefix,
  collectionPath,
  deleteOptionsBody,
  listQuery,
  objectPath,
  queryString,
  watchQuery,
  writeQuery,
} from '../paths.ts';
import type { ClientStore } from '../store-client.ts';
import { Batcher, type SingleRequest } from './batcher.ts';
import { ChunkReader } from './chunk-reader.ts';
import { type ConnectionLimits, defaultConnectionLimits, type ServerConnection } from './connection.ts';
import { connectorOf, type PlainConnector } from './connector.ts';
import { FrameTooLarge, LineDecoder } from './line-decoder.ts';
import { errorFromAnswer, errorFromNetwork, errorFromStatus } from './remote-error.ts';
import { type AnsweredBytes, requestBytes } from './request-bytes.ts';
import { type StreamAnswer, WatchSessions } from './watch-sessions.ts';

const acceptJson = 'application/json';
/** Parameter that has our API server leave managedFields out; others ignore it (docs/batches.md, Lean metadata). */
const lean = ';managedFields=false';
/** Likewise, for watches (New objects). */
const whole = ';newObjects=whole';

const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
} as const;

interface Call {
  readonly method: BatchMethod;
  readonly path: string;
  /** It concerns more than one object, or none. */
  readonly isWide?: boolean | undefined;
  readonly accept?: string | undefined;
  readonly contentType?: string | undefined;
  readonly body?: JsonValue | undefined;
}

/** An empty list as Go writes one: kube-apiserver its PartialObjectMetadataLists, in every version. */
type NullList = Pick<KubeList, 'apiVersion' | 'kind' | 'metadata'> & { readonly items: null };

function isNullList(list: KubeList | NullList): list is NullList {
  // What is no object at all is for the caller to judge.
  return typeof list === 'object' && list?.items === null;
}

/**
 * KubeClient over the network: requests through a keep-alive pool, watches over shared HTTP/2 sessions (HTTP/1.1 where
 * the server speaks nothing else). It never retries; callers do, with their own backoff.
 */
export class RemoteClient implements KubeClient {
  readonly #connection: ServerConnection;
  readonly #limits: ConnectionLimits;
  readonly #pool: Pool;
  readonly #streams: WatchSessions;
  readonly #batcher: Batcher | undefined;
  /** Watches over HTTP/1.1 each need a connection of their own; they must not take the requests' places. */
  #http1Streams: Pool | undefined;
  readonly #basePath: string;
  readonly #calls = new OpenCalls();
  #closed = false;
  readonly #userAgent: string;
  readonly #store: ClientStore | undefined;
  readonly #connect: buildConnector.connector;
  readonly #acceptMetadata: string;
  readonly #acceptMetadataList: string;
  readonly #acceptNewWhole: string;

  constructor(
    connection: ServerConnection,
    options: {
      readonly userAgent: string;
      readonly limits?: Partial<ConnectionLimits> | undefined;
      /**
       * Calls for single objects that are made at the same time go to the server as one request, where it knows such
       * (docs/batches.md): for those who make many. Default false.
       */
      readonly batches?: boolean | undefined;
      /**
       * Makes a connection to an `http:` server, whose watches then have one each. Default: sockets of the operating system,
       * as `connection` says.
       */
      readonly connector?: PlainConnector | undefined;
      /** Metadata asked for alone comes without managedFields, where the server knows how. Default false. */
      readonly leanMetadata?: boolean | undefined;
      /** Calls are for this store alone, where the server knows how. Default: for whichever it has. */
      readonly store?: ClientStore | undefined;
    },
  ) {
    this.#connection = connection;
    this.#limits = { ...defaultConnectionLimits, ...options.limits };
    this.#userAgent = options.userAgent;
    this.#store = options.store;
    this.#connect = connectorOf(connection, this.#limits, options.connector);
    this.#acceptMetadata = acceptMetadata(options.leanMetadata, 'PartialObjectMetadata');
    this.#acceptMetadataList = acceptMetadata(options.leanMetadata, 'PartialObjectMetadataList');
    this.#acceptNewWhole = this.#acceptMetadata.replace(lean, lean + whole);
    const url = new URL(connection.server);
    this.#basePath = url.pathname.replace(/\/+$/, '');
    this.#pool = new Pool(url.origin, {
      connections: this.#limits.connectionsMax,
      pipelining: 1,
      connect: this.#connect,
      maxResponseSize: this.#limits.responseBytesMax,
      keepAliveTimeout: 60_000,
    });
    this.#streams = new WatchSessions(connection, this.#limits);
    if (options.batches !== true) return;
    this.#batcher = new Batcher({
      dispatcher: this.#pool,
      path: this.#basePath + batchPath,
      headers: this.#headers(undefined, undefined),
      alone: (request) => this.#dispatchOptions(request),
    });
  }

  get(ref: ObjectRef, options: ReadOptions = {}): Promise<KubeObject> {
    return this.#call<KubeObject>(
      {
        method: 'GET',
        path: objectPath(ref) + queryString({ resourceVersion: options.resourceVersion }),
        accept: this.#acceptOf(options),
      },
      options,
    );
  }

  async list(collection: CollectionRef, options: ListOptions = {}): Promise<KubeList> {
    const list = await this.#call<KubeList | NullList>(
      {
        method: 'GET',
        path: collectionPath(collection) + queryString(listQuery(options)),
        accept: options.metadataOnly === true ? this.#acceptMetadataList : acceptJson,
        isWide: true,
      },
      options,
    );
    return isNullList(list) ? { ...list, items: [] } : list;
  }

  create(collection: CollectionRef, object: KubeObject, options: WriteOptions = {}): Promise<KubeObject> {
    const name =
      options.subresource === undefined ? '' : `/${object.metadata.name ?? ''}/${options.subresource}`;
    const path = collectionPath(collection) + name + queryString(writeQuery(options));
    return this.#call<KubeObject>(
      { method: 'POST', path, contentType: acceptJson, accept: this.#acceptOf(options), body: object },
      options,
    );
  }

  update(ref: ObjectRef, object: KubeObject, options: WriteOptions = {}): Promise<KubeObject> {
    const path = objectPath(ref, options.subresource) + queryString(writeQuery(options));
    return this.#call<KubeObject>(
      { method: 'PUT', path, contentType: acceptJson, accept: this.#acceptOf(options), body: object },
      options,
    );
  }

  patch(ref: ObjectRef, patch: Patch, options: WriteOptions = {}): Promise<KubeObject> {
    const path = objectPath(ref, options.subresource) + queryString(writeQuery(options));
    const body: JsonValue = patch.type === 'json' ? [...patch.operations] : patch.body;
    return this.#call<KubeObject>(
      { method: 'PATCH', path, contentType: patchTypes[patch.type], accept: this.#acceptOf(options), body },
      options,
    );
  }

  apply(ref: ObjectRef, object: JsonObject, options: ApplyOptions): Promise<KubeObject> {
    const query = queryString(applyQuery(options));
    return this.#call<KubeObject>(
      {
        method: 'PATCH',
        path: objectPath(ref, options.subresource) + query,
        contentType: 'application/apply-patch+yaml',
        accept: this.#acceptOf(options),
        body: object,
      },
      options,
    );
  }

  delete(ref: ObjectRef, options: DeleteOptions = {}): Promise<JsonObject> {
    return this.#call<JsonObject>(
      { method: 'DELETE', path: objectPath(ref), contentType: acceptJson, body: deleteOptionsBody(options) },
      options,
    );
  }

  async deleteCollection(
    collection: CollectionRef,
    options: ListOptions & DeleteOptions = {},
  ): Promise<void> {
    await this.#call<JsonObject>(
      {
        method: 'DELETE',
        path: collectionPath(collection) + queryString(listQuery(options)),
        contentType: acceptJson,
        body: deleteOptionsBody(options),
        isWide: true,
      },
      options,
    );
  }

  raw(
    request: {
      readonly cluster: string | undefined;
      readonly method: 'GET' | 'POST' | 'PUT';
      readonly path: string;
      readonly accept?: string | undefined;
      readonly body?: JsonValue | undefined;
    },
    options: CallOptions = {},
  ): Promise<JsonValue> {
    return this.#call<JsonValue>(
      {
        method: request.method,
        path: clusterPrefix(request.cluster) + request.path,
        accept: request.accept,
        isWide: true,
        ...(request.body === undefined ? {} : { contentType: acceptJson, body: request.body }),
      },
      options,
    );
  }

  async *watch(collection: CollectionRef, options: WatchOptions = {}): AsyncGenerator<WatchEvent> {
    const call = this.#calls.begin(options.signal);
    const { signal } = call;
    let chunks: ChunkReader | undefined;
    try {
      if (signal.aborted) return;
      const path = collectionPath(collection) + queryString(watchQuery(options));
      const asksWhole = options.metadataOnly === true && options.newWhole === true;
      const accept = asksWhole ? this.#acceptNewWhole : this.#acceptOf(options);
      const headers = this.#headers(accept, undefined);
      const answer = await this.#openStream(path, headers, signal);
      if (answer.status !== 200) throw this.#refusal(answer.status, await readAll(answer.body, 1024 * 1024));
      const decoder = new LineDecoder(this.#limits.watchFrameBytesMax);
      chunks = new ChunkReader(answer.body);
      for (;;) {
        const next = chunks.read();
        const chunk = next instanceof Promise ? await next : next;
        if (chunk === undefined || signal.aborted) return;
        for (const frame of decoder.push(chunk)) {
          const wait = this.#limits.pace?.(frame.length, call, 'event');
          if (wait !== undefined) await wait;
          yield decodeEvent(frame);
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof FrameTooLarge) void this.#limits.pace?.(error.bytes, call, 'oversize');
      throw error instanceof ApiError ? error : errorFromNetwork(this.#connection.server, error);
    } finally {
      chunks?.close();
      call.end();
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#calls.close(new Error('the client is closed'));
    this.#streams.close();
    await Promise.all([this.#pool.destroy(), this.#http1Streams?.destroy()]);
  }

  #refusal(statusCode: number, body: Buffer): ApiError {
    const error = errorFromAnswer(statusCode, body);
    if (this.#store !== undefined && isOtherStore(error)) this.#store.onOther();
    return error;
  }

  #networkError(error: unknown, call: OpenCall): ApiError {
    const told = errorFromNetwork(this.#connection.server, error);
    const { pace, responseBytesMax } = this.#limits;
    if (told.reason === 'RequestEntityTooLarge') void pace?.(responseBytesMax, call, 'oversize');
    return told;
  }

  #acceptOf({ metadataOnly }: { readonly metadataOnly?: boolean | undefined }): string {
    return metadataOnly === true ? this.#acceptMetadata : acceptJson;
  }

  #headers(accept: string | undefined, contentType: string | undefined): { [name: string]: string } {
    const headers: { [name: string]: string } = {
      accept: accept ?? acceptJson,
      'user-agent': this.#userAgent,
    };
    if (this.#connection.token !== undefined) headers['authorization'] = `Bearer ${this.#connection.token}`;
    if (this.#store !== undefined) headers[incarnationHeader] = this.#store.incarnationId;
    if (contentType !== undefined) headers['content-type'] = contentType;
    return headers;
  }

  #dispatchOptions({ method, path, accept, contentType, body }: SingleRequest): Dispatcher.DispatchOptions {
    return {
      method,
      path: this.#basePath + path,
      headers: this.#headers(accept, contentType),
      body: body ?? null,
      // undici would give the connection up after each DELETE with a body, and API servers read one (X1).
      reset: false,
      headersTimeout: 0,
      bodyTimeout: 0,
    };
  }

  #send({ method, path, accept, contentType, body, isWide }: Call, call: OpenCall): Promise<AnsweredBytes> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const request: SingleRequest = { method, path, accept, contentType, body: text };
    if (this.#batcher !== undefined && isWide !== true) return this.#batcher.send(request, call);
    return requestBytes(this.#pool, this.#dispatchOptions(request), call, this.#limits.responseBytesMax);
  }

  async #openStream(
    path: string,
    headers: { [name: string]: string },
    signal: AbortSignal,
  ): Promise<StreamAnswer> {
    const overHttp2 = await this.#streams.open(this.#basePath + path, headers, signal);
    if (overHttp2 !== undefined) return overHttp2;
    this.#http1Streams ??= new Pool(new URL(this.#connection.server).origin, {
      pipelining: 1,
      connect: this.#connect,
    });
    const answer = await this.#http1Streams.request({
      method: 'GET',
      path: this.#basePath + path,
      headers,
      signal,
      headersTimeout: this.#limits.requestTimeoutMs,
      bodyTimeout: 0,
    });
    return { status: answer.statusCode, body: answer.body };
  }

  async #call<T extends JsonValue>(
    request: Call,
    options: CallOptions & Pick<WriteOptions, 'unread'>,
  ): Promise<T> {
    const timeoutMs = options.timeoutMs ?? this.#limits.requestTimeoutMs;
    const call = this.#calls.begin(options.signal, timeoutMs);
    let statusCode: number;
    let body: Buffer;
    try {
      ({ statusCode, body } = await this.#send(request, call));
      const { pace } = this.#limits;
      const wait = pace === undefined ? undefined : pace(body.length, call, 'answer');
      if (wait !== undefined) await wait;
    } catch (error) {
      if (options.signal?.aborted === true) throw options.signal.reason;
      if (!call.timedOut) throw this.#networkError(error, call);
      const { server } = this.#connection;
      throw new ApiError('Timeout', `${server} did not answer within ${timeoutMs} ms`, { cause: error });
    } finally {
      call.end();
    }
    if (statusCode < 200 || statusCode > 299) throw this.#refusal(statusCode, body);
    if (options.unread === true) return { ...unreadObject, metadata: {} } as JsonValue as T;
    return decodeBody<T>(body, this.#connection.server);
  }
}

/** What is returned to those who do not look at it (`WriteOptions.unread`). */
const unreadObject = { apiVersion: '', kind: '' } as const;

function acceptMetadata(isLean: boolean | undefined, as: string): string {
  return `${acceptJson};as=${as};g=meta.k8s.io;v=v1${isLean === true ? lean : ''},${acceptJson}`;
}

function decodeBody<T extends JsonValue>(body: Buffer, server: string): T {
  try {
    return JSON.parse(body.toString('utf8')) as T;
  } catch (error) {
    throw new ApiError('InternalError', `${server} answered with something that is not JSON`, {
      cause: error,
    });
  }
}

function decodeEvent(frame: Buffer): WatchEvent {
  const event = decodeBody<JsonValue>(frame, 'the watch');
  if (!isJsonObject(event) || !isJsonObject(event['object'])) {
    throw new ApiError('InternalError', 'a watch event has no object');
  }
  const object = event['object'];
  switch (event['type']) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type: event['type'], object: object as KubeObject };
    case 'BOOKMARK': {
      const metadata = (object as KubeObject).metadata ?? {};
      return {
        type: 'BOOKMARK',
        resourceVersion: metadata.resourceVersion ?? '',
        initialEventsEnd: metadata.annotations?.['k8s.io/initial-events-end'] === 'true',
      };
    }
    case 'ERROR':
      throw errorFromStatus(object);
    default:
      throw new ApiError(
        'InternalError',
        `a watch event has the unknown type ${JSON.stringify(event['type'])}`,
      );
  }
}

async function readAll(body: AsyncIterable<unknown>, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > bytesMax) break;
  }
  return Buffer.concat(chunks);
}
