import {
  duplicate,
  forbiddenField,
  invalid,
  notSupported,
  required,
  tooLong,
} from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { dns1123Label, dns1123Subdomain, labelKey } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { numberAt, objectAt, objectsAt, textAt, valueAt } from '../read.ts';
import { checkImmutable, checkIp, checkName, type Errors } from './common.ts';

const idMax = 2 ** 31 - 1;
const messageBytesMax = 1024;

/** core ValidatePodStatusUpdate, beyond metadata: what a kubelet or a scheduler may tell of a pod. */
export function checkPodStatus(errors: Errors, pod: KubeObject, old: KubeObject): void {
  const status = objectAt(pod, 'status') ?? {};
  const before = objectAt(old, 'status') ?? {};
  const spec = objectAt(pod, 'spec') ?? {};
  checkConditions(errors, status);
  checkNomination(errors, status, before, old);
  checkGeneration(errors, 'status.observedGeneration', status);
  checkImmutable(errors, 'status.qosClass', textAt(status, 'qosClass'), textAt(before, 'qosClass'));
  checkTransitions(errors, status, before, objectAt(old, 'spec') ?? {});
  checkClaimStatuses(errors, status, spec);
  checkExtendedClaim(errors, status, spec);
  checkAddresses(errors, 'status.podIPs', status, before, 'podIPs');
  const [firstHost] = objectsAt(status, 'hostIPs');
  if (firstHost !== undefined && textAt(firstHost, 'ip') !== textAt(status, 'hostIP')) {
    errors.push(invalid('status.hostIPs[0].ip', textAt(firstHost, 'ip'), 'must be equal to `hostIP`'));
  }
  checkAddresses(errors, 'status.hostIPs', status, before, 'hostIPs');
  for (const list of statusLists) checkUsers(errors, list, status, spec);
  for (const [list, containers] of allocating)
    checkAllocated(errors, list, status, objectsAt(spec, containers));
  objectsAt(status, 'ephemeralContainerStatuses').forEach((one, i) => {
    if (objectsAt(one, 'allocatedResourcesStatus').length === 0) return;
    const at = `status.ephemeralContainerStatuses[${i}].allocatedResourcesStatus`;
    errors.push(forbiddenField(at, 'must not be specified in container status'));
  });
}

const statusLists = ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'] as const;
const allocating = [
  ['containerStatuses', 'containers'],
  ['initContainerStatuses', 'initContainers'],
] as const;

const ownConditions: ReadonlySet<string> = new Set(['PodScheduled', 'Ready', 'Initialized']);

function checkGeneration(errors: Errors, at: string, holder: JsonObject): void {
  const generation = numberAt(holder, 'observedGeneration');
  if (generation !== undefined && generation < 0) {
    errors.push(invalid(at, generation, 'must be a non-negative integer'));
  }
}

function checkConditions(errors: Errors, status: JsonObject): void {
  objectsAt(status, 'conditions').forEach((condition, i) => {
    checkGeneration(errors, `status.conditions[${i}].observedGeneration`, condition);
    const type = textAt(condition, 'type');
    if (!ownConditions.has(type)) checkName(errors, `status.conditions[${i}].Type`, type, labelKey);
  });
}

function checkNomination(errors: Errors, status: JsonObject, before: JsonObject, old: KubeObject): void {
  const node = textAt(status, 'nominatedNodeName');
  if (node === '' || node === textAt(before, 'nominatedNodeName')) return;
  checkName(errors, 'status.nominatedNodeName', node, dns1123Subdomain);
  if (textAt(old, 'spec', 'nodeName') === '') return;
  const why = 'may not be set on pods that are already bound to a node';
  errors.push(forbiddenField('status.nominatedNodeName', why));
}

