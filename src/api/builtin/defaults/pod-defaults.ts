import type { JsonObject } from '#apimachinery/json.ts';
import { formatQuantity, parseQuantity, quantityMilliValue } from '#apimachinery/quantity.ts';
import { defaultTo, defaultZero, objectIn, objectOf, objectsIn } from './defaulting.ts';
import { defaultPodResources } from './pod-resources.ts';

/**
 * Defaults of a pod spec wherever one stands: in a Pod or in a template (source: SetDefaults_PodSpec, _Container, _Probe,
 * _Volume and the like in Kubernetes' pkg/apis/core/v1/defaults.go, and the `default` markers of the core/v1 types).
 */
export function defaultPodSpec(spec: JsonObject): void {
  defaultZero(spec, 'dnsPolicy', 'ClusterFirst');
  defaultZero(spec, 'restartPolicy', 'Always');
  defaultTo(spec, 'securityContext', {});
  defaultTo(spec, 'terminationGracePeriodSeconds', 30);
  defaultZero(spec, 'schedulerName', 'default-scheduler');
  // The deprecated field mirrors the other: conversion fills both.
  const account = spec['serviceAccountName'] || spec['serviceAccount'];
  if (typeof account === 'string' && account !== '') {
    spec['serviceAccountName'] = account;
    spec['serviceAccount'] = account;
  }
  for (const volume of objectsIn(spec, 'volumes')) defaultVolume(volume);
  for (const container of objectsIn(spec, 'initContainers')) defaultContainer(container);
  for (const container of objectsIn(spec, 'containers')) defaultContainer(container);
  for (const container of objectsIn(spec, 'ephemeralContainers')) defaultContainer(container);
  roundResources(objectOf(spec, 'overhead'));
  const resources = objectOf(spec, 'resources');
  roundResources(objectOf(resources, 'limits'));
  roundResources(objectOf(resources, 'requests'));
}

/** What only Pods get, not templates (SetDefaults_Pod). */
export function defaultPod(pod: JsonObject): void {
  const spec = objectIn(pod, 'spec');
  for (const field of ['containers', 'initContainers']) {
    for (const container of objectsIn(spec, field)) {
      const resources = objectOf(container, 'resources');
      const limits = objectOf(resources, 'limits');
      if (resources !== undefined && limits !== undefined) {
        const requests = objectIn(resources, 'requests');
        for (const name in limits) defaultTo(requests, name, limits[name]!);
      }
      if (spec['hostNetwork'] === true) {
        for (const port of objectsIn(container, 'ports')) {
          if (port['containerPort'] !== undefined) defaultZero(port, 'hostPort', port['containerPort']);
        }
      }
    }
  }
  defaultPodResources(spec);
  defaultTo(spec, 'enableServiceLinks', true);
  defaultPodSpec(spec);
  roundStatus(objectOf(pod, 'status'));
}

/** Amounts in a status, as SetObjectDefaults_Pod has them. */
function roundStatus(status: JsonObject | undefined): void {
  if (status === undefined) return;
  const states = ['initContainerStatuses', 'containerStatuses', 'ephemeralContainerStatuses'];
  for (const holder of [status, ...states.flatMap((field) => [...objectsIn(status, field)])]) {
    roundResources(objectOf(holder, 'allocatedResources'));
    const resources = objectOf(holder, 'resources');
    roundResources(objectOf(resources, 'limits'));
    roundResources(objectOf(resources, 'requests'));
  }
}

function defaultContainer(container: JsonObject): void {
  const image = container['image'];
  defaultZero(container, 'imagePullPolicy', pullPolicyOf(typeof image === 'string' ? image : ''));
  defaultZero(container, 'terminationMessagePath', '/dev/termination-log');
  defaultZero(container, 'terminationMessagePolicy', 'File');
  defaultTo(container, 'resources', {});
  for (const port of objectsIn(container, 'ports')) defaultZero(port, 'protocol', 'TCP');
  for (const env of objectsIn(container, 'env')) {
    const from = objectOf(env, 'valueFrom');
    if (from === undefined) continue;
    const fieldRef = objectOf(from, 'fieldRef');
    if (fieldRef !== undefined) defaultZero(fieldRef, 'apiVersion', 'v1');
    const fileKeyRef = objectOf(from, 'fileKeyRef');
    if (fileKeyRef !== undefined) defaultTo(fileKeyRef, 'optional', false);
    const resourceRef = objectOf(from, 'resourceFieldRef');
    if (resourceRef !== undefined) defaultTo(resourceRef, 'divisor', '0');
  }
  const resources = objectOf(container, 'resources');
  roundResources(objectOf(resources, 'limits'));
  roundResources(objectOf(resources, 'requests'));
  for (const field of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    const probe = objectOf(container, field);
    if (probe !== undefined) defaultProbe(probe);
  }
  const lifecycle = objectOf(container, 'lifecycle');
  defaultHttpGet(objectOf(objectOf(lifecycle, 'postStart'), 'httpGet'));
  defaultHttpGet(objectOf(objectOf(lifecycle, 'preStop'), 'httpGet'));
}

function defaultProbe(probe: JsonObject): void {
  defaultZero(probe, 'timeoutSeconds', 1);
  defaultZero(probe, 'periodSeconds', 10);
  defaultZero(probe, 'successThreshold', 1);
  defaultZero(probe, 'failureThreshold', 3);
  defaultHttpGet(objectOf(probe, 'httpGet'));
  const grpc = objectOf(probe, 'grpc');
  if (grpc !== undefined) defaultTo(grpc, 'service', '');
}

function defaultHttpGet(action: JsonObject | undefined): void {
  if (action === undefined) return;
  defaultZero(action, 'path', '/');
  defaultZero(action, 'scheme', 'HTTP');
}

