import { booleanAt, textAt, valueAt } from '#api/builtin/read.ts';
import { forbidden } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { compareQuantity, isQuantity, parseQuantity, type Quantity } from '#apimachinery/quantity.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { objectKey } from '#storage/keys.ts';
import { objectOf } from '../registry/stored-object.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { concerns } from './concerns.ts';

const claims = { group: '', resource: 'persistentvolumeclaims' };
const classAnnotation = 'volume.beta.kubernetes.io/storage-class';
const why =
  'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize';

/**
 * Kubernetes' PersistentVolumeClaimResize (KUBERNETES.md A4): a claim grows only while it is bound, and only when its
 * StorageClass allows that. In a project a class that the project does not have is the cells': there each cell decides.
 */
export class ClaimResize implements AdmissionPlugin {
  readonly name = 'PersistentVolumeClaimResize';
  readonly kinds = [claims];
  readonly #storage: CachedStorage;

  constructor(storage: CachedStorage) {
    this.#storage = storage;
  }

  handles(attributes: AdmissionAttributes): boolean {
    return concerns(attributes, 'UPDATE', claims);
  }

  validate({ context, object, oldObject }: AdmissionAttributes): undefined {
    if (object === undefined || oldObject === undefined) return undefined;
    const before = requestOf(oldObject);
    const after = requestOf(object);
    if (before === undefined || after === undefined || compareQuantity(after, before) <= 0) return undefined;
    const { definition } = context.served;
    if (textAt(oldObject, 'status', 'phase') !== 'Bound') {
      throw forbidden(definition, context.name, 'Only bound persistent volume claims can be expanded');
    }
    const name = classOf(object);
    const isSame = name !== '' && name === classOf(oldObject);
    const entry = isSame ? this.#storage.peek(classKey(context.workspace!.id, name)) : undefined;
    if (isSame && entry === undefined && context.workspace!.type === 'project') return undefined;
    if (entry === undefined || booleanAt(objectOf(entry), 'allowVolumeExpansion') !== true) {
      throw forbidden(definition, context.name, why);
    }
    return undefined;
  }
}

function classKey(clusterId: string, name: string) {
  return objectKey({
    group: 'storage.k8s.io',
    resource: 'storageclasses',
    clusterId,
    namespace: '',
    name,
  });
}

function classOf(claim: KubeObject): string {
  return claim.metadata.annotations?.[classAnnotation] ?? textAt(claim, 'spec', 'storageClassName');
}

function requestOf(claim: KubeObject): Quantity | undefined {
  const value = valueAt(claim, 'spec', 'resources', 'requests', 'storage');
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  return isQuantity(value) ? parseQuantity(value) : undefined;
}
