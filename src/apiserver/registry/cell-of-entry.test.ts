import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cellDefinition } from '#api/federation/cell.ts';
import { federationGroup, federationVersion } from '#api/federation/group.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import type { Revision, StorageKey } from '#storage/storage.ts';
import { cellOfEntry } from './cell-of-entry.ts';
import { encodeStored } from './encode-stored.ts';

function entry(name: string, revision: number): CacheEntry {
  const apiVersion = `${federationGroup}/${federationVersion}`;
  const value = encodeStored(
    { apiVersion, kind: 'Cell', metadata: { name, generation: revision } },
    cellDefinition,
  );
  return { key: `/cells/c//${name}` as StorageKey, revision: revision as Revision, value, memo: undefined };
}

test('a Cell is parsed once a revision, and that of the revision asked for', () => {
  const first = entry('a', 1);
  const cell = cellOfEntry(first);
  assert.equal(cell.metadata.generation, 1);
  assert.equal(cellOfEntry(first), cell);
  assert.equal(cellOfEntry(entry('a', 2)).metadata.generation, 2);
  assert.equal(cellOfEntry(first).metadata.generation, 1);
  assert.equal(cellOfEntry(entry('b', 3)).metadata.name, 'b');
});
