import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import { createLogger, loggedError } from './logging.ts';

test('an error is logged with what it says: a fault with its stack, an answer of an API server without', () => {
  const fault = loggedError(new Error('no such page', { cause: new Error('disk') })) as {
    type: string;
    message: string;
    stack: string;
  };
  assert.equal(fault.type, 'Error');
  assert.match(fault.message, /no such page.*disk/);
  assert.match(fault.stack, /logging\.test\.ts/);
  assert.deepEqual(loggedError(new ApiError('Invalid', 'spec.replicas: Invalid value: -1')), {
    type: 'ApiError',
    code: 422,
    reason: 'Invalid',
    message: 'spec.replicas: Invalid value: -1',
  });
  assert.match(
    (loggedError(new ApiError('InternalError', 'lost')) as { stack: string }).stack,
    /logging\.test/,
  );
});

test('a line says when, how grave and who, in words', () => {
  const lines: string[] = [];
  const logger = createLogger('scheduler', { logLevel: 'info' }, { write: (line) => lines.push(line) });
  logger.debug({}, 'not asked for');
  logger.warn({ cell: 'pop-a-cell-a', err: new Error('gone') }, 'cell lost');
  assert.equal(lines.length, 1);
  const { time, err, ...rest } = JSON.parse(lines[0] ?? '') as { time: string; err: { message: string } };
  assert.equal(new Date(time).toISOString(), time);
  assert.equal(err.message, 'gone');
  assert.deepEqual(rest, { level: 'warn', name: 'scheduler', cell: 'pop-a-cell-a', msg: 'cell lost' });
});

test('errors are logged as `err`, the one field that tells them: any other would be {}', async () => {
  const call = /[lL]ogger(?:\??\.(?:debug|info|warn|error)|\[level\])\(\s*\{([^}]*)\}/g;
  const wrong: string[] = [];
  let calls = 0;
  const entries = await readdir('src', { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isFile() || !entry.name.endsWith('.ts') || entry.name.endsWith('.test.ts')) continue;
    const file = path.join(entry.parentPath, entry.name);
    for (const [line, fields = ''] of (await readFile(file, 'utf8')).matchAll(call)) {
      calls++;
      if (/(?<!err: |\.)\b(?:error|cause|fault)\b(?!\.)/.test(fields)) wrong.push(`${file}: ${line}`);
    }
  }
  assert.ok(calls > 60, `the test must see the calls: ${calls}`);
  assert.deepEqual(wrong, []);
});
