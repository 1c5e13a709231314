import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { edgeObjectOf } from './edge-object.ts';

const crd = (status: JsonObject) =>
  edgeObjectOf({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'widgets.example.com' },
    status,
  }).farError;

test('why the edge has not established a definition is told as an error', () => {
  const accepted = { type: 'NamesAccepted', status: 'True' };
  assert.equal(crd({}), undefined);
  assert.equal(crd({ conditions: [accepted, { type: 'Established', status: 'False' }] }), undefined);
  assert.equal(crd({ conditions: [accepted, { type: 'Established', status: 'True' }] }), undefined);
  const message = '"widgets" is already in use';
  assert.deepEqual(
    JSON.parse(crd({ conditions: [{ type: 'NamesAccepted', status: 'False', message }] }) ?? ''),
    { reason: 'NamesNotAccepted', message: `the edge has not established the definition: ${message}` },
  );
  const structural = crd({ conditions: [accepted, { type: 'NonStructuralSchema', status: 'True' }] });
  assert.equal((JSON.parse(structural ?? '') as JsonObject)['reason'], 'NonStructuralSchema');
});