/** What has ended and is not to be started again does not run again. */
function checkTransitions(errors: Errors, status: JsonObject, before: JsonObject, spec: JsonObject): void {
  const isAnyRestarted = [...objectsAt(spec, 'initContainers'), ...objectsAt(spec, 'containers')].some(
    (one) =>
      objectsAt(one, 'restartPolicyRules').some((rule) => textAt(rule, 'action') === 'RestartAllContainers'),
  );
  for (const [list, containers] of [...allocating, ['ephemeralContainerStatuses', ''] as const]) {
    if (isAnyRestarted && containers !== '') continue;
    objectsAt(before, list).forEach((was, i) => {
      const ended = objectAt(was, 'state', 'terminated');
      if (ended === undefined) return;
      const name = textAt(was, 'name');
      const now = objectsAt(status, list).find((one) => textAt(one, 'name') === name);
      if (now === undefined || objectAt(now, 'state', 'terminated') !== undefined) return;
      const container =
        containers === ''
          ? undefined
          : objectsAt(spec, containers).find((one) => textAt(one, 'name') === name);
      const code = numberAt(ended, 'exitCode') ?? 0;
      if (container !== undefined && shouldRestart(container, textAt(spec, 'restartPolicy'), code)) return;
      const why = 'may not be transitioned to non-terminated state';
      errors.push(forbiddenField(`status.${list}[${i}].state`, why));
    });
  }
}

/** pkg/api/v1/pod ContainerShouldRestart. */
function shouldRestart(container: JsonObject, podPolicy: string, exitCode: number): boolean {
  const own = textAt(container, 'restartPolicy');
  const isRuled =
    own !== '' &&
    objectsAt(container, 'restartPolicyRules').some((rule) => {
      const values = valueAt(rule, 'exitCodes', 'values');
      const isIn = Array.isArray(values) && values.includes(exitCode);
      const operator = textAt(rule, 'exitCodes', 'operator');
      return (operator === 'In' && isIn) || (operator === 'NotIn' && !isIn);
    });
  if (isRuled) return true;
  const policy = own === '' ? podPolicy : own;
  return policy === 'OnFailure' ? exitCode !== 0 : policy !== 'Never';
}

function checkClaimStatuses(errors: Errors, status: JsonObject, spec: JsonObject): void {
  const claims = new Set(objectsAt(spec, 'resourceClaims').map((one) => textAt(one, 'name')));
  const seen = new Set<string>();
  objectsAt(status, 'resourceClaimStatuses').forEach((one, i) => {
    const at = `status.resourceClaimStatuses[${i}]`;
    const name = textAt(one, 'name');
    if (!claims.has(name)) {
      const why = 'must match the name of an entry in `spec.resourceClaims`';
      errors.push(invalid(`${at}.name`, name, why));
    }
    if (seen.has(name)) errors.push(duplicate(`${at}.name`, name));
    seen.add(name);
    const claim = valueAt(one, 'resourceClaimName');
    if (typeof claim === 'string') checkName(errors, `${at}.resourceClaimName`, claim, dns1123Subdomain);
  });
}

function checkExtendedClaim(errors: Errors, status: JsonObject, spec: JsonObject): void {
  const claim = objectAt(status, 'extendedResourceClaimStatus');
  if (claim === undefined) return;
  const path = 'status.extendedResourceClaimStatus';
  const containers = new Map<string, JsonObject>();
  for (const list of ['initContainers', 'containers']) {
    for (const one of objectsAt(spec, list)) containers.set(textAt(one, 'name'), one);
  }
  const mappings = objectsAt(claim, 'requestMappings');
  if (mappings.length === 0) {
    errors.push(required(`${path}.requestMappings`, 'at least one request mapping is required'));
  }
  const seen = new Set<string>();
  mappings.forEach((mapping, i) => {
    const at = `${path}.requestMappings[${i}]`;
    const [name, resource, request] = ['containerName', 'resourceName', 'requestName'].map((field) =>
      textAt(mapping, field),
    ) as [string, string, string];
    const container = containers.get(name);
    if (container === undefined) {
      const why = 'must match the name of an entry in spec.initContainers.name or spec.containers.name';
      errors.push(invalid(`${at}.containerName`, name, why));
    } else if (valueAt(container, 'resources', 'requests', resource) === undefined) {
      const why =
        'must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests';
      errors.push(invalid(`${at}.resourceName`, resource, why));
    }
    // Told without the mapping, as in Kubernetes.
    checkName(errors, `${path}.requestName`, request, dns1123Label);
    const key = JSON.stringify([name, resource, request]);
    if (seen.has(key)) {
      errors.push(duplicate(`${at}.containerName`, name));
      errors.push(duplicate(`${at}.resourceName`, resource));
      errors.push(duplicate(`${at}.requestName`, request));
    }
    seen.add(key);
  });
  const name = textAt(claim, 'resourceClaimName');
  if (name === '') errors.push(required(`${path}.resourceClaimName`));
  else checkName(errors, `${path}.resourceClaimName`, name, dns1123Subdomain);
}

