import { forbiddenField, invalid, required, tooLong } from '#apimachinery/field-error.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import { configMapKey, labelKey } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { compareQuantity, formatQuantity, type Quantity, quantityNumber } from '#apimachinery/quantity.ts';
import { isQualifiedFinalizer } from '#apimachinery/standard-finalizers.ts';
import { booleanAt, numberAt, objectAt, objectsAt, textAt, textsAt } from '../read.ts';
import {
  checkImmutable,
  checkName,
  checkNonNegatives,
  type Errors,
  isEmptySelector,
  keyPath,
} from './common.ts';
import { nodeRule } from './nodes.ts';
import {
  checkClaimChange,
  checkClaimSpec,
  checkClaimStatus,
  checkVolumeChange,
  checkVolumeSpec,
} from './persistent-volumes.ts';
import { checkControllerTemplate, checkPodTemplate } from './pod-template.ts';
import { validatePod, validatePodUpdate } from './pods.ts';
import {
  allowsOvercommit,
  checkContainerResourceName,
  checkQuotaResourceName,
  checkResourceAmount,
  checkResourceName,
  isStandardQuotaResource,
  quantityOf,
} from './resources.ts';
import { type Rule, rule, specOf } from './rule.ts';
import { checkService, checkServiceStatus } from './services.ts';

/** The core group (source: Kubernetes' pkg/apis/core/validation). Endpoints stand with networking. */
export const coreRules: { readonly [resource: string]: Rule } = {
  configmaps: rule({ always: checkConfigMap, change: checkConfigMapChange }),
  secrets: rule({
    always: checkSecret,
    change: (errors, secret, old) => {
      checkImmutable(errors, 'type', secret['type'], old['type']);
      checkFrozen(errors, secret, old, ['data']);
    },
  }),
  serviceaccounts: rule({}),
  namespaces: {
    validate: (namespace) => {
      const errors: Errors = [];
      checkFinalizers(errors, namespace);
      return errors;
    },
    validateUpdate: (namespace, _old, subresource) => {
      const errors: Errors = [];
      if (subresource === 'finalize') checkFinalizers(errors, namespace);
      if (subresource === 'status') checkPhase(errors, namespace);
      return errors;
    },
  },
  pods: { validate: validatePod, validateUpdate: validatePodUpdate },
  podtemplates: rule({
    always: (errors, template) => checkPodTemplate(errors, 'template', objectAt(template, 'template') ?? {}),
  }),
  replicationcontrollers: rule({ always: checkReplicationController, status: checkReplicationStatus }),
  services: rule({ always: checkService, status: checkServiceStatus }),
  persistentvolumes: rule({
    always: (errors, volume) => checkVolumeSpec(errors, specOf(volume)),
    change: checkVolumeChange,
  }),
  persistentvolumeclaims: rule({
    always: (errors, claim) => checkClaimSpec(errors, 'spec', specOf(claim)),
    change: checkClaimChange,
    status: checkClaimStatus,
  }),
  limitranges: rule({ always: checkLimitRange }),
  resourcequotas: rule({
    always: checkQuota,
    change: (errors, quota, old) => {
      const scopes = (one: KubeObject) => [...textsAt(one, 'spec', 'scopes')].sort();
      if (equalJson(scopes(quota), scopes(old))) return;
      errors.push(invalid('spec.scopes', textsAt(quota, 'spec', 'scopes'), 'field is immutable'));
    },
    status: (errors, quota) => {
      for (const field of ['hard', 'used'])
        checkQuotaList(errors, `status.${field}`, objectAt(quota, 'status', field));
    },
  }),
  nodes: nodeRule,
};

/** ConfigMaps and Secrets hold a mebibyte at most. */
const dataBytesMax = 1024 * 1024;

function checkConfigMap(errors: Errors, map: KubeObject): void {
  const data = objectAt(map, 'data');
  const binary = objectAt(map, 'binaryData');
  let bytes = 0;
  for (const key in data) {
    checkName(errors, keyPath('data', key), key, configMapKey);
    if (binary !== undefined && Object.hasOwn(binary, key)) {
      errors.push(invalid(keyPath('data', key), key, 'duplicate of key present in binaryData'));
    }
    const value = data[key];
    if (typeof value === 'string') bytes += Buffer.byteLength(value);
  }
  for (const key in binary) {
    checkName(errors, keyPath('binaryData', key), key, configMapKey);
    bytes += base64Bytes(errors, keyPath('binaryData', key), binary[key]);
  }
  if (bytes > dataBytesMax) errors.push(tooLong('[]', dataBytesMax));
}

