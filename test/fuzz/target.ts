import type fc from 'fast-check';
import { isApiError } from '#apimachinery/api-error.ts';

/** A decoder under test. */
export interface Target {
  readonly name: string;
  readonly input: fc.Arbitrary<unknown>;
  /** Throws what `isExpected` accepts, or nothing. */
  readonly run: (input: never) => unknown;
  /** Whether an error is a refusal in the decoder's own words. */
  readonly isExpected: (error: unknown) => boolean;
}

export function target<Input>(
  name: string,
  input: fc.Arbitrary<Input>,
  run: (input: Input) => unknown,
  isExpected: (error: unknown) => boolean = isRefusal,
): Target {
  return { name, input, run, isExpected };
}

/** An error of the API that is told to the client: none of ours (500). */
export function isRefusal(error: unknown): boolean {
  return isApiError(error) && error.code < 500;
}

/** Errors of these classes, by name: what a decoder below the API throws. */
export function named(...names: readonly string[]): (error: unknown) => boolean {
  return (error) => isRefusal(error) || (error instanceof Error && names.includes(error.name));
}

export const never = (): boolean => false;