/** New ones are addresses, of each family one at most. */
function checkAddresses(
  errors: Errors,
  path: string,
  status: JsonObject,
  before: JsonObject,
  field: string,
): void {
  const known = new Set(objectsAt(before, field).map((one) => textAt(one, 'ip')));
  const list = objectsAt(status, field);
  const addresses = list.map((one) => textAt(one, 'ip'));
  let areValid = true;
  addresses.forEach((address, i) => {
    if (!known.has(address) && !checkIp(errors, `${path}[${i}]`, address)) areValid = false;
  });
  if (addresses.length < 2) return;
  if (!areValid) {
    const bad = addresses.find((one) => checkIp([], '', one) === false);
    const why = `failed to check for dual stack with error:invalid IP: ${JSON.stringify(bad ?? '')}`;
    errors.push({ type: 'InternalError', field: path, message: `Internal error: ${why}` });
  }
  const families = new Set(addresses.map((one) => one.includes(':')));
  if (!areValid || families.size < 2 || addresses.length > 2) {
    errors.push(invalid(path, list, 'may specify no more than one IP for each IP family'));
  }
}

function checkUsers(errors: Errors, list: string, status: JsonObject, spec: JsonObject): void {
  const os = textAt(spec, 'os', 'name') || 'linux';
  objectsAt(status, list).forEach((one, i) => {
    const linux = objectAt(one, 'user', 'linux');
    if (linux === undefined) return;
    const at = `status.${list}[${i}].user.linux`;
    if (os === 'windows') errors.push(forbiddenField(at, 'cannot be set for a windows pod'));
    if (os !== 'linux') return;
    checkId(errors, `${at}.uid`, numberAt(linux, 'uid') ?? 0);
    checkId(errors, `${at}.gid`, numberAt(linux, 'gid') ?? 0);
    const groups = valueAt(linux, 'supplementalGroups');
    if (!Array.isArray(groups)) return;
    groups.forEach((group, j) => {
      if (typeof group === 'number') checkId(errors, `${at}.supplementalGroups[${j}]`, group);
    });
  });
}

function checkId(errors: Errors, at: string, id: number): void {
  if (id < 0 || id > idMax) errors.push(invalid(at, id, `must be between 0 and ${idMax}, inclusive`));
}

const healths = ['Healthy', 'Unhealthy', 'Unknown'];

function checkAllocated(
  errors: Errors,
  list: string,
  status: JsonObject,
  containers: readonly JsonObject[],
): void {
  objectsAt(status, list).forEach((one, i) => {
    const container = containers.find((each) => textAt(each, 'name') === textAt(one, 'name'));
    objectsAt(one, 'allocatedResourcesStatus').forEach((allocated, j) => {
      const at = `status.${list}[${i}].allocatedResourcesStatus[${j}]`;
      if (container !== undefined) checkAllocatedName(errors, at, textAt(allocated, 'name'), container);
      const ids = new Set<string>();
      objectsAt(allocated, 'resources').forEach((resource, k) => {
        checkHealth(errors, `${at}.resources[${k}]`, resource, ids);
      });
    });
  });
}

function checkAllocatedName(errors: Errors, at: string, name: string, container: JsonObject): void {
  const isClaim = name.startsWith('claim:');
  const claims = objectsAt(container, 'resources', 'claims').map((claim) => {
    const request = textAt(claim, 'request');
    return `claim:${textAt(claim, 'name')}${request === '' ? '' : `/${request}`}`;
  });
  const isKnown = isClaim
    ? claims.includes(name)
    : valueAt(container, 'resources', 'requests', name) !== undefined;
  if (isKnown) return;
  const why = isClaim
    ? "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty"
    : "must match one of the container's resource requests";
  errors.push(invalid(`${at}.name`, name, why));
}

function checkHealth(errors: Errors, at: string, resource: JsonObject, ids: Set<string>): void {
  const health = textAt(resource, 'health');
  if (!healths.includes(health)) errors.push(notSupported(`${at}.health`, health, healths));
  const message = valueAt(resource, 'message');
  if (message === '') errors.push(required(`${at}.message`, 'must be non-empty if specified'));
  else if (typeof message === 'string' && Buffer.byteLength(message) > messageBytesMax) {
    errors.push(tooLong(`${at}.message`, messageBytesMax));
  }
  const id = textAt(resource, 'resourceID');
  if (ids.has(id)) errors.push(duplicate(`${at}.resourceID`, id));
  ids.add(id);
}
