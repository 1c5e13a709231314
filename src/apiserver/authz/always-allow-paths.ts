import { allAuthenticated } from '../request/user.ts';
import type { AuthorizationAttributes, AuthorizationDecision, Authorizer } from './authorizer.ts';

const allowed: AuthorizationDecision = { decision: 'allow', reason: 'path is always allowed' };
const noOpinion: AuthorizationDecision = { decision: 'noOpinion', reason: '' };

/** Open to everyone, without entering a workspace (KUBERNETES.md D7, D8). */
const publicPaths = /^\/(?:(?:healthz|livez|readyz)(?:\/.*)?|version\/?)$/;
/** Which store this is (well-known.ts), for whoever is authenticated. */
const storePath = '/.well-known/cellplane';

export const alwaysAllowPathsAuthorizer: Authorizer = {
  authorize({ resource, verb, path, user }: AuthorizationAttributes): AuthorizationDecision {
    if (resource !== undefined || (verb !== 'get' && verb !== 'head')) return noOpinion;
    if (publicPaths.test(path)) return allowed;
    return path === storePath && user.groups.includes(allAuthenticated) ? allowed : noOpinion;
  },
};
