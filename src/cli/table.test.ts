import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTable } from './table.ts';

test('a row stays one line, whatever the message of an edge holds', () => {
  const table = formatTable(['NAME', 'MESSAGE', 'X'], [['a', 'failed:\n | ...^,\r\n  more', 'y']]);
  assert.equal(table, 'NAME   MESSAGE                X\na      failed: | ...^, more   y');
});
