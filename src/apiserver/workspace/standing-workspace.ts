import { ApiError } from '#apimachinery/api-error.ts';
import type { AuthorizationAttributes, AuthorizationDecision, Authorizer } from '../authz/authorizer.ts';
import type { Workspace, WorkspaceResolver } from './workspace.ts';

/** Throws when the workspace that an answer is about is gone. */
export type StandingCheck = (workspace: Workspace | undefined) => void;

/**
 * For a store that several servers write: a path leads to the workspace that this server's cache has under it, which may have been
 * taken away, and made anew, through another one. What was found there, or not found, or written there, is then about nothing: it is
 * no answer. By the time that there is one, the cache has been brought up to date for it; whoever asks again comes to the new one.
 */
export function standingCheck(resolver: Pick<WorkspaceResolver, 'byId'>): StandingCheck {
  return (workspace) => {
    if (workspace === undefined || resolver.byId(workspace.id) !== undefined) return;
    throw new ApiError(
      'ServiceUnavailable',
      `the workspace ${workspace.path} was taken away meanwhile; ask again`,
      { details: { retryAfterSeconds: 1 } },
    );
  };
}

/** The authorizer, whose refusals are about a workspace that stands. */
export function standingAuthorizer(authorizer: Authorizer, check: StandingCheck): Authorizer {
  return {
    authorize: (attributes: AuthorizationAttributes) => {
      const checked = (decided: AuthorizationDecision): AuthorizationDecision => {
        if (decided.decision !== 'allow') check(attributes.workspace);
        return decided;
      };
      const decided = authorizer.authorize(attributes);
      return decided instanceof Promise ? decided.then(checked) : checked(decided);
    },
  };
}
