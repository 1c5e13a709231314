import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { knownDifferences } from '../oracle/known.ts';
import { knownOfDocuments } from '../oracle/known-documents.ts';
import { assertNamedByTests, idsOf, rowsOf } from './contract-table.ts';

/** The sections of the contract with the number of their lines. */
const sections = { D: 9, N: 6, E: 5, C: 11, P: 7, X: 5, L: 5, W: 7, S: 4, R: 7, A: 4, U: 5, O: 6 };

const table = rowsOf('docs/kubernetes-contract.md', /^[A-Z]\d+$/);

test('the table of the contract has every line once, in order', () => {
  assert.deepEqual(
    table.map(([id]) => id),
    idsOf(sections),
  );
});

test('every line is where the table says, and a test names it', () => {
  assertNamedByTests(table);
});

test('every difference that the comparison with kube-apiserver passes over has its row', () => {
  const text = readFileSync('docs/kubernetes-contract.md', 'utf8');
  const rows = text.slice(text.indexOf('## Differences from kube-apiserver')).split('\n');
  for (const { row } of [...knownDifferences, ...knownOfDocuments])
    assert.ok(row === undefined || rows.some((line) => line.startsWith(`| ${row} |`)), `no row: ${row}`);
});
