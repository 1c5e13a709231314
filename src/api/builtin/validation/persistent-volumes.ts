import { forbiddenField, invalid, notSupported, required } from '#apimachinery/field-error.ts';
import { cloneJson, equalJson, type JsonObject } from '#apimachinery/json.ts';
import { dns1123Label, dns1123Subdomain, labelKey } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { compareQuantity, formatQuantity, quantityValue, zeroQuantity } from '#apimachinery/quantity.ts';
import { objectAt, textAt, textsAt, valueAt } from '../read.ts';
import {
  checkAnnotations,
  checkImmutable,
  checkLabels,
  checkName,
  checkOptionalChoice,
  checkSelector,
  type Errors,
  keyPath,
} from './common.ts';
import { checkIscsi } from './iscsi-source.ts';
import { checkResourceAmount, isNative, quantityOf } from './resources.ts';
import { specOf } from './rule.ts';
import { checkNodeSelector } from './scheduling.ts';
import { checkDriverName, type SourceCheck, sharedSourceChecks } from './volume-sources.ts';

const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
const volumeModes = ['Block', 'Filesystem'];

function checkAccessModes(errors: Errors, path: string, spec: JsonObject, detail: string): void {
  const modes = textsAt(spec, 'accessModes');
  if (modes.length === 0) errors.push(required(`${path}.accessModes`, detail));
  for (const mode of modes) {
    if (!accessModes.includes(mode)) errors.push(notSupported(`${path}.accessModes`, mode, accessModes));
  }
  const others = modes.some((mode) => mode !== 'ReadWriteOncePod' && accessModes.includes(mode));
  if (modes.includes('ReadWriteOncePod') && others) {
    errors.push(
      forbiddenField(`${path}.accessModes`, 'may not use ReadWriteOncePod with other access modes'),
    );
  }
}

/** core ValidatePersistentVolumeClaimSpec. */
export function checkClaimSpec(errors: Errors, path: string, spec: JsonObject): void {
  checkAccessModes(errors, path, spec, 'at least 1 access mode is required');
  checkSelector(errors, `${path}.selector`, objectAt(spec, 'selector'));
  const storageAt = keyPath(`${path}.resources`, 'storage');
  const storage = valueAt(spec, 'resources', 'requests', 'storage');
  if (storage === undefined) errors.push(required(storageAt));
  else {
    const quantity = quantityOf(objectAt(spec, 'resources', 'requests'), 'storage');
    if (quantity !== undefined && compareQuantity(quantity, zeroQuantity) <= 0) {
      errors.push(invalid(storageAt, formatQuantity(quantity), 'must be greater than zero'));
    } else checkResourceAmount(errors, storageAt, 'storage', storage);
  }
  for (const field of ['storageClassName', 'volumeAttributesClassName']) {
    const name = textAt(spec, field);
    if (name !== '') checkName(errors, `${path}.${field}`, name, dns1123Subdomain);
  }
  checkOptionalChoice(errors, `${path}.volumeMode`, valueAt(spec, 'volumeMode'), volumeModes);
  const source = objectAt(spec, 'dataSource');
  const reference = objectAt(spec, 'dataSourceRef');
  checkDataSource(errors, `${path}.dataSource`, source);
  checkDataSource(errors, `${path}.dataSourceRef`, reference);
  const namespace = textAt(reference, 'namespace');
  if (namespace !== '') checkName(errors, `${path}.dataSourceRef.namespace`, namespace, dns1123Label);
  if (source === undefined || reference === undefined) return;
  // The value that is told is a field.Path, of which JSON has nothing.
  if (namespace !== '') {
    const why = 'may not be specified when dataSourceRef.namespace is specified';
    errors.push(invalid(path, {}, why));
  } else {
    const same = ['apiGroup', 'kind', 'name'].every((field) => equalJson(source[field], reference[field]));
    if (!same) errors.push(invalid(path, {}, 'must match dataSourceRef'));
  }
}

