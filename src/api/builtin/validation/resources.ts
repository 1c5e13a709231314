import { forbiddenField, invalid, notSupported, required } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { labelKey } from '#apimachinery/names.ts';
import {
  compareQuantity,
  formatQuantity,
  type Quantity,
  quantityIn,
  quantityMilliValue,
  quantityValue,
  zeroQuantity,
} from '#apimachinery/quantity.ts';
import { objectAt, objectsAt, textAt } from '../read.ts';
import { checkDnsLabel, checkQuantity, type Errors, keyPath, notFoundField } from './common.ts';

/** Rules of resource names and amounts (source: Kubernetes' pkg/apis/core/helper and core/validation). */

const containerResources: ReadonlySet<string> = new Set(['cpu', 'memory', 'ephemeral-storage']);

const countedResources: ReadonlySet<string> = new Set([
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
]);

const quotaResources: ReadonlySet<string> = new Set([
  ...containerResources,
  ...countedResources,
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
]);

const isHugePages = (name: string): boolean => name.startsWith('hugepages-');
/** Of Kubernetes' own, rather than a vendor's. */
export const isNative = (name: string): boolean => !name.includes('/') || name.includes('kubernetes.io/');

function isStandard(name: string): boolean {
  return name === 'storage' || isStandardQuotaResource(name);
}

export function isStandardQuotaResource(name: string): boolean {
  return quotaResources.has(name) || isHugePages(name) || name.startsWith('requests.hugepages-');
}

export function isExtended(name: string): boolean {
  return !isNative(name) && !name.startsWith('requests.') && labelKey(`requests.${name}`).length === 0;
}

/** Whether more may be limited than is requested. */
export function allowsOvercommit(name: string): boolean {
  return isNative(name) && !isHugePages(name);
}

/** Returns whether the name was fine. */
export function checkResourceName(errors: Errors, field: string, name: string): boolean {
  const messages = labelKey(name);
  for (const message of messages) errors.push(invalid(field, name, message));
  if (messages.length > 0) return false;
  if (name.includes('/') || isStandard(name)) return true;
  errors.push(invalid(field, name, 'must be a standard resource type or fully qualified'));
  return false;
}

export function checkContainerResourceName(errors: Errors, field: string, name: string): void {
  checkResourceName(errors, field, name);
  if (!name.includes('/')) {
    if (!containerResources.has(name) && !isHugePages(name)) {
      errors.push(invalid(field, name, 'must be a standard resource for containers'));
    }
  } else if (!isNative(name) && !isExtended(name)) {
    errors.push(invalid(field, name, "doesn't follow extended resource name standard"));
  }
}

export function checkQuotaResourceName(errors: Errors, field: string, name: string): void {
  checkResourceName(errors, field, name);
  if (!name.includes('/') && !isStandardQuotaResource(name)) {
    errors.push(invalid(field, name, 'must be a standard resource for quota'));
  }
}

/** Not negative, and whole for what is counted (ValidateResourceQuantityValue). */
export function checkResourceAmount(
  errors: Errors,
  field: string,
  name: string,
  value: JsonObject[string],
): Quantity | undefined {
  const quantity = checkQuantity(errors, field, value);
  if (quantity === undefined) return undefined;
  if (quantity.nano < 0n) {
    errors.push(invalid(field, formatQuantity(quantity), 'must be greater than or equal to 0'));
  }
  if ((countedResources.has(name) || isExtended(name)) && quantityMilliValue(quantity) % 1000n !== 0n) {
    errors.push(invalid(field, formatQuantity(quantity), 'must be an integer'));
  }
  return quantity;
}

export function quantityOf(list: JsonObject | undefined, name: string): Quantity | undefined {
  return quantityIn(list?.[name]);
}

function checkHugePages(errors: Errors, field: string, name: string, quantity: Quantity | undefined): void {
  if (quantity === undefined || !isHugePages(name)) return;
  const size = quantityOf({ size: name.slice('hugepages-'.length) }, 'size');
  const divisible =
    size !== undefined &&
    compareQuantity(size, zeroQuantity) > 0 &&
    quantityMilliValue(size) % 1000n === 0n &&
    quantityValue(quantity) % quantityValue(size) === 0n;
  if (divisible) return;
  const text = formatQuantity(quantity);
  errors.push(invalid(field, text, `${text} is not positive integer multiple of ${name}`));
}

