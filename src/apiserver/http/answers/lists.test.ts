import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { OutgoingHttpHeaders } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { parse as parseYaml } from 'yaml';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { until } from '#test/harness/until.ts';
import type { ListResult } from '../../verbs/result.ts';
import { http2Call, type TestServer, widget } from '../testing/test-server.ts';
import {
  type Execute,
  entryFor,
  listOf,
  served,
  single,
  startWidgetServer,
} from '../testing/widget-server.ts';

describe('lists over HTTP', () => {
  let server: TestServer;
  let execute: Execute = single;
  before(async () => {
    server = await startWidgetServer((context, request) => execute(context, request));
  });
  after(() => server.stop());

  const many = Array.from({ length: 3000 }, (_, i) => widget(`w${i}`, { size: i, pad: 'x'.repeat(300) }));
  const path = '/apis/example.org/v1/widgets';

  it('a short one is sent with its length', async () => {
    execute = listOf([widget('a'), widget('b')]);
    const answer = await server.get(path);
    const list = answer.json();
    assert.equal(list['kind'], 'WidgetList');
    assert.equal(list['apiVersion'], 'example.org/v1');
    assert.deepEqual(list['metadata'], { resourceVersion: '9', continue: 'next', remainingItemCount: 5 });
    assert.deepEqual(
      (list['items'] as KubeObject[]).map((one) => one.metadata.name),
      ['a', 'b'],
    );
    assert.equal(Number(answer.headers['content-length']), answer.raw.length);
  });

  it('L5: a last page of custom resources says that nothing follows, as a Table of them does not', async () => {
    execute = (context, request) => ({
      ...(listOf([])(context, request) as ListResult),
      served: context.served,
      page: () => ({}),
    });
    const custom = '/apis/custom.example.org/v1/customs';
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    const asked: [string, JsonObject, JsonObject][] = [
      [custom, {}, { resourceVersion: '9', continue: '' }],
      [custom, { accept }, { resourceVersion: '9' }],
      [path, {}, { resourceVersion: '9' }],
    ];
    for (const [url, headers, metadata] of asked) {
      const answer = await server.get(url, headers as OutgoingHttpHeaders);
      assert.deepEqual(answer.json()['metadata'], metadata);
    }
  });

  it('L5: an empty one has items: []', async () => {
    execute = listOf([]);
    assert.deepEqual((await server.get(path)).json()['items'], []);
    const table = (await server.get(path, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' })).json();
    assert.deepEqual(table['rows'], []);
    assert.equal((table['columnDefinitions'] as unknown[]).length, 2);
    assert.deepEqual(
      (parseYaml((await server.get(path, { accept: 'application/yaml' })).text) as JsonObject)['items'],
      [],
    );
  });

  const forms: [string, string, (list: JsonObject) => unknown[]][] = [
    ['JSON', 'application/json', (list) => list['items'] as unknown[]],
    [
      'PartialObjectMetadataList',
      'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
      (list) => list['items'] as unknown[],
    ],
    ['Table', 'application/json;as=Table;g=meta.k8s.io;v=v1', (list) => list['rows'] as unknown[]],
  ];
  for (const [name, accept, items] of forms) {
    it(`a long one streams, in both protocols and compressed: ${name}`, async () => {
      execute = listOf(many);
      const plain = await server.get(path, { accept });
      assert.equal(items(plain.json()).length, many.length);
      assert.equal((plain.json()['metadata'] as JsonObject)['continue'], 'next');
      const zipped = await server.get(path, { accept, 'accept-encoding': 'gzip' });
      assert.equal(zipped.headers['content-encoding'], 'gzip');
      assert.equal(gunzipSync(zipped.raw).toString(), plain.text);
      const session = await server.http2();
      assert.equal((await http2Call(session, path, { accept })).text, plain.text);
      session.close();
    });
  }

  it('YAML', async () => {
    execute = listOf(many.slice(0, 50));
    const list = parseYaml((await server.get(path, { accept: 'application/yaml' })).text) as JsonObject;
    assert.equal((list['items'] as unknown[]).length, 50);
    assert.equal(list['kind'], 'WidgetList');
    assert.equal((list['metadata'] as JsonObject)['resourceVersion'], '9');
  });

  it('lets others have their turn', async () => {
    execute = listOf(Array.from({ length: 10 }, () => many).flat());
    // Turns are counted, not times: how long one takes depends on what else the machine does.
    let turns = 0;
    let over = false;
    const turn = () => {
      turns++;
      if (!over) setImmediate(turn);
    };
    setImmediate(turn);
    await server.get(path, { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' });
    over = true;
    assert.ok(turns > 10, `${turns} turns of the event loop while ${many.length * 10} rows were made`);
  });

  it('a client that goes away ends the work', async () => {
    let taken = 0;
    let finished = false;
    execute = () => ({
      type: 'list',
      served,
      entries: (function* () {
        try {
          for (let i = 0; i < 1_000_000; i++) {
            taken++;
            yield entryFor(many[i % many.length]!);
          }
        } finally {
          finished = true;
        }
      })(),
      revision: 9 as never,
      page: () => ({}),
    });
    const session = await server.http2();
    const stream = session.request({ ':path': path, authorization: 'Bearer admin-token' });
    await once(stream, 'response');
    session.destroy();
    await until('the work ended', () => finished);
    assert.ok(taken < 1_000_000);
  });

  it('an error in its middle breaks the stream, so that half a list is never taken for a whole', async () => {
    execute = () => ({
      type: 'list',
      served,
      entries: (function* () {
        yield* many.map((one) => entryFor(one));
        throw new Error('broken');
      })(),
      revision: 9 as never,
      page: () => ({}),
    });
    await assert.rejects(server.get(path));
  });
});
