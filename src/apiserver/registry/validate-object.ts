import { hasRules } from '#apimachinery/cel/rules/has-rules.ts';
import { validateRules } from '#apimachinery/cel/rules/validate-rules.ts';
import { type FieldError, type FieldErrorType, invalid, invalidObject } from '#apimachinery/field-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceVersion } from '#apimachinery/resource-definition.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { customFaults, hasListFaults } from '#apimachinery/schema-walk/custom-faults.ts';
import { isPlainlyValid } from '#apimachinery/schema-walk/fits.ts';
import { validateValue } from '#apimachinery/schema-walk/validate.ts';
import { inOrderOfPolicies, policyExpressionErrors } from '../admission/policies/policy-expressions.ts';
import { embeddedErrors } from './embedded-resources.ts';
import { scaleErrors } from './scale-errors.ts';
import { isInert, type Target } from './target.ts';
import { updatedMetadataErrors, validateMetadata } from './validate-metadata.ts';
import { takeVoucher } from './vouched.ts';

/**
 * Throws 422 with every error of an object about to be stored: metadata, schema, and the kind's own rules. `old` is what
 * it replaces, undefined on create. Rules that fail on what has not changed become `warnings`.
 */
export function validateObject(
  object: KubeObject,
  old: KubeObject | undefined,
  target: Target,
  subresource: string,
  warnings: string[] = [],
): void {
  const { definition, version } = target.served;
  const metadata =
    old === undefined
      ? validateMetadata(object.metadata, definition)
      : updatedMetadataErrors(object.metadata, old.metadata, definition, subresource);
  const errors = [...metadata];
  const { schema } = version;
  if (definition.origin === 'custom') errors.push(...customErrors(object, old, version, subresource));
  else {
    const fits = subresource === '' && takeVoucher(object);
    if (!fits && !isPlainlyValid(schema, object)) errors.push(...validateValue(schema, object));
  }
  if (hasRules(schema)) errors.push(...ruleErrors(object, old, target, errors, warnings));
  if (!isInert(target.workspace, definition)) {
    const own = strategyErrors(object, old, target, subresource);
    if (own.length > 0) errors.splice(0, errors.length, ...untold(errors, own), ...own);
  }
  if (errors.length === 0) return;
  // Of a new object that its kind's own validation does not take, what all kinds have is not looked at (rest.BeforeCreate).
  const isOwnAlone = old === undefined && definition.strategy.metadataLooks === 'none';
  const own = isOwnAlone ? errors.filter((error) => !metadata.includes(error)) : [];
  throw invalidObject(
    definition.strategy.toldAs ?? definition,
    object.metadata.name ?? object.metadata.generateName ?? '',
    own.length > 0 ? own : errors,
  );
}

/** What the schema, its scale, the resources within it and its lists say of a custom resource, in this order (R3, R5, R6). */
function customErrors(
  object: KubeObject,
  old: KubeObject | undefined,
  version: ResourceVersion,
  subresource: string,
): readonly FieldError[] {
  const { schema } = version;
  const scale = scaleErrors(object, version, subresource);
  if (subresource === 'status') return statusErrors(object, old, schema, scale);
  const within = embeddedErrors(schema, object);
  if (isPlainlyValid(schema, object)) return [...scale, ...within];
  const faults = customFaults(schema, object, old);
  return [...faults.schema, ...scale, ...faults.embedded, ...within, ...faults.lists];
}

/**
 * A write to `/status` is checked for its status alone, whose fields are then named from there, and not for the resources
 * within it (apiextensions ValidateStatusUpdate).
 */
function statusErrors(
  { status }: KubeObject,
  old: KubeObject | undefined,
  schema: Schema,
  scale: readonly FieldError[],
): readonly FieldError[] {
  const property = schema.properties?.get('status');
  if (status === undefined || property === undefined || isPlainlyValid(property, status)) return scale;
  const faults = customFaults(property, status, old?.['status'] ?? null);
  // What was wrong with any list of the old object lets all of them pass.
  const lists =
    faults.lists.length > 0 && old !== undefined && hasListFaults(schema, old) ? [] : faults.lists;
  return [...faults.schema.map(ofStatus), ...scale, ...lists.map(ofStatus)];
}

function ofStatus(error: FieldError): FieldError {
  const within = error.field === '<nil>' ? '' : error.field.startsWith('[') ? error.field : `.${error.field}`;
  return { ...error, field: `status${within}` };
}

/** Errors after which Kubernetes evaluates no rule: the object does not have the shape that rules rely on. */
const blocking: ReadonlySet<FieldErrorType> = new Set<FieldErrorType>([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);
const unchecked =
  'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';

/** R4, R5. */
function ruleErrors(
  object: KubeObject,
  old: KubeObject | undefined,
  { served }: Target,
  found: readonly FieldError[],
  warnings: string[],
): readonly FieldError[] {
  if (found.some(({ type }) => blocking.has(type))) return [invalid('<nil>', null, unchecked)];
  const { errors, ratcheted } = validateRules(served.version.schema, object, old);
  for (const { field, message } of ratcheted) warnings.push(`${field}: ${message}`);
  return errors;
}

function strategyErrors(
  object: KubeObject,
  old: KubeObject | undefined,
  target: Target,
  subresource: string,
): FieldError[] {
  const { definition } = target.served;
  const { strategy } = definition;
  const errors =
    old !== undefined && strategy.validateUpdate !== undefined
      ? strategy.validateUpdate(object, old, subresource)
      : (strategy.validate?.(object) ?? []);
  const expressions = subresource === '' ? policyExpressionErrors(definition, object, old) : [];
  return expressions.length === 0 ? errors : inOrderOfPolicies([...errors, ...expressions]);
}

/**
 * The schema's errors without those that the kind tells itself, in its own words: of one field an absence, or a value that
 * is none of the known ones, is told once. What one of the two finds several times stands several times.
 */
function untold(errors: readonly FieldError[], told: readonly FieldError[]): readonly FieldError[] {
  const once = new Set<string>();
  for (const { type, field } of told) {
    if (type === 'FieldValueRequired' || type === 'FieldValueNotSupported') once.add(`${type} ${field}`);
  }
  return once.size === 0 ? errors : errors.filter(({ type, field }) => !once.has(`${type} ${field}`));
}
