import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { copyLabels } from '#api/federation/copy-contract.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { until } from '#test/harness/until.ts';
import { rawConnection, widget } from '../testing/test-server.ts';
import { metric, tableAccept, WatchedServer, widgetsPath } from '../testing/watched-server.ts';

describe('watch over HTTP (W1–W7)', () => {
  let scene: WatchedServer;
  beforeEach(async () => {
    scene = await WatchedServer.start();
  });
  afterEach(() => scene.stop());

  it('W1: 200 with headers at once, one document a line, over HTTP/1.1 and HTTP/2', async () => {
    const watcher = await scene.watch('&resourceVersion=1');
    assert.equal(watcher.headers[':status'], 200);
    assert.equal(watcher.headers['content-type'], 'application/json');
    const socket = await rawConnection(scene.server);
    socket.write(
      `GET ${widgetsPath}?watch=1&resourceVersion=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n`,
    );
    let received = '';
    socket.on('data', (chunk) => {
      received += String(chunk);
    });
    await until('the head is there', () => received.includes('\r\n\r\n'));
    assert.match(received, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(received, /Transfer-Encoding: chunked/i);
    const made = await scene.create('a', { size: 1 });
    const event = await watcher.next();
    assert.equal(event.type, 'ADDED');
    assert.deepEqual(event.object, made);
    await until('the event is there', () => received.includes('"type":"ADDED"'));
    assert.ok(received.includes('}\n'));
    socket.destroy();
  });

  it('W2, W3: state first, then changes; leaving the selector is DELETED with the causing revision', async () => {
    await scene.create('a');
    const watcher = await scene.watch('&labelSelector=app%3Da');
    assert.equal((await watcher.next()).type, 'ADDED');
    await scene.patch('a', { spec: { size: 2 } });
    assert.equal((await watcher.next()).type, 'MODIFIED');
    const changed = (await scene.patch('a', { metadata: { labels: { app: 'other' } } })).json() as KubeObject;
    const left = await watcher.next();
    assert.equal(left.type, 'DELETED');
    assert.equal(left.object.metadata.resourceVersion, changed.metadata.resourceVersion);
    assert.equal(left.object.metadata.labels?.['app'], 'a');
  });

  it('E5: a watch goes on beyond the time that a request may take', async () => {
    const requestTimeoutMs = 300;
    const brief = await WatchedServer.start({ requestTimeoutMs });
    try {
      // A slow machine may take longer than that for any request: it is asked again.
      const watcher = await until('the watch is open', async () => {
        const asked = await brief.watch('&resourceVersion=1');
        return Number(asked.headers[':status']) === 200 ? asked : undefined;
      });
      const openedAtMs = performance.now();
      await until('the time is over', () =>
        Promise.resolve(performance.now() - openedAtMs > 2 * requestTimeoutMs),
      );
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify(widget('late', {}));
      await until('there is something to tell', async () =>
        [201, 409].includes((await brief.server.call('POST', widgetsPath, body, headers)).code),
      );
      assert.equal((await watcher.next()).object.metadata.name, 'late');
    } finally {
      await brief.stop();
    }
  });

  it('W6: initial events end in a marked bookmark', async () => {
    await scene.create('a');
    const watcher = await scene.watch(
      '&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true',
    );
    assert.equal((await watcher.next()).type, 'ADDED');
    const bookmark = await watcher.next();
    assert.equal(bookmark.type, 'BOOKMARK');
    assert.equal(bookmark.object.kind, 'Widget');
    assert.equal(bookmark.object.metadata.annotations?.['k8s.io/initial-events-end'], 'true');
    const { resourceVersion } = bookmark.object.metadata;
    assert.ok(Number(resourceVersion) > 0);
    // W5: nothing else stands in a bookmark.
    assert.deepEqual(bookmark.object, {
      ...{ kind: 'Widget', apiVersion: 'example.org/v1' },
      metadata: {
        ...{ resourceVersion, creationTimestamp: null },
        annotations: { 'k8s.io/initial-events-end': 'true' },
      },
    });
  });

  it('W2: a future revision or a malformed one is refused before the stream begins', async () => {
    const answer = await scene.server.get(`${widgetsPath}?watch=true&resourceVersion=abc`);
    assert.ok(answer.code >= 400 && answer.code < 500);
    assert.equal(answer.json()['kind'], 'Status');
  });

  it('N3: Tables, the columns in the first event alone', async () => {
    await scene.create('a', { size: 1 });
    await scene.create('b', { size: 2 });
    const watcher = await scene.watch('', tableAccept);
    const first = await watcher.next();
    assert.equal(first.object.kind, 'Table');
    assert.equal(first.object.columnDefinitions?.length, 2);
    const second = await watcher.next();
    assert.deepEqual(second.object.columnDefinitions, []);
    assert.deepEqual(second.object.rows?.[0]?.cells, ['b', 2]);
    await scene.patch('b', { spec: { size: 3 } });
    assert.deepEqual((await watcher.next()).object.rows?.[0]?.cells, ['b', 3]);
  });

  it('W7: a legacy watch needs the namespace of its name, and is a GET (endpoints/installer)', async () => {
    const legacy = '/apis/example.org/v1/watch';
    const codeOf = async (method: string, path: string) =>
      (await scene.server.call(method, `${legacy}${path}`, undefined)).code;
    assert.equal(await codeOf('GET', '/widgets/a'), 404);
    assert.equal(await codeOf('GET', '/namespaces/n/widgets/a?fieldSelector=metadata.name%3Db'), 400);
    for (const method of ['POST', 'PUT', 'DELETE', 'HEAD']) {
      assert.equal(await codeOf(method, '/namespaces/n/widgets'), 405, method);
    }
  });

  it('N4: PartialObjectMetadata; YAML is no form of a stream', async () => {
    await scene.create('a', { size: 1 });
    const watcher = await scene.watch('', 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1');
    const { object } = await watcher.next();
    assert.equal(object.kind, 'PartialObjectMetadata');
    assert.equal(object['spec'], undefined);
    assert.equal(
      (await scene.server.get(`${widgetsPath}?watch=true`, { accept: 'application/yaml' })).code,
      406,
    );
  });

  it('metadata comes without managedFields where that is asked for, in JSON alone', async () => {
    const lean = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1;managedFields=false';
    const leanWatcher = await scene.watch('', lean);
    const watcher = await scene.watch('', lean.replace(';managedFields=false', ''));
    await scene.create('a', { size: 1 });
    const { managedFields, ...rest } = (await watcher.next()).object.metadata;
    assert.equal(managedFields?.length, 1);
    assert.deepEqual((await leanWatcher.next()).object.metadata, rest);
    const get = async (accept: string, at = '/a') =>
      (await scene.server.get(`${widgetsPath}${at}`, { accept })).json();
    assert.deepEqual((await get(lean))['metadata'], rest);
    const { items } = await get(lean.replace('Metadata;', 'MetadataList;'), '');
    assert.deepEqual((items as KubeObject[])[0]?.metadata, rest);
    const older = await get(lean.replace('v=v1;', 'v=v1beta1;'));
    assert.deepEqual((older as KubeObject).metadata.managedFields, managedFields);
  });

  it('new objects come whole where that is asked for: not old, changed, large ones, nor copies', async () => {
    const lean = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1;managedFields=false';
    await scene.create('old');
    const watcher = await scene.watch('', `${lean};newObjects=whole`);
    const leanWatcher = await scene.watch('', lean);
    const made = await scene.create('a', { size: 1 });
    await scene.patch('a', { spec: { size: 2 } });
    await scene.create('large', { note: 'x'.repeat(20_000) });
    const copy = widget('copy', { size: 1 });
    copy.metadata.labels = { [copyLabels.originCluster]: 'abc' };
    await scene.server.call('POST', widgetsPath, JSON.stringify(copy), {
      'content-type': 'application/json',
    });
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
    const watchers = await Promise.all(Array.from({ length: 20 }, () => scene.watch('&resourceVersion=1')));
    const table = await scene.watch('&resourceVersion=1', tableAccept);
    await scene.create('a');
    for (const watcher of watchers) assert.equal((await watcher.next()).type, 'ADDED');
    assert.equal((await table.next()).object.kind, 'Table');
    const { text } = await scene.server.get('/metrics');
    assert.equal(metric(text, 'cellplane_watch_frames_total'), 20);
    assert.equal(metric(text, 'cellplane_watch_frames_shared_total'), 19);
    assert.equal(metric(text, 'apiserver_longrunning_requests'), 21);
  });
});
