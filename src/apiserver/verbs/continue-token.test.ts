import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ContinueTokens } from './continue-token.ts';
import { apiError } from './testing/harness.ts';

const tokens = new ContinueTokens('store');

test('decode after encode is the identity; any change is refused (L4)', () => {
  const text = fc.string({ unit: 'grapheme' });
  fc.assert(
    fc.property(fc.nat(), text, text, text, fc.nat(), (revision, after, prefix, selection, at) => {
      const token = tokens.encode({ revision, after }, prefix, selection);
      const { seal: _, ...position } = tokens.decode(token, prefix, selection) as { seal?: string } & object;
      assert.deepEqual(position, { revision, after });
      assert.throws(() => tokens.decode(token, `${prefix}x`, selection), apiError('BadRequest'));
      assert.throws(() => tokens.decode(token, prefix, `${selection}x`), apiError('BadRequest'));
      assert.throws(
        () => new ContinueTokens('clone').decode(token, prefix, selection),
        apiError('BadRequest'),
      );
      const bytes = Buffer.from(token, 'base64url');
      const index = at % bytes.length;
      bytes[index] = bytes[index]! ^ 1;
      const changed = bytes.toString('base64url');
      assert.throws(() => tokens.decode(changed, prefix, selection), apiError('BadRequest'));
    }),
    { numRuns: 100 },
  );
});

test('anything else is a 400', () => {
  for (const token of ['x', 'bnVsbA', Buffer.from('{"v":2}').toString('base64url'), 'A'.repeat(5000)]) {
    assert.throws(
      () => tokens.decode(token, '', ''),
      apiError('BadRequest', /^invalid continue token: continue key is not valid/, 400),
    );
  }
});
