// Cells change hands: a holder that is paused and goes on, one that is drained. Federators are processes of their own here.
// docs/federation-contract.md: FA4, FA6
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { conditionOf } from '#api/conditions.ts';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { federatorsGvr } from '#api/federation/federator.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { federatorGroup, federatorUserPrefix } from '#apiserver/authz/components.ts';
import { renderKubeconfig } from '#cli/kubeconfig-file.ts';
import { Constellation } from '../harness/constellation.ts';
import { CopyWriter } from '../harness/copies.ts';
import { disposeAll } from '../harness/dispose-all.ts';
import { configMaps, edgeRef, find } from '../harness/edge-objects.ts';
import { type CellplaneProcess, startCellplane, temporaryFolder } from '../harness/processes.ts';
import { connectionAs } from '../harness/test-pki.ts';
import { until } from '../harness/until.ts';

const leaseSeconds = 2;
const cell = 'cell-a';
/** How long the holder is stopped at least; by default as long as the takeover and the writes after it take. */
const pauseMs = 1_000 * Number(process.env['CELLPLANE_TEST_PAUSE_SECONDS'] ?? 0);

describe('a cell changes hands', { timeout: 600_000 + pauseMs }, () => {
  let constellation: Constellation;
  let copies: CopyWriter;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  const processes = new Map<string, CellplaneProcess>();

  before(async () => {
    folder = await temporaryFolder();
    constellation = await Constellation.start({ scheduler: false, federators: [] });
    copies = new CopyWriter(constellation.admin, cell);
    await copies.namespace();
    for (const name of ['federator-a', 'federator-b']) {
      const user = { name: `${federatorUserPrefix}${name}`, groups: [federatorGroup] };
      const connection = connectionAs(constellation.pki, constellation.server.url, user);
      const file = path.join(folder.path, name);
      await writeFile(file, renderKubeconfig([{ name: 'root', connection }], 'root'));
      const args = [
        'federator',
        '--name',
        name,
        '--kubeconfig',
        file,
        '--lease-seconds',
        String(leaseSeconds),
      ];
      processes.set(name, await startCellplane(args));
    }
    await syncs('before', '1');
  });
  after(async () => {
    for (const { pid } of processes.values()) goOn(pid);
    await disposeAll(
      () => Promise.all(Array.from(processes.values(), (one) => one.stop())),
      constellation,
      folder,
    );
  });

  const holder = async () => (await constellation.cell(cell)).status?.assignment?.federator ?? '';
  const keyAtEdge = async (name: string) => {
    const object = await find(constellation.edge(cell).client, edgeRef(configMaps, name, 'ns'));
    return (object?.['data'] as { key?: string } | undefined)?.key;
  };
  const syncs = async (name: string, key: string) => {
    await copies.configMap(name, { key });
    await until(`${name} is ${key} at the edge`, async () => (await keyAtEdge(name)) === key);
  };

  test('a paused holder loses the cell within a lease period, and spoils nothing when it goes on', async (t) => {
    const paused = await holder();
    const { pid } = processes.get(paused) as CellplaneProcess;
    // Work is on its way in it when it stops.
    for (let index = 0; index < 50; index++) await copies.configMap(`burst-${index}`, { key: 'old' });
    const stoppedMs = performance.now();
    await until('another takes over', async () => {
      // Again and again: whatever else stops processes on this machine lets them go on as well.
      process.kill(pid, 'SIGSTOP');
      return (await holder()) !== paused;
    });
    t.diagnostic(`taken over after ${(performance.now() - stoppedMs).toFixed(0)} ms`);
    for (let index = 0; index < 50; index++) await copies.configMap(`burst-${index}`, { key: 'new' });
    for (let index = 0; index < 50; index++) {
      await until(`burst-${index} is new`, async () => (await keyAtEdge(`burst-${index}`)) === 'new');
    }
    await copies.delete({ name: 'before' });
    await until('the withdrawn one is gone', async () => (await keyAtEdge('before')) === undefined);
    await setTimeout(Math.max(0, stoppedMs + pauseMs - performance.now()));
    process.kill(pid, 'SIGCONT');
    await syncs('after', '1');
    // Whatever it still had in hand is refused by the edge, or put right; then nothing of it comes any more.
    let goodLooks = 0;
    await until('all stays as the present holder has it', async () => {
      const keys = await Promise.all(Array.from({ length: 50 }, (_, index) => keyAtEdge(`burst-${index}`)));
      const isGood = keys.every((key) => key === 'new') && (await keyAtEdge('before')) === undefined;
      goodLooks = isGood ? goodLooks + 1 : 0;
      if (isGood) await setTimeout(200);
      return goodLooks >= 10;
    });
  });

  test('a federator that is drained hands over without a gap', async (t) => {
    const drained = await holder();
    await until('the cell is in sync', async () => isWell(await constellation.cell(cell)));
    await using told = watchedCell();
    await constellation.admin.patch(
      { cluster: cellsWorkspacePath, gvr: federatorsGvr, name: drained },
      { type: 'merge', body: { spec: { unschedulable: true } } },
    );
    let slowestMs = 0;
    let writes = 0;
    const isOver = async () => (await holder()) !== drained;
    for (let over = false, more = 5; !over || more > 0; writes++) {
      const startedMs = performance.now();
      await syncs('steady', String(writes));
      slowestMs = Math.max(slowestMs, performance.now() - startedMs);
      over ||= await isOver();
      if (over) more--;
    }
    t.diagnostic(`the slowest change took ${slowestMs.toFixed(0)} ms`);
    await until('the drained one holds nothing', async () => {
      const federator = await constellation.admin.get({
        cluster: cellsWorkspacePath,
        gvr: federatorsGvr,
        name: drained,
      });
      return (federator['status'] as { held?: number } | undefined)?.held === 0;
    });
    // Whoever places work by it must not see a cell that is no good.
    assert.deepEqual(told.unwell, []);
  });

  /** Every state of the cell that its watch tells in which it is not ready and reached. */
  function watchedCell() {
    const unwell: string[] = [];
    const stopping = new AbortController();
    const watch = async (): Promise<void> => {
      const collection = { cluster: cellsWorkspacePath, gvr: cellsGvr };
      for await (const event of constellation.admin.watch(collection, { signal: stopping.signal })) {
        if (event.type === 'BOOKMARK' || event.object.metadata.name !== cell) continue;
        const { status } = event.object as Cell;
        if (!isWell({ status })) unwell.push(JSON.stringify(status?.conditions));
      }
    };
    // One that breaks has told less.
    const done = watch().catch(() => {});
    return {
      unwell,
      [Symbol.asyncDispose]: async () => {
        stopping.abort();
        await done;
      },
    };
  }
});

function isWell({ status }: Pick<Cell, 'status'>): boolean {
  return ['Ready', 'Reachable'].every((type) => conditionOf(status?.conditions, type)?.status === 'True');
}

/** One that has ended needs nothing. */
function goOn(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch {
    // It has ended.
  }
}
