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

test('what is wrong with a token of another kind is told as Kubernetes tells it (storage DecodeContinue)', () => {
  const ofJson = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const v = 'meta.k8s.io/v1';
  const rows: [string, string][] = [
    ['@@@', 'illegal base64 data at input byte 0'],
    ['x', 'illegal base64 data at input byte 0'],
    ['YWJjZ', 'illegal base64 data at input byte 4'],
    ['YQ==', 'illegal base64 data at input byte 2'],
    [Buffer.from('hello').toString('base64url'), "invalid character 'h' looking for beginning of value"],
    [ofJson({}), 'server does not recognize this encoded version '],
    [ofJson(null), 'server does not recognize this encoded version '],
    [ofJson({ v: 'meta.k8s.io/v2' }), 'server does not recognize this encoded version meta.k8s.io/v2'],
    [ofJson({ v, start: 'x' }), 'incorrect encoded start resourceVersion (version meta.k8s.io/v1)'],
    [ofJson({ v, rv: 1 }), 'encoded start key empty (version meta.k8s.io/v1)'],
    [ofJson({ v, rv: 1, start: '../x' }), '../x'],
    [
      ofJson({ v, rv: 'a', start: 'x' }),
      'json: cannot unmarshal string into Go struct field continueToken.rv of type int64',
    ],
    [ofJson([1]), 'json: cannot unmarshal array into Go value of type storage.continueToken'],
  ];
  for (const [token, why] of rows) {
    assert.throws(
      () => tokens.decode(token, '', ''),
      apiError('BadRequest', `invalid continue token: continue key is not valid: ${why}`, 400),
      token,
    );
  }
});
