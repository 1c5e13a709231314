import { ApiError } from '#apimachinery/api-error.ts';
import type { Random } from '../../harness/random.ts';
import { byteFaultNames } from './byte-faults.ts';

export type CallFault =
  | 'refused'
  | 'answer-lost'
  | 'twice'
  | 'hangs'
  | 'InternalError'
  | 'ServiceUnavailable'
  | 'TooManyRequests'
  | 'Conflict';

const callFaults: { readonly [fault in CallFault]: number } = {
  refused: 3,
  'answer-lost': 4,
  twice: 2,
  hangs: 1,
  InternalError: 2,
  ServiceUnavailable: 2,
  TooManyRequests: 2,
  Conflict: 2,
};

/** What was to be deleted was something else by the time that it was. */
export const replacedFault = 'replaced before deletion';
/** What was to be written over likewise. */
export const replacedApplyFault = 'replaced before apply';

export function drawCallFault(random: Random): CallFault {
  return random.weighted(callFaults);
}

/** Every fault that can be drawn, by the names under which those that had an effect are counted. */
export const networkFaultNames: readonly string[] = [
  ...Object.keys(callFaults),
  ...byteFaultNames,
  replacedFault,
];

/** What the client is told instead of its answer, where the call is not done. */
export function refusalOf(fault: CallFault): ApiError | undefined {
  switch (fault) {
    case 'refused':
      return unreachable('connection refused');
    case 'TooManyRequests':
      return new ApiError(fault, 'injected', { details: { retryAfterSeconds: 1 } });
    case 'InternalError':
    case 'ServiceUnavailable':
    case 'Conflict':
      return new ApiError(fault, 'injected');
    default:
      return undefined;
  }
}

export function unreachable(why: string): ApiError {
  return new ApiError('ServiceUnavailable', why, { cause: new Error(why) });
}
