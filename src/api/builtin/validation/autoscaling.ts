import { forbiddenField, invalid, notSupported, required } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { pathSegmentName } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { hpaConversion } from '../conversion/hpa-conversion.ts';
import { numberAt, objectAt, objectsAt, textAt, valueAt } from '../read.ts';
import { checkDnsLabel, checkName, checkNonNegatives, checkOptionalChoice, type Errors } from './common.ts';
import { checkContainerResourceName, quantityOf } from './resources.ts';
import { type Rule, rule, specOf } from './rule.ts';

/** HorizontalPodAutoscalers of either version (source: Kubernetes' pkg/apis/autoscaling/validation). */
export const autoscalerRule: Rule = rule({
  always: (errors, autoscaler, old) => {
    checkAutoscaler(errors, specOf(asV2(autoscaler)), old === undefined ? undefined : specOf(asV2(old)));
  },
  status: (errors, autoscaler) =>
    checkNonNegatives(errors, 'status', objectAt(autoscaler, 'status'), [
      'currentReplicas',
      'desiredReplicas',
    ]),
});

function asV2(autoscaler: KubeObject): KubeObject {
  return hpaConversion.toStorage?.(autoscaler) ?? autoscaler;
}

function checkAutoscaler(errors: Errors, spec: JsonObject, old: JsonObject | undefined): void {
  const min = numberAt(spec, 'minReplicas');
  const max = numberAt(spec, 'maxReplicas') ?? 0;
  // Scaling to zero is behind a feature gate that is off by default.
  const least = numberAt(old, 'minReplicas') === 0 ? 0 : 1;
  if (min !== undefined && min < least) {
    errors.push(invalid('spec.minReplicas', min, `must be greater than or equal to ${least}`));
  }
  const kinds = objectsAt(spec, 'metrics').map((metric) => textAt(metric, 'type'));
  if (min === 0 && !kinds.includes('Object') && !kinds.includes('External')) {
    const why = 'must specify at least one Object or External metric to support scaling to zero replicas';
    errors.push(forbiddenField('spec.metrics', why));
  }
  if (max === 0) errors.push(required('spec.maxReplicas', 'must be set and greater than 0'));
  else if (max < 0) errors.push(invalid('spec.maxReplicas', max, 'must be greater than or equal to 1'));
  if (min !== undefined && max < min) {
    errors.push(invalid('spec.maxReplicas', max, 'must be greater than or equal to `minReplicas`'));
  }
  const target = objectAt(spec, 'scaleTargetRef') ?? {};
  checkReference(errors, 'spec.scaleTargetRef', target);
  checkTargetVersion(errors, target, objectAt(old, 'scaleTargetRef'));
  objectsAt(spec, 'metrics').forEach((metric, i) => {
    checkMetric(errors, `spec.metrics[${i}]`, metric);
  });
  for (const direction of ['scaleUp', 'scaleDown']) {
    const rules = objectAt(spec, 'behavior', direction);
    if (rules !== undefined) checkScaling(errors, `spec.behavior.${direction}`, rules);
  }
}

/** What is scaled is told with its group, but for the one kind that has none; what was accepted once may stay. */
function checkTargetVersion(errors: Errors, target: JsonObject, old: JsonObject | undefined): void {
  const version = textAt(target, 'apiVersion');
  const kind = textAt(target, 'kind');
  if (old !== undefined && version === textAt(old, 'apiVersion') && kind === textAt(old, 'kind')) return;
  const parts = version.split('/');
  if (parts.length > 2) {
    const why = `unexpected GroupVersion string: ${version}`;
    errors.push(invalid('spec.scaleTargetRef.apiVersion', version, why));
  } else if (kind !== 'ReplicationController' && (parts.length < 2 || parts[0] === '')) {
    errors.push(invalid('spec.scaleTargetRef.apiVersion', version, 'apiVersion must specify API group'));
  }
}

function checkReference(errors: Errors, at: string, reference: JsonObject): void {
  for (const field of ['kind', 'name']) {
    const value = textAt(reference, field);
    if (value === '') errors.push(required(`${at}.${field}`));
    else checkName(errors, `${at}.${field}`, value, pathSegmentName);
  }
}

const stabilizationSecondsMax = 3600;
const periodSecondsMax = 1800;

function checkScaling(errors: Errors, at: string, rules: JsonObject): void {
  const window = numberAt(rules, 'stabilizationWindowSeconds');
  const windowAt = `${at}.stabilizationWindowSeconds`;
  if (window !== undefined && window < 0) {
    errors.push(invalid(windowAt, window, 'must be greater than or equal to zero'));
  }
  if (window !== undefined && window > stabilizationSecondsMax) {
    errors.push(invalid(windowAt, window, `must be less than or equal to ${stabilizationSecondsMax}`));
  }
  checkOptionalChoice(errors, `${at}.selectPolicy`, valueAt(rules, 'selectPolicy'), [
    'Disabled',
    'Max',
    'Min',
  ]);
  const policies = objectsAt(rules, 'policies');
  if (policies.length === 0) errors.push(required(`${at}.policies`, 'must specify at least one Policy'));
  policies.forEach((policy, i) => {
    const path = `${at}.policies[${i}]`;
    const type = textAt(policy, 'type');
    const period = numberAt(policy, 'periodSeconds') ?? 0;
    if (type !== 'Pods' && type !== 'Percent') {
      errors.push(notSupported(`${path}.type`, type, ['Percent', 'Pods']));
    }
    for (const field of ['value', 'periodSeconds']) {
      const value = numberAt(policy, field) ?? 0;
      if (value <= 0) errors.push(invalid(`${path}.${field}`, value, 'must be greater than zero'));
    }
    if (period > periodSecondsMax) {
      const why = `must be less than or equal to ${periodSecondsMax}`;
      errors.push(invalid(`${path}.periodSeconds`, period, why));
    }
  });
  const tolerance = quantityOf(rules, 'tolerance');
  if (tolerance !== undefined && tolerance.nano < 0n) {
    errors.push(invalid(`${at}.tolerance`, rules['tolerance'], 'must be greater than or equal to 0'));
  }
}

