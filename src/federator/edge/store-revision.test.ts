import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoreRevision } from './store-revision.ts';

test('only a revision before the one told last is a way back, told once', () => {
  const revision = new StoreRevision();
  const told = ['900', '900', '1000', '', 'x', '-1', '18446744073709551615', '999', '999', '1000'];
  assert.deepEqual(
    told.filter((one) => revision.hasGoneBack(one)),
    ['999'],
  );
});
