import assert from 'node:assert/strict';
import { it } from 'node:test';
import { keyOf } from '../object-key.ts';
import { CopyIndex, type CopyRecord, placeKeyOf } from './copy-index.ts';

/** The copy of an object of this project, in the place `cell|configmaps.|ns/web`. */
function copy(project: string, resourceVersion: number, more: Partial<CopyRecord> = {}): CopyRecord {
  const object = { group: '', resource: 'configmaps', namespace: 'default', name: 'web' };
  return {
    key: keyOf({ ...object, cluster: project }),
    cellId: 'cell',
    ...object,
    version: 'v1',
    namespace: 'ns',
    uid: 'u1',
    resourceVersion: String(resourceVersion),
    generation: 1,
    deleting: false,
    contentHash: 'h1',
    syncedHash: undefined,
    syncError: undefined,
    wantedAgain: undefined,
    origin: { ...object, cluster: project, controlPlane: 'cp', path: 'root', uid: 'o1' },
    ...more,
  };
}

/** What all indexes tell of the one place. */
function told(index: CopyIndex, project: string) {
  const place = placeKeyOf(copy(project, 1));
  return {
    at: index.get(place)?.resourceVersion,
    of: index.ofOrigin(copy(project, 1).key).get(place)?.resourceVersion,
    inNamespace: index.countInNamespace('cell', 'ns'),
    isUser: index.isUser('configmaps.', project, 'cell'),
    isHeld: index.holdsResource('configmaps.'),
  };
}

it('a copy counts once in every index, however often it changes', () => {
  const index = new CopyIndex();
  assert.equal(index.put(copy('p', 5)), true);
  assert.equal(index.put(copy('p', 5)), false);
  assert.equal(index.put(copy('p', 4)), false);
  const there = { inNamespace: 1, isUser: true, isHeld: true };
  assert.deepEqual(told(index, 'p'), { at: '5', of: '5', ...there });
  assert.equal(index.put(copy('p', 6, { syncedHash: 'h1' })), true);
  assert.equal(index.put(copy('p', 10, { uid: 'u2' })), true);
  assert.deepEqual(told(index, 'p'), { at: '10', of: '10', ...there });
  assert.equal(index.remove(placeKeyOf(copy('p', 1)), 'u1'), undefined);
  assert.equal(index.remove(placeKeyOf(copy('p', 1)), 'u2')?.resourceVersion, '10');
  const nowhere = { inNamespace: 0, isUser: false, isHeld: false };
  assert.deepEqual(told(index, 'p'), { at: undefined, of: undefined, ...nowhere });
});

it('a copy that goes, or becomes that of another object, changes place in the indexes', () => {
  const index = new CopyIndex();
  index.put(copy('p', 5));
  index.put(copy('p', 6, { deleting: true }));
  assert.deepEqual(told(index, 'p'), { at: '6', of: '6', inNamespace: 1, isUser: false, isHeld: true });
  assert.equal(index.isSoleUser('configmaps.', 'q', 'cell'), true);
  index.put(copy('q', 7));
  assert.deepEqual(told(index, 'q'), { at: '7', of: '7', inNamespace: 1, isUser: true, isHeld: true });
  assert.equal(index.ofOrigin(copy('p', 1).key).size, 0);
  assert.deepEqual([...index.keys()], [copy('q', 1).key]);
});

it('an answer that comes after the watch has told of the copy’s end does not bring it back; what the watch tells does', () => {
  const index = new CopyIndex();
  const place = placeKeyOf(copy('p', 1));
  index.put(copy('p', 5));
  index.remove(place, 'u1');
  index.learn(copy('p', 6, { deleting: true }));
  assert.equal(index.get(place), undefined);
  index.learn(copy('p', 8, { uid: 'u2' }));
  assert.equal(index.get(place)?.uid, 'u2');
  index.remove(place, 'u2');
  // A list that left it out was wrong.
  index.put(copy('p', 8, { uid: 'u2' }));
  assert.equal(index.get(place)?.uid, 'u2');
});