/** Metric type → the field that describes it. */
const metricFields: { readonly [type: string]: string } = {
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
};

/** The order in which sources are looked for. */
const sourceOrder = ['object', 'external', 'pods', 'resource', 'containerResource'];

function checkMetric(errors: Errors, at: string, metric: JsonObject): void {
  const type = textAt(metric, 'type');
  const expected = Object.hasOwn(metricFields, type) ? metricFields[type]! : undefined;
  if (type === '') errors.push(required(`${at}.type`, 'must specify a metric source type'));
  const types = Object.keys(metricFields).sort();
  if (expected === undefined) errors.push(notSupported(`${at}.type`, type, types));
  // The first source is looked at, be it the type's or not; of several only the type's may stand.
  const present = sourceOrder.filter((field) => objectAt(metric, field) !== undefined);
  const [first] = present;
  if (first !== undefined) checkMetricSource(errors, `${at}.${first}`, first, objectAt(metric, first)!);
  if (expected === undefined) errors.push(notSupported(`${at}.type`, type, types));
  else if (objectAt(metric, expected) === undefined) {
    errors.push(required(`${at}.${expected}`, 'must populate information for the given metric source'));
  }
  for (const field of present.length > 1 ? present : []) {
    if (field === expected) continue;
    errors.push(forbiddenField(`${at}.${field}`, 'must populate the given metric source only'));
  }
}

function checkMetricSource(errors: Errors, at: string, field: string, source: JsonObject): void {
  const target = objectAt(source, 'target') ?? {};
  const has = (name: string) => target[name] !== undefined;
  if (field === 'resource' || field === 'containerResource') {
    const name = textAt(source, 'name');
    if (name === '') errors.push(required(`${at}.name`, 'must specify a resource name'));
    if (field === 'containerResource') {
      if (name !== '') checkContainerResourceName(errors, `${at}.name`, name);
      const container = textAt(source, 'container');
      if (container === '') errors.push(required(`${at}.container`, 'must specify a container'));
      else checkDnsLabel(errors, `${at}.container`, container);
    }
    checkMetricTarget(errors, `${at}.target`, target);
    if (!has('averageUtilization') && !has('averageValue')) {
      const why = 'must set either a target raw value or a target utilization';
      errors.push(required(`${at}.target.averageUtilization`, why));
    }
    if (has('averageUtilization') && has('averageValue')) {
      const why = 'may not set both a target raw value and a target utilization';
      errors.push(forbiddenField(`${at}.target.averageValue`, why));
    }
    return;
  }
  if (field === 'object') {
    const described = objectAt(source, 'describedObject') ?? {};
    checkReference(errors, `${at}.describedObject`, described);
    const version = textAt(described, 'apiVersion');
    if (version.split('/').length > 2) {
      const why = `unexpected GroupVersion string: ${version}`;
      errors.push(invalid(`${at}.describedObject.apiVersion`, version, why));
    }
  }
  const name = textAt(source, 'metric', 'name');
  if (name === '') errors.push(required(`${at}.metric.name`, 'must specify a metric name'));
  else checkName(errors, `${at}.metric.name`, name, pathSegmentName);
  checkMetricTarget(errors, `${at}.target`, target);
  if (field === 'pods') {
    if (!has('averageValue')) {
      const why = 'must specify a positive target averageValue';
      errors.push(required(`${at}.target.averageValue`, why));
    }
    return;
  }
  if (!has('value') && !has('averageValue')) {
    const why =
      field === 'object'
        ? 'must set either a target value or averageValue'
        : 'must set either a target value for metric or a per-pod target';
    errors.push(required(`${at}.target.averageValue`, why));
  }
  if (field === 'external' && has('value') && has('averageValue')) {
    const why = 'may not set both a target value for metric and a per-pod target';
    errors.push(forbiddenField(`${at}.target.value`, why));
  }
}

function checkMetricTarget(errors: Errors, at: string, target: JsonObject): void {
  const type = textAt(target, 'type');
  if (type === '') errors.push(required(`${at}.type`, 'must specify a metric target type'));
  if (!['Utilization', 'Value', 'AverageValue'].includes(type)) {
    errors.push(invalid(`${at}.type`, type, 'must be either Utilization, Value, or AverageValue'));
  }
  for (const field of ['value', 'averageValue']) {
    const quantity = quantityOf(target, field);
    if (quantity !== undefined && quantity.nano <= 0n) {
      errors.push(invalid(`${at}.${field}`, target[field], 'must be positive'));
    }
  }
  const utilization = numberAt(target, 'averageUtilization');
  if (utilization !== undefined && utilization < 1) {
    errors.push(invalid(`${at}.averageUtilization`, utilization, 'must be greater than 0'));
  }
}
