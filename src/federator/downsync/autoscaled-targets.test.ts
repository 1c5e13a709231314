import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#apimachinery/object.ts';
import { AutoscaledTargets } from './autoscaled-targets.ts';

const autoscaler = (name: string, kind = 'Deployment', apiVersion = 'apps/v1'): KubeObject => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'hpa', namespace: 'ns' },
  spec: { scaleTargetRef: { apiVersion, kind, name } },
});
const web = 'apps/deployments|ns/web';
const db = 'apps/statefulsets|ns/db';

test('an object is autoscaled while an autoscaler names it; changes name those concerned', () => {
  const targets = new AutoscaledTargets();
  assert.deepEqual(targets.learn('1', autoscaler('web')), [web]);
  assert.deepEqual(targets.learn('1', autoscaler('web')), []);
  assert.deepEqual(targets.learn('2', autoscaler('web')), []);
  assert.equal(targets.has(web), true);
  assert.deepEqual(targets.learn('1', autoscaler('db', 'StatefulSet')), [db]);
  assert.equal(targets.has(web), true, 'the other still names it');
  assert.deepEqual(targets.forget('2'), [web]);
  assert.deepEqual(targets.forget('2'), []);
  assert.deepEqual([targets.has(web), targets.has(db)], [false, true]);
});

test('an autoscaler of a kind that is not propagated with replicas concerns nobody', () => {
  const targets = new AutoscaledTargets();
  assert.deepEqual(targets.learn('1', autoscaler('x', 'Widget', 'example.com/v1')), []);
});
