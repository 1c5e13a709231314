import { duplicate, forbiddenField, invalid, notSupported, required } from '#apimachinery/field-error.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { dns1123Subdomain, labelKey } from '#apimachinery/names.ts';
import { canonicalQuantity, isQuantity } from '#apimachinery/quantity.ts';
import { booleanAt, numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import {
  checkChoice,
  checkDescendingPath,
  checkDnsLabel,
  checkName,
  checkNoBacksteps,
  checkNonReservedPath,
  checkOptionalChoice,
  checkSelector,
  type Errors,
  requireText,
} from './common.ts';
import { checkClaimSpec, checkTemplateMeta } from './persistent-volumes.ts';
import { quantityOf } from './resources.ts';
import { checkSignerName } from './signers.ts';

/** Names of a pod's volumes that are valid, with their sources: what mounts may refer to. */
export type KnownVolumes = ReadonlyMap<string, JsonObject>;

/** The pod's metadata where there is a pod; templates have none. */
export type PodMeta = { readonly name?: string; readonly annotations?: JsonObject } | undefined;

const fileModeText = 'must be a number between 0 and 0777 (octal), both inclusive';
const partitionText = 'must be between 1 and 255, inclusive';

/** core ValidateVolumes. */
export function checkVolumes(errors: Errors, path: string, spec: JsonObject, meta: PodMeta): KnownVolumes {
  const known = new Map<string, JsonObject>();
  const volumes = objectsAt(spec, 'volumes');
  const made = new Set<string>();
  if (meta?.name !== undefined && meta.name !== '') {
    for (const volume of volumes) {
      if (objectAt(volume, 'ephemeral') !== undefined) made.add(`${meta.name}-${textAt(volume, 'name')}`);
    }
  }
  volumes.forEach((volume, i) => {
    const at = `${path}[${i}]`;
    const name = textAt(volume, 'name');
    const found: Errors = [];
    checkSources(found, at, volume, name, meta);
    if (name === '') found.push(required(`${at}.name`));
    else checkDnsLabel(found, `${at}.name`, name);
    if (known.has(name)) found.push(duplicate(`${at}.name`, name));
    if (found.length === 0) known.set(name, volume);
    errors.push(...found);
    const claim = textAt(volume, 'persistentVolumeClaim', 'claimName');
    if (claim !== '' && made.has(claim)) {
      errors.push(
        invalid(
          `${at}.persistentVolumeClaim.claimName`,
          claim,
          'must not reference a PVC that gets created for an ephemeral volume',
        ),
      );
    }
  });
  return known;
}

function checkSources(errors: Errors, at: string, volume: JsonObject, name: string, meta: PodMeta): void {
  let count = 0;
  for (const kind in sourceChecks) {
    const source = objectAt(volume, kind);
    if (source === undefined) continue;
    if (count > 0) errors.push(forbiddenField(`${at}.${kind}`, 'may not specify more than 1 volume type'));
    else sourceChecks[kind]!(errors, `${at}.${kind}`, source);
    count++;
  }
  if (count === 0) errors.push(required(at, 'must specify a volume type'));
  if (
    objectAt(volume, 'ephemeral') !== undefined &&
    meta?.name !== undefined &&
    meta.name !== '' &&
    name !== ''
  ) {
    const claim = `${meta.name}-${name}`;
    for (const message of dns1123Subdomain(claim)) {
      errors.push(invalid(`${at}.name`, name, `PVC name ${JSON.stringify(claim)}: ${message}`));
    }
  }
}

type SourceCheck = (errors: Errors, path: string, source: JsonObject) => void;

const requires =
  (...fields: string[]): SourceCheck =>
  (errors, path, source) => {
    for (const field of fields) requireText(errors, `${path}.${field}`, textAt(source, field));
  };

const requiresList =
  (field: string, ...texts: string[]): SourceCheck =>
  (errors, path, source) => {
    if (textsAt(source, field).length === 0) errors.push(required(`${path}.${field}`));
    requires(...texts)(errors, path, source);
  };

/** Checks of the sources that pods and PersistentVolumes share, in the order in which Kubernetes looks at them. */
export const sharedSourceChecks: { readonly [kind: string]: SourceCheck } = {
  hostPath: (errors, path, source) => {
    const directory = textAt(source, 'path');
    if (directory === '') {
      errors.push(required(`${path}.path`));
      return;
    }
    checkNoBacksteps(errors, `${path}.path`, directory);
    checkOptionalChoice(errors, `${path}.type`, valueAt(source, 'type'), hostPathTypes);
  },
  gcePersistentDisk: (errors, path, source) => {
    requireText(errors, `${path}.pdName`, textAt(source, 'pdName'));
    checkPartition(errors, path, source);
  },
  awsElasticBlockStore: (errors, path, source) => {
    requireText(errors, `${path}.volumeID`, textAt(source, 'volumeID'));
    checkPartition(errors, path, source);
  },
  nfs: (errors, path, source) => {
    requires('server', 'path')(errors, path, source);
    const directory = textAt(source, 'path');
    if (!directory.startsWith('/'))
      errors.push(invalid(`${path}.path`, directory, 'must be an absolute path'));
  },
  iscsi: requires('targetPortal', 'iqn'),
  glusterfs: requires('endpoints', 'path'),
  flocker: (errors, path, source) => {
    const byName = textAt(source, 'datasetName');
    const byId = textAt(source, 'datasetUUID');
    if (byName === '' && byId === '') {
      errors.push(required(path, 'one of datasetName and datasetUUID is required'));
    }
    if (byName !== '' && byId !== '') {
      errors.push(
        invalid(path, 'resource', 'datasetName and datasetUUID can not be specified simultaneously'),
      );
    }
    if (byName.includes('/')) errors.push(invalid(`${path}.datasetName`, byName, "must not contain '/'"));
  },
  rbd: requiresList('monitors', 'image'),
  cinder: requires('volumeID'),
  cephfs: requiresList('monitors'),
  fc: (errors, path, source) => {
    const wwns = textsAt(source, 'targetWWNs');
    const wwids = textsAt(source, 'wwids');
    if (wwns.length === 0 && wwids.length === 0) {
      errors.push(required(`${path}.targetWWNs`, 'must specify either targetWWNs or wwids, but not both'));
    }
    if (wwns.length > 0 && wwids.length > 0) {
      errors.push(
        invalid(`${path}.targetWWNs`, wwns, 'targetWWNs and wwids can not be specified simultaneously'),
      );
    }
    if (wwns.length > 0) {
      const lun = numberAt(source, 'lun');
      if (lun === undefined)
        errors.push(required(`${path}.lun`, 'lun is required if targetWWNs is specified'));
      else if (lun < 0 || lun > 255)
        errors.push(invalid(`${path}.lun`, lun, 'must be between 0 and 255, inclusive'));
    }
  },
  flexVolume: requires('driver'),
  azureFile: requires('secretName', 'shareName'),
  vsphereVolume: requires('volumePath'),
  quobyte: requires('registry', 'volume'),
  azureDisk: (errors, path, source) => {
    requires('diskName', 'diskURI')(errors, path, source);
    checkOptionalChoice(errors, `${path}.cachingMode`, valueAt(source, 'cachingMode'), [
      'None',
      'ReadOnly',
      'ReadWrite',
    ]);
    checkOptionalChoice(errors, `${path}.kind`, valueAt(source, 'kind'), ['Dedicated', 'Managed', 'Shared']);
    const uri = textAt(source, 'diskURI');
    const isManaged = textAt(source, 'kind') === 'Managed';
    if (isManaged ? !uri.startsWith('/subscriptions/') : !uri.startsWith('https://')) {
      errors.push(notSupported(`${path}.diskURI`, uri, [isManaged ? managedDisk : blobDisk]));
    }
  },
  photonPersistentDisk: requires('pdID'),
  portworxVolume: requires('volumeID'),
  scaleIO: requires('gateway', 'system', 'volumeName'),
  storageos: (errors, path, source) => {
    checkDnsLabelIfSet(errors, `${path}.volumeName`, textAt(source, 'volumeName'));
    checkDnsLabelIfSet(errors, `${path}.volumeNamespace`, textAt(source, 'volumeNamespace'));
  },
};

const blobDisk = 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd';
const managedDisk =
  '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}';

const hostPathTypes = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];

