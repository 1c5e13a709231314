import assert from 'node:assert/strict';
import { once, setMaxListeners } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import {
  type BatchItem,
  batchAnswerLine,
  batchItemsMax,
  batchItemsOf,
  batchMediaType,
  batchPath,
  notInBatch,
} from '#api/federation/batch.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { RemoteClient } from './remote-client.ts';

const gvr = { group: '', version: 'v1', resource: 'configmaps' } as const;
const collection = { cluster: 'root', gvr, namespace: 'n' } as const;

/** An answer to one item; undefined: none. */
type Answer = { readonly code: number; readonly body: object } | undefined;

describe('batches of the client', () => {
  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  let client: RemoteClient;
  /** Batches as they came; requests that came by themselves, as method and path. */
  let batches: BatchItem[][] = [];
  let alone: string[] = [];
  let answer: (item: BatchItem) => Answer;
  /** What a batch as such is answered with instead. */
  let refusal: number | undefined;
  /** Called when the answers that there are were sent; without it the response ends then. */
  let onSent: ((response: ServerResponse) => void) | undefined;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.url !== batchPath) {
      alone.push(`${request.method} ${request.url}`);
      const type = request.headers['content-type'] ?? null;
      response.end(JSON.stringify({ alone: request.url, body: Buffer.concat(chunks).toString(), type }));
      return;
    }
    assert.equal(request.headers['content-type'], batchMediaType);
    assert.equal(request.headers.authorization, 'Bearer t');
    if (refusal !== undefined) {
      response.writeHead(refusal).end('no');
      return;
    }
    const items = batchItemsOf(Buffer.concat(chunks));
    batches.push(items);
    response.writeHead(200, { 'content-type': batchMediaType });
    // The last first, and in pieces.
    for (const [index, item] of [...items.entries()].reverse()) {
      const told = answer(item);
      if (told === undefined) continue;
      const text = JSON.stringify(told.body);
      const bytes = Buffer.from(
        batchAnswerLine(index, told.code, 'application/json', Buffer.byteLength(text)) + text,
      );
      response.write(bytes.subarray(0, 7));
      await new Promise((resolve) => setImmediate(resolve));
      response.write(bytes.subarray(7));
    }
    if (onSent === undefined) response.end();
    else onSent(response);
  }

  const get = (name: string, signal?: AbortSignal, timeoutMs?: number) =>
    client.get({ ...collection, name }, { signal, timeoutMs });
  const nameOf = ({ path }: BatchItem) => path.slice(path.lastIndexOf('/') + 1);

  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  beforeEach(async () => {
    await client?.close();
    const { port } = server.address() as AddressInfo;
    client = new RemoteClient(
      { server: `http://127.0.0.1:${port}`, token: 't' },
      { userAgent: 'tester', batches: true },
    );
    batches = [];
    alone = [];
    refusal = undefined;
    onSent = undefined;
    answer = (item) => ({ code: 200, body: { name: nameOf(item) } });
  });
  after(async () => {
    await client.close();
    server.closeAllConnections();
    server.close();
  });

  it('calls made together go together, each with its own answer', async () => {
    answer = (item) =>
      nameOf(item) === 'absent'
        ? { code: 404, body: { kind: 'Status', reason: 'NotFound', code: 404, message: 'not there' } }
        : { code: 200, body: { name: nameOf(item), sent: item.body?.toString() ?? null } };
    const results = await Promise.allSettled([
      get('a'),
      get('absent'),
      client.create(collection, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'ü' } }),
      client.apply({ ...collection, name: 'c' }, { x: 1 }, { fieldManager: 'f', ifAbsent: true }),
      client.delete({ ...collection, name: 'd' }, { preconditions: { uid: 'u' } }),
    ]);
    assert.equal(batches.length, 1);
    assert.deepEqual(
      batches[0]?.map(({ method, path }) => `${method} ${path}`),
      [
        'GET /clusters/root/api/v1/namespaces/n/configmaps/a',
        'GET /clusters/root/api/v1/namespaces/n/configmaps/absent',
        'POST /clusters/root/api/v1/namespaces/n/configmaps',
        'PATCH /clusters/root/api/v1/namespaces/n/configmaps/c?fieldManager=f&ifAbsent=true',
        'DELETE /clusters/root/api/v1/namespaces/n/configmaps/d',
      ],
    );
    assert.equal(batches[0]?.[3]?.contentType, 'application/apply-patch+yaml');
    const [first, second, third, fourth] = results;
    assert.deepEqual(first, { status: 'fulfilled', value: { name: 'a', sent: null } });
    assert.ok(second?.status === 'rejected' && isApiError(second.reason, 'NotFound'));
    assert.ok(third?.status === 'fulfilled' && String(third.value['sent']).includes('"name":"ü"'));
    assert.ok(fourth?.status === 'fulfilled' && fourth.value['sent'] === '{"x":1}');
    assert.deepEqual(alone, []);
  });

  it('a call that is alone, and what concerns many objects, goes by itself', async () => {
    await get('a');
    await Promise.all([
      client.list(collection),
      client.raw({ cluster: 'root', method: 'GET', path: '/version' }),
    ]);
    await Promise.all([get('b'), client.deleteCollection(collection)]);
    assert.equal(batches.length, 0);
    assert.equal(alone.length, 5);
  });

  it('no batch has too many items', async () => {
    const names = Array.from({ length: 2 * batchItemsMax + 10 }, (_, index) => `o${index}`);
    const found = await Promise.all(names.map((name) => get(name)));
    assert.deepEqual(
      found.map((one) => one['name']),
      names,
    );
    for (const batch of batches) assert.ok(batch.length <= batchItemsMax);
    assert.equal(batches.flat().length + alone.length, names.length);
    assert.ok(batches.length >= 3);
  });

  it('large bodies are spread, and a very large one goes by itself', async () => {
    const body = (size: number) => ({ data: 'x'.repeat(size) });
    const patch = (name: string, size: number) =>
      client.patch({ ...collection, name }, { type: 'merge', body: body(size) });
    await Promise.all([patch('a', 600_000), patch('b', 600_000), patch('c', 1_500_000), patch('d', 10)]);
    assert.deepEqual(
      batches.map((batch) => batch.map(nameOf)),
      [['b', 'd']],
    );
    assert.equal(alone.length, 2);
  });

  it('what has to come by itself is sent again so', async () => {
    answer = (item) =>
      nameOf(item).startsWith('b') ? { code: notInBatch, body: {} } : { code: 200, body: { ok: true } };
    const apply = (name: string, body: JsonObject) =>
      client.apply({ ...collection, name }, body, { fieldManager: 'f' });
    const [a, b] = await Promise.all([apply('a', { x: 'ü' }), apply('b', { x: 'é' }), get('c')]);
    assert.equal(a?.['ok'], true);
    assert.deepEqual(b, {
      alone: '/clusters/root/api/v1/namespaces/n/configmaps/b?fieldManager=f',
      body: '{"x":"é"}',
      type: 'application/apply-patch+yaml',
    });
    assert.equal(alone.length, 1);
  });

  for (const code of [403, 404, 405, 415, 501]) {
    it(`a server that answers ${code} is sent every call by itself`, async () => {
      refusal = code;
      await Promise.all([get('a'), get('b')]);
      assert.equal(alone.length, 2);
      refusal = undefined;
      await Promise.all([get('c'), get('d')]);
      assert.equal(alone.length, 4);
      assert.equal(batches.length, 0);
    });
  }

  it('a batch that is too large is taken apart, later ones are not', async () => {
    refusal = 413;
    const named = (name: string) =>
      client.create(collection, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
    const [a, b] = await Promise.all([named('a'), named('b')]);
    assert.equal(alone.length, 2);
    assert.match(String(a?.['body']), /"name":"a"/);
    assert.match(String(b?.['body']), /"name":"b"/);
    refusal = undefined;
    await Promise.all([get('c'), get('d')]);
    assert.equal(batches.length, 1);
  });

  it('a refusal of the batch is one of each call', async () => {
    for (const [code, reason] of [
      [429, 'TooManyRequests'],
      [401, 'Unauthorized'],
      [503, 'ServiceUnavailable'],
    ] as const) {
      refusal = code;
      const results = await Promise.allSettled([get('a'), get('b')]);
      for (const result of results) {
        assert.ok(result.status === 'rejected' && isApiError(result.reason, reason), String(code));
      }
    }
    assert.deepEqual(alone, []);
  });

  it('an answer that ends early fails only what it did not tell', async () => {
    answer = (item) => (nameOf(item) === 'b' ? undefined : { code: 200, body: { name: nameOf(item) } });
    const [a, b] = await Promise.allSettled([get('a'), get('b')]);
    assert.equal(a?.status, 'fulfilled');
    assert.ok(b?.status === 'rejected' && isApiError(b.reason, 'ServiceUnavailable'));
    onSent = (response) => response.destroy();
    const broken = await Promise.allSettled([get('a'), get('b')]);
    assert.ok(broken[1]?.status === 'rejected' && isApiError(broken[1].reason, 'ServiceUnavailable'));
  });

  it('what is no answer fails the batch', async () => {
    answer = () => undefined;
    onSent = (response) => response.end('<html>\n');
    const results = await Promise.allSettled([get('a'), get('b')]);
    for (const { status } of results) assert.equal(status, 'rejected');
  });

  it('a call that is given up ends at once, the others do not', async () => {
    const stopping = new AbortController();
    answer = (item) => (nameOf(item) === 'slow' ? undefined : { code: 200, body: {} });
    let ended: Promise<unknown> | undefined;
    onSent = (response) => {
      ended = once(response, 'close');
      stopping.abort(new Error('enough'));
    };
    const slow = get('slow', stopping.signal);
    const [fast, given] = await Promise.allSettled([get('fast'), slow]);
    assert.equal(fast?.status, 'fulfilled');
    assert.ok(given?.status === 'rejected' && (given.reason as Error).message === 'enough');
    // Nobody waits any more: the request is given up as well.
    await ended;
  });

  it('a call that takes too long has its own time', async () => {
    answer = (item) => (nameOf(item) === 'slow' ? undefined : { code: 200, body: {} });
    onSent = () => {};
    const [slow, fast] = await Promise.allSettled([get('slow', undefined, 30), get('fast')]);
    assert.ok(slow?.status === 'rejected' && isApiError(slow.reason, 'Timeout'));
    assert.equal(fast?.status, 'fulfilled');
  });

  it('slow items do not keep later calls waiting', async () => {
    answer = (item) => (nameOf(item).startsWith('slow') ? undefined : { code: 200, body: {} });
    onSent = (response) => {
      if (batches.every((batch) => batch.every((item) => !nameOf(item).startsWith('slow')))) response.end();
    };
    const stopping = new AbortController();
    setMaxListeners(0, stopping.signal);
    const stuck = Promise.allSettled(
      Array.from({ length: 6 }, (_, index) => get(`slow-${index}`, stopping.signal)),
    );
    await new Promise((resolve) => setImmediate(resolve));
    const stuckToo = Promise.allSettled(
      Array.from({ length: 6 }, (_, index) => get(`slower-${index}`, stopping.signal)),
    );
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([get('a'), get('b')]);
    stopping.abort(new Error('enough'));
    await Promise.all([stuck, stuckToo]);
  });

  it('closing ends what waits', async () => {
    answer = () => undefined;
    onSent = () => {};
    const waiting = Promise.allSettled([get('a'), get('b')]);
    await new Promise((resolve) => setImmediate(resolve));
    await client.close();
    for (const { status } of await waiting) assert.equal(status, 'rejected');
  });
});
