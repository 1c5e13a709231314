import { duplicate, forbiddenField, invalid, required, tooLong } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { dns1123Subdomain, labelKey } from '#apimachinery/names.ts';
import { booleanAt, numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import {
  checkChoice,
  checkChoiceIn,
  checkDnsLabel,
  checkDnsSubdomain,
  checkIp,
  checkLabels,
  checkName,
  type Errors,
  notFoundField,
} from './common.ts';
import { checkContainers, checkEphemeralContainers, checkInitContainers } from './containers.ts';
import { checkDnsConfig } from './pod-dns.ts';
import { checkRequirements } from './resources.ts';
import { checkAffinity, checkSpreading, checkTolerations } from './scheduling.ts';
import { checkHostProcesses, checkOperatingSystem, checkPodSecurityContext } from './security-context.ts';
import { checkVolumes, type KnownVolumes, type PodMeta } from './volumes.ts';

const int32Max = 2_147_483_647;

/** core ValidatePodSpec: of a Pod (with its metadata) or of a template. */
export function checkPodSpec(errors: Errors, path: string, spec: JsonObject, meta: PodMeta): void {
  const gracePeriodS = numberAt(spec, 'terminationGracePeriodSeconds');
  if (gracePeriodS === undefined) errors.push(required(`${path}.terminationGracePeriodSeconds`));
  const hasMore = hasOtherFields(spec);
  const pod = {
    volumes: hasMore ? checkVolumes(errors, `${path}.volumes`, spec, meta) : noVolumes,
    claims: hasMore ? checkResourceClaims(errors, `${path}.resourceClaims`, spec) : noClaims,
    gracePeriodS,
    restartPolicy: textAt(spec, 'restartPolicy'),
    os: textAt(spec, 'os', 'name'),
    hostUsers: booleanAt(spec, 'hostUsers') ?? true,
  };
  checkContainers(errors, `${path}.containers`, spec, pod);
  if (hasMore) {
    checkInitContainers(errors, `${path}.initContainers`, spec, pod);
    checkEphemeralContainers(errors, `${path}.ephemeralContainers`, spec, pod);
    checkPodResources(errors, `${path}.resources`, spec, pod.claims);
    checkHostNetwork(errors, path, spec, meta !== undefined);
  }
  checkChoiceIn(errors, path, spec, 'restartPolicy', restartPolicies);
  checkChoiceIn(errors, path, spec, 'dnsPolicy', dnsPolicies);
  if (hasMore) checkLabels(errors, `${path}.nodeSelector`, objectAt(spec, 'nodeSelector'));
  checkPodSecurityContext(errors, `${path}.securityContext`, spec);
  if (hasMore) checkAffinity(errors, `${path}.affinity`, objectAt(spec, 'affinity'));
  checkDnsConfig(errors, `${path}.dnsConfig`, spec);
  if (hasMore) checkGates(errors, path, spec, pod.hostUsers);
  checkNames(errors, path, spec);
  if (hasMore) checkOthers(errors, path, spec);
  checkFileKeys(errors, path, spec);
}

/** What nearly every spec has, and no more: for these the checks below always run. */
const usualFields: ReadonlySet<string> = new Set([
  'containers',
  'dnsPolicy',
  'restartPolicy',
  'schedulerName',
  'securityContext',
  'serviceAccount',
  'serviceAccountName',
  'terminationGracePeriodSeconds',
]);

/** False for most specs: then a good thirty fields need not be looked for one by one. */
function hasOtherFields(spec: JsonObject): boolean {
  for (const field in spec) if (!usualFields.has(field)) return true;
  return false;
}

const noVolumes: KnownVolumes = new Map();
const noClaims: ReadonlySet<string> = new Set();
const restartPolicies = ['Always', 'OnFailure', 'Never'];

function checkGates(errors: Errors, path: string, spec: JsonObject, hostUsers: boolean): void {
  objectsAt(spec, 'readinessGates').forEach((gate, i) => {
    checkName(errors, `${path}.readinessGates[${i}].conditionType`, textAt(gate, 'conditionType'), labelKey);
  });
  checkSchedulingGates(errors, `${path}.schedulingGates`, spec);
  checkSpreading(errors, `${path}.topologySpreadConstraints`, spec);
  checkHostUsers(errors, path, spec, hostUsers);
}

function checkOthers(errors: Errors, path: string, spec: JsonObject): void {
  checkTolerations(errors, `${path}.tolerations`, spec);
  objectsAt(spec, 'hostAliases').forEach((alias, i) => {
    checkIp(errors, `${path}.hostAliases[${i}].ip`, textAt(alias, 'ip'));
    textsAt(alias, 'hostnames').forEach((host, j) => {
      checkDnsSubdomain(errors, `${path}.hostAliases[${i}].hostnames[${j}]`, host);
    });
  });
  if (valueAt(spec, 'preemptionPolicy') !== undefined) {
    checkChoice(errors, `${path}.preemptionPolicy`, valueAt(spec, 'preemptionPolicy'), [
      'PreemptLowerPriority',
      'Never',
    ]);
  }
  if (spec['overhead'] !== undefined) {
    checkRequirements(errors, `${path}.overhead`, { limits: spec['overhead'] }, new Set());
  }
  if (objectAt(spec, 'os') !== undefined) {
    checkOperatingSystem(errors, path, spec, allContainers(path, spec));
  }
  if (hasWindowsOptions(spec)) checkHostProcesses(errors, path, spec, allContainers(path, spec));
}

function hasWindowsOptions(spec: JsonObject): boolean {
  const isSet = (holder: JsonObject) => objectAt(holder, 'securityContext', 'windowsOptions') !== undefined;
  return isSet(spec) || containerFields.some((list) => objectsAt(spec, list).some(isSet));
}

const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];

