import { ServerResponse } from 'node:http';
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
import { impersonate, wantsImpersonation } from '../authn/impersonation.ts';
import { attributesOf, forbiddenError } from '../authz/attributes.ts';
import type { AuthorizationAttributes, AuthorizationDecision } from '../authz/authorizer.ts';
import { homeClusterOf } from '../authz/effective-users.ts';
import type { Refusal, Seat } from '../flow-control/flow-controller.ts';
import { type ParsedRequest, parseRequestInfo } from '../request/parse-request-info.ts';
import type { ResourceRequest } from '../request/request-info.ts';
import { systemMasters, type UserInfo } from '../request/user.ts';
import type { RequestBody } from '../verbs/decode-body.ts';
import type { VerbResult } from '../verbs/result.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { isServedInBatch, refuseInBatch, serveBatch } from './batch/serve-batch.ts';
import { readBody } from './body.ts';
import { credentialsOf } from './connection-credentials.ts';
import { Deadlines } from './deadlines.ts';
import type { DocumentRequest, HttpServerDependencies } from './dependencies.ts';
import { discoveryForm, inForm } from './discovery-form.ts';
import { toApiError } from './errors.ts';
import { Exchange, type ServerReply, type ServerRequest, type UpgradeTarget } from './exchange.ts';
import { FormCache } from './form-cache.ts';
import { Http2Connection, http2ConnectionOf } from './http2-connection.ts';
import { InFlight } from './in-flight.ts';
import type { HttpLimits } from './limits.ts';
import { sendList } from './list-stream.ts';
import { HttpMetrics } from './metrics.ts';
import { type Form, negotiate, type Subject } from './negotiate.ts';
import { type GatedConnection, ReadGate } from './read-gate.ts';
import { Receiving } from './receiving.ts';
import { sendResult } from './render.ts';
import { apiHeaders, sendError, sendNotFound, sendPrepared, sendText } from './respond.ts';
import { FrameCache } from './watch-frames.ts';
import { HttpFrameChannel, WatchStreams } from './watch-stream.ts';
import { handshakeFault, isWebSocketUpgrade, WebSocketChannel } from './websocket.ts';

/** Answers what is no resource, discovery or OpenAPI: the Express shell. */
export type PlainHandler = (exchange: Exchange, url: string) => Promise<void>;

/** Open to all and about the process: answered without looking at any workspace (KUBERNETES.md D7, D8). */
const processPaths = /^\/(?:(?:healthz|livez|readyz)(?:\/.*)?|version\/?)$/;
const discoveryPaths = /^\/(?:api|apis)(?:\/|$)/;
const openapiPaths = /^\/openapi\/v[23](?:\/|$)/;
const switchingProtocols = 101;
const tooManyRequests = 'Too many requests, please try again later.';
const retryWhileStoppingSeconds = 5;
const singleWrites: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete']);
/** A timer may fire a little before its time by another clock. */
const timerToleranceMs = 5;

/**
 * The chain of KUBERNETES.md O6: panic guard → audit id → request info → timeout → authentication → workspace →
 * impersonation → flow control → authorization → verb → rendering. Every stage answers at once when it can, so that a read of
 * what is in memory is done in the turn in which it came, without a promise, a timer or a listener.
 */
export class RequestHandler {
  readonly metrics = new HttpMetrics();
  readonly inFlight = new InFlight();
  readonly watches: WatchStreams;
  /** Set when the server stops: requests are then refused (KUBERNETES.md §3, Shutdown). */
  isStopping = false;
  /** Set shortly before: an answer is the last one on its connection, so that clients go elsewhere in good order. */
  isLeaving = false;
  readonly #receiving = new Receiving();
  readonly #deadlines = new Deadlines<Exchange>((exchange) => this.#timeOut(exchange));
  readonly #dependencies: HttpServerDependencies;
  readonly #limits: HttpLimits;
  readonly #plain: PlainHandler;
  readonly #forms: FormCache;
  readonly #gate: ReadGate;

