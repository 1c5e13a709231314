import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { knownDifferences } from '../oracle/known.ts';
import { knownOfDocuments } from '../oracle/known-documents.ts';

/** The sections of the contract with the number of their lines. */
const sections = { D: 9, N: 6, E: 5, C: 11, P: 7, X: 5, L: 5, W: 7, S: 4, R: 7, A: 4, U: 5, O: 6 };

const table = readFileSync('docs/kubernetes-contract.md', 'utf8')
  .split('\n')
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| |\s*\|$/g, '').trim()))
  .filter(([id = '']) => /^[A-Z]\d+$/.test(id));

const pathsIn = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, path]) => path ?? '');

test('the table of the contract has every line once, in order', () => {
  const wanted = Object.entries(sections).flatMap(([section, lines]) =>
    Array.from({ length: lines }, (_, index) => `${section}${index + 1}`),
  );
  assert.deepEqual(
    table.map(([id]) => id),
    wanted,
  );
});

test('every line is where the table says, and a test names it', () => {
  for (const [id, , where, shown] of table) {
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

test('every difference that the comparison with kube-apiserver passes over has its row', () => {
  const text = readFileSync('docs/kubernetes-contract.md', 'utf8');
  const rows = text.slice(text.indexOf('## Differences from kube-apiserver')).split('\n');
  for (const { row } of [...knownDifferences, ...knownOfDocuments])
    assert.ok(row === undefined || rows.some((line) => line.startsWith(`| ${row} |`)), `no row: ${row}`);
});
