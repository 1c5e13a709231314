import { forbiddenField, invalid, notSupported, required } from '#apimachinery/field-error.ts';
import { equalJson, isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { numberAt, objectAt, objectsAt, textAt, valueAt } from '../read.ts';
import {
  checkAtMost100Percent,
  checkDnsLabel,
  checkImmutable,
  checkIntOrPercent,
  checkNonNegative,
  checkNonNegatives,
  checkSelector,
  type Errors,
  intOrPercentValue,
  isEmptySelector,
} from './common.ts';
import { checkClaimSpec } from './persistent-volumes.ts';
import { checkControllerTemplate } from './pod-template.ts';
import { type Rule, rule, specOf } from './rule.ts';

/** apps (source: Kubernetes' pkg/apis/apps/validation). */
export const appsRules: { readonly [groupResource: string]: Rule } = {
  'deployments.apps': rule({
    always: (errors, deployment) => checkDeployment(errors, specOf(deployment)),
    change: checkSelectorKept,
    status: (errors, deployment, old) => {
      checkCounts(errors, deployment, deploymentCounts, [
        ['updatedReplicas', 'replicas'],
        ['readyReplicas', 'replicas'],
        ['availableReplicas', 'replicas'],
      ]);
      checkReadyFirst(errors, deployment, 'readyReplicas');
      checkCollisions(errors, deployment, old);
    },
  }),
  'replicasets.apps': rule({
    always: (errors, set) => {
      const spec = specOf(set);
      checkNonNegatives(errors, 'spec', spec, ['replicas', 'minReadySeconds']);
      if (!checkRequiredSelector(errors, spec, 'deployment', 'invalid label selector')) return;
      const template = objectAt(spec, 'template') ?? {};
      checkControllerTemplate(errors, 'spec.template', template, objectAt(spec, 'selector'), 'ReplicaSet');
    },
    change: checkSelectorKept,
    status: (errors, set) => {
      checkCounts(errors, set, replicaSetCounts, [
        ['fullyLabeledReplicas', 'replicas'],
        ['readyReplicas', 'replicas'],
        ['availableReplicas', 'replicas'],
      ]);
      checkReadyFirst(errors, set, 'readyReplicas');
    },
  }),
  'statefulsets.apps': rule({
    always: (errors, set, old) => checkStatefulSet(errors, specOf(set), old === undefined),
    change: checkStatefulSetChange,
    status: (errors, set, old) => {
      checkCounts(errors, set, statefulSetCounts, [
        ['readyReplicas', 'replicas'],
        ['currentReplicas', 'replicas'],
        ['updatedReplicas', 'replicas'],
        ['availableReplicas', 'replicas'],
      ]);
      checkReadyFirst(errors, set, 'status.readyReplicas');
      checkCollisions(errors, set, old);
    },
  }),
  'daemonsets.apps': rule({
    changeFirst: checkSelectorKept,
    always: (errors, set) => checkDaemonSet(errors, specOf(set)),
    status: (errors, set, old) => {
      checkCounts(errors, set, daemonSetCounts, []);
      checkCollisions(errors, set, old);
    },
  }),
  'controllerrevisions.apps': rule({
    always: (errors, revision, old) => {
      checkNonNegative(errors, 'revision', numberAt(revision, 'revision'));
      if (old !== undefined) return;
      if (revision['data'] === undefined || revision['data'] === null) {
        errors.push(required('data', 'data is mandatory'));
      } else if (!isJsonObject(revision['data'])) {
        errors.push(required('data', 'data must be a valid JSON object'));
      }
    },
    change: (errors, revision, old) => checkImmutable(errors, 'data', revision['data'], old['data']),
  }),
};

const deploymentCounts = [
  'observedGeneration',
  'replicas',
  'updatedReplicas',
  'readyReplicas',
  'availableReplicas',
  'unavailableReplicas',
  'terminatingReplicas',
  'collisionCount',
];
const replicaSetCounts = [
  'replicas',
  'fullyLabeledReplicas',
  'readyReplicas',
  'availableReplicas',
  'observedGeneration',
  'terminatingReplicas',
];
const statefulSetCounts = [
  'replicas',
  'readyReplicas',
  'currentReplicas',
  'updatedReplicas',
  'availableReplicas',
  'observedGeneration',
  'collisionCount',
];
const daemonSetCounts = [
  'currentNumberScheduled',
  'numberMisscheduled',
  'desiredNumberScheduled',
  'numberReady',
  'observedGeneration',
  'updatedNumberScheduled',
  'numberAvailable',
  'numberUnavailable',
  'collisionCount',
];

function checkCounts(
  errors: Errors,
  object: KubeObject,
  names: readonly string[],
  atMost: readonly (readonly [string, string])[],
): void {
  const status = objectAt(object, 'status');
  checkNonNegatives(errors, 'status', status, names);
  for (const [field, bound] of atMost) {
    const value = numberAt(status, field) ?? 0;
    if (value > (numberAt(status, bound) ?? 0)) {
      errors.push(invalid(`status.${field}`, value, `cannot be greater than status.${bound}`));
    }
  }
}

/** Available replicas are ready ones. */
function checkReadyFirst(errors: Errors, object: KubeObject, shown: string): void {
  const available = numberAt(object, 'status', 'availableReplicas') ?? 0;
  if (available > (numberAt(object, 'status', 'readyReplicas') ?? 0)) {
    errors.push(invalid('status.availableReplicas', available, `cannot be greater than ${shown}`));
  }
}

function checkCollisions(errors: Errors, object: KubeObject, old: KubeObject): void {
  const now = numberAt(object, 'status', 'collisionCount');
  const then = numberAt(old, 'status', 'collisionCount');
  if (then !== undefined && (now === undefined || now < then)) {
    errors.push(invalid('status.collisionCount', now ?? 0, 'cannot be decremented'));
  }
}

function checkSelectorKept(errors: Errors, object: KubeObject, old: KubeObject): void {
  checkImmutable(errors, 'spec.selector', specOf(object)['selector'], specOf(old)['selector']);
}

/** Returns whether the selector can be evaluated: only then is the template held against it. */
function checkRequiredSelector(errors: Errors, spec: JsonObject, kind: string, unusable?: string): boolean {
  const selector = objectAt(spec, 'selector');
  if (selector === undefined) {
    errors.push(required('spec.selector'));
    return true;
  }
  const before = errors.length;
  checkSelector(errors, 'spec.selector', selector);
  const isUsable = errors.length === before;
  if (isEmptySelector(selector)) {
    errors.push(invalid('spec.selector', selector, `empty selector is invalid for ${kind}`));
  }
  if (!isUsable && unusable !== undefined) errors.push(invalid('spec.selector', selector, unusable));
  return isUsable;
}

const deploymentNumbers = ['minReadySeconds', 'revisionHistoryLimit', 'progressDeadlineSeconds'];

function checkDeployment(errors: Errors, spec: JsonObject): void {
  checkNonNegative(errors, 'spec.replicas', numberAt(spec, 'replicas'));
  if (checkRequiredSelector(errors, spec, 'deployment', 'invalid label selector')) {
    const template = objectAt(spec, 'template') ?? {};
    checkControllerTemplate(errors, 'spec.template', template, objectAt(spec, 'selector'), 'ReplicaSet');
  }
  const strategy = objectAt(spec, 'strategy') ?? {};
  const rolling = objectAt(strategy, 'rollingUpdate');
  switch (textAt(strategy, 'type')) {
    case 'Recreate':
      if (rolling !== undefined) {
        const why = "may not be specified when strategy `type` is 'Recreate'";
        errors.push(forbiddenField('spec.strategy.rollingUpdate', why));
      }
      break;
    case 'RollingUpdate':
      if (rolling !== undefined) checkRolling(errors, 'spec.strategy.rollingUpdate', rolling);
      break;
    default:
      errors.push(notSupported('spec.strategy', strategy, ['Recreate', 'RollingUpdate']));
  }
  checkNonNegatives(errors, 'spec', spec, deploymentNumbers);
  const deadline = numberAt(spec, 'progressDeadlineSeconds');
  if (deadline !== undefined && deadline <= (numberAt(spec, 'minReadySeconds') ?? 0)) {
    errors.push(invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'));
  }
}

function checkRolling(errors: Errors, path: string, rolling: JsonObject): void {
  const unavailable = valueAt(rolling, 'maxUnavailable');
  const surge = valueAt(rolling, 'maxSurge');
  checkIntOrPercent(errors, `${path}.maxUnavailable`, unavailable);
  checkIntOrPercent(errors, `${path}.maxSurge`, surge);
  if (intOrPercentValue(unavailable) === 0 && intOrPercentValue(surge) === 0) {
    errors.push(invalid(`${path}.maxUnavailable`, unavailable ?? 0, 'may not be 0 when `maxSurge` is 0'));
  }
  checkAtMost100Percent(errors, `${path}.maxUnavailable`, unavailable);
}

function checkDaemonSet(errors: Errors, spec: JsonObject): void {
  // An absent one selects nothing, which is told of the template alone (apps/validation, ValidateDaemonSetSpec).
  if (objectAt(spec, 'selector') !== undefined) checkRequiredSelector(errors, spec, 'daemonset');
  const template = objectAt(spec, 'template') ?? {};
  checkControllerTemplate(errors, 'spec.template', template, objectAt(spec, 'selector'), 'DaemonSet');
  checkNonNegatives(errors, 'spec', spec, ['minReadySeconds', 'revisionHistoryLimit']);
  const strategy = objectAt(spec, 'updateStrategy') ?? {};
  const rolling = objectAt(strategy, 'rollingUpdate');
  switch (textAt(strategy, 'type')) {
    case 'OnDelete':
      return;
    case 'RollingUpdate': {
      const path = 'spec.updateStrategy.rollingUpdate';
      if (rolling === undefined) {
        errors.push(required(path));
        return;
      }
      const unavailable = valueAt(rolling, 'maxUnavailable');
      const surge = valueAt(rolling, 'maxSurge');
      checkIntOrPercent(errors, `${path}.maxUnavailable`, unavailable);
      checkIntOrPercent(errors, `${path}.maxSurge`, surge);
      const hasUnavailable = intOrPercentValue(unavailable) !== 0;
      const hasSurge = intOrPercentValue(surge) !== 0;
      if (hasUnavailable && hasSurge) {
        errors.push(invalid(`${path}.maxSurge`, surge, 'may not be set when maxUnavailable is non-zero'));
      } else if (!hasUnavailable && !hasSurge) {
        errors.push(required(`${path}.maxUnavailable`, 'cannot be 0 when maxSurge is 0'));
      }
      checkAtMost100Percent(errors, `${path}.maxUnavailable`, unavailable);
      checkAtMost100Percent(errors, `${path}.maxSurge`, surge);
      return;
    }
    default:
      errors.push(notSupported('spec.updateStrategy', strategy, ['RollingUpdate', 'OnDelete']));
  }
}

function checkStatefulSet(errors: Errors, spec: JsonObject, isNew: boolean): void {
  const management = textAt(spec, 'podManagementPolicy');
  if (management === '') errors.push(required('spec.podManagementPolicy'));
  else if (management !== 'OrderedReady' && management !== 'Parallel') {
    errors.push(invalid('spec.podManagementPolicy', management, "must be 'OrderedReady' or 'Parallel'"));
  }
  checkStatefulStrategy(errors, objectAt(spec, 'updateStrategy') ?? {});
  const retention = objectAt(spec, 'persistentVolumeClaimRetentionPolicy') ?? {};
  for (const field of ['whenDeleted', 'whenScaled']) {
    const policy = textAt(retention, field);
    if (policy !== 'Retain' && policy !== 'Delete') {
      const at = `spec.persistentVolumeClaimRetentionPolicy.${field}`;
      errors.push(notSupported(at, policy, ['Retain', 'Delete']));
    }
  }
  const claims = objectsAt(spec, 'volumeClaimTemplates');
  if (isNew) {
    claims.forEach((claim, i) => {
      checkClaimSpec(errors, `spec.volumeClaimTemplates[${i}].spec`, objectAt(claim, 'spec') ?? {});
    });
  }
  checkNonNegatives(errors, 'spec', spec, ['replicas', 'minReadySeconds']);
  checkNonNegative(errors, 'spec.ordinals.start', numberAt(spec, 'ordinals', 'start'));
  const service = textAt(spec, 'serviceName');
  if (isNew && service !== '') checkDnsLabel(errors, 'spec.serviceName', service);
  if (!checkRequiredSelector(errors, spec, 'statefulset', '')) return;
  const template = objectAt(spec, 'template') ?? {};
  checkControllerTemplate(
    errors,
    'spec.template',
    withClaimVolumes(template, claims),
    objectAt(spec, 'selector'),
    'StatefulSet',
  );
}

function checkStatefulStrategy(errors: Errors, strategy: JsonObject): void {
  const rolling = objectAt(strategy, 'rollingUpdate');
  switch (textAt(strategy, 'type')) {
    case '':
      errors.push(required('spec.updateStrategy'));
      return;
    case 'OnDelete':
      if (rolling !== undefined) {
        const why = "only allowed for updateStrategy 'RollingUpdate'";
        errors.push(invalid('spec.updateStrategy.rollingUpdate', rolling, why));
      }
      return;
    case 'RollingUpdate': {
      if (rolling === undefined) return;
      const path = 'spec.updateStrategy.rollingUpdate';
      checkNonNegative(errors, `${path}.partition`, numberAt(rolling, 'partition'));
      const unavailable = valueAt(rolling, 'maxUnavailable');
      if (unavailable === undefined) return;
      checkIntOrPercent(errors, `${path}.maxUnavailable`, unavailable);
      if (intOrPercentValue(unavailable) === 0) {
        errors.push(invalid(`${path}.maxUnavailable`, unavailable, 'cannot be 0'));
      }
      checkAtMost100Percent(errors, `${path}.maxUnavailable`, unavailable);
      return;
    }
    default:
      errors.push(invalid('spec.updateStrategy', strategy, "must be 'RollingUpdate' or 'OnDelete'"));
  }
}

/** The template as its pods will be: claims are volumes, hostname and subdomain the controller's to write. */
function withClaimVolumes(template: JsonObject, claims: readonly JsonObject[]): JsonObject {
  const spec = objectAt(template, 'spec') ?? {};
  const { hostname: _hostname, subdomain: _subdomain, ...rest } = spec;
  if (claims.length === 0) return { ...template, spec: rest };
  const made = new Map<string, JsonObject>();
  for (const claim of claims) {
    const name = textAt(claim, 'metadata', 'name');
    made.set(name, { name, persistentVolumeClaim: { claimName: name } });
  }
  const others = objectsAt(spec, 'volumes').filter((volume) => !made.has(textAt(volume, 'name')));
  return { ...template, spec: { ...rest, volumes: [...made.values(), ...others] } };
}

const mutable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
];

function checkStatefulSetChange(errors: Errors, set: KubeObject, old: KubeObject): void {
  const fixed = (spec: JsonObject) => {
    const rest: JsonObject = { ...spec };
    for (const field of mutable) delete rest[field];
    return rest;
  };
  if (equalJson(fixed(specOf(set)), fixed(specOf(old)))) return;
  const why =
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
  errors.push(forbiddenField('spec', why));
}
