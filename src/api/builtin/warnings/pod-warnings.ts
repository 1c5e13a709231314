import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import { formatQuantity } from '#apimachinery/quantity.ts';
import { appArmorPrefix, seccompPod, seccompPrefix } from '../pod-annotation-keys.ts';
import { numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import { quantityOf } from '../validation/resources.ts';
import { addressWarnings } from './addresses.ts';
import { nodeLabelWarning, nodeTermWarnings } from './node-labels.ts';
import { isPlainPod } from './plain-pods.ts';
import { overlappingPathWarnings } from './volume-paths.ts';

/**
 * What the writer of a pod, or of a template at `path` (`spec.template`, '' of a pod itself), is told (source:
 * GetWarningsForPod and GetWarningsForPodTemplate of Kubernetes' pkg/api/pod).
 */
export function podWarnings(path: string, holder: JsonObject): string[] {
  const spec = objectAt(holder, 'spec') ?? {};
  const annotations = objectAt(holder, 'metadata', 'annotations') ?? {};
  return isPlainPod(spec, annotations) ? [] : warningsOf(path, spec, annotations);
}

/** What `podWarnings` tells of whatever may be worth telling of. */
export function warningsOf(path: string, spec: JsonObject, annotations: JsonObject): string[] {
  const prefix = path === '' ? '' : `${path}.`;
  const at = `${prefix}spec`;
  const warnings: string[] = [];
  placementWarnings(warnings, at, spec);
  annotationWarnings(warnings, `${prefix}metadata.annotations`, annotations);
  volumeWarnings(warnings, at, spec);
  referenceWarnings(warnings, at, spec);
  const overhead = objectAt(spec, 'overhead');
  fractionWarnings(warnings, `${at}.overhead`, overhead);
  const seccomp = objectAt(spec, 'securityContext', 'seccompProfile');
  if (seccomp === undefined && annotations[seccompPod] !== undefined) {
    warnings.push(`${prefix}metadata.annotations[${seccompPod}]: ${useSeccompField}`);
  }
  const containers = containersOf(at, spec);
  for (const { container, path: here } of containers) {
    profileWarnings(warnings, prefix, annotations, spec, container);
    fractionWarnings(warnings, `${here}.resources.limits`, objectAt(container, 'resources', 'limits'));
    fractionWarnings(warnings, `${here}.resources.requests`, objectAt(container, 'resources', 'requests'));
    environmentWarnings(warnings, here, container);
  }
  portWarnings(warnings, containers);
  const grace = numberAt(spec, 'terminationGracePeriodSeconds');
  if (grace !== undefined && grace < 0) {
    const why = 'must be >= 0; negative values are invalid and will be treated as 1';
    warnings.push(`${at}.terminationGracePeriodSeconds: ${why}`);
  }
  affinityWarnings(warnings, at, spec);
  textsAt(spec, 'dnsConfig', 'nameservers').forEach((address, i) => {
    warnings.push(...addressWarnings(`${at}.dnsConfig.nameservers[${i}]`, address));
  });
  objectsAt(spec, 'hostAliases').forEach((alias, i) => {
    warnings.push(...addressWarnings(`${at}.hostAliases[${i}].ip`, textAt(alias, 'ip')));
  });
  return warnings;
}

const useSeccompField = 'non-functional in v1.27+; use the "seccompProfile" field instead';
const matchesNothing = 'a null labelSelector results in matching no pod';

const deadAnnotations: { readonly [annotation: string]: string } = {
  'scheduler.alpha.kubernetes.io/critical-pod':
    'non-functional in v1.16+; use the "priorityClassName" field instead',
  'security.alpha.kubernetes.io/sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
  'security.alpha.kubernetes.io/unsafe-sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
};

/** Volume source → the field's name in the warning, and its state. */
const deadVolumes: { readonly [source: string]: readonly [field: string, state: string] } = {
  photonPersistentDisk: ['photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  gitRepo: ['gitRepo', 'deprecated in v1.11, and disabled by default in v1.33+'],
  scaleIO: ['scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  flocker: ['flocker', 'deprecated in v1.22, non-functional in v1.25+'],
  storageos: ['storageOS', 'deprecated in v1.22, non-functional in v1.25+'],
  quobyte: ['quobyte', 'deprecated in v1.22, non-functional in v1.25+'],
  glusterfs: ['glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  cephfs: ['cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  rbd: ['rbd', 'deprecated in v1.28, non-functional in v1.31+'],
};

/** Of a volume's source at `path`; `plugins` are those that its kind of volume warns of. */
export function deadVolumeWarnings(path: string, volume: JsonObject, plugins?: readonly string[]): string[] {
  const warnings: string[] = [];
  for (const source in volume) {
    if (!Object.hasOwn(deadVolumes, source) || objectAt(volume, source) === undefined) continue;
    if (plugins !== undefined && !plugins.includes(source)) continue;
    const [field, state] = deadVolumes[source]!;
    warnings.push(`${path}.${field}: ${state}`);
  }
  return warnings;
}

/** A claim's sizes that are no whole bytes. */
export function claimWarnings(path: string, spec: JsonObject): string[] {
  const warnings: string[] = [];
  for (const part of ['requests', 'limits']) {
    fractionWarning(warnings, `${path}.resources.${part}`, objectAt(spec, 'resources', part), 'storage');
  }
  return warnings;
}

function fractionWarnings(warnings: string[], path: string, list: JsonObject | undefined): void {
  if (list === undefined) return;
  fractionWarning(warnings, path, list, 'memory');
  fractionWarning(warnings, path, list, 'ephemeral-storage');
}

function fractionWarning(warnings: string[], path: string, list: JsonObject | undefined, name: string): void {
  const amount = quantityOf(list, name);
  if (amount === undefined || amount.nano % 1_000_000_000n === 0n) return;
  const text = formatQuantity(amount);
  warnings.push(`${path}[${name}]: fractional byte value "${text}" is invalid, must be an integer`);
}

function placementWarnings(warnings: string[], at: string, spec: JsonObject): void {
  for (const label in objectAt(spec, 'nodeSelector')) {
    const why = nodeLabelWarning(label);
    if (why !== undefined) warnings.push(`${at}.nodeSelector[${label}]: ${why}`);
  }
  const affinity = objectAt(spec, 'affinity', 'nodeAffinity');
  const required = 'requiredDuringSchedulingIgnoredDuringExecution';
  objectsAt(affinity, required, 'nodeSelectorTerms').forEach((term, i) => {
    const path = `${at}.affinity.nodeAffinity.${required}.nodeSelectorTerms[${i}]`;
    warnings.push(...nodeTermWarnings(path, term, false));
  });
  const preferred = 'preferredDuringSchedulingIgnoredDuringExecution';
  objectsAt(affinity, preferred).forEach((term, i) => {
    const path = `${at}.affinity.nodeAffinity.${preferred}[${i}].preference`;
    warnings.push(...nodeTermWarnings(path, objectAt(term, 'preference') ?? {}, true));
  });
  objectsAt(spec, 'topologySpreadConstraints').forEach((constraint, i) => {
    const path = `${at}.topologySpreadConstraints[${i}]`;
    const key = textAt(constraint, 'topologyKey');
    const why = nodeLabelWarning(key);
    if (why !== undefined) warnings.push(`${path}.topologyKey: ${key} is ${why}`);
    if (objectAt(constraint, 'labelSelector') === undefined) {
      warnings.push(`${path}.labelSelector: ${matchesNothing}`);
    }
  });
}

function annotationWarnings(warnings: string[], at: string, annotations: JsonObject): void {
  for (const name in deadAnnotations) {
    if (annotations[name] !== undefined) warnings.push(`${at}[${name}]: ${deadAnnotations[name]}`);
  }
}

function volumeWarnings(warnings: string[], at: string, spec: JsonObject): void {
  const volumes = objectsAt(spec, 'volumes');
  volumes.forEach((volume, i) => {
    const path = `${at}.volumes[${i}]`;
    warnings.push(...deadVolumeWarnings(path, volume));
    const claim = objectAt(volume, 'ephemeral', 'volumeClaimTemplate', 'spec');
    if (claim !== undefined) {
      warnings.push(...claimWarnings(`${path}.ephemeral.volumeClaimTemplate.spec`, claim));
    }
  });
  warnings.push(...overlappingPathWarnings(volumes));
}

function referenceWarnings(warnings: string[], at: string, spec: JsonObject): void {
  const addresses = new Set<string>();
  objectsAt(spec, 'hostAliases').forEach((alias, i) => {
    const address = textAt(alias, 'ip');
    if (addresses.has(address)) warnings.push(`${at}.hostAliases[${i}].ip: duplicate ip "${address}"`);
    addresses.add(address);
  });
  const secrets = objectsAt(spec, 'imagePullSecrets').map((secret) => textAt(secret, 'name'));
  secrets.forEach((name, i) => {
    if (secrets.indexOf(name) < i) {
      warnings.push(`${at}.imagePullSecrets[${i}].name: duplicate name "${name}"`);
    }
  });
  secrets.forEach((name, i) => {
    if (name === '') warnings.push(`${at}.imagePullSecrets[${i}].name: invalid empty name ""`);
  });
}

interface PlacedContainer {
  readonly container: JsonObject;
  readonly path: string;
}

function containersOf(at: string, spec: JsonObject): PlacedContainer[] {
  return ['initContainers', 'containers', 'ephemeralContainers'].flatMap((list) =>
    objectsAt(spec, list).map((container, i) => ({ container, path: `${at}.${list}[${i}]` })),
  );
}

/** Annotations of profiles where the field should be. */
function profileWarnings(
  warnings: string[],
  prefix: string,
  annotations: JsonObject,
  spec: JsonObject,
  container: JsonObject,
): void {
  const name = textAt(container, 'name');
  const seccomp = `${seccompPrefix}${name}`;
  const hasSeccomp = objectAt(container, 'securityContext', 'seccompProfile') !== undefined;
  if (!hasSeccomp && annotations[seccomp] !== undefined) {
    warnings.push(`${prefix}metadata.annotations[${seccomp}]: ${useSeccompField}`);
  }
  const appArmor = `${appArmorPrefix}${name}`;
  const annotation = annotations[appArmor];
  const hasAppArmor = objectAt(container, 'securityContext', 'appArmorProfile') !== undefined;
  if (prefix === '' || hasAppArmor || typeof annotation !== 'string') return;
  const ofPod = objectAt(spec, 'securityContext', 'appArmorProfile');
  if (ofPod !== undefined && equalJson(ofPod, profileOf(annotation))) return;
  const why = 'deprecated since v1.30; use the "appArmorProfile" field instead';
  warnings.push(`${prefix}metadata.annotations[${appArmor}]: ${why}`);
}

/** The field that an AppArmor annotation stands for. */
function profileOf(annotation: string): JsonObject | undefined {
  if (annotation === 'unconfined') return { type: 'Unconfined' };
  if (annotation === 'runtime/default') return { type: 'RuntimeDefault' };
  const local = 'localhost/';
  if (!annotation.startsWith(local) || annotation === local) return undefined;
  return { type: 'Localhost', localhostProfile: annotation.slice(local.length).trim() };
}

/** A variable that is defined again without a mention of what it was. */
function environmentWarnings(warnings: string[], at: string, container: JsonObject): void {
  const variables = objectsAt(container, 'env');
  if (variables.length < 2) return;
  const names = new Set<string>();
  variables.forEach((variable, i) => {
    const name = textAt(variable, 'name');
    const value = textAt(variable, 'value');
    const reference = `$(${name})`;
    const isLost =
      valueAt(variable, 'valueFrom') !== undefined || value === reference || !value.includes(reference);
    if (names.has(name) && isLost) {
      const why = `hides previous definition of "${name}", which may be dropped when using apply`;
      warnings.push(`${at}.env[${i}]: ${why}`);
    }
    names.add(name);
  });
}

interface PlacedPort {
  readonly path: string;
  readonly hostIp: string;
  readonly hostPort: number;
}

function portWarnings(warnings: string[], containers: readonly PlacedContainer[]): void {
  const known = new Map<string, PlacedPort[]>();
  const named = new Map<string, string>();
  const ofNames: string[] = [];
  for (const { container, path: at } of containers) {
    objectsAt(container, 'ports').forEach((port, i) => {
      const path = `${at}.ports[${i}]`;
      const name = textAt(port, 'name');
      const protocol = textAt(port, 'protocol');
      const number = numberAt(port, 'containerPort') ?? 0;
      const one: PlacedPort = {
        path,
        hostIp: textAt(port, 'hostIP'),
        hostPort: numberAt(port, 'hostPort') ?? 0,
      };
      if (one.hostIp !== '' && one.hostPort === 0) {
        const text = `{Name:${name} HostPort:0 ContainerPort:${number} Protocol:${protocol} HostIP:${one.hostIp}}`;
        warnings.push(`${path}: hostIP set without hostPort: ${text}`);
      }
      const key = `${number}/${protocol}`;
      const others = known.get(key) ?? [];
      for (const other of others) {
        const how = overlapOf(one, other);
        if (how !== undefined) warnings.push(`${path}: ${how} port definition with ${other.path}`);
      }
      known.set(key, [...others, one]);
      if (name === '') return;
      const first = named.get(name);
      if (first === undefined) named.set(name, path);
      else {
        const why = `services and probes that select ports by name will use ${first}`;
        ofNames.push(`${path}: duplicate port name "${name}" with ${first}, ${why}`);
      }
    });
  }
  warnings.push(...ofNames);
}

function overlapOf(one: PlacedPort, other: PlacedPort): string | undefined {
  if (one.hostIp === other.hostIp && one.hostPort === other.hostPort) return 'duplicate';
  if (one.hostPort === 0 || other.hostPort === 0) return 'overlapping';
  const isAmbiguous = (one.hostIp === '') !== (other.hostIp === '');
  return one.hostPort === other.hostPort && isAmbiguous ? 'dangerously ambiguous' : undefined;
}

function affinityWarnings(warnings: string[], at: string, spec: JsonObject): void {
  for (const kind of ['podAffinity', 'podAntiAffinity']) {
    const required = 'requiredDuringSchedulingIgnoredDuringExecution';
    objectsAt(spec, 'affinity', kind, required).forEach((term, i) => {
      if (objectAt(term, 'labelSelector') !== undefined) return;
      warnings.push(`${at}.affinity.${kind}.${required}[${i}].labelSelector: ${matchesNothing}`);
    });
    const preferred = 'preferredDuringSchedulingIgnoredDuringExecution';
    objectsAt(spec, 'affinity', kind, preferred).forEach((term, i) => {
      if (objectAt(term, 'podAffinityTerm', 'labelSelector') !== undefined) return;
      const path = `${at}.affinity.${kind}.${preferred}[${i}].podAffinityTerm.labelSelector`;
      warnings.push(`${path}: ${matchesNothing}`);
    });
  }
}
