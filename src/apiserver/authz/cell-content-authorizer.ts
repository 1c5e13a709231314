import { federationGroup, federationVersion } from '#api/federation/group.ts';
import type { WorkspaceResolver } from '../workspace/workspace.ts';
import type { AuthorizationAttributes, AuthorizationDecision, Authorizer } from './authorizer.ts';

const noOpinion: AuthorizationDecision = { decision: 'noOpinion', reason: '' };
const readVerbs = new Set(['get', 'list', 'watch', 'head', 'access']);

/**
 * Rights of people and third-party syncers in a cell workspace. RBAC inside it never acts (its RoleBindings are copies
 * of projects'), so the question is put to the workspace that the cell is registered in: whoever may `<verb>` the
 * subresource `content` of that Cell there, may do so to what the cell's workspace holds. Entering it, and its
 * non-resource paths, need `get`. As kcp does it for `apiexports/content`.
 */
export class CellContentAuthorizer implements Authorizer {
  readonly #parent: Authorizer;
  readonly #resolver: WorkspaceResolver;

  constructor(parent: Authorizer, resolver: WorkspaceResolver) {
    this.#parent = parent;
    this.#resolver = resolver;
  }

  authorize(attributes: AuthorizationAttributes): AuthorizationDecision | Promise<AuthorizationDecision> {
    const { workspace, user, verb, resource } = attributes;
    if (workspace === undefined || !workspace.inert) return noOpinion;
    const colon = workspace.path.lastIndexOf(':');
    if (colon < 0) return noOpinion;
    const parent = this.#resolver.resolve(workspace.path.slice(0, colon));
    const asked = resource === undefined ? (readVerbs.has(verb) ? 'get' : verb) : verb;
    return this.#parent.authorize({
      user,
      workspace: parent,
      verb: asked,
      resource: {
        group: federationGroup,
        version: federationVersion,
        resource: 'cells',
        subresource: 'content',
        namespace: '',
        name: workspace.path.slice(colon + 1),
      },
      path: attributes.path,
    });
  }
}
