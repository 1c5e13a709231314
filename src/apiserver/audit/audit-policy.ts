import { booleanAt, objectsAt, textAt, textsAt } from '#api/builtin/read.ts';
import { decodeYaml } from '#apimachinery/decode-yaml.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { RequestInfo } from '../request/request-info.ts';
import type { UserInfo } from '../request/user.ts';

/** How much of a request is told, each level containing the ones before it (KUBERNETES.md O3). */
export const auditLevels = ['None', 'Metadata', 'Request', 'RequestResponse'] as const;
export type AuditLevel = (typeof auditLevels)[number];

export const auditStages = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const;
export type AuditStage = (typeof auditStages)[number];

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

  decide(info: RequestInfo, user: UserInfo): AuditDecision {
    for (const rule of this.#rules) if (matches(rule, info, user)) return rule;
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
  return parsed;
}

function stagesOf(from: JsonObject, field: string): AuditStage[] {
  return textsAt(from, 'omitStages').map((text) => {
    const stage = auditStages.find((one) => one === text);
    if (stage === undefined) throw new Error(`${field}: ${text} is none of ${auditStages.join(', ')}`);
    return stage;
  });
}

function matches(rule: Rule, info: RequestInfo, user: UserInfo): boolean {
  if (rule.users.length > 0 && !rule.users.includes(user.name)) return false;
  if (rule.userGroups.length > 0 && !rule.userGroups.some((group) => user.groups.includes(group)))
    return false;
  if (rule.verbs.length > 0 && !rule.verbs.includes(info.verb) && !rule.verbs.includes('*')) return false;
  if (rule.namespaces.length > 0 || rule.resources.length > 0) return matchesResource(rule, info);
  if (rule.nonResourceUrls.length === 0) return true;
  return info.resource === undefined && rule.nonResourceUrls.some((url) => matchesPath(url, info.path));
}

function matchesPath(pattern: string, path: string): boolean {
  if (pattern.endsWith('*')) return path.startsWith(pattern.slice(0, -1));
  return pattern === path;
}

function matchesResource({ namespaces, resources }: Rule, { resource: asked }: RequestInfo): boolean {
  if (asked === undefined) return false;
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
    if (one.group !== asked.group) return false;
    if (one.resources.length === 0) return true;
    if (one.resourceNames.length > 0 && !one.resourceNames.includes(asked.name)) return false;
    return one.resources.some(isMeant);
  });
}