function checkConfigMapChange(errors: Errors, map: KubeObject, old: KubeObject): void {
  checkFrozen(errors, map, old, ['data', 'binaryData']);
}

/** Once immutable, neither the flag nor the content changes. */
function checkFrozen(errors: Errors, object: KubeObject, old: KubeObject, fields: readonly string[]): void {
  if (booleanAt(old, 'immutable') !== true) return;
  const why = 'field is immutable when `immutable` is set';
  if (booleanAt(object, 'immutable') !== true) errors.push(forbiddenField('immutable', why));
  for (const field of fields) {
    const content = (one: KubeObject) => objectAt(one, field) ?? {};
    if (!equalJson(content(object), content(old))) errors.push(forbiddenField(field, why));
  }
}

const base64Pattern = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** How many bytes a base64 text holds; told when it is none. */
function base64Bytes(errors: Errors, field: string, value: JsonObject[string]): number {
  if (typeof value !== 'string') return 0;
  if (!base64Pattern.test(value.replace(/[\r\n]/g, ''))) {
    errors.push(invalid(field, '<value omitted>', 'must be base64-encoded'));
    return 0;
  }
  return Buffer.byteLength(value, 'base64');
}

/** Keys that a type of Secret must hold. */
const secretKeys: { readonly [type: string]: readonly string[] } = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};

function checkSecret(errors: Errors, secret: KubeObject): void {
  const data = objectAt(secret, 'data') ?? {};
  let bytes = 0;
  for (const key in data) {
    checkName(errors, keyPath('data', key), key, configMapKey);
    bytes += base64Bytes(errors, keyPath('data', key), data[key]);
  }
  if (bytes > dataBytesMax) errors.push(tooLong('data', dataBytesMax));
  const type = textAt(secret, 'type');
  if (type === 'kubernetes.io/service-account-token') {
    const annotation = 'kubernetes.io/service-account.name';
    if ((secret.metadata.annotations?.[annotation] ?? '') === '') {
      errors.push(required(keyPath('metadata.annotations', annotation)));
    }
  } else if (type === 'kubernetes.io/basic-auth') {
    if (data['username'] !== undefined || data['password'] !== undefined) return;
    errors.push(required(keyPath('data', 'username')), required(keyPath('data', 'password')));
  }
  for (const key of Object.hasOwn(secretKeys, type) ? secretKeys[type]! : []) {
    const value = data[key];
    const isMissing = value === undefined || (type === 'kubernetes.io/ssh-auth' && value === '');
    if (isMissing) errors.push(required(keyPath('data', key)));
    else if (key.startsWith('.docker')) checkDockerConfig(errors, keyPath('data', key), String(value));
  }
}

function checkDockerConfig(errors: Errors, field: string, base64: string): void {
  let why = 'json: cannot unmarshal value into an object';
  try {
    const value: unknown = JSON.parse(Buffer.from(base64, 'base64').toString('utf8'));
    if (typeof value === 'object' && !Array.isArray(value)) return;
  } catch {
    why = 'invalid character in JSON';
  }
  errors.push(invalid(field, '<secret contents redacted>', why));
}

function checkFinalizers(errors: Errors, namespace: KubeObject): void {
  textsAt(namespace, 'spec', 'finalizers').forEach((finalizer) => {
    checkName(errors, 'spec.finalizers', finalizer, labelKey);
    if (isQualifiedFinalizer(finalizer)) return;
    const why = 'name is neither a standard finalizer name nor is it fully qualified';
    errors.push(invalid('spec.finalizers', finalizer, why));
  });
}

function checkPhase(errors: Errors, namespace: KubeObject): void {
  const phase = textAt(namespace, 'status', 'phase');
  if (namespace.metadata.deletionTimestamp === undefined) {
    if (phase === 'Active') return;
    errors.push(invalid('status.Phase', phase, "may only be 'Active' if `deletionTimestamp` is empty"));
  } else if (phase !== 'Terminating') {
    const why = "may only be 'Terminating' if `deletionTimestamp` is not empty";
    errors.push(invalid('status.Phase', phase, why));
  }
}

function checkReplicationController(errors: Errors, controller: KubeObject): void {
  const spec = specOf(controller);
  checkNonNegatives(errors, 'spec', spec, ['minReadySeconds', 'replicas']);
  const matchLabels = objectAt(spec, 'selector') ?? {};
  const selector: JsonObject = { matchLabels };
  if (isEmptySelector(selector)) errors.push(required('spec.selector'));
  const template = objectAt(spec, 'template');
  if (template === undefined) errors.push(required('spec.template'));
  else checkControllerTemplate(errors, 'spec.template', template, selector, 'ReplicationController');
}

