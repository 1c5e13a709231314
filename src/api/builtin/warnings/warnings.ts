import { createPrivateKey, X509Certificate } from 'node:crypto';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import { dns1123Label } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { compareQuantity, formatQuantity } from '#apimachinery/quantity.ts';
import { numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import { quantityOf } from '../validation/resources.ts';
import { addressWarnings, networkWarnings } from './addresses.ts';
import { nodeLabelWarning, nodeTermWarnings } from './node-labels.ts';
import { claimWarnings, deadVolumeWarnings, podWarnings } from './pod-warnings.ts';

/** What the writer of an object is told; `old` is what it replaces, undefined on create. Of a status nothing is told. */
export type Warn = (object: KubeObject, old: KubeObject | undefined) => string[];

/**
 * By resource (source: WarningsOnCreate and WarningsOnUpdate of each strategy in Kubernetes' pkg/registry). A template is
 * looked at again only when its object's generation rose.
 */
export const kindWarnings: { readonly [groupResource: string]: Warn } = {
  pods: (pod, old) => {
    // Pods are changed by programs, not by people.
    if (old !== undefined) return [];
    return [...nameWarnings(pod, "this is used in the Pod's hostname"), ...podWarnings('', pod)];
  },
  podtemplates: (template, old) =>
    isKept(template, old) ? [] : podWarnings('template', part(template, 'template')),
  replicationcontrollers: (controller, old) => {
    // Of a change the template before it is told, as Kubernetes does.
    if (old !== undefined && isKept(controller, old)) return [];
    const spec = objectAt(old ?? controller, 'spec');
    const template = podWarnings('spec.template', part(spec, 'template'));
    return old === undefined ? [...nameWarnings(controller, podNames), ...template] : template;
  },
  'deployments.apps': namedTemplate,
  'replicasets.apps': namedTemplate,
  'daemonsets.apps': (set, old) => {
    const template = objectAt(set, 'spec', 'template') ?? {};
    if (old !== undefined && equalJson(template, objectAt(old, 'spec', 'template'))) return [];
    return podWarnings('spec.template', template);
  },
  'statefulsets.apps': (set, old) => {
    const warnings = isKept(set, old)
      ? []
      : podWarnings('spec.template', part(objectAt(set, 'spec'), 'template'));
    objectsAt(set, 'spec', 'volumeClaimTemplates').forEach((claim, i) => {
      const path = `spec.volumeClaimTemplates[${i}].${old === undefined ? '' : 'Spec.'}`;
      warnings.push(...claimWarnings(path.slice(0, -1), objectAt(claim, 'spec') ?? {}));
    });
    if ((numberAt(set, 'spec', 'revisionHistoryLimit') ?? 0) < 0) {
      const why = 'a negative value retains all historical revisions; a value >= 0 is recommended';
      warnings.push(`spec.revisionHistoryLimit: ${why}`);
    }
    return warnings;
  },
  'jobs.batch': (job, old) => {
    if (isKept(job, old)) return [];
    const names = old === undefined ? nameWarnings(job, podNames) : [];
    return [...names, ...jobWarnings('spec', objectAt(job, 'spec') ?? {})];
  },
  'cronjobs.batch': (cronJob, old) => {
    const spec = objectAt(cronJob, 'spec', 'jobTemplate', 'spec') ?? {};
    const warnings = isKept(cronJob, old) ? [] : jobWarnings('spec.jobTemplate.spec', spec);
    if (old === undefined) return [...nameWarnings(cronJob, podNames), ...warnings];
    if (textAt(cronJob, 'spec', 'schedule').includes('TZ')) {
      const more = 'https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details';
      warnings.push(`cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see ${more}`);
    }
    return warnings;
  },
  services: serviceWarnings,
  'ingresses.networking.k8s.io': (ingress, old) => {
    const annotation = 'kubernetes.io/ingress.class';
    if (old !== undefined || ingress.metadata.annotations?.[annotation] === undefined) return [];
    if (valueAt(ingress, 'spec', 'ingressClassName') !== undefined) return [];
    return [`annotation "${annotation}" is deprecated, please use 'spec.ingressClassName' instead`];
  },
  'networkpolicies.networking.k8s.io': networkPolicyWarnings,
  endpoints: (endpoints) => {
    if (endpoints.metadata.labels?.['endpoints.kubernetes.io/managed-by'] === 'endpoint-controller')
      return [];
    return objectsAt(endpoints, 'subsets').flatMap((subset, i) =>
      ['addresses', 'notReadyAddresses'].flatMap((list) =>
        objectsAt(subset, list).flatMap((address, j) =>
          addressWarnings(`subsets[${i}].${list}[${j}].ip`, textAt(address, 'ip')),
        ),
      ),
    );
  },
  'endpointslices.discovery.k8s.io': (slice, old) => {
    const warnings: string[] = [];
    if (old === undefined && textAt(slice, 'addressType') === 'FQDN') {
      warnings.push('spec.addressType: FQDN endpoints are deprecated');
    }
    const manager = slice.metadata.labels?.['endpointslice.kubernetes.io/managed-by'];
    if (
      manager === 'endpointslice-controller.k8s.io' ||
      manager === 'endpointslicemirroring-controller.k8s.io'
    ) {
      return warnings;
    }
    objectsAt(slice, 'endpoints').forEach((endpoint, i) => {
      textsAt(endpoint, 'addresses').forEach((address, j) => {
        warnings.push(...addressWarnings(`endpoints[${i}].addresses[${j}]`, address));
      });
    });
    return warnings;
  },
  persistentvolumes: volumeWarnings,
  persistentvolumeclaims: (claim) => [
    ...storageClassAnnotation(claim),
    ...claimWarnings('spec', objectAt(claim, 'spec') ?? {}),
  ],
  secrets: keyPairWarnings,
  serviceaccounts: (account, old) => {
    const annotation = 'kubernetes.io/enforce-mountable-secrets';
    const has = (one: KubeObject | undefined) => one?.metadata.annotations?.[annotation] !== undefined;
    if (!has(account) || has(old)) return [];
    const why = 'deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets';
    return [`metadata.annotations[${annotation}]: ${why}`];
  },
  nodes: (node) => {
    const warnings: string[] = [];
    const spec = objectAt(node, 'spec') ?? {};
    if (objectAt(spec, 'configSource') !== undefined) {
      warnings.push('spec.configSource: the feature is removed');
    }
    if (textAt(spec, 'externalID') !== '') {
      warnings.push('spec.externalID: this field is deprecated, and is unused by Kubernetes');
    }
    textsAt(spec, 'podCIDRs').forEach((cidr, i) => {
      warnings.push(...networkWarnings(`spec.podCIDRs[${i}]`, cidr));
    });
    return warnings;
  },
  resourcequotas: (quota, old) => (old === undefined ? quotaWarnings(objectAt(quota, 'spec', 'hard')) : []),
  'runtimeclasses.node.k8s.io': (runtimeClass) =>
    Object.keys(objectAt(runtimeClass, 'scheduling', 'nodeSelector') ?? {}).flatMap((label) => {
      const why = nodeLabelWarning(label);
      return why === undefined ? [] : [`scheduling.nodeSelector: ${why}`];
    }),
  'storageclasses.storage.k8s.io': (storageClass) =>
    objectsAt(storageClass, 'allowedTopologies').flatMap((topology, i) =>
      objectsAt(topology, 'matchLabelExpressions').flatMap((expression, j) => {
        const why = nodeLabelWarning(textAt(expression, 'key'));
        const path = `allowedTopologies[${i}].matchLabelExpressions[${j}].key`;
        return why === undefined ? [] : [`${path}: ${why}`];
      }),
    ),
  'csistoragecapacities.storage.k8s.io': (capacity) => {
    const topology = objectAt(capacity, 'nodeTopology') ?? {};
    const warnings = nodeTermWarnings('nodeTopology', topology, false);
    for (const label in objectAt(topology, 'matchLabels')) {
      const why = nodeLabelWarning(label);
      if (why !== undefined) warnings.push(`nodeTopology.matchLabels.${label}: ${why}`);
    }
    return warnings;
  },
  'csidrivers.storage.k8s.io': (driver, old) => {
    const requests = objectsAt(driver, 'spec', 'tokenRequests');
    if (requests.length === 0) return [];
    if (valueAt(driver, 'spec', 'serviceAccountTokenInSecrets') !== undefined) return [];
    if (old !== undefined && equalJson([...requests], [...objectsAt(old, 'spec', 'tokenRequests')]))
      return [];
    return [
      'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes',
    ];
  },
  'resourceslices.resource.k8s.io': (slice) => {
    const driver = textAt(slice, 'spec', 'driver');
    if (driver === driver.toLowerCase()) return [];
    return [`spec.driver: driver names should be lowercase; "${driver}" contains uppercase characters`];
  },
};

const podNames = 'this is used in Pod names and hostnames';

function namedTemplate(object: KubeObject, old: KubeObject | undefined): string[] {
  if (isKept(object, old)) return [];
  const names = old === undefined ? nameWarnings(object, podNames) : [];
  return [...names, ...podWarnings('spec.template', part(objectAt(object, 'spec'), 'template'))];
}

function part(holder: JsonObject | undefined, field: string): JsonObject {
  return objectAt(holder, field) ?? {};
}

function isKept(object: KubeObject, old: KubeObject | undefined): boolean {
  return old !== undefined && object.metadata.generation === old.metadata.generation;
}

function nameWarnings(object: KubeObject, use: string): string[] {
  const wrong = dns1123Label(object.metadata.name ?? '');
  if (wrong.length === 0) return [];
  const why = `${use}, which can result in surprising behavior; a DNS label is recommended`;
  return [`metadata.name: ${why}: [${wrong.join(' ')}]`];
}

const completionsSoftMax = 100_000;
const parallelismSoftMax = 10_000;

function jobWarnings(path: string, spec: JsonObject): string[] {
  const warnings: string[] = [];
  if (
    textAt(spec, 'completionMode') === 'Indexed' &&
    (numberAt(spec, 'completions') ?? 0) > completionsSoftMax &&
    (numberAt(spec, 'parallelism') ?? 0) > parallelismSoftMax
  ) {
    warnings.push(
      `${path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail`,
    );
  }
  return [...warnings, ...podWarnings(`${path}.template`, part(spec, 'template'))];
}

function serviceWarnings(service: KubeObject): string[] {
  const warnings: string[] = [];
  const spec = objectAt(service, 'spec') ?? {};
  const hints = 'service.kubernetes.io/topology-aware-hints';
  if (service.metadata.annotations?.[hints] !== undefined) {
    const mode = 'service.kubernetes.io/topology-mode';
    warnings.push(`annotation ${hints} is deprecated, please use ${mode} instead`);
  }
  const type = textAt(spec, 'type');
  const external = textsAt(spec, 'externalIPs');
  const isHeadless = type === 'ClusterIP' && textAt(spec, 'clusterIP') === 'None';
  textsAt(spec, 'clusterIPs').forEach((address, i) => {
    warnings.push(...addressWarnings(`spec.clusterIPs[${i}]`, address));
  });
  if (isHeadless) {
    if (textAt(spec, 'loadBalancerIP') !== '') {
      warnings.push('spec.loadBalancerIP is ignored for headless services');
    }
    if (external.length > 0) warnings.push('spec.externalIPs is ignored for headless services');
    if (textAt(spec, 'sessionAffinity') !== 'None') {
      warnings.push('spec.SessionAffinity is ignored for headless services');
    }
  }
  external.forEach((address, i) => {
    warnings.push(...addressWarnings(`spec.externalIPs[${i}]`, address));
  });
  if (external.length > 0 && !isHeadless && type !== 'ExternalName') {
    warnings.push('spec.externalIPs is deprecated and may no longer be implemented in some clusters');
  }
  warnings.push(...addressWarnings('spec.loadBalancerIP', textAt(spec, 'loadBalancerIP')));
  textsAt(spec, 'loadBalancerSourceRanges').forEach((cidr, i) => {
    warnings.push(...networkWarnings(`spec.loadBalancerSourceRanges[${i}]`, cidr));
  });
  if (type === 'ExternalName' && external.length > 0) {
    warnings.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  }
  if (type !== 'ExternalName' && textAt(spec, 'externalName') !== '') {
    warnings.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  }
  if (textAt(spec, 'trafficDistribution') === 'PreferClose') {
    warnings.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  }
  return warnings;
}

function networkPolicyWarnings(policy: KubeObject): string[] {
  const warnings: string[] = [];
  for (const [direction, peers] of [
    ['ingress', 'from'],
    ['egress', 'to'],
  ] as const) {
    objectsAt(policy, 'spec', direction).forEach((rule, i) => {
      objectsAt(rule, peers).forEach((peer, j) => {
        const block = objectAt(peer, 'ipBlock');
        if (block === undefined) return;
        const path = `spec.${direction}[${i}].${peers}[${j}].ipBlock`;
        warnings.push(...networkWarnings(`${path}.cidr`, textAt(block, 'cidr')));
        textsAt(block, 'except').forEach((cidr, k) => {
          warnings.push(...networkWarnings(`${path}.except[${k}]`, cidr));
        });
      });
    });
  }
  return warnings;
}

const storageClassWarning = 'deprecated since v1.8; use "storageClassName" attribute instead';

function storageClassAnnotation({ metadata }: KubeObject): string[] {
  const annotation = 'volume.beta.kubernetes.io/storage-class';
  if (metadata.annotations?.[annotation] === undefined) return [];
  return [`metadata.annotations[${annotation}]: ${storageClassWarning}`];
}

const volumePlugins = ['cephfs', 'photonPersistentDisk', 'scaleIO', 'storageos', 'glusterfs', 'rbd'];

function volumeWarnings(volume: KubeObject): string[] {
  const warnings = storageClassAnnotation(volume);
  const options = 'volume.beta.kubernetes.io/mount-options';
  if (volume.metadata.annotations?.[options] !== undefined) {
    const why = 'deprecated since v1.31; use "mountOptions" attribute instead';
    warnings.push(`metadata.annotations[${options}]: ${why}`);
  }
  const spec = objectAt(volume, 'spec') ?? {};
  if (textAt(spec, 'persistentVolumeReclaimPolicy') === 'Recycle') {
    warnings.push(
      'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
    );
  }
  objectsAt(spec, 'nodeAffinity', 'required', 'nodeSelectorTerms').forEach((term, i) => {
    const path = `spec.nodeAffinity.required.nodeSelectorTerms[${i}]`;
    warnings.push(...nodeTermWarnings(path, term, false));
  });
  return [...warnings, ...deadVolumeWarnings('spec', spec, volumePlugins)];
}

function quotaWarnings(hard: JsonObject | undefined): string[] {
  const warnings: string[] = [];
  for (const name of ['cpu', 'memory', 'storage', 'ephemeral-storage']) {
    const isCompute = name === 'cpu' || name === 'memory';
    const asked = isCompute && hard?.[`requests.${name}`] === undefined ? name : `requests.${name}`;
    const request = quantityOf(hard, asked);
    const limit = quantityOf(hard, `limits.${name}`);
    if (request === undefined || limit === undefined || compareQuantity(request, limit) <= 0) continue;
    const [less, more] = [formatQuantity(request), formatQuantity(limit)];
    warnings.push(`ResourceQuota ${asked} (${less}) should be less than limits.${name} (${more})`);
  }
  return warnings;
}

/** A TLS Secret whose key is not its certificate's (crypto/tls X509KeyPair, whose words these are). */
function keyPairWarnings(secret: KubeObject): string[] {
  if (textAt(secret, 'type') !== 'kubernetes.io/tls') return [];
  const pem = (field: string) => Buffer.from(textAt(objectAt(secret, 'data'), field), 'base64').toString();
  const [certificate, key] = [pem('tls.crt'), pem('tls.key')];
  if (!certificate.includes('-----BEGIN CERTIFICATE-----')) {
    return [
      certificate.includes('-----BEGIN ')
        ? 'tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched'
        : 'tls: failed to find any PEM data in certificate input',
    ];
  }
  if (!/-----BEGIN ([A-Z]+ )?PRIVATE KEY-----/.test(key)) {
    return [
      key.includes('-----BEGIN CERTIFICATE-----')
        ? 'tls: found a certificate rather than a key in the PEM for the private key'
        : 'tls: failed to find any PEM data in key input',
    ];
  }
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(certificate);
  } catch {
    return ['x509: malformed certificate'];
  }
  try {
    const privateKey = createPrivateKey(key);
    if (leaf.checkPrivateKey(privateKey)) return [];
    return [
      leaf.publicKey.asymmetricKeyType === privateKey.asymmetricKeyType
        ? 'tls: private key does not match public key'
        : 'tls: private key type does not match public key type',
    ];
  } catch {
    return ['tls: failed to parse private key'];
  }
}
