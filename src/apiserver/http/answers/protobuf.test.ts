import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { after, before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { parse as parseYaml } from 'yaml';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { openStore } from '../../authz/testing/authz-fixtures.ts';
import { discoveryResponse } from '../../discovery/discovery-response.ts';
import { BodyDecoding } from '../../protobuf/body-decoding.ts';
import { encodeProtobuf } from '../../protobuf/encode-object.ts';
import { decodeProtobuf } from '../../protobuf/protobuf.ts';
import { WireReader } from '../../protobuf/wire-reader.ts';
import { Registry } from '../../registry/registry.ts';
import { Verbs } from '../../verbs/verbs.ts';
import {
  definition,
  http2Call,
  resolverOf,
  schemeOf,
  startServer,
  type TestServer,
  widget,
} from '../testing/test-server.ts';

const protobuf = 'application/vnd.kubernetes.protobuf';
const metadataOnly = `${protobuf};as=PartialObjectMetadata;g=meta.k8s.io;v=v1`;
const path = '/api/v1/namespaces/n/configmaps';
const hpas = '/apis/autoscaling/v1/namespaces/n/horizontalpodautoscalers';
const widgetPath = '/apis/example.org/v1/namespaces/n/widgets';
const meta = 'apimachinery.pkg.apis.meta.v1';

/** The document of a kind that no client sends: magic, then an envelope whose body is read as `message`. */
function documentOf(
  bytes: Buffer,
  message: string,
): { apiVersion: string; kind: string; object: JsonObject } {
  assert.equal(bytes.subarray(0, 4).toString('latin1'), 'k8s\0');
  const envelope = new WireReader(bytes, 4, bytes.length);
  assert.equal(envelope.tag(), 10);
  const type = envelope.part();
  type.tag();
  const apiVersion = type.text();
  type.tag();
  const kind = type.text();
  assert.equal(envelope.tag(), 18);
  const object = new BodyDecoding().message(message, envelope.part(), 0) as JsonObject;
  return { apiVersion, kind, object };
}

/** WatchEvent {type 1, object 2 {raw 1}}. */
function eventOf(bytes: Buffer): { type: string; document: Buffer } {
  const event = new WireReader(bytes, 0, bytes.length);
  assert.equal(event.tag(), 10);
  const type = event.text();
  assert.equal(event.tag(), 18);
  const raw = event.part();
  assert.equal(raw.tag(), 10);
  const document = raw.bytes();
  assert.ok(event.done && raw.done);
  return { type, document };
}

class Events {
  readonly headers: IncomingHttpHeaders;
  readonly #stream: ClientHttp2Stream;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(stream: ClientHttp2Stream, headers: IncomingHttpHeaders) {
    this.#stream = stream;
    this.headers = headers;
  }

  async next(): Promise<{ type: string; document: Buffer }> {
    for (;;) {
      const length = this.#bytes.length < 4 ? Number.POSITIVE_INFINITY : 4 + this.#bytes.readUInt32BE(0);
      if (this.#bytes.length >= length) {
        const frame = this.#bytes.subarray(4, length);
        this.#bytes = this.#bytes.subarray(length);
        return eventOf(frame);
      }
      const chunk = this.#stream.read() as Buffer | null;
      if (chunk === null) await once(this.#stream, 'readable');
      else this.#bytes = Buffer.concat([this.#bytes, chunk]);
    }
  }

  end(): void {
    this.#stream.destroy();
  }
}

describe('answers in protobuf (KUBERNETES.md N2, N4, W1)', () => {
  const wanted = new Set(['configmaps', 'horizontalpodautoscalers', 'deployments']);
  const builtin = builtinDefinitions().filter((one) => wanted.has(one.resource));
  let cache: CachedStorage;
  let server: TestServer;
  let session: ClientHttp2Session;

  before(async () => {
    cache = await openStore();
    const verbs = new Verbs({ registry: new Registry({ storage: cache }) });
    const scheme = schemeOf(...builtin, definition({ origin: 'custom' }));
    server = await startServer({
      resolver: resolverOf(scheme),
      verbs,
      discovery: (served, url, request) => {
        const found = discoveryResponse(served, url, request);
        return found && { code: found.status, headers: found.headers, body: found.body };
      },
    });
    session = await server.http2();
    session.on('error', () => {});
    const made = await server.call('POST', widgetPath, JSON.stringify(widget('w')), {
      'content-type': 'application/json',
    });
    assert.equal(made.code, 201, made.text);
  });
  after(async () => {
    session.destroy();
    await server.stop();
    await cache.close();
  });

  const configMap = (name: string, data: JsonObject = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, labels: { app: name } },
    data,
  });
  const create = (object: KubeObject, query = '') =>
    server.call('POST', `${path}${query}`, encodeProtobuf(object), {
      'content-type': protobuf,
      accept: protobuf,
    });
  const watch = async (url: string, accept: string): Promise<Events> => {
    const stream = session.request({ ':path': url, authorization: 'Bearer admin-token', accept });
    stream.on('error', () => {});
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    return new Events(stream, headers);
  };

  it('what is created, read and deleted is what it is in JSON', async () => {
    const made = await create(configMap('one', { a: 'ä' }));
    assert.equal(made.code, 201, made.text);
    assert.equal(made.headers['content-type'], protobuf);
    const inJson = (await server.get(`${path}/one`)).json();
    assert.deepEqual(decodeProtobuf(made.raw).object, inJson);
    for (const accept of [
      protobuf,
      `${protobuf}, application/json`,
      `${protobuf};q=0.9, application/json;q=0.5`,
    ]) {
      const read = await server.get(`${path}/one`, { accept });
      assert.equal(read.headers['content-type'], protobuf);
      assert.deepEqual(read.raw, encodeProtobuf(inJson));
      assert.equal(Number(read.headers['content-length']), read.raw.length);
    }
    assert.equal(
      (await server.get(`${path}/one`, { accept: `application/json, ${protobuf}` })).headers['content-type'],
      'application/json',
    );
    const deleted = await server.call('DELETE', `${path}/one`, undefined, { accept: protobuf });
    assert.equal(deleted.headers['content-type'], protobuf);
    const { kind, object } = decodeProtobuf(deleted.raw);
    assert.deepEqual([kind, object['status']], ['Status', 'Success']);
  });

  it('dry runs, other versions, errors', async () => {
    const dry = await create(configMap('dry'), '?dryRun=All');
    assert.equal((decodeProtobuf(dry.raw).object['metadata'] as JsonObject)['name'], 'dry');
    const hpa = {
      apiVersion: 'autoscaling/v1',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'h' },
      spec: { scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' }, maxReplicas: 3 },
    };
    const made = await server.call('POST', hpas, encodeProtobuf(hpa), {
      'content-type': protobuf,
      accept: protobuf,
    });
    assert.equal(made.code, 201, made.text);
    const v2 = hpas.replace('v1', 'v2');
    for (const url of [`${hpas}/h`, `${v2}/h`]) {
      const inJson = (await server.get(url)).json();
      const { raw } = await server.get(url, { accept: protobuf });
      assert.deepEqual(raw, encodeProtobuf(inJson));
      assert.equal(decodeProtobuf(raw).apiVersion, inJson['apiVersion']);
    }
    const missing = await server.get(`${path}/missing`, { accept: protobuf });
    assert.equal(missing.code, 404);
    assert.equal(missing.headers['content-type'], protobuf);
    const { object } = decodeProtobuf(missing.raw);
    assert.deepEqual(
      [object['reason'], object['message'], object['code']],
      ['NotFound', 'configmaps "missing" not found', 404],
    );
  });

  it('lists: empty, paged, long, compressed, over HTTP/2', async () => {
    const empty = await server.get(`${path}?labelSelector=no=where`, { accept: protobuf });
    assert.deepEqual(decodeProtobuf(empty.raw).kind, 'ConfigMapList');
    for (let i = 0; i < 40; i++)
      assert.equal((await create(configMap(`l${i}`, { pad: 'x'.repeat(20_000) }))).code, 201);
    const page = `${path}?limit=3`;
    const inJson = (await server.get(page)).json();
    const inProtobuf = decodeProtobuf((await server.get(page, { accept: protobuf })).raw).object;
    const bare = (list: JsonObject) =>
      (list['items'] as KubeObject[]).map(({ apiVersion: _a, kind: _k, ...one }) => one);
    assert.deepEqual(bare(inProtobuf), bare(inJson));
    assert.deepEqual(inProtobuf['metadata'], inJson['metadata']);
    const plain = await server.get(path, { accept: protobuf });
    assert.equal((decodeProtobuf(plain.raw).object['items'] as unknown[]).length, 40);
    assert.equal(plain.headers['content-length'], undefined);
    const zipped = await server.get(path, { accept: protobuf, 'accept-encoding': 'gzip' });
    assert.equal(zipped.headers['content-encoding'], 'gzip');
    assert.deepEqual(gunzipSync(zipped.raw), plain.raw);
    assert.deepEqual((await http2Call(session, path, { accept: protobuf })).raw, plain.raw);
  });

  it('metadata alone, of custom resources too', async () => {
    for (const [url, name] of [
      [path, 'l0'],
      [widgetPath, 'w'],
    ] as const) {
      const one = await server.get(`${url}/${name}`, { accept: `${metadataOnly},application/json` });
      assert.equal(one.headers['content-type'], protobuf);
      const found = documentOf(one.raw, `${meta}.PartialObjectMetadata`);
      const inJson = (await server.get(`${url}/${name}`)).json();
      assert.deepEqual([found.apiVersion, found.kind], ['meta.k8s.io/v1', 'PartialObjectMetadata']);
      assert.deepEqual(found.object['metadata'], inJson['metadata']);
      const accept = metadataOnly.replace('Metadata;', 'MetadataList;');
      const list = documentOf((await server.get(url, { accept })).raw, `${meta}.PartialObjectMetadataList`);
      assert.equal(list.kind, 'PartialObjectMetadataList');
      assert.ok((list.object['items'] as unknown[]).length > 0);
    }
  });

  it('custom resources and Tables have no protobuf form: the next entry, or 406', async () => {
    const next = await server.get(widgetPath, { accept: `${protobuf},application/json` });
    assert.equal(next.headers['content-type'], 'application/json');
    for (const url of [widgetPath, `${widgetPath}?watch=true`]) {
      const refused = await server.get(url, { accept: protobuf });
      assert.equal(refused.code, 406);
      assert.equal(decodeProtobuf(refused.raw).object['reason'], 'NotAcceptable');
    }
    const table = await server.get(path, { accept: `${protobuf};as=Table;g=meta.k8s.io;v=v1` });
    assert.deepEqual([table.code, table.json()['reason']], [406, 'NotAcceptable']);
    const sent = await server.call('POST', widgetPath, encodeProtobuf(configMap('x')), {
      'content-type': protobuf,
    });
    assert.equal(sent.code, 415);
  });

  it('a watch: events, bookmarks, the end', async () => {
    const watched = await watch(
      `${path}?watch=true&fieldSelector=metadata.name%3Dwatched`,
      `${protobuf},application/json`,
    );
    assert.equal(watched.headers['content-type'], `${protobuf};stream=watch`);
    const others = [
      await watch(`${path}?watch=true&fieldSelector=metadata.name%3Dwatched`, protobuf),
      await watch(`${path}?watch=true&fieldSelector=metadata.name%3Dwatched`, metadataOnly),
    ] as const;
    await create(configMap('watched', { a: '1' }));
    const inJson = (await server.get(`${path}/watched`)).json();
    for (const one of [watched, others[0]]) {
      const { type, document } = await one.next();
      assert.equal(type, 'ADDED');
      assert.deepEqual(document, encodeProtobuf(inJson));
    }
    const { document } = await others[1].next();
    assert.deepEqual(
      documentOf(document, `${meta}.PartialObjectMetadata`).object['metadata'],
      inJson['metadata'],
    );
    await server.call('DELETE', `${path}/watched`, undefined);
    const deleted = await watched.next();
    assert.equal(deleted.type, 'DELETED');
    const last = decodeProtobuf(deleted.document).object as KubeObject;
    assert.ok(
      Number(last.metadata.resourceVersion) > Number((inJson as KubeObject).metadata.resourceVersion),
    );
    for (const one of [watched, ...others]) one.end();

    const query =
      'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
    const initial = await watch(`${path}?${query}&limit=1`, protobuf);
    let event = await initial.next();
    while (event.type === 'ADDED') event = await initial.next();
    assert.equal(event.type, 'BOOKMARK');
    const bookmark = decodeProtobuf(event.document).object as KubeObject;
    assert.deepEqual(bookmark.metadata.annotations, { 'k8s.io/initial-events-end': 'true' });
    initial.end();
  });

  it('D1: plain discovery, in protobuf and YAML; the aggregated form stays JSON', async () => {
    for (const [url, kind, message] of [
      ['/api', 'APIVersions', 'APIVersions'],
      ['/apis', 'APIGroupList', 'APIGroupList'],
      ['/apis/apps', 'APIGroup', 'APIGroup'],
      ['/api/v1', 'APIResourceList', 'APIResourceList'],
    ] as const) {
      const inJson = (await server.get(url)).json();
      const answer = await server.get(url, { accept: `${protobuf},application/json` });
      assert.equal(answer.headers['content-type'], protobuf);
      const found = documentOf(answer.raw, `${meta}.${message}`);
      assert.deepEqual([found.apiVersion, found.kind], ['v1', kind]);
      assert.deepEqual(encodeProtobuf({ ...found.object, apiVersion: 'v1', kind }), answer.raw);
      assert.equal(inJson['kind'], kind);
      const yaml = await server.get(url, { accept: 'application/yaml' });
      const versioned = kind === 'APIResourceList' ? {} : { apiVersion: 'v1' };
      assert.deepEqual(parseYaml(yaml.text), { ...versioned, ...inJson });
    }
    const resources = documentOf(
      (await server.get('/api/v1', { accept: protobuf })).raw,
      `${meta}.APIResourceList`,
    );
    const [first] = resources.object['resources'] as JsonObject[];
    assert.deepEqual(
      [first?.['name'], (first?.['verbs'] as string[] | undefined)?.includes('watch')],
      ['configmaps', true],
    );
    const accept = `application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,${protobuf}`;
    assert.equal((await server.get('/apis', { accept })).json()['kind'], 'APIGroupDiscoveryList');
    assert.equal((await server.get('/apis', { accept: 'text/html' })).code, 406);
  });

  it('W7: a WebSocket has one event a binary message', async () => {
    const socket = connectTls({ port: server.port, host: 'localhost', ca: server.pki.ca.certificatePem });
    await once(socket, 'secureConnect');
    const lines = [
      `GET ${path}?watch=true&fieldSelector=metadata.name%3Dl1 HTTP/1.1`,
      'Host: x',
      'Authorization: Bearer admin-token',
      `Accept: ${protobuf}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ];
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    let bytes = Buffer.alloc(0);
    const message = await new Promise<Buffer>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk]);
        const start = bytes.indexOf('\r\n\r\n') + 4;
        if (start < 4 || bytes.length < start + 4) return;
        // Over 125 and under 65,536 bytes: the length stands in the next two.
        assert.deepEqual([bytes[start], bytes[start + 1]], [0x82, 126]);
        const length = bytes.readUInt16BE(start + 2);
        if (bytes.length >= start + 4 + length) resolve(bytes.subarray(start + 4, start + 4 + length));
      });
    });
    socket.destroy();
    const { type, document } = eventOf(message);
    assert.equal(type, 'ADDED');
    assert.equal((decodeProtobuf(document).object as KubeObject).metadata.name, 'l1');
  });
});
