import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { ClusterId } from '../workspace/workspace.ts';
import { apiError, Harness } from './testing/harness.ts';

const maps = '/api/v1/namespaces/default/configmaps';

function open(options = {}): Promise<Harness> {
  return Harness.open({ workspaces: [{ id: 'other' as never }], ...options });
}

function map(name: string, labels: { [key: string]: string } = {}): JsonObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels }, data: {} };
}

test('without a resourceVersion the state comes first, as ADDED (W2)', async () => {
  await using harness = await open();
  await harness.post(maps, map('a'));
  const first = (await harness.list(maps)).revision;
  await harness.post(maps, map('b'));
  for (const query of ['watch=true', 'watch=true&resourceVersion=0']) {
    const watch = await harness.watch(`${maps}?${query}`);
    assert.deepEqual(watch.types, ['ADDED a', 'ADDED b'], query);
    watch.stop();
  }
  const resumed = await harness.watch(`${maps}?watch=true&resourceVersion=${first}`);
  assert.deepEqual(resumed.types, ['ADDED b']);
  await harness.patch(`${maps}/a`, 'merge', { data: { x: '1' } });
  await harness.delete(`${maps}/b`);
  assert.deepEqual(resumed.types, ['ADDED b', 'MODIFIED a', 'DELETED b']);
  const deleted = resumed.deliveries.at(-1)!;
  assert.equal(deleted.revision, harness.storage.revision, 'W3: DELETED shows the deleting write’s revision');
  resumed.stop();
  await harness.delete(`${maps}/a`);
  assert.equal(resumed.log.length, 3, 'nothing after stop');
  assert.equal(harness.verbs.watchCount, 0);
});

test('entering and leaving a selector (W3)', async () => {
  await using harness = await open();
  const watch = await harness.watch(`${maps}?watch=true&labelSelector=in%3Dyes`);
  await harness.post(maps, map('a'));
  await harness.patch(`${maps}/a`, 'merge', { metadata: { labels: { in: 'yes' } } });
  await harness.patch(`${maps}/a`, 'merge', { data: { x: '1' } });
  await harness.patch(`${maps}/a`, 'merge', { metadata: { labels: { in: 'no' } } });
  await harness.delete(`${maps}/a`);
  assert.deepEqual(watch.types, ['ADDED a', 'MODIFIED a', 'DELETED a']);
  const left = watch.deliveries.at(-1)!;
  assert.equal(
    left.entry.revision,
    left.revision - 1,
    'the last state that matched, with the causing revision',
  );
  watch.stop();
});

test('one object by name, a namespace, all namespaces, all workspaces', async () => {
  await using harness = await open();
  const one = await harness.watch(`${maps}?watch=true&fieldSelector=metadata.name%3Da`);
  const all = await harness.watch('/api/v1/configmaps?watch=true');
  const wildcard = await harness.watch('/clusters/*/api/v1/configmaps?watch=true');
  await harness.post(maps, map('a'));
  await harness.post(maps, map('ab'));
  await harness.post(`/clusters/other${maps}`, map('c'));
  assert.deepEqual(one.types, ['ADDED a']);
  assert.deepEqual(all.types, ['ADDED a', 'ADDED ab']);
  assert.deepEqual(wildcard.types, ['ADDED a', 'ADDED ab', 'ADDED c']);
  for (const watch of [one, all, wildcard]) watch.stop();
});

test('bookmarks each minute and before the end; a clean end (W4, W5)', async () => {
  await using harness = await open();
  const watch = await harness.watch(`${maps}?watch=true&allowWatchBookmarks=true&timeoutSeconds=150`);
  const silent = await harness.watch(`${maps}?watch=true&timeoutSeconds=150`);
  // As if initial events had been asked for (SetListOptionsDefaults).
  assert.deepEqual(watch.log, [`BOOKMARK@${harness.storage.revision} initial`]);
  watch.log.length = 0;
  harness.clock.advance(61_000);
  assert.deepEqual(watch.types, ['BOOKMARK']);
  await harness.post(maps, map('a'));
  harness.clock.advance(60_000);
  assert.deepEqual(watch.types, ['BOOKMARK', 'ADDED a', 'BOOKMARK']);
  assert.equal(watch.log.at(-1), `BOOKMARK@${harness.storage.revision}`);
  harness.clock.advance(28_000);
  assert.equal(watch.types.at(-1), 'BOOKMARK', 'one shortly before the end');
  harness.clock.advance(10_000);
  assert.deepEqual(watch.types, ['BOOKMARK', 'ADDED a', 'BOOKMARK', 'BOOKMARK', 'END']);
  assert.deepEqual(silent.types, ['ADDED a', 'END']);
  assert.equal(harness.verbs.watchCount, 0);
  assert.equal(harness.clock.pendingCount, 0, 'no timer without watches');
});

