import { duplicate, forbiddenField, invalid, notSupported, required } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { dns1035Label, dns1123Label, dns1123Subdomain, labelKey } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { numberAt, objectAt, objectsAt, textAt, valueAt } from '../read.ts';
import { autoscalerRule } from './autoscaling.ts';
import {
  checkAtMost100Percent,
  checkImmutable,
  checkIntOrPercent,
  checkLabels,
  checkName,
  checkNonNegatives,
  checkOptionalChoice,
  checkRequiredName,
  checkSelector,
  type Errors,
} from './common.ts';
import { eventRule } from './events.ts';
import { checkRequirements } from './resources.ts';
import { type Rule, rule, specOf } from './rule.ts';
import { checkTolerations } from './scheduling.ts';
import { checkStatusConditions } from './status-conditions.ts';

/** Further groups, one or two kinds each (source: Kubernetes' pkg/apis/<group>/validation). */
export const otherRules: { readonly [groupResource: string]: Rule } = {
  'horizontalpodautoscalers.autoscaling': autoscalerRule,
  'poddisruptionbudgets.policy': rule({
    always: (errors, budget) => checkBudget(errors, specOf(budget)),
    status: (errors, budget) => {
      const status = objectAt(budget, 'status');
      checkStatusConditions(errors, 'status.conditions', objectsAt(status, 'conditions'), Infinity);
      checkNonNegatives(errors, 'status', status, [
        'disruptionsAllowed',
        'currentHealthy',
        'desiredHealthy',
        'expectedPods',
      ]);
    },
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
    always: (errors, priorityClass, old) => {
      if (old === undefined) checkPriorityClass(errors, priorityClass);
    },
    change: (errors, priorityClass, old) => {
      if (priorityClass['value'] !== old['value']) {
        errors.push(forbiddenField('value', 'may not be changed in an update.'));
      }
      checkImmutable(errors, 'preemptionPolicy', priorityClass['preemptionPolicy'], old['preemptionPolicy']);
    },
  }),
  'runtimeclasses.node.k8s.io': rule({
    always: (errors, runtimeClass) => {
      checkRequiredName(errors, 'handler', textAt(runtimeClass, 'handler'), dns1123Label);
      const overhead = objectAt(runtimeClass, 'overhead');
      if (overhead !== undefined) {
        checkRequirements(errors, 'overhead', { limits: overhead['podFixed'] }, new Set());
      }
      checkRuntimeScheduling(errors, objectAt(runtimeClass, 'scheduling'));
    },
    change: (errors, runtimeClass, old) =>
      checkImmutable(errors, 'handler', runtimeClass['handler'], old['handler']),
  }),
  'apiservices.apiregistration.k8s.io': rule({ always: checkApiService }),
};

function checkRuntimeScheduling(errors: Errors, scheduling: JsonObject | undefined): void {
  if (scheduling === undefined) return;
  checkLabels(errors, 'scheduling.nodeSelector', objectAt(scheduling, 'nodeSelector'));
  checkTolerations(errors, 'scheduling.tolerations', scheduling);
  const seen = new Set<string>();
  objectsAt(scheduling, 'tolerations').forEach((toleration, i) => {
    const key = JSON.stringify(
      ['key', 'operator', 'value', 'effect'].map((field) => textAt(toleration, field)),
    );
    if (seen.has(key)) errors.push(duplicate(`scheduling.tolerations[${i}]`, toleration));
    seen.add(key);
  });
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
  else if (version !== 'v1') {
    errors.push(required('spec.group', 'only v1 may have an empty group and it better be legacy kube'));
  }
  checkName(errors, 'spec.version', version, dns1035Label);
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
    if (hasBundle) {
      const bytes = Buffer.byteLength(textAt(spec, 'caBundle'), 'base64');
      errors.push(invalid('spec.caBundle', `${bytes} bytes`, `${why} have a caBundle`));
    }
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
