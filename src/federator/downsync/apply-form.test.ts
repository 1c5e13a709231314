import assert from 'node:assert/strict';
import { test } from 'node:test';
import { awaitsCopy, copyAnnotations } from '#api/federation/copy-contract.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { applyForm } from './apply-form.ts';

function appliedPolicy(policy: string): string | undefined {
  const annotations = { [copyAnnotations.deletionPolicy]: policy };
  const copy: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', annotations } };
  const options = { group: '', resource: 'configmaps', autoscaled: false, cellUid: 'c' };
  const { metadata } = applyForm(copy, options) as { metadata?: KubeObject['metadata'] };
  return metadata?.annotations?.[copyAnnotations.deletionPolicy];
}

test('that a copy is to outlive itself goes to the edge; that it awaits another control plane’s copy does not', () => {
  assert.equal(appliedPolicy('Orphan'), 'Orphan');
  assert.equal(appliedPolicy(awaitsCopy), undefined);
});
