import { CelSyntaxError } from './ast.ts';
import type { Checked } from './checked.ts';
import { checkCel } from './checker.ts';
import { compileChecked } from './compile.ts';
import type { CelEnvironment } from './environment.ts';
import { type Code, Frame } from './frame.ts';
import { checkLiterals } from './literals.ts';
import { parseCel } from './parser.ts';
import { CelProgramError, CelTypeError } from './type-errors.ts';
import type { CelType } from './types.ts';
import type { Value } from './values.ts';

/** A compiled expression. Immutable; may run for many evaluations at once. */
export class CelProgram {
  readonly source: string;
  readonly checked: Checked;
  readonly #names: readonly string[];
  readonly #code: Code;

  constructor(source: string, checked: Checked, refuses = true) {
    this.source = source;
    this.checked = checked;
    this.#names = [...checked.variables];
    const slotOf = (name: string) => this.#names.indexOf(name);
    this.#code = compileChecked(checked, { slotOf, localsFrom: this.#names.length, refuses });
  }

  get type(): CelType {
    return this.checked.type;
  }

  uses(variable: string): boolean {
    return this.checked.variables.has(variable);
  }

  /** The result (a CelFault for what went wrong) and its cost. Throws CelCostError beyond `costMax`. */
  run(variables: (name: string) => Value, costMax: number): { readonly value: Value; readonly cost: number } {
    const frame = new Frame(this.#names.map(variables), costMax);
    const value = this.#code(frame);
    return { value, cost: frame.cost };
  }
}

/** Parses, checks and compiles. Throws CelSyntaxError and CelTypeError with cel-go's messages. */
export function compileCel(source: string, environment: CelEnvironment): CelProgram {
  return programOf(source, checkedCel(source, environment), environment);
}

/** The first half of `compileCel`: what its type is can be told of what cannot be made a program. */
export function checkedCel(source: string, environment: CelEnvironment): Checked {
  const checked = checkCel(parseCel(source), source, environment);
  if (!environment.mixesLiterals) checkLiterals(checked, source);
  return checked;
}

/** The second half. Throws CelProgramError. */
export function programOf(source: string, checked: Checked, environment: CelEnvironment): CelProgram {
  return new CelProgram(source, checked, !environment.mixesLiterals);
}

/**
 * What whoever wrote the expression is told of an error of `compileCel`: `compilation failed: …`, or `program instantiation
 * failed: …` where it parses and checks but cannot be made a program (a pattern, a literal), as k8s.io/apiserver/pkg/cel words
 * both. Rethrows what is no fault of the expression.
 */
export function compileFault(error: unknown): string {
  if (!(error instanceof CelSyntaxError || error instanceof CelTypeError)) throw error;
  const what = error instanceof CelProgramError ? 'program instantiation failed' : 'compilation failed';
  return `${what}: ${error.message}`;
}
