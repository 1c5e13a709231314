import {
  type FieldError,
  forbiddenField,
  invalid,
  required,
  tooLong,
  typeInvalid,
} from '#apimachinery/field-error.ts';
import type { JsonValue } from '#apimachinery/json.ts';
import { equalJson, isJsonObject } from '#apimachinery/json.ts';
import {
  dns1123Label,
  dns1123Subdomain,
  labelKey,
  labelValue,
  type NameValidator,
  pathSegmentName,
} from '#apimachinery/names.ts';
import type { ObjectMeta } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { isQualifiedFinalizer } from '#apimachinery/standard-finalizers.ts';

/** All annotations of an object together, keys and values (KUBERNETES.md O4). */
export const annotationBytesMax = 256 * 1024;

/**
 * What is wrong with the shape of `metadata`, before anything relies on its types: Kubernetes finds these while
 * decoding and answers 400.
 */
export function metadataTypeErrors(metadata: {
  readonly [key: string]: JsonValue | undefined;
}): FieldError[] {
  const errors: FieldError[] = [];
  if (isPlain(metadata)) return errors;
  for (const key of textFields) {
    const value = metadata[key];
    if (value !== undefined && value !== null && typeof value !== 'string') {
      errors.push(typeInvalid(`metadata.${key}`, value, 'must be a string'));
    }
  }
  for (const key of timeFields) {
    const value = metadata[key];
    if (value === undefined || value === null) continue;
    if (typeof value !== 'string' || !rfc3339.test(value)) {
      errors.push(typeInvalid(`metadata.${key}`, value, 'must be a time as RFC 3339 has it'));
    }
  }
  for (const key of integerFields) {
    const value = metadata[key];
    if (value !== undefined && value !== null && !Number.isInteger(value)) {
      errors.push(typeInvalid(`metadata.${key}`, value, 'must be an integer'));
    }
  }
  for (const key of ['labels', 'annotations'] as const)
    textMapErrors(metadata[key], `metadata.${key}`, errors);
  listErrors(metadata['finalizers'], 'metadata.finalizers', (one) => typeof one === 'string', errors);
  listErrors(metadata['ownerReferences'], 'metadata.ownerReferences', isOwnerReference, errors);
  listErrors(metadata['managedFields'], 'metadata.managedFields', isJsonObject, errors);
  return errors;
}

/** Whether there are nothing but texts and maps of texts, as of most new objects: goes by what is there. */
function isPlain(metadata: { readonly [key: string]: JsonValue | undefined }): boolean {
  for (const key in metadata) {
    const value = metadata[key];
    switch (key) {
      case 'name':
      case 'generateName':
      case 'namespace':
        if (typeof value !== 'string') return false;
        break;
      case 'labels':
      case 'annotations':
        if (value === undefined || !isJsonObject(value)) return false;
        for (const one in value) if (typeof value[one] !== 'string') return false;
        break;
      default:
        return false;
    }
  }
  return true;
}

const textFields = ['name', 'generateName', 'namespace', 'uid', 'resourceVersion', 'selfLink'] as const;
const timeFields = ['creationTimestamp', 'deletionTimestamp'] as const;
const integerFields = ['generation', 'deletionGracePeriodSeconds'] as const;
const rfc3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

function textMapErrors(value: JsonValue | undefined, field: string, errors: FieldError[]): void {
  if (value === undefined || value === null) return;
  if (!isJsonObject(value)) {
    errors.push(typeInvalid(field, value, 'must be a map of strings'));
    return;
  }
  for (const key in value) {
    const one = value[key];
    if (typeof one !== 'string' && one !== null) {
      errors.push(typeInvalid(`${field}.${key}`, one, 'must be a string'));
    }
  }
}

function listErrors(
  value: JsonValue | undefined,
  field: string,
  isRight: (one: JsonValue) => boolean,
  errors: FieldError[],
): void {
  if (value === undefined || value === null) return;
  if (!Array.isArray(value)) {
    errors.push(typeInvalid(field, value, 'must be a list'));
    return;
  }
  value.forEach((one, index) => {
    if (!isRight(one)) errors.push(typeInvalid(`${field}[${index}]`, one, 'has the wrong type'));
  });
}

function isOwnerReference(value: JsonValue): boolean {
  if (!isJsonObject(value)) return false;
  for (const key of ['apiVersion', 'kind', 'name', 'uid']) {
    const one = value[key];
    if (one !== undefined && one !== null && typeof one !== 'string') return false;
  }
  for (const key of ['controller', 'blockOwnerDeletion']) {
    const one = value[key];
    if (one !== undefined && one !== null && typeof one !== 'boolean') return false;
  }
  return true;
}

