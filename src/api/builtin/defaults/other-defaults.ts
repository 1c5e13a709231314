import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { defaultTo, defaultZero, objectIn, objectOf, objectsIn } from './defaulting.ts';

const rbac = 'rbac.authorization.k8s.io';

/** Defaults of all further groups (source: Kubernetes' pkg/apis/<group>/<version>/defaults.go). In place. */
export const otherDefaults: { readonly [groupResource: string]: (object: KubeObject) => void } = {
  'networkpolicies.networking.k8s.io': (policy) => {
    const spec = objectIn(policy, 'spec');
    const egress = objectsIn(spec, 'egress');
    for (const rule of [...objectsIn(spec, 'ingress'), ...egress]) {
      for (const port of objectsIn(rule, 'ports')) defaultTo(port, 'protocol', 'TCP');
    }
    if (Array.isArray(spec['policyTypes']) && spec['policyTypes'].length > 0) return;
    spec['policyTypes'] = egress.length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
  },
  'ingressclasses.networking.k8s.io': (ingressClass) => {
    const parameters = objectOf(objectOf(ingressClass, 'spec'), 'parameters');
    if (parameters !== undefined) defaultTo(parameters, 'scope', 'Cluster');
  },
  'rolebindings.rbac.authorization.k8s.io': defaultBinding,
  'clusterrolebindings.rbac.authorization.k8s.io': defaultBinding,
  'priorityclasses.scheduling.k8s.io': (priorityClass) =>
    defaultTo(priorityClass, 'preemptionPolicy', 'PreemptLowerPriority'),
  'storageclasses.storage.k8s.io': (storageClass) => {
    defaultTo(storageClass, 'reclaimPolicy', 'Delete');
    defaultTo(storageClass, 'volumeBindingMode', 'Immediate');
  },
  'csidrivers.storage.k8s.io': (driver) => {
    const spec = objectIn(driver, 'spec');
    defaultTo(spec, 'attachRequired', true);
    defaultTo(spec, 'podInfoOnMount', false);
    defaultTo(spec, 'storageCapacity', false);
    defaultTo(spec, 'fsGroupPolicy', 'ReadWriteOnceWithFSType');
    if (!Array.isArray(spec['volumeLifecycleModes']) || spec['volumeLifecycleModes'].length === 0) {
      spec['volumeLifecycleModes'] = ['Persistent'];
    }
    defaultTo(spec, 'requiresRepublish', false);
    defaultTo(spec, 'seLinuxMount', false);
  },
  'endpointslices.discovery.k8s.io': (slice) => {
    for (const port of objectsIn(slice, 'ports')) {
      defaultTo(port, 'name', '');
      defaultTo(port, 'protocol', 'TCP');
    }
  },
  'runtimeclasses.node.k8s.io': (runtimeClass) => {
    for (const toleration of objectsIn(objectOf(runtimeClass, 'scheduling'), 'tolerations')) {
      if (toleration['operator'] === '') delete toleration['operator'];
    }
  },
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': (configuration) => {
    for (const webhook of objectsIn(configuration, 'webhooks')) {
      defaultWebhook(webhook);
      defaultTo(webhook, 'reinvocationPolicy', 'Never');
    }
  },
  'validatingwebhookconfigurations.admissionregistration.k8s.io': (configuration) => {
    for (const webhook of objectsIn(configuration, 'webhooks')) defaultWebhook(webhook);
  },
  'validatingadmissionpolicies.admissionregistration.k8s.io': defaultPolicy,
  'mutatingadmissionpolicies.admissionregistration.k8s.io': defaultPolicy,
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': defaultPolicyBinding,
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io': defaultPolicyBinding,
  'apiservices.apiregistration.k8s.io': (service) => {
    const reference = objectOf(objectOf(service, 'spec'), 'service');
    if (reference !== undefined) defaultTo(reference, 'port', 443);
  },
  'flowschemas.flowcontrol.apiserver.k8s.io': (schema) =>
    defaultZero(objectIn(schema, 'spec'), 'matchingPrecedence', 1000),
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': (level) => {
    const spec = objectIn(level, 'spec');
    const exempt = objectOf(spec, 'exempt');
    if (exempt !== undefined) {
      defaultTo(exempt, 'nominalConcurrencyShares', 0);
      defaultTo(exempt, 'lendablePercent', 0);
    }
    const limited = objectOf(spec, 'limited');
    if (limited === undefined) return;
    defaultTo(limited, 'nominalConcurrencyShares', 30);
    defaultTo(limited, 'lendablePercent', 0);
    const queuing = objectOf(objectOf(limited, 'limitResponse'), 'queuing');
    if (queuing === undefined) return;
    defaultZero(queuing, 'queues', 64);
    defaultZero(queuing, 'handSize', 8);
    defaultZero(queuing, 'queueLengthLimit', 50);
  },
  'resourceclaims.resource.k8s.io': (claim) => defaultDeviceRequests(objectOf(claim, 'spec')),
  'resourceclaimtemplates.resource.k8s.io': (template) =>
    defaultDeviceRequests(objectOf(objectOf(template, 'spec'), 'spec')),
  'resourceslices.resource.k8s.io': (slice) => {
    for (const device of objectsIn(objectOf(slice, 'spec'), 'devices')) {
      // v1beta1 has a level more.
      const inner = objectOf(device, 'basic') ?? device;
      for (const taint of objectsIn(inner, 'taints')) defaultTimeAdded(taint);
      const mappings = objectOf(inner, 'nodeAllocatableResourceMappings');
      for (const name in mappings) {
        const mapping = objectOf(mappings, name);
        if (mapping !== undefined) defaultTo(mapping, 'allocationMultiplier', '1');
      }
    }
  },
  'devicetaintrules.resource.k8s.io': (rule) => {
    const taint = objectOf(objectOf(rule, 'spec'), 'taint');
    if (taint !== undefined) defaultTimeAdded(taint);
  },
};

