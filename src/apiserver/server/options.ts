import type { Clock } from '#apimachinery/clock.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import type { KeyValue, Storage } from '#storage/storage.ts';
import type { Auditor } from '../audit/audit.ts';
import type { JwtIssuer } from '../authn/authentication-configuration.ts';
import type { ForeignAuthenticationOptions } from '../authn/foreign-authentication.ts';
import type { WebhookAuthorizer } from '../authz/webhook-authorizer.ts';
import type { HealthCheck } from '../http/health.ts';
import type { AcceptedConnection } from '../http/server.ts';
import type { ServerPki } from '../pki/pki.ts';
import type { IpRange } from '../registry/ip-range.ts';
import type { UserInfo } from '../request/user.ts';
import type { ServiceNetworks } from '../services/service-networks.ts';

export interface ApiServerOptions {
  /** `federation`: workspaces and cells. `edge`: one workspace, plain Kubernetes. */
  readonly mode: 'federation' | 'edge';
  /** Closed by the server's stop. */
  readonly storage: CachedStorage;
  readonly pki: ServerPki;
  /** Makes certificates that are due anew. Absent: they are left to expire. */
  readonly renewPki?: (() => Promise<ServerPki>) | undefined;
  readonly bindAddress: string;
  readonly port: number;
  /** False: no socket is opened, and the server is reached by `clientAs` alone. Default true. */
  readonly listens?: boolean | undefined;
  /** Host that clients reach the server by. */
  readonly externalHost: string;
  /** Kinds of project workspaces. */
  readonly projectDefinitions: readonly ResourceDefinition[];
  /** CSV of static tokens (KUBERNETES.md U1). */
  readonly tokenFile?: string | undefined;
  /** OpenID Connect issuers whose tokens are believed (KUBERNETES.md U1). */
  readonly tokenIssuers?: readonly JwtIssuer[] | undefined;
  /** `iss` of service-account tokens: the first signs, all are believed (U2). Default: `https://<external host>`. */
  readonly serviceAccountIssuers?: readonly string[] | undefined;
  /** Whether requests without credentials are the anonymous user's. Default true. */
  readonly allowsAnonymous?: boolean | undefined;
  /** The only paths on which they are; undefined: on all. */
  readonly anonymousPaths?: ReadonlySet<string> | undefined;
  /** This server behind another one's aggregation layer or an authenticating proxy (KUBERNETES.md O1). */
  readonly foreign?: ForeignAuthenticationOptions | undefined;
  /** Authorizers inside workspaces in their order (KUBERNETES.md U5); default: RBAC alone. Closed by the server's stop. */
  readonly authorizers?: readonly ('RBAC' | WebhookAuthorizer)[] | undefined;
  /** Asked by TokenReview about tokens that nobody else knows (KUBERNETES.md U1); `server` is the URL to post to. */
  readonly tokenWebhook?: ServerConnection | undefined;
  /** What is audited, and where to (KUBERNETES.md O3); closed by the server's stop. Absent: nothing is. */
  readonly auditor?: Auditor | undefined;
  /** Whether a value is sealed with a key that is no longer the one to write with (KUBERNETES.md O5). */
  readonly isStale?: ((entry: KeyValue) => boolean) | undefined;
  /** What backups are read from, below encryption. Default: `storage`. */
  readonly backupSource?: Storage | undefined;
  /** Beside those of the server itself. */
  readonly healthChecks?: readonly HealthCheck[] | undefined;
  /** Networks in which Services are reached, for APIServices and webhooks. Default: `ServiceNetworks.byDefault`. */
  readonly serviceNetworks?: ServiceNetworks | undefined;
  /** Where Services' addresses come from: one range, or one of each family. Default: `defaultServiceRange`. */
  readonly serviceRanges?: readonly IpRange[] | undefined;
  readonly version: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly shutdownDelayMs?: number | undefined;
}

export interface ApiServer {
  readonly port: number;
  /** `https://host:port`. */
  readonly url: string;
  /** The server's own user, without sockets. */
  readonly loopbackClient: KubeClient;
  /** A client in this process as that user, authorized as over the network. */
  clientAs(user: UserInfo): KubeClient;
  /** Serves HTTP/1.1 on a connection in this process, as on one that came through the port. */
  accept(connection: AcceptedConnection): void;
  /** Ends requests, watches and controllers, then closes the storage. Idempotent. */
  stop(): Promise<void>;
}
