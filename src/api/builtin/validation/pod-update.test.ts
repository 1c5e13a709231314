// What an update of a pod may change (KUBERNETES.md C4).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FieldError } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { checkSpecUpdate } from './pod-update.ts';

function fieldsOf(spec: JsonObject, before: JsonObject): readonly string[] {
  const errors: FieldError[] = [];
  checkSpecUpdate(errors, spec, before);
  return errors.map(({ field }) => field);
}

test('tolerations that are new are looked at once more, those that go are told once', () => {
  const kept = { key: 'a', operator: 'Exists' };
  assert.deepEqual(fieldsOf({ tolerations: [kept, { effect: 'NoSchedule' }] }, { tolerations: [kept] }), [
    'spec.tolerations[1].operator',
  ]);
  assert.deepEqual(fieldsOf({ tolerations: [{ ...kept, tolerationSeconds: 5 }] }, { tolerations: [kept] }), [
    'spec.tolerations[0].effect',
  ]);
  const two = [kept, { key: 'b', operator: 'Exists' }];
  assert.deepEqual(fieldsOf({ tolerations: [] }, { tolerations: two }), ['spec.tolerations']);
});

test('nothing is looked at behind a deadline that is put off', () => {
  const spec = { activeDeadlineSeconds: 9, tolerations: [{ effect: 'NoSchedule' }], nodeName: 'n' };
  assert.deepEqual(fieldsOf(spec, { activeDeadlineSeconds: 5 }), ['spec.activeDeadlineSeconds']);
});
