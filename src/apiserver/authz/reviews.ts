import { ApiError, badRequest, otherNamespace } from '#apimachinery/api-error.ts';
import { type FieldError, invalidObject } from '#apimachinery/field-error.ts';
import { type FieldRequirement, parseFieldSelector } from '#apimachinery/field-selector.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { ResourceContext } from '../request/context.ts';
import { systemMasters, type UserInfo } from '../request/user.ts';
import type { AuthorizationAttributes, AuthorizationDecision, Authorizer } from './authorizer.ts';
import { isInScope } from './effective-users.ts';
import type { PolicyRule } from './policy-rule.ts';
import { absenceText, type RbacAuthorizer } from './rbac.ts';
import { accessReviewErrors, selectorEvaluationError } from './review-validation.ts';

/**
 * Answers a virtual resource: POST → 201 with the object completed (KUBERNETES.md U5). `object` belongs to the handler,
 * is valid by its schema, and stands in the request's version.
 */
export type VirtualHandler = (
  context: ResourceContext,
  object: KubeObject,
) => KubeObject | Promise<KubeObject>;

/** What a token stands for; throws ApiError Unauthorized, or returns undefined, when for nothing. */
export interface TokenVerifier {
  verifyToken(
    token: string,
    audiences: readonly string[],
  ):
    | { readonly user: UserInfo; readonly audiences: readonly string[] }
    | undefined
    | Promise<{ readonly user: UserInfo; readonly audiences: readonly string[] } | undefined>;
}

/** The review kinds by `group/resource`. */
export function reviewHandlers(dependencies: {
  readonly reviewed: Authorizer;
  readonly rbac: RbacAuthorizer;
  readonly tokens: TokenVerifier;
}): ReadonlyMap<string, VirtualHandler> {
  const { reviewed, rbac, tokens } = dependencies;
  return new Map<string, VirtualHandler>([
    [
      'authorization.k8s.io/subjectaccessreviews',
      (context, object) => reviewAccess(reviewed, context, object, subjectOf(object)),
    ],
    [
      'authorization.k8s.io/localsubjectaccessreviews',
      (context, object) => reviewLocalAccess(reviewed, context, object),
    ],
    [
      'authorization.k8s.io/selfsubjectaccessreviews',
      (context, object) => reviewAccess(reviewed, context, object, context.user),
    ],
    ['authorization.k8s.io/selfsubjectrulesreviews', (context, object) => reviewRules(rbac, context, object)],
    ['authentication.k8s.io/selfsubjectreviews', (context, object) => reviewSelf(context, object)],
    ['authentication.k8s.io/tokenreviews', (context, object) => reviewToken(tokens, context, object)],
  ]);
}

function reviewLocalAccess(
  authorizer: Authorizer,
  context: ResourceContext,
  object: KubeObject,
): KubeObject | Promise<KubeObject> {
  const { metadata } = object;
  if (metadata.namespace !== undefined && metadata.namespace !== context.namespace) {
    throw otherNamespace();
  }
  metadata.namespace = context.namespace;
  return reviewAccess(authorizer, context, object, subjectOf(object));
}

function reviewAccess(
  authorizer: Authorizer,
  context: ResourceContext,
  object: KubeObject,
  user: UserInfo,
): KubeObject | Promise<KubeObject> {
  if (object.kind !== 'LocalSubjectAccessReview') delete object.metadata.namespace;
  const errors = accessReviewErrors(object, context.namespace);
  if (errors.length > 0) throw invalidReview(errors);
  const evaluationError = evaluationErrorOf(specOf(object)['resourceAttributes']);
  const decision = authorizer.authorize(askedAttributes(context, object, user));
  const complete = ({ decision: outcome, reason, error }: AuthorizationDecision): KubeObject => ({
    ...object,
    metadata: object.metadata ?? {},
    status: {
      allowed: outcome === 'allow',
      ...(outcome === 'deny' ? { denied: true } : {}),
      ...(reason === '' ? {} : { reason }),
      ...evaluationErrors(error, evaluationError),
    },
  });
  return decision instanceof Promise ? decision.then(complete) : complete(decision);
}

function askedAttributes(
  context: ResourceContext,
  object: KubeObject,
  user: UserInfo,
): AuthorizationAttributes {
  const spec = specOf(object);
  const resource = spec['resourceAttributes'];
  const nonResource = spec['nonResourceAttributes'];
  const { workspace } = context;
  if (isJsonObject(nonResource)) {
    return {
      user,
      workspace,
      verb: text(nonResource, 'verb'),
      resource: undefined,
      path: text(nonResource, 'path'),
    };
  }
  const asked = resource as JsonObject;
  return {
    user,
    workspace,
    verb: text(asked, 'verb'),
    resource: {
      group: text(asked, 'group'),
      version: text(asked, 'version'),
      resource: text(asked, 'resource'),
      subresource: text(asked, 'subresource'),
      namespace: text(asked, 'namespace'),
      name: text(asked, 'name'),
    },
    path: context.info.path,
    fieldRequirements: requirementsOf(asked['fieldSelector']),
  };
}

/** The requirements of the form `key in (one value)`: those that authorizers here can use. */
function requirementsOf(selector: JsonValue | undefined): ReadonlyMap<string, string> | undefined {
  if (!isJsonObject(selector)) return undefined;
  const found = new Map<string, string>();
  for (const { path, operator, value } of rawRequirements(text(selector, 'rawSelector'))) {
    if (operator === '=') found.set(path, value);
  }
  if (!Array.isArray(selector['requirements'])) return found;
  for (const one of selector['requirements']) {
    if (!isJsonObject(one) || one['operator'] !== 'In' || !Array.isArray(one['values'])) continue;
    const [value] = one['values'];
    if (one['values'].length === 1 && typeof value === 'string') found.set(text(one, 'key'), value);
  }
  return found;
}