  constructor(dependencies: HttpServerDependencies, limits: HttpLimits, plain: PlainHandler) {
    this.#dependencies = dependencies;
    this.#limits = limits;
    this.#plain = plain;
    const { flowControl } = dependencies;
    this.#gate = new ReadGate({ isClosed: () => flowControl?.givesWay === true });
    flowControl?.whenEased(() => this.#gate.look());
    this.#forms = new FormCache(limits.formBytesMax);
    this.watches = new WatchStreams(limits, this.metrics, new FrameCache(limits.frameBytesMax, this.metrics));
  }

  /** Never throws, never rejects. `upgradable`: the request asks for another protocol on its connection. */
  handle(request: ServerRequest, response: ServerReply, upgradable?: UpgradeTarget): void {
    const connection = gatedOf(request);
    if (connection !== undefined) this.#gate.came(connection);
    const upgrade = upgradable !== undefined && isWebSocketUpgrade(request) ? upgradable : undefined;
    const exchange = new Exchange(request, response, upgrade !== undefined);
    if (this.isLeaving && response instanceof ServerResponse) response.shouldKeepAlive = false;
    exchange.upgrade = upgradable;
    let served: Promise<void> | undefined;
    try {
      served = this.#serve(exchange, upgrade);
    } catch (error) {
      this.#fail(exchange, error);
    }
    this.#follow(exchange, served);
  }

  /** An item of a batch: it is who the batch is; from there on a request like any other. */
  #handleItem(item: Exchange): void {
    let served: Promise<void> | undefined;
    try {
      item.info = parseRequestInfo(item.request.method ?? 'GET', item.request.url ?? '/');
      item.timeoutMs = this.#timeoutMs(item.info);
      if (isServedInBatch(item)) served = this.#authenticated(item, item.item?.batch.user, undefined);
    } catch (error) {
      this.#fail(item, error);
    }
    this.#follow(item, served);
  }

  /** Until it is served, unless it is already. */
  #follow(exchange: Exchange, served: Promise<void> | undefined): void {
    if (served === undefined) {
      this.#finish(exchange);
      return;
    }
    // Counted from its first wait on.
    this.inFlight.enter();
    const kind = isMutating(exchange) ? 'mutating' : 'readOnly';
    this.metrics.underWay[kind]++;
    const timeoutMs = Math.min(exchange.timeoutMs, this.#writeTimeoutMs(exchange));
    this.#deadlines.add(exchange, exchange.startedAtMs + timeoutMs);
    const done = (): void => {
      this.#deadlines.delete(exchange);
      this.inFlight.leave();
      this.metrics.underWay[kind]--;
      this.#finish(exchange);
    };
    served.then(done, (error: unknown) => {
      this.#fail(exchange, error);
      done();
    });
  }

  #serve(exchange: Exchange, upgrade: UpgradeTarget | undefined): Promise<void> | undefined {
    exchange.info = parseRequestInfo(exchange.request.method ?? 'GET', exchange.request.url ?? '/');
    exchange.timeoutMs = this.#timeoutMs(exchange.info);
    if (this.isStopping && !processPaths.test(exchange.info.path)) {
      refuseWhileStopping(exchange);
      return undefined;
    }
    const { authenticator } = this.#dependencies;
    const user = authenticator.authenticate(credentialsOf(exchange, authenticator.readsHeaders));
    if (user instanceof Promise) return user.then((known) => this.#authenticated(exchange, known, upgrade));
    return this.#authenticated(exchange, user, upgrade);
  }

