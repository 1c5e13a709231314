import { systemMasters } from '../request/user.ts';
import type { AuthorizationAttributes, AuthorizationDecision, Authorizer } from './authorizer.ts';
import { isInScope } from './effective-users.ts';

const allowed: AuthorizationDecision = { decision: 'allow', reason: '' };
const noOpinion: AuthorizationDecision = { decision: 'noOpinion', reason: '' };

/** KUBERNETES.md U4: `system:masters` may do everything, in the workspaces that the user's scopes leave it. */
export const systemMastersAuthorizer: Authorizer = {
  authorize({ user, workspace }: AuthorizationAttributes): AuthorizationDecision {
    return user.groups.includes(systemMasters) && isInScope(workspace?.id, user) ? allowed : noOpinion;
  },
};
