import { booleanAt, objectsAt, textAt, textsAt } from '#api/builtin/read.ts';
import { decodeYaml } from '#apimachinery/decode-yaml.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { AuthorizationAttributes } from '../authz/authorizer.ts';
import type { ResourceRequest } from '../request/request-info.ts';

/** How much of a request is told, each level containing the ones before it (KUBERNETES.md O3). */
export const auditLevels = ['None', 'Metadata', 'Request', 'RequestResponse'] as const;
export type AuditLevel = (typeof auditLevels)[number];

export const auditStages = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const;
export type AuditStage = (typeof auditStages)[number];

/** What a policy decides by: the request as authorizers see it; `user` is undefined where nobody knows who asks. */
export type AuditedAttributes = Pick<AuthorizationAttributes, 'verb' | 'resource' | 'path'> & {
  readonly user: AuthorizationAttributes['user'] | undefined;
};

/** What the policy says of one request. */
export interface AuditDecision {
  readonly level: AuditLevel;
  readonly omitStages: ReadonlySet<AuditStage>;
  readonly omitManagedFields: boolean;
}

interface Rule extends AuditDecision {
  readonly users: readonly string[];
  readonly userGroups: readonly string[];
  readonly verbs: readonly string[];
  readonly namespaces: readonly string[];
  readonly resources: readonly GroupResources[];
  readonly nonResourceUrls: readonly string[];
}

interface GroupResources {
  readonly group: string;
  readonly resources: readonly string[];
  readonly resourceNames: readonly string[];
}

const nothing: AuditDecision = { level: 'None', omitStages: new Set(), omitManagedFields: false };

/** audit.k8s.io/v1 Policy: the first rule that matches a request decides; without one nothing is told. */
export class AuditPolicy {
  readonly #rules: readonly Rule[];

  private constructor(rules: readonly Rule[]) {
    this.#rules = rules;
  }

  /** Throws Error naming the field of a policy that cannot be used. */
  static parse(text: string): AuditPolicy {
    const { value } = decodeYaml(Buffer.from(text));
    if (!isJsonObject(value) || value['kind'] !== 'Policy' || value['apiVersion'] !== 'audit.k8s.io/v1') {
      throw new Error('an audit policy is a Policy of audit.k8s.io/v1');
    }
    const rules = objectsAt(value, 'rules');
    if (rules.length === 0) throw new Error('rules: an audit policy needs at least one');
    const stages = stagesOf(value, 'omitStages');
    const omitManagedFields = booleanAt(value, 'omitManagedFields') ?? false;
    return new AuditPolicy(rules.map((rule, i) => ruleOf(rule, `rules[${i}]`, stages, omitManagedFields)));
  }

  decide(attributes: AuditedAttributes): AuditDecision {
    for (const rule of this.#rules) if (matches(rule, attributes)) return rule;
    return nothing;
  }
}

function ruleOf(
  rule: JsonObject,
  field: string,
  stages: readonly AuditStage[],
  omitManagedFields: boolean,
): Rule {
  const level = auditLevels.find((one) => one === rule['level']);
  if (level === undefined) throw new Error(`${field}.level: must be one of ${auditLevels.join(', ')}`);
  const parsed: Rule = {
    level,
    omitStages: new Set([...stages, ...stagesOf(rule, `${field}.omitStages`)]),
    omitManagedFields: booleanAt(rule, 'omitManagedFields') ?? omitManagedFields,
    users: textsAt(rule, 'users'),
    userGroups: textsAt(rule, 'userGroups'),
    verbs: textsAt(rule, 'verbs'),
    namespaces: textsAt(rule, 'namespaces'),
    resources: objectsAt(rule, 'resources').map((one) => ({
      group: textAt(one, 'group'),
      resources: textsAt(one, 'resources'),
      resourceNames: textsAt(one, 'resourceNames'),
    })),
    nonResourceUrls: textsAt(rule, 'nonResourceURLs'),
  };
  if (parsed.nonResourceUrls.length > 0 && parsed.namespaces.length + parsed.resources.length > 0) {
    throw new Error(`${field}.nonResourceURLs: rules cannot apply to both regular resources and URLs`);
  }
  for (const url of parsed.nonResourceUrls) checkUrl(url, `${field}.nonResourceURLs`);
  for (const { resources, resourceNames } of parsed.resources) {
    if (resources.length === 0 && resourceNames.length > 0) {
      throw new Error(`${field}.resources.resourceNames: using resourceNames requires at least one resource`);
    }
  }
  return parsed;
}

function checkUrl(url: string, field: string): void {
  if (url === '*') return;
  if (!url.startsWith('/')) throw new Error(`${field}: ${url} must begin with a '/' character`);
  if (url.slice(0, -1).includes('*')) throw new Error(`${field}: '*' must be the final character of ${url}`);
}

function stagesOf(from: JsonObject, field: string): AuditStage[] {
  return textsAt(from, 'omitStages').map((text) => {
    const stage = auditStages.find((one) => one === text);
    if (stage === undefined) throw new Error(`${field}: ${text} is none of ${auditStages.join(', ')}`);
    return stage;
  });
}

/** As k8s.io/apiserver/pkg/audit/policy's checker does: `*` is a name of groups and resources, not of verbs. */
function matches(rule: Rule, { user, verb, resource, path }: AuditedAttributes): boolean {
  const { users, userGroups, verbs, namespaces, resources, nonResourceUrls } = rule;
  if (users.length > 0 && (user === undefined || !users.includes(user.name))) return false;
  if (userGroups.length > 0 && !userGroups.some((group) => user?.groups.includes(group))) return false;
  if (verbs.length > 0 && !verbs.includes(verb)) return false;
  if (namespaces.length > 0 || resources.length > 0) {
    return resource !== undefined && matchesResource(rule, resource);
  }
  if (nonResourceUrls.length === 0) return true;
  return resource === undefined && nonResourceUrls.some((url) => matchesPath(url, path));
}

function matchesPath(pattern: string, path: string): boolean {
  if (pattern.endsWith('*')) return path.startsWith(pattern.slice(0, -1));
  return pattern === path;
}

function matchesResource({ namespaces, resources }: Rule, asked: ResourceRequest): boolean {
  if (namespaces.length > 0 && !namespaces.includes(asked.namespace)) return false;
  if (resources.length === 0) return true;
  const { resource, subresource } = asked;
  const combined = subresource === '' ? resource : `${resource}/${subresource}`;
  const isMeant = (pattern: string): boolean =>
    pattern === '*' ||
    pattern === combined ||
    pattern === `${resource}/*` ||
    (subresource !== '' && pattern === `*/${subresource}`);
  return resources.some((one) => {
    if (one.group !== asked.group && one.group !== '*') return false;
    if (one.resources.length === 0) return true;
    if (one.resourceNames.length > 0 && !one.resourceNames.includes(asked.name)) return false;
    return one.resources.some(isMeant);
  });
}
