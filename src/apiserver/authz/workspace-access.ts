import type { AuthorizationAttributes, AuthorizationDecision, Authorizer } from './authorizer.ts';
import { isInScope, serviceAccountUserPrefix } from './effective-users.ts';

const denied: AuthorizationDecision = { decision: 'noOpinion', reason: 'access denied' };

/**
 * Entering a workspace needs verb `access` on non-resource `/` in it (KCP.md, Identity and rights); only then does the
 * authorizer behind this one say what may be done there. Service accounts are at home in their own workspace; an edge
 * server is a plain Kubernetes API server, without the notion of entering. Nobody enters `/clusters/*` this way.
 */
export class WorkspaceAccessAuthorizer implements Authorizer {
  readonly #inside: Authorizer;

  constructor(inside: Authorizer) {
    this.#inside = inside;
  }

  authorize(attributes: AuthorizationAttributes): AuthorizationDecision | Promise<AuthorizationDecision> {
    const { user, workspace, verb, resource, path } = attributes;
    if (workspace === undefined) return denied;
    const asksForAccess = resource === undefined && verb === 'access' && path === '/';
    const isAtHome = user.name.startsWith(serviceAccountUserPrefix) && isInScope(workspace.id, user);
    if (workspace.type === 'edge' || isAtHome) {
      return asksForAccess
        ? { decision: 'allow', reason: 'at home in this workspace' }
        : this.#inside.authorize(attributes);
    }
    if (asksForAccess) return this.#inside.authorize(attributes);
    const access = this.#inside.authorize({
      user,
      workspace,
      verb: 'access',
      resource: undefined,
      path: '/',
    });
    if (access instanceof Promise) return access.then((decision) => this.#enter(decision, attributes));
    return this.#enter(access, attributes);
  }

  #enter(
    access: AuthorizationDecision,
    attributes: AuthorizationAttributes,
  ): AuthorizationDecision | Promise<AuthorizationDecision> {
    if (access.decision === 'allow') return this.#inside.authorize(attributes);
    return access.error === undefined ? denied : { ...denied, error: access.error };
  }
}
