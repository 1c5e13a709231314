import { messageText } from '#apimachinery/cel/rules/validate-rules.ts';
import { boolType, nullType, stringType } from '#apimachinery/cel/types.ts';
import { CelFault, type Value } from '#apimachinery/cel/values.ts';
import { asObject, asObjects, asText, type JsonObject } from '#apimachinery/json.ts';
import type { PolicyErrorType } from '../admission-metrics.ts';
import {
  BudgetError,
  callCostMax,
  conditionsCostMax,
  Evaluation,
  type EvaluationInput,
  policyCostMax,
} from './evaluation.ts';
import {
  compileVariables,
  type Expression,
  expressionOf,
  type NamedExpression,
  namedExpressions,
} from './expressions.ts';
import { conditionsHold } from './match-conditions.ts';
import { policyEnvironment } from './policy-environment.ts';
import { conditionInput } from './policy-input.ts';
import { type MatchResources, matchResourcesOf } from './policy-matching.ts';

/** Longer ones are cut, as in Kubernetes. */
const annotationLengthMax = 10 * 1024;

interface Validation {
  readonly expression: Expression;
  readonly message: string;
  readonly messageExpression: Expression | undefined;
  readonly reason: string;
}

/** A ValidatingAdmissionPolicy, compiled. */
export interface ValidatingPolicy {
  readonly match: MatchResources | undefined;
  readonly failsClosed: boolean;
  readonly paramKind: JsonObject | undefined;
  readonly conditions: readonly NamedExpression[];
  readonly variables: readonly NamedExpression[];
  readonly validations: readonly Validation[];
  readonly auditAnnotations: readonly { readonly key: string; readonly expression: Expression }[];
}

export interface Denial {
  readonly message: string;
  /** `Invalid`, `Forbidden`, `Unauthorized`, `RequestEntityTooLarge`. */
  readonly reason: string;
  /** Which of the policy's validations; undefined for what is wrong beside them. */
  readonly index?: number | undefined;
  /** Absent: the expression has said no. */
  readonly errorType?: PolicyErrorType | undefined;
  /** The binding's actions do not count: what is wrong with configurations and annotations. */
  readonly refuses?: true | undefined;
}

/** Compiles a policy's spec (A3); what does not compile stands in it as an error. */
export function compileValidatingPolicy(spec: JsonObject): ValidatingPolicy {
  const paramKind = spec['paramKind'] === undefined ? undefined : asObject(spec['paramKind']);
  const uses = { params: paramKind !== undefined, namespaceObject: true, authorizer: true };
  const variables = compileVariables(spec['variables'], (own) => policyEnvironment({ ...uses, own }));
  const own = variables.list.length > 0 ? variables.types : undefined;
  const environment = policyEnvironment({ ...uses, own });
  // Match conditions come first and know no variables; messages cost no authorization.
  const conditions = policyEnvironment(uses);
  const quiet = policyEnvironment({ ...uses, authorizer: false, own });
  return {
    match: matchResourcesOf(spec['matchConstraints']),
    failsClosed: spec['failurePolicy'] !== 'Ignore',
    paramKind,
    conditions: namedExpressions(spec['matchConditions'], (source) =>
      expressionOf(source.trim(), conditions, [boolType]),
    ),
    variables: variables.list,
    validations: asObjects(spec['validations']).map((validation) => ({
      expression: expressionOf(asText(validation['expression']), environment, [boolType]),
      message: asText(validation['message']).trim(),
      messageExpression:
        asText(validation['messageExpression']).trim() === ''
          ? undefined
          : expressionOf(asText(validation['messageExpression']), quiet, [stringType]),
      reason: asText(validation['reason']) || 'Invalid',
    })),
    auditAnnotations: asObjects(spec['auditAnnotations']).map((annotation) => ({
      key: asText(annotation['key']),
      expression: expressionOf(asText(annotation['valueExpression']).trim(), environment, [
        stringType,
        nullType,
      ]),
    })),
  };
}

/**
 * What a policy has against a request, with one parameter object. `onAnnotation` hears its audit annotations. Throws
 * PendingDecision of the authorizer.
 */
