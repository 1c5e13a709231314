import { equalJson, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { aggregationSelectorsOf, isAggregated } from './aggregated-rules.ts';
import { RuleSet, roleRefOf, rulesNotCovered, rulesOf, type Subject, subjectsOf } from './policy-rule.ts';

/** What is to become of a role or binding that stands in front of the one which every workspace has. */
export type Reconciled = KubeObject | 'delete' | undefined;

const autoupdate = 'rbac.authorization.kubernetes.io/autoupdate';

/**
 * A workspace's own object of a bootstrap role's or binding's name, with what it lacks of that one: permissions or subjects,
 * selectors of an aggregation, labels, annotations. What it has beyond stays, but for an aggregation that nobody expects;
 * `delete` where a binding names another role, which cannot be changed; undefined where there is nothing to do, or where its
 * annotation `autoupdate` is `false` (k8s.io/component-helpers/auth/rbac/reconciliation).
 */
export function reconciledBootstrap(existing: KubeObject, expected: KubeObject): Reconciled {
  const { metadata } = existing;
  if (metadata.annotations?.[autoupdate] === 'false') return undefined;
  const isBinding = expected['roleRef'] !== undefined;
  if (isBinding && !isSameRole(existing, expected)) return 'delete';
  const reconciled = {
    ...existing,
    metadata: {
      ...metadata,
      annotations: { ...expected.metadata.annotations, ...metadata.annotations },
      labels: { ...expected.metadata.labels, ...metadata.labels },
    },
    ...(isBinding ? withSubjects(existing, expected) : withRules(existing, expected)),
  };
  return equalJson(reconciled, existing) ? undefined : reconciled;
}

function isSameRole(existing: KubeObject, expected: KubeObject): boolean {
  const [is, wanted] = [roleRefOf(existing), roleRefOf(expected)];
  return is?.kind === wanted?.kind && is?.name === wanted?.name && is?.apiGroup === wanted?.apiGroup;
}

function withSubjects(existing: KubeObject, expected: KubeObject): JsonObject {
  const held = subjectsOf(existing);
  const isHeld = (wanted: Subject) => held.some((one) => subjectText(one) === subjectText(wanted));
  const missing = subjectsOf(expected).filter((one) => !isHeld(one));
  return missing.length === 0 ? {} : { subjects: [...held, ...missing] };
}

const subjectText = ({ kind, apiGroup = '', namespace = '', name }: Subject): string =>
  JSON.stringify([kind, apiGroup, namespace, name]);

function withRules(existing: KubeObject, expected: KubeObject): JsonObject {
  const changes: JsonObject = {};
  // Rules of an aggregated role are those of the roles that it takes in.
  if (!isAggregated(expected)) {
    const held = rulesOf(existing);
    const missing = rulesNotCovered(rulesOf(expected), new RuleSet(held));
    if (missing.length > 0) changes['rules'] = [...held, ...missing];
    if (isAggregated(existing)) changes['aggregationRule'] = null;
    return changes;
  }
  const rule = existing['aggregationRule'];
  const selectors = (aggregationSelectorsOf(existing) ?? []) as readonly JsonValue[];
  const wanted = (aggregationSelectorsOf(expected) ?? []) as readonly JsonValue[];
  const missing = wanted.filter((one) => !selectors.some((held) => equalJson(held, one)));
  if (missing.length > 0) {
    changes['aggregationRule'] = {
      ...(isJsonObject(rule) ? rule : {}),
      clusterRoleSelectors: [...selectors, ...missing],
    };
  }
  return changes;
}