  #authenticated(
    exchange: Exchange,
    user: UserInfo | undefined,
    upgrade: UpgradeTarget | undefined,
  ): Promise<void> | undefined {
    if (user === undefined) throw new ApiError('Unauthorized', 'Unauthorized');
    exchange.user = user;
    if (this.#dependencies.audit !== undefined) this.#beginAudit(exchange);
    const { info } = exchange;
    if (!info.hasClusterPrefix) {
      if (processPaths.test(info.path)) return this.#enter(exchange, upgrade);
      // A service account without a prefix means its own workspace (KCP.md, Addressing).
      info.clusterRef = homeClusterOf(user) ?? this.#dependencies.homeOf?.(user) ?? info.clusterRef;
    }
    if (info.clusterRef === '*') return this.#entered(exchange, undefined, upgrade);
    const workspace = this.#resolve(info);
    if (workspace instanceof Promise) {
      return workspace.then((found) => this.#entered(exchange, found, upgrade));
    }
    return this.#entered(exchange, workspace, upgrade);
  }

  #beginAudit(exchange: Exchange): void {
    const { request, response, info, user, auditId } = exchange;
    const address = request.socket?.remoteAddress;
    exchange.audit = this.#dependencies.audit?.begin({
      auditId,
      requestUri: request.url ?? '/',
      info,
      user,
      sourceIps: address === undefined ? [] : [address],
      userAgent: request.headers['user-agent'],
      receivedAtMs: Date.now() - (performance.now() - exchange.startedAtMs),
    });
    // Whatever becomes of the answer, this is its end; an upgraded connection is no longer the response's.
    if (exchange.audit === undefined) return;
    response.once('close', () => {
      if (!exchange.wantsWebSocket || response.headersSent) exchange.audit?.complete(response.statusCode);
    });
  }

  #resolve({ clusterRef, resource, path }: ParsedRequest): Workspace | Promise<Workspace> {
    const { resolver } = this.#dependencies;
    const allowInactive = resource?.resource === 'logicalclusters' || path.startsWith('/openapi');
    try {
      return resolver.resolve(clusterRef, { allowInactive });
    } catch (error) {
      const isUnknown = error instanceof ApiError && error.reason === 'NotFound';
      if (!isUnknown || resolver.resolveFresh === undefined) throw error;
      return resolver.resolveFresh(clusterRef, { allowInactive });
    }
  }

  #entered(
    exchange: Exchange,
    workspace: Workspace | undefined,
    upgrade: UpgradeTarget | undefined,
  ): Promise<void> | undefined {
    exchange.workspace = workspace;
    if (workspace !== undefined) exchange.audit?.workspace(workspace.path);
    const { headers } = exchange.request;
    if (!wantsImpersonation(headers)) return this.#enter(exchange, upgrade);
    const { authorizer } = this.#dependencies;
    const asked = attributesOf(exchange.info, exchange.user, workspace);
    return impersonate(headers, asked, authorizer).then(({ user, constraint }) => {
      exchange.user = user;
      exchange.audit?.impersonated(user, constraint);
      return this.#enter(exchange, upgrade);
    });
  }

  /** KUBERNETES.md O2. */
  #enter(exchange: Exchange, upgrade: UpgradeTarget | undefined): Promise<void> | undefined {
    const { flowControl } = this.#dependencies;
    if (flowControl === undefined) return this.#authorize(exchange, upgrade);
    const { request, workspace } = exchange;
    if ('stream' in request && workspace !== undefined) {
      exchange.isAlone = http2ConnectionOf(request)?.isOnlyFor(workspace.id) === true;
    }
    if (this.#gate.size > 0) exchange.unread = this.#gate.waiting(gateKey(exchange));
    const answer = flowControl.enter(exchange);
    if (answer instanceof Promise) {
      const sinceMs = performance.now();
      return answer.then((known) => {
        exchange.waitedMs = performance.now() - sinceMs;
        return this.#seated(exchange, known, upgrade);
      });
    }
    return this.#seated(exchange, answer, upgrade);
  }

  #seated(
    exchange: Exchange,
    answer: Seat | Refusal,
    upgrade: UpgradeTarget | undefined,
  ): Promise<void> | undefined {
    exchange.flow = answer.shown;
    if (answer.leave === undefined) {
      this.metrics.rejected++;
      if (answer.parkMs > 0) this.#holdAfter(exchange, answer.parkMs);
      sendText(exchange, 429, tooManyRequests, { 'Retry-After': 1 });
      return undefined;
    }
    exchange.seat = answer;
    return this.#authorize(exchange, upgrade);
  }

  #authorize(exchange: Exchange, upgrade: UpgradeTarget | undefined): Promise<void> | undefined {
    const attributes = attributesOf(exchange.info, exchange.user, exchange.workspace);
    const decision = this.#dependencies.authorizer.authorize(attributes);
    if (decision instanceof Promise) {
      return decision.then((known) => this.#authorized(exchange, attributes, known, upgrade));
    }
    return this.#authorized(exchange, attributes, decision, upgrade);
  }

  #authorized(
    exchange: Exchange,
    attributes: AuthorizationAttributes,
    decided: AuthorizationDecision,
    upgrade: UpgradeTarget | undefined,
  ): Promise<void> | undefined {
    const { decision, reason } = decided;
    exchange.audit?.authorized(decided);
    if (decision !== 'allow') throw forbiddenError(attributes, reason);
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
      const handle = (item: Exchange): void => this.#handleItem(item);
      return serveBatch(exchange, { bytesMax, receiving: this.#receiving, handle });
    }
    return this.#plain(exchange, info.rawQuery === '' ? path : `${path}?${info.rawQuery}`);
  }

  /** KUBERNETES.md O1: the request is an API server's behind an APIService. */
  #serveRemote(exchange: Exchange, remote: RemoteApiService): Promise<void> | undefined {
    const { request, response, info, user, auditId, upgrade, audit } = exchange;
    const isLong = upgrade !== undefined || info.verb === 'watch';
    return this.#dependencies.aggregator
      ?.serve(remote, {
        request,
        response,
        info,
        rawQuery: info.rawQuery,
        user,
        auditId,
        upgrade,
        signal: exchange.signal,
      })
      .then(() => {
        const code = response.headersSent ? response.statusCode : switchingProtocols;
        if (isLong) audit?.responseStarted(code);
        upgrade?.socket.once('close', () => audit?.complete(code));
      });
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
    if (exchange.info.verb === '') {
      throw pathMethodNotAllowed();
    }
    exchange.served = served;
    exchange.subresource = resource.subresource;
    exchange.namespace = resource.namespace;
    exchange.name = resource.name;
    const form = negotiate(exchange.request.headers.accept, subjectOf(exchange), exchange);
    if (exchange.workspace === undefined) refuseWildcard(exchange, form);
    const { workspace } = exchange;
    const touched = workspace === undefined ? undefined : this.#dependencies.touch?.(workspace);
    if (touched !== undefined) return touched.then(() => this.#readBody(exchange, form, upgrade));
    return this.#readBody(exchange, form, upgrade);
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

  /** Sends those elsewhere whose bodies are still on their way: nothing of them has happened yet. */
  refuseReceiving(): void {
    for (const exchange of this.#receiving.list()) {
      exchange.response.once('finish', () => exchange.request.destroy());
      refuseWhileStopping(exchange);
    }
  }

  #execute(
    exchange: Exchange,
    form: Form,
    body: RequestBody | undefined,
    upgrade: UpgradeTarget | undefined,
  ): Promise<void> | undefined {
    if (body !== undefined) exchange.audit?.requestBody(body);
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
    exchange.audit?.result(result);
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
      this.metrics.rejected++;
      sendText(exchange, 429, tooManyRequests, { 'Retry-After': 5 });
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

  #timeoutMs(info: ParsedRequest): number {
    const { requestTimeoutMs } = this.#limits;
    // E5: a client may ask for less.
    if (info.verb === 'watch' || !info.rawQuery.includes('timeout')) return requestTimeoutMs;
    const asked = parseDuration(info.query.get('timeout') ?? '');
    return asked === undefined ? requestTimeoutMs : Math.min(asked, requestTimeoutMs);
  }

  /** Infinity for what is no write of one object; deletions of collections are as long as lists (E5). */
  #writeTimeoutMs({ info }: Exchange): number {
    const isWrite = info.resource !== undefined && singleWrites.has(info.verb);
    return isWrite ? this.#limits.writeTimeoutMs : Number.POSITIVE_INFINITY;
  }

  /** Leaves the connection unread after the answer: what is asked next costs nothing until it is its turn. */
  #holdAfter(exchange: Exchange, parkMs: number): void {
    const { request, response } = exchange;
    const connection = gatedOf(request);
    if (connection === undefined) return;
    const key = gateKey(exchange);
    if (connection instanceof Http2Connection) connection.narrow();
    // HTTP/1's parser reads on when it has come to the request's end.
    if (request.complete || exchange.isHttp2) this.#gate.hold(connection, key, parkMs);
    else response.once('close', () => this.#gate.hold(connection, key, parkMs));
  }

  #timeOut(exchange: Exchange): void {
    // An answer that has begun takes its time; a client that stalls is seen by the writer.
    if (exchange.response.headersSent || exchange.isGone) return;
    const nowMs = performance.now();
    const leftMs = exchange.startedAtMs + exchange.timeoutMs - nowMs;
    // What waited for its seat has not been writing for so long.
    const writingLeftMs = (exchange.writingSinceMs ?? nowMs) + this.#writeTimeoutMs(exchange) - nowMs;
    if (Math.min(leftMs, writingLeftMs) > timerToleranceMs) {
      this.#deadlines.add(exchange, nowMs + Math.min(leftMs, writingLeftMs));
      return;
    }
    const within =
      writingLeftMs < leftMs ? 'requested timeout - context deadline exceeded' : 'the allotted timeout';
    const error = new ApiError('Timeout', `Timeout: request did not complete within ${within}`);
    exchange.abort(error);
    exchange.audit?.failed(error);
    sendError(exchange, error);
  }

  #fail(exchange: Exchange, error: unknown): void {
    const { request, auditId } = exchange;
    // Whoever has hung up is no fault worth a line.
    if (exchange.isGone) return;
    const fields = { auditId, method: request.method, url: request.url, user: exchange.user.name };
    const told = toApiError(error, this.#dependencies.logger, fields);
    exchange.audit?.failed(told);
    sendError(exchange, told);
    // As kube-apiserver does: whoever is not known gets no second lot of streams over the same connection.
    if (told.code === 401 && 'stream' in request) http2ConnectionOf(request)?.giveNotice();
  }

  #finish(exchange: Exchange): void {
    const { info, served, response, startedAtMs, seat } = exchange;
    if (seat !== undefined) {
      seat.leave();
      if (seat.crowds && exchange.parks) this.#holdAfter(exchange, 0);
    }
    const durationMs = performance.now() - startedAtMs;
    const { statusCode: code } = response;
    const { waitedMs } = exchange;
    if (served === undefined || info.resource === undefined) {
      this.metrics.observePlain({ verb: info?.verb ?? '', code, durationMs, waitedMs }, info?.path ?? '');
      return;
    }
    const type = info.verb === 'patch' ? exchange.request.headers['content-type'] : undefined;
    this.metrics.observe({
      verb: info.verb,
      code,
      durationMs,
      waitedMs,
      served,
      resource: info.resource,
      isApply: type?.startsWith('application/apply-patch') === true,
      isDryRun: info.rawQuery.includes('dryRun=All'),
    });
  }
}

