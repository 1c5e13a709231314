import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { objectAt } from '#api/builtin/read.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import type { StoreEvents } from '../controllers/store-events.ts';
import { matchesETag } from '../discovery/discovery-response.ts';
import type { DocumentRequest, PreparedResponse } from '../http/prepared-response.ts';
import { encodeSwagger } from '../openapi/encoded-v2.ts';
import { ServiceAddresses } from '../services/service-address.ts';
import type { ServiceNetworks } from '../services/service-networks.ts';
import type { Workspace } from '../workspace/workspace.ts';
import type { WorkspaceDirectory } from '../workspace/workspace-index.ts';
import type { RemoteApiService } from './api-service.ts';
import { ApiServiceCatalog } from './api-service-catalog.ts';
import {
  mergedAggregated,
  mergedGroup,
  mergedGroupList,
  type RemoteGroupVersion,
} from './merged-discovery.ts';
import { mergedSwagger, type RemoteSwagger } from './merged-openapi.ts';
import { AggregationProxy, type ProxiedRequest } from './proxy.ts';
import type { ProxyCertificates } from './proxy-certificates.ts';
import { ProxyFault, serviceUnavailable } from './proxy-fault.ts';
import { RemoteDocuments } from './remote-documents.ts';
import { RemoteRequests } from './remote-requests.ts';
import { isOurs, RemoteStates } from './remote-states.ts';
import { followServices } from './service-changes.ts';

/** Merged documents kept, by bytes; what was dropped is made again. */
const mergedBytesMax = 64 * 1024 * 1024;

interface Merged {
  /** What it was made of. */
  readonly local: Buffer | undefined;
  readonly mark: string;
  readonly body: Buffer;
  readonly etag: string;
}

/** Gives this server's own answer to a request of that Accept header; undefined where it has none. */
export type LocalDocument = (asked: DocumentRequest) => PreparedResponse | undefined;

/**
 * The aggregation layer inside each workspace (KUBERNETES.md O1): group versions that an APIService leads elsewhere are
 * proxied, and stand in discovery and OpenAPI beside what the workspace serves itself. In a cell workspace APIServices
 * are inert.
 */
