import { status as grpcStatus, type ServiceError } from '@grpc/grpc-js';
import { StorageError } from '../errors.ts';
import { ProtoError } from './proto-codec.ts';

/** What a failed call means for what to do next. */
export interface CallFailure {
  /**
   * - `not-done`: etcd has surely not carried the call out, and may the next time: reconnect, wait, try again.
   * - `in-doubt`: it may have been carried out; a read may be tried again.
   * - `token`: not done, the authentication token is no longer good.
   * - `refused`: not done, and will not be: `error` says why.
   */
  readonly outcome: 'not-done' | 'in-doubt' | 'token' | 'refused';
  /** For the caller when nothing helps; a write in doubt is `outcome-unknown`. */
  readonly error: StorageError;
}

/**
 * Texts of etcd's errors (etcd api/v3rpc/rpctypes/error.go), which is all that tells them apart: many share a gRPC code.
 * The first that is part of the error's text decides.
 */
const etcdErrors: readonly (readonly [text: string, CallFailure['outcome'], StorageError['code']])[] = [
  ['required revision has been compacted', 'refused', 'compacted'],
  ['required revision is a future revision', 'refused', 'future'],
  ['request is too large', 'refused', 'too-large'],
  ['too many operations in txn request', 'refused', 'too-large'],
  ['received message larger than max', 'refused', 'too-large'],
  ['database space exceeded', 'refused', 'unavailable'],
  ['corrupt cluster', 'refused', 'unavailable'],
  ['invalid auth token', 'token', 'unavailable'],
  ['revision of auth store is old', 'token', 'unavailable'],
  ['too many requests', 'not-done', 'unavailable'],
  ['etcdserver: no leader', 'not-done', 'unavailable'],
  ['No connection established', 'not-done', 'unavailable'],
  ['Name resolution failed', 'not-done', 'unavailable'],
  ['Waiting for LB pick', 'not-done', 'unavailable'],
  ['waiting for name resolution', 'not-done', 'unavailable'],
  ['Failed to start HTTP/2 stream', 'not-done', 'unavailable'],
  ['Channel closed before call started', 'not-done', 'unavailable'],
];

/** Codes with which etcd turns a call down before it does anything. */
const refusals: ReadonlySet<number> = new Set([
  grpcStatus.INVALID_ARGUMENT,
  grpcStatus.FAILED_PRECONDITION,
  grpcStatus.OUT_OF_RANGE,
  grpcStatus.PERMISSION_DENIED,
  grpcStatus.UNAUTHENTICATED,
  grpcStatus.UNIMPLEMENTED,
  grpcStatus.NOT_FOUND,
]);

/** Throws what is no failure of a call. */
export function callFailure(error: unknown, endpoint: string): CallFailure {
  if (error instanceof ProtoError || isParseFailure(error)) {
    const unusable = new StorageError('unusable', `etcd's answer is not understood: ${textOf(error)}`, {
      endpoint,
    });
    return { outcome: 'in-doubt', error: unusable };
  }
  if (!isServiceError(error)) throw error;
  const text = textOf(error);
  const known = etcdErrors.find(([part]) => text.includes(part));
  if (known !== undefined) {
    const [, outcome, code] = known;
    return { outcome, error: new StorageError(code, `etcd: ${text}`, { endpoint }, error) };
  }
  const outcome = refusals.has(error.code) ? 'refused' : 'in-doubt';
  return { outcome, error: new StorageError('unavailable', `etcd: ${text}`, { endpoint }, error) };
}

/** True for an answer that was larger than we take: ask for less. */
export function isAnswerTooLarge(error: unknown): boolean {
  const cause = error instanceof StorageError ? error.cause : error;
  return isServiceError(cause) && cause.details.includes('Received message larger than max');
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}

/** How grpc-js tells that our decoding of an answer threw. */
function isParseFailure(error: unknown): boolean {
  return isServiceError(error) && error.details.includes('Response message parsing error');
}

function textOf(error: unknown): string {
  if (isServiceError(error) && error.details !== '') return error.details;
  return error instanceof Error ? error.message : String(error);
}
