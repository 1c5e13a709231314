import { asObject, asObjects, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { everything, type LabelSelector, labelSelectorOf } from '#apimachinery/label-selector.ts';
import type { ResourceVersion } from '#apimachinery/resource-definition.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import type { AdmissionAttributes } from '../admission.ts';
import { namespaceLabels } from '../request-view.ts';
import { ruleMatches, ruleOf, type WebhookRule } from '../webhooks/webhook-configuration.ts';

interface NamedRule extends WebhookRule {
  readonly resourceNames: readonly string[];
}

/** MatchResources of a policy or binding. */
export interface MatchResources {
  readonly rules: readonly NamedRule[];
  readonly excluded: readonly NamedRule[];
  readonly isExact: boolean;
  readonly namespaceSelector: LabelSelector;
  readonly objectSelector: LabelSelector;
}

/** Reads `matchConstraints` or `matchResources`; undefined when there are none. */
export function matchResourcesOf(value: JsonValue | undefined): MatchResources | undefined {
  const match = asObject(value);
  if (Object.keys(match).length === 0) return undefined;
  return {
    rules: asObjects(match['resourceRules']).map(namedRuleOf),
    excluded: asObjects(match['excludeResourceRules']).map(namedRuleOf),
    isExact: match['matchPolicy'] === 'Exact',
    namespaceSelector: selectorOf(match['namespaceSelector']),
    objectSelector: selectorOf(match['objectSelector']),
  };
}

function namedRuleOf(rule: JsonObject): NamedRule {
  const names = rule['resourceNames'];
  return {
    ...ruleOf(rule),
    resourceNames: Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [],
  };
}

function selectorOf(value: JsonValue | undefined): LabelSelector {
  const selector = asObject(value);
  return Object.keys(selector).length === 0 ? everything : labelSelectorOf(selector);
}

/**
 * The version of the resource in which a policy looks at the request, undefined when it does not (Kubernetes'
 * policy/matching). A binding without rules takes what its policy takes.
 */
export function matchedVersion(
  match: MatchResources,
  attributes: AdmissionAttributes,
  storage: CachedStorage,
  withoutRulesAll: boolean,
): ResourceVersion | undefined {
  const { context, object, oldObject } = attributes;
  if (!match.namespaceSelector.empty) {
    const labels = namespaceLabels(context, object ?? oldObject, storage);
    if (labels !== undefined && !match.namespaceSelector.matches(labels)) return undefined;
  }
  if (!match.objectSelector.empty) {
    const selects = [object, oldObject].some(
      (one) => one !== undefined && match.objectSelector.matches(one.metadata.labels),
    );
    if (!selects) return undefined;
  }
  const { definition, version } = context.served;
  const others = match.isExact ? [] : definition.versions.filter((one) => one !== version);
  const versions = [version, ...others];
  if (versions.some((one) => match.excluded.some((rule) => takes(rule, one, attributes)))) return undefined;
  if (match.rules.length === 0) return withoutRulesAll ? version : undefined;
  return versions.find((one) => match.rules.some((rule) => takes(rule, one, attributes)));
}

function takes(rule: NamedRule, version: ResourceVersion, attributes: AdmissionAttributes): boolean {
  const { context, operation, object, oldObject } = attributes;
  const { definition } = context.served;
  if (rule.resourceNames.length > 0) {
    const name = context.name === '' ? ((object ?? oldObject)?.metadata.name ?? '') : context.name;
    if (!rule.resourceNames.includes(name)) return false;
  }
  return ruleMatches(rule, {
    operation,
    group: definition.group,
    version: version.version,
    resource: definition.resource,
    subresource: context.subresource,
    namespaced: definition.namespaced,
  });
}
