import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#apimachinery/object.ts';
import type { EdgeObject } from '../edge/edge-object.ts';
import { type DecisionInput, decideDownsync, isStale, type Step } from './decide.ts';

const finalizer = 'federation.cellplane.io/edge';
const hash = 'federation.cellplane.io/content-hash';

const synced = 'federation.cellplane.io/synced-hash';
const syncedFields = 'federation.cellplane.io/synced-fields';

const origin = {
  labels: {
    'federation.cellplane.io/origin-cluster': 'c1',
    'federation.cellplane.io/origin-control-plane': 'p1',
  },
  annotations: {
    'federation.cellplane.io/origin-resource': 'configmaps',
    'federation.cellplane.io/origin-namespace': 'shop',
    'federation.cellplane.io/origin-name': 'x',
  },
};

function copy(
  { annotations, ...metadata }: Partial<KubeObject['metadata']> = {},
  hashes: { [key: string]: string } = { [hash]: 'h1' },
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Copy',
    metadata: {
      name: 'x',
      finalizers: [finalizer],
      labels: origin.labels,
      annotations: { ...origin.annotations, ...hashes, ...annotations },
      ...metadata,
    },
  };
}

function edge(changes: Partial<EdgeObject> = {}): EdgeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'x', uid: 'u', resourceVersion: '5' },
    contentHash: 'h1',
    fieldsHash: 'f1',
    origin: 'p1|c1||configmaps|shop|x',
    cellUid: 'cell-1',
    deleting: false,
    deletionPolicy: '',
    ...changes,
  };
}

const deleting = { deletionTimestamp: '2026-01-01T00:00:00Z' };
const known = { contentHash: 'h1', fieldsHash: 'f1' };
const base: DecisionInput = { copy: copy(), edge: edge(), cellUid: 'cell-1', known };

const rows: readonly (readonly [string, Partial<DecisionInput>, Step])[] = [
  ['nothing on either side', { copy: undefined, edge: undefined }, { type: 'none' }],
  ['equal on both sides', {}, { type: 'acknowledge' }],
  ['a copy that the edge lacks', { edge: undefined }, { type: 'apply', why: 'absent' }],
  [
    'a copy that changed',
    { copy: copy({}, { [hash]: 'h2', [synced]: 'h1', [syncedFields]: 'f1' }) },
    { type: 'apply', why: 'changed' },
  ],
  [
    'the content hash at the edge is not ours any more',
    { edge: edge({ contentHash: 'h0' }) },
    { type: 'apply', why: 'drift' },
  ],
  ['a field of ours was taken', { edge: edge({ fieldsHash: 'f2' }) }, { type: 'apply', why: 'drift' }],
  [
    'after a restart the copy tells which fields are ours',
    { known: undefined, copy: copy({}, { [hash]: 'h1', [synced]: 'h1', [syncedFields]: 'f1' }) },
    { type: 'acknowledge' },
  ],
  [
    'a field was taken while nobody looked',
    { known: undefined, copy: copy({}, { [hash]: 'h1', [synced]: 'h1', [syncedFields]: 'f0' }) },
    { type: 'apply', why: 'drift' },
  ],
  [
    'after a restart the copy tells the fields of older content only',
    { known: undefined, copy: copy({}, { [hash]: 'h1', [synced]: 'h0', [syncedFields]: 'f1' }) },
    { type: 'apply', why: 'fields-unknown' },
  ],
  ['the edge object is on its way out', { edge: edge({ deleting: true }) }, { type: 'await-deletion' }],
  ['there is no copy', { copy: undefined }, { type: 'delete', evidence: 'absent' }],
  [
    'there is no copy, and the edge object is going',
    { copy: undefined, edge: edge({ deleting: true }) },
    { type: 'await-deletion' },
  ],
  [
    'there is no copy, and the edge object was meant to stay',
    { copy: undefined, edge: edge({ deletionPolicy: 'Orphan' }) },
    { type: 'none' },
  ],
  [
    'another Cell left the edge object behind',
    { copy: undefined, edge: edge({ cellUid: 'cell-0' }) },
    { type: 'none' },
  ],
  [
    'an edge controller copied our labels onto an object of its own',
    { copy: undefined, edge: edge({ fieldsHash: '' }) },
    { type: 'none' },
  ],
  ['a copy that is to go', { copy: copy(deleting) }, { type: 'delete', evidence: 'withdrawn' }],
  ['a copy that is to go, gone at the edge', { copy: copy(deleting), edge: undefined }, { type: 'release' }],
  [
    'a copy that is to go, and something else lies in its place',
    { copy: copy(deleting), edge: edge({ origin: 'p1|c2||configmaps|shop|x' }) },
    { type: 'release' },
  ],
  [
    'a copy that is to go and to leave its edge object behind',
    { copy: copy(deleting, { 'federation.cellplane.io/deletion-policy': 'Orphan' }) },
    { type: 'orphan' },
  ],
  ['a copy that we have released', { copy: copy({ ...deleting, finalizers: ['other'] }) }, { type: 'none' }],
  [
    'a suspended copy',
    { copy: copy({}, { 'federation.cellplane.io/suspend': 'true' }), edge: undefined },
    { type: 'suspended' },
  ],
];
for (const [name, input, step] of rows) {
  test(`downsync: ${name} → ${step.type}`, () =>
    assert.deepEqual(decideDownsync({ ...base, ...input }), step));
}

test('an older copy never goes over a newer one (DESIGN.md, Fencing)', () => {
  assert.equal(isStale('9', '10'), true, 'compared as numbers');
  assert.equal(isStale('10', '10'), false);
  assert.equal(isStale('11', '10'), false);
  assert.equal(isStale('11', undefined), false);
  assert.equal(isStale('11', 'nonsense'), false);
});

test('what awaited its copy is its copy’s when that comes, and nobody else’s', () => {
  const awaiting = edge({ deletionPolicy: 'AwaitsCopy' });
  assert.deepEqual(decideDownsync({ ...base, edge: awaiting }), { type: 'unmark' });
  const others = edge({ deletionPolicy: 'AwaitsCopy', origin: 'p1|c2||configmaps|shop|x' });
  assert.notEqual(decideDownsync({ ...base, edge: others }).type, 'unmark');
  assert.deepEqual(decideDownsync({ ...base, copy: undefined, edge: awaiting }), {
    type: 'delete',
    evidence: 'absent',
  });
});
