import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { idsOf, rowsOf } from './contract-table.ts';

/** The sections of the table with the number of their lines. */
const sections = {
  ...{ P: 13, S: 3, D: 6, F: 9, C: 3, Q: 4, O: 7, R: 3 },
  ...{ W: 2, I: 3, G: 3, X: 3, U: 2, H: 2, V: 3 },
};

const table = rowsOf('docs/placement-contract.md', /^[A-Z]\d+$/);

const texts = new Map<string, string>();

function textOf(path: string): string {
  let text = texts.get(path);
  if (text === undefined) {
    text = readFileSync(path, 'utf8');
    texts.set(path, text);
  }
  return text;
}

test('the table of placement has every line once, in order', () => {
  assert.deepEqual(
    table.map(([id]) => id),
    idsOf(sections),
  );
});

test('every line of placement is where the table says, and a test has the words that are quoted', () => {
  for (const [id, , where = '', shown = ''] of table) {
    const sources = where.split('<br>').map((cell) => /^`([^`]+)`$/.exec(cell)?.[1] ?? '');
    for (const path of sources) assert.ok(path !== '' && existsSync(path), `${id}: there is no ${path}`);
    for (const cell of shown.split('<br>')) {
      const [, path = '', words = ''] = /^`([^`]+\.(?:test|e2e)\.ts)`: (.+)$/.exec(cell) ?? [];
      assert.ok(path !== '' && existsSync(path), `${id}: ${cell} names no test`);
      assert.ok(textOf(path).includes(words), `${id}: ${path} does not say "${words}"`);
    }
  }
});
