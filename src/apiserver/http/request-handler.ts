import { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { incarnationHeader, otherStoreError } from '#api/federation/store-incarnation.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import { impersonate, wantsImpersonation } from '../authn/impersonation.ts';
import { attributesOf, forbiddenError } from '../authz/attributes.ts';
import type { AuthorizationAttributes, AuthorizationDecision } from '../authz/authorizer.ts';
import { homeClusterOf } from '../authz/effective-users.ts';
import type { Refusal, Seat } from '../flow-control/flow-request.ts';
import { type ParsedRequest, parseRequestInfo } from '../request/parse-request-info.ts';
import { anonymousUser, type UserInfo } from '../request/user.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { toApiError } from './answers/errors.ts';
import { sendError, sendText, sendTooMany, sendUndecided } from './answers/respond.ts';
import { auditedRequest } from './audited-request.ts';
import { isServedInBatch } from './batch/serve-batch.ts';
import { credentialsOf } from './connections/connection-credentials.ts';
import { Http2Connection, http2ConnectionOf } from './connections/http2-connection.ts';
import { type GatedConnection, ReadGate } from './connections/read-gate.ts';
import { Deadlines } from './deadlines.ts';
import type { HttpServerDependencies } from './dependencies.ts';
import { Dispatcher, type PlainHandler } from './dispatcher.ts';
import { Exchange, type ServerReply, type ServerRequest, type UpgradeTarget } from './exchange.ts';
import { InFlight } from './in-flight.ts';
import type { HttpLimits } from './limits.ts';
import { HttpMetrics } from './metrics/metrics.ts';
import { Receiving } from './receiving.ts';
import { timeoutMsOf, writeTimeoutMsOf } from './time-limits.ts';
import type { WatchStreams } from './watches/watch-stream.ts';
import { isWebSocketUpgrade } from './watches/websocket.ts';

/** Open to all and about the process: answered without looking at any workspace (KUBERNETES.md D7, D8). */
const processPaths = /^\/(?:(?:healthz|livez|readyz)(?:\/.*)?|version\/?)$/;
const retryWhileStoppingSeconds = 5;
const unauthorizedCode = 401;
/** A timer may fire a little before its time by another clock. */
const timerToleranceMs = 5;

/**
 * The chain of KUBERNETES.md O6: panic guard → audit id → request info → timeout → authentication → workspace →
 * impersonation → flow control → authorization → verb → rendering. Every stage answers at once when it can, so that a read of
 * what is in memory is done in the turn in which it came, without a promise, a timer or a listener.
 */
export class RequestHandler {
  readonly metrics: HttpMetrics;
  readonly inFlight = new InFlight();
  readonly watches: WatchStreams;
  /** Set when the server stops: requests are then refused (KUBERNETES.md §3, Shutdown). */
  isStopping = false;
  /** Set shortly before: an answer is the last one on its connection, so that clients go elsewhere in good order. */
  isLeaving = false;
  /** The same of single connections over HTTP/1. */
  readonly leavingSockets = new WeakSet<Duplex>();
  readonly #receiving = new Receiving();
  readonly #deadlines = new Deadlines<Exchange>((exchange) => this.#timeOut(exchange));
  readonly #dependencies: HttpServerDependencies;
  readonly #limits: HttpLimits;
  readonly #dispatcher: Dispatcher;
  readonly #gate: ReadGate;

  constructor(dependencies: HttpServerDependencies, limits: HttpLimits, plain: PlainHandler) {
    this.metrics = new HttpMetrics(dependencies.version);
    this.#dependencies = dependencies;
    this.#limits = limits;
    const { flowControl } = dependencies;
    this.#gate = new ReadGate({ isClosed: () => flowControl?.givesWay === true });
    flowControl?.whenEased(() => this.#gate.look());
    this.#dispatcher = new Dispatcher({
      dependencies,
      limits,
      plain,
      metrics: this.metrics,
      receiving: this.#receiving,
      handleItem: (item) => this.#handleItem(item),
    });
    this.watches = this.#dispatcher.watches;
  }

  /** Never throws, never rejects. `upgradable`: the request asks for another protocol on its connection. */
  handle(request: ServerRequest, response: ServerReply, upgradable?: UpgradeTarget): void {
    const connection = gatedOf(request);
    if (connection !== undefined) this.#gate.came(connection);
    const upgrade = upgradable !== undefined && isWebSocketUpgrade(request) ? upgradable : undefined;
    const exchange = new Exchange(request, response, upgrade !== undefined);
    if (response instanceof ServerResponse && (this.isLeaving || this.leavingSockets.has(request.socket)))
      response.shouldKeepAlive = false;
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
      item.timeoutMs = timeoutMsOf(item.info, this.#limits);
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
    const timeoutMs = Math.min(exchange.timeoutMs, writeTimeoutMsOf(exchange.info, this.#limits));
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
    exchange.timeoutMs = timeoutMsOf(exchange.info, this.#limits);
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
    if (user === undefined || (user === anonymousUser && this.#refusesAnonymous(exchange))) {
      throw new ApiError('Unauthorized', 'Unauthorized');
    }
    exchange.user = user;
    const incarnationId = exchange.request.headers[incarnationHeader];
    if (incarnationId !== undefined && incarnationId !== this.#dependencies.incarnationId)
      throw otherStoreError();
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

  /** KEP-4633: an authentication configuration may open some paths alone to requests without credentials. */
  #refusesAnonymous({ request }: Exchange): boolean {
    const { anonymousPaths } = this.#dependencies.authenticator;
    if (anonymousPaths === undefined) return false;
    const [path = ''] = (request.url ?? '').split('?');
    return !anonymousPaths.has(path);
  }

  #beginAudit(exchange: Exchange): void {
    const { response } = exchange;
    exchange.audit = this.#dependencies.audit?.begin(auditedRequest(exchange, exchange.user));
    // Whatever becomes of the answer, this is its end; an upgraded connection is no longer the response's.
    if (exchange.audit === undefined) return;
    response.once('close', () => {
      if (exchange.wantsWebSocket && !response.headersSent) return;
      exchange.audit?.complete(response.statusCode, response.headersSent);
    });
  }

  #resolve({ clusterRef, resource, path }: ParsedRequest): Workspace | Promise<Workspace> {
    const { resolver } = this.#dependencies;
    const allowInactive = resource?.resource === 'logicalclusters' || path.startsWith('/openapi');
    try {
      return resolver.resolve(clusterRef, { allowInactive });
    } catch (error) {
      if (!isApiError(error, 'NotFound', 'Forbidden') || resolver.resolveFresh === undefined) throw error;
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
    // A batch is in nobody else's name, and its items have no such headers of their own.
    if (exchange.item !== undefined || !wantsImpersonation(headers)) return this.#enter(exchange, upgrade);
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
      sendTooMany(exchange, 1);
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
    exchange.audit?.authorized(decided);
    if (decided.decision !== 'allow') {
      if (decided.error === undefined) throw forbiddenError(attributes, decided.reason);
      sendUndecided(exchange, decided.error);
      return undefined;
    }
    return this.#dispatcher.serve(exchange, upgrade);
  }

  /** Sends those elsewhere whose bodies are still on their way: nothing of them has happened yet. */
  refuseReceiving(): void {
    for (const exchange of this.#receiving.list()) {
      exchange.response.once('finish', () => exchange.request.destroy());
      refuseWhileStopping(exchange);
    }
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
    const writingLeftMs =
      (exchange.writingSinceMs ?? nowMs) + writeTimeoutMsOf(exchange.info, this.#limits) - nowMs;
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
    if (told.code === unauthorizedCode) {
      this.#dependencies.audit?.refused(auditedRequest(exchange, undefined), told);
    }
    sendError(exchange, told);
    // As kube-apiserver does: whoever is not known gets no second lot of streams over the same connection.
    if (told.code === unauthorizedCode && 'stream' in request) http2ConnectionOf(request)?.giveNotice();
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
      receivedBytes: exchange.receivedBytes,
      sentBytes: exchange.sentBytes,
    });
  }
}

const readingMethods: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD', 'OPTIONS']);

function isMutating({ request }: Exchange): boolean {
  return !readingMethods.has(request.method);
}

/** The connection that the request came over; undefined when it is gone. */
function gatedOf(request: ServerRequest): GatedConnection | undefined {
  return 'stream' in request ? http2ConnectionOf(request) : request.socket;
}

/** Whose connection it is: flow control's tenant. */
function gateKey({ workspace, user }: Exchange): string {
  return workspace?.id ?? `*/${user.name}`;
}

function refuseWhileStopping(exchange: Exchange): void {
  sendText(exchange, 429, 'The server is shutting down, please try again later.', {
    'Retry-After': retryWhileStoppingSeconds,
    ...(exchange.isHttp2 ? {} : { Connection: 'close' }),
  });
}
