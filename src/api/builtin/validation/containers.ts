import {
  duplicate,
  forbiddenField,
  invalid,
  notSupported,
  required,
  tooMany,
} from '#apimachinery/field-error.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { configMapKey, dns1123Subdomain, envVarName, isEnvVarName, portName } from '#apimachinery/names.ts';
import { numberAt, objectAt, objectsAt, textAt, valueAt } from '../read.ts';
import {
  checkChoice,
  checkChoiceIn,
  checkDnsLabel,
  checkName,
  checkNoBacksteps,
  checkOptionalChoice,
  checkPortNumber,
  checkRequiredName,
  type Errors,
  notFoundField,
  protocols,
} from './common.ts';
import { checkFieldRef, checkResourceFieldRef } from './downward-fields.ts';
import { checkLifecycle, checkProbes } from './probes.ts';
import { checkRequirements } from './resources.ts';
import { checkContainerSecurityContext } from './security-context.ts';
import { checkMounts } from './volume-mounts.ts';
import type { KnownVolumes } from './volumes.ts';

/** What the containers of one pod have in common. */
export interface PodContext {
  readonly volumes: KnownVolumes;
  readonly claims: ReadonlySet<string>;
  readonly gracePeriodS: number | undefined;
  readonly restartPolicy: string;
  readonly os: string;
  readonly hostUsers: boolean;
}

/** core validateContainers. */
export function checkContainers(errors: Errors, path: string, spec: JsonObject, pod: PodContext): void {
  const containers = objectsAt(spec, 'containers');
  if (containers.length === 0) {
    errors.push(required(path));
    return;
  }
  const names = new Set<string>();
  containers.forEach((container, i) => {
    const at = `${path}[${i}]`;
    const name = textAt(container, 'name');
    checkContainer(errors, at, container, pod);
    if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    names.add(name);
    checkHooks(errors, at, container, pod);
    checkRestartRules(errors, at, container);
  });
  checkHostPorts(errors, path, containers);
}

/** core validateInitContainers. */
export function checkInitContainers(errors: Errors, path: string, spec: JsonObject, pod: PodContext): void {
  const containers = objectsAt(spec, 'initContainers');
  if (containers.length === 0) return;
  const names = new Set(objectsAt(spec, 'containers').map((one) => textAt(one, 'name')));
  containers.forEach((container, i) => {
    const at = `${path}[${i}]`;
    const name = textAt(container, 'name');
    checkContainer(errors, at, container, pod);
    // Without a policy of its own its rules are not looked at (validateInitContainerRestartPolicy).
    if (valueAt(container, 'restartPolicy') !== undefined) checkRestartRules(errors, at, container);
    else if (objectsAt(container, 'restartPolicyRules').length > 0) {
      errors.push(required(`${at}.restartPolicy`, 'must specify restartPolicy when restart rules are used'));
    }
    const isSidecar = textAt(container, 'restartPolicy') === 'Always';
    if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    else if (name !== '') names.add(name);
    checkHostPorts(errors, path, [container]);
    if (isSidecar) checkHooks(errors, at, container, pod);
    else {
      for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe']) {
        if (objectAt(container, field) !== undefined) {
          errors.push(
            forbiddenField(
              `${at}.${field}`,
              'may not be set for init containers without restartPolicy=Always',
            ),
          );
        }
      }
    }
    if (isSidecar) return;
    objectsAt(container, 'resizePolicy').forEach((policy, j) => {
      if (textAt(policy, 'restartPolicy') !== 'RestartContainer') return;
      errors.push(
        invalid(
          `${at}.resizePolicy[${j}].restartPolicy`,
          'RestartContainer',
          "must not be set to 'RestartContainer' for non-sidecar initContainers",
        ),
      );
    });
  });
}

/** What an ephemeral container may not carry, in the order of Go's type. */
const barredOfEphemeral = [
  'ports',
  'resources',
  'resizePolicy',
  'restartPolicy',
  'restartPolicyRules',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
];

/** core validateEphemeralContainers. */
export function checkEphemeralContainers(
  errors: Errors,
  path: string,
  spec: JsonObject,
  pod: PodContext,
): void {
  const containers = objectsAt(spec, 'ephemeralContainers');
  if (containers.length === 0) return;
  const others = new Set(
    [...objectsAt(spec, 'containers'), ...objectsAt(spec, 'initContainers')].map((one) =>
      textAt(one, 'name'),
    ),
  );
  const names = new Set(others);
  containers.forEach((container, i) => {
    const at = `${path}[${i}]`;
    const name = textAt(container, 'name');
    checkContainer(errors, at, container, pod);
    if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    names.add(name);
    const target = textAt(container, 'targetContainerName');
    if (target !== '' && !others.has(target)) errors.push(notFoundField(`${at}.targetContainerName`, target));
    for (const field of barredOfEphemeral) {
      if (!isZeroField(field, container[field])) {
        errors.push(forbiddenField(`${at}.${field}`, 'cannot be set for an Ephemeral Container'));
      }
    }
    objectsAt(container, 'volumeMounts').forEach((mount, j) => {
      for (const field of ['subPath', 'subPathExpr']) {
        if (textAt(mount, field) === '') continue;
        errors.push(
          forbiddenField(`${at}.volumeMounts[${j}].${field}`, 'cannot be set for an Ephemeral Container'),
        );
      }
    });
  });
}