function checkDataSource(errors: Errors, at: string, source: JsonObject | undefined): void {
  if (source === undefined) return;
  const group = textAt(source, 'apiGroup');
  const kind = textAt(source, 'kind');
  if (textAt(source, 'name') === '') errors.push(required(`${at}.name`));
  if (kind === '') errors.push(required(`${at}.kind`));
  if (group === '' && kind !== 'PersistentVolumeClaim') {
    errors.push(invalid(at, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"));
  }
  if (group !== '') checkName(errors, `${at}.apiGroup`, group, dns1123Subdomain);
}

/** Metadata of a template inside a spec: labels and annotations alone (core ValidateTemplateObjectMeta). */
export function checkTemplateMeta(errors: Errors, path: string, metadata: JsonObject | undefined): void {
  checkAnnotations(errors, `${path}.annotations`, objectAt(metadata, 'annotations'));
  checkLabels(errors, `${path}.labels`, objectAt(metadata, 'labels'));
  for (const field of metadata === undefined ? [] : barredOfTemplate) {
    if (metadata?.[field] === undefined) continue;
    // Told under the name that the field has in Go.
    errors.push(forbiddenField(`${path}.${field === 'uid' ? 'uID' : field}`, 'cannot be set'));
  }
}

/** All but labels and annotations, in the order of Go's type. */
const barredOfTemplate = [
  'name',
  'generateName',
  'namespace',
  'selfLink',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'ownerReferences',
  'finalizers',
  'managedFields',
];

/** core ValidatePersistentVolumeClaimUpdate, beyond what always holds. */
export function checkClaimChange(errors: Errors, claim: KubeObject, old: KubeObject): void {
  const isBound = textAt(claim, 'status', 'phase') === 'Bound';
  const spec = cloneJson(specOf(claim));
  const before = specOf(old);
  if (textAt(before, 'volumeName') === '') restore(spec, before, 'volumeName');
  const legacyClass = 'volume.beta.kubernetes.io/storage-class';
  const oldAnnotation = old.metadata.annotations?.[legacyClass];
  const wasUnset = before['storageClassName'] === undefined;
  if (wasUnset && (oldAnnotation === undefined || oldAnnotation === spec['storageClassName'])) {
    restore(spec, before, 'storageClassName');
  } else
    checkImmutable(
      errors,
      `metadata.annotations.${legacyClass}`,
      claim.metadata.annotations?.[legacyClass],
      oldAnnotation,
    );
  if (isBound) {
    restore(spec, before, 'volumeAttributesClassName');
    const requests = objectAt(spec, 'resources', 'requests');
    if (requests !== undefined) restore(requests, objectAt(before, 'resources', 'requests') ?? {}, 'storage');
  }
  if (!equalJson(spec, before)) {
    const why =
      'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n';
    errors.push(forbiddenField('spec', why));
  }
  // What is not asked for counts as nothing.
  const size = quantityOf(objectAt(claim, 'spec', 'resources', 'requests'), 'storage') ?? zeroQuantity;
  const oldSize = quantityOf(objectAt(old, 'spec', 'resources', 'requests'), 'storage') ?? zeroQuantity;
  const provisioned = quantityOf(objectAt(old, 'status', 'capacity'), 'storage') ?? zeroQuantity;
  if (compareQuantity(size, oldSize) < 0 && compareQuantity(size, provisioned) <= 0) {
    const why = 'field can not be less than status.capacity';
    errors.push(forbiddenField('spec.resources.requests.storage', why));
  }
  checkImmutable(errors, 'volumeMode', valueAt(claim, 'spec', 'volumeMode'), before['volumeMode']);
}

function restore(object: JsonObject, from: JsonObject, field: string): void {
  if (from[field] === undefined) delete object[field];
  else object[field] = from[field];
}

/** As core ValidatePersistentVolumeSpec looks for them: the first that is there is checked. */
const sourceOrder = (
  'hostPath gcePersistentDisk awsElasticBlockStore glusterfs flocker nfs rbd quobyte cephfs iscsi cinder fc flexVolume ' +
  'azureFile vsphereVolume photonPersistentDisk portworxVolume azureDisk scaleIO local storageos csi'
).split(' ');

/** core ValidatePersistentVolumeSpec. */
export function checkVolumeSpec(errors: Errors, spec: JsonObject): void {
  checkAccessModes(errors, 'spec', spec, '');
  const capacity = objectAt(spec, 'capacity') ?? {};
  if (Object.keys(capacity).length === 0) errors.push(required('spec.capacity'));
  if (Object.keys(capacity).length > 1 || capacity['storage'] === undefined) {
    errors.push(notSupported('spec.capacity', spec['capacity'], ['storage']));
  }
  for (const name in capacity) {
    const at = keyPath('spec.capacity', name);
    const quantity = checkResourceAmount(errors, at, name, capacity[name]);
    if (quantity?.nano === 0n) errors.push(invalid(at, '0', 'must be greater than zero'));
  }
  checkOptionalChoice(
    errors,
    'spec.persistentVolumeReclaimPolicy',
    textAt(spec, 'persistentVolumeReclaimPolicy') || undefined,
    ['Delete', 'Recycle', 'Retain'],
  );
  const affinity = objectAt(spec, 'nodeAffinity');
  const needed = objectAt(affinity, 'required');
  if (needed !== undefined) checkNodeSelector(errors, 'spec.nodeAffinity.required', needed);
  else if (affinity !== undefined) {
    errors.push(required('spec.nodeAffinity.required', 'must specify required node constraints'));
  }
  checkSources(errors, 'spec', spec, affinity !== undefined);
  const className = textAt(spec, 'storageClassName');
  if (className !== '') checkName(errors, 'spec.storageClassName', className, dns1123Subdomain);
  checkOptionalChoice(errors, 'spec.volumeMode', valueAt(spec, 'volumeMode'), volumeModes);
  checkAttributesClass(errors, spec);
}

/** The same of a volume that is written where it is attached. */
export function checkInlineVolume(errors: Errors, path: string, spec: JsonObject): void {
  const forbid = (field: string, why = 'may not be specified in the context of inline volumes') =>
    errors.push(forbiddenField(`${path}.${field}`, why));
  if (spec['claimRef'] !== undefined) forbid('claimRef');
  if (Object.keys(objectAt(spec, 'capacity') ?? {}).length > 0) forbid('capacity');
  if (objectAt(spec, 'csi') === undefined)
    errors.push(required(`${path}.csi`, 'has to be specified in the context of inline volumes'));
  checkAccessModes(errors, path, spec, '');
  const policy = textAt(spec, 'persistentVolumeReclaimPolicy');
  if (policy !== '' && policy !== 'Retain')
    forbid('persistentVolumeReclaimPolicy', 'may only be Retain in the context of inline volumes');
  if (spec['nodeAffinity'] !== undefined) forbid('nodeAffinity');
  checkSources(errors, path, spec, false);
  if (textAt(spec, 'storageClassName') !== '') forbid('storageClassName');
  const mode = textAt(spec, 'volumeMode');
  if (mode !== '' && mode !== 'Filesystem')
    forbid('volumeMode', 'may not specify volumeMode other than Filesystem in the context of inline volumes');
}

function checkSources(errors: Errors, path: string, spec: JsonObject, hasAffinity: boolean): void {
  let count = 0;
  for (const kind of sourceOrder) {
    const source = objectAt(spec, kind);
    if (source === undefined) continue;
    // A flexVolume is counted and never refused for another beside it.
    if (count > 0 && kind !== 'flexVolume') {
      const at = kind === 'cephfs' ? `${path}.cephFS` : `${path}.${kind}`;
      errors.push(forbiddenField(at, 'may not specify more than 1 volume type'));
    } else checkVolumeSource(errors, path, kind, source, hasAffinity);
    count++;
  }
  if (count === 0) errors.push(required(path, 'must specify a volume type'));
  const rootPath = /^\/*$/.test(textAt(spec, 'hostPath', 'path'));
  const recycles = textAt(spec, 'persistentVolumeReclaimPolicy') === 'Recycle';
  if (objectAt(spec, 'hostPath') !== undefined && rootPath && recycles) {
    const why = "may not be 'recycle' for a hostPath mount of '/'";
    errors.push(forbiddenField(`${path}.persistentVolumeReclaimPolicy`, why));
  }
}

function checkAttributesClass(errors: Errors, spec: JsonObject): void {
  const attributes = valueAt(spec, 'volumeAttributesClassName');
  if (attributes === undefined) return;
  if (attributes === '') {
    errors.push(required('spec.volumeAttributesClassName', 'an empty string is disallowed'));
  } else checkName(errors, 'spec.volumeAttributesClassName', String(attributes), dns1123Subdomain);
  if (objectAt(spec, 'csi') === undefined) {
    errors.push(required('spec.csi', 'has to be specified when using volumeAttributesClassName'));
  }
}

function checkVolumeSource(
  errors: Errors,
  at: string,
  kind: string,
  source: JsonObject,
  hasAffinity: boolean,
): void {
  if (kind === 'local') {
    const path = textAt(source, 'path');
    if (path === '') errors.push(required(`${at}.local.path`));
    if (path.split('/').includes('..')) {
      errors.push(invalid(`${at}.local.path`, path, "must not contain '..'"));
    }
    if (!hasAffinity) errors.push(required(`${at}.nodeAffinity`, 'Local volume requires node affinity'));
  } else if (kind === 'csi') {
    checkDriverName(errors, `${at}.csi.driver`, textAt(source, 'driver'));
    if (textAt(source, 'volumeHandle') === '') errors.push(required(`${at}.csi.volumeHandle`));
    for (const field of Object.keys(source)) {
      if (!field.endsWith('SecretRef')) continue;
      for (const part of ['name', 'namespace']) {
        if (textAt(source, field, part) === '') errors.push(required(`${at}.csi.${field}.${part}`));
      }
    }
  } else if (kind === 'iscsi') checkIscsi(errors, `${at}.iscsi`, source, true);
  else {
    sharedSourceChecks[kind]!(errors, `${at}.${kind}`, source);
    persistentSourceChecks[kind]?.(errors, `${at}.${kind}`, source);
  }
}

/** What PersistentVolumes ask beyond pods: namespaces, since they are in none. */
const persistentSourceChecks: { readonly [kind: string]: SourceCheck } = {
  azureFile: (errors, path, source) => {
    if (valueAt(source, 'secretNamespace') === '') errors.push(required(`${path}.secretNamespace`));
  },
  cinder: requireSecretNamespace,
  storageos: requireSecretNamespace,
  glusterfs: (errors, path, source) => {
    const namespace = valueAt(source, 'endpointsNamespace');
    if (typeof namespace !== 'string') return;
    const at = `${path}.endpointsNamespace`;
    const why = 'if the endpointnamespace is set, it must be a valid namespace name';
    if (namespace === '') errors.push(invalid(at, namespace, why));
    else checkName(errors, at, namespace, dns1123Label);
  },
};

function requireSecretNamespace(errors: Errors, path: string, source: JsonObject): void {
  const secret = objectAt(source, 'secretRef');
  if (secret !== undefined && textAt(secret, 'namespace') === '')
    errors.push(required(`${path}.secretRef.namespace`));
}

/** core ValidatePersistentVolumeUpdate, beyond what always holds. */
export function checkVolumeChange(errors: Errors, volume: KubeObject, old: KubeObject): void {
  const spec = specOf(volume);
  // Once more, as Kubernetes does.
  checkVolumeSpec(errors, spec);
  const before = specOf(old);
  const changed = sourceOrder.some((kind) => {
    const source = { ...objectAt(spec, kind) };
    if (kind === 'csi' && objectAt(before, 'csi', 'controllerExpandSecretRef') === undefined) {
      delete source['controllerExpandSecretRef'];
    }
    return !equalJson(objectAt(spec, kind) === undefined ? undefined : source, before[kind]);
  });
  if (changed) {
    const why = 'spec.persistentvolumesource is immutable after creation\n';
    errors.push(forbiddenField('spec.persistentvolumesource', why));
  }
  checkImmutable(errors, 'volumeMode', spec['volumeMode'], before['volumeMode']);
  if (before['nodeAffinity'] !== undefined && !equalJson(spec['nodeAffinity'], before['nodeAffinity'])) {
    errors.push(invalid('nodeAffinity', spec['nodeAffinity'], 'field is immutable'));
  }
  if (before['volumeAttributesClassName'] !== undefined && spec['volumeAttributesClassName'] === undefined) {
    const why = 'update from non-nil value to nil is forbidden';
    errors.push(forbiddenField('spec.volumeAttributesClassName', why));
  }
}

const resizeStates = [
  'ControllerResizeInProgress',
  'ControllerResizeInfeasible',
  'NodeResizePending',
  'NodeResizeInProgress',
  'NodeResizeInfeasible',
].sort();

/** core ValidatePersistentVolumeClaimStatusUpdate. */
export function checkClaimStatus(errors: Errors, claim: KubeObject): void {
  const status = objectAt(claim, 'status');
  const capacity = objectAt(status, 'capacity') ?? {};
  for (const name in capacity) checkBasicAmount(errors, keyPath('status.capacity', name), capacity, name);
  const states = objectAt(status, 'allocatedResourceStatuses') ?? {};
  const statesAt = 'status.allocatedResourceStatuses';
  for (const name in states) {
    checkClaimResource(errors, statesAt, name);
    // The key is told, as in Kubernetes.
    if (!resizeStates.includes(String(states[name]))) errors.push(notSupported(statesAt, name, resizeStates));
  }
  const allocated = objectAt(status, 'allocatedResources') ?? {};
  for (const name in allocated) {
    if (!checkClaimResource(errors, 'status.allocatedResources', name)) continue;
    const at = keyPath('status.allocatedResources', name);
    if (checkBasicAmount(errors, at, allocated, name)) {
      checkResourceAmount(errors, at, 'storage', allocated[name]);
    }
  }
}

function checkBasicAmount(errors: Errors, at: string, amounts: JsonObject, name: string): boolean {
  const quantity = quantityOf(amounts, name);
  if (quantity === undefined || quantity.nano >= 0n) return true;
  errors.push(invalid(at, Number(quantityValue(quantity)), 'must be a valid resource quantity'));
  return false;
}

/** Of Kubernetes' own names only `storage`. */
function checkClaimResource(errors: Errors, at: string, name: string): boolean {
  const before = errors.length;
  checkName(errors, at, name, labelKey);
  if (errors.length > before) return false;
  if (!isNative(name) || name === 'storage') return true;
  errors.push(notSupported(at, name, ['storage']));
  return false;
}
