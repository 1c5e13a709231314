import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '#client/logger.ts';
import { answerHealth, type HealthCheck } from './health.ts';

test('a check that fails is logged, unless it fails by intention', async () => {
  const logged: unknown[] = [];
  const logger = {
    ...silentLogger,
    warn: (fields: object) => logged.push((fields as { check?: string }).check),
  };
  const failing = (name: string, isIntended?: boolean): HealthCheck => ({
    name,
    kind: 'readyz',
    check: () => {
      throw new Error('no');
    },
    ...(isIntended === undefined ? {} : { isIntended }),
  });
  const checks = [failing('storage'), failing('shutdown', true)];
  const answer = await answerHealth('/readyz', new URLSearchParams(), checks, logger);
  assert.equal(answer?.code, 500);
  assert.deepEqual(logged, ['storage']);
});
