import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import fc from 'fast-check';
import { copyLabels } from '#api/federation/copy-contract.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { openStore } from '../authz/testing/authz-fixtures.ts';
import { Registry } from '../registry/registry.ts';
import { Verbs } from '../verbs/verbs.ts';
import type { HttpLimits } from './limits.ts';
import {
  definition,
  resolverOf,
  schemeOf,
  startServer,
  type TestServer,
  widget,
} from './testing/test-server.ts';
import { ClientFrameReader, tokenOfSubprotocols } from './websocket.ts';

const widgets = definition();
const path = '/apis/example.org/v1/namespaces/n/widgets';
const tableAccept = 'application/json;as=Table;v=v1;g=meta.k8s.io';

interface WatchEvent {
  readonly type: string;
  readonly object: KubeObject & {
    readonly rows?: { readonly cells: unknown[] }[];
    readonly columnDefinitions?: unknown[];
  };
}

describe('watch over HTTP (W1–W7)', () => {
  let cache: CachedStorage;
  let verbs: Verbs;
  let server: TestServer;
  let session: ClientHttp2Session;

  const begin = async (limits: Partial<HttpLimits> = {}): Promise<void> => {
    cache = await openStore();
    verbs = new Verbs({ registry: new Registry({ storage: cache }) });
    server = await startServer({ resolver: resolverOf(schemeOf(widgets)), verbs, limits });
    session = await server.http2();
    session.on('error', () => {});
  };
  beforeEach(() => begin());
  afterEach(async () => {
    session.destroy();
    await server.stop();
    await cache.close();
  });

  const create = async (name: string, spec: JsonObject = {}): Promise<KubeObject> => {
    const answer = await server.call('POST', path, JSON.stringify(widget(name, spec)), {
      'content-type': 'application/json',
    });
    assert.equal(answer.code, 201, answer.text);
    return answer.json() as KubeObject;
  };
  const patch = (name: string, body: JsonObject) =>
    server.call('PATCH', `${path}/${name}`, JSON.stringify(body), {
      'content-type': 'application/merge-patch+json',
    });

  /** A watch over HTTP/2: its events as they come. */
  const watch = async (query: string, accept = 'application/json'): Promise<Watcher> => {
    const stream = session.request({
      ':path': `${path}?watch=true${query}`,
      authorization: 'Bearer admin-token',
      accept,
    });
    stream.on('error', () => {});
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    return new Watcher(stream, headers);
  };

  it('W1: 200 with headers at once, one document a line, over HTTP/1.1 and HTTP/2', async () => {
    const watcher = await watch('&resourceVersion=1');
    assert.equal(watcher.headers[':status'], 200);
    assert.equal(watcher.headers['content-type'], 'application/json');
    const socket = await rawConnection(server);
    socket.write(
      `GET ${path}?watch=1&resourceVersion=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n`,
    );
    let received = '';
    socket.on('data', (chunk) => {
      received += String(chunk);
    });
    await until(() => received.includes('\r\n\r\n'));
    assert.match(received, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(received, /Transfer-Encoding: chunked/i);
    const made = await create('a', { size: 1 });
    const event = await watcher.next();
    assert.equal(event.type, 'ADDED');
    assert.deepEqual(event.object, made);
    await until(() => received.includes('"type":"ADDED"'));
    assert.ok(received.includes('}\n'));
    socket.destroy();
  });

  it('W2, W3: state first, then changes; leaving the selector is DELETED with the causing revision', async () => {
    await create('a');
    const watcher = await watch('&labelSelector=app%3Da');
    assert.equal((await watcher.next()).type, 'ADDED');
    await patch('a', { spec: { size: 2 } });
    assert.equal((await watcher.next()).type, 'MODIFIED');
    const changed = (await patch('a', { metadata: { labels: { app: 'other' } } })).json() as KubeObject;
    const left = await watcher.next();
    assert.equal(left.type, 'DELETED');
    assert.equal(left.object.metadata.resourceVersion, changed.metadata.resourceVersion);
    assert.equal(left.object.metadata.labels?.['app'], 'a');
  });

  it('W6: initial events end in a marked bookmark', async () => {
    await create('a');
    const watcher = await watch(
      '&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true',
    );
    assert.equal((await watcher.next()).type, 'ADDED');
    const bookmark = await watcher.next();
    assert.equal(bookmark.type, 'BOOKMARK');
    assert.equal(bookmark.object.kind, 'Widget');
    assert.equal(bookmark.object.metadata.annotations?.['k8s.io/initial-events-end'], 'true');
    assert.ok(Number(bookmark.object.metadata.resourceVersion) > 0);
  });

  it('W2: a future revision or a malformed one is refused before the stream begins', async () => {
    const answer = await server.get(`${path}?watch=true&resourceVersion=abc`);
    assert.ok(answer.code >= 400 && answer.code < 500);
    assert.equal(answer.json()['kind'], 'Status');
  });

  it('N3: Tables, the columns in the first event alone', async () => {
    await create('a', { size: 1 });
    await create('b', { size: 2 });
    const watcher = await watch('', tableAccept);
    const first = await watcher.next();
    assert.equal(first.object.kind, 'Table');
    assert.equal(first.object.columnDefinitions?.length, 2);
    const second = await watcher.next();
    assert.deepEqual(second.object.columnDefinitions, []);
    assert.deepEqual(second.object.rows?.[0]?.cells, ['b', 2]);
    await patch('b', { spec: { size: 3 } });
    assert.deepEqual((await watcher.next()).object.rows?.[0]?.cells, ['b', 3]);
  });

  it('N4: PartialObjectMetadata; YAML is no form of a stream', async () => {
    await create('a', { size: 1 });
    const watcher = await watch('', 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1');
    const { object } = await watcher.next();
    assert.equal(object.kind, 'PartialObjectMetadata');
    assert.equal(object['spec'], undefined);
    assert.equal((await server.get(`${path}?watch=true`, { accept: 'application/yaml' })).code, 406);
  });

  it('metadata comes without managedFields where that is asked for, in JSON alone', async () => {
    const lean = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1;managedFields=false';
    const leanWatcher = await watch('', lean);
    const watcher = await watch('', lean.replace(';managedFields=false', ''));
    await create('a', { size: 1 });
    const { managedFields, ...rest } = (await watcher.next()).object.metadata;
    assert.equal(managedFields?.length, 1);
    assert.deepEqual((await leanWatcher.next()).object.metadata, rest);
    const get = async (accept: string, at = '/a') => (await server.get(`${path}${at}`, { accept })).json();
    assert.deepEqual((await get(lean))['metadata'], rest);
    const { items } = await get(lean.replace('Metadata;', 'MetadataList;'), '');
    assert.deepEqual((items as KubeObject[])[0]?.metadata, rest);
    const older = await get(lean.replace('v=v1;', 'v=v1beta1;'));
    assert.deepEqual((older as KubeObject).metadata.managedFields, managedFields);
  });

  it('new objects come whole where that is asked for: not old, changed, large ones, nor copies', async () => {
    const lean = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1;managedFields=false';
    await create('old');
    const watcher = await watch('', `${lean};newObjects=whole`);
    const leanWatcher = await watch('', lean);
    const made = await create('a', { size: 1 });
    await patch('a', { spec: { size: 2 } });
    await create('large', { note: 'x'.repeat(20_000) });
    const copy = widget('copy', { size: 1 });
    copy.metadata.labels = { [copyLabels.originCluster]: 'abc' };
    await server.call('POST', path, JSON.stringify(copy), { 'content-type': 'application/json' });
    const told = [];
    for (const name of ['old', 'a', 'a', 'large', 'copy']) {
      const event = await watcher.next();
      assert.equal(event.object.metadata.name, name);
      const leanEvent = await leanWatcher.next();
      assert.equal(leanEvent.object.kind, 'PartialObjectMetadata');
      if (event.object.kind === 'PartialObjectMetadata') assert.deepEqual(event, leanEvent);
      else told.push(event);
    }
    assert.deepEqual(told, [{ type: 'ADDED', object: made }]);
  });

  it('an event is rendered once for all watchers of a form', async () => {
    const watchers = await Promise.all(Array.from({ length: 20 }, () => watch('&resourceVersion=1')));
    const table = await watch('&resourceVersion=1', tableAccept);
    await create('a');
    for (const watcher of watchers) assert.equal((await watcher.next()).type, 'ADDED');
    assert.equal((await table.next()).object.kind, 'Table');
    const { text } = await server.get('/metrics');
    assert.equal(metric(text, 'cellplane_watch_frames_total'), 20);
    assert.equal(metric(text, 'cellplane_watch_frames_shared_total'), 19);
    assert.equal(metric(text, 'apiserver_longrunning_requests'), 21);
  });

  it('frames beyond the bound are forgotten and made anew', async () => {
    session.destroy();
    await server.stop();
    await cache.close();
    await begin({ frameBytesMax: 10 });
    const watchers = await Promise.all([watch('&resourceVersion=1'), watch('&resourceVersion=1')]);
    await create('a');
    await create('b');
    for (const watcher of watchers) {
      assert.equal((await watcher.next()).object.metadata.name, 'a');
      assert.equal((await watcher.next()).object.metadata.name, 'b');
    }
  });

  it('a client that goes away costs nothing any more', async () => {
    const watcher = await watch('');
    const socket = await rawConnection(server);
    socket.write(`GET ${path}?watch=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n`);
    await until(() => verbs.watchCount === 2);
    watcher.close();
    socket.destroy();
    await until(() => verbs.watchCount === 0);
    const { text } = await server.get('/metrics');
    assert.equal(metric(text, 'apiserver_longrunning_requests'), 0);
  });

  it('a slow watcher is cut at the bound; the others do not notice', async () => {
    session.destroy();
    await server.stop();
    await cache.close();
    await begin({ watchBacklogBytesMax: 2_000_000 });
    const socket = await rawConnection(server);
    socket.pause();
    socket.write(
      `GET ${path}?watch=1&resourceVersion=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n`,
    );
    await until(() => verbs.watchCount === 1);
    const fast = await watch('&resourceVersion=1');
    const pad = 'x'.repeat(500_000);
    for (let i = 0; i < 40 && verbs.watchCount === 2; i++) {
      await create(`w${i}`, { pad });
      assert.equal((await fast.next()).object.metadata.name, `w${i}`);
    }
    assert.equal(verbs.watchCount, 1);
    await create('last');
    assert.equal((await fast.next()).object.metadata.name, 'last');
    assert.equal(metric((await server.get('/metrics')).text, 'cellplane_slow_watchers_ended_total'), 1);
    socket.destroy();
  });

  it('a client that resumes far behind gets on, however often it is ended for its backlog', async () => {
    session.destroy();
    await server.stop();
    await cache.close();
    await begin({ watchBacklogBytesMax: 1_000_000 });
    const pad = 'x'.repeat(400_000);
    const begun = (await create('first')).metadata.resourceVersion ?? '';
    for (let i = 0; i < 12; i++) await create(`w${i}`, { pad });
    const names: (string | undefined)[] = [];
    let from = begun;
    for (let connections = 0; names.length < 12; connections++) {
      assert.ok(connections < 12, 'every connection brings at least one event');
      const stream = session.request({
        ':path': `${path}?watch=true&resourceVersion=${from}`,
        authorization: 'Bearer admin-token',
      });
      let text = '';
      for await (const chunk of stream) {
        text += String(chunk);
        if (names.length + text.split('\n').length - 1 === 12) stream.close();
      }
      for (const line of text.split('\n').slice(0, -1)) {
        const { object } = JSON.parse(line) as WatchEvent;
        names.push(object.metadata.name);
        from = object.metadata.resourceVersion ?? '';
      }
    }
    assert.deepEqual(
      names,
      Array.from({ length: 12 }, (_, i) => `w${i}`),
    );
  });

  it('a big initial state goes out as fast as it is taken, and live events keep their order behind it', async () => {
    const pad = 'x'.repeat(20_000);
    for (let i = 0; i < 200; i++) await create(`w${String(i).padStart(3, '0')}`, { pad });
    const stream = session.request({
      ':path': `${path}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
      authorization: 'Bearer admin-token',
    });
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    await until(() => verbs.watchCount === 1);
    await create('live');
    const watcher = new Watcher(stream, headers);
    const names: string[] = [];
    for (;;) {
      const { type, object } = await watcher.next();
      names.push(type === 'BOOKMARK' ? type : String(object.metadata.name));
      if (object.metadata.name === 'live') break;
    }
    assert.equal(names.length, 202);
    assert.deepEqual(names.slice(0, 200), [...names.slice(0, 200)].sort());
    assert.deepEqual(names.slice(200), ['BOOKMARK', 'live']);
  });

  it('too many watches → 429', async () => {
    session.destroy();
    await server.stop();
    await cache.close();
    await begin({ watchesMax: 1 });
    await watch('');
    const second = await server.get(`${path}?watch=true`);
    assert.equal(second.code, 429);
    assert.equal(verbs.watchCount, 1);
  });

  it('stop: not ready, requests refused, those under way finished, watches ended cleanly', async () => {
    const watcher = await watch('');
    const socket = await rawConnection(server);
    let received = '';
    socket.on('data', (chunk) => {
      received += String(chunk);
    });
    socket.write(`GET ${path}?watch=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n`);
    await until(() => verbs.watchCount === 2);
    const stopping = server.server.stop();
    await watcher.ended;
    await until(() => received.endsWith('0\r\n\r\n'));
    await stopping;
    assert.equal(verbs.watchCount, 0);
    await assert.rejects(server.get('/livez', { connection: 'close' }));
    await server.server.stop();
  });

  it('stop does not wait for a body that never comes', async () => {
    const own = await startServer({
      resolver: resolverOf(schemeOf(widgets)),
      verbs: { execute: () => Promise.reject(new Error('nothing may be executed')) },
    });
    const socket = await rawConnection(own);
    let received = '';
    socket.on('data', (chunk) => {
      received += String(chunk);
    });
    const headers = 'Host: x\r\nAuthorization: Bearer admin-token\r\nContent-Length: 1000';
    socket.write(`POST ${path} HTTP/1.1\r\n${headers}\r\n\r\n{`);
    await own.get('/livez');
    await Promise.all([own.stop(), once(socket, 'close')]);
    assert.match(received, /^HTTP\/1\.1 429 /);
  });

  it('stop waits for what is under way and tells the rest to go elsewhere', async () => {
    let release = (): void => {};
    const own = await startServer({
      resolver: resolverOf(schemeOf(widgets)),
      verbs: {
        execute: () =>
          new Promise((resolve) => {
            release = () => resolve({ type: 'status', code: 200, body: { done: true } });
          }),
      },
    });
    const waiting = own.get(`${path}/a`);
    const idle = await rawConnection(own);
    let refused = '';
    idle.on('data', (chunk) => {
      refused += String(chunk);
    });
    await until(() => release.length === 0 && String(release).includes('resolve'));
    const stopping = own.server.stop();
    idle.write(`GET ${path}/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n`);
    await until(() => refused.includes('\r\n\r\n'));
    assert.match(refused, /^HTTP\/1\.1 429 /);
    assert.match(refused, /Retry-After: 5/);
    assert.match(refused, /Connection: close/);
    release();
    assert.deepEqual((await waiting).json(), { done: true });
    await stopping;
    await own.stop();
  });

  describe('W7: WebSocket', () => {
    const upgrade = async (
      url: string,
      headers: { [name: string]: string } = {},
    ): Promise<{ socket: TLSSocket; head: string; reader: MessageReader }> => {
      const socket = await rawConnection(server);
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
      const { head, reader, socket } = await upgrade(`${path}?watch=true&resourceVersion=1`);
      assert.match(head, /^HTTP\/1\.1 101 /);
      // The example of RFC 6455 1.3.
      assert.match(head, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
      await create('a', { pad: 'x'.repeat(70_000) });
      await create('b', { pad: 'x'.repeat(300) });
      await create('c');
      for (const name of ['a', 'b', 'c']) {
        const event = JSON.parse(await reader.next()) as WatchEvent;
        assert.deepEqual([event.type, event.object.metadata.name], ['ADDED', name]);
      }
      socket.destroy();
      await until(() => verbs.watchCount === 0);
    });

    it('a token as subprotocol, which is never echoed', async () => {
      const token = Buffer.from('admin-token').toString('base64url');
      const { head, socket } = await upgrade(`${path}?watch=true`, {
        Authorization: '',
        'Sec-WebSocket-Protocol': `base64url.bearer.authorization.k8s.io.${token}, k8s.v1`,
      });
      assert.match(head, /^HTTP\/1\.1 101 /);
      assert.match(head, /Sec-WebSocket-Protocol: k8s\.v1\r\n/);
      assert.doesNotMatch(head, /bearer/);
      socket.destroy();
      const bad = await upgrade(`${path}?watch=true`, {
        Authorization: '',
        'Sec-WebSocket-Protocol': 'base64url.bearer.authorization.k8s.io.!!!',
      });
      assert.match(bad.head, /^HTTP\/1\.1 401 /);
    });

    it('legacy watch paths too', async () => {
      await create('a');
      await create('b');
      const { head, reader, socket } = await upgrade('/apis/example.org/v1/watch/namespaces/n/widgets/b');
      assert.match(head, /^HTTP\/1\.1 101 /);
      assert.equal((JSON.parse(await reader.next()) as WatchEvent).object.metadata.name, 'b');
      socket.destroy();
    });

    it('pings are answered, a close is answered, nonsense ends it', async () => {
      const { reader, socket } = await upgrade(`${path}?watch=true&resourceVersion=1`);
      socket.write(clientFrame(0x9, Buffer.from('hi')));
      assert.deepEqual(await reader.nextFrame(), { opcode: 0xa, payload: Buffer.from('hi') });
      socket.write(clientFrame(0x1, Buffer.from('ignored')));
      socket.write(clientFrame(0x8, Buffer.of(0x03, 0xe8)));
      assert.equal((await reader.nextFrame()).opcode, 0x8);
      await until(() => verbs.watchCount === 0);
      const other = await upgrade(`${path}?watch=true&resourceVersion=1`);
      other.socket.write(Buffer.of(0x81, 0x01, 0x61));
      const close = await other.reader.nextFrame();
      assert.equal(close.payload.readUInt16BE(), 1002);
      await until(() => verbs.watchCount === 0);
    });

    it('stop says goodbye with a close frame', async () => {
      const { reader, socket } = await upgrade(`${path}?watch=true&resourceVersion=1`);
      const stopping = server.server.stop();
      assert.equal((await reader.nextFrame()).payload.readUInt16BE(), 1000);
      socket.end(clientFrame(0x8, Buffer.of(0x03, 0xe8)));
      await stopping;
    });

    const refusals: [string, string, { [name: string]: string }, RegExp][] = [
      ['another version', `${path}?watch=true`, { 'Sec-WebSocket-Version': '8' }, /^HTTP\/1\.1 400 /],
      ['no key', `${path}?watch=true`, { 'Sec-WebSocket-Key': 'x' }, /^HTTP\/1\.1 400 /],
      ['nobody', `${path}?watch=true`, { Authorization: 'Bearer wrong' }, /^HTTP\/1\.1 401 /],
      ['who may not', `${path}?watch=true`, { Authorization: 'Bearer jane-token' }, /^HTTP\/1\.1 403 /],
      ['what is no watch', path, {}, /^HTTP\/1\.1 200 /],
      ['another protocol', `${path}/absent`, { Upgrade: 'spdy/3.1' }, /^HTTP\/1\.1 404 /],
    ];
    for (const [name, url, headers, expected] of refusals) {
      it(`${name}: ${expected}`, async () => {
        const { head, socket } = await upgrade(url, headers);
        assert.match(head, expected);
        if (!socket.closed) await once(socket, 'close');
        assert.equal(verbs.watchCount, 0);
      });
    }
  });
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

class Watcher {
  readonly headers: IncomingHttpHeaders;
  readonly ended: Promise<void>;
  readonly #stream: ClientHttp2Stream;
  readonly #events: WatchEvent[] = [];
  #waiting: ((event: WatchEvent) => void) | undefined;
  #rest = '';

  constructor(stream: ClientHttp2Stream, headers: IncomingHttpHeaders) {
    this.#stream = stream;
    this.headers = headers;
    this.ended = new Promise((resolve) => stream.once('end', resolve));
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.#push(JSON.parse(line) as WatchEvent);
    });
  }

  next(): Promise<WatchEvent> {
    const event = this.#events.shift();
    if (event !== undefined) return Promise.resolve(event);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  close(): void {
    this.#stream.close();
  }

  #push(event: WatchEvent): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#events.push(event);
    else waiting(event);
  }
}

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

async function rawConnection(server: TestServer): Promise<TLSSocket> {
  const socket = connectTls({ port: server.port, host: 'localhost', ca: server.pki.ca.certificatePem });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return socket;
}

function metric(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 120_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('the condition did not come true');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
