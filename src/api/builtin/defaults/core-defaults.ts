import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { defaultReporter } from '../conversion/event-conversion.ts';
import { defaultTo, defaultZero, objectIn, objectOf, objectsIn } from './defaulting.ts';
import {
  defaultClaimSpec,
  defaultPod,
  defaultPodSpec,
  defaultVolumeSource,
  roundResources,
} from './pod-defaults.ts';

/** Defaults of the core group's kinds (source: Kubernetes' pkg/apis/core/v1/defaults.go). In place. */
export const coreDefaults: { readonly [resource: string]: (object: KubeObject) => void } = {
  namespaces: (namespace) => {
    defaultPhase(namespace, 'Active');
    const { name } = namespace.metadata;
    if (name === undefined || name === '') return;
    namespace.metadata.labels = { ...namespace.metadata.labels, 'kubernetes.io/metadata.name': name };
  },
  secrets: (secret) => {
    foldStringData(secret);
    defaultZero(secret, 'type', 'Opaque');
  },
  pods: defaultPod,
  podtemplates: (template) => defaultTemplate(objectIn(template, 'template')),
  replicationcontrollers: (controller) => {
    const spec = objectIn(controller, 'spec');
    const template = objectOf(spec, 'template');
    const labels = objectOf(objectOf(template, 'metadata'), 'labels');
    if (labels !== undefined && Object.keys(labels).length > 0) {
      if (Object.keys(objectOf(spec, 'selector') ?? {}).length === 0) spec['selector'] = { ...labels };
      if (Object.keys(controller.metadata.labels ?? {}).length === 0) {
        controller.metadata.labels = { ...(labels as { [key: string]: string }) };
      }
    }
    defaultTo(spec, 'replicas', 1);
    if (template !== undefined) defaultTemplate(template);
  },
  services: defaultService,
  endpoints: (endpoints) => {
    for (const subset of objectsIn(endpoints, 'subsets')) {
      for (const port of objectsIn(subset, 'ports')) defaultZero(port, 'protocol', 'TCP');
    }
  },
  persistentvolumes: (volume) => {
    defaultPhase(volume, 'Pending');
    const spec = objectIn(volume, 'spec');
    defaultZero(spec, 'persistentVolumeReclaimPolicy', 'Retain');
    defaultTo(spec, 'volumeMode', 'Filesystem');
    roundResources(objectOf(spec, 'capacity'));
    for (const field of ['hostPath', 'iscsi', 'rbd', 'azureDisk']) {
      const source = objectOf(spec, field);
      if (source !== undefined) defaultVolumeSource(field, source);
    }
    const scaleIo = objectOf(spec, 'scaleIO');
    if (scaleIo !== undefined) defaultVolumeSource('scaleIO', scaleIo);
  },
  persistentvolumeclaims: (claim) => {
    defaultPhase(claim, 'Pending');
    defaultClaimSpec(objectIn(claim, 'spec'));
    roundAmounts(objectOf(claim, 'status'), 'capacity', 'allocatedResources');
  },
  limitranges: (range) => {
    for (const item of objectsIn(objectOf(range, 'spec'), 'limits')) defaultLimits(item);
  },
  resourcequotas: (quota) => {
    roundAmounts(objectOf(quota, 'spec'), 'hard');
    roundAmounts(objectOf(quota, 'status'), 'hard', 'used');
  },
  events: defaultReporter,
  nodes: (node) => {
    syncPodRanges(objectIn(node, 'spec'));
    const status = objectOf(node, 'status');
    const capacity = objectOf(status, 'capacity');
    if (status !== undefined && capacity !== undefined) defaultTo(status, 'allocatable', { ...capacity });
    roundAmounts(status, 'capacity', 'allocatable');
  },
};

function roundAmounts(holder: JsonObject | undefined, ...fields: readonly string[]): void {
  for (const field of fields) roundResources(objectOf(holder, field));
}

/** Of a status that is there; a new object gets its own. */
function defaultPhase(object: KubeObject, phase: string): void {
  const status = objectOf(object, 'status');
  if (status !== undefined) defaultZero(status, 'phase', phase);
}

/** Defaults of a pod template: those of its spec alone. */
export function defaultTemplate(template: JsonObject): void {
  defaultTo(template, 'metadata', {});
  defaultPodSpec(objectIn(template, 'spec'));
}

/** The older field shows the first of the list (conversion of core/v1 NodeSpec). */
function syncPodRanges(spec: JsonObject): void {
  const { podCIDR: first, podCIDRs: all } = spec;
  if (Array.isArray(all) && all.length > 0) spec['podCIDR'] = all[0]!;
  else if (typeof first === 'string' && first !== '') spec['podCIDRs'] = [first];
}

/** Write-only text becomes data (conversion of core/v1 Secret). */
function foldStringData(secret: KubeObject): void {
  const text = objectOf(secret, 'stringData');
  if (text === undefined) return;
  const data = objectIn(secret, 'data');
  for (const key in text) {
    const value = text[key];
    if (typeof value === 'string') data[key] = Buffer.from(value).toString('base64');
  }
  delete secret['stringData'];
}

function defaultService(service: KubeObject): void {
  const spec = objectIn(service, 'spec');
  defaultZero(spec, 'sessionAffinity', 'None');
  if (spec['sessionAffinity'] === 'None') delete spec['sessionAffinityConfig'];
  if (spec['sessionAffinity'] === 'ClientIP') {
    const clientIp = objectOf(objectOf(spec, 'sessionAffinityConfig'), 'clientIP');
    if (clientIp?.['timeoutSeconds'] === undefined) {
      spec['sessionAffinityConfig'] = { clientIP: { timeoutSeconds: 10_800 } };
    }
  }
  defaultZero(spec, 'type', 'ClusterIP');
  for (const port of objectsIn(spec, 'ports')) {
    defaultZero(port, 'protocol', 'TCP');
    if (port['port'] !== undefined) defaultZero(port, 'targetPort', port['port']);
  }
  const type = spec['type'];
  const external = spec['externalIPs'];
  const reachable =
    type === 'LoadBalancer' ||
    type === 'NodePort' ||
    (type === 'ClusterIP' && Array.isArray(external) && external.length > 0);
  if (reachable) defaultZero(spec, 'externalTrafficPolicy', 'Cluster');
  if (type === 'NodePort' || type === 'LoadBalancer' || type === 'ClusterIP') {
    defaultTo(spec, 'internalTrafficPolicy', 'Cluster');
  }
  if (type !== 'LoadBalancer') return;
  defaultTo(spec, 'allocateLoadBalancerNodePorts', true);
  for (const ingress of objectsIn(objectOf(objectOf(service, 'status'), 'loadBalancer'), 'ingress')) {
    if (ingress['ip'] !== undefined && ingress['ip'] !== '') defaultTo(ingress, 'ipMode', 'VIP');
  }
}

function defaultLimits(item: JsonObject): void {
  for (const field of ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio']) {
    roundResources(objectOf(item, field));
  }
  if (item['type'] !== 'Container') return;
  const limits: JsonObject = { ...objectOf(item, 'max'), ...objectOf(item, 'default') };
  const requests: JsonObject = { ...objectOf(item, 'min'), ...limits, ...objectOf(item, 'defaultRequest') };
  if (Object.keys(limits).length > 0) item['default'] = limits;
  if (Object.keys(requests).length > 0) item['defaultRequest'] = requests;
}
