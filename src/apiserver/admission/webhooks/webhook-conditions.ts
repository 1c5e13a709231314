import { boolType } from '#apimachinery/cel/types.ts';
import type { JsonValue } from '#apimachinery/json.ts';
import { expressionOf, type NamedExpression, namedExpressions } from '../policies/expressions.ts';
import { policyEnvironment } from '../policies/policy-environment.ts';

const environment = policyEnvironment({ params: false, namespaceObject: true, authorizer: true });

/** Compiles a webhook's `matchConditions` (KEP-3716). */
export function compileConditions(value: JsonValue | undefined): readonly NamedExpression[] {
  return namedExpressions(value, (source) => expressionOf(source.trim(), environment, [boolType]));
}
