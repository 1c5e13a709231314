import { type FieldError, forbiddenField, invalid, required } from '#apimachinery/field-error.ts';
import { parseFieldSelector } from '#apimachinery/field-selector.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { parseLabelSelector } from '#apimachinery/label-selector.ts';
import { labelKey, labelValue } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';

/**
 * What is wrong with a SubjectAccessReview, a SelfSubjectAccessReview or a LocalSubjectAccessReview (origin:
 * `pkg/apis/authorization/validation`). `namespace`: of the request; of a LocalSubjectAccessReview only.
 */
export function accessReviewErrors(object: KubeObject, namespace: string): FieldError[] {
  const given = object['spec'];
  const spec: JsonObject = isJsonObject(given) ? given : {};
  const errors: FieldError[] = [];
  const resource = spec['resourceAttributes'];
  const nonResource = spec['nonResourceAttributes'];
  if (isJsonObject(resource) && isJsonObject(nonResource)) {
    const why = 'cannot be specified in combination with resourceAttributes';
    errors.push(invalid('spec.nonResourceAttributes', shownPath(nonResource), why));
  }
  if (!isJsonObject(resource) && !isJsonObject(nonResource)) {
    const why = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
    errors.push(invalid('spec.resourceAttributes', null, why));
  }
  if (object.kind !== 'SelfSubjectAccessReview' && isEmptyText(spec['user']) && !hasItems(spec['groups'])) {
    errors.push(invalid('spec.user', '', 'at least one of user or group must be specified'));
  }
  if (isJsonObject(resource)) errors.push(...selectorErrors(resource));
  errors.push(...metadataErrors(object));
  if (object.kind === 'LocalSubjectAccessReview') errors.push(...localErrors(spec, namespace));
  return errors;
}

/** A NonResourceAttributes as Kubernetes' internal type shows itself in a message. */
function shownPath(attributes: JsonObject): JsonObject {
  return { Path: attributes['path'] ?? '', Verb: attributes['verb'] ?? '' };
}

function localErrors(spec: JsonObject, namespace: string): FieldError[] {
  const errors: FieldError[] = [];
  const resource = spec['resourceAttributes'];
  const nonResource = spec['nonResourceAttributes'];
  if (isJsonObject(resource)) {
    const asked = resource['namespace'] ?? '';
    if (asked !== namespace) {
      errors.push(invalid('spec.resourceAttributes.namespace', asked, 'must match metadata.namespace'));
    }
  }
  if (isJsonObject(nonResource)) {
    const why = 'disallowed on this kind of request';
    errors.push(invalid('spec.nonResourceAttributes', shownPath(nonResource), why));
  }
  return errors;
}

/** A review is of no name, no labels, nothing: it is never kept. A namespace may stand where the path has one. */
function metadataErrors({ metadata, kind }: KubeObject): FieldError[] {
  const isLocal = kind === 'LocalSubjectAccessReview';
  for (const key in metadata) {
    // A namespace that is not the path's is refused or dropped before.
    if (key === 'managedFields' || key === 'namespace') continue;
    const value = metadata[key];
    if (value === undefined || value === null || value === '') continue;
    const why = isLocal ? 'must be empty except for namespace' : 'must be empty';
    return [invalid('metadata', metadata, why)];
  }
  return [];
}

function selectorErrors(attributes: JsonObject): FieldError[] {
  const errors: FieldError[] = [];
  for (const name of ['fieldSelector', 'labelSelector'] as const) {
    const selector = attributes[name];
    if (!isJsonObject(selector)) continue;
    const field = `spec.resourceAttributes.${name}`;
    const raw = selector['rawSelector'];
    const requirements = selector['requirements'];
    const list = Array.isArray(requirements) ? requirements : [];
    if (!isEmptyText(raw) && list.length > 0) {
      errors.push(invalid(`${field}.rawSelector`, raw, 'may not specified at the same time as requirements'));
    }
    if (isEmptyText(raw) && list.length === 0) {
      const why = `when ${field} is specified, requirements or rawSelector is required`;
      errors.push(required(`${field}.requirements`, why));
    }
    list.forEach((one, index) => {
      const at = `${field}.requirements[${index}]`;
      if (isJsonObject(one)) errors.push(...requirementErrors(one, at, name === 'labelSelector'));
    });
  }
  return errors;
}

/** Operators that nobody knows yet are let through: authorizers pass them over (apimachinery `ValidateLabelSelectorRequirement`). */
function requirementErrors(requirement: JsonObject, field: string, isLabel: boolean): FieldError[] {
  const errors: FieldError[] = [];
  const { operator, key, values } = requirement;
  const list = Array.isArray(values) ? values : [];
  const name = typeof key === 'string' ? key : '';
  if (!isLabel && name === '') errors.push(required(`${field}.key`, 'must be specified'));
  if ((operator === 'In' || operator === 'NotIn') && list.length === 0) {
    errors.push(required(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  }
  if ((operator === 'Exists' || operator === 'DoesNotExist') && list.length > 0) {
    const why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
    errors.push(forbiddenField(`${field}.values`, why));
  }
  if (!isLabel) return errors;
  for (const why of labelKey(name)) errors.push(invalid(`${field}.key`, name, why));
  list.forEach((value, index) => {
    for (const why of typeof value === 'string' ? labelValue(value) : []) {
      errors.push(invalid(`${field}.values[${index}]`, value, why));
    }
  });
  return errors;
}

const labelOperators = new Set(['In', 'NotIn', 'Exists', 'DoesNotExist']);

/** What a status says of selectors that could not be read and were passed over; undefined when there are none. */
export function selectorEvaluationError(attributes: JsonObject): string | undefined {
  const texts: string[] = [];
  for (const name of ['fieldSelector', 'labelSelector'] as const) {
    const selector = attributes[name];
    if (!isJsonObject(selector)) continue;
    const list = Array.isArray(selector['requirements']) ? selector['requirements'] : [];
    const readable = list.filter(name === 'labelSelector' ? isLabelRequirement : isFieldRequirement);
    if (readable.length === list.length && isParsed(selector['rawSelector'], name)) continue;
    const share = readable.length > 0 ? 'partially ignored' : 'ignored';
    texts.push(`spec.resourceAttributes.${name} ${share} due to parse error`);
  }
  return texts.length === 0 ? undefined : texts.join('; ');
}

function isLabelRequirement(one: JsonValue): boolean {
  return isJsonObject(one) && typeof one['operator'] === 'string' && labelOperators.has(one['operator']);
}

/** Fields are compared with one value, for the time being. */
function isFieldRequirement(one: JsonValue): boolean {
  if (!isJsonObject(one) || !Array.isArray(one['values']) || one['values'].length !== 1) return false;
  return one['operator'] === 'In' || one['operator'] === 'NotIn';
}

function isParsed(raw: JsonValue | undefined, name: 'fieldSelector' | 'labelSelector'): boolean {
  if (typeof raw !== 'string' || raw === '') return true;
  try {
    if (name === 'labelSelector') parseLabelSelector(raw);
    else parseFieldSelector(raw);
    return true;
  } catch {
    return false;
  }
}

function isEmptyText(value: JsonValue | undefined): boolean {
  return value === undefined || value === null || value === '';
}

function hasItems(value: JsonValue | undefined): boolean {
  return Array.isArray(value) && value.length > 0;
}
