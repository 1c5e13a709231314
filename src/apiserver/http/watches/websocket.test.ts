import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import fc from 'fast-check';
import { until } from '#test/harness/until.ts';
import { closeOf, rawConnection } from '../testing/test-server.ts';
import { type WatchEvent, WatchedServer, widgetsPath } from '../testing/watched-server.ts';
import { ClientFrameReader, tokenOfSubprotocols } from './websocket.ts';

describe('watch over WebSocket (W7)', () => {
  let scene: WatchedServer;
  beforeEach(async () => {
    scene = await WatchedServer.start();
  });
  afterEach(() => scene.stop());

  const upgrade = async (
    url: string,
    headers: { [name: string]: string } = {},
  ): Promise<{ socket: TLSSocket; head: string; reader: MessageReader }> => {
    const socket = await rawConnection(scene.server);
    const lines = {
      Host: 'x',
      Authorization: 'Bearer admin-token',
      Connection: 'keep-alive, Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      ...headers,
    };
    const text = Object.entries(lines)
      .filter(([, value]) => value !== '')
      .map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`GET ${url} HTTP/1.1\r\n${text.join('')}\r\n`);
    const reader = new MessageReader(socket);
    const head = await reader.head;
    return { socket, head, reader };
  };

  it('one event a text message; the answer proves the handshake (RFC 6455 4.2.2)', async () => {
    const { head, reader, socket } = await upgrade(`${widgetsPath}?watch=true&resourceVersion=1`);
    assert.match(head, /^HTTP\/1\.1 101 /);
    // The example of RFC 6455 1.3.
    assert.match(head, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
    await scene.create('a', { pad: 'x'.repeat(70_000) });
    await scene.create('b', { pad: 'x'.repeat(300) });
    await scene.create('c');
    for (const name of ['a', 'b', 'c']) {
      const event = JSON.parse(await reader.next()) as WatchEvent;
      assert.deepEqual([event.type, event.object.metadata.name], ['ADDED', name]);
    }
    socket.destroy();
    await until('nobody watches', () => scene.verbs.watchCount === 0);
  });

  it('a token as subprotocol, which is never echoed', async () => {
    const token = Buffer.from('admin-token').toString('base64url');
    const { head, socket } = await upgrade(`${widgetsPath}?watch=true`, {
      Authorization: '',
      'Sec-WebSocket-Protocol': `base64url.bearer.authorization.k8s.io.${token}, k8s.v1`,
    });
    assert.match(head, /^HTTP\/1\.1 101 /);
    assert.match(head, /Sec-WebSocket-Protocol: k8s\.v1\r\n/);
    assert.doesNotMatch(head, /bearer/);
    socket.destroy();
    const bad = await upgrade(`${widgetsPath}?watch=true`, {
      Authorization: '',
      'Sec-WebSocket-Protocol': 'base64url.bearer.authorization.k8s.io.!!!',
    });
    assert.match(bad.head, /^HTTP\/1\.1 401 /);
  });

  it('legacy watch paths too', async () => {
    await scene.create('a');
    await scene.create('b');
    const { head, reader, socket } = await upgrade('/apis/example.org/v1/watch/namespaces/n/widgets/b');
    assert.match(head, /^HTTP\/1\.1 101 /);
    assert.equal((JSON.parse(await reader.next()) as WatchEvent).object.metadata.name, 'b');
    socket.destroy();
  });

  it('pings are answered, a close is answered, nonsense ends it', async () => {
    const { reader, socket } = await upgrade(`${widgetsPath}?watch=true&resourceVersion=1`);
    socket.write(clientFrame(0x9, Buffer.from('hi')));
    assert.deepEqual(await reader.nextFrame(), { opcode: 0xa, payload: Buffer.from('hi') });
    socket.write(clientFrame(0x1, Buffer.from('ignored')));
    socket.write(clientFrame(0x8, Buffer.of(0x03, 0xe8)));
    assert.equal((await reader.nextFrame()).opcode, 0x8);
    await until('nobody watches', () => scene.verbs.watchCount === 0);
    const other = await upgrade(`${widgetsPath}?watch=true&resourceVersion=1`);
    other.socket.write(Buffer.of(0x81, 0x01, 0x61));
    const close = await other.reader.nextFrame();
    assert.equal(close.payload.readUInt16BE(), 1002);
    await until('nobody watches', () => scene.verbs.watchCount === 0);
  });

  it('stop says goodbye with a close frame', async () => {
    const { reader, socket } = await upgrade(`${widgetsPath}?watch=true&resourceVersion=1`);
    const stopping = scene.server.server.stop();
    assert.equal((await reader.nextFrame()).payload.readUInt16BE(), 1000);
    socket.end(clientFrame(0x8, Buffer.of(0x03, 0xe8)));
    await stopping;
  });

  const refusals: [string, string, { [name: string]: string }, RegExp][] = [
    ['another version', `${widgetsPath}?watch=true`, { 'Sec-WebSocket-Version': '8' }, /^HTTP\/1\.1 400 /],
    ['no key', `${widgetsPath}?watch=true`, { 'Sec-WebSocket-Key': 'x' }, /^HTTP\/1\.1 400 /],
    ['nobody', `${widgetsPath}?watch=true`, { Authorization: 'Bearer wrong' }, /^HTTP\/1\.1 401 /],
    ['who may not', `${widgetsPath}?watch=true`, { Authorization: 'Bearer jane-token' }, /^HTTP\/1\.1 403 /],
    ['what is no watch', widgetsPath, {}, /^HTTP\/1\.1 200 /],
    ['another protocol', `${widgetsPath}/absent`, { Upgrade: 'spdy/3.1' }, /^HTTP\/1\.1 404 /],
  ];
  for (const [name, url, headers, expected] of refusals) {
    it(`${name}: ${expected}`, async () => {
      const { head, socket } = await upgrade(url, headers);
      assert.match(head, expected);
      await closeOf(socket);
      assert.equal(scene.verbs.watchCount, 0);
    });
  }
});

