import { describeError } from './ast.ts';

/** An expression does not fit its environment; the message is one or more of `ERROR: <input>:1:6: …`. */
export class CelTypeError extends Error {
  override readonly name = 'CelTypeError';
}

/** It fits, and cannot be made ready to run: what stands in it cannot be converted, or is no pattern. */
export class CelProgramError extends CelTypeError {}

/** What is wrong, and where. */
export interface Finding {
  readonly at: number;
  readonly message: string;
}

/** Errors told of one expression (cel-go common/errors.go). */
const errorsMax = 100;

/** Errors by where they stand, as many as are told (cel-go common/errors.go). */
export function errorTexts(source: string, errors: readonly Finding[]): string {
  const texts = errors
    .toSorted((a, b) => a.at - b.at)
    .slice(0, errorsMax)
    .map(({ at, message }) => describeError(source, at, message));
  if (errors.length > errorsMax) texts.push(`${errors.length - errorsMax} more errors were truncated`);
  return texts.join('\n');
}