/** What is there is no zero of Go, be it empty, but for the one struct. */
function isZeroField(field: string, value: JsonValue | undefined): boolean {
  if (value === undefined || value === null) return true;
  return field === 'resources' && Object.keys(value).length === 0;
}

function checkHooks(errors: Errors, at: string, container: JsonObject, pod: PodContext): void {
  const lifecycle = objectAt(container, 'lifecycle');
  if (lifecycle !== undefined) checkLifecycle(errors, `${at}.lifecycle`, lifecycle, pod.gracePeriodS, pod.os);
  checkProbes(errors, at, container, pod.gracePeriodS);
}

const restartPolicies = ['Always', 'Never', 'OnFailure'];
const rulesMax = 20;
const exitCodesMax = 255;

/** core validateContainerRestartPolicy. */
function checkRestartRules(errors: Errors, at: string, container: JsonObject): void {
  const policy = valueAt(container, 'restartPolicy');
  const rules = objectsAt(container, 'restartPolicyRules');
  if (policy === undefined) {
    if (rules.length > 0) {
      errors.push(required(`${at}.restartPolicy`, 'must specify restartPolicy when restart rules are used'));
    }
  } else if (!restartPolicies.includes(policy as string)) {
    errors.push(notSupported(`${at}.restartPolicy`, policy, restartPolicies));
  }
  if (rules.length > rulesMax) errors.push(tooMany(`${at}.restartPolicyRules`, rules.length, rulesMax));
  rules.forEach((rule, i) => {
    const ruleAt = `${at}.restartPolicyRules[${i}]`;
    const action = textAt(rule, 'action');
    checkOptionalChoice(errors, `${ruleAt}.action`, action, ['Restart', 'RestartAllContainers']);
    const codes = objectAt(rule, 'exitCodes');
    if (codes === undefined) {
      errors.push(required(`${ruleAt}.exitCodes`, 'must be specified'));
      return;
    }
    const operator = textAt(codes, 'operator');
    if (operator !== 'In' && operator !== 'NotIn') {
      errors.push(notSupported(`${ruleAt}.exitCodes.operator`, operator, ['In', 'NotIn']));
    }
    const values = valueAt(codes, 'values');
    if (Array.isArray(values) && values.length > exitCodesMax) {
      errors.push(tooMany(`${ruleAt}.exitCodes.values`, values.length, exitCodesMax));
    }
  });
}

const messagePolicies = ['File', 'FallbackToLogsOnError'];
const pullPolicies = ['Always', 'IfNotPresent', 'Never'];

/** core validateContainerCommon. */
function checkContainer(errors: Errors, at: string, container: JsonObject, pod: PodContext): void {
  const name = textAt(container, 'name');
  if (name === '') errors.push(required(`${at}.name`));
  else checkDnsLabel(errors, `${at}.name`, name);
  if (textAt(container, 'image') === '') errors.push(required(`${at}.image`));
  checkChoiceIn(errors, at, container, 'terminationMessagePolicy', messagePolicies);
  checkPorts(errors, at, container);
  checkEnv(errors, at, container);
  checkEnvFrom(errors, at, container);
  checkMounts(errors, at, container, pod.volumes);
  checkChoiceIn(errors, at, container, 'imagePullPolicy', pullPolicies);
  checkRequirements(errors, `${at}.resources`, objectAt(container, 'resources'), pod.claims);
  checkResizePolicy(errors, `${at}.resizePolicy`, container, pod);
  checkContainerSecurityContext(
    errors,
    `${at}.securityContext`,
    objectAt(container, 'securityContext'),
    pod.hostUsers,
  );
}

function checkPorts(errors: Errors, path: string, container: JsonObject): void {
  const ports = objectsAt(container, 'ports');
  if (ports.length === 0) return;
  const names = new Set<string>();
  ports.forEach((port, i) => {
    const at = `${path}.ports[${i}]`;
    const name = textAt(port, 'name');
    if (name !== '') {
      const messages = portName(name);
      for (const message of messages) errors.push(invalid(`${at}.name`, name, message));
      if (messages.length === 0) {
        if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
        names.add(name);
      }
    }
    const number = numberAt(port, 'containerPort') ?? 0;
    if (number === 0) errors.push(required(`${at}.containerPort`));
    else checkPortNumber(errors, `${at}.containerPort`, number);
    const hostPort = numberAt(port, 'hostPort') ?? 0;
    if (hostPort !== 0) checkPortNumber(errors, `${at}.hostPort`, hostPort);
    checkChoiceIn(errors, at, port, 'protocol', protocols);
  });
}

