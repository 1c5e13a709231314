import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants, createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { until } from '#test/harness/until.ts';
import { CallError, framed, UnaryChannel, type UnaryChannelOptions } from './unary-channel.ts';

type Handler = (stream: ServerHttp2Stream, path: string) => void;

describe('calls to etcd over HTTP/2', () => {
  const ends: (() => void)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });

  async function serve(
    handler: Handler,
    options: Partial<UnaryChannelOptions> = {},
  ): Promise<{ channel: UnaryChannel; server: Http2Server }> {
    const server = createServer();
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => sockets.add(socket));
    server.on('sessionError', () => {});
    server.on('stream', (stream, headers) => {
      stream.on('error', () => {});
      stream.resume();
      handler(stream, String(headers[':path']));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const channel = channelTo((server.address() as AddressInfo).port, options);
    ends.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return { channel, server };
  }

  /** Where no connection is to be given up, none is, however busy the machine. */
  const patientPing = { pingTimeoutMs: 120_000 };

  function channelTo(port: number, options: Partial<UnaryChannelOptions> = {}): UnaryChannel {
    const channel = new UnaryChannel({
      address: `127.0.0.1:${port}`,
      monotonic: () => performance.now(),
      ...patientPing,
      ...options,
    });
    ends.push(() => channel.close());
    return channel;
  }

  /** Takes connections and says nothing. `heard` is told of each connection once something has come over it. */
  async function serveNothing(heard: () => void): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createTcpServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.once('data', heard);
    });
    ends.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  function frameOf(text: string): Buffer {
    const { frame, start } = framed(text.length);
    frame.write(text, start);
    return frame;
  }

  function answer(stream: ServerHttp2Stream, body: Buffer, trailers: { [name: string]: string }): void {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end(body);
  }

  async function failureOf(call: Promise<unknown>): Promise<CallError> {
    const error = await call.then(
      () => assert.fail('answered'),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof CallError, String(error));
    return error;
  }

  const call = (channel: UnaryChannel, path = '/a', timeoutMs = 60_000) =>
    channel.call(path, frameOf('hello'), { hasleader: 'true' }, timeoutMs);

  it('gives the answer, whole or in parts, over one connection', async () => {
    let connections = 0;
    const { channel, server } = await serve((stream, path) => {
      const body = frameOf('world');
      if (path === '/whole') return answer(stream, body, { 'grpc-status': '0' });
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.write(body.subarray(0, 3), () => setImmediate(() => stream.end(body.subarray(3))));
    });
    server.on('session', () => connections++);
    const answers = await Promise.all(['/whole', '/parts', '/whole'].map((path) => call(channel, path)));
    assert.deepEqual(answers.map(String), ['world', 'world', 'world']);
    assert.equal(connections, 1);
  });

  it('tells what etcd says, with and without a body, and what is no gRPC', async () => {
    const { channel } = await serve((stream, path) => {
      if (path === '/trailers') {
        answer(stream, Buffer.alloc(0), {
          'grpc-status': '9',
          'grpc-message': 'etcdserver: 100%25 wrong %C3%A4',
        });
      } else if (path === '/short') answer(stream, frameOf('cut').subarray(0, 6), { 'grpc-status': '0' });
      else if (path === '/proxy') {
        stream.respond({ ':status': 502 });
        stream.end('no');
      } else {
        stream.respond(
          { ':status': 200, 'grpc-status': '14', 'grpc-message': 'etcdserver: no leader' },
          { endStream: true },
        );
      }
    });
    const failures = await Promise.all(
      ['/trailers', '/headers', '/proxy', '/short'].map((path) => failureOf(call(channel, path))),
    );
    assert.deepEqual(
      failures.map(({ code, details }) => [code, details]),
      [
        [9, 'etcdserver: 100% wrong ä'],
        [14, 'etcdserver: no leader'],
        [14, 'etcd answered with HTTP status 502'],
        [13, 'Response message parsing error: not one whole message'],
      ],
    );
  });

  it('knows a call that etcd cannot have heard of', async () => {
    // Nobody listens on a port that low.
    assert.match((await failureOf(call(channelTo(1)))).details, /^No connection established: .*ECONNREFUSED/);

    const refusing = await serve((stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM));
    assert.match((await failureOf(call(refusing.channel))).details, /^No connection established/);
  });

  it('goes on after many calls that were refused before all of them was read', async () => {
    const { channel } = await serve((stream) => {
      stream.respond(
        { ':status': 200, 'grpc-status': '8', 'grpc-message': 'too large' },
        { endStream: true },
      );
      stream.close(constants.NGHTTP2_NO_ERROR);
    });
    for (let count = 0; count < 12; count++) {
      const large = framed(3 * 1024 * 1024).frame;
      const { code, details } = await failureOf(channel.call('/a', large, {}, 60_000));
      assert.deepEqual([code, details], [8, 'too large']);
    }
  });

  it('does not wait for the rest of a call that was refused before all of it was taken', async () => {
    const { channel } = await serve((stream) => {
      stream.pause();
      stream.respond(
        { ':status': 200, 'grpc-status': '8', 'grpc-message': 'too large' },
        { endStream: true },
      );
    });
    for (let count = 0; count < 3; count++) {
      const { code } = await failureOf(channel.call('/a', framed(3 * 1024 * 1024).frame, {}, 600_000));
      assert.equal(code, 8);
    }
  });

  it('is in doubt of one that was sent, and connects again for the next', async () => {
    let calls = 0;
    const { channel } = await serve((stream) => {
      if (++calls === 1) stream.session?.destroy();
      else answer(stream, frameOf('again'), { 'grpc-status': '0' });
    });
    const { code, details } = await failureOf(call(channel));
    assert.equal(code, 14);
    assert.match(details, /^the connection was lost/);
    assert.equal(String(await call(channel)), 'again');
  });

  it('takes a new connection when etcd says goodbye, and waits for what is under way on the old one', async () => {
    let first: ServerHttp2Stream | undefined;
    let sessions = 0;
    const { channel, server } = await serve((stream) => {
      if (first !== undefined) return answer(stream, frameOf('new'), { 'grpc-status': '0' });
      first = stream;
      stream.session?.goaway(constants.NGHTTP2_NO_ERROR, stream.id);
    });
    server.on('session', () => sessions++);
    const old = call(channel);
    // Until the goodbye has come, calls still go the old way.
    await until('there is another session', async () => {
      await call(channel, '/b', 200).catch(() => {});
      return sessions > 1;
    });
    assert.equal(String(await call(channel)), 'new');
    assert.ok(first !== undefined);
    answer(first, frameOf('old'), { 'grpc-status': '0' });
    assert.equal(String(await old), 'old');
  });

  it('ends a call in its time, sent or not', async () => {
    // Its time is over when it is sure to be sent.
    const clock = new ManualClock();
    const timed = { monotonic: () => clock.monotonic() };
    const silent = await serve(() => clock.advance(60), timed);
    const { code, details } = await failureOf(call(silent.channel, '/a', 60));
    assert.deepEqual([code, details], [4, 'Deadline exceeded']);
    // The greeting of HTTP/2 needs no answer, so the call counts as sent.
    const deaf = await serveNothing(() => clock.advance(60));
    assert.equal((await failureOf(call(channelTo(deaf, timed), '/a', 60))).code, 4);
  });

  it('gives up a connection that shows no life after a call went unanswered', async () => {
    let connections = 0;
    const channel = channelTo(await serveNothing(() => connections++), { pingTimeoutMs: 50 });
    await until('there is another connection', async () => {
      await failureOf(call(channel, '/a', 60));
      return connections > 1;
    });
  });

  it('fails what is under way when it is closed, and what comes after', async () => {
    const { channel } = await serve(() => {});
    const waiting = failureOf(call(channel));
    await new Promise((resolve) => setImmediate(resolve));
    channel.close();
    await waiting;
    assert.equal((await failureOf(call(channel))).code, 1);
  });
});
