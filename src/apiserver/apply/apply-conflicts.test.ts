import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { apply, config, fieldsOf, update } from './testing/appliers.ts';

test('P5: one conflict, its message and cause', () => {
  const live = update(undefined, 'other', config({ replicas: 3 }));
  assert.throws(
    () => apply(live, 'a', config({ replicas: 1 })),
    (error) => {
      assert.ok(isApiError(error, 'Conflict'));
      assert.equal(error.code, 409);
      assert.equal(
        error.message,
        'Apply failed with 1 conflict: conflict with "other" using example.com/v1: .spec.replicas',
      );
      assert.deepEqual(error.details?.causes, [
        {
          reason: 'FieldManagerConflict',
          message: 'conflict with "other" using example.com/v1',
          field: '.spec.replicas',
        },
      ]);
      return true;
    },
  );
});

test('P5: several conflicts, sorted by manager; subresources and appliers named', () => {
  let live = apply(undefined, 'first', config({ title: 'x', labels: { a: '1' } }));
  live = update(live, 'second', { ...live, status: { phase: 'a' } }, 'status');
  assert.throws(
    () => apply(live, 'a', { ...config({ title: 'y', labels: { a: '2' } }), status: { phase: 'b' } }),
    (error) => {
      assert.ok(isApiError(error, 'Conflict'));
      assert.equal(
        error.message,
        'Apply failed with 3 conflicts: conflicts with "first":\n- .spec.title\n- .spec.labels.a\nconflicts with "second" with subresource "status" using example.com/v1:\n- .status.phase',
      );
      assert.equal(error.details?.causes?.length, 3);
      return true;
    },
  );
});

test('P5: an atomic list conflicts as a whole, a keyed one by element', () => {
  const live = update(undefined, 'u', config({ atomicList: ['1'], items: [{ name: 'x', value: '1' }] }));
  assert.throws(
    () =>
      apply(live, 'a', config({ atomicList: ['1', '2'], items: [{ name: 'x', value: '2' }, { name: 'n' }] })),
    (error) =>
      isApiError(error, 'Conflict') &&
      JSON.stringify(error.details?.causes?.map((one) => one.field)) ===
        JSON.stringify(['.spec.atomicList', '.spec.items[name="x"].value']),
  );
});

test('P4: the first apply to an untracked object', () => {
  const live = { ...config({ replicas: 1, title: 't' }), status: { phase: 'x' } } as unknown as KubeObject;
  const object = apply(live, 'a', config({ replicas: 1, labels: { n: '1' } }), { resetFields: ['status'] });
  assert.deepEqual(fieldsOf(object, 'before-first-apply'), {
    'f:spec': { '.': {}, 'f:replicas': {}, 'f:title': {} },
  });
  assert.deepEqual(fieldsOf(object, 'a'), { 'f:spec': { 'f:labels': { 'f:n': {} }, 'f:replicas': {} } });
  assert.throws(() => apply(live, 'a', config({ replicas: 2 })), /conflict with "before-first-apply" using/);
});
