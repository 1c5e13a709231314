import {
  duplicate,
  type FieldError,
  forbiddenField,
  invalid,
  notSupported,
  required,
} from '#apimachinery/field-error.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { labelSelectorOf } from '#apimachinery/label-selector.ts';
import { labelKey } from '#apimachinery/names.ts';
import { compileCellSelector } from './cell-selector.ts';
import type {
  ClusterAffinity,
  ClusterAffinityTerm,
  LabelSelectorSpec,
  Placement,
  ReplicaScheduling,
  ResourceSelector,
  SpreadConstraint,
} from './placement.ts';
import { validateTimeWindows } from './time-window.ts';

/** A field that is set although nothing here acts on it is refused by its path (DESIGN.md, invariant Honesty). */
export function refuseUnhonoured(
  object: JsonObject | undefined,
  path: string,
  fields: readonly string[],
  errors: FieldError[],
): void {
  for (const field of fields) {
    const value = object?.[field];
    if (isSet(value)) errors.push(forbiddenField(`${path}.${field}`, 'this field is not honoured here'));
  }
}

/** False, empty text, empty list: what a client writes that means nothing by it. */
export function isSet(value: JsonValue | undefined): boolean {
  if (value === undefined || value === null || value === false || value === '') return false;
  if (Array.isArray(value)) return value.length > 0;
  return !isJsonObject(value) || Object.keys(value).length > 0;
}

export function validateResourceSelectors(
  selectors: readonly ResourceSelector[] | undefined,
  path: string,
  ownNamespace: string | undefined,
  errors: FieldError[],
): void {
  selectors?.forEach((selector, i) => {
    const at = `${path}[${i}]`;
    if (selector.apiVersion === '') errors.push(required(`${at}.apiVersion`));
    if (selector.kind === '') errors.push(required(`${at}.kind`));
    if (
      ownNamespace !== undefined &&
      (selector.namespace ?? '') !== '' &&
      selector.namespace !== ownNamespace
    ) {
      errors.push(invalid(`${at}.namespace`, selector.namespace, "must be the policy's own namespace"));
    }
    validateSelector(selector.labelSelector, `${at}.labelSelector`, errors);
  });
}

function validateSelector(selector: LabelSelectorSpec | undefined, path: string, errors: FieldError[]): void {
  if (selector === undefined) return;
  try {
    labelSelectorOf(selector);
  } catch (error) {
    errors.push(invalid(path, selector, error instanceof Error ? error.message : String(error)));
  }
}

const selectableFields = ['provider', 'region', 'zone', 'pop', 'dataCenter'];
const fieldOperators = ['In', 'NotIn'];

export function validateAffinity(
  affinity: ClusterAffinity | undefined,
  path: string,
  errors: FieldError[],
): void {
  if (affinity === undefined) return;
  validateSelector(affinity.labelSelector, `${path}.labelSelector`, errors);
  affinity.fieldSelector?.matchExpressions?.forEach(({ key, operator, values }, i) => {
    const at = `${path}.fieldSelector.matchExpressions[${i}]`;
    if (!selectableFields.includes(key)) errors.push(notSupported(`${at}.key`, key, selectableFields));
    if (!fieldOperators.includes(operator))
      errors.push(notSupported(`${at}.operator`, operator, fieldOperators));
    if ((values?.length ?? 0) === 0) errors.push(required(`${at}.values`, 'must be specified'));
  });
  affinity.celSelector?.celExpressions?.forEach((expression, i) => {
    try {
      compileCellSelector(expression);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      errors.push(invalid(`${path}.celSelector.celExpressions[${i}]`, expression, error.message));
    }
  });
}

/**
 * karmada pkg/util/validation ValidateOverflowAffinities: names are told apart, and a group that names all cells by itself leaves
 * none to a tier.
 */
function validateOverflow(
  { affinityName, overflowAffinities: tiers = [], ...primary }: ClusterAffinityTerm,
  group: string,
  scheduling: ReplicaScheduling | undefined,
  errors: FieldError[],
): void {
  if (tiers.length === 0) return;
  const path = `${group}.overflowAffinities`;
  const names = new Set([affinityName]);
  tiers.forEach(({ affinityName: name, ...tier }, t) => {
    const at = `${path}[${t}]`;
    if (name !== undefined && names.has(name)) errors.push(duplicate(`${at}.affinityName`, name));
    if (name !== undefined) names.add(name);
    validateAffinity(tier, at, errors);
  });
  if (!isDividedByRoom(scheduling)) {
    const why = 'only replicas divided by available replicas, or aggregated, can overflow';
    errors.push(forbiddenField(path, why));
  } else if (!Object.values(primary).some((part) => isSet(part))) {
    errors.push(forbiddenField(path, 'nothing overflows from a group that names all cells'));
  }
}

