import { removedReleaseOf } from '#api/builtin/deprecations.ts';
import { batchPath } from '#api/federation/batch.ts';
import {
  ApiError,
  badRequest,
  forbidden,
  pathMethodNotAllowed,
  pathNotFound,
} from '#apimachinery/api-error.ts';
import type { Scheme, ServedResource } from '#apimachinery/scheme.ts';
import type { RemoteApiService } from '../aggregation/api-service.ts';
import { extensionSchemeOf } from '../aggregation/extension-scheme.ts';
import { ProxyFault } from '../aggregation/proxy-fault.ts';
import type { AuditRecord } from '../audit/audit.ts';
import type { Seat } from '../flow-control/flow-request.ts';
import { isLongRunning } from '../request/long-running.ts';
import type { ResourceRequest } from '../request/request-info.ts';
import { systemMasters, type UserInfo } from '../request/user.ts';
import type { RequestBody } from '../verbs/request-body.ts';
import type { VerbResult } from '../verbs/result.ts';
import { discoveryForm, inForm } from './answers/discovery-form.ts';
import { FormCache } from './answers/form-cache.ts';
import { sendList } from './answers/list-stream.ts';
import { type Form, negotiate, type Subject } from './answers/negotiate.ts';
import { includeObjectOf } from './answers/object-forms.ts';
import { sendResult } from './answers/render.ts';
import {
  apiHeaders,
  frontHeaders,
  sendNotFound,
  sendPrepared,
  sendText,
  sendTooMany,
} from './answers/respond.ts';
import { auditAnswer } from './audited-answer.ts';
import { refuseInBatch, serveBatch } from './batch/serve-batch.ts';
import { readBody } from './body.ts';
import { http2ConnectionOf } from './connections/http2-connection.ts';
import type { HttpServerDependencies } from './dependencies.ts';
import type { Exchange, UpgradeTarget } from './exchange.ts';
import type { HttpLimits } from './limits.ts';
import type { HttpMetrics } from './metrics/metrics.ts';
import type { DocumentRequest } from './prepared-response.ts';
import type { Receiving } from './receiving.ts';
import { FrameCache } from './watches/watch-frames.ts';
import { HttpFrameChannel, WatchStreams } from './watches/watch-stream.ts';
import { handshakeFault, WebSocketChannel } from './watches/websocket.ts';

/** Answers what is no resource, discovery or OpenAPI: the Express shell. */
export type PlainHandler = (exchange: Exchange, url: string) => Promise<void>;

const discoveryPaths = /^\/(?:api|apis)(?:\/|$)/;
const openapiPaths = /^\/openapi\/v[23](?:\/|$)/;
const switchingProtocols = 101;

export interface DispatcherOptions {
  readonly dependencies: HttpServerDependencies;
  readonly limits: HttpLimits;
  readonly plain: PlainHandler;
  readonly metrics: HttpMetrics;
  /** Holds what waits for its body. */
  readonly receiving: Receiving;
  /** Serves an item of a batch as a request of its own. Never throws. */
  readonly handleItem: (item: Exchange) => void;
}

/**
 * Serves what has been let in: another API server's paths, resources, documents, batches, and the rest by the Express
 * shell. As in the chain before it, every stage answers at once when it can.
 */
export class Dispatcher {
  readonly watches: WatchStreams;
  readonly #dependencies: HttpServerDependencies;
  readonly #limits: HttpLimits;
  readonly #plain: PlainHandler;
  readonly #metrics: HttpMetrics;
  readonly #receiving: Receiving;
  readonly #handleItem: (item: Exchange) => void;
  readonly #forms: FormCache;

  constructor({ dependencies, limits, plain, metrics, receiving, handleItem }: DispatcherOptions) {
    this.#dependencies = dependencies;
    this.#limits = limits;
    this.#plain = plain;
    this.#metrics = metrics;
    this.#receiving = receiving;
    this.#handleItem = handleItem;
    this.#forms = new FormCache(limits.formBytesMax);
    this.watches = new WatchStreams(limits, metrics, new FrameCache(limits.frameBytesMax, metrics));
  }

