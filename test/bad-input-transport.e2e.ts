// Clients that misbehave below HTTP's surface: slow, gone, half-closed, resetting, flooding. Each costs only itself; the
// server answers everyone else meanwhile, gives back what the client held, and stores nothing of it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants } from 'node:http2';
import net from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import { maps, mapText } from './bad-input/requests.ts';
import { type LoneServer, startLoneServer } from './harness/lone-server.ts';
import { type Standing, standIn } from './harness/standing.ts';
import { until } from './harness/until.ts';

const residentMiBMax = 600;
const crlf = '\r\n';

const head = (line: string, ...headers: string[]): string => [line, 'Host: x', ...headers, '', ''].join(crlf);

/** Bytes that are no request, or not the whole of one, and what the answer begins with. */
const malformed: readonly (readonly [string, string | Buffer, RegExp])[] = [
  ['garbage', 'garbage\r\n\r\n', /^HTTP\/1\.1 400 /],
  ['binary', Buffer.from([0, 1, 2, 255, 254, 13, 10, 13, 10]), /^HTTP\/1\.1 400 /],
  ['an unknown method', head('BREW /livez HTTP/1.1'), /^HTTP\/1\.1 (400|405|501) /],
  ['HTTP/9.9', head('GET /livez HTTP/9.9'), /^HTTP\/1\.1 (400|505) /],
  ['a space in the path', head('GET /liv ez HTTP/1.1'), /^HTTP\/1\.1 400 /],
  ['a header without a colon', `GET /livez HTTP/1.1${crlf}Host x${crlf}${crlf}`, /^HTTP\/1\.1 400 /],
  ['a line break in a header', head('GET /livez HTTP/1.1', 'X-A: a\nb: c\rd'), /^HTTP\/1\.1 400 /],
  ['a NUL in a header', head('GET /livez HTTP/1.1', 'X-A: a\0b'), /^HTTP\/1\.1 400 /],
  ['one header of 100 KB', head('GET /livez HTTP/1.1', `X-A: ${'a'.repeat(100_000)}`), /^HTTP\/1\.1 431 /],
  [
    '1 MB of headers',
    head('GET /livez HTTP/1.1', ...Array(20_000).fill(`X-A: ${'a'.repeat(45)}`)),
    /^HTTP\/1\.1 431 /,
  ],
  ['a path of 100 KB', head(`GET /${'a'.repeat(100_000)} HTTP/1.1`), /^HTTP\/1\.1 (414|431) /],
  [
    'two lengths',
    head(`POST ${maps} HTTP/1.1`, 'Content-Length: 1', 'Content-Length: 2'),
    /^HTTP\/1\.1 400 /,
  ],
  ['a negative length', head(`POST ${maps} HTTP/1.1`, 'Content-Length: -1'), /^HTTP\/1\.1 400 /],
  [
    'a length and chunks',
    head(`POST ${maps} HTTP/1.1`, 'Content-Length: 1', 'Transfer-Encoding: chunked'),
    /^HTTP\/1\.1 400 /,
  ],
  [
    'a bad chunk',
    `${head(`POST ${maps} HTTP/1.1`, 'Transfer-Encoding: chunked')}zz${crlf}hello`,
    /^HTTP\/1\.1 400 /,
  ],
  [
    'a length of a terabyte',
    head(`POST ${maps} HTTP/1.1`, 'Content-Length: 1099511627776'),
    /^HTTP\/1\.1 413 /,
  ],
  ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /^(HTTP\/1\.1 400 |$)/],
];

