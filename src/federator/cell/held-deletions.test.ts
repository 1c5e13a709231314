import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HeldDeletions } from './held-deletions.ts';

test('a token releases exactly what was held when it was told', () => {
  const held = new HeldDeletions();
  held.hold('a', 'why a');
  held.hold('b', 'why b');
  const token = held.token;
  assert.equal(held.first, 'why a');
  assert.deepEqual(held.release('guessed'), []);
  assert.deepEqual(held.release(undefined), []);
  held.hold('c', 'why c');
  assert.deepEqual(held.release(token), [], 'c was not seen by whoever gives it');
  held.forget('c');
  assert.deepEqual(held.release(token), ['a', 'b']);
  assert.deepEqual([held.size, held.token, held.isReleased('a'), held.has('a')], [0, undefined, true, false]);
  held.forget('a');
  assert.equal(held.isReleased('a'), false, 'the next deletion of the same name is another question');
});

test('the token depends on the set alone, not on the way to it', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 20 }),
      fc.array(fc.string(), { maxLength: 10 }),
      (keys, passing) => {
        const straight = new HeldDeletions();
        for (const key of keys) straight.hold(key, '');
        const winding = new HeldDeletions();
        const others = passing.filter((key) => !keys.includes(key));
        for (const key of others) winding.hold(key, '');
        for (const key of [...keys].reverse()) winding.hold(key, '');
        for (const key of keys) winding.hold(key, 'again');
        for (const key of others) winding.forget(key);
        assert.equal(winding.token, straight.token);
        assert.match(straight.token ?? '', /^[0-9a-z]{12}$/);
      },
    ),
    { numRuns: 50 },
  );
});
