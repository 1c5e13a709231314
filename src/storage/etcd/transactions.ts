import { StorageError } from '../errors.ts';
import type { Guard, KeyValue, Operation, Revision, Transaction, TransactionResult } from '../storage.ts';
import type { KeySpace } from './key-space.ts';
import {
  type Compare,
  compareModRevision,
  type RangeResponse,
  type RequestOp,
  type TxnRequest,
  type TxnResponse,
} from './rpc.ts';
import type { RevisionScale } from './store-marker.ts';

/** Up to so many guards bring their keys' values with the refusal; with more, only the revisions. */
const guardsWithValuesMax = 8;
/** No write has it. */
const impossibleRevision = Number.MAX_SAFE_INTEGER;

/**
 * One transaction of etcd: it happens if the marker is still ours and all guards hold; else it tells what stands under
 * the marker and the guards' keys.
 */
export function encodeTransaction(
  { guards, operations }: Transaction,
  keys: KeySpace,
  scale: RevisionScale,
): TxnRequest {
  const compare: Compare[] = [
    { target: compareModRevision, key: keys.marker, mod_revision: scale.markerRevision },
  ];
  const keys_only = guards.length > guardsWithValuesMax;
  const failure: RequestOp[] = [{ request_range: { key: keys.marker, keys_only: true } }];
  for (const guard of guards) {
    const key = keys.encode(guard.key);
    compare.push({ target: compareModRevision, key, mod_revision: etcdRevisionOf(guard, scale) });
    failure.push({ request_range: { key, keys_only } });
  }
  return { compare, success: operations.map((operation) => encodeOperation(operation, keys)), failure };
}

function etcdRevisionOf({ revision }: Guard, scale: RevisionScale): number {
  if (revision === 0) return 0;
  const etcdRevision = scale.toEtcd(revision);
  return etcdRevision > 0 ? etcdRevision : impossibleRevision;
}

function encodeOperation(operation: Operation, keys: KeySpace): RequestOp {
  const key = keys.encode(operation.key);
  if (operation.type === 'delete') return { request_delete_range: { key } };
  return { request_put: { key, value: operation.value } };
}

/** A refusal whose `current` is read only when `readAt` is called: many guards bring no values. */
export type Outcome =
  | { readonly committed: true }
  | {
      readonly committed: false;
      readonly guard: Guard;
      readonly current: KeyValue | undefined;
      readonly withValue: boolean;
    };

/** Throws `unusable` when another store has taken this one's place. */
export function decodeOutcome(
  { guards }: Transaction,
  { succeeded, responses }: TxnResponse,
  scale: RevisionScale,
): Outcome {
  if (succeeded) return { committed: true };
  if (firstItem(responses[0]?.response_range)?.mod_revision !== scale.markerRevision) {
    throw new StorageError('unusable', 'etcd: the store was replaced by another one; start again');
  }
  for (const [index, guard] of guards.entries()) {
    const item = firstItem(responses[index + 1]?.response_range);
    if ((item?.mod_revision ?? 0) === etcdRevisionOf(guard, scale)) continue;
    const current =
      item === undefined
        ? undefined
        : { key: guard.key, value: item.value, revision: scale.fromEtcd(item.mod_revision) };
    return { committed: false, guard, current, withValue: guards.length <= guardsWithValuesMax };
  }
  throw new StorageError('unusable', 'etcd: refused a transaction although all its guards hold');
}

function firstItem(response: RangeResponse | undefined): RangeResponse['kvs'][number] | undefined {
  return response?.kvs[0];
}

export function refusal(guard: Guard, current: KeyValue | undefined, revision: Revision): TransactionResult {
  return { committed: false, failedGuard: guard, current, revision };
}
