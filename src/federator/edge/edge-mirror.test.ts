import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isApiError } from '#apimachinery/api-error.ts';
import { systemClock } from '#apimachinery/clock.ts';
import { silentLogger } from '#client/logger.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { EdgeMirror } from './edge-mirror.ts';
import { servedConfigMaps as kind } from './testing/served-config-maps.ts';

test('a mirror that was stopped begins nothing any more', async () => {
  const server = new ScriptedClient();
  const mirror = new EdgeMirror({
    edgeClient: server.client,
    clock: systemClock,
    logger: silentLogger,
    timeoutMs: 5_000,
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
