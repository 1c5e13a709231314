import { fork } from 'node:child_process';
import path from 'node:path';
import { adminConnection, temporaryFolder } from '../harness/processes.ts';
import { startApiServer } from './api-server.ts';
import { load, loadPool } from './load.ts';
import { indexMark } from './raw-job.ts';
import { noteOf, type RawLoadResult, type RawRequest, rawLoad } from './raw-load.ts';
import { sampleConfigMap, sampleDeployment } from './samples.ts';
import { type Row, row } from './table.ts';

const clients = 64;
const scope = '/clusters/root';

/** GET, CREATE, UPDATE and LIST over TLS against a server of its own process, and the bare server beside it. */
export async function benchRequests(scale: number): Promise<Row[]> {
  await using folder = await temporaryFolder();
  await using server = await startApiServer(folder.path);
  const connection = await adminConnection(folder.path);
  const pool = loadPool(connection, 1);
  const rawly = (count: number, request: RawRequest) =>
    rawLoad(connection, server.pid, { clients, count, request });
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
  const get = { method: 'GET', path: `${configMaps}/sample` };
  await rawly(4_000 * scale, get);
  const gets = await rawly(40_000 * scale, get);
  const bodyBytes = (await (await pool.request({ ...get, method: 'GET' })).body.arrayBuffer()).byteLength;
  const bare = await benchBareHttps(folder.path, bodyBytes, scale);
  rows.push(
    row(`GET of ${bodyBytes} bytes over TLS, ${clients} clients`, gets.perSecond, '/s', noteOf(gets)),
    row('bare node:https with the same bytes', bare.perSecond, '/s', noteOf(bare)),
    row('GET as a share of bare node:https', gets.perSecond / bare.perSecond, '', 'goal: 0.5'),
  );

  const object = sampleDeployment(`load-${indexMark}`);
  const body = JSON.stringify(object);
  const created = 20_000 * scale;
  const creates = await rawly(created, { method: 'POST', path: deployments, contentType: json, body });
  rows.push(
    row(
      `durable CREATE of a ${body.length} byte Deployment, ${clients} clients`,
      creates.perSecond,
      '/s',
      `${noteOf(creates)}; goal 4,000`,
    ),
  );
  const updates = await rawly(Math.min(created, 10_000 * scale), {
    method: 'PUT',
    path: `${deployments}/load-${indexMark}`,
    contentType: json,
    body: JSON.stringify({ ...object, spec: { ...(object['spec'] as object), replicas: 4 } }),
  });
  rows.push(row(`durable UPDATE of the same, ${clients} clients`, updates.perSecond, '/s', noteOf(updates)));

  const names = Math.min(10_000 * scale, created);
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

async function benchBareHttps(
  dataDirectory: string,
  bodyBytes: number,
  scale: number,
): Promise<RawLoadResult> {
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
    const bareConnection = { ...connection, server: `https://127.0.0.1:${port}` };
    const pid = child.pid ?? 0;
    const request = { method: 'GET', path: '/' };
    await rawLoad(bareConnection, pid, { clients, count: 4_000 * scale, request });
    return await rawLoad(bareConnection, pid, { clients, count: 40_000 * scale, request });
  } finally {
    child.kill('SIGTERM');
  }
}