function checkReplicationStatus(errors: Errors, controller: KubeObject): void {
  const status = objectAt(controller, 'status');
  const ready = ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'];
  checkNonNegatives(errors, 'status', status, ['replicas', 'observedGeneration', ...ready]);
  for (const field of ready) {
    const value = numberAt(status, field) ?? 0;
    if (value > (numberAt(status, 'replicas') ?? 0)) {
      errors.push(invalid(`status.${field}`, value, 'cannot be greater than status.replicas'));
    }
  }
  const available = numberAt(status, 'availableReplicas') ?? 0;
  if (available > (numberAt(status, 'readyReplicas') ?? 0)) {
    errors.push(invalid('status.availableReplicas', available, 'cannot be greater than readyReplicas'));
  }
}

const limitTypes = ['Container', 'PersistentVolumeClaim', 'Pod'];
const limitFields = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;

function checkLimitRange(errors: Errors, range: KubeObject): void {
  const seen = new Set<string>();
  objectsAt(range, 'spec', 'limits').forEach((limit, i) => {
    const at = `spec.limits[${i}]`;
    const type = textAt(limit, 'type');
    const messages = labelKey(type);
    for (const message of messages) errors.push(invalid(`${at}.type`, type, message));
    if (messages.length === 0 && !type.includes('/') && !limitTypes.includes(type)) {
      errors.push(invalid(`${at}.type`, type, 'must be a standard limit type or fully qualified'));
    }
    if (seen.has(type)) {
      errors.push({
        type: 'FieldValueDuplicate',
        field: `${at}.type`,
        message: `Duplicate value: ${JSON.stringify(type)}`,
      });
    }
    seen.add(type);
    checkLimit(errors, at, type, limit);
  });
}

function checkLimit(errors: Errors, at: string, type: string, limit: JsonObject): void {
  const names = new Set<string>();
  for (const field of limitFields) {
    const list = objectAt(limit, field) ?? {};
    if (type === 'Pod' && field.startsWith('default')) {
      if (Object.keys(list).length > 0) {
        errors.push(forbiddenField(`${at}.${field}`, "may not be specified when `type` is 'Pod'"));
      }
      continue;
    }
    for (const name in list) {
      const path = keyPath(`${at}.${field}`, name);
      if (type === 'Pod' || type === 'Container') checkContainerResourceName(errors, path, name);
      else checkResourceName(errors, path, name);
      names.add(name);
    }
  }
  const isClaim = type === 'PersistentVolumeClaim';
  if (isClaim && !names.has('storage')) {
    const why = 'either minimum or maximum storage value is required, but neither was provided';
    errors.push(required(`${at}.limits`, why));
  }
  for (const name of names) checkLimitOrder(errors, at, name, limit);
}

/** min ≤ default request ≤ default ≤ max, and the ratio within reach. */
function checkLimitOrder(errors: Errors, at: string, name: string, limit: JsonObject): void {
  const of = (field: string) => quantityOf(objectAt(limit, field), name);
  const [min, max, preset, request, ratio] = [
    of('min'),
    of('max'),
    of('default'),
    of('defaultRequest'),
    of('maxLimitRequestRatio'),
  ];
  const refuse = (field: string, value: Quantity, why: string) =>
    errors.push(invalid(keyPath(`${at}.${field}`, name), formatQuantity(value), why));
  const exceeds = (a: Quantity | undefined, b: Quantity | undefined): boolean =>
    a !== undefined && b !== undefined && compareQuantity(a, b) > 0;
  const text = (value: Quantity | undefined) => (value === undefined ? '' : formatQuantity(value));
  if (exceeds(min, max)) refuse('min', min!, `min value ${text(min)} is greater than max value ${text(max)}`);
  if (exceeds(min, request)) {
    refuse(
      'defaultRequest',
      request!,
      `min value ${text(min)} is greater than default request value ${text(request)}`,
    );
  }
  if (exceeds(request, max)) {
    refuse(
      'defaultRequest',
      request!,
      `default request value ${text(request)} is greater than max value ${text(max)}`,
    );
  }
  if (exceeds(request, preset)) {
    const why = `default request value ${text(request)} is greater than default limit value ${text(preset)}`;
    refuse('defaultRequest', request!, why);
  }
  if (exceeds(min, preset)) {
    refuse('default', min!, `min value ${text(min)} is greater than default value ${text(preset)}`);
  }
  if (exceeds(preset, max)) {
    refuse('default', max!, `default value ${text(preset)} is greater than max value ${text(max)}`);
  }
  if (ratio !== undefined) {
    const value = quantityNumber(ratio);
    if (value < 1) refuse('maxLimitRequestRatio', ratio, `ratio ${text(ratio)} is less than 1`);
    if (min !== undefined && max !== undefined) {
      const reach = quantityNumber(max) / quantityNumber(min);
      if (value > reach) {
        const why = `ratio ${text(ratio)} is greater than max/min = ${reach.toFixed(6)}`;
        refuse('maxLimitRequestRatio', ratio, why);
      }
    }
  }
  const mustAgree = !allowsOvercommit(name) && preset !== undefined && request !== undefined;
  if (mustAgree && compareQuantity(preset, request) !== 0) {
    const why = `default value ${text(preset)} must equal to defaultRequest value ${text(request)} in ${name}`;
    refuse('defaultRequest', request, why);
  }
}

