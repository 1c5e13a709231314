import { coreKcpGroup } from '#api/core-kcp/logical-cluster.ts';
import { batchPath } from '#api/federation/batch.ts';
import { cellsWorkspacePath, federationGroup, federatorLeaseNamespace } from '#api/federation/group.ts';
import { isReturnable } from '#api/federation/return-contract.ts';
import { returnedObjectsGvr } from '#api/federation/returned-object.ts';
import type { ResourceRequest } from '../request/request-info.ts';
import type { AuthorizationAttributes, AuthorizationDecision, Authorizer } from './authorizer.ts';
import type { CellAssignments } from './cell-assignments.ts';
import { componentUserPrefix, federatorNameOf, isScheduler } from './components.ts';
import { isInScope } from './effective-users.ts';

const noOpinion: AuthorizationDecision = { decision: 'noOpinion', reason: '' };
const allowedComponent: AuthorizationDecision = {
  decision: 'allow',
  reason: 'component of the control plane',
};

/**
 * What the control plane's own processes may do, in the manner of Kubernetes' node authorizer: exactly what DESIGN.md
 * (Federator, Assignment) opens to them, whatever RBAC says. All else is denied to them, not left to others.
 */
export class ComponentAuthorizer implements Authorizer {
  readonly #assignments: CellAssignments;

  constructor(assignments: CellAssignments) {
    this.#assignments = assignments;
  }

  authorize(attributes: AuthorizationAttributes): AuthorizationDecision {
    const { user, workspace } = attributes;
    if (!user.name.startsWith(componentUserPrefix)) return noOpinion;
    if (!isInScope(workspace?.id, user)) return deny('outside the scope of the user');
    // Each request in it is authorized for itself.
    if (attributes.resource === undefined && attributes.path === batchPath && attributes.verb === 'post') {
      return isScheduler(user) || federatorNameOf(user) !== undefined ? allowedComponent : noOpinion;
    }
    if (isScheduler(user)) {
      return this.#schedulerMay(attributes) ? allowedComponent : deny('beyond the scheduler');
    }
    const federator = federatorNameOf(user);
    if (federator === undefined) return noOpinion;
    return this.#federatorMay(federator, attributes)
      ? allowedComponent
      : deny(`beyond federator ${JSON.stringify(federator)}`);
  }

