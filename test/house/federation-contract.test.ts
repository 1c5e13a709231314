import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const table = readFileSync('docs/federation-contract.md', 'utf8')
  .split('\n')
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| |\s*\|$/g, '').trim()))
  .filter(([id = '']) => /^F[A-Z]\d+$/.test(id));

const pathsIn = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, path]) => path ?? '');

test('the federation contract: every line is where the table says, and a test names it', () => {
  assert.ok(table.length > 30);
  assert.equal(new Set(table.map(([id]) => id)).size, table.length, 'no id twice');
  for (const [id, what, where, shown] of table) {
    assert.ok(what, `${id} says something`);
    const sources = pathsIn(where);
    const tests = pathsIn(shown);
    assert.ok(sources.length > 0 && tests.length > 0, `${id} needs a source and a test`);
    for (const path of sources) assert.ok(existsSync(path), `${id}: there is no ${path}`);
    for (const path of tests) {
      assert.match(path, /\.(?:test|e2e)\.ts$/, `${id}: ${path} is no test`);
      assert.match(readFileSync(path, 'utf8'), new RegExp(`\\b${id}\\b`), `${path} does not name ${id}`);
    }
  }
});
