import { asText, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { everything, type LabelSelector, labelSelectorOf } from '#apimachinery/label-selector.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { type HookTarget, hookTargetOf } from '../../services/hook-client.ts';
import type { NamedExpression } from '../policies/expressions.ts';
import { compileConditions } from './webhook-conditions.ts';

export interface WebhookRule {
  readonly operations: readonly string[];
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly resources: readonly string[];
  readonly scope: string;
}

/** One entry of `webhooks` in a Mutating- or ValidatingWebhookConfiguration, with Kubernetes' defaults filled in. */
export interface Webhook {
  readonly name: string;
  /** Name of the object that it stands in. */
  readonly configuration: string;
  readonly target: HookTarget;
  readonly rules: readonly WebhookRule[];
  readonly failurePolicy: 'Fail' | 'Ignore';
  readonly matchPolicy: 'Exact' | 'Equivalent';
  readonly namespaceSelector: LabelSelector;
  readonly objectSelector: LabelSelector;
  readonly sideEffects: string;
  readonly timeoutMs: number;
  readonly reinvokes: boolean;
  /** All must hold for the webhook to be called. */
  readonly conditions: readonly NamedExpression[];
}

const defaultTimeoutSeconds = 10;

/** Reads the webhooks of a configuration object; malformed parts have been refused by validation and are skipped. */
export function webhooksOf(configuration: KubeObject): Webhook[] {
  const webhooks = configuration['webhooks'];
  if (!Array.isArray(webhooks)) return [];
  const name = configuration.metadata.name ?? '';
  return webhooks.filter(isJsonObject).map((webhook) => webhookOf(webhook, name));
}

function webhookOf(webhook: JsonObject, configuration: string): Webhook {
  const timeoutSeconds = webhook['timeoutSeconds'];
  return {
    name: asText(webhook['name']),
    configuration,
    target: hookTargetOf(webhook['clientConfig']),
    rules: listOf(webhook['rules']).filter(isJsonObject).map(ruleOf),
    failurePolicy: webhook['failurePolicy'] === 'Ignore' ? 'Ignore' : 'Fail',
    matchPolicy: webhook['matchPolicy'] === 'Exact' ? 'Exact' : 'Equivalent',
    namespaceSelector: selectorOf(webhook['namespaceSelector']),
    objectSelector: selectorOf(webhook['objectSelector']),
    sideEffects: asText(webhook['sideEffects']),
    timeoutMs: (typeof timeoutSeconds === 'number' ? timeoutSeconds : defaultTimeoutSeconds) * 1000,
    reinvokes: webhook['reinvocationPolicy'] === 'IfNeeded',
    conditions: compileConditions(webhook['matchConditions']),
  };
}

export function ruleOf(rule: JsonObject): WebhookRule {
  return {
    operations: textsOf(rule['operations']),
    apiGroups: textsOf(rule['apiGroups']),
    apiVersions: textsOf(rule['apiVersions']),
    resources: textsOf(rule['resources']),
    scope: typeof rule['scope'] === 'string' ? rule['scope'] : '*',
  };
}

/** Absent selects everything. */
function selectorOf(value: JsonValue | undefined): LabelSelector {
  return isJsonObject(value) ? labelSelectorOf(value as Parameters<typeof labelSelectorOf>[0]) : everything;
}

export interface RuleQuestion {
  readonly operation: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespaced: boolean;
}

/** Kubernetes' rule matcher (admission/plugin/webhook/predicates/rules). */
export function ruleMatches(rule: WebhookRule, question: RuleQuestion): boolean {
  return (
    hasOrAll(rule.operations, question.operation) &&
    hasOrAll(rule.apiGroups, question.group) &&
    hasOrAll(rule.apiVersions, question.version) &&
    (rule.scope === '*' || (rule.scope === 'Namespaced') === question.namespaced) &&
    rule.resources.some((one) => resourceMatches(one, question))
  );
}

/** `pods`, `pods/status`, `pods/*`, `*`, `*` with a slash and a subresource or another star. */
function resourceMatches(pattern: string, { resource, subresource }: RuleQuestion): boolean {
  const slash = pattern.indexOf('/');
  const wanted = slash < 0 ? pattern : pattern.slice(0, slash);
  const wantedSub = slash < 0 ? '' : pattern.slice(slash + 1);
  return (wanted === '*' || wanted === resource) && (wantedSub === '*' || wantedSub === subresource);
}

function hasOrAll(list: readonly string[], value: string): boolean {
  return list.includes('*') || list.includes(value);
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

function textsOf(value: JsonValue | undefined): string[] {
  return listOf(value).filter((one) => typeof one === 'string');
}