const sourceChecks: { readonly [kind: string]: SourceCheck } = {
  emptyDir: (errors, path, source) => {
    const limit = quantityOf(source, 'sizeLimit');
    if (limit !== undefined && limit.nano < 0n) {
      errors.push(forbiddenField(`${path}.sizeLimit`, 'SizeLimit field must be a valid resource quantity'));
    }
  },
  ...sharedSourceChecks,
  gitRepo: (errors, path, source) => {
    requireText(errors, `${path}.repository`, textAt(source, 'repository'));
    checkDescendingPath(errors, `${path}.directory`, textAt(source, 'directory'));
  },
  secret: (errors, path, source) => {
    requireText(errors, `${path}.secretName`, textAt(source, 'secretName'));
    checkKeys(errors, path, source);
  },
  configMap: (errors, path, source) => {
    requireText(errors, `${path}.name`, textAt(source, 'name'));
    checkKeys(errors, path, source);
  },
  persistentVolumeClaim: requires('claimName'),
  downwardAPI: (errors, path, source) => {
    checkMode(errors, `${path}.defaultMode`, numberAt(source, 'defaultMode'));
    for (const file of objectsAt(source, 'items')) checkDownwardFile(errors, path, file);
  },
  projected: checkProjected,
  csi: (errors, path, source) => {
    checkDriverName(errors, `${path}.driver`, textAt(source, 'driver'));
    const secret = objectAt(source, 'nodePublishSecretRef');
    if (secret === undefined) return;
    const name = textAt(secret, 'name');
    if (name === '') errors.push(required(`${path}.nodePublishSecretRef.name`));
    else checkName(errors, `${path}.name`, name, dns1123Subdomain);
  },
  ephemeral: (errors, path, source) => {
    const template = objectAt(source, 'volumeClaimTemplate');
    if (template === undefined) {
      errors.push(required(`${path}.volumeClaimTemplate`));
      return;
    }
    checkTemplateMeta(errors, `${path}.volumeClaimTemplate.metadata`, objectAt(template, 'metadata'));
    checkClaimSpec(errors, `${path}.volumeClaimTemplate.spec`, objectAt(template, 'spec') ?? {});
  },
  image: (errors, path, source) =>
    checkChoice(errors, `${path}.pullPolicy`, valueAt(source, 'pullPolicy'), [
      'Always',
      'IfNotPresent',
      'Never',
    ]),
};

