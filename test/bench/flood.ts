import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { KubeClient } from '#client/client.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { adminConnection, startCellplane, temporaryFolder } from '../harness/processes.ts';
import { until } from '../harness/until.ts';
import { sampleConfigMap } from './samples.ts';
import { type Row, row } from './table.ts';

const seconds = 5;
const warmSeconds = 1.5;
const floodConnections = 400;
const quietConnections = 4;
/** Each quiet connection asks fifty times a second. */
const quietIntervalMs = 20;
/** Clients are elsewhere: on this machine the flood's must not take the server's core. */
const floodNiceness = 10;

interface Figures {
  readonly counts: { readonly [code: string]: number };
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/**
 * A tenant that keeps hundreds of connections busy and does not heed 429 against one that reads and writes now and then
 * (KUBERNETES.md O2): the quiet one's p99 with and without the flood.
 */
export async function benchFlood(): Promise<Row[]> {
  await using folder = await temporaryFolder();
  const tokens = path.join(folder.path, 'tokens.csv');
  await writeFile(tokens, 'noisy-token,noisy,1\nquiet-token,quiet,2\n');
  await using _server = await startCellplane([
    'apiserver',
    ...['--data-dir', folder.path, '--port', '0', '--log-level', 'warn', '--token-file', tokens],
  ]);
  const connection = await adminConnection(folder.path);
  const admin = new RemoteClient(connection, { userAgent: 'bench' });
  await makeWorkspace(admin, 'noisy');
  await makeWorkspace(admin, 'quiet');
  await admin.close();

  const { hostname: host, port } = new URL(connection.server);
  const start = (name: string, method: 'GET' | 'POST', connections: number, intervalMs: number) =>
    startClient({
      host,
      port: Number(port),
      caPem: connection.caPem,
      request: requestOf(name, method),
      connections,
      intervalMs,
    });
  const quietRead = () => start('quiet', 'GET', quietConnections, quietIntervalMs);
  const quietWrite = () => start('quiet', 'POST', quietConnections, quietIntervalMs);
  const rows: Row[] = [];
  for (const [what, quiet] of [
    ['GET', quietRead],
    ['CREATE', quietWrite],
  ] as const) {
    const [alone] = await measured([await quiet()]);
    rows.push(
      row(`quiet tenant's ${what}, p99 alone`, alone!.p99Ms, 'ms', `p50 ${alone!.p50Ms.toFixed(1)} ms`),
    );
    for (const flood of ['GET', 'POST'] as const) {
      const noisy = await start('noisy', flood, floodConnections, 0);
      os.setPriority(noisy.pid ?? 0, floodNiceness);
      const [beside, flooding] = await measured([await quiet(), noisy]);
      const told = Object.entries(flooding!.counts)
        .map(([code, count]) => `${Math.round(count / seconds)}/s ${code}`)
        .join(', ');
      rows.push(
        row(
          `the same beside ${floodConnections} connections flooding ${flood}`,
          beside!.p99Ms,
          'ms',
          `p50 ${beside!.p50Ms.toFixed(1)} ms; ${(beside!.p99Ms / alone!.p99Ms).toFixed(1)} times, goal 2; flood: ${told}; quiet: ${JSON.stringify(beside!.counts)}`,
        ),
      );
    }
  }
  return rows;
}

async function makeWorkspace(admin: KubeClient, name: string): Promise<void> {
  const workspaces = {
    cluster: 'root',
    gvr: { group: 'tenancy.kcp.io', version: 'v1alpha1', resource: 'workspaces' },
  };
  await admin.create(workspaces, {
    apiVersion: 'tenancy.kcp.io/v1alpha1',
    kind: 'Workspace',
    metadata: { name },
    spec: { type: { name: 'universal', path: 'root' } },
  });
  await until(`workspace ${name} is ready`, async () => {
    const workspace = await admin.get({ ...workspaces, name });
    return (workspace['status'] as { phase?: string } | undefined)?.phase === 'Ready';
  });
  const cluster = `root:${name}`;
  const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name }];
  for (const role of ['cluster-admin', 'system:kcp:workspace:access'] as const) {
    await admin.create(
      {
        cluster,
        gvr: { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterrolebindings' },
      },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata: { name: `bench-${role.replaceAll(':', '-')}` },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
        subjects,
      },
    );
  }
  await admin.create(
    { cluster, gvr: { group: '', version: 'v1', resource: 'configmaps' }, namespace: 'default' },
    { ...sampleConfigMap('sample', 1_600) },
  );
}

function requestOf(name: string, method: 'GET' | 'POST'): string {
  const configMaps = `/clusters/root:${name}/api/v1/namespaces/default/configmaps`;
  const object = { ...sampleConfigMap('', 1_000), metadata: { generateName: 'load-' } };
  const body = method === 'GET' ? '' : JSON.stringify(object);
  const lines = [
    `${method} ${configMaps}${method === 'GET' ? '/sample' : ''} HTTP/1.1`,
    'Host: localhost',
    `Authorization: Bearer ${name}-token`,
    'User-Agent: bench',
    ...(body === '' ? [] : ['Content-Type: application/json', `Content-Length: ${body.length}`]),
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

async function startClient(options: { readonly [name: string]: unknown }): Promise<ChildProcess> {
  const child = fork(path.resolve('test/bench/flood-client.mjs'), [JSON.stringify(options)], {
    execArgv: [],
  });
  await once(child, 'message');
  return child;
}

async function measured(clients: readonly ChildProcess[]): Promise<Figures[]> {
  await setTimeout(warmSeconds * 1_000);
  for (const client of clients) client.send('count');
  await setTimeout(seconds * 1_000);
  return Promise.all(
    clients.map(async (client) => {
      const answer = once(client, 'message');
      client.send('stop');
      const [figures] = (await answer) as [Figures];
      return figures;
    }),
  );
}
