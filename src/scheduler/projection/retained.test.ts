import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#apimachinery/object.ts';
import { Interpretation } from '../interpreter/interpretation.ts';
import { retainedFieldsOf } from './retained.ts';

const deployment = (labels: { [key: string]: string }): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'a', labels },
});
const saying = (cel: string) =>
  new Interpretation({
    apiVersion: 'config.karmada.io/v1alpha1',
    kind: 'ResourceInterpreterCustomization',
    metadata: { name: 'x' },
    spec: { target: { apiVersion: 'apps/v1', kind: 'Deployment' }, customizations: { retention: { cel } } },
  });

test('Karmada’s label leaves the replicas to the edge, beside what a rule leaves to it', () => {
  const labelled = deployment({ 'resourcetemplate.karmada.io/retain-replicas': 'true' });
  assert.equal(retainedFieldsOf(deployment({}), undefined), undefined);
  const not = deployment({ 'resourcetemplate.karmada.io/retain-replicas': 'false' });
  assert.equal(retainedFieldsOf(not, undefined), undefined);
  assert.deepEqual(retainedFieldsOf(labelled, undefined), ['/spec/replicas']);
  assert.deepEqual(retainedFieldsOf(labelled, saying("['/spec/paused']")), [
    '/spec/paused',
    '/spec/replicas',
  ]);
  assert.deepEqual(retainedFieldsOf(labelled, saying("['/spec/replicas']")), ['/spec/replicas']);
});
