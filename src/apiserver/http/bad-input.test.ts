import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { closeOf, http2Call, rawConnection, type TestServer } from './testing/test-server.ts';
import { single, startWidgetServer } from './testing/widget-server.ts';

describe('bad input over HTTP', () => {
  let server: TestServer;
  before(async () => {
    server = await startWidgetServer(single);
  });
  after(() => server.stop());

  it('never breaks on any URL', async () => {
    const piece = fc.constantFrom(
      'api',
      'apis',
      'v1',
      'example.org',
      'namespaces',
      'n',
      'widgets',
      'a',
      'watch',
      'clusters',
      'root',
      '*',
      '',
      '.',
      '..',
      '%2e',
      '%',
      '%00',
      '%ff',
      '%2F',
      ';',
      'ü',
      '?x=%zz',
      '#',
      '\\',
    );
    const session = await server.http2();
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 8 }),
        fc.constantFrom('GET', 'HEAD', 'DELETE'),
        async (parts, method) => {
          const path = `/${parts.join('/')}`;
          const answer = await http2Call(session, encodeURI(path).replaceAll('%25', '%'), {
            ':method': method,
          });
          assert.ok([200, 400, 403, 404, 405, 501].includes(answer.code), `${path}: ${answer.code}`);
        },
      ),
      { numRuns: 150 },
    );
    session.close();
  });

  for (const [name, text, expected] of [
    ['no HTTP', 'garbage\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['a header without a colon', 'GET / HTTP/1.1\r\nHost x\r\n\r\n', /^HTTP\/1\.1 400 /],
    [
      'an error, and what was sent behind it',
      'GET /nothing HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      /^HTTP\/1\.1 40\d [\s\S]*HTTP\/1\.1 200 /,
    ],
    [
      'a refused body, and what was sent behind it',
      'POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 26\r\n\r\nGET /livez HTTP/1.1\r\nHost:GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      /^HTTP\/1\.1 40\d [\s\S]*HTTP\/1\.1 200 /,
    ],
    [
      'headers within the limit',
      `GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Big: ${'x'.repeat(60_000)}\r\n\r\n`,
      /^HTTP\/1\.1 200 /,
    ],
    [
      'headers beyond the limit',
      `GET / HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(100_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431 /,
    ],
    [
      'malformed percent-encoding',
      'GET /api/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    [
      'two lengths',
      'POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
      /^HTTP\/1\.1 400 /,
    ],
    [
      'a length and chunks',
      'POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
  ] as const) {
    it(`${name}: ${expected}`, async () => {
      const socket = await rawConnection(server);
      let received = '';
      socket.on('data', (chunk) => {
        received += String(chunk);
      });
      socket.write(text);
      await closeOf(socket);
      assert.match(received, expected);
    });
  }
});
