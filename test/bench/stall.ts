import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import { encodeStored } from '#apiserver/registry/encode-stored.ts';
import { objectKey } from '#storage/keys.ts';
import { openLevelStorage } from '#storage/level/level-storage.ts';
import type { Operation } from '#storage/storage.ts';
import { adminConnection, temporaryFolder } from '../harness/processes.ts';
import { startApiServer } from './api-server.ts';
import { load, loadPool } from './load.ts';
import { cpuOf } from './raw-load.ts';
import { sampleConfigMap, sampleDeployment } from './samples.ts';
import { residentBytes } from './start-up.ts';
import { type Row, row } from './table.ts';

/** The longest that a server with so many objects keeps a request waiting while it lists and writes. */
export async function benchStall(objects: number): Promise<Row[]> {
  await using folder = await temporaryFolder();
  const first = await startApiServer(folder.path);
  await first.stop();
  await fill(folder.path, objects);
  await using server = await startApiServer(folder.path);
  const startCpu = await cpuOf(server.pid);
  const rows = [
    row(
      `start with ${objects} objects`,
      server.readyAfterMs / 1_000,
      's',
      `${(startCpu.allUs / 1e6).toFixed(1)} s of CPU, ${(startCpu.mainUs / 1e6).toFixed(1)} s of it on the main thread; goal for 1,000,000: 20`,
    ),
    row('resident memory then', (await residentBytes(server.pid)) / 1_048_576, 'MB'),
  ];
  const connection = await adminConnection(folder.path);
  const pool = loadPool(connection, 8);
  const probing = loadPool(connection, 1);
  const deployments = '/clusters/root/apis/apps/v1/namespaces/default/deployments';
  let longest = { waitedMs: 0, ranMs: 0 };
  let ranLongestMs = 0;
  let over = false;
  const probes = (async () => {
    while (!over) {
      const beganMs = performance.now();
      const ranBeforeMs = await mainThreadMs(server.pid);
      await (await probing.request({ method: 'GET', path: '/livez' })).body.dump();
      const waitedMs = performance.now() - beganMs;
      const ranMs = (await mainThreadMs(server.pid)) - ranBeforeMs;
      if (waitedMs > longest.waitedMs) longest = { waitedMs, ranMs };
      ranLongestMs = Math.max(ranLongestMs, ranMs);
    }
  })();
  await Promise.all([
    load(pool, {
      clients: 4,
      count: 20_000,
      secondsMax: 15,
      request: (index) => ({
        method: 'POST',
        path: deployments,
        contentType: 'application/json',
        body: JSON.stringify(sampleDeployment(`stall-${index}`)),
      }),
    }),
    load(pool, {
      clients: 1,
      count: 30,
      secondsMax: 15,
      request: () => ({ method: 'GET', path: '/clusters/root/api/v1/namespaces/full-1/configmaps' }),
    }),
  ]);
  over = true;
  await probes;
  await Promise.all([pool.destroy(), probing.destroy()]);
  rows.push(
    row(
      'longest answer to /livez meanwhile',
      longest.waitedMs,
      'ms',
      `${longest.ranMs.toFixed(0)} ms of it the server's main thread ran, else it waited for a core; goal: no stall over 250`,
    ),
    row('most that the main thread ran during one such answer', ranLongestMs, 'ms'),
  );
  return rows;
}

/** CPU time of a process's main thread, milliseconds: what tells its own work from the wait for a core. */
async function mainThreadMs(pid: number): Promise<number> {
  const [ranNs] = (await readFile(`/proc/${pid}/task/${pid}/schedstat`, 'latin1')).split(' ');
  return Number(ranNs) / 1e6;
}

async function fill(dataDirectory: string, objects: number): Promise<void> {
  const definition = builtinDefinitions().find(
    ({ group, resource }) => group === '' && resource === 'configmaps',
  );
  if (definition === undefined) throw new Error('no definition of configmaps');
  const storage = await openLevelStorage({ directory: path.join(dataDirectory, 'store') });
  const batch = 5_000;
  for (let start = 0; start < objects; start += batch) {
    const operations: Operation[] = [];
    for (let index = start; index < Math.min(objects, start + batch); index++) {
      const namespace = `full-${index % 100}`;
      const object = sampleConfigMap(`object-${index}`, 700, namespace);
      object.metadata.uid = `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
      object.metadata.creationTimestamp = '2026-01-01T00:00:00Z';
      const key = objectKey({
        group: '',
        resource: 'configmaps',
        clusterId: 'root',
        namespace,
        name: `object-${index}`,
      });
      operations.push({ type: 'put', key, value: encodeStored(object, definition) });
    }
    await storage.transact({ guards: [], operations });
  }
  await storage.close();
}
