import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { until } from '#test/harness/until.ts';
import { rawConnection, resolverOf, startServer, type TestServer } from './testing/test-server.ts';
import { type Execute, scheme, single, startWidgetServer, widgetPath } from './testing/widget-server.ts';

describe('how long a request may take (E5)', () => {
  let server: TestServer;
  let execute: Execute = single;
  before(async () => {
    server = await startWidgetServer((context, request) => execute(context, request));
  });
  after(() => server.stop());

  /** A server of its own: of one that all tests ask, a slow machine would not answer in these times. */
  const impatientServer = (requestTimeoutMs = 300) =>
    startServer({
      resolver: resolverOf(scheme, 'root:acme'),
      verbs: { execute: (context, request) => execute(context, request) },
      limits: { requestTimeoutMs, writeTimeoutMs: 100 },
    });
  const impatientPath = `/clusters/root:acme${widgetPath}`;

  it('E5: 504 when the verb takes too long, and its signal fires', async () => {
    let aborted = false;
    const impatient = await impatientServer();
    execute = (context) =>
      new Promise((_, reject) => {
        context.signal.addEventListener('abort', () => {
          aborted = true;
          reject(new Error('aborted'));
        });
      });
    try {
      const answer = await impatient.get(impatientPath);
      assert.equal(answer.code, 504);
      assert.equal(answer.json()['reason'], 'Timeout');
      assert.ok(aborted);
      const early = await impatient.get(`${impatientPath}?timeout=20ms`);
      assert.equal(early.code, 504);
      assert.equal((await impatient.get(`${impatientPath}?timeout=abc`)).code, 400);
    } finally {
      await impatient.stop();
    }
  });

  it('E5: a write of one object has less time than other requests', async () => {
    execute = (context) =>
      new Promise((_, reject) => {
        context.signal.addEventListener('abort', () => reject(new Error('aborted')));
      });
    const impatient = await impatientServer();
    // Of a body that comes late on a slow machine the general time must not be over first.
    const impatientWithWrites = await impatientServer(60_000);
    const collection = impatientPath.slice(0, impatientPath.lastIndexOf('/'));
    const json = { 'content-type': 'application/json' };
    const own = 'Timeout: request did not complete within requested timeout - context deadline exceeded';
    const general = 'Timeout: request did not complete within the allotted timeout';
    const rows: [string, string, string, string][] = [
      ['POST', collection, '{}', own],
      ['PUT', impatientPath, '{}', own],
      ['PATCH', impatientPath, '{}', own],
      ['DELETE', impatientPath, '', own],
      ['DELETE', collection, '', general],
      ['POST', `${collection}?timeout=30ms`, '{}', general],
    ];
    try {
      for (const [method, path, body, message] of rows) {
        const asked = message === own ? impatientWithWrites : impatient;
        const answer = await asked.call(method, path, body === '' ? undefined : body, json);
        assert.equal(answer.code, 504, `${method} ${path}`);
        assert.equal(answer.json()['message'], message, `${method} ${path}`);
      }
    } finally {
      await Promise.all([impatient.stop(), impatientWithWrites.stop()]);
    }
  });

  it('the signal fires when the client goes away', async () => {
    for (const protocol of ['http1', 'http2']) {
      let aborted = false;
      let started = false;
      execute = (context) =>
        new Promise((_, reject) => {
          started = true;
          context.signal.addEventListener('abort', () => {
            aborted = true;
            reject(new Error('aborted'));
          });
        });
      if (protocol === 'http2') {
        const session = await server.http2();
        session.request({ ':path': widgetPath, authorization: 'Bearer admin-token' }).on('error', () => {});
        await until('the verb began', () => started);
        session.destroy();
      } else {
        const socket = await rawConnection(server);
        socket.write(`GET ${widgetPath} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n`);
        await until('the verb began', () => started);
        socket.destroy();
      }
      await until('its signal fired', () => aborted);
    }
  });
});