/** A taint of a device counts from when it was first written. */
function defaultTimeAdded(taint: JsonObject): void {
  defaultTo(taint, 'timeAdded', `${new Date().toISOString().slice(0, 19)}Z`);
}

function defaultBinding(binding: KubeObject): void {
  const roleRef = objectOf(binding, 'roleRef');
  if (roleRef !== undefined) defaultZero(roleRef, 'apiGroup', rbac);
  for (const subject of objectsIn(binding, 'subjects')) {
    if (subject['kind'] === 'User' || subject['kind'] === 'Group') defaultZero(subject, 'apiGroup', rbac);
  }
}

function defaultWebhook(webhook: JsonObject): void {
  defaultTo(webhook, 'failurePolicy', 'Fail');
  defaultTo(webhook, 'matchPolicy', 'Equivalent');
  defaultTo(webhook, 'namespaceSelector', {});
  defaultTo(webhook, 'objectSelector', {});
  defaultTo(webhook, 'timeoutSeconds', 10);
  for (const rule of objectsIn(webhook, 'rules')) defaultTo(rule, 'scope', '*');
  const service = objectOf(objectOf(webhook, 'clientConfig'), 'service');
  if (service !== undefined) defaultTo(service, 'port', 443);
}

function defaultPolicy(policy: KubeObject): void {
  const spec = objectIn(policy, 'spec');
  defaultTo(spec, 'failurePolicy', 'Fail');
  defaultMatchResources(objectOf(spec, 'matchConstraints'));
}

function defaultPolicyBinding(binding: KubeObject): void {
  defaultMatchResources(objectOf(objectOf(binding, 'spec'), 'matchResources'));
}

function defaultMatchResources(resources: JsonObject | undefined): void {
  if (resources === undefined) return;
  defaultTo(resources, 'matchPolicy', 'Equivalent');
  defaultTo(resources, 'namespaceSelector', {});
  defaultTo(resources, 'objectSelector', {});
  for (const field of ['resourceRules', 'excludeResourceRules']) {
    for (const rule of objectsIn(resources, field)) defaultTo(rule, 'scope', '*');
  }
}

/** One exact count unless told otherwise (SetDefaults_ExactDeviceRequest, _DeviceSubRequest, _DeviceToleration). */
function defaultDeviceRequests(spec: JsonObject | undefined): void {
  for (const request of objectsIn(objectOf(spec, 'devices'), 'requests')) {
    const alternatives = objectsIn(request, 'firstAvailable');
    const exactly = objectOf(request, 'exactly') ?? (alternatives.length === 0 ? request : undefined);
    for (const one of exactly === undefined ? alternatives : [exactly, ...alternatives]) {
      if (one === request && one['deviceClassName'] === undefined) continue;
      defaultZero(one, 'allocationMode', 'ExactCount');
      if (one['allocationMode'] === 'ExactCount') defaultZero(one, 'count', 1);
      for (const toleration of objectsIn(one, 'tolerations')) defaultZero(toleration, 'operator', 'Equal');
    }
  }
}
