import { type FieldError, invalid } from '#apimachinery/field-error.ts';
import { asObject, asObjects, equalJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { compileConditions } from '../webhooks/webhook-conditions.ts';
import type { Expression, NamedExpression } from './expressions.ts';
import { compileMutatingPolicy } from './mutating-policy.ts';
import { compileValidatingPolicy } from './validating-policy.ts';

const admissionGroup = 'admissionregistration.k8s.io';

/**
 * The CEL expressions of a policy or webhook configuration that do not compile, as Kubernetes tells them
 * (pkg/apis/admissionregistration/validation): what is stored can be evaluated. Everything else about them, absence
 * included, is told by the kind's own validation. Match conditions that an update leaves as they were are not looked at.
 * Empty for all other kinds.
 */
export function policyExpressionErrors(
  { group, resource }: ResourceDefinition,
  object: KubeObject,
  old: KubeObject | undefined,
): FieldError[] {
  if (group !== admissionGroup) return [];
  const spec = asObject(object['spec']);
  const oldSpec = old === undefined ? undefined : asObject(old['spec']);
  switch (resource) {
    case 'validatingadmissionpolicies':
      return validatingErrors(spec, oldSpec);
    case 'mutatingadmissionpolicies':
      return mutatingErrors(spec, oldSpec);
    case 'validatingwebhookconfigurations':
    case 'mutatingwebhookconfigurations':
      return webhookErrors(asObjects(object['webhooks']), old && asObjects(old['webhooks']));
    default:
      return [];
  }
}

// What a policy matches is not compiled: selectors are the kind's own validation's to judge.

function validatingErrors(spec: JsonObject, oldSpec: JsonObject | undefined): FieldError[] {
  const policy = compileValidatingPolicy({ ...spec, matchConstraints: null });
  const errors = conditionErrors(policy.conditions, spec, oldSpec);
  errors.push(...namedErrors(policy.variables, 'spec.variables'));
  policy.validations.forEach(({ expression, messageExpression }, index) => {
    const at = `spec.validations[${index}]`;
    errors.push(...expressionErrors(expression, `${at}.expression`));
    if (messageExpression !== undefined) {
      errors.push(...expressionErrors(messageExpression, `${at}.messageExpression`));
    }
  });
  policy.auditAnnotations.forEach(({ expression }, index) => {
    errors.push(...expressionErrors(expression, `spec.auditAnnotations[${index}].valueExpression`));
  });
  return errors;
}

function mutatingErrors(spec: JsonObject, oldSpec: JsonObject | undefined): FieldError[] {
  const policy = compileMutatingPolicy({ ...spec, matchConstraints: null });
  const errors = conditionErrors(policy.conditions, spec, oldSpec);
  errors.push(...namedErrors(policy.variables, 'spec.variables'));
  policy.mutations.forEach(({ expression, type }, index) => {
    const field = type === 'JSONPatch' ? 'jsonPatch' : 'applyConfiguration';
    errors.push(...expressionErrors(expression, `spec.mutations[${index}].${field}.expression`));
  });
  return errors;
}

function webhookErrors(
  webhooks: readonly JsonObject[],
  old: readonly JsonObject[] | undefined,
): FieldError[] {
  const unchanged =
    old?.length === webhooks.length &&
    webhooks.every((webhook, index) => sameField(webhook, old[index] as JsonObject, 'matchConditions'));
  if (unchanged) return [];
  return webhooks.flatMap((webhook, index) =>
    namedErrors(compileConditions(webhook['matchConditions']), `webhooks[${index}].matchConditions`),
  );
}

function conditionErrors(
  conditions: readonly NamedExpression[],
  spec: JsonObject,
  oldSpec: JsonObject | undefined,
): FieldError[] {
  const unchanged =
    oldSpec !== undefined &&
    sameField(spec, oldSpec, 'paramKind') &&
    sameField(spec, oldSpec, 'matchConditions');
  return unchanged ? [] : namedErrors(conditions, 'spec.matchConditions');
}

/** Where in a spec is looked first (pkg/apis/admissionregistration/validation): fields in the order in which they are told. */
const parts = [
  ...['failurePolicy', 'paramKind', 'matchConstraints', 'matchConditions', 'variables'],
  ...['validations', 'mutations', 'auditAnnotations', 'reinvocationPolicy'],
];
const fieldsOfPart: { readonly [part: string]: readonly string[] } = {
  matchConditions: ['expression', 'name'],
  variables: ['name', 'expression'],
  validations: ['expression', 'messageExpression', 'message', 'reason'],
  auditAnnotations: ['key', 'valueExpression'],
};

/** The errors of a policy or webhook configuration in the order in which Kubernetes finds them. */
export function inOrderOfPolicies(errors: readonly FieldError[]): FieldError[] {
  const ranked = errors.map((error) => ({ error, rank: rankOf(error) }));
  return ranked.sort((a, b) => compareRanks(a.rank, b.rank)).map(({ error }) => error);
}

function rankOf({ field, type }: FieldError): number[] {
  const webhook = /^webhooks\[(\d+)\](\.matchConditions\[(\d+)\]\.(\w+))?/.exec(field);
  if (webhook !== null) {
    const [, at, isCondition, index, name = ''] = webhook;
    const inside = isCondition === undefined ? [0] : [1, Number(index), name === 'expression' ? 0 : 1];
    return [parts.length, Number(at), ...inside];
  }
  const place = /^spec\.(\w+)(?:\[(\d+)\](?:\.(\w+))?)?/.exec(field);
  if (place === null) return [-1];
  const [, part = '', index = '-1', name = ''] = place;
  // A key that was there before is told when all else of the item has been.
  const isRepeated = type === 'FieldValueDuplicate' ? 1 : 0;
  return [parts.indexOf(part), Number(index), isRepeated, fieldsOfPart[part]?.indexOf(name) ?? 0];
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (const [at, rank] of a.entries()) {
    const difference = rank - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function sameField(a: JsonObject, b: JsonObject, field: string): boolean {
  return equalJson(a[field], b[field]);
}

function namedErrors(list: readonly NamedExpression[], path: string): FieldError[] {
  return list.flatMap(({ expression }, index) =>
    expressionErrors(expression, `${path}[${index}].expression`),
  );
}

function expressionErrors({ source, error }: Expression, path: string): FieldError[] {
  return error === undefined || source.trim() === '' ? [] : [invalid(path, source, error)];
}
