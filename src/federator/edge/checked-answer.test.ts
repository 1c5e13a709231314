import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeList, KubeObject } from '#apimachinery/object.ts';
import { checkedItem, checkedList, checkedObject } from './checked-answer.ts';

const collection = { cluster: undefined, gvr: { group: '', version: 'v1', resource: 'configmaps' } };
const ref = { ...collection, namespace: 'ns', name: 'a' };
const good = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', namespace: 'ns', labels: { x: 'y' } },
};
const isNonsense = (error: unknown) =>
  isApiError(error, 'InternalError') && /the edge answered/.test(error.message);

test('what is right passes as it is', () => {
  assert.equal(checkedObject(good, ref), good);
  assert.equal(checkedItem(good, collection), good);
  const list = { apiVersion: 'v1', kind: 'ConfigMapList', metadata: {}, items: [good] };
  assert.equal(checkedList(list, { ...collection, namespace: 'ns' }), list);
  const clusterWide = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } };
  assert.equal(checkedObject(clusterWide, { ...ref, namespace: undefined }), clusterWide);
});

test('another object than was asked for is an error', () => {
  for (const metadata of [{ name: 'b', namespace: 'ns' }, { name: 'a', namespace: 'other' }, { name: 'a' }]) {
    assert.throws(() => checkedObject({ ...good, metadata }, ref), isNonsense);
  }
  assert.throws(() => checkedItem(good, { ...collection, namespace: 'other' }), isNonsense);
});

test('what is no object, or malformed, is an error', () => {
  const wrong: unknown[] = [
    null,
    'text',
    [],
    {},
    { metadata: null },
    { metadata: { name: 5 } },
    { metadata: {} },
    ...[
      { labels: { x: 1 } },
      { labels: null },
      { annotations: 'x' },
      { managedFields: {} },
      { managedFields: [null] },
      { finalizers: 'x' },
      { namespace: 1 },
      { resourceVersion: 1 },
    ].map((more) => ({ ...good, metadata: { ...good.metadata, ...more } })),
  ];
  for (const object of wrong) {
    assert.throws(() => checkedItem(object as KubeObject, collection), isNonsense, JSON.stringify(object));
    const list = { metadata: {}, items: [object] } as unknown as KubeList;
    assert.throws(() => checkedList(list, collection), isNonsense);
  }
  for (const list of [null, {}, { items: [] }, { metadata: {}, items: 'none' }]) {
    assert.throws(() => checkedList(list as unknown as KubeList, collection), isNonsense);
  }
});
