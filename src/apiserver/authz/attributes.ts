import { ApiError, type StatusDetails } from '#apimachinery/api-error.ts';
import { formatGroupResource } from '#apimachinery/gvk.ts';
import { namespaceOf, type RequestInfo, type ResourceRequest } from '../request/request-info.ts';
import type { UserInfo } from '../request/user.ts';
import type { Workspace } from '../workspace/workspace.ts';
import type { AuthorizationAttributes } from './authorizer.ts';

/**
 * What authorizers are asked about a request, and audit tells of it (k8s.io/apiserver's RequestInfo). A list or watch whose
 * field selector pins metadata.name is a question about that name, so that resourceNames can grant it; one about a
 * namespace is a question in it, so that a Role in it can grant it.
 */
export function attributesOf(
  info: RequestInfo,
  user: UserInfo,
  workspace: Workspace | undefined,
): AuthorizationAttributes {
  const { verb, path } = info;
  const resource = info.resource && inItsNamespace(info.resource);
  const selects = verb === 'list' || verb === 'watch' || verb === 'deletecollection';
  if (resource === undefined || !selects || resource.name !== '') {
    return { user, workspace, verb, resource, path };
  }
  const selector = info.query.get('fieldSelector');
  if (selector === null || selector === '') return { user, workspace, verb, resource, path };
  const fieldRequirements = exactRequirements(selector);
  // Nobody who may delete one object may delete collections of it.
  const name = (verb === 'deletecollection' ? undefined : fieldRequirements.get('metadata.name')) ?? '';
  return {
    user,
    workspace,
    verb,
    resource: name === '' || name.includes('/') ? resource : { ...resource, name },
    path,
    fieldRequirements,
  };
}

function inItsNamespace(resource: ResourceRequest): ResourceRequest {
  const namespace = namespaceOf(resource);
  const slash = resource.subresource.indexOf('/');
  // What stands behind a subresource is its own (RequestInfo): a right on `nodes/proxy` is one on all of its paths.
  if (slash >= 0) return { ...resource, namespace, subresource: resource.subresource.slice(0, slash) };
  return namespace === resource.namespace ? resource : { ...resource, namespace };
}

/** `a=b,c==d,e!=f` → {a: b, c: d}. Escaped values (`\,`) are left out: nobody is let in by them. */
function exactRequirements(selector: string): Map<string, string> {
  const requirements = new Map<string, string>();
  if (selector.includes('\\')) return requirements;
  for (const term of selector.split(',')) {
    const match = /^([^=!]+)==?([^=]*)$/.exec(term);
    if (match !== null) requirements.set(match[1]!, match[2]!);
  }
  return requirements;
}

/** 403 in Kubernetes' words (KUBERNETES.md E4). */
export function forbiddenError(attributes: AuthorizationAttributes, reason: string): ApiError {
  const { resource, user, verb, path } = attributes;
  const because = reason === '' ? '' : `: ${reason}`;
  const who = `User ${JSON.stringify(user.name)} cannot ${verb}`;
  if (resource === undefined) {
    return new ApiError('Forbidden', `forbidden: ${who} path ${JSON.stringify(path)}${because}`, {
      details: {},
    });
  }
  const object = resource.name === '' ? '' : ` ${JSON.stringify(resource.name)}`;
  const message = `${formatGroupResource(resource)}${object} is forbidden: ${who} ${whatOf(resource)}${because}`;
  const details: StatusDetails = {
    ...(resource.name === '' ? {} : { name: resource.name }),
    ...(resource.group === '' ? {} : { group: resource.group }),
    kind: resource.resource,
  };
  return new ApiError('Forbidden', message, { details });
}

function whatOf({ group, resource, subresource, namespace }: ResourceRequest): string {
  const combined = subresource === '' ? resource : `${resource}/${subresource}`;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  return `resource ${JSON.stringify(combined)} in API group ${JSON.stringify(group)} ${where}`;
}
