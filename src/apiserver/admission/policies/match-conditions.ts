import { CelFault } from '#apimachinery/cel/values.ts';
import { callCostMax, type Evaluation } from './evaluation.ts';
import type { NamedExpression } from './expressions.ts';

/**
 * Whether all conditions hold. One that is false decides, whatever went wrong with others; else what went wrong is
 * `error` (KEP-3716). Throws BudgetError where all of them together cost too much, one that is false or not.
 */
export function conditionsHold(
  conditions: readonly NamedExpression[],
  evaluation: Evaluation,
): { readonly matches: boolean; readonly error?: string | undefined } {
  const errors: string[] = [];
  let matches = true;
  for (const [index, { expression }] of conditions.entries()) {
    const isAmple = (conditions.length - index) * callCostMax <= evaluation.budget;
    if (!matches && isAmple) break;
    if (expression.program === undefined) {
      errors.push(expression.error);
      continue;
    }
    const value = evaluation.run(expression.program);
    if (value === false) matches = false;
    if (typeof value === 'boolean') continue;
    const why = value instanceof CelFault ? value.message : 'must evaluate to bool';
    errors.push(`expression '${expression.source}' resulted in error: ${why}`);
  }
  if (!matches || errors.length === 0) return { matches };
  // As utilerrors.Aggregate shows them: each once.
  const told = [...new Set(errors)];
  return { matches: false, error: told.length === 1 ? told[0] : `[${told.join(', ')}]` };
}
