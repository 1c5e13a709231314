import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StorageKey } from '#storage/storage.ts';
import { FormCache } from './form-cache.ts';

const entry = (revision: number) => ({ key: '/core/configmaps/c/n/a' as StorageKey, revision });

test('a form is made once a revision, and kept in memory of its own size', () => {
  const cache = new FormCache(10_000);
  let made = 0;
  const get = (revision: number, form = 'yaml') =>
    cache.get(entry(revision), form, () => Buffer.from(`form ${++made}`));
  assert.equal(get(1).toString(), 'form 1');
  assert.equal(get(1).toString(), 'form 1');
  assert.equal(get(1, 'protobuf').toString(), 'form 2');
  assert.equal(get(2).toString(), 'form 3');
  assert.equal(get(1).buffer.byteLength, 'form 1'.length);
});