/** Octal 0644. */
const fileMode = 0o644;

/** Defaults of volume sources by kind; each also reads what lies deeper in it. */
const volumeDefaults: { readonly [source: string]: (source: JsonObject) => void } = {
  secret: (source) => defaultTo(source, 'defaultMode', fileMode),
  configMap: (source) => defaultTo(source, 'defaultMode', fileMode),
  downwardAPI: (source) => {
    defaultTo(source, 'defaultMode', fileMode);
    defaultDownwardItems(source);
  },
  projected: (source) => {
    defaultTo(source, 'defaultMode', fileMode);
    for (const one of objectsIn(source, 'sources')) {
      defaultDownwardItems(objectOf(one, 'downwardAPI'));
      const token = objectOf(one, 'serviceAccountToken');
      if (token !== undefined) defaultTo(token, 'expirationSeconds', 3600);
    }
  },
  hostPath: (source) => defaultTo(source, 'type', ''),
  iscsi: (source) => defaultZero(source, 'iscsiInterface', 'default'),
  rbd: (source) => {
    defaultZero(source, 'pool', 'rbd');
    defaultZero(source, 'user', 'admin');
    defaultZero(source, 'keyring', '/etc/ceph/keyring');
  },
  azureDisk: (source) => {
    defaultTo(source, 'cachingMode', 'ReadWrite');
    defaultTo(source, 'fsType', 'ext4');
    defaultTo(source, 'readOnly', false);
    defaultTo(source, 'kind', 'Shared');
  },
  scaleIO: (source) => {
    defaultZero(source, 'storageMode', 'ThinProvisioned');
    defaultZero(source, 'fsType', 'xfs');
  },
  ephemeral: (source) => {
    const spec = objectOf(objectOf(source, 'volumeClaimTemplate'), 'spec');
    if (spec !== undefined) defaultClaimSpec(spec);
  },
  image: (source) => {
    const reference = source['reference'];
    defaultZero(source, 'pullPolicy', pullPolicyOf(typeof reference === 'string' ? reference : ''));
  },
};

/** Defaults of the sources that a PersistentVolume shares with a pod's volumes. */
export function defaultVolumeSource(name: string, source: JsonObject): void {
  volumeDefaults[name]?.(source);
}

function defaultVolume(volume: JsonObject): void {
  let hasSource = false;
  for (const field in volume) {
    if (field === 'name' || volume[field] === undefined) continue;
    hasSource = true;
    const source = objectOf(volume, field);
    if (source !== undefined) volumeDefaults[field]?.(source);
  }
  if (!hasSource) volume['emptyDir'] = {};
}

function defaultDownwardItems(source: JsonObject | undefined): void {
  for (const item of objectsIn(source, 'items')) {
    const fieldRef = objectOf(item, 'fieldRef');
    if (fieldRef !== undefined) defaultZero(fieldRef, 'apiVersion', 'v1');
    const resourceRef = objectOf(item, 'resourceFieldRef');
    if (resourceRef !== undefined) defaultTo(resourceRef, 'divisor', '0');
  }
}

/** Defaults of a claim's spec, also inside volumeClaimTemplates. */
export function defaultClaimSpec(spec: JsonObject): void {
  defaultTo(spec, 'volumeMode', 'Filesystem');
  defaultTo(spec, 'resources', {});
  const resources = objectOf(spec, 'resources');
  roundResources(objectOf(resources, 'limits'));
  roundResources(objectOf(resources, 'requests'));
}

/** Amounts finer than a thousandth are rounded up (SetDefaults_ResourceList). */
export function roundResources(list: JsonObject | undefined): void {
  for (const name in list) {
    const amount = list[name];
    if (typeof amount !== 'string' || !/[num]$|\./.test(amount)) continue;
    try {
      const quantity = parseQuantity(amount);
      const milli = quantityMilliValue(quantity) * 1_000_000n;
      if (milli !== quantity.nano) list[name] = formatQuantity({ nano: milli, format: quantity.format });
    } catch {
      // no quantity: validation tells
    }
  }
}

/** Of a repository's name without its domain (distribution/reference RepositoryNameTotalLengthMax). */
const pathLengthMax = 255;

/** `latest`, named or implied by no tag and no digest, is pulled always. A reference that does not parse is not. */
function pullPolicyOf(image: string): 'Always' | 'IfNotPresent' {
  const colon = image.lastIndexOf(':');
  if (colon >= 0 && isPinned(image, image.slice(colon + 1))) return 'IfNotPresent';
  const match = /^([^@]+?)(?::([A-Za-z0-9_][\w.-]{0,127}))?(@[A-Za-z][\w+.-]*:[0-9A-Fa-f]{32,})?$/.exec(
    image,
  );
  if (match === null) return 'IfNotPresent';
  const [, name = '', tag, digest] = match;
  const parts = name.split('/');
  const hasDomain = parts.length > 1 && (/[.:A-Z]/.test(parts[0]!) || parts[0] === 'localhost');
  const path = parts.slice(hasDomain ? 1 : 0);
  if (path.join('/').length > pathLengthMax) return 'IfNotPresent';
  if (!path.every((part) => /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*$/.test(part))) return 'IfNotPresent';
  if (tag === undefined) return digest === undefined ? 'Always' : 'IfNotPresent';
  return tag === 'latest' ? 'Always' : 'IfNotPresent';
}

/** Ends in a tag other than `latest`, or is no image name: the answer is the same. */
function isPinned(image: string, tag: string): boolean {
  return tag !== 'latest' && tagPattern.test(tag) && !image.includes('@');
}

const tagPattern = /^\w[\w.-]*$/;
