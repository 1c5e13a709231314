// What stands between a federator and its edges: wrong credentials, lines that break or hang, servers that restart.
// docs/federation-contract.md: FB1, FC2
import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import net from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { conditionOf } from '#api/conditions.ts';
import { claimName } from '#federator/edge/edge-claim.ts';
import { Constellation, type ConstellationOptions } from '../harness/constellation.ts';
import { CopyWriter } from '../harness/copies.ts';
import { configMaps, edgeRef, find } from '../harness/edge-objects.ts';
import { freePort } from '../harness/free-port.ts';
import { startConnectProxy, startSocksProxy } from '../harness/proxies.ts';
import { connectionAs, createTestPki } from '../harness/test-pki.ts';
import { until } from '../harness/until.ts';

const breakerOpenMaxMs = 1_000;

describe('connections', { timeout: 840_000 }, () => {
  let constellation: Constellation;
  afterEach(() => constellation[Symbol.asyncDispose]());

  const start = async (options: ConstellationOptions = {}) => {
    constellation = await Constellation.start({
      scheduler: false,
      cellLimits: { credentialsIntervalMs: 300, breakerOpenMaxMs },
      ...options,
    });
  };
  const condition = async (cell: string, type: string) =>
    conditionOf((await constellation.cell(cell)).status?.conditions, type);
  const isReady = (cell: string) =>
    until(`${cell} is ready`, async () => (await condition(cell, 'Ready'))?.status === 'True');
  const atEdge = (cell: string, name: string) =>
    find(constellation.edge(cell).client, edgeRef(configMaps, name, 'ns'));
  const syncs = async (cell: string, name: string) => {
    const copies = new CopyWriter(constellation.admin, cell);
    await copies.namespace();
    await copies.configMap(name, {});
    await until(`${name} is at ${cell}`, () => atEdge(cell, name));
  };

  test('wrong certificate, address, token, Secret: each says so on its Cell, and the others are synced', async () => {
    await start({ cells: ['good'] });
    const { connection } = constellation.edge('good');
    const other = await createTestPki();
    const closedPort = await freePort();
    const { certificatePem: _certificate, keyPem: _key, ...anonymous } = connection;
    await constellation.addCell('wrong-ca', {}, { ...connection, caPem: other.ca.certificatePem });
    await constellation.addCell(
      'wrong-port',
      {},
      { ...connection, server: `https://127.0.0.1:${closedPort}` },
    );
    await constellation.addCell('wrong-name', {}, { ...connection, server: 'https://edge.invalid:6443' });
    await constellation.addCell('wrong-token', {}, { ...anonymous, token: 'nonsense' });
    const stranger = connectionAs(constellation.pki, connection.server, { name: 'stranger', groups: [] });
    await constellation.addCell('no-rights', {}, stranger);
    await constellation.addCell(
      'no-secret',
      { secretRef: { namespace: 'nowhere', name: 'nothing' } },
      connection,
    );
    await constellation.addCell('bad-key', {}, { ...connection, keyPem: 'nonsense' });
    // A proxy before the edge, with a page of its own.
    const page = '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n</body>\r\n</html>\r\n';
    const { certificatePem: cert, keyPem: key } = constellation.pki.serving;
    const proxy = createServer({ cert, key }, (_request, response) => response.writeHead(502).end(page));
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    constellation.onEnd(async () => {
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
    });
    const { port: proxyPort } = proxy.address() as net.AddressInfo;
    await constellation.addCell('html', {}, { ...connection, server: `https://127.0.0.1:${proxyPort}` });
    // Whoever comes first has the edge.
    await syncs('good', 'a');
    await constellation.addCell('claimed', {}, connection);
    const rows = [
      ['wrong-ca', 'CertificateNotTrusted', 'False', /certificate/i],
      ['wrong-port', 'ConnectionRefused', 'False', /ECONNREFUSED/],
      ['wrong-name', 'AddressNotFound', 'False', /edge\.invalid/],
      ['wrong-token', 'Unauthorized', 'True', /./],
      ['no-rights', 'Forbidden', 'True', /stranger/],
      ['no-secret', 'CredentialsMissing', 'False', /nowhere\/nothing/],
      ['bad-key', 'CredentialsInvalid', 'False', /./],
      ['html', 'InternalError', 'True', /HTTP 502 with an HTML page: 502 Bad Gateway$/],
      ['claimed', 'ForeignClaim', 'True', /cell good/],
    ] as const;
    for (const [cell, reason, reachable, message] of rows) {
      await until(`${cell} says ${reason}`, async () => {
        // Of one moment: a lease that is renewed late has all of them told unknown for a while.
        const { conditions } = (await constellation.cell(cell)).status ?? {};
        const ready = conditionOf(conditions, 'Ready');
        const reached = conditionOf(conditions, 'Reachable')?.status;
        const saysSo = ready?.reason === reason && ready.status === 'False' && reached === reachable;
        if (saysSo && message.test(ready.message ?? '')) return true;
        throw new Error(`${ready?.status}, ${ready?.reason}: ${ready?.message}; reachable: ${reached}`);
      });
    }
    await isReady('good');
    await syncs('good', 'b');
    // What is put right is found without being told.
    await constellation.putCredentials('wrong-ca', { ...connection, caPem: other.ca.certificatePem });
    await constellation.putCredentials('wrong-token', constellation.edge('good').connection);
    await until('the token is right, and the claim is another’s', async () => {
      const one = await condition('wrong-token', 'Ready');
      return one?.reason === 'ForeignClaim';
    });
  });

  test('changed credentials are taken without losing work; unusable ones are told while the old serve', async () => {
    await start();
    await isReady('cell-a');
    await syncs('cell-a', 'a');
    const { connection } = constellation.edge();
    const { edgeTap } = constellation.federator();
    edgeTap.clear();
    // Whoever connects asks whose the edge is, by name.
    const connected = () => edgeTap.requests.filter(({ name }) => name === claimName).length;
    const second = connectionAs(constellation.pki, connection.server, {
      name: 'second',
      groups: ['system:masters'],
    });
    for (const credentials of [{ ...connection, token: 'x' }, second]) {
      const before = connected();
      await constellation.putCredentials('cell-a', credentials);
      do await syncs('cell-a', `with-${edgeTap.requests.length}`);
      while (connected() === before);
      await syncs('cell-a', `after-${connected()}`);
    }
    assert.equal(edgeTap.failedApplies, 0, 'no request fails because of it');
    const stranger = connectionAs(constellation.pki, connection.server, { name: 'stranger', groups: [] });
    await constellation.putCredentials('cell-a', stranger);
    await until('the Cell says that they are no good', async () => {
      const one = await condition('cell-a', 'Reachable');
      return one?.reason === 'CredentialsNotUsable' && /stranger/.test(one.message ?? '');
    });
    await syncs('cell-a', 'c');
    await constellation.putCredentials('cell-a', connection);
    await until('all is well', async () => (await condition('cell-a', 'Reachable'))?.reason === 'Reachable');
  });

  for (const mode of ['closed', 'hanging'] as const) {
    test(`an edge whose line is ${mode} is told, costs itself alone, and catches up`, async () => {
      await start({
        cells: ['cell-a', 'cell-b'],
        // Long enough that a busy machine answers in time once the line is open.
        cellSpec: { healthCheck: { intervalSeconds: 3, timeoutSeconds: 3 } },
        cellLimits: { edgeTimeoutMs: 3_000, breakerOpenMaxMs },
      });
      await syncs('cell-a', 'before');
      await syncs('cell-b', 'before');
      await until('what is there is known to be', async () => {
        const { objects } = (await constellation.cell('cell-a')).status ?? {};
        return objects?.pending === 0 && objects.synced === 2;
      });
      await constellation.edge('cell-a').gate.set(mode);
      const copies = new CopyWriter(constellation.admin, 'cell-a');
      for (let index = 0; index < 30; index++) await copies.configMap(`while-away-${index}`, {});
      await syncs('cell-b', 'meanwhile');
      await until('its Cell says so', async () => {
        const reachable = await condition('cell-a', 'Reachable');
        const synced = await condition('cell-a', 'Synced');
        const pending = (await constellation.cell('cell-a')).status?.objects?.pending;
        if (reachable?.status === 'False' && synced?.status === 'Unknown' && pending === 30) return true;
        throw new Error(`reachable ${reachable?.status}, synced ${synced?.status}, ${pending} pending`);
      });
      // While the breaker is open the trials are all that is asked.
      const tap = constellation.federator().edgeTap;
      tap.clear();
      const beganMs = performance.now();
      await syncs('cell-b', 'later');
      const askedOfA = tap.requests.filter(({ name }) => name.startsWith('while-away'));
      const trials = (performance.now() - beganMs) / (breakerOpenMaxMs / 2);
      assert.ok(askedOfA.length <= 8 + trials, `${askedOfA.length} requests to an edge that is away`);
      await constellation.edge('cell-a').gate.set('open');
      await until('it has caught up', async () => {
        const found = await Promise.all(
          Array.from({ length: 30 }, (_, index) => atEdge('cell-a', `while-away-${index}`)),
        );
        return found.every((one) => one !== undefined);
      });
      await isReady('cell-a');
    });
  }

  test('an edge that restarts, and an API server that restarts, are found again', async () => {
    await start();
    await syncs('cell-a', 'a');
    await constellation.edge().server.stop();
    await new CopyWriter(constellation.admin).configMap('b', {});
    await constellation.edge().server.start();
    await until('the edge has caught up', () => atEdge('cell-a', 'b'));
    await constellation.server.stop();
    // The edge runs on what it has, and is repaired while nobody can say what it should have.
    assert.ok(await atEdge('cell-a', 'a'));
    await constellation.server.start();
    await syncs('cell-a', 'c');
    await isReady('cell-a');
  });

  for (const startProxy of [startConnectProxy, startSocksProxy]) {
    test(`a cell is reached through its proxy: ${startProxy.name}`, async () => {
      await start({ cells: [] });
      const proxy = await startProxy();
      constellation.onEnd(async () => proxy[Symbol.asyncDispose]());
      const edge = await constellation.addEdge('cell-a');
      await constellation.addCell('cell-a', { proxyURL: proxy.url });
      await isReady('cell-a');
      await syncs('cell-a', 'a');
      const target = new URL(edge.connection.server).host;
      assert.ok(proxy.targets.length > 0);
      assert.ok(proxy.targets.every((one) => one === target));
    });
  }

  test('a hundred cells that hang delay neither a healthy one nor the end', async () => {
    const swallowed = new Set<net.Socket>();
    let tried = 0;
    const hanging = net.createServer((socket) => {
      tried++;
      swallowed.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => swallowed.delete(socket));
    });
    await new Promise<void>((resolve) => hanging.listen(0, '127.0.0.1', resolve));
    // A lease that this process keeps while it makes a hundred connections.
    await start({ cells: ['cell-a'], cellLimits: { edgeTimeoutMs: 30_000 }, leaseDurationMs: 15_000 });
    constellation.onEnd(async () => {
      for (const socket of swallowed) socket.destroy();
      await new Promise((resolve) => hanging.close(resolve));
    });
    const server = `https://127.0.0.1:${(hanging.address() as net.AddressInfo).port}`;
    const hangingConnection = { ...constellation.edge('cell-a').connection, server };
    const names = Array.from({ length: 100 }, (_, index) => `hanging-${index}`);
    // Some at a time: no single request is to wait for all the others.
    while (names.length > 0) {
      await Promise.all(
        names.splice(0, 10).map((name) => constellation.addCell(name, {}, hangingConnection)),
      );
    }
    await until('all are tried', () => tried >= 100);
    const copies = new CopyWriter(constellation.admin);
    await copies.namespace();
    await isReady('cell-a');
    // Each takes some milliseconds: did each wait for one that hangs, they would take ten minutes.
    const endMs = performance.now() + 300_000;
    for (let index = 0; index < 20; index++) {
      await copies.configMap(`x-${index}`, {});
      await until('it is at the edge', () => atEdge('cell-a', `x-${index}`), {
        everyMs: 1,
        timeoutMs: endMs - performance.now(),
      });
    }
    let isStopped = false;
    const stopped = constellation
      .federator()
      .stop()
      .finally(() => {
        isStopped = true;
      });
    stopped.catch(() => {}); // told below
    await until('it has stopped', () => isStopped);
    await stopped;
  });
});