describe('WebSocket frames', () => {
  it('are read the same however they are cut', () => {
    const frame = fc.record({
      opcode: fc.constantFrom(1, 2, 8, 9, 10),
      size: fc.integer({ min: 0, max: 125 }),
    });
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 50 }),
        (frames, cuts) => {
          const sent = frames.map(({ opcode, size }) => ({ opcode, payload: randomBytes(size) }));
          let bytes = Buffer.concat(sent.map(({ opcode, payload }) => clientFrame(opcode, payload)));
          const reader = new ClientFrameReader();
          const found: unknown[] = [];
          for (const cut of cuts) {
            found.push(...(reader.push(bytes.subarray(0, cut)) ?? []));
            bytes = bytes.subarray(cut);
          }
          found.push(...(reader.push(bytes) ?? []));
          assert.deepEqual(found, sent);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('never break on any bytes, and hold no more than one frame', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        new ClientFrameReader().push(Buffer.from(bytes));
      }),
    );
    const reader = new ClientFrameReader();
    assert.equal(reader.push(Buffer.from([0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0])), undefined);
    assert.equal(reader.fault, 'too-big');
  });

  it('tokens of subprotocols', () => {
    const prefix = 'base64url.bearer.authorization.k8s.io.';
    assert.equal(tokenOfSubprotocols(undefined), undefined);
    assert.equal(tokenOfSubprotocols('a, b'), undefined);
    assert.equal(tokenOfSubprotocols(`a, ${prefix}YWJj`), 'abc');
    assert.equal(tokenOfSubprotocols(`${prefix}a+b`), '');
  });
});

/** Reads the answer's head, then unmasked frames. */
class MessageReader {
  readonly head: Promise<string>;
  #buffer = Buffer.alloc(0);
  #headDone = false;
  #wake = (): void => {};
  #closed = false;

  constructor(socket: TLSSocket) {
    let resolveHead = (_: string): void => {};
    this.head = new Promise((resolve) => {
      resolveHead = resolve;
    });
    socket.on('data', (chunk: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      if (!this.#headDone) {
        const end = this.#buffer.indexOf('\r\n\r\n');
        if (end < 0) return;
        this.#headDone = true;
        resolveHead(this.#buffer.subarray(0, end + 4).toString('latin1'));
        this.#buffer = this.#buffer.subarray(end + 4);
      }
      this.#wake();
    });
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  async next(): Promise<string> {
    const { opcode, payload } = await this.nextFrame();
    assert.equal(opcode, 1);
    return payload.toString('utf8');
  }

  async nextFrame(): Promise<{ opcode: number; payload: Buffer }> {
    for (;;) {
      const frame = this.#take();
      if (frame !== undefined) return frame;
      if (this.#closed) throw new Error('the connection is closed');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #take(): { opcode: number; payload: Buffer } | undefined {
    const data = this.#buffer;
    if (data.length < 2) return undefined;
    assert.equal(data[1]! & 0x80, 0, 'a server does not mask');
    let length = data[1]! & 0x7f;
    let at = 2;
    if (length === 126) {
      if (data.length < 4) return undefined;
      length = data.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (data.length < 10) return undefined;
      length = Number(data.readBigUInt64BE(2));
      at = 10;
    }
    if (data.length < at + length) return undefined;
    this.#buffer = data.subarray(at + length);
    return { opcode: data[0]! & 0x0f, payload: Buffer.from(data.subarray(at, at + length)) };
  }
}

function clientFrame(opcode: number, payload: Buffer): Buffer {
  const mask = randomBytes(4);
  const masked = Buffer.from(payload.map((byte, index) => byte ^ mask[index & 3]!));
  return Buffer.concat([Buffer.of(0x80 | opcode, 0x80 | payload.length), mask, masked]);
}