const podScopes = [
  'Terminating',
  'NotTerminating',
  'NotBestEffort',
  'PriorityClass',
  'CrossNamespacePodAffinity',
];
const quotaScopes = [...podScopes, 'BestEffort', 'VolumeAttributesClass'];
const podCompute = [
  'pods',
  'cpu',
  'memory',
  'limits.cpu',
  'limits.memory',
  'requests.cpu',
  'requests.memory',
];

function scopeFits(scope: string, resource: string): boolean {
  if (podScopes.includes(scope)) return podCompute.includes(resource);
  if (scope === 'BestEffort') return resource === 'pods';
  if (scope === 'VolumeAttributesClass') {
    return resource === 'persistentvolumeclaims' || resource === 'requests.storage';
  }
  return true;
}

function checkQuotaList(errors: Errors, path: string, list: JsonObject | undefined): void {
  for (const name in list) {
    checkQuotaResourceName(errors, keyPath(path, name), name);
    checkResourceAmount(errors, keyPath(path, name), name, list[name]);
  }
}

function checkQuota(errors: Errors, quota: KubeObject): void {
  const spec = specOf(quota);
  const hard = objectAt(spec, 'hard');
  checkQuotaList(errors, 'spec.hard', hard);
  const counted = Object.keys(hard ?? {})
    .filter(isStandardQuotaResource)
    .sort();
  const scopes = textsAt(spec, 'scopes');
  for (const scope of scopes) {
    if (!quotaScopes.includes(scope)) errors.push(invalid('spec.scopes', scopes, 'unsupported scope'));
    for (const resource of counted) {
      if (scopeFits(scope, resource)) continue;
      errors.push(invalid('spec.scopes', scopes, 'unsupported scope applied to resource'));
    }
  }
  checkScopePairs(errors, scopes, scopes);
  const expressions = objectsAt(spec, 'scopeSelector', 'matchExpressions');
  const at = 'spec.scopeSelector.matchExpressions';
  for (const one of expressions) checkScopeExpression(errors, at, one, spec, counted);
  checkScopePairs(
    errors,
    expressions.map((one) => textAt(one, 'scopeName')),
    scopes,
  );
}

function checkScopeExpression(
  errors: Errors,
  at: string,
  one: JsonObject,
  spec: JsonObject,
  counted: readonly string[],
): void {
  const scope = textAt(one, 'scopeName');
  const operator = textAt(one, 'operator');
  const values = textsAt(one, 'values');
  if (!quotaScopes.includes(scope)) errors.push(invalid(`${at}.scopeName`, scope, 'unsupported scope'));
  for (const resource of counted) {
    if (scopeFits(scope, resource)) continue;
    errors.push(invalid(at, spec['scopeSelector'], 'unsupported scope applied to resource'));
  }
  const onlyExists = scope !== 'PriorityClass' && scope !== 'VolumeAttributesClass';
  if (onlyExists && quotaScopes.includes(scope) && operator !== 'Exists') {
    const why =
      "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
    errors.push(invalid(`${at}.operator`, operator, why));
  }
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) {
        const why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
        errors.push(required(`${at}.values`, why));
      }
      return;
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0) {
        const why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
        errors.push(invalid(`${at}.values`, values, why));
      }
      return;
    default:
      errors.push(invalid(`${at}.operator`, operator, 'not a valid selector operator'));
  }
}

function checkScopePairs(errors: Errors, scopes: readonly string[], shown: readonly string[]): void {
  for (const pair of [
    ['BestEffort', 'NotBestEffort'],
    ['Terminating', 'NotTerminating'],
  ]) {
    if (pair.every((scope) => scopes.includes(scope))) {
      errors.push(invalid('spec.scopes', shown, 'conflicting scopes'));
    }
  }
}
