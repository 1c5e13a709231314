import { CelSyntaxError } from '#apimachinery/cel/ast.ts';
import { CelTypeError } from '#apimachinery/cel/checker.ts';
import type { CelEnvironment } from '#apimachinery/cel/environment.ts';
import { type CelProgram, compileCel } from '#apimachinery/cel/program.ts';
import type { CelType, TypeKind } from '#apimachinery/cel/types.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';

/** An expression that compiled, or why it did not. */
export type Expression =
  | { readonly source: string; readonly program: CelProgram; readonly error?: undefined }
  | { readonly source: string; readonly program?: undefined; readonly error: string };

/** Compiles an expression that must give one of these kinds of value; values of unknown type are looked at when run. */
export function expressionOf(
  source: string,
  environment: CelEnvironment,
  wanted: readonly TypeKind[],
): Expression {
  try {
    const program = compileCel(source, environment);
    if (wanted.length > 0 && program.type.kind !== 'dyn' && !wanted.includes(program.type.kind)) {
      const kinds = wanted.length === 1 ? `${wanted[0]}` : wanted.join(' or ');
      return { source, error: `must evaluate to ${kinds}` };
    }
    return { source, program };
  } catch (error) {
    if (!(error instanceof CelSyntaxError) && !(error instanceof CelTypeError)) throw error;
    return { source, error: `compilation failed: ${error.message}` };
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
  return objectsOf(value).map((one) => ({
    name: textOf(one['name']),
    expression: compile(textOf(one['expression'])),
  }));
}

/** A policy's variables in their order, each able to name those before it. */
export function compileVariables(
  value: JsonValue | undefined,
  environmentWith: (own: ReadonlyMap<string, CelType>) => CelEnvironment,
): { readonly list: readonly NamedExpression[]; readonly types: ReadonlyMap<string, CelType> } {
  const types = new Map<string, CelType>();
  const list = namedExpressions(value, () => ({ source: '', error: '' })).map(({ name }, index) => {
    const source = textOf(objectsOf(value)[index]?.['expression']);
    const expression = expressionOf(source, environmentWith(new Map(types)), []);
    if (expression.program !== undefined) types.set(name, expression.program.type);
    return { name, expression };
  });
  return { list, types };
}

export function objectsOf(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

export function objectOf(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

export function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
