import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertNamedByTests, rowsOf } from './contract-table.ts';

const table = rowsOf('docs/federation-contract.md', /^F[A-Z]\d+$/);

test('the federation contract: every line is where the table says, and a test names it', () => {
  assert.ok(table.length > 30);
  assert.equal(new Set(table.map(([id]) => id)).size, table.length, 'no id twice');
  for (const [id, what] of table) assert.ok(what, `${id} says something`);
  assertNamedByTests(table);
});
