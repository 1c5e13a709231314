import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MessageType, ProtoError } from './proto-codec.ts';

interface Inner {
  readonly n?: number;
  readonly s?: string;
}

interface Outer {
  readonly n?: number;
  readonly b?: boolean;
  readonly data?: Buffer;
  readonly inner?: Inner | undefined;
  readonly many?: readonly Inner[];
}

const inner = new MessageType<Inner>({ n: { number: 1, kind: 'number' }, s: { number: 2, kind: 'string' } });
const outer = new MessageType<Outer>({
  n: { number: 1, kind: 'number' },
  b: { number: 2, kind: 'bool' },
  data: { number: 64, kind: 'bytes' },
  inner: { number: 4, kind: inner as MessageType<object> },
  many: { number: 5, kind: inner as MessageType<object>, repeated: true },
});

describe('protocol buffers codec', () => {
  it('writes the examples of the encoding guide (protobuf.dev/programming-guides/encoding)', () => {
    assert.equal(outer.encode({ n: 150 }).toString('hex'), '089601');
    assert.equal(inner.encode({ s: 'testing' }).toString('hex'), '120774657374696e67');
    assert.equal(outer.encode({ inner: { n: 150 } }).toString('hex'), '2203089601');
    assert.equal(outer.encode({ inner: {}, n: 0, b: false }).toString('hex'), '2200');
    assert.equal(outer.encode({ data: Buffer.from([7]) }).toString('hex'), '82040107');
  });

  it('reads back what it wrote', () => {
    const number = fc.nat({ max: Number.MAX_SAFE_INTEGER });
    const innerArbitrary = fc.record(
      { n: number, s: fc.string({ unit: 'grapheme' }) },
      { noNullPrototype: true },
    );
    const arbitrary = fc.record(
      {
        n: number,
        b: fc.boolean(),
        data: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
        inner: fc.option(innerArbitrary, { nil: undefined }),
        many: fc.array(innerArbitrary, { maxLength: 5 }),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(arbitrary, (message) => {
        assert.deepEqual(outer.decode(outer.encode(message)), message);
      }),
    );
  });

  it('skips fields that it does not know, whatever their wire type', () => {
    const known = '089601';
    for (const unknown of ['3001', '310102030405060708', '32020102', '3501020304']) {
      assert.equal(outer.decode(Buffer.from(unknown + known, 'hex')).n, 150, unknown);
    }
  });

  it('reads negative numbers, and refuses what a double cannot hold', () => {
    assert.equal(outer.decode(Buffer.from(`08${'ff'.repeat(9)}01`, 'hex')).n, -1);
    assert.equal(outer.decode(Buffer.from('08ffffffffffffff0f', 'hex')).n, Number.MAX_SAFE_INTEGER);
    assert.throws(() => outer.decode(Buffer.from('088080808080808010', 'hex')), ProtoError);
    assert.throws(() => outer.encode({ n: -1 }), ProtoError);
    assert.throws(() => outer.encode({ n: 2 ** 53 }), ProtoError);
  });

  it('refuses bytes that are cut short', () => {
    const whole = outer.encode({ n: 150, data: Buffer.from('abc'), many: [{ n: 1 }] });
    for (let length = 1; length < whole.length; length++) {
      const cut = whole.subarray(0, length);
      try {
        outer.decode(cut);
      } catch (error) {
        assert.ok(error instanceof ProtoError);
      }
    }
    assert.throws(() => outer.decode(Buffer.from('82040407', 'hex')), ProtoError);
  });
});