const containerFields = ['initContainers', 'containers', 'ephemeralContainers'] as const;

function allContainers(path: string, spec: JsonObject): { at: string; container: JsonObject }[] {
  const found: { at: string; container: JsonObject }[] = [];
  for (const field of containerFields) {
    const containers = objectsAt(spec, field);
    for (let i = 0; i < containers.length; i++) {
      found.push({ at: `${path}.${field}[${i}]`, container: containers[i]! });
    }
  }
  return found;
}

function checkResourceClaims(errors: Errors, path: string, spec: JsonObject): Set<string> {
  const names = new Set<string>();
  objectsAt(spec, 'resourceClaims').forEach((claim, i) => {
    const at = `${path}[${i}]`;
    const name = textAt(claim, 'name');
    if (name === '') errors.push(required(`${at}.name`));
    else if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    else checkDnsLabel(errors, `${at}.name`, name);
    if (name !== '') names.add(name);
    const direct = valueAt(claim, 'resourceClaimName');
    const template = valueAt(claim, 'resourceClaimTemplateName');
    if (direct !== undefined && template !== undefined) {
      const why = 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified';
      errors.push(invalid(at, claim, why));
    }
    if (direct === undefined && template === undefined) {
      const why = 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`';
      errors.push(invalid(at, claim, why));
    }
    for (const field of ['resourceClaimName', 'resourceClaimTemplateName']) {
      if (valueAt(claim, field) !== undefined) {
        checkName(errors, `${at}.${field}`, textAt(claim, field), dns1123Subdomain);
      }
    }
  });
  return names;
}

function checkPodResources(
  errors: Errors,
  path: string,
  spec: JsonObject,
  claims: ReadonlySet<string>,
): void {
  const resources = objectAt(spec, 'resources');
  if (resources === undefined) return;
  if (textAt(spec, 'os', 'name') === 'windows') {
    errors.push(forbiddenField(path, 'may not be set for a windows pod'));
    return;
  }
  // An empty list is one, too.
  if (Array.isArray(resources['claims'])) {
    errors.push(forbiddenField(`${path}.claims`, 'claims may not be set for Resources at pod-level'));
  }
  checkRequirements(errors, path, resources, claims, true);
}

function checkHostNetwork(errors: Errors, path: string, spec: JsonObject, isPod: boolean): void {
  if (booleanAt(spec, 'hostNetwork') !== true) return;
  objectsAt(spec, 'containers').forEach((container, i) => {
    objectsAt(container, 'ports').forEach((port, j) => {
      const hostPort = numberAt(port, 'hostPort') ?? 0;
      if ((isPod || hostPort !== 0) && hostPort !== (numberAt(port, 'containerPort') ?? 0)) {
        errors.push(
          invalid(
            `${path}.containers[${i}].ports[${j}].hostPort`,
            hostPort,
            'must match `containerPort` when `hostNetwork` is true',
          ),
        );
      }
    });
  });
}

function checkHostUsers(errors: Errors, path: string, spec: JsonObject, hostUsers: boolean): void {
  if (hostUsers) return;
  const why = 'when `hostUsers` is false';
  if (booleanAt(spec, 'hostNetwork') === true) errors.push(forbiddenField(`${path}.hostNetwork`, why));
  if (booleanAt(spec, 'hostPID') === true) errors.push(forbiddenField(`${path}.HostPID`, why));
  if (booleanAt(spec, 'hostIPC') === true) errors.push(forbiddenField(`${path}.HostIPC`, why));
  for (const { at, container } of allContainers(path, spec)) {
    if (objectsAt(container, 'volumeDevices').length > 0) {
      errors.push(forbiddenField(`${at}.volumeDevices`, why));
    }
  }
}

function checkSchedulingGates(errors: Errors, path: string, spec: JsonObject): void {
  const gates = objectsAt(spec, 'schedulingGates');
  if (gates.length === 0) return;
  const seen = new Set<string>();
  gates.forEach((gate, i) => {
    const name = textAt(gate, 'name');
    checkName(errors, `${path}[${i}]`, name, labelKey);
    if (seen.has(name)) errors.push(duplicate(`${path}[${i}]`, name));
    seen.add(name);
  });
}

const hostnameBytesMax = 64;
const nameFields = ['serviceAccountName', 'nodeName', 'priorityClassName', 'runtimeClassName'] as const;
const labelFields = ['hostname', 'subdomain'] as const;

function checkNames(errors: Errors, path: string, spec: JsonObject): void {
  const override = valueAt(spec, 'hostnameOverride');
  if (typeof override === 'string') {
    const at = `${path}.hostnameOverride`;
    if (booleanAt(spec, 'setHostnameAsFQDN') === true) {
      errors.push(forbiddenField(at, 'may not be specified when setHostnameAsFQDN is true'));
    }
    if (booleanAt(spec, 'hostNetwork') === true) {
      errors.push(forbiddenField(at, 'may not be specified when hostNetwork is true'));
    }
    if (override.length > hostnameBytesMax) errors.push(tooLong(at, hostnameBytesMax));
    checkDnsSubdomain(errors, at, override);
  }
  for (const field of nameFields) {
    const value = textAt(spec, field);
    if (value !== '' || (field === 'runtimeClassName' && valueAt(spec, field) !== undefined)) {
      checkDnsSubdomain(errors, `${path}.${field}`, value);
    }
  }
  const deadline = numberAt(spec, 'activeDeadlineSeconds');
  if (deadline !== undefined && (deadline < 1 || deadline > int32Max)) {
    errors.push(
      invalid(`${path}.activeDeadlineSeconds`, deadline, `must be between 1 and ${int32Max}, inclusive`),
    );
  }
  for (const field of labelFields) {
    const value = textAt(spec, field);
    if (value !== '') checkDnsLabel(errors, `${path}.${field}`, value);
  }
}

function usesFiles(container: JsonObject): boolean {
  for (const variable of objectsAt(container, 'env')) {
    if (variable['valueFrom'] === undefined) continue;
    if (objectAt(variable, 'valueFrom', 'fileKeyRef') !== undefined) return true;
  }
  return false;
}

function checkFileKeys(errors: Errors, path: string, spec: JsonObject): void {
  if (!containerFields.some((field) => objectsAt(spec, field).some(usesFiles))) return;
  const containers = allContainers(path, spec).filter(({ container }) => usesFiles(container));
  const volumes = new Map(objectsAt(spec, 'volumes').map((one) => [textAt(one, 'name'), one]));
  for (const { at, container } of containers) {
    objectsAt(container, 'env').forEach((variable, i) => {
      const file = objectAt(variable, 'valueFrom', 'fileKeyRef');
      if (file === undefined) return;
      const field = `${at}.env[${i}].valueFrom.fileKeyRef.volumeName`;
      const name = textAt(file, 'volumeName');
      const volume = volumes.get(name);
      if (volume === undefined) errors.push(notFoundField(field, name));
      else if (objectAt(volume, 'emptyDir') === undefined) {
        errors.push(invalid(field, name, 'referenced volume must be of type emptyDir'));
      }
    });
  }
}
