import type { JsonObject } from '#apimachinery/json.ts';
import type { Scheme } from '#apimachinery/scheme.ts';
import type { Logger } from '#client/logger.ts';
import type { Aggregator } from '../aggregation/aggregator.ts';
import type { Auditor } from '../audit/audit.ts';
import type { Authenticator } from '../authn/authenticator.ts';
import type { Authorizer } from '../authz/authorizer.ts';
import type { FlowController } from '../flow-control/flow-controller.ts';
import type { ResourceContext } from '../request/context.ts';
import type { UserInfo } from '../request/user.ts';
import type { VerbRequest } from '../verbs/request.ts';
import type { VerbResult } from '../verbs/result.ts';
import type { StandingCheck } from '../workspace/standing-workspace.ts';
import type { Workspace, WorkspaceResolver } from '../workspace/workspace.ts';
import type { ExpressMount } from './express-shell.ts';
import type { HealthCheck } from './health.ts';
import type { HttpLimits } from './limits.ts';
import type { DocumentRequest, PreparedResponse } from './prepared-response.ts';

export interface HttpServerDependencies {
  readonly listen: {
    /** Default `127.0.0.1`. */
    readonly host?: string | undefined;
    /** 0: any free port. */
    readonly port: number;
  };
  readonly tls: {
    /** The server's certificate with its chain, and its key: PEM. */
    readonly certificatePem: string;
    readonly keyPem: string;
    /** PEM of the authorities whose client certificates are believed. */
    readonly clientCaPem: string | readonly string[];
  };
  /** Must answer with a user for every request without credentials too (anonymous), or throw Unauthorized. */
  readonly authenticator: Authenticator;
  /** Which workspace a user means who names none; undefined: root. */
  readonly homeOf?: ((user: UserInfo) => string | undefined) | undefined;
  readonly authorizer: Authorizer;
  /** Of the store; a request that names another is refused. Absent: all are taken. */
  readonly incarnationId?: string | undefined;
  readonly resolver: WorkspaceResolver;
  readonly verbs: {
    execute(context: ResourceContext, request: VerbRequest): VerbResult | Promise<VerbResult>;
    /** Throws what comes before the form of an answer. */
    checkRoute?(context: ResourceContext, contentType: string): void;
    endAllWatches?(): void;
  };
  /** `/api`, `/apis` and below; undefined where nothing of the kind is served (404). */
  readonly discovery: (
    scheme: Scheme,
    path: string,
    request: DocumentRequest,
  ) => PreparedResponse | undefined;
  /** `/openapi/v2`, `/openapi/v3` and below. */
  readonly openapi: (
    scheme: Scheme,
    path: string,
    query: URLSearchParams,
    request: DocumentRequest,
  ) => PreparedResponse | undefined;
  /** Awaited before a resource request from outside: writes what a workspace gets at its first touch. */
  readonly touch?: ((workspace: Workspace) => Promise<void> | undefined) | undefined;
  /**
   * Only where several servers share a store: brings everything that is derived from it to its newest revision, before
   * a resource is called unknown.
   */
  readonly awaitFresh?: (() => Promise<void> | undefined) | undefined;
  /** Throws before a refusal about a workspace that is gone by now; absent where none can be. */
  readonly assertStands?: StandingCheck | undefined;
  /**
   * Takes a resource request away from the verbs (an APIService's proxy, a virtual workspace); undefined leaves it.
   * Called after authorization.
   */
  readonly intercept?: ((request: InterceptedRequest) => Promise<void> | undefined) | undefined;
  /** Absent: every request is served at once (KUBERNETES.md O2). */
  readonly flowControl?: Pick<FlowController, 'enter' | 'givesWay' | 'whenEased'> | undefined;
  /** API servers behind APIServices (KUBERNETES.md O1). Asked after authorization, for requests in a workspace. */
  readonly aggregator?: Pick<Aggregator, 'remoteOf' | 'serve' | 'discovery' | 'openapi'> | undefined;
  /** Absent: nothing is audited, at no cost (KUBERNETES.md O3). */
  readonly audit?: Pick<Auditor, 'begin' | 'refused'> | undefined;
  readonly healthChecks: readonly HealthCheck[];
  /** Service-account keys and their discovery document (U2). */
  readonly openId?: { jwks(): JsonObject; openidConfiguration(baseUrl: string): JsonObject } | undefined;
  /** The product's own version: `0.1.0`. */
  readonly version: string;
  /** Prometheus text of the other parts, appended to `/metrics`. */
  readonly metricsText?: (() => string | Promise<string>) | undefined;
  /** Express routers for pages beside the API. */
  readonly mounts?: readonly ExpressMount[] | undefined;
  readonly logger: Logger;
  readonly limits?: Partial<HttpLimits> | undefined;
  /** Between "not ready" and refusing requests, so that load balancers notice. Default 0 ms. */
  readonly shutdownDelayMs?: number | undefined;
  /** How long requests under way may take to end at stop. Default 60,000 ms. */
  readonly drainTimeoutMs?: number | undefined;
}

export interface InterceptedRequest {
  readonly request: import('node:http').IncomingMessage | import('node:http2').Http2ServerRequest;
  readonly response: import('node:http').ServerResponse | import('node:http2').Http2ServerResponse;
  readonly user: UserInfo;
  readonly workspace: Workspace | undefined;
  /** Inside the workspace, with query. */
  readonly pathAndQuery: string;
  readonly signal: AbortSignal;
}
