import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isStorageError } from '../errors.ts';
import { compareKeys, prefixEnd } from '../key-order.ts';
import type { Revision } from '../storage.ts';
import {
  bytesEnd,
  keyOfPointerKey,
  keyOfRecordKey,
  pointerKey,
  recordKey,
  recordStart,
  revisionOfRecordKey,
} from './key-codec.ts';
import { decodeHead, encodeHead } from './meta.ts';
import { decodePointer, encodePointer } from './pointer.ts';
import { decodeRecord, encodeRecord } from './record.ts';

/** Any UTF-16 text, lone surrogates included. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.array(fc.nat({ max: 0xffff }), { maxLength: 8 }).map((units) => String.fromCharCode(...units)),
);
const revisions = fc.nat({ max: Number.MAX_SAFE_INTEGER }).map((value) => value as Revision);
const allocate = (bytes: number): Buffer => Buffer.alloc(bytes, 0xee);

describe('level codecs', () => {
  it('keys come back as they were', () => {
    fc.assert(
      fc.property(anyText, revisions, (text, revision) => {
        assert.equal(keyOfPointerKey(pointerKey(text)), text);
        const bytes = recordKey(revision, text);
        assert.equal(keyOfRecordKey(bytes), text);
        assert.equal(revisionOfRecordKey(bytes), revision);
      }),
    );
  });

  it('bytes sort as keys and revisions do', () => {
    fc.assert(
      fc.property(anyText, anyText, revisions, revisions, (left, right, low, high) => {
        assert.equal(Math.sign(pointerKey(left).compare(pointerKey(right))), compareKeys(left, right));
        assert.equal(Math.sign(recordStart(low).compare(recordStart(high))), Math.sign(low - high));
        if (low < high) assert.ok(recordKey(low, left).compare(recordStart(high)) < 0);
      }),
    );
  });

  it('the end of a prefix is above all that starts with it and nothing else', () => {
    fc.assert(
      fc.property(anyText, anyText, (prefix, text) => {
        const end = prefixEnd(prefix);
        const inside = compareKeys(text, prefix) >= 0 && (end === undefined || compareKeys(text, end) < 0);
        assert.equal(inside, text.startsWith(prefix));
        const bytes = pointerKey(text);
        const start = pointerKey(prefix);
        assert.equal(
          bytes.compare(start) >= 0 && bytes.compare(bytesEnd(start)) < 0,
          text.startsWith(prefix),
        );
      }),
    );
  });

  it('records come back as they were, and no flipped bit is overlooked', () => {
    const headers = fc.record({
      type: fc.constantFrom('put' as const, 'delete' as const),
      link: revisions,
      linkDeleted: fc.boolean(),
      timeMs: fc.nat({ max: 2 ** 45 }),
      index: fc.nat({ max: 10_000 }),
      count: fc.nat({ max: 10_000 }),
    });
    fc.assert(
      fc.property(
        anyText,
        revisions,
        headers,
        fc.uint8Array({ maxLength: 64 }),
        fc.nat(),
        (text, revision, header, value, bit) => {
          const key = recordKey(revision, text);
          const bytes = encodeRecord(key, header, Buffer.from(value), allocate);
          const decoded = decodeRecord(key, bytes);
          assert.ok(decoded.value.equals(value));
          assert.deepEqual({ ...decoded, value: undefined }, { ...header, value: undefined });
          const at = bit % (bytes.length * 8);
          bytes[at >> 3] = (bytes[at >> 3] ?? 0) ^ (1 << (at & 7));
          assert.throws(
            () => decodeRecord(key, bytes),
            (error) => isStorageError(error, 'corrupt'),
          );
        },
      ),
    );
    const key = recordKey(7 as Revision, 'a');
    assert.throws(
      () => decodeRecord(key, undefined),
      (error) => isStorageError(error, 'corrupt'),
    );
    assert.throws(
      () => decodeRecord(key, Buffer.alloc(5)),
      (error) => isStorageError(error, 'corrupt'),
    );
  });

  it('a record is not taken for that of another key or revision', () => {
    const header = {
      type: 'put',
      link: 0 as Revision,
      linkDeleted: false,
      timeMs: 1,
      index: 0,
      count: 1,
    } as const;
    const bytes = encodeRecord(recordKey(7 as Revision, 'a'), header, Buffer.from('x'), allocate);
    for (const key of [recordKey(8 as Revision, 'a'), recordKey(7 as Revision, 'b')]) {
      assert.throws(
        () => decodeRecord(key, bytes),
        (error) => isStorageError(error, 'corrupt'),
      );
    }
  });

  it('pointers and heads come back as they were, and no flipped bit is overlooked', () => {
    fc.assert(
      fc.property(
        anyText,
        revisions,
        fc.boolean(),
        fc.nat({ max: 13 * 8 - 1 }),
        (text, revision, present, bit) => {
          const key = pointerKey(text);
          const { pointer, bytes } = encodePointer(key, revision, present);
          assert.deepEqual(decodePointer(key, bytes), pointer);
          assert.deepEqual([pointer.revision, pointer.present], [revision, present]);
          bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          assert.throws(
            () => decodePointer(key, bytes),
            (error) => isStorageError(error, 'corrupt'),
          );
        },
      ),
    );
    const head = { revision: 2 ** 52, compacted: 5, pruned: 4, count: 3, sum: 2 ** 32 - 1 };
    const bytes = encodeHead(head as ReturnType<typeof decodeHead>);
    assert.deepEqual(decodeHead(bytes), head);
    bytes[9] = 1;
    assert.throws(
      () => decodeHead(bytes),
      (error) => isStorageError(error, 'corrupt'),
    );
    assert.throws(
      () => decodeHead(undefined),
      (error) => isStorageError(error, 'corrupt'),
    );
  });
});
