/**
 * - `compacted`: the revision asked for is older than the compaction.
 * - `future`: the revision asked for is newer than the store's.
 * - `unavailable`: the write surely did not happen; try again.
 * - `outcome-unknown`: the write may or may not have happened; read before trying again.
 * - `closed`: the store was stopped.
 * - `slow-watcher`: this watcher fell behind its bound and was ended.
 * - `corrupt`: stored bytes do not match their checksum or the revision sequence has a gap.
 * - `locked`: another process has the data folder open.
 * - `unusable`: the data folder cannot be used (not writable, foreign, newer format).
 * - `timeout`: a bounded wait ended.
 * - `too-large`: a key, value or transaction over the stated limit.
 */
export type StorageErrorCode =
  | 'compacted'
  | 'future'
  | 'unavailable'
  | 'outcome-unknown'
  | 'closed'
  | 'slow-watcher'
  | 'corrupt'
  | 'locked'
  | 'unusable'
  | 'timeout'
  | 'too-large';

export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly code: StorageErrorCode;
  readonly fields: { readonly [name: string]: string | number };

  constructor(
    code: StorageErrorCode,
    message: string,
    fields: { readonly [name: string]: string | number } = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.fields = fields;
  }
}

export function isStorageError(error: unknown, ...codes: StorageErrorCode[]): error is StorageError {
  return error instanceof StorageError && (codes.length === 0 || codes.includes(error.code));
}