const readingMethods: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD', 'OPTIONS']);

function isMutating({ request }: Exchange): boolean {
  return !readingMethods.has(request.method);
}

/** A watch is no request that its connection has too many of. */
function countWatch({ request, response }: Exchange): void {
  const connection = 'stream' in request ? http2ConnectionOf(request) : undefined;
  if (connection === undefined) return;
  connection.watches++;
  response.once('close', () => connection.watches--);
}

/** The connection that the request came over; undefined when it is gone. */
function gatedOf(request: ServerRequest): GatedConnection | undefined {
  return 'stream' in request ? http2ConnectionOf(request) : request.socket;
}

/** Whose connection it is: flow control's tenant. */
function gateKey({ workspace, user }: Exchange): string {
  return workspace?.id ?? `*/${user.name}`;
}

/** A namespaced object has a namespace in its path, a cluster-scoped one none; lists over all namespaces have none. */
function fitsScope({ namespace, name }: ResourceRequest, namespaced: boolean): boolean {
  return namespaced ? namespace !== '' || name === '' : namespace === '';
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

function refuseWhileStopping(exchange: Exchange): void {
  sendText(exchange, 429, 'The server is shutting down, please try again later.', {
    'Retry-After': retryWhileStoppingSeconds,
    ...(exchange.isHttp2 ? {} : { Connection: 'close' }),
  });
}

/** `30s`, `1m30s`, `500ms` (Go's durations), or seconds; 400 for anything else or nothing positive. */
function parseDuration(text: string): number | undefined {
  if (text === '') return undefined;
  const units: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  let total = 0;
  const rest = text.replace(/(\d+(?:\.\d+)?)(ms|s|m|h)/g, (_, number: string, unit: string) => {
    total += Number(number) * units[unit]!;
    return '';
  });
  if (rest === text && /^\d+$/.test(text)) total = Number(text) * 1000;
  else if (rest !== '') {
    throw badRequest(
      `invalid timeout specified in the request URL - time: invalid duration ${JSON.stringify(text)}`,
    );
  }
  return total === 0 ? undefined : total;
}
