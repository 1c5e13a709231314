import { duplicate, forbiddenField, invalid, required } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { dns1123Subdomain } from '#apimachinery/names.ts';
import { numberAt, objectAt, objectsAt, textAt, valueAt } from '../read.ts';
import {
  checkChoice,
  checkDescendingPath,
  checkDnsLabel,
  checkName,
  type Errors,
  requireText,
} from './common.ts';
import { checkDownwardFile } from './downward-fields.ts';
import { checkClaimSpec, checkTemplateMeta } from './persistent-volumes.ts';
import { checkProjected } from './projected-volumes.ts';
import { quantityOf } from './resources.ts';
import { checkKeys, checkMode } from './volume-files.ts';
import { checkDriverName, requires, type SourceCheck, sharedSourceChecks } from './volume-sources.ts';

/** Names of a pod's volumes that are valid, with their sources: what mounts may refer to. */
export type KnownVolumes = ReadonlyMap<string, JsonObject>;

/** The pod's metadata where there is a pod; templates have none. */
export type PodMeta = { readonly name?: string; readonly annotations?: JsonObject } | undefined;

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
  for (const kind of sourceOrder) {
    const source = objectAt(volume, kind);
    if (source === undefined) continue;
    if (count > 0) {
      const told = `${at}.${toldAs[kind] ?? kind}`;
      errors.push(forbiddenField(told, 'may not specify more than 1 volume type'));
    } else sourceChecks[kind]!(errors, `${at}.${kind}`, source);
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

/** As core validateVolumeSource looks for them: the first that is there is checked. */
const sourceOrder = (
  'emptyDir hostPath gitRepo gcePersistentDisk awsElasticBlockStore secret nfs iscsi glusterfs flocker ' +
  'persistentVolumeClaim rbd cinder cephfs quobyte downwardAPI fc flexVolume configMap azureFile vsphereVolume ' +
  'photonPersistentDisk portworxVolume azureDisk storageos projected scaleIO csi ephemeral image'
).split(' ');

/** Sources that Kubernetes calls otherwise where they stand beside another one. */
const toldAs: { readonly [kind: string]: string } = { cephfs: 'cephFS', downwardAPI: 'downwarAPI' };

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
  image: (errors, path, source) => {
    // A template may leave to others which image it is; a pod may not.
    if (path.startsWith('spec.volumes[')) requires('reference')(errors, path, source);
    checkChoice(errors, `${path}.pullPolicy`, valueAt(source, 'pullPolicy'), [
      'Always',
      'IfNotPresent',
      'Never',
    ]);
  },
};
