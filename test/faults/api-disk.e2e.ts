// An API server whose disk fills up, fails and comes back: clients get clean errors, the process goes on by itself, and
// watches miss nothing.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ApiError } from '#apimachinery/api-error.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { disposeAll } from '../harness/dispose-all.ts';
import { adminConnection, type CellplaneProcess, startCellplane } from '../harness/processes.ts';
import { Random } from '../harness/random.ts';
import { until } from '../harness/until.ts';
import { configMap, inRoot } from '../simulation/register-client.ts';
import { ApiWatch } from './api-watch.ts';
import { budgetOf, repeat } from './budget.ts';
import { errnos, failing, scratchFolder, skipWithoutShim } from './disk-shim.ts';
import { Machine } from './machine.ts';

describe('an API server on a failing disk', { skip: skipWithoutShim }, () => {
  let folder: Awaited<ReturnType<typeof scratchFolder>>;
  let machine: Machine;
  let server: CellplaneProcess;
  let client: RemoteClient;
  const budget = budgetOf(1_500, 1);

  const start = () =>
    startCellplane(
      ['apiserver', '--data-dir', machine.disk, '--port', '0'],
      machine.environment({ seed: budget.seed, writeback: 0 }),
    );

  before(async () => {
    folder = await scratchFolder();
    machine = await Machine.make(folder.path, { withShim: true });
    server = await start();
    client = new RemoteClient(await adminConnection(machine.disk), { userAgent: 'cellplane-test' });
  });
  after(() =>
    disposeAll(
      () => client?.close(),
      () => server?.kill(),
      folder,
    ),
  );

  test('writes fail cleanly, then go on; nothing acknowledged is lost, not even by a power cut', async (t) => {
    t.diagnostic(`seed ${budget.seed}`);
    const acknowledged = new Map<string, string>();
    const errors: { [what: string]: number } = {};
    let isOver = false;
    let names = 0;
    const writer = async (): Promise<void> => {
      while (!isOver) {
        const name = `object-${names++}`;
        try {
          const created = await client.create(inRoot, configMap(name, 'x'.repeat(names % 3_000)));
          acknowledged.set(name, created.metadata.resourceVersion ?? '');
        } catch (error) {
          assert.ok(error instanceof ApiError, String(error));
          assert.ok([503, 504].includes(error.code), `${error.code} ${error.reason}: ${error.message}`);
          const what = `${error.code} ${error.reason}`;
          errors[what] = (errors[what] ?? 0) + 1;
          await pause(10);
        }
      }
    };
    const watch = await ApiWatch.start(client, inRoot);
    const writers = Promise.all(Array.from({ length: 4 }, writer));
    writers.catch(() => {});
    let failed = 0;
    const round = async (seed: number) => {
      const random = new Random(seed);
      const bits = random.pick([failing.write, failing.sync, failing.write + failing.sync]);
      await machine.control.set(
        random.next() < 0.5
          ? { space: random.between(0, 20_000) }
          : {
              failing: bits,
              error: random.pick([errnos.EIO, errnos.ENOSPC]),
              times: random.pick([1, 20, -1]),
            },
      );
      await pause(random.between(20, 400));
      // Reads that may be old need no disk.
      assert.ok(Array.isArray((await client.list(inRoot, { resourceVersion: '0' })).items));
      await machine.control.set({ failing: 0, space: -1, times: 0 });
      const before = acknowledged.size;
      await Promise.race([until('writes go on', () => acknowledged.size > before + 5), writers]);
      failed = await machine.control.get('failed');
    };
    await repeat(budget, round, () => failed > 0).finally(() => {
      isOver = true;
    });
    await writers;
    t.diagnostic(JSON.stringify({ acknowledged: acknowledged.size, ...errors }));
    await watch.assertAgrees(client);
    await watch.close();
    assert.equal(watch.expired, 0);
    assert.ok(failed > 0);

    await server.kill();
    await client.close();
    await machine.cutPower();
    await machine.control.reset();
    server = await start();
    client = new RemoteClient(await adminConnection(machine.disk), { userAgent: 'cellplane-test' });
    const { items } = await client.list(inRoot);
    const found = new Map(items.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
    for (const [name, resourceVersion] of acknowledged) assert.equal(found.get(name), resourceVersion, name);
  });
});
