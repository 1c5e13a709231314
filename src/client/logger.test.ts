import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, withFields } from './logger.ts';

test('lines have the common fields before their own', () => {
  const lines: [object, string][] = [];
  const logger = {
    ...silentLogger,
    warn: (fields: object, message: string) => lines.push([fields, message]),
  };
  withFields(logger, { cell: 'fra-1' }).warn({ key: 'a' }, 'held');
  assert.deepEqual(lines, [[{ cell: 'fra-1', key: 'a' }, 'held']]);
});
