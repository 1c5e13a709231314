import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import http2 from 'node:http2';
import { type AddressInfo, connect, type Server } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { until } from '#test/harness/until.ts';
import { readBody } from './body.ts';
import type { ServerRequest } from './exchange.ts';
import { closeOf, http2Call, rawConnection, type TestServer } from './testing/test-server.ts';
import { type Execute, flowControlOf, startWidgetServer, widgetPath } from './testing/widget-server.ts';

describe('bodies (O4)', () => {
  let server: TestServer;
  const execute: Execute = (context, { body }) => ({
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

  it('a body that is cut off reaches no verb, keeps no place, and ends nothing else', async () => {
    let called = 0;
    const own = await startWidgetServer(
      () => {
        called++;
        return { type: 'status', code: 200, body: {} };
      },
      // Fewer places than requests that are cut off.
      { flowControl: flowControlOf([], 4) },
    );
    const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n`;
    const withLength = `${head}Content-Length: 100\r\n\r\nabc`;
    const inChunks = `${head}Transfer-Encoding: chunked\r\n\r\n64\r\nabc`;
    const cutOff = async (text: string, isReset: boolean) => {
      const socket = await rawConnection(own);
      const closed = closeOf(socket);
      await new Promise<void>((resolve) => {
        socket.write(text, () => resolve());
      });
      assert.equal((await own.get('/livez')).code, 200);
      if (isReset) socket.destroy();
      else socket.resume().end();
      await closed;
    };
    try {
      for (let round = 0; round < 3; round++) {
        for (const text of [withLength, inChunks])
          for (const isReset of [false, true]) await cutOff(text, isReset);
        const session = await own.http2();
        const stream = session.request({
          ...{ ':method': 'POST', ':path': path, authorization: 'Bearer admin-token' },
        });
        stream.on('error', () => {});
        stream.write('abc');
        assert.equal((await own.get('/livez')).code, 200);
        // A client of Node's ends a stream that it closes: this takes it back in the middle.
        session.destroy();
        await once(stream, 'close');
      }
      await until('nothing is under way', async () =>
        /^apiserver_current_inflight_requests\{request_kind="mutating"\} 0$/m.test(
          (await own.get('/metrics')).text,
        ),
      );
      assert.equal(called, 0);
      assert.equal((await own.call('POST', path, 'a: 1')).code, 200);
      assert.equal(called, 1);
    } finally {
      await own.stop();
    }
  });

  it('the part of a body that came before its sender went is handed to nobody', async () => {
    const read: Promise<PromiseSettledResult<Buffer | undefined>[]>[] = [];
    const onRequest = (request: ServerRequest): void => {
      const reading = Promise.allSettled([readBody(request, 1000) ?? undefined]);
      read.push(reading);
    };
    const listening = async (server: Server): Promise<number> => {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    };
    const one = createServer(onRequest);
    const two = http2.createServer(onRequest);
    two.on('sessionError', () => {});
    const onePort = await listening(one);
    const twoPort = await listening(two);
    let count = 0;
    const begun = async (): Promise<void> => {
      count++;
      await until('the request has come', () => Promise.resolve(read.length === count));
    };
    try {
      for (const framing of ['Content-Length: 100\r\n\r\nabc', 'Transfer-Encoding: chunked\r\n\r\n64\r\nabc'])
        for (const isReset of [false, true]) {
          const socket = connect(onePort, '127.0.0.1');
          socket.on('error', () => {});
          socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${framing}`);
          await begun();
          if (isReset) socket.destroy();
          else socket.resume().end();
        }
      const session = http2.connect(`http://127.0.0.1:${twoPort}`);
      session.on('error', () => {});
      const stream = session.request({ ':method': 'POST', ':path': '/' });
      stream.on('error', () => {});
      stream.write('abc');
      await begun();
      session.destroy();
      const results = (await Promise.all(read)).flat();
      assert.deepEqual(
        results.map((result) =>
          result.status === 'rejected' ? String(result.reason.message) : result.status,
        ),
        Array<string>(5).fill('the request ended before its body did'),
      );
    } finally {
      one.closeAllConnections();
      one.close();
      two.close();
    }
  });

  it('methods that no verb stands for → 405', async () => {
    assert.equal((await server.call('OPTIONS', path, undefined)).code, 405);
    assert.equal((await server.call('POST', '/api', '{}')).code, 405);
  });
});
