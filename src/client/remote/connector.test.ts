import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import { RemoteClient } from './remote-client.ts';

const collection = { cluster: undefined, gvr: { group: '', version: 'v1', resource: 'configmaps' } };
const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n';

/** A connection to a server that answers with these bytes, which end with the connection. */
class Connection extends Duplex {
  readonly #answer: string;

  constructor(answer: string) {
    super();
    this.#answer = answer;
  }

  override _read(): void {}

  override _write(_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.push(head + this.#answer);
    done();
  }

  /** The bytes are taken, and then no more come. */
  async break(): Promise<void> {
    await turns();
    this.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
    await turns();
  }
}

function clientOf(connection: Connection): RemoteClient {
  const connector = () => Promise.resolve(connection);
  return new RemoteClient({ server: 'http://edge.example' }, { userAgent: 'test', connector });
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function isUnavailable(error: unknown): boolean {
  return error instanceof ApiError && error.reason === 'ServiceUnavailable';
}

test('an answer that ends with its connection is none when the connection breaks', async () => {
  const connection = new Connection('{"kind":"ConfigMapList","items":[]}');
  const client = clientOf(connection);
  const refused = assert.rejects(client.list(collection), isUnavailable);
  await connection.break();
  await refused;
  await client.close();
});

test('a connection that breaks while nobody reads its watch is an error of that watch alone', async () => {
  const object = { metadata: { name: 'a' }, data: { text: 'x'.repeat(1_000) } };
  const frame = `${JSON.stringify({ type: 'ADDED', object })}\n`;
  // More than undici takes before it stops its parser.
  const connection = new Connection(frame.repeat(200));
  const client = clientOf(connection);
  const events = client.watch(collection)[Symbol.asyncIterator]();
  assert.equal((await events.next()).value?.type, 'ADDED');
  await connection.break();
  await assert.rejects(async () => {
    while ((await events.next()).done !== true);
  }, isUnavailable);
  await client.close();
});
