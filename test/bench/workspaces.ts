import { adminConnection, startCellplane, temporaryFolder } from '../harness/processes.ts';
import { until } from '../harness/until.ts';
import { load, loadPool } from './load.ts';
import { settledMemory } from './settled-memory.ts';
import { residentBytes } from './start-up.ts';
import { type Row, row } from './table.ts';

/** Made before memory is measured: what the process warms up to does not belong to the workspaces. */
const warmWorkspaces = 3_000;

/** Creation and deletion of empty workspaces, and what each costs in memory. */
export async function benchWorkspaces(wanted: number): Promise<Row[]> {
  await using folder = await temporaryFolder();
  await using memory = await settledMemory();
  await using server = await startCellplane(
    ['apiserver', '--data-dir', folder.path, '--port', '0', '--log-level', 'warn'],
    memory.env,
  );
  const pool = loadPool(await adminConnection(folder.path), 64);
  const path = '/clusters/root:many/apis/tenancy.kcp.io/v1alpha1/workspaces';
  const post = (at: string, name: string, type: string) => ({
    method: 'POST' as const,
    path: at,
    contentType: 'application/json',
    body: JSON.stringify({
      apiVersion: 'tenancy.kcp.io/v1alpha1',
      kind: 'Workspace',
      metadata: { name },
      spec: { type: { name: type, path: 'root' } },
    }),
  });
  const parent = path.replace('root:many', 'root');
  await load(pool, { clients: 1, count: 1, request: () => post(parent, 'many', 'organization') });
  await load(pool, {
    clients: 64,
    count: warmWorkspaces,
    request: (index) => post(path, `warm-${index}`, 'universal'),
  });
  const before = await memory.measure(server.pid);
  const beforeBytes = await residentBytes(server.pid);
  const created = await load(pool, {
    clients: 64,
    count: wanted,
    secondsMax: 600,
    request: (index) => post(path, `ws-${index}`, 'universal'),
  });
  const { count } = created;
  const afterBytes = await residentBytes(server.pid);
  const after = await memory.measure(server.pid);
  const kib = (bytes: number) => bytes / count / 1_024;
  const rows = [
    row(
      `creation of ${count} empty workspaces`,
      created.perSecond,
      '/s',
      `${created.failed} failed; goal 1,000`,
    ),
    row(
      'resident memory of each',
      kib(after.rssBytes - before.rssBytes),
      'KiB',
      [
        `growth of RSS once garbage is collected, ${kib(after.heapBytes - before.heapBytes).toFixed(1)} KiB of it heap`,
        `${kib(afterBytes - beforeBytes).toFixed(1)} KiB with garbage; goal 10`,
      ].join('; '),
    ),
  ];
  const deleting = Math.min(count, 10_000);
  const startedMs = performance.now();
  await load(pool, {
    clients: 64,
    count: deleting,
    secondsMax: 120,
    request: (index) => ({ method: 'DELETE', path: `${path}/ws-${index}` }),
  });
  const left = warmWorkspaces + count - deleting;
  await until(
    'the deleted workspaces are gone',
    async () => {
      const answer = await pool.request({ method: 'GET', path: `${path}?limit=1` });
      const list = (await answer.body.json()) as {
        items: unknown[];
        metadata: { remainingItemCount?: number };
      };
      return list.items.length + (list.metadata.remainingItemCount ?? 0) <= left;
    },
    { timeoutMs: 120_000, everyMs: 50 },
  );
  rows.push(
    row(
      `deletion of ${deleting} empty workspaces`,
      (performance.now() - startedMs) / 1_000,
      's',
      'until none is left; goal 30 s for 10,000',
    ),
  );
  await pool.destroy();
  return rows;
}
