import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { StreamTable, useStreamTable } from './stream-table.ts';

describe('the streams of a session of HTTP/2', () => {
  test('are found, replaced, deleted and told as in a Map', () => {
    const number = fc.oneof(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 2 ** 31 - 1 }));
    const step = fc.record({ verb: fc.constantFrom('set', 'set', 'delete', 'get'), number });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600 }), (steps) => {
        const table = new StreamTable<number>();
        const map = new Map<number, number>();
        steps.forEach(({ verb, number: key }, at) => {
          if (verb === 'set') {
            assert.equal(table.set(key, at), table);
            map.set(key, at);
          } else if (verb === 'delete') assert.equal(table.delete(key), map.delete(key));
          else assert.equal(table.get(key), map.get(key));
          assert.equal(table.size, map.size);
        });
        const told = new Map<number, number>();
        table.forEach((stream, key) => void told.set(key, stream));
        assert.deepEqual(sorted(told), sorted(map));
      }),
    );
  });

  test('may be deleted while they are told', () => {
    const table = new StreamTable<number>();
    for (let key = 1; key < 200; key += 2) table.set(key, key);
    let told = 0;
    table.forEach((_, key) => {
      told++;
      table.delete(key);
    });
    assert.deepEqual([told, table.size], [100, 0]);
  });

  test('are kept so by this Node, whose session closes when the last of them has', async () => {
    const server = createServer({ settings: { maxConcurrentStreams: 300 } });
    const sessions: ServerHttp2Session[] = [];
    server.on('session', (session) => {
      assert.equal(useStreamTable(session), true);
      assert.equal(useStreamTable(session), false, 'it is no Map any more');
      sessions.push(session);
    });
    server.on('stream', (stream, headers) => {
      stream.respond({ ':status': 200 });
      stream.end(headers[':path']);
    });
    const client = await clientOf(server);
    for (let round = 0; round < 3; round++) {
      const paths = Array.from({ length: 200 }, (_, i) => `/${round}/${i}`);
      const answers = await Promise.all(paths.map((path) => text(client.request({ ':path': path }))));
      assert.deepEqual(answers, paths);
    }
    const [session] = sessions;
    assert.ok(session);
    session.close();
    await Promise.all([once(session, 'close'), once(client, 'close')]);
    server.close();
  });

  test('end with a session that is destroyed', async () => {
    const server = createServer();
    const closed: Promise<unknown>[] = [];
    let begun: (session: ServerHttp2Session) => void = () => {};
    const hundred = new Promise<ServerHttp2Session>((resolve) => (begun = resolve));
    server.on('session', (session) => useStreamTable(session));
    server.on('stream', (stream) => {
      stream.on('error', () => {});
      closed.push(once(stream, 'close'));
      if (closed.length === 100) begun(stream.session as ServerHttp2Session);
    });
    const client = await clientOf(server);
    const requests = Array.from({ length: 100 }, () => client.request({ ':path': '/' }));
    for (const request of requests) request.on('error', () => {});
    client.on('error', () => {});
    (await hundred).destroy();
    await Promise.all(closed);
    client.destroy();
    server.close();
  });
});

function sorted(map: ReadonlyMap<number, number>): [number, number][] {
  return [...map].sort(([one], [other]) => one - other);
}

async function clientOf(server: Http2Server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}
