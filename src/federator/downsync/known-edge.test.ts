import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { CopyKey } from '../cell/copy-keys.ts';
import type { EdgeObject } from '../edge/edge-object.ts';
import { echoMaxMs, KnownEdge } from './known-edge.ts';

const key = 'configmaps' as CopyKey;

function edgeObject(resourceVersion: string): EdgeObject {
  return { metadata: { resourceVersion } } as EdgeObject;
}

test('our own answer is believed until the watch tells something else', () => {
  const known = new KnownEdge(new ManualClock());
  known.applied(key, edgeObject('10'), edgeObject('5'));
  assert.equal(known.newest(key, edgeObject('5'))?.metadata.resourceVersion, '10');
  assert.equal(known.believedForMs(key, edgeObject('5')), echoMaxMs);
  assert.equal(known.newest(key, edgeObject('10'))?.metadata.resourceVersion, '10');
  assert.equal(known.believedForMs(key, edgeObject('10')), 0);
});

// Created by us, deleted by someone, before the watch told either: no event will ever come.
test('it is not believed for ever, and says when to look again', async () => {
  const clock = new ManualClock();
  const known = new KnownEdge(clock);
  known.applied(key, edgeObject('10'), undefined);
  assert.equal(known.newest(key, undefined)?.metadata.resourceVersion, '10');
  assert.equal(known.believedForMs(key, undefined), echoMaxMs);
  clock.advance(echoMaxMs);
  assert.equal(known.believedForMs(key, undefined), 0);
  assert.equal(known.newest(key, undefined), undefined);
});
