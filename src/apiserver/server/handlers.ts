import type { CachedStorage } from '#storage/cached-storage.ts';
import type { ServiceAccountTokens } from '../authn/service-account-tokens.ts';
import { tokenRequestHandler } from '../authn/token-request.ts';
import type { UnionAuthenticator } from '../authn/union-authenticator.ts';
import { reviewHandlers } from '../authz/reviews.ts';
import type { ServerAuthorizer } from '../authz/server-authorizer.ts';
import { handlerKey, type ResourceHandler } from '../verbs/request.ts';
import { virtualResource, virtualSubresource } from '../verbs/virtual-resources.ts';
import type { FederationHandlers } from '../workspace/federation-handlers.ts';

/** What is answered without being stored: reviews, tokens, and the views of workspaces and cells. */
export function createHandlers(parts: {
  readonly authorization: ServerAuthorizer;
  readonly authenticator: UnionAuthenticator;
  readonly serviceAccountTokens: ServiceAccountTokens;
  readonly storage: CachedStorage;
  readonly federation: FederationHandlers | undefined;
}): ReadonlyMap<string, ResourceHandler> {
  const { authorization, authenticator, serviceAccountTokens, storage, federation } = parts;
  const handlers = new Map<string, ResourceHandler>(federation?.handlers ?? []);
  const reviews = reviewHandlers({ ...authorization, tokens: authenticator });
  for (const [key, handler] of reviews) handlers.set(key, virtualResource(handler));
  handlers.set(
    handlerKey('', 'serviceaccounts', 'token'),
    virtualSubresource(tokenRequestHandler(serviceAccountTokens, storage), {
      group: 'authentication.k8s.io',
      version: 'v1',
      kind: 'TokenRequest',
    }),
  );
  return handlers;
}
