import type { CacheEntry } from '#storage/cached-storage.ts';
import { listParts } from '../../protobuf/encode-object.ts';
import type { ListResult } from '../../verbs/result.ts';
import type { Exchange } from '../exchange.ts';
import type { FormCache } from './form-cache.ts';
import { listMetadata, listType, type Piece, pause } from './list-pieces.ts';
import type { Form } from './negotiate.ts';
import { entryProtobuf } from './object-forms.ts';
import { entriesPerLook, nextTurn, sliceMs } from './slices.ts';

/** Encoded items that one list holds from measuring to sending; what is beyond is encoded once more when it is sent. */
const heldBytesMax = 32 * 1024 * 1024;

/** A list whose length is known. */
interface MeasuredList {
  readonly head: Buffer;
  readonly tail: Buffer;
  readonly entries: readonly CacheEntry[];
  /** Of the first entries. */
  readonly held: readonly Buffer[];
  encode(entry: CacheEntry): Buffer;
}

/**
 * Encodes the list's items to learn its length, which an envelope tells first. Other requests get their turn in between.
 * Ends early, with whatever there is, when the client is gone.
 */
export async function measureProtobufList(
  exchange: Exchange,
  result: ListResult,
  form: Form,
  forms: FormCache,
): Promise<MeasuredList> {
  const encode = (entry: CacheEntry): Buffer => entryProtobuf(forms, entry, result.served, form);
  const entries: CacheEntry[] = [];
  const held: Buffer[] = [];
  let bytes = 0;
  let heldBytes = 0;
  let sliceStart = performance.now();
  for (const entry of result.entries) {
    const body = encode(entry);
    bytes += body.length;
    if (held.length === entries.length && heldBytes + body.length <= heldBytesMax) {
      held.push(body);
      heldBytes += body.length;
    }
    entries.push(entry);
    if (entries.length % entriesPerLook !== 0 || performance.now() - sliceStart < sliceMs) continue;
    await nextTurn();
    if (exchange.isGone) break;
    sliceStart = performance.now();
  }
  const { apiVersion, kind } = listType(result, form);
  return { ...listParts(apiVersion, kind, listMetadata(result, form), bytes), entries, held, encode };
}

/** Its document. */
export function* protobufPieces({ head, tail, entries, held, encode }: MeasuredList): Generator<Piece> {
  yield head;
  for (let index = 0; index < entries.length; index++) {
    yield held[index] ?? encode(entries[index] as CacheEntry);
    if (index % entriesPerLook === 0) yield pause;
  }
  yield tail;
}
