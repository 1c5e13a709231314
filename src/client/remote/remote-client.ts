import { Pool } from 'undici';
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
import {
  clusterPrefix,
  collectionPath,
  deleteOptionsBody,
  listQuery,
  objectPath,
  queryString,
  watchQuery,
  writeQuery,
} from '../paths.ts';
import {
  type ConnectionLimits,
  defaultConnectionLimits,
  type ServerConnection,
  tlsOptions,
} from './connection.ts';
import { LineDecoder } from './line-decoder.ts';
import { errorFromAnswer, errorFromNetwork, errorFromStatus } from './remote-error.ts';
import { WatchSessions } from './watch-sessions.ts';

const acceptJson = 'application/json';
const acceptMetadata = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';
const acceptMetadataList =
  'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';

const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
} as const;

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly accept?: string | undefined;
  readonly contentType?: string | undefined;
  readonly body?: JsonValue | undefined;
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
  /** Watches over HTTP/1.1 each need a connection of their own; they must not take the requests' places. */
  #http1Streams: Pool | undefined;
  readonly #basePath: string;
  readonly #closing = new AbortController();
  readonly #userAgent: string;

  constructor(
    connection: ServerConnection,
    options: { readonly userAgent: string; readonly limits?: Partial<ConnectionLimits> | undefined },
  ) {
    this.#connection = connection;
    this.#limits = { ...defaultConnectionLimits, ...options.limits };
    this.#userAgent = options.userAgent;
    const url = new URL(connection.server);
    this.#basePath = url.pathname.replace(/\/+$/, '');
    this.#pool = new Pool(url.origin, {
      connections: this.#limits.connectionsMax,
      pipelining: 1,
      connect: { ...tlsOptions(connection), timeout: this.#limits.connectTimeoutMs },
      maxResponseSize: this.#limits.responseBytesMax,
      keepAliveTimeout: 60_000,
    });
    this.#streams = new WatchSessions(connection, this.#limits);
  }

  get(ref: ObjectRef, options: ReadOptions = {}): Promise<KubeObject> {
    return this.#call<KubeObject>(
      {
        method: 'GET',
        path: objectPath(ref) + queryString({ resourceVersion: options.resourceVersion }),
        accept: options.metadataOnly === true ? acceptMetadata : acceptJson,
      },
      options,
    );
  }

  list(collection: CollectionRef, options: ListOptions = {}): Promise<KubeList> {
    return this.#call<KubeList>(
      {
        method: 'GET',
        path: collectionPath(collection) + queryString(listQuery(options)),
        accept: options.metadataOnly === true ? acceptMetadataList : acceptJson,
      },
      options,
    );
  }

  create(collection: CollectionRef, object: KubeObject, options: WriteOptions = {}): Promise<KubeObject> {
    const name =
      options.subresource === undefined ? '' : `/${object.metadata.name ?? ''}/${options.subresource}`;
    const path = collectionPath(collection) + name + queryString(writeQuery(options));
    return this.#call<KubeObject>({ method: 'POST', path, contentType: acceptJson, body: object }, options);
  }

  update(ref: ObjectRef, object: KubeObject, options: WriteOptions = {}): Promise<KubeObject> {
    const path = objectPath(ref, options.subresource) + queryString(writeQuery(options));
    return this.#call<KubeObject>({ method: 'PUT', path, contentType: acceptJson, body: object }, options);
  }

  patch(ref: ObjectRef, patch: Patch, options: WriteOptions = {}): Promise<KubeObject> {
    const path = objectPath(ref, options.subresource) + queryString(writeQuery(options));
    const body: JsonValue = patch.type === 'json' ? [...patch.operations] : patch.body;
    return this.#call<KubeObject>(
      { method: 'PATCH', path, contentType: patchTypes[patch.type], body },
      options,
    );
  }

  apply(ref: ObjectRef, object: JsonObject, options: ApplyOptions): Promise<KubeObject> {
    const query = queryString({ ...writeQuery(options), force: options.force });
    return this.#call<KubeObject>(
      {
        method: 'PATCH',
        path: objectPath(ref, options.subresource) + query,
        contentType: 'application/apply-patch+yaml',
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
        ...(request.body === undefined ? {} : { contentType: acceptJson, body: request.body }),
      },
      options,
    );
  }

  async *watch(collection: CollectionRef, options: WatchOptions = {}): AsyncGenerator<WatchEvent> {
    const ended = new AbortController();
    const signals = [ended.signal, this.#closing.signal];
    if (options.signal !== undefined) signals.push(options.signal);
    const signal = AbortSignal.any(signals);
    try {
      const path = collectionPath(collection) + queryString(watchQuery(options));
      const headers = this.#headers(options.metadataOnly === true ? acceptMetadata : acceptJson);
      const answer = await this.#openStream(path, headers, signal);
      if (answer.status !== 200)
        throw errorFromAnswer(answer.status, await readAll(answer.body, 1024 * 1024));
      const decoder = new LineDecoder(this.#limits.watchFrameBytesMax);
      for await (const chunk of answer.body) {
        for (const frame of decoder.push(chunk as Buffer)) yield decodeEvent(frame);
      }
    } catch (error) {
      if (signal.aborted) return;
      throw error instanceof ApiError ? error : errorFromNetwork(this.#connection.server, error);
    } finally {
      ended.abort();
    }
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#streams.close();
    await Promise.all([this.#pool.destroy(), this.#http1Streams?.destroy()]);
  }

  #headers(accept: string): { [name: string]: string } {
    const headers: { [name: string]: string } = { accept, 'user-agent': this.#userAgent };
    if (this.#connection.token !== undefined) headers['authorization'] = `Bearer ${this.#connection.token}`;
    return headers;
  }

  async #openStream(
    path: string,
    headers: { [name: string]: string },
    signal: AbortSignal,
  ): Promise<{ status: number; body: AsyncIterable<unknown> }> {
    const overHttp2 = await this.#streams.open(this.#basePath + path, headers, signal);
    if (overHttp2 !== undefined) return overHttp2;
    this.#http1Streams ??= new Pool(new URL(this.#connection.server).origin, {
      pipelining: 1,
      connect: { ...tlsOptions(this.#connection), timeout: this.#limits.connectTimeoutMs },
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

  async #call<T extends JsonValue>(call: Call, options: CallOptions): Promise<T> {
    const timeout = AbortSignal.timeout(options.timeoutMs ?? this.#limits.requestTimeoutMs);
    const signals = [timeout, this.#closing.signal];
    if (options.signal !== undefined) signals.push(options.signal);
    const headers = this.#headers(call.accept ?? acceptJson);
    if (call.contentType !== undefined) headers['content-type'] = call.contentType;
    let statusCode: number;
    let body: Buffer;
    try {
      const answer = await this.#pool.request({
        method: call.method,
        path: this.#basePath + call.path,
        headers,
        body: call.body === undefined ? null : JSON.stringify(call.body),
        signal: AbortSignal.any(signals),
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      statusCode = answer.statusCode;
      body = Buffer.from(await answer.body.arrayBuffer());
    } catch (error) {
      if (options.signal?.aborted === true) throw options.signal.reason;
      if (timeout.aborted) {
        const bound = options.timeoutMs ?? this.#limits.requestTimeoutMs;
        throw new ApiError('Timeout', `${this.#connection.server} did not answer within ${bound} ms`, {
          cause: error,
        });
      }
      throw errorFromNetwork(this.#connection.server, error);
    }
    if (statusCode < 200 || statusCode > 299) throw errorFromAnswer(statusCode, body);
    return decodeBody<T>(body, this.#connection.server);
  }
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