export function validatePolicy(
  policy: ValidatingPolicy,
  input: Omit<EvaluationInput, 'own'>,
  onAnnotation: (key: string, value: string) => void = () => {},
): Denial[] {
  const failed = (message: string, errorType: PolicyErrorType = 'invalid_error'): Denial[] =>
    policy.failsClosed ? [{ message, reason: 'Invalid', errorType }] : [];
  const own = new Map(
    policy.variables.flatMap(({ name, expression }) =>
      expression.program === undefined ? [] : [[name, expression.program] as const],
    ),
  );
  try {
    if (policy.conditions.length > 0) {
      const conditions = conditionsHold(
        policy.conditions,
        new Evaluation({ ...conditionInput(input), own }, conditionsCostMax),
      );
      if (conditions.error !== undefined) return failed(conditions.error);
      if (!conditions.matches) return [];
    }
    const denials = validations(policy, { ...input, own }, failed);
    const annotating = new Evaluation({ ...input, own }, policyCostMax);
    for (const { key, expression } of policy.auditAnnotations) {
      const faults = annotate(key, expression, annotating, failed, onAnnotation);
      denials.push(...faults.map((fault) => ({ ...fault, refuses: true }) as const));
    }
    return denials;
  } catch (error) {
    if (error instanceof BudgetError) return failed(error.message, 'out_of_budget');
    throw error;
  }
}

type Failed = (message: string, errorType?: PolicyErrorType) => Denial[];

/** All expressions first, then their messages with what is left (plugin/policy/validating/validator.go Validate). */
function validations(policy: ValidatingPolicy, input: EvaluationInput, failed: Failed): Denial[] {
  const evaluation = new Evaluation(input, policyCostMax);
  const values = policy.validations.map(({ expression: { program } }) =>
    program === undefined ? undefined : evaluation.run(program),
  );
  const messages = messagesOf(policy, values, new Evaluation(input, evaluation.budget));
  return policy.validations.flatMap((validation, index) =>
    validate(validation, values[index], messages[index], failed).map((denial) => ({ ...denial, index })),
  );
}

/**
 * Undefined where there is none, a BudgetError each where all of them together cost too much. Kubernetes evaluates those of
 * what holds too, which shows only there: so does this, where it can come to that.
 */
function messagesOf(
  { validations: list, variables }: ValidatingPolicy,
  values: readonly (Value | undefined)[],
  evaluation: Evaluation,
): readonly (string | BudgetError | undefined)[] {
  const programs = list.map(({ messageExpression }) => messageExpression?.program);
  const count = programs.filter((program) => program !== undefined).length;
  const isAmple = (count + variables.length) * callCostMax <= evaluation.budget;
  try {
    return programs.map((program, index) => {
      const isAsked = !isAmple || values[index] === false;
      return program === undefined || !isAsked ? undefined : messageText(evaluation.run(program));
    });
  } catch (error) {
    if (error instanceof BudgetError) return list.map(() => error);
    throw error;
  }
}

function validate(
  { expression, message, reason }: Validation,
  value: Value | undefined,
  text: string | BudgetError | undefined,
  failed: Failed,
): Denial[] {
  if (value === undefined) return failed(`compilation error: ${expression.error}`, 'compile_error');
  if (value instanceof CelFault) {
    return failed(`expression '${expression.source}' resulted in error: ${value.message}`);
  }
  if (text instanceof BudgetError) return failed(`failed messageExpression: ${text.message}`);
  if (value === true) return [];
  const plain = message === '' ? `failed expression: ${expression.source.trim()}` : message;
  return [{ message: text ?? plain, reason }];
}

/** KEP-3488: a text annotates the audit record, null does not. */
function annotate(
  key: string,
  expression: Expression,
  evaluation: Evaluation,
  failed: (message: string) => Denial[],
  onAnnotation: (key: string, value: string) => void,
): Denial[] {
  if (expression.program === undefined) return failed(`compilation error: ${expression.error}`);
  const value = evaluation.run(expression.program);
  if (typeof value === 'string') {
    const text = value.trim();
    if (text !== '') onAnnotation(key, text.slice(0, annotationLengthMax));
    return [];
  }
  if (value === null) return [];
  if (value instanceof CelFault) {
    return failed(`expression '${expression.source}' resulted in error: ${value.message}`);
  }
  return failed(
    `valueExpression '${expression.source}' of ${key} resulted in unsupported return type. Return type must be either string or null.`,
  );
}
