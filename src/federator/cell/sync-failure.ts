import { ApiError, isApiError, type StatusReason } from '#apimachinery/api-error.ts';
import { SyncRefusal, waitsForKinds } from '../downsync/sync-refusal.ts';

/** How one object's failure is told and tried again. */
export interface SyncFailure {
  readonly reason: string;
  readonly message: string;
  /** Mostly passes by itself: told on the copy only when it stays. */
  readonly isPassing: boolean;
  /** What has to be at the edge first (WaitingKeys). */
  readonly waitsFor: string | undefined;
}

/** A passing failure that comes so often in a row has stayed. */
export const passingFailuresMax = 5;

const passingReasons: ReadonlySet<StatusReason> = new Set<StatusReason>([
  'Conflict',
  'NotFound',
  'TooManyRequests',
  'ServerTimeout',
  'ServiceUnavailable',
  'Timeout',
]);

export function syncFailureOf(error: unknown): SyncFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof SyncRefusal) {
    const { reason, waitsFor } = error;
    const isPassing = waitsFor !== undefined && waitsFor !== waitsForKinds;
    return { reason, message, isPassing, waitsFor };
  }
  return {
    reason: reasonOf(error),
    message,
    isPassing: isApiError(error) && passingReasons.has(error.reason),
    waitsFor: undefined,
  };
}

/** How server-side apply refuses a field that the edge's kind does not have (structured-merge-diff, typed/validate.go). */
const unknownField = /: field not declared in schema/;

function reasonOf(error: unknown): string {
  if (!(error instanceof ApiError)) return 'InternalError';
  // An older Kubernetes: it answers 500, which is nobody's fault.
  if (error.reason === 'InternalError' && unknownField.test(error.message)) return 'FieldNotServed';
  // RFC 4918 §11.5; it has no reason of its own in Kubernetes.
  return error.code === 507 ? 'InsufficientStorage' : error.reason;
}