describe('bad clients', { timeout: 600_000 }, () => {
  let server: LoneServer;
  let standing: Standing;

  before(async () => {
    server = await startLoneServer();
    standing = await standIn(server);
  });
  after(() => server?.[Symbol.asyncDispose]());
  afterEach(async () => {
    // Whoever is not answered gives up, which fails.
    await standing.assertUnharmed();
  });

  const openWatch = /^apiserver_longrunning_requests\{.*\} [1-9]/m;
  async function watchesGivenBack(): Promise<void> {
    await until('the watches are given back', async () => {
      const { text } = await server.raw.send({ path: '/metrics' });
      return /^# TYPE apiserver_longrunning_requests /m.test(text) && !openWatch.test(text);
    });
  }

  for (const [name, bytes, answer] of malformed) {
    test(`malformed: ${name}`, async () => {
      assert.match(await server.raw.sendBytes(bytes), answer);
    });
  }

  test('300 clients that send their request a byte at a time, and never to its end', async () => {
    const sockets = await Promise.all(Array.from({ length: 300 }, () => server.raw.connect()));
    const request = head(`POST ${maps} HTTP/1.1`, 'Content-Type: application/json', 'Content-Length: 100');
    for (let at = 0; at < 5; at++) for (const socket of sockets) socket.write(request[at] ?? '');
    for (const socket of sockets.slice(0, 150)) socket.write(`${request.slice(5)}{"apiVersion":`);
    await standing.assertUnharmed();
    for (const socket of sockets) socket.destroy();
  });

  test('bodies that break off: by reset, by goodbye, by a half-closed socket', async () => {
    const request = head(`POST ${maps} HTTP/1.1`, 'Content-Type: application/json', 'Content-Length: 1000');
    const part = request + mapText('', 'never').slice(0, 40);
    for (let round = 0; round < 30; round++) {
      const socket = await server.raw.connect();
      socket.on('error', () => {});
      socket.write(part);
      if (round % 3 === 0) socket.destroy();
      else if (round % 3 === 1) socket.end();
      else socket.once('data', () => socket.destroy()).end();
    }
    assert.equal((await server.raw.send({ path: `${maps}/never` })).status, 404);
  });

  // Who says goodbye behind its request is taken for gone, as by Kubernetes: what is ready by then is told, nothing is held.
  test('a half-closed client gets its answer whole or not at all, and its connection is closed', async () => {
    let answers = 0;
    await until('an answer that was faster than the goodbye', async () => {
      const socket = await server.raw.connect();
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      const closed = new Promise((resolve) => socket.once('close', resolve));
      const request = head(`GET ${maps}/a HTTP/1.1`, 'Connection: close');
      // Every other one says goodbye when its answer begins to come.
      if (answers++ % 2 === 0) socket.end(request);
      else socket.once('data', () => socket.end()).write(request);
      await closed;
      assert.match(text, /^$|^HTTP\/1\.1 200 [\s\S]*"name":"a"[\s\S]*\}\s*$/);
      return answers > 4 && text !== '';
    });
  });

  test('answers that nobody waits for: 200 lists and 200 watches whose clients leave at once', async () => {
    for (let round = 0; round < 200; round++) {
      const socket = await server.raw.connect();
      socket.on('error', () => {});
      const watch = round % 2 === 0 ? '?watch=1' : '';
      socket.write(head(`GET ${maps}${watch} HTTP/1.1`), () => socket.destroy());
    }
    await watchesGivenBack();
  });

  test('requests one behind the other on one connection are all answered, in order', async () => {
    const names = Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? 'a' : `missing-${i}`));
    const requests = names.map((name, i) =>
      head(`GET ${maps}/${name} HTTP/1.1`, ...(i === names.length - 1 ? ['Connection: close'] : [])),
    );
    const text = await server.raw.sendBytes(requests.join(''));
    const codes = [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map((match) => match[1]);
    assert.deepEqual(
      codes,
      names.map((name) => (name === 'a' ? '200' : '404')),
    );
  });

  test('what comes behind a refused body is not taken for a request', async () => {
    const smuggled = head(`DELETE ${maps}/a HTTP/1.1`);
    const large = head(`POST ${maps} HTTP/1.1`, 'Content-Length: 4000000', 'Content-Type: application/json');
    const text = await server.raw.sendBytes(large + smuggled.repeat(100));
    assert.match(text, /^HTTP\/1\.1 413 /);
    assert.equal(text.match(/HTTP\/1\.1 /g)?.length, 1, text);
  });

  test('plain text, half a handshake and silence on the TLS port', async () => {
    const { port } = new URL(server.connection.server);
    const sockets = Array.from({ length: 60 }, (_, i) => {
      const socket = net.connect(Number(port), '127.0.0.1');
      socket.on('error', () => {});
      if (i % 3 === 0) socket.write('GET / HTTP/1.1\r\n\r\n');
      if (i % 3 === 1) socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]));
      return socket;
    });
    await standing.assertUnharmed();
    for (const socket of sockets) socket.destroy();
  });

  test('HTTP/2: streams reset before, during and after their body', async () => {
    const session = await server.raw.session();
    const codes = [constants.NGHTTP2_CANCEL, constants.NGHTTP2_INTERNAL_ERROR, constants.NGHTTP2_NO_ERROR];
    for (let round = 0; round < 300; round++) {
      const stream = session.request({
        ':method': 'POST',
        ':path': maps,
        'content-type': 'application/json',
        'content-length': '1000',
      });
      stream.on('error', () => {});
      if (round % 2 === 0) stream.write(mapText('', 'never').slice(0, 40));
      stream.close(codes[round % 3]);
    }
    const stream = session.request({ ':path': `${maps}/a` });
    const [headers] = (await once(stream, 'response')) as [{ ':status'?: number }];
    assert.equal(headers[':status'], 200, 'the session lives on');
    session.destroy();
    assert.equal((await server.raw.send({ path: `${maps}/never` })).status, 404);
  });

  test('HTTP/2: sessions cut with a thousand watches open', async () => {
    for (let round = 0; round < 5; round++) {
      const session = await server.raw.session();
      const streams = Array.from({ length: 200 }, () => session.request({ ':path': `${maps}?watch=1` }));
      for (const stream of streams) stream.on('error', () => {});
      await once(streams[0] as (typeof streams)[number], 'response');
      session.destroy();
    }
    await watchesGivenBack();
  });

  test('HTTP/2: any method, any header value, bad pseudo-headers', async () => {
    const session = await server.raw.session();
    const statusOf = async (headers: { [name: string]: string }): Promise<number | string> => {
      const stream = session.request(headers, { endStream: true });
      try {
        const [answer] = (await once(stream, 'response')) as [{ ':status'?: number }];
        return answer[':status'] ?? 0;
      } catch (error) {
        return (error as Error).message;
      } finally {
        stream.on('error', () => {}).close();
      }
    };
    for (const method of ['constructor', '__proto__', 'toString', 'BREW', 'get', 'G'.repeat(1_000)]) {
      assert.equal(await statusOf({ ':method': method, ':path': maps }), 405, method);
    }
    for (const path of ['', '*', 'livez', 'http://', '/%', '//', '/\u00ff']) {
      const status = await statusOf({ ':path': path });
      assert.ok(typeof status === 'string' || (status >= 200 && status < 500), `${path}: ${status}`);
    }
    const huge = { ':path': maps, 'x-a': 'a'.repeat(200_000) };
    const status = await statusOf(huge);
    assert.ok(status === 431 || typeof status === 'string', String(status));
    session.destroy();
  });

  test('a WebSocket that breaks its protocol', async () => {
    const upgrade = [
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ];
    for (const behind of [
      Buffer.from([0xff, 0xff, 0xff, 0xff]),
      Buffer.from([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
      Buffer.from([0x88, 0x80, 0, 0, 0, 0]),
      Buffer.alloc(100_000, 0x81),
    ]) {
      const request = Buffer.from(head(`GET ${maps}?watch=1 HTTP/1.1`, ...upgrade));
      const answer = await server.raw.sendBytes(Buffer.concat([request, behind]), { enough: /\r\n\r\n/ });
      assert.match(answer, /^HTTP\/1\.1 101 /);
    }
    for (const missing of upgrade.slice(2)) {
      const request = head(`GET ${maps}?watch=1 HTTP/1.1`, ...upgrade.filter((line) => line !== missing));
      assert.match(await server.raw.sendBytes(request), /^HTTP\/1\.1 (400|426) /);
    }
  });

  test('memory stays bounded', () => {
    const resident = server.residentMiB();
    assert.ok(resident < residentMiBMax, `${resident.toFixed(0)} MiB resident`);
  });
});

test('a server stops in order while clients hold connections, half requests and watches', async () => {
  await using server = await startLoneServer();
  const socket = await server.raw.connect();
  socket.on('error', () => {}).write(head(`POST ${maps} HTTP/1.1`, 'Content-Length: 1000'));
  const idle = await server.raw.connect();
  idle.on('error', () => {});
  const session = await server.raw.session();
  const stream = session.request({ ':path': '/clusters/root/api/v1/namespaces?watch=1' });
  stream.on('error', () => {});
  await once(stream, 'response');
  assert.equal(await server.process.stop(), 0, server.process.output());
  for (const client of [socket, idle, session]) client.destroy();
});
