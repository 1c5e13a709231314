import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import { SyncRefusal, waitsForKinds, waitsForNamespace } from '../downsync/sync-refusal.ts';
import { syncFailureOf } from './sync-failure.ts';

const rows: readonly (readonly [string, unknown, string, boolean, string | undefined])[] = [
  ['a conflict', new ApiError('Conflict', 'x'), 'Conflict', true, undefined],
  ['throttling', new ApiError('TooManyRequests', 'x'), 'TooManyRequests', true, undefined],
  ['validation', new ApiError('Invalid', 'x'), 'Invalid', false, undefined],
  ['admission', new ApiError('Forbidden', 'x'), 'Forbidden', false, undefined],
  ['a missing kind', new SyncRefusal('APINotServed', 'x', waitsForKinds), 'APINotServed', false, 'kinds'],
  [
    'a missing namespace',
    new SyncRefusal('NamespaceMissing', 'x', waitsForNamespace('ns')),
    'NamespaceMissing',
    true,
    'namespace/ns',
  ],
  ['a collision', new SyncRefusal('NameCollision', 'x'), 'NameCollision', false, undefined],
  ['a fault of ours', new TypeError('x'), 'InternalError', false, undefined],
];
test('sync failure: a field that an older edge does not know is told as that, not as a fault of the edge', () => {
  const message =
    'failed to create typed patch object (ns/web; apps/v1, Kind=Deployment): .spec.template.spec.resources: field not declared in schema';
  const failure = syncFailureOf(new ApiError('InternalError', message));
  assert.deepEqual(failure, { reason: 'FieldNotServed', message, isPassing: false, waitsFor: undefined });
});

for (const [name, error, reason, isPassing, waitsFor] of rows) {
  test(`sync failure: ${name} → ${reason}, ${isPassing ? 'passing' : 'told at once'}`, () =>
    assert.deepEqual(syncFailureOf(error), { reason, message: 'x', isPassing, waitsFor }));
}