export class Aggregator {
  readonly #catalog: ApiServiceCatalog;
  readonly #states: RemoteStates;
  readonly #proxy: AggregationProxy;
  readonly #requests: RemoteRequests;
  readonly #documents: RemoteDocuments;
  readonly #events: StoreEvents;
  #unfollow: (() => void) | undefined;
  /** Rises with what a workspace's remotes say; absent while they have said nothing. */
  readonly #told = new Map<string, number>();
  readonly #merged = new LRUCache<string, Merged>({
    maxSize: mergedBytesMax,
    sizeCalculation: ({ body }) => body.length + 512,
  });

  constructor(parts: {
    readonly storage: CachedStorage;
    readonly events: StoreEvents;
    readonly directory: WorkspaceDirectory;
    readonly client: KubeClient;
    readonly certificates: ProxyCertificates;
    readonly networks: ServiceNetworks;
    readonly clock: Clock;
    readonly logger: Logger;
  }) {
    const { storage, events, directory, client, certificates, networks, clock, logger } = parts;
    this.#events = events;
    this.#catalog = new ApiServiceCatalog(storage, clock, logger);
    this.#requests = new RemoteRequests({
      addresses: new ServiceAddresses(storage),
      networks,
      certificates,
    });
    this.#documents = new RemoteDocuments(this.#requests, clock);
    this.#proxy = new AggregationProxy(this.#requests);
    this.#states = new RemoteStates({
      catalog: this.#catalog,
      requests: this.#requests,
      storage,
      directory,
      client,
      clock,
      logger,
      onDocument: (clusterId) => {
        if (this.#catalog.has(clusterId)) this.#told.set(clusterId, (this.#told.get(clusterId) ?? 0) + 1);
        else this.#told.delete(clusterId);
      },
    });
  }

  /** Knows all APIServices when it returns. Throws StorageError. */
  start(): void {
    this.#catalog.start();
    this.#states.start();
    this.#events.start();
    this.#unfollow = followServices(this.#events, this.#catalog, (remote) => this.#states.suspect(remote));
  }

  async stop(): Promise<void> {
    this.#unfollow?.();
    this.#catalog.stop();
    this.#requests.close();
    await this.#states.stop();
  }

  /**
   * Where a request of this (decoded) path goes; undefined for all that the workspace serves itself. One look into a map
   * for workspaces without APIServices of their own.
   */
  remoteOf(workspace: Workspace, path: string): RemoteApiService | undefined {
    if (!this.#catalog.has(workspace.id) || workspace.inert) return undefined;
    const match = /^\/(?:openapi\/v3\/)?apis\/([^/]+)\/([^/]+)(?:\/|$)/.exec(path);
    if (match === null) return undefined;
    const remote = this.#catalog.remotesOf(workspace.id).get(`${match[1]}/${match[2]}`);
    if (remote === undefined || isOurs(workspace.scheme, remote.group, remote.version)) return undefined;
    return remote;
  }

  /** Rejects with ProxyFault while the remote is not available. */
  serve(remote: RemoteApiService, request: ProxiedRequest): Promise<void> {
    if (!this.#states.isAvailable(remote)) return Promise.reject(serviceUnavailable());
    return this.#proxy.serve(remote, request).catch((error: unknown) => {
      if (error instanceof ProxyFault) this.#states.suspect(remote);
      throw error;
    });
  }

  /** Discovery (`/apis`, `/apis/<group>`) with the remotes; anything else as it is. */
  discovery(
    workspace: Workspace,
    path: string,
    asked: DocumentRequest,
    local: LocalDocument,
  ): PreparedResponse | undefined {
    const remotes = this.#remotesOf(workspace);
    const group = /^\/apis\/([^/]+)$/.exec(path)?.[1];
    const isConcerned = path === '/apis' || remotes.some((one) => one.group === group);
    if (remotes.length === 0 || !isConcerned) return local(asked);
    const own = local({ accept: asked.accept, ifNoneMatch: undefined });
    const shown = remotes.map((remote) => this.#shown(remote));
    if (group !== undefined) {
      const merged = mergedGroup(group, own === undefined ? undefined : parsed(own), shown);
      const body = Buffer.from(`${JSON.stringify({ kind: 'APIGroup', apiVersion: 'v1', ...merged })}\n`);
      return { code: 200, headers: own?.headers ?? { 'Content-Type': 'application/json' }, body };
    }
    if (own?.body === undefined || own.code !== 200) return own;
    const isAggregated = own.headers['ETag'] !== undefined;
    const { body, etag } = this.#mergedOnce(
      workspace,
      `${path} ${own.headers['Content-Type']}`,
      own,
      '',
      () => {
        const merge = isAggregated ? mergedAggregated : mergedGroupList;
        return Buffer.from(`${JSON.stringify(merge(parsed(own), shown))}\n`);
      },
    );
    return isAggregated ? tagged(own.headers, body, etag, asked) : { code: 200, headers: own.headers, body };
  }

  /** `/openapi/v2` and the index `/openapi/v3` with the remotes; anything else as it is. */
  async openapi(
    workspace: Workspace,
    path: string,
    asked: DocumentRequest,
    local: LocalDocument,
  ): Promise<PreparedResponse | undefined> {
    const remotes = this.#remotesOf(workspace).filter((one) => this.#states.isAvailable(one));
    const isIndex = path === '/openapi/v3';
    if (remotes.length === 0 || (!isIndex && path !== '/openapi/v2')) return local(asked);
    const own = local({ accept: asked.accept, ifNoneMatch: undefined });
    if (own?.body === undefined || own.code !== 200) return own;
    return isIndex
      ? this.#index(workspace, remotes, own, asked)
      : this.#swagger(workspace, remotes, own, asked, local);
  }

  async #index(
    workspace: Workspace,
    remotes: readonly RemoteApiService[],
    own: PreparedResponse,
    asked: DocumentRequest,
  ): Promise<PreparedResponse> {
    const urls = await Promise.all(remotes.map((remote) => this.#documents.v3Url(remote)));
    const { body, etag } = this.#mergedOnce(workspace, 'v3', own, JSON.stringify(urls), () => {
      const index = parsed(own);
      const paths: JsonObject = { ...objectAt(index, 'paths') };
      remotes.forEach(({ group, version }, at) => {
        const serverRelativeURL = urls[at];
        const entry = `apis/${group}/${version}`;
        if (serverRelativeURL === undefined) delete paths[entry];
        else paths[entry] = { serverRelativeURL };
      });
      return Buffer.from(JSON.stringify({ ...index, paths }));
    });
    return tagged(own.headers, body, etag, asked);
  }

  async #swagger(
    workspace: Workspace,
    remotes: readonly RemoteApiService[],
    own: PreparedResponse,
    asked: DocumentRequest,
    local: LocalDocument,
  ): Promise<PreparedResponse> {
    const found = await Promise.all(
      remotes.map(async ({ group, version }, at): Promise<RemoteSwagger | undefined> => {
        const document = await this.#documents.swagger(remotes[at] as RemoteApiService);
        return document === undefined ? undefined : { group, version, document };
      }),
    );
    const swaggers = found.filter((one) => one !== undefined);
    const type = own.headers['Content-Type'];
    const mark = swaggers.map(({ document }) => markOf(document)).join(' ');
    const { body, etag } = this.#mergedOnce(workspace, `v2 ${type}`, own, mark, () => {
      const json = local({ accept: 'application/json', ifNoneMatch: undefined }) as PreparedResponse;
      const merged = mergedSwagger(parsed(json), swaggers);
      return type === 'application/json' ? Buffer.from(JSON.stringify(merged)) : encodeSwagger(merged);
    });
    return tagged(own.headers, body, etag, asked);
  }

  #remotesOf(workspace: Workspace): readonly RemoteApiService[] {
    if (!this.#catalog.has(workspace.id) || workspace.inert) return [];
    return [...this.#catalog.remotesOf(workspace.id).values()].filter(
      ({ group, version }) => !isOurs(workspace.scheme, group, version),
    );
  }

  #shown(remote: RemoteApiService): RemoteGroupVersion {
    return {
      ...remote,
      available: this.#states.isAvailable(remote),
      resources: this.#states.resourcesOf(remote),
    };
  }

  /** Made again only when what it is made of has changed. */
  #mergedOnce(
    { id }: Workspace,
    what: string,
    { body: local }: PreparedResponse,
    content: string,
    make: () => Buffer,
  ): Merged {
    const key = `${id} ${what}`;
    const mark = `${this.#catalog.generationOf(id)} ${this.#told.get(id) ?? 0} ${content}`;
    const known = this.#merged.get(key);
    if (known !== undefined && known.local === local && known.mark === mark) return known;
    const body = make();
    const etag = `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"`;
    const merged: Merged = { local: local as Buffer, mark, body, etag };
    this.#merged.set(key, merged);
    return merged;
  }
}

function tagged(
  headers: { readonly [name: string]: string },
  body: Buffer,
  etag: string,
  { ifNoneMatch }: DocumentRequest,
): PreparedResponse {
  const own = { ...headers, ETag: etag };
  if (ifNoneMatch !== undefined && matchesETag(ifNoneMatch, etag)) {
    return { code: 304, headers: own, body: undefined };
  }
  return { code: 200, headers: own, body };
}

function parsed({ body }: PreparedResponse): JsonObject {
  return JSON.parse(body === undefined ? '{}' : body.toString()) as JsonObject;
}

const marks = new WeakMap<JsonObject, number>();
let lastMark = 0;

/** Tells documents apart without looking into them: one that is the same object is the same. */
function markOf(document: JsonObject): number {
  let mark = marks.get(document);
  if (mark === undefined) {
    mark = ++lastMark;
    marks.set(document, mark);
  }
  return mark;
}
