import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyAnnotations } from '#api/federation/copy-contract.ts';
import { systemClock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { waitUntilDrained, whenObjectsLeave } from './drain-progress.ts';

const copy = (resource: string, name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Copy',
  metadata: {
    annotations: {
      [copyAnnotations.originResource]: resource,
      [copyAnnotations.originNamespace]: resource === 'namespaces' ? '' : 'shop',
      [copyAnnotations.originName]: name,
    },
  },
});

function cellWith(...looks: KubeObject[][]): KubeClient {
  let look = 0;
  const list = () => Promise.resolve({ items: looks[Math.min(look++, looks.length - 1)] ?? [] });
  return { list } as unknown as KubeClient;
}

test('a drain is over when only namespaces and definitions are left, and tells what is left when its time is', async () => {
  const told: string[] = [];
  const options = { clock: systemClock, tell: (text: string) => told.push(text) };
  const namespace = copy('namespaces', 'shop');
  const definition = copy('customresourcedefinitions', 'widgets.example.com');
  const leaving = cellWith([namespace, definition, copy('deployments', 'web')], [namespace, definition]);
  assert.deepEqual(await waitUntilDrained(leaving, 'a', { ...options, timeoutMs: 600_000 }), []);
  assert.deepEqual(told, ['cell a: 1 object left\n', 'cell a: 0 objects left\n']);
  const stuck = cellWith([copy('deployments', 'web')]);
  assert.deepEqual(await waitUntilDrained(stuck, 'a', { ...options, timeoutMs: 0 }), [
    'deployments shop/web',
  ]);
});

test('who drains a cell is told when its objects leave, and that nothing becomes healthy where no pods run', () => {
  const cell = { apiVersion: 'v1', kind: 'Cell', metadata: {} };
  assert.match(whenObjectsLeave(cell), /healthy there, after ten minutes in any case$/);
  assert.match(whenObjectsLeave({ ...cell, spec: { provider: 'demo' } }), /no pods run at the edges/);
});
