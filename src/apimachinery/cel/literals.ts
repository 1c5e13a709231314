import type { Expr } from './ast.ts';
import type { Checked } from './checked.ts';
import { checkFormat } from './format-check.ts';
import { matches, toTimestamp } from './functions/standard.ts';
import { parseGoDuration } from './time.ts';
import { CelTypeError, errorTexts, type Finding } from './type-errors.ts';
import { CelFault, type Value } from './values.ts';

/** Calls whose argument can be told to be wrong when it stands in the expression, with which one it is. */
const checks: {
  readonly [name: string]: { readonly at: number; readonly isValid: (value: Value) => boolean };
} = {
  duration: { at: 0, isValid: (value) => typeof value !== 'string' || parseGoDuration(value) !== undefined },
  timestamp: { at: 0, isValid: (value) => value === null || !(toTimestamp(value) instanceof CelFault) },
  matches: {
    at: 1,
    isValid: (value) => typeof value !== 'string' || !(matches('', value) instanceof CelFault),
  },
};

/**
 * Refuses literals of mixed types, durations, timestamps and patterns that stand in the expression as literals and cannot be read, and what `format` is
 * known not to take: Kubernetes' environment validates them when it compiles (its cel/environment/base.go). Throws CelTypeError.
 */
export function checkLiterals(checked: Checked, source: string): void {
  const errors: Finding[] = [...checked.unlike];
  for (const [expr, { args }] of checked.calls) {
    if (expr.kind !== 'call') continue;
    const format = checkFormat(expr, (one) => checked.types.get(one));
    if (format !== undefined) errors.push(format);
    const check = Object.hasOwn(checks, expr.name) ? checks[expr.name] : undefined;
    const arg: Expr | undefined = check === undefined ? undefined : args[check.at];
    if (check === undefined || arg?.kind !== 'literal') continue;
    if (!check.isValid(arg.value)) errors.push({ at: arg.at, message: `invalid ${expr.name} argument` });
  }
  if (errors.length > 0) throw new CelTypeError(errorTexts(source, errors));
}