/** Drops nulls and empty maps and lists, as a typed decoder would; in place. */
export function normalizeMetadata(metadata: ObjectMeta): void {
  for (const key in metadata) {
    const value = metadata[key];
    if (value === null) {
      delete metadata[key];
    } else if (key === 'labels' || key === 'annotations') {
      const map = value as { [key: string]: string | null };
      let count = 0;
      for (const one in map) {
        if (map[one] === null) map[one] = '';
        count++;
      }
      if (count === 0) delete metadata[key];
    } else if (key === 'finalizers' || key === 'ownerReferences') {
      if ((value as JsonValue[]).length === 0) delete metadata[key];
    } else if (value === '') {
      delete metadata[key];
    }
  }
  if ('selfLink' in metadata) delete metadata['selfLink'];
}

/** What of a kind its objects' metadata is checked by. */
export type MetadataRules = Pick<ResourceDefinition, 'group' | 'namespaced' | 'origin'> & {
  readonly strategy: Pick<ResourceDefinition['strategy'], 'validateName' | 'metadataLooks' | 'prefixIsFree'>;
};

/** Kubernetes' ValidateObjectMeta (KUBERNETES.md O4): everything that is wrong with the metadata of an object at rest. */
export function validateMetadata(metadata: ObjectMeta, definition: MetadataRules): FieldError[] {
  const { validateName = dns1123Subdomain, metadataLooks, prefixIsFree } = definition.strategy;
  // Where the kind does not look, all that fits a key is taken (rest.BeforeCreate).
  const isUnseen = metadataLooks === 'none';
  const errors = identityErrors(
    metadata,
    definition,
    isUnseen ? pathSegmentName : validateName,
    prefixIsFree === true ? pathSegmentName : undefined,
  );
  generationErrors(metadata, errors);
  commonErrors(metadata, errors);
  finalizerErrors(metadata, errors);
  if (!isUnseen) domainErrors(metadata, definition, errors);
  return errors;
}

/** Names and namespace. */
function identityErrors(
  metadata: ObjectMeta,
  definition: Pick<MetadataRules, 'namespaced'>,
  validateName: NameValidator,
  validatePrefix: NameValidator = validateName,
): FieldError[] {
  const errors: FieldError[] = [];
  const { name, generateName, namespace } = metadata;
  if (generateName !== undefined) {
    // A trailing dash is fine in a prefix: something will follow. Upstream puts an `a` for it and what is before it.
    for (const why of validatePrefix(generateName.replace(/.-$/, 'a'))) {
      errors.push(invalid('metadata.generateName', generateName, why));
    }
  }
  if (name === undefined || name === '') {
    errors.push(required('metadata.name', 'name or generateName is required'));
  } else {
    const wrong = validateName(name);
    for (const why of wrong) errors.push(invalid('metadata.name', name, why));
    // What a kind's own rule lets pass must still be fit for a key.
    if (wrong.length === 0 && !keySafe.test(name))
      errors.push(invalid('metadata.name', name, 'may not contain slashes or control characters'));
  }
  if (definition.namespaced) {
    if (namespace === undefined || namespace === '') errors.push(required('metadata.namespace'));
    else
      for (const why of dns1123Label(namespace)) errors.push(invalid('metadata.namespace', namespace, why));
  } else if (namespace !== undefined && namespace !== '') {
    errors.push(forbiddenField('metadata.namespace', 'not allowed on this type'));
  }
  return errors;
}

function generationErrors({ generation }: ObjectMeta, errors: FieldError[]): void {
  if (generation === undefined || generation >= 0) return;
  errors.push(invalid('metadata.generation', generation, 'must be greater than or equal to 0'));
}

/** What is looked at in a whole and in a change. */
function commonErrors(metadata: ObjectMeta, errors: FieldError[]): void {
  labelErrors(metadata.labels, errors);
  annotationErrors(metadata.annotations, errors);
  ownerErrors(metadata, errors);
}

/** No slash and no control character: what a storage key may hold (storage/keys.ts). */
const keySafe = /^[^/\u0000-\u001f\u007f]*$/;

function labelErrors(labels: ObjectMeta['labels'], errors: FieldError[]): void {
  for (const key in labels) {
    for (const why of labelKey(key)) errors.push(invalid('metadata.labels', key, why));
    for (const why of labelValue(labels[key]!)) errors.push(invalid('metadata.labels', labels[key], why));
  }
}

function annotationErrors(annotations: ObjectMeta['annotations'], errors: FieldError[]): void {
  let bytes = 0;
  for (const key in annotations) {
    for (const why of labelKey(key.toLowerCase())) errors.push(invalid('metadata.annotations', key, why));
    bytes += Buffer.byteLength(key) + Buffer.byteLength(annotations[key]!);
  }
  if (bytes > annotationBytesMax) errors.push(tooLong('metadata.annotations', annotationBytesMax));
}

