import { equalJson, isJsonObject } from '#apimachinery/json.ts';
import {
  type LabelSelector,
  type LabelSelectorObject,
  labelSelectorOf,
} from '#apimachinery/label-selector.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { PolicyRule } from './policy-rule.ts';

/** The selectors of a ClusterRole's aggregationRule; undefined for a role that takes none in. */
export function aggregationSelectorsOf(role: KubeObject): readonly LabelSelectorObject[] | undefined {
  const rule = role['aggregationRule'];
  const selectors = isJsonObject(rule) ? rule['clusterRoleSelectors'] : undefined;
  return Array.isArray(selectors) && selectors.length > 0 ? (selectors as LabelSelectorObject[]) : undefined;
}

/** Whether a role has an aggregationRule, though it may select nothing: its rules are then not its writer's. */
export function isAggregated(role: KubeObject): boolean {
  return isJsonObject(role['aggregationRule']);
}

/**
 * The rules that an aggregated ClusterRole has: those of the roles that each of its selectors finds, selector by selector,
 * role by role in the order of names, each rule once and none of its own (k8s.io/kubernetes/pkg/controller/
 * clusterroleaggregation). `rulesOf`: of another role, which may be aggregated itself. Throws ApiError BadRequest for a
 * malformed selector.
 */
export function aggregatedRules(
  role: KubeObject,
  all: readonly KubeObject[],
  rulesOf: (role: KubeObject) => readonly PolicyRule[],
): PolicyRule[] {
  const { name } = role.metadata;
  const others = all
    .filter(({ metadata }) => metadata.name !== name)
    .sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1));
  const found: PolicyRule[] = [];
  for (const selector of (aggregationSelectorsOf(role) ?? []).map(labelSelectorOf)) {
    for (const other of others.filter((one) => matches(selector, one))) {
      for (const rule of rulesOf(other))
        if (!found.some((present) => equalJson(present, rule))) found.push(rule);
    }
  }
  return found;
}

function matches(selector: LabelSelector, { metadata }: KubeObject): boolean {
  return selector.matches(metadata.labels ?? {});
}
