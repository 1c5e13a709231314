import { forbiddenField, invalid, notSupported, required } from '#apimachinery/field-error.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import { dns1123Label, dns1123Subdomain, labelKey, pathSegmentName } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { eventConversion } from '../conversion/event-conversion.ts';
import { hpaConversion } from '../conversion/hpa-conversion.ts';
import { numberAt, objectAt, objectsAt, textAt, valueAt } from '../read.ts';
import {
  checkAtMost100Percent,
  checkDnsLabel,
  checkImmutable,
  checkIntOrPercent,
  checkName,
  checkNonNegatives,
  checkOptionalChoice,
  checkSelector,
  type Errors,
} from './common.ts';
import { checkStorageClass } from './persistent-volumes.ts';
import { checkContainerResourceName, quantityOf } from './resources.ts';
import { type Rule, rule, specOf } from './rule.ts';

/** Further groups, one or two kinds each (source: Kubernetes' pkg/apis/<group>/validation). */
export const otherRules: { readonly [groupResource: string]: Rule } = {
  'horizontalpodautoscalers.autoscaling': rule({
    always: (errors, autoscaler) => checkAutoscaler(errors, specOf(asV2(autoscaler))),
    status: (errors, autoscaler) =>
      checkNonNegatives(errors, 'status', objectAt(autoscaler, 'status'), [
        'currentReplicas',
        'desiredReplicas',
      ]),
  }),
  'poddisruptionbudgets.policy': rule({
    always: (errors, budget) => checkBudget(errors, specOf(budget)),
    status: (errors, budget) =>
      checkNonNegatives(errors, 'status', objectAt(budget, 'status'), [
        'disruptionsAllowed',
        'currentHealthy',
        'desiredHealthy',
        'expectedPods',
      ]),
  }),
  'leases.coordination.k8s.io': rule({ always: (errors, lease) => checkLease(errors, specOf(lease)) }),
  'leasecandidates.coordination.k8s.io': rule({
    always: (errors, candidate) => {
      if (textAt(candidate, 'spec', 'leaseName') === '') errors.push(required('spec.leaseName'));
    },
    change: (errors, candidate, old) =>
      checkImmutable(errors, 'spec.leaseName', specOf(candidate)['leaseName'], specOf(old)['leaseName']),
  }),
  events: eventRule('v1'),
  'events.events.k8s.io': eventRule('events.k8s.io/v1'),
  'priorityclasses.scheduling.k8s.io': rule({
    always: checkPriorityClass,
    change: (errors, priorityClass, old) => {
      if (priorityClass['value'] !== old['value']) {
        errors.push(forbiddenField('value', 'may not be changed in an update.'));
      }
      checkImmutable(errors, 'preemptionPolicy', priorityClass['preemptionPolicy'], old['preemptionPolicy']);
    },
  }),
  'storageclasses.storage.k8s.io': rule({
    always: checkStorageClass,
    change: (errors, storageClass, old) => {
      for (const field of ['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode']) {
        checkImmutable(errors, field, storageClass[field], old[field]);
      }
    },
  }),
  'volumeattachments.storage.k8s.io': rule({
    always: (errors, attachment) => {
      const spec = specOf(attachment);
      if (textAt(spec, 'attacher') === '') errors.push(required('spec.attacher'));
      if (textAt(spec, 'nodeName') === '') errors.push(required('spec.nodeName'));
    },
    change: (errors, attachment, old) => checkImmutable(errors, 'spec', attachment['spec'], old['spec']),
  }),
  'volumeattributesclasses.storage.k8s.io': rule({
    always: (errors, attributes) => {
      if (textAt(attributes, 'driverName') === '') errors.push(required('driverName'));
    },
    change: (errors, attributes, old) => {
      for (const field of ['driverName', 'parameters']) {
        checkImmutable(errors, field, attributes[field], old[field]);
      }
    },
  }),
  'csidrivers.storage.k8s.io': rule({
    change: (errors, driver, old) => {
      for (const field of ['attachRequired', 'fsGroupPolicy', 'volumeLifecycleModes']) {
        checkImmutable(errors, `spec.${field}`, specOf(driver)[field], specOf(old)[field]);
      }
    },
  }),
  'csistoragecapacities.storage.k8s.io': rule({
    always: (errors, capacity) => {
      const name = textAt(capacity, 'storageClassName');
      if (name === '') errors.push(required('storageClassName'));
      else checkName(errors, 'storageClassName', name, dns1123Subdomain);
    },
    change: (errors, capacity, old) => {
      for (const field of ['nodeTopology', 'storageClassName']) {
        checkImmutable(errors, field, capacity[field], old[field]);
      }
    },
  }),
  'runtimeclasses.node.k8s.io': rule({
    always: (errors, runtimeClass) => {
      checkName(errors, 'handler', textAt(runtimeClass, 'handler'), dns1123Label);
    },
    change: (errors, runtimeClass, old) =>
      checkImmutable(errors, 'handler', runtimeClass['handler'], old['handler']),
  }),
  'apiservices.apiregistration.k8s.io': rule({ always: checkApiService }),
  'resourceclaims.resource.k8s.io': rule({
    change: (errors, claim, old) => checkImmutable(errors, 'spec', claim['spec'], old['spec']),
  }),
  'resourceclaimtemplates.resource.k8s.io': rule({
    change: (errors, template, old) => checkImmutable(errors, 'spec', template['spec'], old['spec']),
  }),
  'resourceslices.resource.k8s.io': rule({
    change: (errors, slice, old) => {
      for (const field of ['driver', 'nodeName']) {
        checkImmutable(errors, `spec.${field}`, specOf(slice)[field], specOf(old)[field]);
      }
      const pool = (one: KubeObject) => textAt(one, 'spec', 'pool', 'name');
      checkImmutable(errors, 'spec.pool.name', pool(slice), pool(old));
    },
  }),
};