export function validatePlacement(
  placement: Placement | undefined,
  path: string,
  errors: FieldError[],
): void {
  if (placement === undefined) return;
  for (const term of ['affinity', 'antiAffinity'] as const) {
    const key = placement.workloadAffinity?.[term]?.groupByLabelKey;
    const at = `${path}.workloadAffinity.${term}.groupByLabelKey`;
    for (const why of key === undefined ? [] : labelKey(key)) errors.push(invalid(at, key ?? '', why));
  }
  validateAffinity(placement.clusterAffinity, `${path}.clusterAffinity`, errors);
  if (placement.clusterAffinity !== undefined && (placement.clusterAffinities?.length ?? 0) > 0) {
    errors.push(forbiddenField(`${path}.clusterAffinities`, 'may not be set beside clusterAffinity'));
  }
  const names = new Set<string>();
  placement.clusterAffinities?.forEach((term, i) => {
    const at = `${path}.clusterAffinities[${i}]`;
    if (names.has(term.affinityName)) errors.push(duplicate(`${at}.affinityName`, term.affinityName));
    names.add(term.affinityName);
    validateAffinity(term, at, errors);
    validateOverflow(term, at, placement.replicaScheduling, errors);
  });
  placement.clusterTolerations?.forEach((toleration, i) => {
    const at = `${path}.clusterTolerations[${i}]`;
    const { key = '', operator = '', value = '', effect = '', tolerationSeconds } = toleration;
    if (key === '' && operator !== 'Exists') {
      errors.push(invalid(`${at}.operator`, operator, 'operator must be Exists when `key` is empty'));
    }
    if (operator === 'Exists' && value !== '') {
      errors.push(invalid(`${at}.value`, value, 'value must be empty when `operator` is Exists'));
    }
    if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
      errors.push(
        invalid(`${at}.effect`, effect, 'effect must be NoExecute when `tolerationSeconds` is set'),
      );
    }
  });
  validateTimeWindows(placement.activeHours, `${path}.activeHours`, errors);
  validateSpread(placement.spreadConstraints, `${path}.spreadConstraints`, errors);
  validateReplicaScheduling(placement.replicaScheduling, `${path}.replicaScheduling`, errors);
}

const spreadFields = ['cluster', 'provider', 'region', 'dataCenter', 'pop', 'zone'];

function validateSpread(
  constraints: readonly SpreadConstraint[] | undefined,
  path: string,
  errors: FieldError[],
): void {
  const seen = new Set<string>();
  constraints?.forEach((constraint, i) => {
    const at = `${path}[${i}]`;
    const { spreadByField = '', spreadByLabel = '', minGroups = 0, maxGroups = 0, maxSkew } = constraint;
    if (spreadByLabel !== '' && spreadByField !== '')
      errors.push(forbiddenField(`${at}.spreadByLabel`, 'may not be set beside spreadByField'));
    if (spreadByField !== '' && !spreadFields.includes(spreadByField)) {
      errors.push(notSupported(`${at}.spreadByField`, spreadByField, spreadFields));
    }
    const dimension = spreadByLabel === '' ? `field ${spreadByField || 'cluster'}` : `label ${spreadByLabel}`;
    if (seen.has(dimension)) errors.push(duplicate(at, spreadByLabel || spreadByField || 'cluster'));
    seen.add(dimension);
    if (minGroups < 0) errors.push(invalid(`${at}.minGroups`, minGroups, 'must not be negative'));
    if (maxGroups < 0) errors.push(invalid(`${at}.maxGroups`, maxGroups, 'must not be negative'));
    if (maxGroups > 0 && minGroups > maxGroups) {
      errors.push(invalid(`${at}.minGroups`, minGroups, 'must not be greater than maxGroups'));
    }
    if (maxSkew === undefined) return;
    if (maxSkew < 1) errors.push(invalid(`${at}.maxSkew`, maxSkew, 'must be greater than zero'));
    if (dimension === 'field cluster')
      errors.push(forbiddenField(`${at}.maxSkew`, 'may be set for constraints over groups of cells'));
  });
}

/** Whether weights are for KubeFed's planner, which looks at room as well. */
export function isPlanned(scheduling: ReplicaScheduling | undefined): boolean {
  if (!isDividedByWeights(scheduling)) return false;
  return (scheduling?.weightPreference?.staticWeightList ?? []).some(
    ({ minReplicas = 0, maxReplicas, priority }) =>
      minReplicas > 0 || maxReplicas !== undefined || priority !== undefined,
  );
}

/** Whether static weights say how many replicas each cell gets, alone or to KubeFed's planner. */
function isDividedByWeights(scheduling: ReplicaScheduling | undefined): boolean {
  return scheduling?.replicaSchedulingType === 'Divided' && !isDividedByRoom(scheduling);
}

/** Whether the free room of cells says how many replicas each gets, apart from KubeFed's planner. */
export function isDividedByRoom(scheduling: ReplicaScheduling | undefined): boolean {
  if (scheduling?.replicaSchedulingType !== 'Divided') return false;
  if (scheduling.replicaDivisionPreference === 'Aggregated') return true;
  return (scheduling.weightPreference?.dynamicWeight ?? '') !== '';
}

function validateReplicaScheduling(
  scheduling: ReplicaScheduling | undefined,
  path: string,
  errors: FieldError[],
): void {
  const { staticWeightList } = scheduling?.weightPreference ?? {};
  const isWeighted = isDividedByWeights(scheduling);
  staticWeightList?.forEach((weight, i) => {
    const { targetCluster, minReplicas = 0, maxReplicas } = weight;
    const at = `${path}.weightPreference.staticWeightList[${i}]`;
    validateAffinity(targetCluster, `${at}.targetCluster`, errors);
    for (const field of isWeighted ? [] : (['minReplicas', 'maxReplicas', 'priority'] as const)) {
      const why = 'means something only where replicas are divided by static weights';
      if (weight[field] !== undefined) errors.push(forbiddenField(`${at}.${field}`, why));
    }
    if (maxReplicas !== undefined && minReplicas > maxReplicas)
      errors.push(invalid(`${at}.minReplicas`, minReplicas, 'must not be greater than maxReplicas'));
  });
  if (scheduling?.rebalance === true && !isPlanned(scheduling)) {
    const why = 'means something only where a static weight has minReplicas, maxReplicas or priority';
    errors.push(forbiddenField(`${path}.rebalance`, why));
  }
}
