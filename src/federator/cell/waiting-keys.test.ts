import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WaitingKeys } from './waiting-keys.ts';

test('keys wait for one thing each and are taken out together', () => {
  const waiting = new WaitingKeys();
  waiting.add('kinds', 'a');
  waiting.add('kinds', 'a');
  waiting.add('kinds', 'b');
  waiting.add('namespace/x', 'b');
  waiting.add('namespace/x', 'c');
  waiting.delete('c');
  assert.deepEqual(waiting.take('kinds'), ['a']);
  assert.deepEqual(waiting.take('kinds'), []);
  assert.deepEqual(waiting.take('namespace/x'), ['b']);
  assert.deepEqual(waiting.take('namespace/y'), []);
});
