import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '#test/harness/processes.ts';
import { schedulerNodeOptions } from './collector.ts';
import { createLogger } from './logging.ts';
import { Supervisor } from './supervisor.ts';

/** Says how large its heap may become, in MiB, in the place of a port. */
const tellsHeap = `
  import v8 from 'node:v8';
  process.send({ type: 'ready', port: v8.getHeapStatistics().heap_size_limit / 2 ** 20 });
  setInterval(() => {}, 60_000);
`;

test('a process has the options of Node that are meant for it, unless the environment says otherwise', async () => {
  await using folder = await temporaryFolder();
  const entry = path.join(folder.path, 'entry.mjs');
  await writeFile(entry, tellsHeap);
  const logger = createLogger('test', { logLevel: 'silent' });
  const supervisor = new Supervisor({ entry, logDirectory: folder.path, logger });
  const given = process.env['NODE_OPTIONS'];
  try {
    const { port: usual = 0 } = await supervisor.start({ name: 'usual', args: [] });
    const spec = { args: [], nodeOptions: schedulerNodeOptions };
    const { port: scheduler = 0 } = await supervisor.start({ ...spec, name: 'scheduler' });
    assert.ok(scheduler > usual, `${scheduler} MiB beside ${usual}: the young generation is part of it`);
    process.env['NODE_OPTIONS'] = `${given ?? ''} --max-semi-space-size=1`;
    const { port: asSaid = 0 } = await supervisor.start({ ...spec, name: 'as-said' });
    assert.ok(asSaid < scheduler, `${asSaid} MiB beside ${scheduler}`);
  } finally {
    if (given === undefined) delete process.env['NODE_OPTIONS'];
    else process.env['NODE_OPTIONS'] = given;
    await supervisor.stop();
  }
});
