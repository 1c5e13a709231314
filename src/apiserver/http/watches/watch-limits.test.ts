import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http2';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { until } from '#test/harness/until.ts';
import { rawConnection } from '../testing/test-server.ts';
import { metric, type WatchEvent, WatchedServer, Watcher, widgetsPath } from '../testing/watched-server.ts';

describe('watchers that go away, fall behind or are too many', () => {
  let scene: WatchedServer;
  beforeEach(async () => {
    scene = await WatchedServer.start();
  });
  afterEach(() => scene.stop());

  it('frames beyond the bound are forgotten and made anew', async () => {
    await scene.stop();
    scene = await WatchedServer.start({ frameBytesMax: 10 });
    const watchers = await Promise.all([
      scene.watch('&resourceVersion=1'),
      scene.watch('&resourceVersion=1'),
    ]);
    await scene.create('a');
    await scene.create('b');
    for (const watcher of watchers) {
      assert.equal((await watcher.next()).object.metadata.name, 'a');
      assert.equal((await watcher.next()).object.metadata.name, 'b');
    }
  });

  it('a client that goes away costs nothing any more', async () => {
    const watcher = await scene.watch('');
    const socket = await rawConnection(scene.server);
    socket.write(
      `GET ${widgetsPath}?watch=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n`,
    );
    await until('both watch', () => scene.verbs.watchCount === 2);
    watcher.close();
    socket.destroy();
    await until('nobody watches', () => scene.verbs.watchCount === 0);
    await until('the metrics say so', async () => {
      const { text } = await scene.server.get('/metrics');
      return metric(text, 'apiserver_longrunning_requests') === 0;
    });
  });

  it('a slow watcher is cut at the bound; the others do not notice', async () => {
    await scene.stop();
    scene = await WatchedServer.start({ watchBacklogBytesMax: 2_000_000 });
    const socket = await rawConnection(scene.server);
    socket.pause();
    socket.write(
      `GET ${widgetsPath}?watch=1&resourceVersion=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n`,
    );
    await until('it watches', () => scene.verbs.watchCount === 1);
    const fast = await scene.watch('&resourceVersion=1');
    const pad = 'x'.repeat(500_000);
    for (let i = 0; i < 40 && scene.verbs.watchCount === 2; i++) {
      await scene.create(`w${i}`, { pad });
      assert.equal((await fast.next()).object.metadata.name, `w${i}`);
    }
    assert.equal(scene.verbs.watchCount, 1);
    await scene.create('last');
    assert.equal((await fast.next()).object.metadata.name, 'last');
    await until('the metrics count it', async () => {
      const { text } = await scene.server.get('/metrics');
      return metric(text, 'cellplane_slow_watchers_ended_total') === 1;
    });
    socket.destroy();
  });

  it('a client that resumes far behind gets on, however often it is ended for its backlog', async () => {
    await scene.stop();
    scene = await WatchedServer.start({ watchBacklogBytesMax: 1_000_000 });
    const pad = 'x'.repeat(400_000);
    const begun = (await scene.create('first')).metadata.resourceVersion ?? '';
    for (let i = 0; i < 12; i++) await scene.create(`w${i}`, { pad });
    const names: (string | undefined)[] = [];
    let from = begun;
    for (let connections = 0; names.length < 12; connections++) {
      assert.ok(connections < 12, 'every connection brings at least one event');
      const stream = scene.session.request({
        ':path': `${widgetsPath}?watch=true&resourceVersion=${from}`,
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
    for (let i = 0; i < 200; i++) await scene.create(`w${String(i).padStart(3, '0')}`, { pad });
    const stream = scene.session.request({
      ':path': `${widgetsPath}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
      authorization: 'Bearer admin-token',
    });
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    await until('it watches', () => scene.verbs.watchCount === 1);
    await scene.create('live');
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
    await scene.stop();
    scene = await WatchedServer.start({ watchesMax: 1 });
    await scene.watch('');
    const second = await scene.server.get(`${widgetsPath}?watch=true`);
    assert.equal(second.code, 429);
    assert.equal(scene.verbs.watchCount, 1);
  });
});
