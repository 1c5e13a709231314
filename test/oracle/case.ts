import type { JsonValue } from '#apimachinery/json.ts';
import type { RawAnswer, RawRequest } from '../harness/raw-http.ts';

/** A request, the body of which may be given as JSON. */
export interface Step extends Omit<RawRequest, 'body'> {
  readonly body?: JsonValue | Buffer | undefined;
}

/** What a server has answered so far in the case, oldest first: a step may name the uid that it gave. */
export type StepOf = (answers: readonly RawAnswer[]) => Step;

/** Requests one after the other; names in it are its own, so that cases run beside one another. */
export interface Case {
  /** What the reader of a report needs to find it: topic, kind, what is done to it. */
  readonly name: string;
  readonly steps: readonly (Step | StepOf)[];
}

export function requestOf(step: Step | StepOf, answers: readonly RawAnswer[]): RawRequest {
  const { body, ...rest } = typeof step === 'function' ? step(answers) : step;
  if (body === undefined || Buffer.isBuffer(body)) return { ...rest, body };
  return { ...rest, body: typeof body === 'string' ? body : JSON.stringify(body) };
}