function checkDnsLabelIfSet(errors: Errors, field: string, value: string): void {
  if (value !== '') checkDnsLabel(errors, field, value);
}

function checkPartition(errors: Errors, path: string, source: JsonObject): void {
  const partition = numberAt(source, 'partition') ?? 0;
  if (partition < 0 || partition > 255) errors.push(invalid(`${path}.partition`, partition, partitionText));
}

function checkMode(errors: Errors, field: string, mode: number | undefined): void {
  if (mode !== undefined && (mode < 0 || mode > 0o777)) errors.push(invalid(field, mode, fileModeText));
}

function checkKeys(errors: Errors, path: string, source: JsonObject): void {
  checkMode(errors, `${path}.defaultMode`, numberAt(source, 'defaultMode'));
  objectsAt(source, 'items').forEach((item, i) => {
    checkKeyToPath(errors, `${path}.items[${i}]`, item);
  });
}

function checkKeyToPath(errors: Errors, path: string, item: JsonObject): void {
  requireText(errors, `${path}.key`, textAt(item, 'key'));
  requireText(errors, `${path}.path`, textAt(item, 'path'));
  checkNonReservedPath(errors, `${path}.path`, textAt(item, 'path'));
  checkMode(errors, `${path}.mode`, numberAt(item, 'mode'));
}

