import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { after, before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { until } from '#test/harness/until.ts';
import { createHttpServer, ListenError } from '../server.ts';
import {
  clientCertificate,
  http2Call,
  makePki,
  rawConnection,
  resolverOf,
  startServer,
  type TestServer,
} from '../testing/test-server.ts';
import { scheme, single, startWidgetServer, widgetPath } from '../testing/widget-server.ts';

describe('connections', () => {
  let server: TestServer;
  before(async () => {
    server = await startWidgetServer(single);
  });
  after(() => server.stop());

  it('over HTTP/2 that nobody is known on take no more after what they have', async () => {
    const session = await server.http2();
    const asked = [1, 2].map(() => http2Call(session, widgetPath, { authorization: 'Bearer nobody' }));
    const gone = once(session, 'goaway');
    for (const { code } of await Promise.all(asked)) assert.equal(code, 401);
    assert.equal((await gone)[0], 0);
    await until('the connection is gone', () => session.destroyed);
  });

  it('over HTTP/2 are closed when nothing happens on them, and when their client only takes requests back (CVE-2023-44487)', async () => {
    const impatient = await startServer({
      resolver: resolverOf(scheme, 'root:acme'),
      verbs: { execute: single },
      limits: { http2IdleMs: 100 },
    });
    try {
      const idle = await impatient.http2();
      await once(idle, 'close');
      const resetting = connectTls({
        host: 'localhost',
        port: impatient.port,
        ca: impatient.pki.ca.certificatePem,
        ALPNProtocols: ['h2'],
      });
      let isOver = false;
      resetting.on('error', () => {});
      resetting.once('close', () => {
        isOver = true;
      });
      await once(resetting, 'secureConnect');
      resetting.resume();
      resetting.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');
      for (let stream = 1; stream < 4_000 && !isOver; stream += 2) {
        resetting.write(takenBack(stream));
        if (stream % 200 === 1) await new Promise((resolve) => setImmediate(resolve));
      }
      await until('the connection is gone', () => isOver);
      assert.equal((await impatient.get('/livez', {}, { token: '' })).code, 200);
    } finally {
      await impatient.stop();
    }
  });

  it('a request that comes while an answer is still to be read is taken whole, however long', async () => {
    const own = await startServer({
      resolver: resolverOf(scheme),
      verbs: {
        execute: ({ info }, { body }) => {
          const text = info.verb === 'get' ? 'x'.repeat(16 * 1024 * 1024) : '';
          const length = body !== undefined && 'bytes' in body ? body.bytes.length : 0;
          return { type: 'status', code: 200, body: { text, length } };
        },
      },
    });
    try {
      const socket = await rawConnection(own);
      const head = 'Host: x\r\nAuthorization: Bearer admin-token\r\n';
      // More than lies between the two sides while nobody reads.
      socket.write(`GET ${widgetPath} HTTP/1.1\r\n${head}\r\n`);
      await once(socket, 'readable');
      socket.write(
        `PUT ${widgetPath} HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: 40000\r\n\r\n${' '.repeat(40_000)}`,
      );
      await own.get('/livez', { connection: 'close' });
      let last = '';
      socket.on('data', (chunk: Buffer) => {
        last = (last + chunk.toString('latin1')).slice(-1_000);
      });
      await until('both are answered', () => socket.closed || /"length":40000\}\s*$/.test(last));
      assert.match(last, /HTTP\/1\.1 200 OK[\s\S]*"length":40000/);
      socket.destroy();
    } finally {
      await own.stop();
    }
  });

  it('plain text on the TLS port is cut off, the server lives on', async () => {
    const { connect } = await import('node:net');
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await once(socket, 'close');
    assert.equal((await server.get('/livez')).code, 200);
  });

  it('TLS below 1.2 is refused', async () => {
    const socket = connectTls({
      port: server.port,
      host: 'localhost',
      ca: server.pki.ca.certificatePem,
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
    });
    await assert.rejects(once(socket, 'secureConnect'));
  });

  it('a port in use is told as such', async () => {
    const second = createHttpServer({
      listen: { port: server.port },
      tls: { ...server.pki.serving, clientCaPem: server.pki.ca.certificatePem },
      authenticator: { authenticate: () => undefined },
      authorizer: { authorize: () => ({ decision: 'noOpinion', reason: '' }) },
      resolver: resolverOf(scheme),
      verbs: { execute: single },
      discovery: () => undefined,
      openapi: () => undefined,
      healthChecks: [],
      version: '0',
      logger: { debug() {}, info() {}, warn() {}, error() {} },
    });
    await assert.rejects(
      second.listen(),
      (error) =>
        error instanceof ListenError &&
        error.message === `port ${server.port} on 127.0.0.1 is already in use by another process`,
    );
    await second.stop();
  });

  it('a renewed certificate is used for new connections', async () => {
    const renewed = makePki();
    const own = await startServer({ resolver: resolverOf(scheme), verbs: { execute: single } });
    try {
      own.server.renewCertificate({ ...renewed.serving, clientCaPem: renewed.ca.certificatePem });
      const socket = connectTls({ port: own.port, host: 'localhost', ca: renewed.ca.certificatePem });
      await once(socket, 'secureConnect');
      assert.equal(socket.authorized, true);
      socket.destroy();
    } finally {
      await own.stop();
    }
  });

  it('other authorities of clients end connections on which nobody was asked for them', async () => {
    const later = makePki();
    const own = await startServer({ resolver: resolverOf(scheme), verbs: { execute: single } });
    try {
      const connected = async (name: string | undefined, protocol: string, pki = own.pki) => {
        const certificate = name === undefined ? undefined : clientCertificate(pki, name, []);
        const socket = connectTls({
          ...{ port: own.port, host: 'localhost', ca: own.pki.ca.certificatePem, ALPNProtocols: [protocol] },
          ...(certificate === undefined ? {} : { cert: certificate.certificatePem, key: certificate.keyPem }),
        });
        await once(socket, 'secureConnect');
        return socket;
      };
      const asked = (session: ClientHttp2Session) => http2Call(session, '/livez', {});
      const overHttp2 = async (name: string | undefined, pki = own.pki) => {
        const socket = await connected(name, 'h2', pki);
        const session = connectHttp2(own.origin, { createConnection: () => socket });
        assert.equal((await asked(session)).code, 200);
        return session;
      };
      const known = await overHttp2('jane');
      const unknown = await overHttp2(undefined);
      const early = await overHttp2('proxy', later);
      const overHttp1 = await connected(undefined, 'http/1.1');
      let answers = '';
      overHttp1.on('data', (chunk: Buffer) => {
        answers += chunk.toString();
      });
      const get = 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n';
      overHttp1.write(get);
      await until('it is answered', () => answers.endsWith('\r\n\r\nok'));
      const clientCaPem = `${own.pki.ca.certificatePem}${later.ca.certificatePem}`;
      own.server.trustOthers({ ...own.pki.serving, clientCaPem });
      await until('these are gone', () => unknown.destroyed && early.destroyed);
      overHttp1.write(get);
      await once(overHttp1, 'close');
      assert.deepEqual(answers.match(/^Connection: .*$/gm), ['Connection: keep-alive', 'Connection: close']);
      assert.equal((await asked(known)).code, 200);
      known.destroy();
    } finally {
      await own.stop();
    }
  });
});

/** HEADERS for `GET /livez` and RST_STREAM (RFC 9113, 6.2 and 6.4). */
function takenBack(stream: number): Buffer {
  const block = Buffer.from('\x82\x87\x44\x06/livez\x41\x01x', 'latin1');
  const bytes = Buffer.alloc(9 + block.length + 9 + 4);
  bytes.writeUIntBE(block.length, 0, 3);
  bytes[3] = 1;
  bytes[4] = 5;
  bytes.writeUInt32BE(stream, 5);
  block.copy(bytes, 9);
  const at = 9 + block.length;
  bytes.writeUIntBE(4, at, 3);
  bytes[at + 3] = 3;
  bytes.writeUInt32BE(stream, at + 5);
  bytes.writeUInt32BE(8, at + 9);
  return bytes;
}
