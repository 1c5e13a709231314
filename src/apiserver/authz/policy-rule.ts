import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { getOrMake } from './get-or-make.ts';

/** rbac.authorization.k8s.io/v1 PolicyRule. */
export interface PolicyRule extends JsonObject {
  verbs: string[];
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  nonResourceURLs?: string[];
}

/** rbac.authorization.k8s.io/v1 Subject. */
export interface Subject extends JsonObject {
  kind: string;
  name: string;
  apiGroup?: string;
  namespace?: string;
}

export interface RoleRef extends JsonObject {
  apiGroup: string;
  kind: string;
  name: string;
}

export const rbacGroup = 'rbac.authorization.k8s.io';

/** The rules of a Role or ClusterRole; what is malformed is left out, so that a bad object grants nothing. */
export function rulesOf(object: KubeObject): PolicyRule[] {
  const rules = object['rules'];
  if (!Array.isArray(rules)) return [];
  return rules.filter(isPolicyRule);
}

export function subjectsOf(object: KubeObject): Subject[] {
  const subjects = object['subjects'];
  if (!Array.isArray(subjects)) return [];
  return subjects.filter(isSubject);
}

export function roleRefOf(object: KubeObject): RoleRef | undefined {
  const ref = object['roleRef'] as Partial<RoleRef> | undefined | null;
  if (typeof ref !== 'object' || ref === null) return undefined;
  return typeof ref.kind === 'string' && typeof ref.name === 'string' ? (ref as RoleRef) : undefined;
}

function isPolicyRule(value: unknown): value is PolicyRule {
  if (typeof value !== 'object' || value === null) return false;
  const rule = value as Partial<PolicyRule>;
  return (
    isTextList(rule.verbs) &&
    [rule.apiGroups, rule.resources, rule.resourceNames, rule.nonResourceURLs].every(
      (list) => list === undefined || list === null || isTextList(list),
    )
  );
}

