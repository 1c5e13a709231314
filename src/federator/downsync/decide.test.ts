import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#apimachinery/object.ts';
import type { EdgeObject } from '../edge/edge-object.ts';
import { type DecisionInput, decideDownsync, isStale, type Step } from './decide.ts';

const finalizer = 'federation.cellplane.io/edge';
const hash = 'federation.cellplane.io/content-hash';

function copy(metadata: Partial<KubeObject['metadata']> = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Copy',
    metadata: { name: 'x', finalizers: [finalizer], annotations: { [hash]: 'h1' }, ...metadata },
  };
}

function edge(changes: Partial<EdgeObject> = {}): EdgeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'x', uid: 'u', resourceVersion: '5' },
    contentHash: 'h1',
    fieldsHash: 'f1',
    statusHash: '',
    deleting: false,
    deletionPolicy: '',
    ...changes,
  };
}

const deleting = { deletionTimestamp: '2026-01-01T00:00:00Z' };
const base: DecisionInput = { copy: copy(), edge: edge(), absence: 'inferred', knownFieldsHash: 'f1' };

const rows: readonly (readonly [string, Partial<DecisionInput>, Step])[] = [
  ['nothing on either side', { copy: undefined, edge: undefined }, { type: 'none' }],
  ['equal on both sides', {}, { type: 'acknowledge' }],
  ['a copy that the edge lacks', { edge: undefined }, { type: 'apply', why: 'absent' }],
  ['other content at the edge', { edge: edge({ contentHash: 'h0' }) }, { type: 'apply', why: 'changed' }],
  ['a field of ours was taken', { edge: edge({ fieldsHash: 'f2' }) }, { type: 'apply', why: 'drift' }],
  [
    'after a restart our fields are not known',
    { knownFieldsHash: undefined },
    { type: 'apply', why: 'fields-unknown' },
  ],
  ['the edge object is on its way out', { edge: edge({ deleting: true }) }, { type: 'await-deletion' }],
  [
    'a deletion that was seen',
    { copy: undefined, absence: 'observed' },
    { type: 'delete', evidence: 'observed' },
  ],
  ['a deletion that is only concluded', { copy: undefined }, { type: 'delete', evidence: 'inferred' }],
  [
    'a copy that left its edge object behind',
    { copy: undefined, edge: edge({ deletionPolicy: 'Orphan' }) },
    { type: 'none' },
  ],
  ['a copy that is to go', { copy: copy(deleting) }, { type: 'delete', evidence: 'observed' }],
  ['a copy that is to go, gone at the edge', { copy: copy(deleting), edge: undefined }, { type: 'release' }],
  [
    'a copy that is to go and to be orphaned',
    { copy: copy({ ...deleting, annotations: { 'federation.cellplane.io/deletion-policy': 'Orphan' } }) },
    { type: 'release' },
  ],
  ['a copy that we have released', { copy: copy({ ...deleting, finalizers: ['other'] }) }, { type: 'none' }],
  [
    'a suspended copy',
    { copy: copy({ annotations: { 'federation.cellplane.io/suspend': 'true' } }), edge: undefined },
    { type: 'none' },
  ],
];
for (const [name, input, step] of rows) {
  test(`downsync: ${name} → ${step.type}`, () =>
    assert.deepEqual(decideDownsync({ ...base, ...input }), step));
}

test('an older copy never goes over a newer one (DESIGN.md, Fencing)', () => {
  const at = (revision: string) => ({ 'federation.cellplane.io/copy-revision': revision });
  assert.equal(isStale('9', at('10')), true, 'compared as numbers');
  assert.equal(isStale('10', at('10')), false);
  assert.equal(isStale('11', at('10')), false);
  assert.equal(isStale('11', undefined), false);
  assert.equal(isStale('11', at('nonsense')), false);
});
