import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import { systemClock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { silentLogger } from '#client/logger.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { until } from '#test/harness/until.ts';
import { EdgeMirror } from './edge-mirror.ts';
import { servedConfigMaps as kind } from './testing/served-config-maps.ts';

test('a mirror that was stopped begins nothing any more', async () => {
  const server = new ScriptedClient();
  const mirror = new EdgeMirror({
    edgeClient: server.client,
    clock: systemClock,
    logger: silentLogger,
    timeoutMs: 5_000,
    objectsMax: 1_000,
    onOverfull: () => {},
    onChange: () => {},
    onStatus: () => {},
  });
  await mirror.ensure(kind);
  assert.equal(mirror.ensure(kind), undefined);
  await mirror.stop();
  const late = mirror.ensure(kind);
  assert.ok(late !== undefined);
  await assert.rejects(late, (error) => isApiError(error, 'ServiceUnavailable'));
  assert.equal(mirror.kindOf('', 'configmaps'), undefined);
});

test('what an edge whose store was put back has lost is told when its watch breaks', async () => {
  const objectOf = (name: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'ns', uid: name, resourceVersion: '7' },
  });
  const server = new ScriptedClient();
  server.items = [objectOf('a'), objectOf('b')];
  server.resourceVersion = '8';
  const gone: string[] = [];
  const mirror = new EdgeMirror({
    edgeClient: server.client,
    clock: systemClock,
    logger: silentLogger,
    timeoutMs: 5_000,
    objectsMax: 1_000,
    onOverfull: () => {},
    onChange: (_kind, key, isGone) => isGone && gone.push(key),
    onStatus: () => {},
  });
  await mirror.ensure(kind);
  await until('it watches', () => server.watches.length === 1);
  server.items = [objectOf('a')];
  server.resourceVersion = '7';
  server.push({ type: 'FAIL', error: new ApiError('ServiceUnavailable', 'reset') });
  await until('it is told', () => gone.length > 0);
  assert.equal(mirror.get(kind, 'ns', 'b'), undefined);
  await mirror.stop();
});