  /** Reads of projects and over all workspaces; bindings, statuses and events; copies in cell workspaces. */
  #schedulerMay({ workspace, verb, resource }: AuthorizationAttributes): boolean {
    if (resource === undefined) return isNonResourceRead(verb);
    // Secrets of projects travel; those of the platform, with which edges are reached, are none of its business.
    if (resource.group === '' && resource.resource === 'secrets' && workspace !== undefined) {
      if (!workspace.inert && workspace.type !== 'project') return false;
    }
    if (isRead(verb) || isSelfReview(verb, resource)) return true;
    if (workspace === undefined) return false;
    if (workspace.inert) return true;
    if (isEventWrite(verb, resource)) return true;
    const { group, subresource } = resource;
    if (group === 'work.karmada.io' && schedulerBindings.has(resource.resource)) {
      return subresource === '' || subresource === 'status';
    }
    // What objects were before a rollout, beside their bindings.
    if (group === federationGroup && resource.resource === 'templaterevisions') return subresource === '';
    // What comes back from edges; ComponentRestriction sees to it that nothing else is touched.
    if (workspace.type === 'project' && resource.namespace !== '' && isReturnable(group, resource.resource)) {
      if (subresource === '' && isWrite(verb)) return true;
    }
    // Events that came back go with their cell's.
    if (workspace.type === 'project' && group === '' && resource.resource === 'events' && verb === 'delete') {
      return subresource === '';
    }
    // Rebalancers that are done go after their time.
    if (group === 'apps.karmada.io' && resource.resource === 'workloadrebalancers' && verb === 'delete')
      return subresource === '';
    // The name that a project's mapped names begin with; ComponentRestriction sees to it that it writes nothing else.
    if (group === coreKcpGroup && resource.resource === 'logicalclusters' && workspace.type === 'project') {
      return subresource === '' && verb === 'patch';
    }
    // Taints of cells; ComponentRestriction sees to it that it writes nothing else.
    if (workspace.path === cellsWorkspacePath && group === federationGroup && resource.resource === 'cells') {
      return (subresource === '' && verb === 'patch') || (subresource === 'status' && isUpdate(verb));
    }
    if (workspace.path === cellsWorkspacePath || workspace.type === 'root') {
      if (group === 'coordination.k8s.io' && resource.resource === 'leases') return isWrite(verb);
    }
    return subresource === 'status' && isUpdate(verb);
  }

  /** Its assigned cells' workspaces, and in `root:cells` these Cells' status and credentials, itself and its Lease. */
  #federatorMay(federator: string, attributes: AuthorizationAttributes): boolean {
    const { workspace, verb, resource } = attributes;
    if (workspace === undefined) return false;
    if (workspace.path === cellsWorkspacePath) {
      if (resource === undefined) return isNonResourceRead(verb);
      return this.#federatorMayInCells(federator, attributes, resource);
    }
    // The cell's name comes from the path, which a federator cannot write, not from the Cell's status, which it can.
    const cell = workspace.inert ? cellNameOf(workspace.path) : undefined;
    if (cell === undefined || this.#assignments.federatorOf(cell) !== federator) return false;
    if (resource === undefined) return isNonResourceRead(verb);
    if (resource.group === federationGroup && resource.resource === returnedObjectsGvr.resource) {
      return isRead(verb) || (resource.subresource === '' && isWrite(verb));
    }
    return isRead(verb) || isUpdate(verb) || isEventWrite(verb, resource) || isSelfReview(verb, resource);
  }

  #federatorMayInCells(
    federator: string,
    { verb, fieldRequirements }: AuthorizationAttributes,
    resource: ResourceRequest,
  ): boolean {
    const { group, subresource, namespace, name } = resource;
    if (isEventWrite(verb, resource) || isSelfReview(verb, resource)) return true;
    switch (`${group}/${resource.resource}`) {
      case `${federationGroup}/cells`: {
        const selectsOwn = fieldRequirements?.get('status.federator') === federator;
        if (subresource === '' && (verb === 'list' || verb === 'watch') && selectsOwn) return true;
        if (name === '' || this.#assignments.federatorOf(name) !== federator) return false;
        if (isRead(verb)) return subresource === '' || subresource === 'status';
        return subresource === 'status' && isUpdate(verb);
      }
      case `${federationGroup}/federators`:
        if (subresource !== '' && subresource !== 'status') return false;
        // A create has no name in its URL: the ComponentRestriction admission looks at the object's.
        if (verb === 'create') return subresource === '';
        return name === federator && (isRead(verb) || isUpdate(verb));
      case 'coordination.k8s.io/leases':
        if (subresource !== '' || namespace !== federatorLeaseNamespace) return false;
        return verb === 'create' || (name === federator && (isRead(verb) || isUpdate(verb)));
      case '/secrets':
        return (
          isRead(verb) && subresource === '' && this.#assignments.holdsSecret(federator, namespace, name)
        );
      default:
        return false;
    }
  }
}

const schedulerBindings = new Set(['resourcebindings', 'clusterresourcebindings']);

/** `root:cells:fra-1` → `fra-1`. */
function cellNameOf(path: string): string | undefined {
  const prefix = `${cellsWorkspacePath}:`;
  return path.startsWith(prefix) ? path.slice(prefix.length) : undefined;
}

function deny(reason: string): AuthorizationDecision {
  return { decision: 'deny', reason };
}

function isRead(verb: string): boolean {
  return verb === 'get' || verb === 'list' || verb === 'watch';
}

function isUpdate(verb: string): boolean {
  return verb === 'update' || verb === 'patch';
}

function isWrite(verb: string): boolean {
  return isUpdate(verb) || verb === 'create' || verb === 'delete';
}

/** Discovery, OpenAPI, version; and entering the workspace. */
function isNonResourceRead(verb: string): boolean {
  return verb === 'get' || verb === 'head' || verb === 'access';
}

function isEventWrite(verb: string, { group, resource, subresource }: ResourceRequest): boolean {
  return (
    resource === 'events' &&
    subresource === '' &&
    (group === '' || group === 'events.k8s.io') &&
    (verb === 'create' || isUpdate(verb))
  );
}

const selfReviews = new Set(['selfsubjectreviews', 'selfsubjectaccessreviews', 'selfsubjectrulesreviews']);

function isSelfReview(verb: string, { group, resource }: ResourceRequest): boolean {
  return (
    verb === 'create' &&
    (group === 'authentication.k8s.io' || group === 'authorization.k8s.io') &&
    selfReviews.has(resource)
  );
}