/** None where it cannot be read: nobody is let in by it. */
function rawRequirements(selector: string): readonly FieldRequirement[] {
  try {
    return parseFieldSelector(selector);
  } catch {
    return [];
  }
}

function evaluationErrors(...errors: readonly (string | undefined)[]): JsonObject {
  const told = errors.filter((error) => error !== undefined);
  return told.length === 0 ? {} : { evaluationError: told.join('; ') };
}

function evaluationErrorOf(attributes: JsonValue | undefined): string | undefined {
  return isJsonObject(attributes) ? selectorEvaluationError(attributes) : undefined;
}

function subjectOf(object: KubeObject): UserInfo {
  const spec = specOf(object);
  const name = text(spec, 'user');
  const groups = texts(spec['groups']);
  const uid = text(spec, 'uid');
  return { name, groups, extra: extraOf(spec['extra']), ...(uid === '' ? {} : { uid }) };
}

function reviewRules(rbac: RbacAuthorizer, context: ResourceContext, object: KubeObject): KubeObject {
  const namespace = text(specOf(object), 'namespace');
  if (namespace === '') throw badRequest('no namespace on request');
  const { workspace, user } = context;
  const rules = workspace === undefined ? [] : rbac.rulesFor(user, workspace, namespace);
  // Where RBAC acts they hold these by the binding of cluster-admin; in a cell workspace it does not.
  if (workspace?.inert === true && user.groups.includes(systemMasters)) {
    rules.push(
      { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
      { verbs: ['*'], nonResourceURLs: ['*'] },
    );
  }
  const absent = workspace === undefined ? [] : rbac.absentRolesFor(user, workspace, namespace);
  return {
    ...object,
    metadata: {},
    spec: {},
    status: {
      ...splitRules(rules),
      incomplete: false,
      ...(absent.length === 0 ? {} : { evaluationError: absenceText(absent) }),
    },
  };
}

/** Resource rules and URL rules apart, as often as bindings give them (rbac.RBACAuthorizer RulesFor). */
function splitRules(rules: readonly PolicyRule[]): JsonObject {
  const resourceRules: JsonObject[] = [];
  const nonResourceRules: JsonObject[] = [];
  for (const { verbs, apiGroups, resources, resourceNames, nonResourceURLs } of rules) {
    if (resources !== undefined && resources.length > 0) {
      const names = resourceNames === undefined || resourceNames.length === 0 ? {} : { resourceNames };
      resourceRules.push({ verbs, apiGroups: apiGroups ?? [], resources, ...names });
    }
    if (nonResourceURLs !== undefined && nonResourceURLs.length > 0)
      nonResourceRules.push({ verbs, nonResourceURLs });
  }
  return { resourceRules, nonResourceRules };
}

/** Whatever was sent: there is nothing to say in it. */
function reviewSelf({ user }: ResourceContext, { apiVersion, kind }: KubeObject): KubeObject {
  return {
    apiVersion,
    kind,
    metadata: { creationTimestamp: nowTime() },
    status: { userInfo: userInfoJson(user) },
  };
}

async function reviewToken(
  tokens: TokenVerifier,
  { workspace }: ResourceContext,
  object: KubeObject,
): Promise<KubeObject> {
  const spec = specOf(object);
  const token = text(spec, 'token');
  if (token === '') throw badRequest('token is required for TokenReview in authentication');
  return {
    ...object,
    metadata: object.metadata ?? {},
    status: await tokenStatus(tokens, workspace?.id, token, texts(spec['audiences'])),
  };
}

async function tokenStatus(
  tokens: TokenVerifier,
  clusterId: string | undefined,
  token: string,
  audiences: string[],
): Promise<JsonObject> {
  try {
    const verified = await tokens.verifyToken(token, audiences);
    if (verified === undefined) return { user: {}, error: 'invalid bearer token' };
    // Its name would be read as that of a service account of this workspace.
    if (!isInScope(clusterId, verified.user)) return { user: {}, error: 'the token is of another workspace' };
    return { authenticated: true, user: userInfoJson(verified.user), audiences: [...verified.audiences] };
  } catch (error) {
    if (error instanceof ApiError) return { user: {}, error: error.message };
    throw error;
  }
}

/** authentication/v1 UserInfo. */
export function userInfoJson(user: UserInfo): JsonObject {
  const extra: JsonObject = {};
  for (const [key, values] of user.extra) extra[key] = [...values];
  return {
    username: user.name,
    ...(user.uid === undefined ? {} : { uid: user.uid }),
    groups: [...user.groups],
    ...(user.extra.size === 0 ? {} : { extra }),
  };
}

/** Kubernetes names the group alone: `.authorization.k8s.io "" is invalid`. */
function invalidReview(errors: readonly FieldError[]): ApiError {
  return invalidObject({ group: 'authorization.k8s.io', kind: '' }, '', errors);
}

function specOf(object: KubeObject): JsonObject {
  const spec = object['spec'];
  return isJsonObject(spec) ? spec : {};
}

function text(object: JsonObject, field: string): string {
  const value = object[field];
  return typeof value === 'string' ? value : '';
}

function texts(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}

function extraOf(value: JsonValue | undefined): ReadonlyMap<string, readonly string[]> {
  const extra = new Map<string, string[]>();
  if (isJsonObject(value)) for (const [key, values] of Object.entries(value)) extra.set(key, texts(values));
  return extra;
}