function asV2(autoscaler: KubeObject): KubeObject {
  return hpaConversion.toStorage?.(autoscaler) ?? autoscaler;
}

function checkAutoscaler(errors: Errors, spec: JsonObject): void {
  const min = numberAt(spec, 'minReplicas');
  const max = numberAt(spec, 'maxReplicas') ?? 0;
  // Scaling to zero is behind a feature gate that is off by default.
  if (min !== undefined && min < 1) {
    errors.push(invalid('spec.minReplicas', min, 'must be greater than or equal to 1'));
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
  checkReference(errors, 'spec.scaleTargetRef', objectAt(spec, 'scaleTargetRef') ?? {});
  objectsAt(spec, 'metrics').forEach((metric, i) => {
    checkMetric(errors, `spec.metrics[${i}]`, metric);
  });
  for (const direction of ['scaleUp', 'scaleDown']) {
    const rules = objectAt(spec, 'behavior', direction);
    if (rules !== undefined) checkScaling(errors, `spec.behavior.${direction}`, rules);
  }
}

function checkReference(errors: Errors, at: string, reference: JsonObject): void {
  for (const field of ['kind', 'name']) {
    const value = textAt(reference, field);
    if (value === '') errors.push(required(`${at}.${field}`));
    else checkName(errors, `${at}.${field}`, value, pathSegmentName);
  }
  const version = textAt(reference, 'apiVersion');
  if (version.split('/').length > 2) {
    const why = `unexpected GroupVersion string: ${version}`;
    errors.push(invalid(`${at}.apiVersion`, version, why));
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
}

/** Metric type → the field that describes it. */
const metricFields: { readonly [type: string]: string } = {
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
};

function checkMetric(errors: Errors, at: string, metric: JsonObject): void {
  const type = textAt(metric, 'type');
  const expected = Object.hasOwn(metricFields, type) ? metricFields[type]! : undefined;
  if (type === '') errors.push(required(`${at}.type`, 'must specify a metric source type'));
  if (expected === undefined) {
    errors.push(notSupported(`${at}.type`, type, Object.keys(metricFields).sort()));
  } else if (objectAt(metric, expected) === undefined) {
    errors.push(required(`${at}.${expected}`, 'must populate information for the given metric source'));
  }
  for (const field of Object.values(metricFields)) {
    const source = objectAt(metric, field);
    if (source === undefined) continue;
    if (field === expected) checkMetricSource(errors, `${at}.${field}`, field, source);
    else if (expected !== undefined) {
      errors.push(forbiddenField(`${at}.${field}`, 'must populate the given metric source only'));
    }
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
  if (field === 'object')
    checkReference(errors, `${at}.describedObject`, objectAt(source, 'describedObject') ?? {});
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

function checkBudget(errors: Errors, spec: JsonObject): void {
  const available = valueAt(spec, 'minAvailable');
  const unavailable = valueAt(spec, 'maxUnavailable');
  if (available !== undefined && unavailable !== undefined) {
    errors.push(invalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set'));
  }
  for (const [field, value] of [
    ['minAvailable', available],
    ['maxUnavailable', unavailable],
  ] as const) {
    checkIntOrPercent(errors, `spec.${field}`, value);
    checkAtMost100Percent(errors, `spec.${field}`, value);
  }
  checkSelector(errors, 'spec.selector', objectAt(spec, 'selector'));
  checkOptionalChoice(
    errors,
    'spec.unhealthyPodEvictionPolicy',
    valueAt(spec, 'unhealthyPodEvictionPolicy'),
    ['AlwaysAllow', 'IfHealthyBudget'],
  );
}

function checkLease(errors: Errors, spec: JsonObject): void {
  const duration = numberAt(spec, 'leaseDurationSeconds');
  const transitions = numberAt(spec, 'leaseTransitions');
  if (duration !== undefined && duration <= 0) {
    errors.push(invalid('spec.leaseDurationSeconds', duration, 'must be greater than 0'));
  }
  if (transitions !== undefined && transitions < 0) {
    errors.push(invalid('spec.leaseTransitions', transitions, 'must be greater than or equal to 0'));
  }
  const strategy = textAt(spec, 'strategy');
  if (strategy !== '' && strategy !== 'OldestEmulationVersion' && labelKey(strategy).length > 0) {
    errors.push(notSupported('spec.strategy', strategy, ['OldestEmulationVersion']));
  }
  if (textAt(spec, 'preferredHolder') !== '' && strategy === '') {
    errors.push(forbiddenField('spec.preferredHolder', 'may only be specified if `strategy` is defined'));
  }
}

const shortTextMax = 128;
const messageMax = 1024;
const immutableEventFields = [
  'involvedObject',
  'reason',
  'message',
  'source',
  'firstTimestamp',
  'lastTimestamp',
  'count',
  'type',
  'eventTime',
  'action',
  'related',
  'reportingComponent',
  'reportingInstance',
];

/** The new group is strict, the core one tolerates what clients have always written (ValidateEventCreate). */
function eventRule(apiVersion: string): Rule {
  const isStrict = apiVersion !== 'v1';
  return rule({
    always: (errors, object, old) => {
      const event = eventConversion.toStorage?.(object) ?? object;
      checkEvent(errors, event, isStrict);
      if (!isStrict) return;
      const before = old === undefined ? undefined : (eventConversion.toStorage?.(old) ?? old);
      const seriesChanged = before === undefined || !equalJson(event['series'], before['series']);
      if (seriesChanged) checkSeries(errors, event);
      if (before === undefined) checkStrictEvent(errors, event);
      else {
        for (const field of immutableEventFields) {
          checkImmutable(errors, field, event[field] || undefined, before[field] || undefined);
        }
      }
    },
  });
}

function checkEvent(errors: Errors, event: KubeObject, isStrict: boolean): void {
  const namespace = event.metadata.namespace ?? '';
  const involved = textAt(event, 'involvedObject', 'namespace');
  const mismatch = invalid('involvedObject.namespace', involved, 'does not match event.namespace');
  if (textAt(event, 'eventTime') === '') {
    if (involved === '' ? namespace !== '' && namespace !== 'default' : namespace !== involved) {
      errors.push(mismatch);
    }
    return;
  }
  if (involved === '' && namespace !== 'default' && namespace !== 'kube-system') errors.push(mismatch);
  const controller = textAt(event, 'reportingComponent');
  const controllerField = isStrict ? 'reportingController' : 'reportingComponent';
  if (controller === '') errors.push(required(controllerField));
  checkName(errors, controllerField, controller, labelKey);
  for (const field of ['reportingInstance', 'action', 'reason']) {
    const value = textAt(event, field);
    if (value === '') errors.push(required(field));
    if (value.length > shortTextMax) {
      errors.push(invalid(field, '', `can have at most ${shortTextMax} characters`));
    }
  }
  if (Buffer.byteLength(textAt(event, 'message')) > messageMax) {
    errors.push(invalid('message', '', `can have at most ${messageMax} characters`));
  }
}

function checkSeries(errors: Errors, event: KubeObject): void {
  const series = objectAt(event, 'series');
  if (series === undefined) return;
  if ((numberAt(series, 'count') ?? 0) < 2) {
    errors.push(invalid('series.count', '', 'should be at least 2'));
  }
  if (textAt(series, 'lastObservedTime') === '') errors.push(required('series.lastObservedTime'));
}

function checkStrictEvent(errors: Errors, event: KubeObject): void {
  if (textAt(event, 'eventTime') === '') errors.push(required('eventTime'));
  const type = textAt(event, 'type');
  if (type !== 'Normal' && type !== 'Warning') {
    errors.push(invalid('type', '', `has invalid value: ${type}`));
  }
  for (const field of ['firstTimestamp', 'lastTimestamp']) {
    if (textAt(event, field) !== '') errors.push(invalid(field, '', 'needs to be unset'));
  }
  if ((numberAt(event, 'count') ?? 0) !== 0) errors.push(invalid('count', '', 'needs to be unset'));
  if (textAt(event, 'source', 'component') !== '' || textAt(event, 'source', 'host') !== '') {
    errors.push(invalid('source', '', 'needs to be unset'));
  }
}

const userPriorityMax = 1_000_000_000;

/** Names with the prefix `system-` belong to these two alone (scheduling IsKnownSystemPriorityClass). */
const systemPriorities: { readonly [name: string]: number } = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

function checkPriorityClass(errors: Errors, priorityClass: KubeObject): void {
  const name = priorityClass.metadata.name ?? '';
  const value = numberAt(priorityClass, 'value') ?? 0;
  if (name.startsWith('system-')) {
    const known = Object.hasOwn(systemPriorities, name) ? systemPriorities[name] : undefined;
    const isGlobal = valueAt(priorityClass, 'globalDefault') === true;
    let why = '';
    if (known === undefined) why = `${name} is not a known system priority class`;
    else if (value !== known) why = `value of ${name} PriorityClass must be ${known}`;
    else if (isGlobal) why = `globalDefault of ${name} PriorityClass must be false`;
    if (why !== '') {
      const reserved = "priority class names with 'system-' prefix are reserved for system use only. error: ";
      errors.push(forbiddenField('metadata.name', `${reserved}${why}`));
    }
  } else if (value > userPriorityMax) {
    const why = `maximum allowed value of a user defined priority is ${userPriorityMax}`;
    errors.push(forbiddenField('value', why));
  }
  const policy = valueAt(priorityClass, 'preemptionPolicy');
  if (policy === '') errors.push(required('preemptionPolicy'));
  else checkOptionalChoice(errors, 'preemptionPolicy', policy, ['PreemptLowerPriority', 'Never']);
}

/** apiregistration ValidateAPIService. */
function checkApiService(errors: Errors, service: KubeObject): void {
  const spec = specOf(service);
  const group = textAt(spec, 'group');
  const version = textAt(spec, 'version');
  const expected = `${version}.${group}`;
  if (service.metadata.name !== expected) {
    const why = `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(expected)}`;
    errors.push(invalid('metadata.name', service.metadata.name ?? '', why));
  }
  if (group !== '') checkName(errors, 'spec.group', group, dns1123Subdomain);
  if (version === '') errors.push(required('spec.version'));
  else checkName(errors, 'spec.version', version, dns1123Label);
  for (const [field, max] of [
    ['groupPriorityMinimum', 20_000],
    ['versionPriority', 1000],
  ] as const) {
    const value = numberAt(spec, field) ?? 0;
    if (value <= 0 || value > max) {
      errors.push(invalid(`spec.${field}`, value, `must be positive and less than ${max}`));
    }
  }
  const reference = objectAt(spec, 'service');
  const isInsecure = valueAt(spec, 'insecureSkipTLSVerify') === true;
  const hasBundle = textAt(spec, 'caBundle') !== '';
  if (reference === undefined) {
    const why = 'local APIServices may not';
    if (hasBundle) errors.push(invalid('spec.caBundle', '<value omitted>', `${why} have a caBundle`));
    if (isInsecure) {
      errors.push(invalid('spec.insecureSkipTLSVerify', true, `${why} have insecureSkipTLSVerify`));
    }
    return;
  }
  for (const field of ['namespace', 'name']) {
    if (textAt(reference, field) === '') errors.push(required(`spec.service.${field}`));
  }
  const port = numberAt(reference, 'port');
  if (port !== undefined && (port < 1 || port > 65_535)) {
    errors.push(
      invalid('spec.service.port', port, 'port is not valid: must be between 1 and 65535, inclusive'),
    );
  }
  if (isInsecure && hasBundle) {
    errors.push(invalid('spec.insecureSkipTLSVerify', true, 'may not be true if caBundle is present'));
  }
}