/** core ValidateCSIDriverName. */
export function checkDriverName(errors: Errors, field: string, driver: string): void {
  if (driver === '') {
    errors.push(required(field));
    return;
  }
  if (driver.length > 63) {
    errors.push({
      type: 'FieldValueTooLong',
      field,
      message: 'Too long: may not be more than 63 bytes',
    });
  }
  for (const message of dns1123Subdomain(driver.toLowerCase())) errors.push(invalid(field, driver, message));
}

const volumeFields = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];

function checkDownwardFile(errors: Errors, path: string, file: JsonObject): void {
  requireText(errors, `${path}.path`, textAt(file, 'path'));
  checkNonReservedPath(errors, `${path}.path`, textAt(file, 'path'));
  const fieldRef = objectAt(file, 'fieldRef');
  const resourceRef = objectAt(file, 'resourceFieldRef');
  if (fieldRef !== undefined) {
    checkFieldRef(errors, `${path}.fieldRef`, fieldRef, volumeFields);
    if (resourceRef !== undefined) {
      errors.push(
        invalid(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'),
      );
    }
  } else if (resourceRef !== undefined) {
    checkResourceFieldRef(errors, `${path}.resourceFieldRef`, resourceRef, true);
  } else errors.push(required(path, 'one of fieldRef and resourceFieldRef is required'));
  checkMode(errors, `${path}.mode`, numberAt(file, 'mode'));
}

/** A pod's field as environment or file: `metadata.name`, `metadata.labels['key']` (validateObjectFieldSelector). */
export function checkFieldRef(
  errors: Errors,
  path: string,
  reference: JsonObject,
  fields: readonly string[],
): void {
  const fieldPath = textAt(reference, 'fieldPath');
  const version = textAt(reference, 'apiVersion');
  if (version === '' || fieldPath === '') {
    errors.push(required(`${path}.${version === '' ? 'apiVersion' : 'fieldPath'}`));
    return;
  }
  if (version !== 'v1') {
    const why = `error converting fieldPath: unsupported pod version: ${version}`;
    errors.push(invalid(`${path}.fieldPath`, fieldPath, why));
    return;
  }
  const subscripted = /^([^[]+)\['(.*)'\]$/s.exec(fieldPath);
  if (subscripted !== null) {
    const [, base = '', key = ''] = subscripted;
    if (base === 'metadata.annotations') checkName(errors, path, key.toLowerCase(), labelKey);
    else if (base === 'metadata.labels') checkName(errors, path, key, labelKey);
    else if (!downwardFields.has(base)) {
      errors.push(unknownField(path, fieldPath));
    } else errors.push(invalid(path, base, 'does not support subscript'));
    return;
  }
  if (!downwardFields.has(fieldPath)) errors.push(unknownField(path, fieldPath));
  else if (!fields.includes(fieldPath)) errors.push(notSupported(`${path}.fieldPath`, fieldPath, fields));
}

function unknownField(path: string, fieldPath: string) {
  return invalid(
    `${path}.fieldPath`,
    fieldPath,
    `error converting fieldPath: field label not supported: ${fieldPath}`,
  );
}

const downwardFields: ReadonlySet<string> = new Set([
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.restartPolicy',
  'spec.serviceAccountName',
  'spec.schedulerName',
  'status.phase',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]);

const resourceFields = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];

const sizeDivisors = new Set([
  '1',
  ...['k', 'M', 'G', 'T', 'P', 'E', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'].map((unit) => `1${unit}`),
]);
const cpuDivisors = new Set(['1', '1m']);

/** A container's resource as environment or file (validateContainerResourceFieldSelector). */
export function checkResourceFieldRef(
  errors: Errors,
  path: string,
  reference: JsonObject,
  inVolume: boolean,
): void {
  const resource = textAt(reference, 'resource');
  const isHugePages = /^(requests|limits)\.hugepages-/.test(resource);
  if (inVolume && textAt(reference, 'containerName') === '') errors.push(required(`${path}.containerName`));
  else if (resource === '') errors.push(required(`${path}.resource`));
  else if (!resourceFields.includes(resource) && !isHugePages) {
    errors.push(notSupported(`${path}.resource`, resource, resourceFields));
  }
  checkDivisor(errors, path, resource, valueAt(reference, 'divisor'));
}

function checkDivisor(errors: Errors, path: string, resource: string, value: JsonValue | undefined): void {
  if (typeof value !== 'string' || !isQuantity(value)) return;
  const divisor = canonicalQuantity(value);
  if (divisor === '0') return;
  const sizes = '1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the';
  const refuse = (what: string) =>
    errors.push(invalid(`${path}.divisor`, resource, `only divisor's values ${what} resource`));
  const kind = resource.slice(resource.indexOf('.') + 1);
  if (kind === 'cpu') {
    if (!cpuDivisors.has(divisor)) refuse('1m and 1 are supported with the cpu');
  } else if (!sizeDivisors.has(divisor)) {
    if (kind === 'memory') refuse(`${sizes} memory`);
    else if (kind === 'ephemeral-storage') refuse(`${sizes} local ephemeral storage`);
    else if (kind.startsWith('hugepages-')) refuse(`${sizes} hugepages`);
  }
}

const keyTypes = ['RSA3072', 'RSA4096', 'ECDSAP256', 'ECDSAP384', 'ECDSAP521', 'ED25519'];

function checkProjected(errors: Errors, path: string, source: JsonObject): void {
  checkMode(errors, `${path}.defaultMode`, numberAt(source, 'defaultMode'));
  const taken = new Set<string>();
  const claim = (file: string, shown: string) => {
    if (taken.has(file)) errors.push(invalid(path, shown, 'conflicting duplicate paths'));
    taken.add(file);
  };
  objectsAt(source, 'sources').forEach((one, i) => {
    const at = `${path}.sources[${i}]`;
    let count = 0;
    for (const kind of ['secret', 'configMap']) {
      const keys = objectAt(one, kind);
      if (keys === undefined) continue;
      count++;
      requireText(errors, `${at}.${kind}.name`, textAt(keys, 'name'));
      objectsAt(keys, 'items').forEach((item, j) => {
        checkKeyToPath(errors, `${at}.${kind}.items[${j}]`, item);
        if (textAt(item, 'path') !== '') claim(textAt(item, 'path'), textAt(keys, 'name'));
      });
    }
    const downward = objectAt(one, 'downwardAPI');
    if (downward !== undefined) {
      count++;
      for (const file of objectsAt(downward, 'items')) {
        checkDownwardFile(errors, `${at}.downwardAPI`, file);
        if (textAt(file, 'path') !== '') claim(textAt(file, 'path'), textAt(file, 'path'));
      }
    }
    const token = objectAt(one, 'serviceAccountToken');
    if (token !== undefined) {
      count++;
      checkToken(errors, path, `${at}.serviceAccountToken`, token);
    }
    const bundle = objectAt(one, 'clusterTrustBundle');
    if (bundle !== undefined) {
      count++;
      checkTrustBundle(errors, `${at}.clusterTrustBundle`, bundle);
      claim(textAt(bundle, 'path'), textAt(bundle, 'path'));
    }
    const certificate = objectAt(one, 'podCertificate');
    if (certificate !== undefined) {
      count++;
      checkPodCertificate(errors, `${at}.podCertificate`, certificate, claim);
    }
    if (count > 1) errors.push(forbiddenField(at, 'may not specify more than 1 volume type per source'));
  });
}

function checkToken(errors: Errors, path: string, at: string, token: JsonObject): void {
  const seconds = numberAt(token, 'expirationSeconds') ?? 0;
  if (seconds < 600) {
    errors.push(
      invalid(`${at}.expirationSeconds`, seconds, 'may not specify a duration less than 10 minutes'),
    );
  }
  if (seconds > 2 ** 32) {
    errors.push(
      invalid(`${at}.expirationSeconds`, seconds, 'may not specify a duration larger than 2^32 seconds'),
    );
  }
  // Kubernetes tells these at the volume's own path.
  if (textAt(token, 'path') === '') errors.push(required(`${path}.path`));
  else checkNonReservedPath(errors, `${path}.path`, textAt(token, 'path'));
}

function checkTrustBundle(errors: Errors, at: string, bundle: JsonObject): void {
  const name = valueAt(bundle, 'name');
  const signer = valueAt(bundle, 'signerName');
  if (name !== undefined && signer !== undefined) {
    errors.push(invalid(at, bundle, 'only one of name and signerName may be used'));
  } else if (name !== undefined) {
    if (name === '') errors.push(required(`${at}.name`, 'must be a valid object name'));
    if (objectAt(bundle, 'labelSelector') !== undefined) {
      errors.push(
        invalid(
          `${at}.labelSelector`,
          bundle['labelSelector'],
          'labelSelector must be unset if name is specified',
        ),
      );
    }
  } else if (signer !== undefined) {
    if (signer === '') errors.push(required(`${at}.signerName`, 'must be a valid signer name'));
    checkSignerName(errors, `${at}.signerName`, textAt(bundle, 'signerName'));
    checkSelector(errors, `${at}.labelSelector`, objectAt(bundle, 'labelSelector'));
  } else errors.push(required(at, 'either name or signerName must be specified'));
  requireText(errors, `${at}.path`, textAt(bundle, 'path'));
  checkNonReservedPath(errors, `${at}.path`, textAt(bundle, 'path'));
}

function checkPodCertificate(
  errors: Errors,
  at: string,
  certificate: JsonObject,
  claim: (file: string, shown: string) => void,
): void {
  checkSignerName(errors, `${at}.signerName`, textAt(certificate, 'signerName'));
  if (!keyTypes.includes(textAt(certificate, 'keyType'))) {
    errors.push(notSupported(`${at}.keyType`, textAt(certificate, 'keyType'), keyTypes));
  }
  const seconds = numberAt(certificate, 'maxExpirationSeconds');
  if (seconds !== undefined && seconds < 3600) {
    errors.push(
      invalid(`${at}.maxExpirationSeconds`, seconds, 'if provided, maxExpirationSeconds must be >= 3600'),
    );
  }
  let count = 0;
  for (const field of ['credentialBundlePath', 'keyPath', 'certificateChainPath']) {
    const file = textAt(certificate, field);
    if (file === '') continue;
    count++;
    checkNonReservedPath(errors, `${at}.${field}`, file);
    claim(file, file);
  }
  if (count === 0) {
    errors.push(
      required(at, 'specify at least one of credentialBundlePath, keyPath, and certificateChainPath'),
    );
  }
}

/** Mounts of a container: known volumes, unique and free paths (core ValidateVolumeMounts, ValidateVolumeDevices). */
export function checkMounts(
  errors: Errors,
  path: string,
  container: JsonObject,
  volumes: KnownVolumes,
): void {
  const mounts = objectsAt(container, 'volumeMounts');
  const devices = objectsAt(container, 'volumeDevices');
  const deviceNames = new Set(devices.map((one) => textAt(one, 'name')));
  const devicePaths = new Set(devices.map((one) => textAt(one, 'devicePath')));
  const mountNames = new Set(mounts.map((one) => textAt(one, 'name')));
  const mountPaths = new Set(mounts.map((one) => textAt(one, 'mountPath')));
  const taken = new Set<string>();
  mounts.forEach((mount, i) => {
    const at = `${path}.volumeMounts[${i}]`;
    const name = textAt(mount, 'name');
    const mountPath = textAt(mount, 'mountPath');
    requireText(errors, `${at}.name`, name);
    if (!volumes.has(name)) {
      errors.push({
        type: 'FieldValueNotFound',
        field: `${at}.name`,
        message: `Not found: ${JSON.stringify(name)}`,
      });
    }
    requireText(errors, `${at}.mountPath`, mountPath);
    if (taken.has(mountPath)) errors.push(invalid(`${at}.mountPath`, mountPath, 'must be unique'));
    taken.add(mountPath);
    if (deviceNames.has(name)) {
      errors.push(invalid(`${at}.name`, name, 'must not already exist in volumeDevices'));
    }
    if (devicePaths.has(mountPath)) {
      errors.push(invalid(`${at}.mountPath`, mountPath, 'must not already exist as a path in volumeDevices'));
    }
    const subPath = textAt(mount, 'subPath');
    const expression = textAt(mount, 'subPathExpr');
    if (subPath !== '') checkDescendingPath(errors, `${path}.volumeMounts.subPath`, subPath);
    if (expression !== '') {
      if (subPath !== '') {
        errors.push(
          invalid(`${at}.subPathExpr`, expression, 'subPathExpr and subPath are mutually exclusive'),
        );
      }
      checkDescendingPath(errors, `${path}.volumeMounts.subPathExpr`, expression);
    }
    checkPropagation(errors, `${path}.volumeMounts`, mount, container);
  });
  checkDevices(errors, path, devices, volumes, mountNames, mountPaths);
}

function checkPropagation(errors: Errors, path: string, mount: JsonObject, container: JsonObject): void {
  const propagation = valueAt(mount, 'mountPropagation');
  checkOptionalChoice(errors, `${path}.mountPropagation`, propagation, [
    'Bidirectional',
    'HostToContainer',
    'None',
  ]);
  if (propagation === 'Bidirectional' && booleanAt(container, 'securityContext', 'privileged') !== true) {
    errors.push(
      forbiddenField(
        `${path}.mountPropagation`,
        'Bidirectional mount propagation is available only to privileged containers',
      ),
    );
  }
  const recursive = valueAt(mount, 'recursiveReadOnly');
  if (recursive === undefined) return;
  checkOptionalChoice(errors, `${path}.recursiveReadOnly`, recursive, ['Disabled', 'Enabled', 'IfPossible']);
  if (recursive !== 'Enabled' && recursive !== 'IfPossible') return;
  if (booleanAt(mount, 'readOnly') !== true) {
    errors.push(forbiddenField(`${path}.recursiveReadOnly`, 'may only be specified when readOnly is true'));
  }
  if (propagation !== undefined && propagation !== 'None') {
    errors.push(
      forbiddenField(
        `${path}.recursiveReadOnly`,
        'may only be specified when mountPropagation is None or not specified',
      ),
    );
  }
}

function checkDevices(
  errors: Errors,
  path: string,
  devices: readonly JsonObject[],
  volumes: KnownVolumes,
  mountNames: ReadonlySet<string>,
  mountPaths: ReadonlySet<string>,
): void {
  const names = new Set<string>();
  const paths = new Set<string>();
  devices.forEach((device, i) => {
    const at = `${path}.volumeDevices[${i}]`;
    const name = textAt(device, 'name');
    const devicePath = textAt(device, 'devicePath');
    const volume = volumes.get(name);
    requireText(errors, `${at}.name`, name);
    if (names.has(name)) errors.push(invalid(`${at}.name`, name, 'must be unique'));
    if (volume === undefined) {
      errors.push({
        type: 'FieldValueNotFound',
        field: `${at}.name`,
        message: `Not found: ${JSON.stringify(name)}`,
      });
    } else if (
      objectAt(volume, 'persistentVolumeClaim') === undefined &&
      objectAt(volume, 'ephemeral') === undefined
    ) {
      errors.push(
        invalid(
          `${at}.name`,
          name,
          'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode',
        ),
      );
    }
    requireText(errors, `${at}.devicePath`, devicePath);
    if (paths.has(devicePath)) errors.push(invalid(`${at}.devicePath`, devicePath, 'must be unique'));
    if (devicePath.split('/').includes('..')) {
      errors.push(invalid(`${at}.devicePath`, devicePath, "can not contain backsteps ('..')"));
    } else paths.add(devicePath);
    if (mountNames.has(name)) {
      errors.push(invalid(`${at}.name`, name, 'must not already exist in volumeMounts'));
    }
    if (mountPaths.has(devicePath)) {
      errors.push(
        invalid(`${at}.devicePath`, devicePath, 'must not already exist as a path in volumeMounts'),
      );
    }
    if (name !== '') names.add(name);
  });
}
