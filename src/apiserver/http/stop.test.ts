import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { until } from '#test/harness/until.ts';
import { closeOf, mastersOnly, rawConnection, resolverOf, startServer } from './testing/test-server.ts';
import { WatchedServer, watchedScheme, widgetsPath } from './testing/watched-server.ts';

describe('stop of a server', () => {
  let scene: WatchedServer;
  beforeEach(async () => {
    scene = await WatchedServer.start();
  });
  afterEach(() => scene.stop());

  it('stop: not ready, requests refused, those under way finished, watches ended cleanly', async () => {
    const watcher = await scene.watch('');
    const socket = await rawConnection(scene.server);
    let received = '';
    socket.on('data', (chunk) => {
      received += String(chunk);
    });
    socket.write(
      `GET ${widgetsPath}?watch=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n`,
    );
    await until('both watch', () => scene.verbs.watchCount === 2);
    const stopping = scene.server.server.stop();
    await watcher.ended;
    await until('its watch is ended', () => received.endsWith('0\r\n\r\n'));
    await stopping;
    assert.equal(scene.verbs.watchCount, 0);
    await assert.rejects(scene.server.get('/livez', { connection: 'close' }));
    await scene.server.server.stop();
  });

  it('stop does not wait for a handshake that has not ended, nor serve anybody after it', async () => {
    const { server, port } = scene.server;
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    // Answered on a connection that came later: the first was accepted.
    assert.equal((await scene.server.get('/livez')).code, 200);
    let isStopped = false;
    const stopping = server.stop().finally(() => {
      isStopped = true;
    });
    stopping.catch(() => {}); // told below
    // Node ends such a handshake after two minutes.
    await until('it has stopped', () => isStopped, { timeoutMs: 90_000 });
    await Promise.all([stopping, closed]);
  });

  it('stop does not wait for a body that never comes', async () => {
    let onCome = (): void => {};
    const come = new Promise<void>((resolve) => {
      onCome = resolve;
    });
    const own = await startServer({
      resolver: resolverOf(watchedScheme),
      verbs: { execute: () => Promise.reject(new Error('nothing may be executed')) },
      authorizer: {
        authorize: (attributes) => {
          onCome();
          return mastersOnly.authorize(attributes);
        },
      },
    });
    const socket = await rawConnection(own);
    let received = '';
    socket.on('data', (chunk) => {
      received += String(chunk);
    });
    const headers = 'Host: x\r\nAuthorization: Bearer admin-token\r\nContent-Length: 1000';
    socket.write(`POST ${widgetsPath} HTTP/1.1\r\n${headers}\r\n\r\n{`);
    await come;
    await Promise.all([own.stop(), closeOf(socket)]);
    assert.match(received, /^HTTP\/1\.1 429 /);
  });

  it('an answer that its client reads slowly is sent to its end', async () => {
    // Larger than what lies between the two sides while nobody reads.
    const text = 'x'.repeat(8 * 1024 * 1024);
    let isAsked = false;
    const own = await startServer({
      resolver: resolverOf(watchedScheme),
      verbs: {
        execute: () => {
          isAsked = true;
          return Promise.resolve({ type: 'status', code: 200, body: { text } });
        },
      },
    });
    const socket = await rawConnection(own);
    let length = 0;
    socket.write(`GET ${widgetsPath}/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n`);
    await until('it is answered', () => isAsked);
    await own.get('/livez', { connection: 'close' });
    const stopping = own.server.stop();
    // By then everything is closed that need not be waited for.
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    socket.on('data', (chunk: Buffer) => {
      length += chunk.length;
    });
    await Promise.all([stopping, closeOf(socket)]);
    assert.ok(length > text.length, `${length} bytes of ${text.length}`);
    await own.stop();
  });

  it('stop waits for what is under way and tells the rest to go elsewhere', async () => {
    let release: (() => void) | undefined;
    const own = await startServer({
      resolver: resolverOf(watchedScheme),
      verbs: {
        execute: () =>
          new Promise((resolve) => {
            release = () => resolve({ type: 'status', code: 200, body: { done: true } });
          }),
      },
    });
    const waiting = own.get(`${widgetsPath}/a`);
    const idle = await rawConnection(own);
    let refused = '';
    idle.on('data', (chunk) => {
      refused += String(chunk);
    });
    await until('it is under way', () => release !== undefined);
    const stopping = own.server.stop();
    idle.write(`GET ${widgetsPath}/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n`);
    await until('refused', () => refused.includes('\r\n\r\n'));
    assert.match(refused, /^HTTP\/1\.1 429 /);
    assert.match(refused, /Retry-After: 5/);
    assert.match(refused, /Connection: close/);
    release?.();
    assert.deepEqual((await waiting).json(), { done: true });
    await stopping;
    await own.stop();
  });
});
