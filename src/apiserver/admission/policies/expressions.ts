import type { CelEnvironment } from '#apimachinery/cel/environment.ts';
import { type CelProgram, checkedCel, compileFault, programOf } from '#apimachinery/cel/program.ts';
import { type CelType, dynType } from '#apimachinery/cel/types.ts';
import { asObjects, asText, type JsonValue } from '#apimachinery/json.ts';

/** An expression that compiled, or why it did not. */
export type Expression =
  | { readonly source: string; readonly program: CelProgram; readonly error?: undefined }
  | { readonly source: string; readonly program?: undefined; readonly error: string };

/**
 * Compiles an expression that must give one of these types, exactly (apiserver/pkg/admission/plugin/cel compile.go): a
 * value whose type is not known is none, unless `dyn` is among them. None wanted: any will do.
 */
export function expressionOf(
  source: string,
  environment: CelEnvironment,
  wanted: readonly CelType[],
): Expression {
  try {
    const checked = checkedCel(source, environment);
    const type = checked.type.toString();
    if (wanted.length === 0 || wanted.some((one) => one.toString() === type))
      return { source, program: programOf(source, checked, environment) };
    const told = wanted.filter((one) => one !== dynType);
    const types = told.length === 1 ? `${told[0]}` : `one of [${told.join(' ')}]`;
    return { source, error: `must evaluate to ${types} but got ${type}` };
  } catch (error) {
    return { source, error: compileFault(error) };
  }
}

export interface NamedExpression {
  readonly name: string;
  readonly expression: Expression;
}

/** Reads `[{name, expression}]`. */
export function namedExpressions(
  value: JsonValue | undefined,
  compile: (source: string) => Expression,
): NamedExpression[] {
  return asObjects(value).map((one) => ({
    name: asText(one['name']),
    expression: compile(asText(one['expression'])),
  }));
}

/** A policy's variables in their order, each able to name those before it. */
export function compileVariables(
  value: JsonValue | undefined,
  environmentWith: (own: ReadonlyMap<string, CelType>) => CelEnvironment,
): { readonly list: readonly NamedExpression[]; readonly types: ReadonlyMap<string, CelType> } {
  const types = new Map<string, CelType>();
  const list = namedExpressions(value, () => ({ source: '', error: '' })).map(({ name }, index) => {
    const source = asText(asObjects(value)[index]?.['expression']);
    const expression = expressionOf(source, environmentWith(new Map(types)), []);
    // One that does not compile is of any type for those that name it: what is wrong with it is told once.
    if (source.trim() !== '') types.set(name, expression.program?.type ?? dynType);
    return { name, expression };
  });
  return { list, types };
}
