import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { startConnectProxy, startSocksProxy } from '#test/harness/proxies.ts';
import { openTunnel } from './tunnel.ts';

/** For what answers. */
const patienceMs = 120_000;

let echo: net.Server;
let port = 0;
before(async () => {
  echo = net.createServer((socket) => socket.pipe(socket));
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  port = (echo.address() as net.AddressInfo).port;
});
after(() => new Promise((resolve) => echo.close(resolve)));

async function echoed(socket: net.Socket): Promise<string> {
  socket.write('hello');
  const answer = await new Promise<string>((resolve) =>
    socket.once('data', (bytes) => resolve(String(bytes))),
  );
  socket.destroy();
  return answer;
}

for (const [name, start] of [
  ['CONNECT (RFC 9110, 9.3.6)', startConnectProxy],
  ['SOCKS5 (RFC 1928)', startSocksProxy],
] as const) {
  test(`a tunnel by ${name}`, async () => {
    await using proxy = await start();
    const socket = await openTunnel(proxy.url, { host: '127.0.0.1', port }, patienceMs);
    assert.equal(await echoed(socket), 'hello');
    assert.deepEqual(proxy.targets, [`127.0.0.1:${port}`]);
  });
}

test('a proxy that refuses, or is none, is told', async () => {
  await using refusing = await startConnectProxy(403);
  await using denying = await startSocksProxy(2);
  const target = { host: '127.0.0.1', port };
  await assert.rejects(openTunnel(refusing.url, target, patienceMs), /answered CONNECT with 403/);
  await assert.rejects(openTunnel(denying.url, target, patienceMs), /connection not allowed/);
  await assert.rejects(openTunnel('ftp://127.0.0.1', target, patienceMs), /not supported/);
  const silent = net.createServer((socket) => socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const silentPort = (silent.address() as net.AddressInfo).port;
  await assert.rejects(
    openTunnel(`socks5://127.0.0.1:${silentPort}`, target, 20),
    /did not answer within 20 ms/,
  );
  await assert.rejects(
    openTunnel(`http://127.0.0.1:${silentPort}`, target, 20),
    /did not answer within 20 ms/,
  );
  await new Promise((resolve) => silent.close(resolve));
});
