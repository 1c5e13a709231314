import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whyFailed } from './why-failed.ts';

test('what was decided, and in words why cells were left out, of a few reasons', () => {
  assert.equal(whyFailed('0 of 0 cells fit'), '0 of 0 cells fit');
  const refusals = [
    { code: 'CellNotReady', count: 1, examples: ['a'] },
    { code: 'ForbiddenByPolicy', policy: 'root:acme/eu', count: 5, examples: ['b', 'c', 'd'] },
    { code: 'OfALaterVersion', count: 1, examples: ['g'] },
    { code: 'NoCapacity', count: 1, examples: ['h'] },
  ];
  assert.equal(
    whyFailed('0 of 8 cells fit', refusals),
    '0 of 8 cells fit; a: the cell is not ready; ' +
      'b, c, d and 2 more: an inherited policy does not let the object be there: root:acme/eu; g: OfALaterVersion',
  );
});
