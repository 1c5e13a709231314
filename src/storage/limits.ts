import { StorageError } from './errors.ts';
import type { Operation, StorageKey, Transaction } from './storage.ts';

/** Longest key in bytes. Kubernetes' own keys stay far below: two names of 253, a group, a resource, a cluster id. */
export const keyBytesMax = 1024;
/** Largest value in bytes: a request body of 3 MiB and what encoding may add to it. */
export const valueBytesMax = 3.5 * 1024 * 1024;
/** Most guards plus operations in one transaction. */
export const transactionOperationsMax = 10_000;
/** Largest sum of keys and values of one transaction in bytes. */
export const transactionBytesMax = 32 * 1024 * 1024;

/**
 * Refuses a transaction over the stated limits with `too-large`, and one with two operations on a key with a RangeError
 * (a caller's mistake: the order of the two would decide). Returns its size in bytes.
 */
export function checkTransaction({ guards, operations }: Transaction): number {
  if (guards.length + operations.length > transactionOperationsMax) {
    throw new StorageError('too-large', 'transaction has too many operations', {
      operations: guards.length + operations.length,
      operationsMax: transactionOperationsMax,
    });
  }
  let bytes = 0;
  for (const guard of guards) bytes += checkKey(guard.key);
  for (const operation of operations) bytes += operationBytes(operation);
  if (bytes > transactionBytesMax) {
    throw new StorageError('too-large', 'transaction is too large', { bytes, bytesMax: transactionBytesMax });
  }
  if (operations.length > 1) checkDistinct(operations);
  return bytes;
}

function operationBytes(operation: Operation): number {
  const keyBytes = checkKey(operation.key);
  if (operation.type === 'delete') return keyBytes;
  const valueBytes = operation.value.length;
  if (valueBytes > valueBytesMax) {
    throw new StorageError('too-large', 'value is too large', {
      key: operation.key,
      bytes: valueBytes,
      bytesMax: valueBytesMax,
    });
  }
  return keyBytes + valueBytes;
}

function checkKey(key: StorageKey): number {
  const bytes = Buffer.byteLength(key);
  if (bytes > keyBytesMax) {
    throw new StorageError('too-large', 'key is too long', {
      key: key.slice(0, 256),
      bytes,
      bytesMax: keyBytesMax,
    });
  }
  if (bytes === 0) throw new RangeError('a storage key must not be empty');
  return bytes;
}

function checkDistinct(operations: readonly Operation[]): void {
  const seen = new Set<string>();
  for (const { key } of operations) {
    if (seen.has(key)) throw new RangeError(`two operations on one key in a transaction: ${key}`);
    seen.add(key);
  }
}
