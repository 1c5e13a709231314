import { fork } from 'node:child_process';
import path from 'node:path';
import { adminConnection, startCellplane, temporaryFolder } from '../harness/processes.ts';
import { load, loadPool } from './load.ts';
import { sampleConfigMap, sampleDeployment } from './samples.ts';
import { type Row, row } from './table.ts';

const clients = 64;
const scope = '/clusters/root';

/** GET, CREATE, UPDATE and LIST over TLS against a server of its own process, and the bare server beside it. */
export async function benchRequests(scale: number): Promise<Row[]> {
  await using folder = await temporaryFolder();
  await using _server = await startCellplane([
    'apiserver',
    '--data-dir',
    folder.path,
    '--port',
    '0',
    '--log-level',
    'warn',
  ]);
  const pool = loadPool(await adminConnection(folder.path), clients);
  const rows: Row[] = [];
  const json = 'application/json';
  const deployments = `${scope}/apis/apps/v1/namespaces/default/deployments`;
  const configMaps = `${scope}/api/v1/namespaces/default/configmaps`;

  await load(pool, {
    clients: 1,
    count: 1,
    request: () => ({
      method: 'POST',
      path: configMaps,
      contentType: json,
      body: JSON.stringify(sampleConfigMap('sample', 1_600)),
    }),
  });
  const get = () => ({ method: 'GET', path: `${configMaps}/sample` }) as const;
  await load(pool, { clients, count: 4_000 * scale, request: get });
  const gets = await load(pool, { clients, count: 40_000 * scale, request: get });
  const bodyBytes = (
    await (await pool.request({ method: 'GET', path: `${configMaps}/sample` })).body.arrayBuffer()
  ).byteLength;
  const bare = await benchBareHttps(folder.path, bodyBytes, scale);
  rows.push(
    row(
      `GET of ${bodyBytes} bytes over TLS, ${clients} clients`,
      gets.perSecond,
      '/s',
      `p99 ${gets.p99Ms.toFixed(1)} ms, ${gets.failed} failed`,
    ),
  );
  rows.push(row('bare node:https with the same bytes', bare, '/s'));
  rows.push(row('GET as a share of bare node:https', gets.perSecond / bare, '', 'goal: 0.5'));

  const bodies = Array.from({ length: 256 }, (_, index) => sampleDeployment(`load-${index}`));
  const create = (index: number) => {
    const object = bodies[index % bodies.length];
    if (object !== undefined) object.metadata.name = `load-${index}`;
    return { method: 'POST', path: deployments, contentType: json, body: JSON.stringify(object) } as const;
  };
  const creates = await load(pool, { clients, count: 20_000 * scale, request: create });
  rows.push(
    row(
      `durable CREATE of a ${JSON.stringify(bodies[0]).length} byte Deployment, ${clients} clients`,
      creates.perSecond,
      '/s',
      `p99 ${creates.p99Ms.toFixed(1)} ms, ${creates.failed} failed; goal 4,000`,
    ),
  );

  const update = (index: number) => {
    const object = structuredClone(bodies[index % bodies.length] ?? sampleDeployment('x'));
    object.metadata.name = `load-${index}`;
    object['spec'] = { ...(object['spec'] as object), replicas: 4 };
    return {
      method: 'PUT',
      path: `${deployments}/load-${index}`,
      contentType: json,
      body: JSON.stringify(object),
    } as const;
  };
  const updates = await load(pool, {
    clients,
    count: Math.min(creates.count, 10_000 * scale),
    request: update,
  });
  rows.push(
    row(
      `durable UPDATE of the same, ${clients} clients`,
      updates.perSecond,
      '/s',
      `p99 ${updates.p99Ms.toFixed(1)} ms, ${updates.failed} failed`,
    ),
  );

  const names = Math.min(10_000 * scale, creates.count);
  const listPath = `${deployments}?limit=${names}`;
  const lists = await load(pool, {
    clients: 1,
    count: 10,
    request: () => ({ method: 'GET', path: listPath }),
  });
  rows.push(
    row(`LIST of ${names} Deployments, one client`, lists.p50Ms, 'ms', 'median of 10, body read to the end'),
  );
  await pool.destroy();
  return rows;
}

async function benchBareHttps(dataDirectory: string, bodyBytes: number, scale: number): Promise<number> {
  const pki = path.join(dataDirectory, 'pki');
  const child = fork(
    path.resolve('test/bench/bare-https.mjs'),
    [
      path.join(pki, 'serving.crt'),
      path.join(pki, 'serving.key'),
      path.join(pki, 'ca.crt'),
      String(bodyBytes),
    ],
    { execArgv: [] },
  );
  try {
    const port = await new Promise<number>((resolve, reject) => {
      child.once('message', (message: { port: number }) => resolve(message.port));
      child.once('exit', () => reject(new Error('the bare server ended')));
    });
    const connection = await adminConnection(dataDirectory);
    const pool = loadPool({ ...connection, server: `https://127.0.0.1:${port}` }, clients);
    const request = () => ({ method: 'GET', path: '/' }) as const;
    await load(pool, { clients, count: 4_000 * scale, request });
    const result = await load(pool, { clients, count: 40_000 * scale, request });
    await pool.destroy();
    return result.perSecond;
  } finally {
    child.kill('SIGTERM');
  }
}
