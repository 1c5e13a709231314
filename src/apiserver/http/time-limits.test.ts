import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { until } from '#test/harness/until.ts';
import type { ProxiedRequest } from '../aggregation/proxy.ts';
import type { HttpServerDependencies } from './dependencies.ts';
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

  describe('of what an APIService serves', () => {
    /** Answers nothing before it is let; a request whose time is over is given up. */
    async function withRemote(
      limits: { readonly requestTimeoutMs: number; readonly writeTimeoutMs: number },
      use: (server: TestServer, release: () => void) => Promise<void>,
    ): Promise<void> {
      const released = new AbortController();
      const held = (signal: AbortSignal) =>
        new Promise<void>((resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
          released.signal.addEventListener('abort', () => resolve());
        });
      const aggregator = {
        remoteOf: (_: unknown, path: string) => (path.includes('/remote.example.com/') ? {} : undefined),
        serve: async (_: unknown, { signal, response }: ProxiedRequest) => {
          await held(signal);
          response.writeHead(200).end('through');
        },
      };
      const remote = await startServer({
        resolver: resolverOf(scheme, 'root:acme'),
        verbs: { execute: (context, request) => execute(context, request) },
        aggregator: aggregator as unknown as NonNullable<HttpServerDependencies['aggregator']>,
        limits,
      });
      execute = async (context) => {
        await held(context.signal);
        throw new Error('released');
      };
      try {
        await use(remote, () => released.abort());
      } finally {
        released.abort();
        await remote.stop();
      }
    }
    const things = '/clusters/root:acme/apis/remote.example.com/v1/namespaces/default/things';

    it('E5: watches, proxied and streamed subresources have no limit, all else has', async () => {
      await withRemote({ requestTimeoutMs: 100, writeTimeoutMs: 100 }, async (remote, release) => {
        const long = [
          `${things}?watch=true`,
          `${things}/a/proxy`,
          `${things}/a/proxy/b/c`,
          `${things}/a/log`,
        ].map((path) => remote.get(path));
        long.push(remote.call('POST', `${things}/a/exec`, '{}', { 'content-type': 'application/json' }));
        for (const path of [things, `${things}/a`, `${things}/a/status`]) {
          const { code, json } = await remote.get(path);
          assert.equal(code, 504, path);
          assert.equal(json()['message'], 'Timeout: request did not complete within the allotted timeout');
        }
        // The time of those that began before has come too.
        release();
        assert.deepEqual(
          (await Promise.all(long)).map(({ code }) => code),
          long.map(() => 200),
        );
      });
    });

    it('E5: the time of a write is that of whoever writes', async () => {
      await withRemote({ requestTimeoutMs: 60_000, writeTimeoutMs: 100 }, async (remote, release) => {
        const json = { 'content-type': 'application/json' };
        const passedOn = remote.call('POST', things, '{}', json);
        const own = await remote.call('PUT', impatientPath, '{}', json);
        assert.equal(own.code, 504);
        release();
        assert.equal((await passedOn).code, 200);
      });
    });
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