function checkHostPorts(errors: Errors, path: string, containers: readonly JsonObject[]): void {
  let taken: Set<string> | undefined;
  containers.forEach((container, i) => {
    objectsAt(container, 'ports').forEach((port, j) => {
      const hostPort = numberAt(port, 'hostPort') ?? 0;
      if (hostPort === 0) return;
      taken ??= new Set();
      const key = `${textAt(port, 'protocol')}/${textAt(port, 'hostIP')}/${hostPort}`;
      if (taken.has(key)) errors.push(duplicate(`${path}[${i}].ports[${j}].hostPort`, key));
      taken.add(key);
    });
  });
}

/** What a variable may take from its pod. */
const envFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

function checkEnv(errors: Errors, path: string, container: JsonObject): void {
  objectsAt(container, 'env').forEach((variable, i) => {
    const name = textAt(variable, 'name');
    // Of many variables hardly any has something to tell: only then is it said where.
    if (!isEnvVarName(name)) checkRequiredName(errors, `${path}.env[${i}].name`, name, envVarName);
    const from = objectAt(variable, 'valueFrom');
    if (from !== undefined) checkValueFrom(errors, `${path}.env[${i}].valueFrom`, variable, from);
  });
}

function checkValueFrom(errors: Errors, at: string, variable: JsonObject, from: JsonObject): void {
  let count = 0;
  const fieldRef = objectAt(from, 'fieldRef');
  if (fieldRef !== undefined) {
    count++;
    checkFieldRef(errors, `${at}.fieldRef`, fieldRef, envFields);
  }
  const resourceRef = objectAt(from, 'resourceFieldRef');
  if (resourceRef !== undefined) {
    count++;
    checkResourceFieldRef(errors, `${at}.resourceFieldRef`, resourceRef, false);
  }
  for (const kind of ['configMapKeyRef', 'secretKeyRef']) {
    const reference = objectAt(from, kind);
    if (reference === undefined) continue;
    count++;
    checkName(errors, `${at}.${kind}.name`, textAt(reference, 'name'), dns1123Subdomain);
    checkRequiredName(errors, `${at}.${kind}.key`, textAt(reference, 'key'), configMapKey);
  }
  const file = objectAt(from, 'fileKeyRef');
  if (file !== undefined) {
    count++;
    checkRequiredName(errors, `${at}.fileKeyRef.key`, textAt(file, 'key'), envVarName);
    const volume = textAt(file, 'volumeName');
    if (volume === '') errors.push(required(`${at}.fileKeyRef.volumeName`));
    else checkDnsLabel(errors, `${at}.fileKeyRef.volumeName`, volume);
    if (textAt(file, 'path') === '') errors.push(required(`${at}.fileKeyRef.path`));
    else checkNoBacksteps(errors, `${at}.fileKeyRef.path`, textAt(file, 'path'));
  }
  if (count === 0) {
    errors.push(
      invalid(
        at,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
      ),
    );
  } else if (textAt(variable, 'value') !== '') {
    errors.push(invalid(at, '', 'may not be specified when `value` is not empty'));
  } else if (count > 1) {
    errors.push(invalid(at, '', 'may not have more than one field specified at a time'));
  }
}

function checkEnvFrom(errors: Errors, path: string, container: JsonObject): void {
  objectsAt(container, 'envFrom').forEach((source, i) => {
    const at = `${path}.envFrom[${i}]`;
    const prefix = textAt(source, 'prefix');
    if (prefix !== '') checkName(errors, `${at}.prefix`, prefix, envVarName);
    let count = 0;
    for (const kind of ['configMapRef', 'secretRef']) {
      const reference = objectAt(source, kind);
      if (reference === undefined) continue;
      count++;
      checkRequiredName(errors, `${at}.${kind}.name`, textAt(reference, 'name'), dns1123Subdomain);
    }
    if (count === 1) return;
    const why =
      count === 0
        ? 'must specify one of: `configMapRef` or `secretRef`'
        : 'may not have more than one field specified at a time';
    errors.push(invalid(`${path}.envFrom`, '', why));
  });
}

function checkResizePolicy(errors: Errors, path: string, container: JsonObject, pod: PodContext): void {
  const policies = objectsAt(container, 'resizePolicy');
  if (policies.length === 0) return;
  const seen = new Set<string>();
  policies.forEach((policy, i) => {
    const resource = textAt(policy, 'resourceName');
    if (seen.has(resource)) errors.push(duplicate(`${path}[${i}]`, resource));
    seen.add(resource);
    checkChoice(errors, path, resource, ['cpu', 'memory']);
    const restart = textAt(policy, 'restartPolicy');
    checkChoice(errors, path, restart, ['NotRequired', 'RestartContainer']);
    if (pod.restartPolicy === 'Never' && restart !== 'NotRequired') {
      errors.push(invalid(path, restart, "must be 'NotRequired' when pod `restartPolicy` is 'Never'"));
    }
  });
}

/** Images of Pods, not of templates, are checked for stray blanks. */
export function checkImages(errors: Errors, path: string, spec: JsonObject, fields: readonly string[]): void {
  for (const field of fields) {
    objectsAt(spec, field).forEach((container, i) => {
      const image = textAt(container, 'image');
      if (image.trim() !== image) {
        errors.push(
          invalid(`${path}.${field}[${i}].image`, image, 'must not have leading or trailing whitespace'),
        );
      }
    });
  }
}
