import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundedSeries } from './bounded-series.ts';

test('names that tenants give do not grow without end', () => {
  const series = new BoundedSeries(['name'], () => 0);
  for (let at = 0; at < 1_000; at++) series.at({ name: `n${at}`, type: at % 2 === 0 ? 'a' : 'b' }).value++;
  series.at({ name: 'n0', type: 'a' }).value++;
  const told = [...series];
  assert.equal(told.length, 302);
  assert.deepEqual(told[0], [{ name: 'n0', type: 'a' }, 2]);
  assert.deepEqual(told.slice(-2), [
    [{ name: 'other', type: 'a' }, 350],
    [{ name: 'other', type: 'b' }, 350],
  ]);
});
