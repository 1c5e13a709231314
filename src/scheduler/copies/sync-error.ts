interface SyncError {
  readonly reason: string | undefined;
  readonly message: string;
}

/** A syncer's error annotation (docs/copies.md) as it is told to people; undefined where there is none. */
export function syncErrorText(annotation: string | undefined): string | undefined {
  const error = syncErrorIn(annotation);
  return error?.reason === undefined ? error?.message : `${error.reason}: ${error.message}`;
}

/** The reason in it; undefined where it names none. */
export function syncErrorReason(annotation: string | undefined): string | undefined {
  return syncErrorIn(annotation)?.reason;
}

/** It is JSON {reason, message}; anything else stands for a message. */
function syncErrorIn(annotation: string | undefined): SyncError | undefined {
  if (annotation === undefined || annotation === '') return undefined;
  try {
    const error: unknown = JSON.parse(annotation);
    if (typeof error === 'object' && error !== null && 'message' in error) {
      const reason = 'reason' in error ? String(error.reason) : undefined;
      return { reason, message: String(error.message) };
    }
  } catch {
    // It stands for itself.
  }
  return { reason: undefined, message: annotation };
}
