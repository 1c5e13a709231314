import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isApiError } from '#apimachinery/api-error.ts';
import {
  BatchDecoder,
  batchAnswerLine,
  batchAnswerOf,
  batchBytesOf,
  batchItemsMax,
  batchItemsOf,
} from './batch.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 200 });
const item = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE'),
  path: text.map((rest) => `/${rest}`),
  accept: fc.option(text, { nil: undefined }),
  contentType: fc.option(text, { nil: undefined }),
  body: fc.option(text, { nil: undefined }),
});

describe('frames of batches', () => {
  it('items come out as they went in', () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 20 }), (items) => {
        const bytes = batchBytesOf(items);
        const found = batchItemsOf(bytes).map((one) => ({ ...one, body: one.body?.toString() }));
        const sent = items.map((one) => ({ ...one, body: one.body === '' ? undefined : one.body }));
        assert.deepEqual(found, sent);
      }),
    );
  });

  it('answers come out whole, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(300), fc.nat(599), text), { maxLength: 10 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }),
        (answers, cuts) => {
          const parts = answers.flatMap(([at, code, body]) => {
            const bytes = Buffer.from(body);
            return [Buffer.from(batchAnswerLine(at, code, 'application/json', bytes.length)), bytes];
          });
          const all = Buffer.concat(parts);
          const decoder = new BatchDecoder();
          const found: [number, number, string][] = [];
          for (let from = 0, cut = 0; from < all.length; cut++) {
            const to = from + (cuts[cut % cuts.length] ?? 1);
            for (const frame of decoder.push(all.subarray(from, to))) {
              const answer = batchAnswerOf(frame);
              found.push([answer.item, answer.code, answer.body.toString()]);
            }
            from = to;
          }
          assert.ok(decoder.isBetweenFrames);
          assert.deepEqual(found, answers);
        },
      ),
    );
  });

  it('what is no batch is refused', () => {
    const get = '{"method":"GET","path":"/api/v1/nodes/n"}\n';
    const refused: [name: string, text: string][] = [
      ['no JSON', 'GET /api\n'],
      ['no object', '[]\n'],
      ['an unknown method', '{"method":"TRACE","path":"/api/v1/nodes/n"}\n'],
      ['a method of a prototype', '{"method":"constructor","path":"/api/v1/nodes/n"}\n'],
      ['no path', '{"method":"GET"}\n'],
      ['a relative path', '{"method":"GET","path":"api/v1/nodes/n"}\n'],
      ['a negative length', '{"method":"GET","path":"/a","length":-1}\n'],
      ['a length that is text', '{"method":"GET","path":"/a","length":"1"}\n'],
      ['a type that is none', '{"method":"GET","path":"/a","accept":7}\n'],
      ['a body that ends early', '{"method":"POST","path":"/a","length":9}\nabc'],
      ['a header that does not end', '{"method":"GET","path":"/a"}'],
      ['a header without end', `{"method":"GET","path":"/${'a'.repeat(20_000)}`],
      ['too many items', get.repeat(batchItemsMax + 1)],
    ];
    for (const [name, text] of refused) {
      assert.throws(
        () => batchItemsOf(Buffer.from(text)),
        (error: unknown) => isApiError(error, 'BadRequest'),
        name,
      );
    }
    assert.equal(batchItemsOf(Buffer.from(get.repeat(batchItemsMax))).length, batchItemsMax);
  });
});
