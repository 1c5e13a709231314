import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { KubeClient } from '#client/client.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { disposeAll } from '../harness/dispose-all.ts';
import { adminConnection, startCellplane, temporaryFolder } from '../harness/processes.ts';
import { until } from '../harness/until.ts';
import { sampleConfigMap } from './samples.ts';

export interface FloodFigures {
  /** Answers by status code. */
  readonly counts: { readonly [code: string]: number };
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface FloodClient {
  readonly tenant: 'noisy' | 'quiet';
  readonly method: 'GET' | 'POST';
  /** Default HTTP/1. */
  readonly protocol?: 'http/1' | 'http/2' | undefined;
  readonly connections: number;
  /** Requests at once over each connection of HTTP/2. Default 1. */
  readonly streams?: number | undefined;
  /** From one request of a connection, or stream, to its next; 0: the moment that it is answered. */
  readonly intervalMs: number;
}

/** Two tenants of one server, each with a workspace of its own, and clients in processes of their own. */
export interface FloodScene extends AsyncDisposable {
  /** A client of the server as this tenant, who may do everything in the workspace `root:<tenant>`. */
  connectionOf(tenant: FloodClient['tenant']): ServerConnection;
  /**
   * Lets all clients run together, and counts for so long `warmMs` after they have begun. `awaitsAnswers`: after each
   * connection of all has had an answer, which takes long for hundreds where all cores are taken.
   */
  measure(
    clients: readonly FloodClient[],
    warmMs: number,
    ms: number,
    options?: { readonly awaitsAnswers?: boolean },
  ): Promise<FloodFigures[]>;
}

/**
 * Clients are elsewhere: on this machine the flood's must not take the server's core, and the quiet one's must not wait for
 * one, which is no waiting for the server. Not everybody may raise a priority.
 */
const niceness = { noisy: 10, quiet: -10 } as const;

export async function startFloodScene(): Promise<FloodScene> {
  const folder = await temporaryFolder();
  const tokens = path.join(folder.path, 'tokens.csv');
  await writeFile(tokens, 'noisy-token,noisy,1\nquiet-token,quiet,2\n');
  const server = await startCellplane([
    'apiserver',
    ...['--data-dir', folder.path, '--port', '0', '--log-level', 'warn', '--token-file', tokens],
  ]);
  const connection = await adminConnection(folder.path);
  const admin = new RemoteClient(connection, { userAgent: 'flood' });
  await makeWorkspace(admin, 'noisy');
  await makeWorkspace(admin, 'quiet');
  await admin.close();
  const { hostname: host, port } = new URL(connection.server);
  return {
    connectionOf: (tenant) => ({
      server: connection.server,
      caPem: connection.caPem,
      token: `${tenant}-token`,
    }),
    async measure(clients, warmMs, ms, { awaitsAnswers = false } = {}) {
      const children = await Promise.all(
        clients.map(({ tenant, method, protocol = 'http/1', connections, streams = 1, intervalMs }) =>
          startClient(tenant, {
            host,
            port: Number(port),
            caPem: connection.caPem,
            request: requestOf(tenant, method),
            protocol,
            connections,
            streams,
            intervalMs,
            awaitsAnswers,
          }),
        ),
      );
      return measured(children, warmMs, ms);
    },
    async [Symbol.asyncDispose]() {
      await disposeAll(server, folder);
    },
  };
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

function requestOf(name: string, method: 'GET' | 'POST') {
  const configMaps = `/clusters/root:${name}/api/v1/namespaces/default/configmaps`;
  const object = { ...sampleConfigMap('', 1_000), metadata: { generateName: 'load-' } };
  const body = method === 'GET' ? '' : JSON.stringify(object);
  const headers = [
    ['authorization', `Bearer ${name}-token`],
    ['user-agent', 'bench'],
    ...(body === ''
      ? []
      : [
          ['content-type', 'application/json'],
          ['content-length', String(body.length)],
        ]),
  ];
  return { method, path: method === 'GET' ? `${configMaps}/sample` : configMaps, headers, body };
}

async function startClient(
  tenant: FloodClient['tenant'],
  options: { readonly [name: string]: unknown },
): Promise<ChildProcess> {
  const child = fork(path.resolve('test/bench/flood-client.mjs'), [JSON.stringify(options)], {
    execArgv: [],
  });
  try {
    if (child.pid !== undefined) os.setPriority(child.pid, niceness[tenant]);
  } catch (error) {
    if (tenant === 'noisy') throw error;
  }
  await messageOf(child);
  return child;
}

/** What the client says next; rejects when it ends instead. */
async function messageOf(child: ChildProcess): Promise<unknown> {
  const over = new AbortController();
  try {
    return await Promise.race([
      once(child, 'message', { signal: over.signal }).then(([message]) => message as unknown),
      once(child, 'exit', { signal: over.signal }).then(([code, signal]) => {
        throw new Error(`a client of the flood ended with ${signal ?? code}`);
      }),
    ]);
  } finally {
    over.abort();
  }
}

async function measured(
  clients: readonly ChildProcess[],
  warmMs: number,
  ms: number,
): Promise<FloodFigures[]> {
  await setTimeout(warmMs);
  for (const client of clients) client.send('count');
  await setTimeout(ms);
  return Promise.all(
    clients.map(async (client) => {
      const answer = messageOf(client);
      client.send('stop');
      return (await answer) as FloodFigures;
    }),
  );
}
