import { invalid, notSupported, required } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { dns1123Subdomain } from '#apimachinery/names.ts';
import { numberAt, objectAt, textAt, textsAt, valueAt } from '../read.ts';
import { checkDnsLabel, checkNoBacksteps, checkOptionalChoice, type Errors, requireText } from './common.ts';
import { checkIscsi } from './iscsi-source.ts';

const partitionText = 'must be between 1 and 255, inclusive';

export type SourceCheck = (errors: Errors, path: string, source: JsonObject) => void;

export const requires =
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
    // Told at another name than the field's.
    const at = path.replace(/gcePersistentDisk$/, 'persistentDisk');
    requireText(errors, `${at}.pdName`, textAt(source, 'pdName'));
    checkPartition(errors, at, source);
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
  iscsi: (errors, path, source) => checkIscsi(errors, path, source, false),
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
  cinder: (errors, path, source) => {
    requires('volumeID')(errors, path, source);
    checkSecretName(errors, path, source);
  },
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
  flexVolume: (errors, path, source) => {
    requires('driver')(errors, path, source);
    for (const key in objectAt(source, 'options')) {
      const domain = `.${key.split('/', 1)[0]!.toLowerCase()}`;
      if (!domain.endsWith('.kubernetes.io') && !domain.endsWith('.k8s.io')) continue;
      const why = 'kubernetes.io and k8s.io namespaces are reserved';
      errors.push(invalid(`${path}.options[${key}]`, key, why));
    }
  },
  azureFile: requires('secretName', 'shareName'),
  vsphereVolume: requires('volumePath'),
  quobyte: (errors, path, source) => {
    const registry = textAt(source, 'registry');
    if (registry === '') errors.push(required(`${path}.registry`, hostPorts));
    else if (textAt(source, 'tenant').length > tenantLengthMax) {
      const why = `must be a UUID and may not exceed a length of ${tenantLengthMax} characters`;
      errors.push(required(`${path}.tenant`, why));
    } else {
      for (const pair of registry.split(',')) {
        if (!isHostPort(pair)) errors.push(invalid(`${path}.registry`, registry, hostPorts));
      }
    }
    requires('volume')(errors, path, source);
  },
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
    requires('volumeName')(errors, path, source);
    checkDnsLabelIfSet(errors, `${path}.volumeName`, textAt(source, 'volumeName'));
    checkDnsLabelIfSet(errors, `${path}.volumeNamespace`, textAt(source, 'volumeNamespace'));
    checkSecretName(errors, path, source);
  },
};

const hostPorts = 'must be a host:port pair or multiple pairs separated by commas';
const tenantLengthMax = 64;

/** As Go's net.SplitHostPort reads it: one colon outside of brackets, before the port. */
function isHostPort(text: string): boolean {
  return /^(\[[^[\]]*\]|[^:[\]]*):[^:[\]]*$/.test(text);
}

function checkSecretName(errors: Errors, path: string, source: JsonObject): void {
  const secret = objectAt(source, 'secretRef');
  if (secret !== undefined) requireText(errors, `${path}.secretRef.name`, textAt(secret, 'name'));
}

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

function checkDnsLabelIfSet(errors: Errors, field: string, value: string): void {
  if (value !== '') checkDnsLabel(errors, field, value);
}

function checkPartition(errors: Errors, path: string, source: JsonObject): void {
  const partition = numberAt(source, 'partition') ?? 0;
  if (partition < 0 || partition > 255) errors.push(invalid(`${path}.partition`, partition, partitionText));
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
