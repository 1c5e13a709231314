import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isApiError } from './api-error.ts';
import { fieldValueAt, matchesFields, parseFieldSelector } from './field-selector.ts';

test('field selectors parse as k8s.io/apimachinery/pkg/fields does', () => {
  const rows: readonly [string, ReturnType<typeof parseFieldSelector>][] = [
    ['', []],
    ['metadata.name=a', [{ path: 'metadata.name', operator: '=', value: 'a' }]],
    ['metadata.name==a', [{ path: 'metadata.name', operator: '=', value: 'a' }]],
    ['status.phase!=Running', [{ path: 'status.phase', operator: '!=', value: 'Running' }]],
    ['a=', [{ path: 'a', operator: '=', value: '' }]],
    [
      'a=b\\,c\\=d\\\\,e!=f,',
      [
        { path: 'a', operator: '=', value: 'b,c=d\\' },
        { path: 'e', operator: '!=', value: 'f' },
      ],
    ],
  ];
  for (const [text, expected] of rows) assert.deepEqual(parseFieldSelector(text), expected, text);
});

test('malformed field selectors are bad requests', () => {
  for (const text of ['a', 'a=b=c', 'a=\\x', 'a=b\\', 'a,b=c']) {
    assert.throws(
      () => parseFieldSelector(text),
      (error: unknown) => isApiError(error, 'BadRequest'),
      text,
    );
  }
});

test('field values are compared as text', () => {
  const object = {
    metadata: { name: 'x' },
    spec: { unschedulable: true, replicas: 3, list: ['a'], nothing: null },
  };
  const rows: readonly [string, string][] = [
    ['metadata.name', 'x'],
    ['spec.unschedulable', 'true'],
    ['spec.replicas', '3'],
    ['spec.list', ''],
    ['spec.nothing', ''],
    ['spec.absent.deeper', ''],
    ['constructor.name', ''],
  ];
  for (const [path, expected] of rows) assert.equal(fieldValueAt(object, path), expected, path);
  const matches = (text: string) =>
    matchesFields(parseFieldSelector(text), (path) => fieldValueAt(object, path));
  assert.equal(matches('metadata.name=x,spec.replicas!=4'), true);
  assert.equal(matches('metadata.name!=x'), false);
});
