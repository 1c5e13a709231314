import { type FieldError, invalid, invalidObject, required } from '#apimachinery/field-error.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { isInert } from '../../registry/target.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import { compileConditions } from '../webhooks/webhook-conditions.ts';
import { type Expression, type NamedExpression, objectOf, objectsOf } from './expressions.ts';
import { compileMutatingPolicy } from './mutating-policy.ts';
import { compileValidatingPolicy } from './validating-policy.ts';

const admissionGroup = 'admissionregistration.k8s.io';

/**
 * Refuses policies and webhook configurations whose CEL expressions do not compile, with Kubernetes' field errors
 * (admissionregistration/validation): what is stored can be evaluated.
 */
export class PolicyExpressions implements AdmissionPlugin {
  readonly name = 'PolicyExpressions';

  handles({ context, operation }: AdmissionAttributes): boolean {
    const { served, workspace, subresource } = context;
    if (operation !== 'CREATE' && operation !== 'UPDATE') return false;
    if (served.definition.group !== admissionGroup || subresource !== '') return false;
    return workspace !== undefined && !isInert(workspace, served.definition);
  }

  validate({ context, object }: AdmissionAttributes): undefined {
    if (object === undefined) return undefined;
    const { definition } = context.served;
    const errors = errorsOf(definition.resource, object);
    if (errors.length > 0) throw invalidObject(definition, object.metadata.name ?? '', errors);
    return undefined;
  }
}

function errorsOf(resource: string, object: KubeObject): FieldError[] {
  const spec = objectOf(object['spec']);
  switch (resource) {
    case 'validatingadmissionpolicies':
      return validatingErrors(spec);
    case 'mutatingadmissionpolicies':
      return mutatingErrors(spec);
    case 'validatingwebhookconfigurations':
    case 'mutatingwebhookconfigurations':
      return objectsOf(object['webhooks']).flatMap((webhook, index) =>
        namedErrors(compileConditions(webhook['matchConditions']), `webhooks[${index}].matchConditions`),
      );
    default:
      return [];
  }
}

function validatingErrors(spec: JsonObject): FieldError[] {
  const policy = compileValidatingPolicy(spec);
  const errors = [
    ...namedErrors(policy.conditions, 'spec.matchConditions'),
    ...namedErrors(policy.variables, 'spec.variables'),
  ];
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
  if (policy.validations.length === 0 && policy.auditAnnotations.length === 0) {
    errors.push(
      required('spec.validations', 'validations or auditAnnotations must contain at least one item'),
    );
  }
  return errors;
}

function mutatingErrors(spec: JsonObject): FieldError[] {
  const policy = compileMutatingPolicy(spec);
  const errors = [
    ...namedErrors(policy.conditions, 'spec.matchConditions'),
    ...namedErrors(policy.variables, 'spec.variables'),
  ];
  policy.mutations.forEach(({ expression, type }, index) => {
    const field = type === 'JSONPatch' ? 'jsonPatch' : 'applyConfiguration';
    errors.push(...expressionErrors(expression, `spec.mutations[${index}].${field}.expression`));
  });
  if (policy.mutations.length === 0)
    errors.push(required('spec.mutations', 'mutations must contain at least one item'));
  return errors;
}

function namedErrors(list: readonly NamedExpression[], path: string): FieldError[] {
  const seen = new Set<string>();
  return list.flatMap(({ name, expression }, index) => {
    const errors = expressionErrors(expression, `${path}[${index}].expression`);
    if (name === '') errors.push(required(`${path}[${index}].name`));
    else if (seen.has(name)) {
      errors.push({
        type: 'FieldValueDuplicate',
        field: `${path}[${index}].name`,
        message: `Duplicate value: ${JSON.stringify(name)}`,
      });
    }
    seen.add(name);
    return errors;
  });
}

function expressionErrors({ source, error }: Expression, path: string): FieldError[] {
  if (source.trim() === '') return [required(path, 'expression is not specified')];
  return error === undefined ? [] : [invalid(path, source satisfies JsonValue, error)];
}