function isSubject(value: unknown): value is Subject {
  if (typeof value !== 'object' || value === null) return false;
  const subject = value as Partial<Subject>;
  return typeof subject.kind === 'string' && typeof subject.name === 'string';
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

/** One resource request as rules see it. */
export interface ResourceQuestion {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
}

/**
 * Many rules, indexed so that a question costs a handful of map look-ups however many rules there are. The matching is
 * Kubernetes': `*` matches every verb, group or resource (with subresources), `*` + `/scale` one subresource of all
 * resources; a rule with resourceNames needs one of them; a URL rule may end in `*` (KUBERNETES.md U4).
 */
export class RuleSet {
  /** Group → resource (or `resource/sub`) → verbs. */
  readonly #resources = new Map<string, Map<string, Set<string>>>();
  /** Group → resource → name → verbs. */
  readonly #named = new Map<string, Map<string, Map<string, Set<string>>>>();
  readonly #urls = new Map<string, Set<string>>();
  /** Prefixes of the URL rules that end in `*`, with their verbs. */
  readonly #urlPrefixes = new Map<string, Set<string>>();

  constructor(rules: Iterable<PolicyRule> = []) {
    for (const rule of rules) this.add(rule);
  }

  add(rule: PolicyRule): void {
    for (const url of rule.nonResourceURLs ?? []) {
      if (url.endsWith('*')) addVerbs(this.#urlPrefixes, url.replace(/\*+$/, ''), rule.verbs);
      else addVerbs(this.#urls, url, rule.verbs);
    }
    const names = rule.resourceNames ?? [];
    for (const group of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        if (names.length === 0) {
          addVerbs(child(this.#resources, group), resource, rule.verbs);
        } else {
          const byName = child(child(this.#named, group), resource);
          for (const name of names) addVerbs(byName, name, rule.verbs);
        }
      }
    }
  }

  allowsResource(question: ResourceQuestion): boolean {
    const { group, resource, subresource } = question;
    const combined = subresource === '' ? resource : `${resource}/${subresource}`;
    const anyResource = subresource === '' ? undefined : `*/${subresource}`;
    return (
      allowsIn(this.#resources.get(group), combined, anyResource, question.verb) ||
      allowsIn(this.#resources.get('*'), combined, anyResource, question.verb) ||
      (question.name !== '' &&
        this.#named.size > 0 &&
        (allowsNamed(this.#named.get(group), combined, anyResource, question) ||
          allowsNamed(this.#named.get('*'), combined, anyResource, question)))
    );
  }

  allowsUrl(verb: string, path: string): boolean {
    if (hasVerb(this.#urls.get(path), verb)) return true;
    for (const [prefix, verbs] of this.#urlPrefixes) {
      if (path.startsWith(prefix) && hasVerb(verbs, verb)) return true;
    }
    return false;
  }

  /** Whether a rule that names `url` literally (it may end in `*`) is covered. */
  coversUrlRule(verb: string, url: string): boolean {
    if (!url.endsWith('*')) return this.allowsUrl(verb, url);
    const prefix = url.replace(/\*+$/, '');
    for (const [held, verbs] of this.#urlPrefixes) {
      if (prefix.startsWith(held) && hasVerb(verbs, verb)) return true;
    }
    return false;
  }

  /** Whether a rule for literally this verb, group, resource and name (any of them may be `*`, name '' = all) is covered. */
  coversResourceRule(verb: string, group: string, resource: string, name: string): boolean {
    const slash = resource.indexOf('/');
    return this.allowsResource({
      verb,
      group,
      resource: slash < 0 ? resource : resource.slice(0, slash),
      subresource: slash < 0 ? '' : resource.slice(slash + 1),
      name,
    });
  }
}

function allowsIn(
  byResource: Map<string, Set<string>> | undefined,
  combined: string,
  anyResource: string | undefined,
  verb: string,
): boolean {
  return (
    byResource !== undefined &&
    (hasVerb(byResource.get(combined), verb) ||
      hasVerb(byResource.get('*'), verb) ||
      (anyResource !== undefined && hasVerb(byResource.get(anyResource), verb)))
  );
}

function allowsNamed(
  byResource: Map<string, Map<string, Set<string>>> | undefined,
  combined: string,
  anyResource: string | undefined,
  { name, verb }: ResourceQuestion,
): boolean {
  return (
    byResource !== undefined &&
    (hasVerb(byResource.get(combined)?.get(name), verb) ||
      hasVerb(byResource.get('*')?.get(name), verb) ||
      (anyResource !== undefined && hasVerb(byResource.get(anyResource)?.get(name), verb)))
  );
}

function hasVerb(verbs: Set<string> | undefined, verb: string): boolean {
  return verbs !== undefined && (verbs.has(verb) || verbs.has('*'));
}

function addVerbs(map: Map<string, Set<string>>, key: string, verbs: readonly string[]): void {
  const set = getOrMake(map, key, () => new Set<string>());
  for (const verb of verbs) set.add(verb);
}

function child<V>(map: Map<string, Map<string, V>>, key: string): Map<string, V> {
  return getOrMake(map, key, () => new Map<string, V>());
}

/** Single permissions that one rule may stand for before a check gives up: names and lists come from users. */
export const rulePermissionsMax = 200_000;

/**
 * What `wanted` grants beyond `held`: permission by permission, those on one resource together (rbac validation `Covers`,
 * `CompactRules`). A rule that stands for more than `rulePermissionsMax` permissions counts as not covered, as it is.
 */
export function rulesNotCovered(wanted: readonly PolicyRule[], held: RuleSet): PolicyRule[] {
  const found: PolicyRule[] = [];
  const simple = new Map<string, { readonly rule: PolicyRule; readonly verbs: string[] }>();
  for (const rule of wanted) {
    if (isOversized(rule)) found.push(rule);
    else addNotCovered(rule, held, found, simple);
  }
  for (const { rule, verbs } of simple.values()) found.push({ ...rule, verbs });
  return found;
}

function isOversized({ verbs, apiGroups, resources, resourceNames, nonResourceURLs }: PolicyRule): boolean {
  const named = Math.max(1, resourceNames?.length ?? 0);
  const permissions = (apiGroups?.length ?? 0) * (resources?.length ?? 0) * named;
  return verbs.length * (permissions + (nonResourceURLs?.length ?? 0)) > rulePermissionsMax;
}

function addNotCovered(
  { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] }: PolicyRule,
  held: RuleSet,
  found: PolicyRule[],
  simple: Map<string, { readonly rule: PolicyRule; readonly verbs: string[] }>,
): void {
  const names = resourceNames.length === 0 ? [''] : resourceNames;
  for (const group of apiGroups) {
    for (const resource of resources) {
      for (const verb of verbs) {
        for (const name of names) {
          if (held.coversResourceRule(verb, group, resource, name)) continue;
          const made = getOrMake(simple, JSON.stringify([group, resource, name]), () => ({
            rule: {
              verbs: [],
              apiGroups: [group],
              resources: [resource],
              ...(name === '' ? {} : { resourceNames: [name] }),
            },
            verbs: [],
          }));
          made.verbs.push(verb);
        }
      }
    }
  }
  for (const url of nonResourceURLs) {
    for (const verb of verbs) {
      if (!held.coversUrlRule(verb, url)) found.push({ verbs: [verb], nonResourceURLs: [url] });
    }
  }
}
