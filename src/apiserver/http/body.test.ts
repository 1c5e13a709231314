import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { closeOf, http2Call, rawConnection, type TestServer } from './testing/test-server.ts';
import { type Execute, startWidgetServer, widgetPath } from './testing/widget-server.ts';

describe('bodies (O4)', () => {
  let server: TestServer;
  let execute: Execute = (context, { body }) => ({
    type: 'status',
    code: 200,
    body: {
      verb: context.info.verb,
      ...(body !== undefined && 'bytes' in body
        ? { bytes: body.bytes.toString(), contentType: body.contentType }
        : {}),
      manager: context.defaultFieldManager,
    },
  });
  before(async () => {
    server = await startWidgetServer((context, request) => execute(context, request));
  });
  after(() => server.stop());

  const path = '/apis/example.org/v1/namespaces/n/widgets';

  it('is handed over as it came, with its type, in both protocols', async () => {
    const session = await server.http2();
    const headers = { 'content-type': 'application/yaml', 'user-agent': 'kubectl/v1.36 (linux)' };
    for (const answer of [
      await server.call('POST', path, 'a: 1', headers),
      await http2Call(session, path, { ...headers, ':method': 'POST' }, 'a: 1'),
    ]) {
      assert.deepEqual(answer.json(), {
        verb: 'create',
        bytes: 'a: 1',
        contentType: 'application/yaml',
        manager: 'kubectl',
      });
    }
    const none = await http2Call(session, widgetPath, { ':method': 'DELETE' });
    assert.equal(none.json()['bytes'], undefined);
    session.close();
    assert.equal((await server.call('DELETE', widgetPath, undefined)).json()['bytes'], undefined);
    assert.equal(
      (await server.call('DELETE', widgetPath, '{}', { 'content-length': 2 })).json()['bytes'],
      '{}',
    );
    const chunked = await server.call('PUT', widgetPath, 'abc', { 'transfer-encoding': 'chunked' });
    assert.equal(chunked.json()['bytes'], 'abc');
  });

  it('413 beyond the limit, with and without a length', async () => {
    const big = 'x'.repeat(1001);
    for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
      const answer = await server.call('POST', path, big, headers);
      assert.equal(answer.code, 413);
      assert.equal(answer.json()['message'], 'Request entity too large: limit is 1000');
    }
    const session = await server.http2();
    assert.equal((await http2Call(session, path, { ':method': 'POST' }, big)).code, 413);
    assert.equal((await http2Call(session, path, { ':method': 'POST' }, 'x')).code, 200);
    session.close();
    assert.equal((await server.call('POST', path, 'x'.repeat(1000))).code, 200);
  });

  it('who is sending what is too large is answered when it is sent, or far too much', async () => {
    const begin = async (length: number, bytes: number) => {
      const socket = await rawConnection(server);
      socket.setEncoding('utf8');
      const answered = once(socket, 'data') as Promise<[string]>;
      const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n`;
      socket.write(`${head}Content-Length: ${length}\r\n\r\n${'x'.repeat(bytes)}`);
      return { socket, answered };
    };
    const far = await begin(2_001, 1);
    assert.match((await far.answered)[0], /^HTTP\/1\.1 413 /);
    far.socket.destroy();

    const slow = await begin(1_900, 1_500);
    let isAnswered = false;
    const begunMs = performance.now();
    slow.socket.once('data', () => {
      isAnswered = true;
    });
    for (let later = 0; later < 3; later++)
      assert.equal((await server.call('POST', path, 'x')).code, 200, 'somebody who came later');
    // Ten seconds are what it waits for; a machine that stood still for so long shows nothing.
    if (performance.now() - begunMs < 9_000) assert.equal(isAnswered, false);
    slow.socket.write('x'.repeat(400));
    assert.match((await slow.answered)[0], /^HTTP\/1\.1 413 /);
    slow.socket.destroy();
  });

  it('415 for a content encoding', async () => {
    assert.equal((await server.call('POST', path, 'x', { 'content-encoding': 'gzip' })).code, 415);
  });

  it('a body that ends early reaches no verb', async () => {
    let called = false;
    const before = execute;
    execute = (context, request) => {
      called = true;
      return before(context, request);
    };
    const socket = await rawConnection(server);
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\nContent-Length: 100\r\n\r\nabc`,
    );
    socket.resume().end();
    await closeOf(socket);
    execute = before;
    assert.equal(called, false);
  });

  it('methods that no verb stands for → 405', async () => {
    assert.equal((await server.call('OPTIONS', path, undefined)).code, 405);
    assert.equal((await server.call('POST', '/api', '{}')).code, 405);
  });
});