function ownerErrors(metadata: ObjectMeta, errors: FieldError[]): void {
  const owners = metadata.ownerReferences;
  if (owners === undefined) return;
  let controller: string | undefined;
  // Without an index, as Kubernetes tells it.
  const field = 'metadata.ownerReferences';
  owners.forEach((owner) => {
    const { apiVersion, kind, name } = owner;
    if (!apiVersion)
      errors.push(invalid(`${field}.apiVersion`, apiVersion ?? '', 'version must not be empty'));
    for (const key of ['kind', 'name', 'uid'] as const)
      if (!owner[key]) errors.push(invalid(`${field}.${key}`, '', 'must not be empty'));
    if (apiVersion === 'v1' && kind === 'Event') {
      errors.push(invalid(field, owner, '/v1, Kind=Event is disallowed from being an owner'));
    }
    if (owner.controller !== true) return;
    if (controller !== undefined) {
      const why = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${kind}/${name}`;
      errors.push(invalid(field, owners, why));
    } else controller = `${kind}/${name}`;
  });
}

/** Groups of built-in kinds whose metadata is checked without core/validation: any label key is a finalizer there. */
const laxGroups: ReadonlySet<string> = new Set([
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'policy',
]);

function finalizerErrors({ finalizers }: ObjectMeta, errors: FieldError[]): void {
  if (finalizers === undefined) return;
  // Without an index, as apimachinery's ValidateFinalizerName tells it; core/validation's own rule has one.
  for (const finalizer of finalizers)
    for (const why of labelKey(finalizer)) errors.push(invalid('metadata.finalizers', finalizer, why));
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    const why = 'finalizer orphan and foregroundDeletion cannot be both set';
    errors.push(invalid('metadata.finalizers', finalizers, why));
  }
}

function domainErrors(
  { finalizers }: ObjectMeta,
  { origin, group }: Pick<MetadataRules, 'origin' | 'group'>,
  errors: FieldError[],
): void {
  if (finalizers === undefined || origin !== 'builtin' || laxGroups.has(group)) return;
  finalizers.forEach((finalizer, index) => {
    if (isQualifiedFinalizer(finalizer)) return;
    const why = 'name is neither a standard finalizer name nor is it fully qualified';
    errors.push(invalid(`metadata.finalizers[${index}]`, finalizer, why));
  });
}

/**
 * What is wrong with the metadata of an update: all kinds' is looked at as a whole and for its change, with any name that
 * fits a path (rest.BeforeUpdate); then by the kind's own validation, which mostly finds the same again. `/status` has of
 * it the change alone.
 */
export function updatedMetadataErrors(
  metadata: ObjectMeta,
  old: ObjectMeta,
  definition: MetadataRules,
  subresource: string,
): FieldError[] {
  const whole = validateMetadata(metadata, definition);
  const change = validateMetadataUpdate(metadata, old);
  if (whole.length === 0 && change.length === 0) return [];
  commonErrors(metadata, change);
  const errors = identityErrors(metadata, definition, pathSegmentName);
  generationErrors(metadata, errors);
  commonErrors(metadata, errors);
  finalizerErrors(metadata, errors);
  errors.push(...change);
  const { metadataLooks = 'change' } = definition.strategy;
  const looks = subresource === 'status' && metadataLooks !== 'none' ? 'change' : metadataLooks;
  if (looks === 'whole first') errors.push(...whole);
  if (looks === 'change' || looks === 'both' || looks === 'whole first') {
    errors.push(...change);
    domainErrors(metadata, definition, errors);
  }
  if (looks === 'whole' || looks === 'both' || looks === 'twice') errors.push(...whole);
  if (looks === 'twice') errors.push(...whole);
  return errors;
}

/**
 * Kubernetes' ValidateObjectMetaUpdate: identity does not change, and a dying object gains no finalizers (X3). Empty
 * fields have been filled from `old` before.
 */
export function validateMetadataUpdate(metadata: ObjectMeta, old: ObjectMeta): FieldError[] {
  const errors: FieldError[] = [];
  for (const key of ['name', 'namespace', 'uid', 'creationTimestamp'] as const) {
    if (metadata[key] !== old[key]) {
      errors.push(invalid(`metadata.${key}`, metadata[key], 'field is immutable'));
    }
  }
  for (const key of ['deletionTimestamp', 'deletionGracePeriodSeconds'] as const) {
    if (!equalJson(metadata[key], old[key])) {
      errors.push(invalid(`metadata.${key}`, metadata[key], 'field is immutable'));
    }
  }
  if (old.deletionTimestamp !== undefined && metadata.finalizers !== undefined) {
    const added = metadata.finalizers.filter((one) => old.finalizers?.includes(one) !== true);
    if (added.length > 0) {
      const list = `[]string{${added.map((one) => JSON.stringify(one)).join(', ')}}`;
      const why = `no new finalizers can be added if the object is being deleted, found new finalizers ${list}`;
      errors.push(forbiddenField('metadata.finalizers', why));
    }
  }
  return errors;
}
