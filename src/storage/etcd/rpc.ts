import { type FieldSpec, MessageType } from './proto-codec.ts';

/**
 * The messages of etcd's API version 3 that we use (etcd api/etcdserverpb/rpc.proto, api/mvccpb/kv.proto; the same from
 * 3.4 on). Ids of clusters, members and leases are left out: they do not fit a double and tell us nothing.
 */
export interface Header {
  readonly revision: number;
}

export interface EtcdKeyValue {
  readonly key: Buffer;
  readonly create_revision: number;
  readonly mod_revision: number;
  readonly value: Buffer;
}

export interface RangeRequest {
  readonly key: Buffer;
  /** Absent: one key. Else all from `key` on, below this. */
  readonly range_end?: Buffer | undefined;
  readonly limit?: number | undefined;
  /** 0: the newest. */
  readonly revision?: number | undefined;
  readonly keys_only?: boolean | undefined;
  readonly count_only?: boolean | undefined;
}

export interface RangeResponse {
  readonly header: Header | undefined;
  readonly kvs: readonly EtcdKeyValue[];
  readonly more: boolean;
  /** All keys of the range, whatever the limit. */
  readonly count: number;
}

export interface RequestOp {
  readonly request_range?: RangeRequest | undefined;
  readonly request_put?: { readonly key: Buffer; readonly value: Buffer } | undefined;
  readonly request_delete_range?: { readonly key: Buffer } | undefined;
}

/** EQUAL, the only comparison we use, is 0 on the wire. */
export interface Compare {
  readonly target: number;
  readonly key: Buffer;
  readonly create_revision?: number | undefined;
  readonly mod_revision?: number | undefined;
  readonly range_end?: Buffer | undefined;
}

export const compareCreateRevision = 1;
export const compareModRevision = 2;

export interface TxnRequest {
  readonly compare: readonly Compare[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}

export interface TxnResponse {
  readonly header: Header | undefined;
  readonly succeeded: boolean;
  readonly responses: readonly { readonly response_range: RangeResponse | undefined }[];
}

export interface WatchCreateRequest {
  readonly key: Buffer;
  readonly range_end?: Buffer | undefined;
  readonly start_revision: number;
  readonly prev_kv?: boolean | undefined;
  /** Large responses come in parts; without it one response can hold a thousand revisions. */
  readonly fragment?: boolean | undefined;
}

export interface EtcdEvent {
  /** 0: put, 1: delete. */
  readonly type: number;
  readonly kv: EtcdKeyValue | undefined;
  readonly prev_kv: EtcdKeyValue | undefined;
}

export interface WatchResponse {
  readonly header: Header | undefined;
  readonly created: boolean;
  readonly canceled: boolean;
  /** Not 0: the watch was cancelled because its start was compacted. */
  readonly compact_revision: number;
  readonly cancel_reason: string;
  /** Further parts of this response follow. */
  readonly fragment: boolean;
  readonly events: readonly EtcdEvent[];
}

/** One call of a service. */
export interface Method<Request extends object, Response extends object> {
  readonly path: string;
  readonly request: MessageType<Request>;
  readonly response: MessageType<Response>;
}

function number(at: number): FieldSpec {
  return { number: at, kind: 'number' };
}

function bool(at: number): FieldSpec {
  return { number: at, kind: 'bool' };
}

function bytes(at: number): FieldSpec {
  return { number: at, kind: 'bytes' };
}

function text(at: number): FieldSpec {
  return { number: at, kind: 'string' };
}

function nested<T extends object>(at: number, type: MessageType<T>): FieldSpec {
  return { number: at, kind: type as MessageType<object> };
}

function list<T extends object>(at: number, type: MessageType<T>): FieldSpec {
  return { ...nested(at, type), repeated: true };
}

const header = new MessageType<Header>({ revision: number(3) });
const keyValue = new MessageType<EtcdKeyValue>({
  key: bytes(1),
  create_revision: number(2),
  mod_revision: number(3),
  value: bytes(5),
});
const rangeRequest = new MessageType<RangeRequest>({
  key: bytes(1),
  range_end: bytes(2),
  limit: number(3),
  revision: number(4),
  keys_only: bool(8),
  count_only: bool(9),
});
const rangeResponse = new MessageType<RangeResponse>({
  header: nested(1, header),
  kvs: list(2, keyValue),
  more: bool(3),
  count: number(4),
});
const requestOp = new MessageType<RequestOp>({
  request_range: nested(1, rangeRequest),
  request_put: nested(
    2,
    new MessageType<{ readonly key: Buffer; readonly value: Buffer }>({ key: bytes(1), value: bytes(2) }),
  ),
  request_delete_range: nested(3, new MessageType<{ readonly key: Buffer }>({ key: bytes(1) })),
});
const compare = new MessageType<Compare>({
  target: number(2),
  key: bytes(3),
  create_revision: number(5),
  mod_revision: number(6),
  range_end: bytes(64),
});
const responseOp = new MessageType<{ readonly response_range: RangeResponse | undefined }>({
  response_range: nested(1, rangeResponse),
});
const event = new MessageType<EtcdEvent>({
  type: number(1),
  kv: nested(2, keyValue),
  prev_kv: nested(3, keyValue),
});
const headerOnly = new MessageType<{ readonly header: Header | undefined }>({ header: nested(1, header) });

export const rangeMethod: Method<RangeRequest, RangeResponse> = {
  path: '/etcdserverpb.KV/Range',
  request: rangeRequest,
  response: rangeResponse,
};

export const txnMethod: Method<TxnRequest, TxnResponse> = {
  path: '/etcdserverpb.KV/Txn',
  request: new MessageType<TxnRequest>({
    compare: list(1, compare),
    success: list(2, requestOp),
    failure: list(3, requestOp),
  }),
  response: new MessageType<TxnResponse>({
    header: nested(1, header),
    succeeded: bool(2),
    responses: list(3, responseOp),
  }),
};

export const compactMethod: Method<{ readonly revision: number }, { readonly header: Header | undefined }> = {
  path: '/etcdserverpb.KV/Compact',
  request: new MessageType<{ readonly revision: number }>({ revision: number(1) }),
  response: headerOnly,
};

export const watchMethod: Method<{ readonly create_request: WatchCreateRequest }, WatchResponse> = {
  path: '/etcdserverpb.Watch/Watch',
  request: new MessageType<{ readonly create_request: WatchCreateRequest }>({
    create_request: nested(
      1,
      new MessageType<WatchCreateRequest>({
        key: bytes(1),
        range_end: bytes(2),
        start_revision: number(3),
        prev_kv: bool(6),
        fragment: bool(8),
      }),
    ),
  }),
  response: new MessageType<WatchResponse>({
    header: nested(1, header),
    created: bool(3),
    canceled: bool(4),
    compact_revision: number(5),
    cancel_reason: text(6),
    fragment: bool(7),
    events: list(11, event),
  }),
};

interface Credentials {
  readonly name: string;
  readonly password: string;
}

export const authenticateMethod: Method<Credentials, { readonly token: string }> = {
  path: '/etcdserverpb.Auth/Authenticate',
  request: new MessageType<Credentials>({ name: text(1), password: text(2) }),
  response: new MessageType<{ readonly token: string }>({ token: text(2) }),
};

export const statusMethod: Method<object, { readonly version: string }> = {
  path: '/etcdserverpb.Maintenance/Status',
  request: new MessageType<object>({}),
  response: new MessageType<{ readonly version: string }>({ version: text(2) }),
};
