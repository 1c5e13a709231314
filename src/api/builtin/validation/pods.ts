import { isIP } from 'node:net';
import {
  duplicate,
  forbiddenField,
  invalid,
  notSupported,
  required,
  tooLong,
} from '#apimachinery/field-error.ts';
import { cloneJson, equalJson, type JsonObject } from '#apimachinery/json.ts';
import { dns1123Subdomain, labelKey } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { booleanAt, numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import {
  checkAnnotations,
  checkChoice,
  checkChoiceIn,
  checkDnsLabel,
  checkDnsSubdomain,
  checkIp,
  checkLabels,
  checkName,
  type Errors,
  isEmptySelector,
  notFoundField,
  selectorMatches,
} from './common.ts';
import { checkContainers, checkEphemeralContainers, checkImages, checkInitContainers } from './containers.ts';
import { checkAnnotatedProfiles, checkPodAnnotationChange, checkPodAnnotations } from './pod-annotations.ts';
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
  if (objectsAt(resources, 'claims').length > 0) {
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

const nameserversMax = 3;
const searchesMax = 32;
const searchCharsMax = 2048;

const searchPattern = /^_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*$/;
const searchText =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')";

/** Unlike other names a search path may hold underscores, for what services are called elsewhere (KEP-4427). */
function checkSearchPath(errors: Errors, at: string, search: string): void {
  const name = search.replace(/\.$/, '');
  if (name.length > 253) errors.push(invalid(at, search, 'must be no more than 253 characters'));
  if (!searchPattern.test(name)) errors.push(invalid(at, search, searchText));
}

function checkDnsConfig(errors: Errors, path: string, spec: JsonObject): void {
  const config = objectAt(spec, 'dnsConfig');
  const servers = textsAt(config, 'nameservers');
  if (textAt(spec, 'dnsPolicy') === 'None') {
    if (config === undefined) {
      errors.push(required(path, 'must provide `dnsConfig` when `dnsPolicy` is None'));
      return;
    }
    if (servers.length === 0) {
      const why = 'must provide at least one DNS nameserver when `dnsPolicy` is None';
      errors.push(required(`${path}.nameservers`, why));
      return;
    }
  }
  if (config === undefined) return;
  if (servers.length > nameserversMax) {
    const why = `must not have more than ${nameserversMax} nameservers`;
    errors.push(invalid(`${path}.nameservers`, servers, why));
  }
  servers.forEach((server, i) => {
    checkIp(errors, `${path}.nameservers[${i}]`, server);
  });
  const searches = textsAt(config, 'searches');
  if (searches.length > searchesMax) {
    errors.push(invalid(`${path}.searches`, searches, `must not have more than ${searchesMax} search paths`));
  }
  if (searches.join(' ').length > searchCharsMax) {
    const why = `must not have more than ${searchCharsMax} characters (including spaces) in the search list`;
    errors.push(invalid(`${path}.searches`, searches, why));
  }
  searches.forEach((search, i) => {
    if (search === '.') return;
    checkSearchPath(errors, `${path}.searches[${i}]`, search);
  });
  objectsAt(config, 'options').forEach((option, i) => {
    if (textAt(option, 'name') === '') {
      errors.push(required(`${path}.options[${i}]`, 'must not be empty'));
    }
  });
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

/** core ValidatePodTemplateSpec. */
export function checkPodTemplate(errors: Errors, path: string, template: JsonObject): void {
  const metadata = objectAt(template, 'metadata');
  const spec = objectAt(template, 'spec') ?? {};
  checkLabels(errors, `${path}.labels`, objectAt(metadata, 'labels'));
  checkAnnotations(errors, `${path}.annotations`, objectAt(metadata, 'annotations'));
  const annotations = objectAt(metadata, 'annotations');
  checkPodAnnotations(errors, `${path}.annotations`, annotations, spec);
  checkPodSpec(errors, `${path}.spec`, spec, undefined);
  checkAnnotatedProfiles(errors, `${path}.spec`, annotations, spec);
  if (objectsAt(spec, 'ephemeralContainers').length > 0) {
    errors.push(
      forbiddenField(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template'),
    );
  }
}

/** What a controller's template must further hold: the selector's labels, pods that are restarted, no deadline. */
export function checkControllerTemplate(
  errors: Errors,
  path: string,
  template: JsonObject,
  selector: JsonObject | undefined,
  kind: string,
): void {
  const labels = objectAt(template, 'metadata', 'labels');
  // An absent selector selects nothing, an empty one is told of as such.
  if (selector === undefined || (!isEmptySelector(selector) && selectorMatches(selector, labels) === false)) {
    errors.push(invalid(`${path}.metadata.labels`, labels, '`selector` does not match template `labels`'));
  }
  checkPodTemplate(errors, path, template);
  const restartPolicy = textAt(template, 'spec', 'restartPolicy');
  if (restartPolicy !== 'Always') {
    errors.push(notSupported(`${path}.spec.restartPolicy`, restartPolicy, ['Always']));
  }
  if (valueAt(template, 'spec', 'activeDeadlineSeconds') !== undefined) {
    errors.push(
      forbiddenField(
        `${path}.spec.activeDeadlineSeconds`,
        `activeDeadlineSeconds in ${kind} is not Supported`,
      ),
    );
  }
}

function podMeta(pod: KubeObject): NonNullable<PodMeta> {
  const { name, annotations } = pod.metadata;
  return { ...(name === undefined ? {} : { name }), ...(annotations === undefined ? {} : { annotations }) };
}

function checkPod(errors: Errors, pod: KubeObject): JsonObject {
  const spec = objectAt(pod, 'spec') ?? {};
  checkPodSpec(errors, 'spec', spec, podMeta(pod));
  if (textAt(spec, 'serviceAccountName') === '') {
    objectsAt(spec, 'volumes').forEach((volume, i) => {
      objectsAt(volume, 'projected', 'sources').forEach((source, j) => {
        if (objectAt(source, 'serviceAccountToken') === undefined) return;
        errors.push(
          forbiddenField(
            `spec.volumes[${i}].projected.sources[${j}].serviceAccountToken`,
            'must not be specified when serviceAccountName is not set',
          ),
        );
      });
    });
  }
  checkImages(errors, 'spec', spec, ['containers', 'initContainers']);
  return spec;
}

/** core ValidatePodCreate. */
export function validatePod(pod: KubeObject): Errors {
  const errors: Errors = [];
  const spec = checkPod(errors, pod);
  checkPodAnnotations(errors, 'metadata.annotations', pod.metadata.annotations, spec);
  checkAnnotatedProfiles(errors, 'spec', pod.metadata.annotations, spec);
  if (objectsAt(spec, 'ephemeralContainers').length > 0) {
    errors.push(forbiddenField('spec.ephemeralContainers', 'cannot be set on create'));
  }
  if (textAt(spec, 'nodeName') !== '' && objectsAt(spec, 'schedulingGates').length > 0) {
    errors.push(forbiddenField('spec.nodeName', 'cannot be set until all schedulingGates have been cleared'));
  }
  return errors;
}

/** core ValidatePodUpdate and those of its subresources. */
export function validatePodUpdate(pod: KubeObject, old: KubeObject, subresource: string): Errors {
  const errors: Errors = [];
  const { annotations } = pod.metadata;
  const formerly = old.metadata.annotations;
  checkPodAnnotationChange(errors, 'metadata.annotations', annotations, formerly);
  checkPodAnnotations(errors, 'metadata.annotations', annotations, objectAt(pod, 'spec') ?? {}, formerly);
  if (subresource === 'status') return errors;
  const spec = checkPod(errors, pod);
  const before = objectAt(old, 'spec') ?? {};
  if (subresource === 'ephemeralcontainers') checkEphemeralUpdate(errors, spec, before);
  else if (subresource === '') checkSpecUpdate(errors, spec, before);
  return errors;
}

function checkEphemeralUpdate(errors: Errors, spec: JsonObject, before: JsonObject): void {
  const now = new Map(objectsAt(spec, 'ephemeralContainers').map((one) => [textAt(one, 'name'), one]));
  for (const container of objectsAt(before, 'ephemeralContainers')) {
    const name = textAt(container, 'name');
    const kept = now.get(name);
    const quoted = JSON.stringify(name);
    if (kept === undefined) {
      const why = `existing ephemeral containers ${quoted} may not be removed\n`;
      errors.push(forbiddenField('spec.ephemeralContainers', why));
    } else if (!equalJson(kept, container)) {
      const why = `existing ephemeral containers ${quoted} may not be changed\n`;
      errors.push(forbiddenField('spec.ephemeralContainers', why));
    }
  }
}

const updatable =
  '`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

function checkSpecUpdate(errors: Errors, spec: JsonObject, before: JsonObject): void {
  for (const field of ['containers', 'initContainers']) {
    if (objectsAt(spec, field).length !== objectsAt(before, field).length) {
      errors.push(forbiddenField(`spec.${field}`, 'pod updates may not add or remove containers'));
      return;
    }
  }
  const deadline = numberAt(spec, 'activeDeadlineSeconds');
  const oldDeadline = numberAt(before, 'activeDeadlineSeconds');
  if (deadline !== undefined && oldDeadline !== undefined && oldDeadline < deadline) {
    errors.push(
      invalid('spec.activeDeadlineSeconds', deadline, 'must be less than or equal to previous value'),
    );
  } else if (deadline === undefined && oldDeadline !== undefined) {
    const why = 'must not update from a positive integer to nil value';
    errors.push(invalid('spec.activeDeadlineSeconds', null, why));
  }
  const tolerations = objectsAt(spec, 'tolerations').map(withoutSeconds);
  for (const toleration of objectsAt(before, 'tolerations')) {
    if (tolerations.some((one) => equalJson(one, withoutSeconds(toleration)))) continue;
    const why = 'existing toleration can not be modified except its tolerationSeconds';
    errors.push(forbiddenField('spec.tolerations', why));
  }
  const gates = new Set(objectsAt(before, 'schedulingGates').map((gate) => textAt(gate, 'name')));
  objectsAt(spec, 'schedulingGates').forEach((gate, i) => {
    const name = textAt(gate, 'name');
    if (gates.has(name)) return;
    const why = `only deletion is allowed, but found new scheduling gate '${name}'`;
    errors.push(forbiddenField(`spec.schedulingGates[${i}].name`, why));
  });
  if (
    equalJson(spec, before) ||
    equalJson(immutablePart(spec, before, gates.size > 0), immutablePart(before, before, false))
  ) {
    return;
  }
  errors.push(forbiddenField('spec', `pod updates may not change fields other than ${updatable}\n`));
}

function withoutSeconds(toleration: JsonObject): JsonObject {
  const { tolerationSeconds: _seconds, ...rest } = toleration;
  return rest;
}

/** The spec with what may change made as it was. A gated pod may also be told where to run, more narrowly. */
function immutablePart(spec: JsonObject, before: JsonObject, isGated: boolean): JsonObject {
  const part = cloneJson(spec);
  for (const field of ['containers', 'initContainers']) {
    const old = objectsAt(before, field);
    objectsAt(part, field).forEach((container, i) => {
      container['image'] = old[i]?.['image'];
    });
  }
  for (const field of ['activeDeadlineSeconds', 'schedulingGates', 'tolerations'])
    part[field] = before[field];
  const grace = numberAt(before, 'terminationGracePeriodSeconds');
  if (grace !== undefined && grace < 0 && numberAt(part, 'terminationGracePeriodSeconds') === 1) {
    part['terminationGracePeriodSeconds'] = grace;
  }
  if (!isGated) return part;
  const selector = objectAt(before, 'nodeSelector') ?? {};
  const narrowed = Object.keys(selector).every((key) => valueAt(spec, 'nodeSelector', key) === selector[key]);
  if (narrowed) part['nodeSelector'] = before['nodeSelector'];
  if (objectAt(before, 'affinity', 'nodeAffinity') === undefined) {
    const { nodeAffinity: _added, ...affinity } = objectAt(part, 'affinity') ?? {};
    const had = before['affinity'] !== undefined;
    part['affinity'] = had || Object.keys(affinity).length > 0 ? affinity : undefined;
  }
  return part;
}

/** Whether a text is an address: hosts of Ingresses must be names. */
export function isAddress(text: string): boolean {
  return isIP(text) !== 0;
}
