import type { Clock } from '#apimachinery/clock.ts';
import type { Logger } from '#client/logger.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { WebhookAuthorizer } from '../authz/webhook-authorizer.ts';
import { RenewedToken } from '../renewed-token.ts';
import type { UserInfo } from '../request/user.ts';
import {
  type AuthenticationLookup,
  followAuthentication,
  lookUpAuthentication,
} from './authentication-lookup.ts';
import type { Authenticator } from './authenticator.ts';
import { CertificateAuthorities } from './certificate-authorities.ts';
import { ForeignUsers } from './foreign-users.ts';
import { RequestHeaderAuthenticator, type RequestHeaderConfig } from './request-header.ts';
import { TokenWebhook } from './token-webhook.ts';
import { X509Authenticator } from './x509.ts';

const delegatedMs = 10_000;
const authorizationTimeoutMs = 10_000;

export interface ForeignAuthenticationOptions {
  /** Given by flags; stands before what is looked up. */
  readonly requestHeader?: RequestHeaderConfig | undefined;
  /** The API server that is asked whose a token is, and whose authorities are looked up. */
  readonly authentication?: ServerConnection | undefined;
  /** False: authorities are not looked up there. */
  readonly looksUp: boolean;
  /** The API server that is asked what its users may do. */
  readonly authorization?: ServerConnection | undefined;
  /** Path of the workspace in which these users are somebody; undefined: all of them, and no delegated rights but at an edge. */
  readonly workspace?: string | undefined;
}

/**
 * This server behind another API server's aggregation layer, or an authenticating proxy (KUBERNETES.md O1, U1): request
 * headers, delegated TokenReview and SubjectAccessReview, and the other server's client certificates.
 */
export class ForeignAuthentication {
  readonly users: ForeignUsers;
  /** To be tried before the server's own certificates. */
  readonly authenticators: readonly Authenticator[];
  readonly tokens: TokenWebhook | undefined;
  /** Asked after RBAC, about users whom the other server vouches for. */
  readonly authorizer: WebhookAuthorizer | undefined;
  readonly #requestHeader: RequestHeaderAuthenticator | undefined;
  readonly #clientAuthorities: CertificateAuthorities | undefined;
  /** The server whose authorities are looked up; undefined where they are not. */
  readonly #lookedUp: ServerConnection | undefined;
  readonly #isFixed: boolean;
  #lookup: AuthenticationLookup;
  #unfollow: (() => void) | undefined;

  private constructor(
    options: ForeignAuthenticationOptions,
    workspaceOf: (path: string) => { readonly id: string; readonly path: string },
    lookup: AuthenticationLookup,
    lookedUp: ServerConnection | undefined,
    logger: Logger,
  ) {
    const { workspace, authentication, authorization } = options;
    this.users = new ForeignUsers(() => (workspace === undefined ? undefined : workspaceOf(workspace)));
    this.#isFixed = options.requestHeader !== undefined;
    this.#lookedUp = lookedUp;
    this.#lookup = lookup;
    const { requestHeader, clientCaPem } = lookup;
    const isFound = lookedUp !== undefined;
    // What is not there yet may come: a host that is started anew writes its ConfigMap piece by piece.
    this.#requestHeader =
      requestHeader === undefined && !isFound
        ? undefined
        : new RequestHeaderAuthenticator(requestHeader, this.users);
    this.#clientAuthorities = isFound ? new CertificateAuthorities(clientCaPem) : undefined;
    const certificates =
      this.#clientAuthorities === undefined
        ? undefined
        : new X509Authenticator(Date.now, this.#clientAuthorities, (user) => this.users.admit(user));
    this.authenticators = [this.#requestHeader, certificates].filter((one) => one !== undefined);
    this.tokens =
      authentication === undefined
        ? undefined
        : new TokenWebhook({
            connection: at(authentication, '/apis/authentication.k8s.io/v1/tokenreviews'),
            logger,
            foreign: this.users,
          });
    this.authorizer =
      authorization === undefined
        ? undefined
        : new WebhookAuthorizer({
            name: 'delegated',
            connection: at(authorization, '/apis/authorization.k8s.io/v1/subjectaccessreviews'),
            allowedMs: delegatedMs,
            refusedMs: delegatedMs,
            timeoutMs: authorizationTimeoutMs,
            onFailure: 'noOpinion',
            tellsWorkspace: false,
            concerns: (user, { path, type }) =>
              this.users.has(user) && (type === 'edge' || path === workspace),
            logger,
          });
  }

  /** Throws ApiError or Error when the other server's authorities cannot be read. */
  static async open(
    options: ForeignAuthenticationOptions,
    workspaceOf: (path: string) => { readonly id: string; readonly path: string },
    logger: Logger,
  ): Promise<ForeignAuthentication> {
    const { authentication, looksUp, requestHeader } = options;
    const lookedUp = looksUp ? authentication : undefined;
    let found: AuthenticationLookup | undefined;
    if (lookedUp !== undefined) {
      const client = clientOf(lookedUp, lookedUp.token);
      found = await lookUpAuthentication(client).finally(() => client.close());
    }
    const lookup = {
      clientCaPem: found?.clientCaPem,
      requestHeader: requestHeader ?? found?.requestHeader,
    };
    return new ForeignAuthentication(options, workspaceOf, lookup, lookedUp, logger);
  }

  /** PEM bundles of the authorities that TLS must know beside the server's own. */
  get authoritiesPem(): readonly string[] {
    const { clientCaPem, requestHeader } = this.#lookup;
    return [clientCaPem, requestHeader?.clientCaPem].filter((one) => one !== undefined);
  }

  homeOf(user: UserInfo): string | undefined {
    return this.users.homeOf(user);
  }

  /** Keeps up with the other server's authorities; `onChange` when TLS must know others. */
  follow(clock: Clock, logger: Logger, onChange: () => void): void {
    const lookedUp = this.#lookedUp;
    if (lookedUp === undefined) return;
    const tokens = new RenewedToken(lookedUp);
    this.#unfollow = followAuthentication({
      open: async () => clientOf(lookedUp, await tokens.get()),
      known: this.#lookup,
      use: (found) => {
        const { clientCaPem } = found;
        const requestHeader = this.#isFixed ? this.#lookup.requestHeader : found.requestHeader;
        // All of it or nothing: throws for authorities that cannot be read.
        new CertificateAuthorities(clientCaPem);
        this.#requestHeader?.replace(requestHeader);
        this.#clientAuthorities?.replace(clientCaPem);
        this.#lookup = { clientCaPem, requestHeader };
        onChange();
      },
      clock,
      logger,
    });
  }

  async close(): Promise<void> {
    this.#unfollow?.();
    await Promise.all([this.tokens?.close(), this.authorizer?.close()]);
  }
}

function clientOf(connection: ServerConnection, token: string | undefined): RemoteClient {
  return new RemoteClient({ ...connection, token }, { userAgent: 'cellplane-apiserver' });
}

function at(connection: ServerConnection, path: string): ServerConnection {
  return { ...connection, server: `${connection.server.replace(/\/$/, '')}${path}` };
}