  /** Throws ApiErrors; a promise only where something has to be waited for. */
  serve(exchange: Exchange, upgrade: UpgradeTarget | undefined): Promise<void> | undefined {
    const { info, workspace } = exchange;
    const { resource, path } = info;
    const remote = workspace && this.#dependencies.aggregator?.remoteOf(workspace, path);
    if (remote !== undefined) {
      return exchange.item === undefined ? this.#serveRemote(exchange, remote) : refuseInBatch(exchange);
    }
    if (resource !== undefined) return this.#serveResource(exchange, resource, upgrade);
    if (discoveryPaths.test(path)) return this.#serveDocument(exchange, 'discovery');
    if (openapiPaths.test(path)) return this.#serveDocument(exchange, 'openapi');
    if (path === batchPath && info.method === 'POST') {
      const { bodyBytesMax: bytesMax } = this.#limits;
      return serveBatch(exchange, { bytesMax, receiving: this.#receiving, handle: this.#handleItem });
    }
    return this.#plain(exchange, info.rawQuery === '' ? path : `${path}?${info.rawQuery}`);
  }

  /** KUBERNETES.md O1: the request is an API server's behind an APIService. */
  #serveRemote(exchange: Exchange, remote: RemoteApiService): Promise<void> | undefined {
    const { request, response, info, user, auditId, upgrade, audit } = exchange;
    const isLong = upgrade !== undefined || info.verb === 'watch';
    // What goes on has no limit, though the other server be long about its beginning (E5).
    if (isLongRunning(info)) exchange.timeoutMs = Number.POSITIVE_INFINITY;
    return this.#dependencies.aggregator
      ?.serve(remote, {
        request,
        response,
        info,
        rawQuery: info.rawQuery,
        user,
        auditId,
        front: frontHeaders(exchange),
        upgrade,
        signal: exchange.signal,
      })
      .then(
        () => {
          const code = response.headersSent ? response.statusCode : switchingProtocols;
          if (isLong) audit?.responseStarted(code);
          upgrade?.socket.once('close', () => audit?.complete(code));
        },
        (error: unknown) => {
          if (!(error instanceof ProxyFault)) throw error;
          // What has begun is broken off, so that nobody takes it for whole.
          if (response.headersSent) response.destroy();
          else sendText(exchange, error.code, error.text);
        },
      );
  }

  /** Another API server vouches for the user: it aggregates the workspace that its users mean. */
  #isForeign(user: UserInfo): boolean {
    return this.#dependencies.homeOf?.(user) !== undefined;
  }

