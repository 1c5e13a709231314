import { invalid, notSupported, required } from '#apimachinery/field-error.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { labelKey } from '#apimachinery/names.ts';
import { canonicalQuantity, isQuantity } from '#apimachinery/quantity.ts';
import { numberAt, objectAt, textAt, valueAt } from '../read.ts';
import { checkName, checkNonReservedPath, type Errors, requireText } from './common.ts';
import { checkMode } from './volume-files.ts';

const volumeFields = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];

export function checkDownwardFile(errors: Errors, path: string, file: JsonObject): void {
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