test('a watch that does not say ends between 30 and 60 minutes (W4)', async () => {
  await using harness = await open();
  const watch = await harness.watch(`${maps}?watch=true`);
  harness.clock.advance(30 * 60_000 - 1_000);
  assert.deepEqual(watch.types, []);
  harness.clock.advance(30 * 60_000 + 5_000);
  assert.deepEqual(watch.types, ['END']);
});

test('sendInitialEvents (W6)', async () => {
  await using harness = await open();
  await harness.post(maps, map('a'));
  const url = `${maps}?watch=true&sendInitialEvents=true&allowWatchBookmarks=true`;
  await assert.rejects(
    harness.watch(url),
    apiError('Invalid', /sendInitialEvents requires setting resourceVersionMatch to NotOlderThan/, 422),
  );
  const { revision } = harness.storage;
  const watch = await harness.watch(`${url}&resourceVersionMatch=NotOlderThan`);
  assert.deepEqual(watch.log, [`ADDED a@${revision}`, `BOOKMARK@${revision} initial`]);
  await harness.post(maps, map('b'));
  assert.deepEqual(watch.types.slice(2), ['ADDED b']);
  watch.stop();
  const none = await harness.watch(
    `${maps}?watch=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion=`,
  );
  assert.deepEqual(none.types, []);
  none.stop();
  await assert.rejects(
    harness.watch(`${maps}?watch=true&resourceVersion=5&resourceVersionMatch=NotOlderThan`),
    apiError('Invalid', /forbidden for watch unless sendInitialEvents is provided/),
  );
  await assert.rejects(
    harness.watch(`${maps}?watch=true&continue=x`),
    apiError('Invalid', /resourceVersionMatch is forbidden when continue is provided/, 422),
  );
  await assert.rejects(
    harness.watch(`${maps}?watch=true&sendInitialEvents=true&resourceVersionMatch=Exact`),
    apiError('Invalid'),
  );
});

test('resume from what the ring has forgotten, until it is compacted: 410 (W2)', async () => {
  await using harness = await open({ ringEventsMax: 4 });
  await harness.post(maps, map('a'));
  const { revision } = await harness.list(maps);
  for (let i = 0; i < 12; i++) await harness.patch(`${maps}/a`, 'merge', { data: { i: String(i) } });
  const watch = await harness.watch(`${maps}?watch=true&resourceVersion=${revision}`);
  await watch.until(12);
  assert.deepEqual(new Set(watch.types), new Set(['MODIFIED a']));
  await harness.patch(`${maps}/a`, 'merge', { data: { i: 'last' } });
  await watch.until(13);
  watch.stop();
  await harness.storage.compact(harness.storage.revision);
  const late = await harness.watch(`${maps}?watch=true&resourceVersion=${revision}`);
  await late.until(1);
  assert.deepEqual(late.log, ['END 410']);
  const signal = late.signals[0]!;
  assert.ok(signal.type === 'end' && signal.status?.['reason'] === 'Expired');
});

test('much state comes in chunks and loses nothing that happens meanwhile', async () => {
  await using harness = await open();
  const names = Array.from({ length: 1_203 }, (_, i) => `m${String(i).padStart(5, '0')}`);
  await Promise.all(names.map((name) => harness.post(maps, map(name))));
  const watch = await harness.watch(`${maps}?watch=true`);
  assert.equal(watch.log.length, 500);
  await harness.post(maps, map('zzz'));
  await harness.delete(`${maps}/m00000`);
  await watch.until(1_205);
  assert.deepEqual(
    watch.types.slice(0, 1_203),
    names.map((name) => `ADDED ${name}`),
  );
  assert.deepEqual(watch.types.slice(1_203), ['ADDED zzz', 'DELETED m00000']);
  watch.stop();
});

test('a watch ends when its client or its workspace goes', async () => {
  await using harness = await open();
  const gone = new AbortController();
  const first = await harness.watch(`${maps}?watch=true`, { signal: gone.signal });
  const second = await harness.watch(`/clusters/other${maps}?watch=true`);
  gone.abort();
  assert.equal(harness.verbs.watchCount, 1);
  harness.verbs.endWatches('other' as ClusterId, { group: 'apps', resource: 'deployments' });
  assert.deepEqual(second.types, []);
  harness.verbs.endWatches('other' as ClusterId);
  assert.deepEqual(second.types, ['END']);
  assert.deepEqual(first.types, []);
  const third = await harness.watch(`${maps}?watch=true`);
  await harness.storage.close();
  await third.until(1);
  assert.deepEqual(third.types, ['END'], 'a store that stops ends it cleanly');
});