  #schemeOf(exchange: Exchange): Scheme {
    return exchange.workspace?.scheme ?? this.#dependencies.resolver.wildcardScheme();
  }

  async #serveDocument(exchange: Exchange, which: 'discovery' | 'openapi'): Promise<void> {
    const { info, request, workspace } = exchange;
    const isRead = info.method === 'GET' || info.method === 'HEAD';
    if (!isRead && which === 'openapi') throw pathMethodNotAllowed();
    const form = which === 'discovery' ? discoveryForm(request.headers.accept) : undefined;
    const accept = form === undefined ? request.headers.accept : 'application/json';
    const asked = { accept, ifNoneMatch: request.headers['if-none-match'] };
    const path = info.path.length > 1 && info.path.endsWith('/') ? info.path.slice(0, -1) : info.path;
    const isExtension = which === 'openapi' && !info.hasClusterPrefix && this.#isForeign(exchange.user);
    const scheme = isExtension ? extensionSchemeOf(this.#schemeOf(exchange)) : this.#schemeOf(exchange);
    const { discovery, openapi, aggregator } = this.#dependencies;
    const own = (request: DocumentRequest) =>
      which === 'discovery' ? discovery(scheme, path, request) : openapi(scheme, path, info.query, request);
    const prepared = await (workspace === undefined || aggregator === undefined
      ? own(asked)
      : aggregator[which](workspace, path, asked, own));
    if (prepared === undefined) this.#unknownPath(exchange);
    else if (!isRead) throw pathMethodNotAllowed();
    else {
      const shown = form === undefined ? prepared : inForm(prepared, form);
      await sendPrepared(exchange, shown, this.#limits.gzipBytesMin);
    }
  }

  #serveResource(
    exchange: Exchange,
    resource: ResourceRequest,
    upgrade: UpgradeTarget | undefined,
  ): Promise<void> | undefined {
    const intercepted = this.#intercept(exchange);
    if (intercepted !== undefined) return intercepted;
    const served = this.#lookUp(exchange, resource);
    if (served !== undefined) return this.#serveKind(exchange, resource, served, upgrade);
    // A CRD may have been established through another server: before it is unknown, the cache has to be fresh.
    const fresh = this.#dependencies.awaitFresh?.();
    if (fresh !== undefined) return fresh.then(() => this.#serveAfresh(exchange, resource, upgrade));
    this.#unknownPath(exchange);
    return undefined;
  }

  #serveAfresh(
    exchange: Exchange,
    resource: ResourceRequest,
    upgrade: UpgradeTarget | undefined,
  ): Promise<void> | undefined {
    if (exchange.workspace !== undefined) {
      this.#dependencies.assertStands?.(exchange.workspace);
      exchange.workspace = this.#dependencies.resolver.byId(exchange.workspace.id) ?? exchange.workspace;
    }
    const served = this.#lookUp(exchange, resource);
    if (served !== undefined) return this.#serveKind(exchange, resource, served, upgrade);
    this.#unknownPath(exchange);
    return undefined;
  }

  /** Below a group of Kubernetes' own a Status says so, elsewhere a line of text (KUBERNETES.md E4). */
  #unknownPath(exchange: Exchange): void {
    const [, root, group] = exchange.info.path.split('/');
    const isOwn =
      root === 'api' ||
      (root === 'apis' &&
        this.#schemeOf(exchange).definitions.some((one) => one.group === group && one.origin === 'builtin'));
    if (isOwn) throw pathNotFound();
    sendNotFound(exchange);
  }

  #lookUp(exchange: Exchange, resource: ResourceRequest): ServedResource | undefined {
    const { group, version } = resource;
    const served = this.#schemeOf(exchange).lookupResource(group, version, resource.resource);
    return served !== undefined && fitsScope(resource, served.definition.namespaced) ? served : undefined;
  }

  #serveKind(
    exchange: Exchange,
    resource: ResourceRequest,
    served: ServedResource,
    upgrade: UpgradeTarget | undefined,
  ): Promise<void> | undefined {
    const { verb, method } = exchange.info;
    if (verb === '' || (verb === 'watch' && method !== 'GET')) throw pathMethodNotAllowed();
    exchange.served = served;
    if (exchange.audit !== undefined) auditDeprecation(exchange.audit, served);
    exchange.subresource = resource.subresource;
    exchange.namespace = resource.namespace;
    exchange.name = resource.name;
    const form = this.#formOf(exchange);
    if (exchange.workspace === undefined) refuseWildcard(exchange, form);
    const { workspace } = exchange;
    const touched = workspace === undefined ? undefined : this.#dependencies.touch?.(workspace);
    if (touched !== undefined) return touched.then(() => this.#readBody(exchange, form, upgrade));
    return this.#readBody(exchange, form, upgrade);
  }

  /** Throws ApiErrors: of method and body's type, then of Accept, as Kubernetes' routes are found. */
  #formOf(exchange: Exchange): Form {
    const { headers } = exchange.request;
    try {
      const form = negotiate(headers.accept, subjectOf(exchange), exchange);
      // Whoever misspells it is told before anything is written; of a read, after what is wrong with its other options.
      if (form.as === 'Table' && exchange.info.method !== 'GET') includeObjectOf(exchange);
      return form;
    } catch (error) {
      this.#dependencies.verbs.checkRoute?.(exchange, headers['content-type'] ?? '');
      throw error;
    }
  }

  #intercept(exchange: Exchange): Promise<void> | undefined {
    const { intercept } = this.#dependencies;
    if (intercept === undefined) return undefined;
    const { request, response, user, workspace, info } = exchange;
    return intercept({
      request,
      response,
      user,
      workspace,
      pathAndQuery: info.rawQuery === '' ? info.path : `${info.path}?${info.rawQuery}`,
      get signal() {
        return exchange.signal;
      },
    });
  }

  #readBody(exchange: Exchange, form: Form, upgrade: UpgradeTarget | undefined): Promise<void> | undefined {
    const { method } = exchange.info;
    if (method === 'GET' || method === 'HEAD') return this.#execute(exchange, form, undefined, upgrade);
    exchange.writingSinceMs = performance.now();
    if (exchange.item !== undefined) return this.#execute(exchange, form, exchange.item.body, upgrade);
    const reading = readBody(exchange.request, this.#limits.bodyBytesMax);
    const contentType = exchange.request.headers['content-type'] ?? '';
    if (reading === undefined) {
      // A patch without a body is malformed, not of an unknown type.
      const body = method === 'PATCH' ? { contentType, bytes: Buffer.alloc(0) } : undefined;
      return this.#execute(exchange, form, body, upgrade);
    }
    this.#receiving.add(exchange);
    return reading.then(
      (bytes) => {
        this.#receiving.delete(exchange);
        if (exchange.isGone) return undefined;
        return this.#execute(exchange, form, { contentType, bytes }, upgrade);
      },
      (error: unknown) => {
        this.#receiving.delete(exchange);
        throw error;
      },
    );
  }

  #execute(
    exchange: Exchange,
    form: Form,
    body: RequestBody | undefined,
    upgrade: UpgradeTarget | undefined,
  ): Promise<void> | undefined {
    if (body !== undefined) {
      if ('bytes' in body) exchange.receivedBytes = body.bytes.length;
      exchange.audit?.requestBody(body);
    }
    const result = this.#dependencies.verbs.execute(exchange, { body });
    if (result instanceof Promise)
      return result.then((known) => this.#answer(exchange, known, form, upgrade));
    return this.#answer(exchange, result, form, upgrade);
  }

  #answer(
    exchange: Exchange,
    result: VerbResult,
    form: Form,
    upgrade: UpgradeTarget | undefined,
  ): Promise<void> | undefined {
    if (exchange.audit === undefined) return this.#send(exchange, result, form, upgrade);
    const shown = auditAnswer(exchange, exchange.audit, result, form, this.#forms);
    if (shown instanceof Promise) return shown.then((known) => this.#send(exchange, known, form, upgrade));
    return this.#send(exchange, shown, form, upgrade);
  }

  #send(
    exchange: Exchange,
    result: VerbResult,
    form: Form,
    upgrade: UpgradeTarget | undefined,
  ): Promise<void> | undefined {
    if (exchange.isGone) return undefined;
    switch (result.type) {
      case 'watch':
        this.#startWatch(exchange, result, form, upgrade);
        return undefined;
      case 'list':
        return sendList(exchange, result, form, this.#forms, this.#limits);
      default:
        return sendResult(exchange, result, form, this.#forms, this.#limits);
    }
  }

  #startWatch(
    exchange: Exchange,
    result: Extract<VerbResult, { type: 'watch' }>,
    form: Form,
    upgrade: UpgradeTarget | undefined,
  ): void {
    if (this.watches.count >= this.#limits.watchesMax) {
      this.#metrics.rejected++;
      sendTooMany(exchange, 5);
      return;
    }
    if (upgrade === undefined) {
      countWatch(exchange);
      this.watches.start(exchange, result, form, new HttpFrameChannel(exchange), handOver(exchange));
      exchange.audit?.responseStarted(exchange.response.statusCode);
      return;
    }
    const fault = handshakeFault(exchange.request);
    if (fault !== undefined) throw badRequest(fault);
    const { request, response } = exchange;
    // From here on the socket is ours, no longer the response's.
    if ('detachSocket' in response && response.socket !== null) response.detachSocket(response.socket);
    upgrade.socket.once('close', () => {
      exchange.abort(new Error('the client closed the connection'));
      exchange.audit?.complete(switchingProtocols);
    });
    exchange.audit?.responseStarted(switchingProtocols);
    const channel = new WebSocketChannel(request, upgrade.socket, upgrade.head, apiHeaders(exchange));
    this.watches.start(exchange, result, form, channel, handOver(exchange));
  }
}

/** As kube-apiserver's MonitorRequest has it: records of requests that will fail in a later release can be looked for. */
function auditDeprecation(audit: AuditRecord, { definition, version }: ServedResource): void {
  if (version.deprecationWarning === undefined) return;
  audit.annotate('k8s.io/deprecated', 'true');
  const removed = removedReleaseOf(definition.group, version.version, definition.kind);
  if (removed !== undefined) audit.annotate('k8s.io/removed-release', removed);
}

/** A watch is no request that its connection has too many of. */
function countWatch({ request, response }: Exchange): void {
  const connection = 'stream' in request ? http2ConnectionOf(request) : undefined;
  if (connection === undefined) return;
  connection.watches++;
  response.once('close', () => connection.watches--);
}

/** A namespaced object has a namespace in its path, a cluster-scoped one none; lists over all namespaces have none. */
function fitsScope({ namespace, name, watched }: ResourceRequest, namespaced: boolean): boolean {
  return namespaced ? namespace !== '' || (name === '' && watched === undefined) : namespace === '';
}

/** The seat is the watch's from here on: it keeps it until what there is at its beginning is sent. */
function handOver(exchange: Exchange): Seat | undefined {
  const { seat } = exchange;
  exchange.seat = undefined;
  return seat;
}

function subjectOf({ info, served, subresource }: Exchange): Subject {
  if (info.verb === 'watch') return 'watch';
  if (info.verb === 'list' || info.verb === 'deletecollection') return 'list';
  return served.definition.virtual === true || subresource === 'token' ? 'review' : 'object';
}

/** KCP.md, Wildcard: list and watch only; what single workspaces define is shown by its metadata alone. */
function refuseWildcard({ info, served, user }: Exchange, form: Form): void {
  if (info.verb !== 'list' && info.verb !== 'watch') {
    throw new ApiError('MethodNotAllowed', `${info.verb} is not supported over all workspaces`);
  }
  if (served.definition.origin === 'custom' && form.as !== 'PartialObjectMetadata') {
    throw badRequest('custom resources can be read over all workspaces only as PartialObjectMetadata');
  }
  const { group, resource } = served.definition;
  if (group === '' && resource === 'secrets' && form.as !== 'PartialObjectMetadata') {
    if (user.groups.includes(systemMasters)) return;
    throw forbidden(
      served.definition,
      '',
      'they can be read over all workspaces only as PartialObjectMetadata',
    );
  }
}