/** ResourceRequirements of a container, or of a pod as a whole (validateResourceRequirements). */
export function checkRequirements(
  errors: Errors,
  path: string,
  requirements: JsonObject | undefined,
  podClaims: ReadonlySet<string>,
  ofPod = false,
): void {
  if (requirements === undefined) return;
  const limits = objectAt(requirements, 'limits');
  const requests = objectAt(requirements, 'requests');
  let hasCompute = false;
  let hasHugePages = false;
  const checkOne = (list: JsonObject, part: string, name: string): Quantity | undefined => {
    if (name === 'cpu' || name === 'memory') {
      hasCompute = true;
      // Both are fine by their names, and neither is counted in whole ones.
      const amount = quantityOf(list, name);
      if (amount !== undefined && amount.nano >= 0n) return amount;
    }
    const value = list[name];
    const field = keyPath(`${path}.${part}`, name);
    if (ofPod) checkPodResourceName(errors, field, name);
    else checkContainerResourceName(errors, field, name);
    const quantity = checkResourceAmount(errors, field, name, value);
    checkHugePages(errors, field, name, quantity);
    hasHugePages ||= isHugePages(name);
    return quantity;
  };
  for (const name in limits) checkOne(limits, 'limits', name);
  for (const name in requests) {
    const quantity = checkOne(requests, 'requests', name);
    const limit = quantityOf(limits, name);
    if (limits?.[name] === undefined) {
      if (!allowsOvercommit(name)) {
        errors.push(required(`${path}.limits`, 'Limit must be set for non overcommitable resources'));
      }
    } else if (quantity !== undefined && limit !== undefined) {
      const order = compareQuantity(quantity, limit);
      if (order === 0 || (order < 0 && allowsOvercommit(name))) continue;
      const text = formatQuantity(limit);
      if (!allowsOvercommit(name)) {
        errors.push(
          invalid(`${path}.requests`, formatQuantity(quantity), `must be equal to ${name} limit of ${text}`),
        );
      } else {
        errors.push(
          invalid(
            `${path}.requests`,
            formatQuantity(quantity),
            `must be less than or equal to ${name} limit of ${text}`,
          ),
        );
      }
    }
  }
  if (hasHugePages && !hasCompute) errors.push(forbiddenField(path, 'HugePages require cpu or memory'));
  checkClaims(errors, `${path}.claims`, requirements, podClaims);
}

function checkPodResourceName(errors: Errors, field: string, name: string): void {
  if (!checkResourceName(errors, field, name)) return;
  if (name !== 'cpu' && name !== 'memory' && !isHugePages(name)) {
    errors.push(notSupported(field, name, ['cpu', 'hugepages-', 'memory']));
  }
}

function checkClaims(
  errors: Errors,
  path: string,
  requirements: JsonObject,
  podClaims: ReadonlySet<string>,
): void {
  const claims = objectsAt(requirements, 'claims');
  if (claims.length === 0) return;
  const seen = new Set<string>();
  claims.forEach((claim, i) => {
    const field = `${path}[${i}]`;
    const name = textAt(claim, 'name');
    const request = textAt(claim, 'request');
    if (name === '') {
      errors.push(required(field));
      return;
    }
    if (request !== '') checkDnsLabel(errors, `${field}.request`, request);
    const key = request === '' ? name : `${name}/${request}`;
    const isRepeated =
      seen.has(name) ||
      seen.has(key) ||
      (request === '' && [...seen].some((one) => one.startsWith(`${name}/`)));
    if (isRepeated) {
      errors.push({
        type: 'FieldValueDuplicate',
        field,
        message: `Duplicate value: ${JSON.stringify(seen.has(name) ? name : key)}`,
      });
    }
    seen.add(key);
    if (podClaims.has(name)) return;
    const known = podClaims.size === 0 ? ' which is empty' : `: ${[...podClaims].sort().join(', ')}`;
    const error = notFoundField(field, name);
    errors.push({
      ...error,
      message: `${error.message}: must be one of the names in pod.spec.resourceClaims${known}`,
    });
  });
}
