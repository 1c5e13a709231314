import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

test('the settings of the collector are such that this V8 knows', async () => {
  // In a process of its own: it is the whole process's.
  const script = `import(${JSON.stringify(new URL('./collector.ts', import.meta.url).href)}).then((it) => { it.letObjectsBeBornYoung(); it.collectAllRarely(); })`;
  const { stderr } = await promisify(execFile)(process.execPath, ['--import', 'tsx', '-e', script]);
  assert.doesNotMatch(stderr, /unrecognized flag/);
});
