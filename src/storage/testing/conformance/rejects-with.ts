import assert from 'node:assert/strict';
import { isStorageError, type StorageErrorCode } from '../../errors.ts';

export function rejectsWith(code: StorageErrorCode): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isStorageError(error, code), `expected ${code}, got ${String(error)}`);
    return true;
  };
}
