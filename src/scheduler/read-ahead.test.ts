import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { silentLogger } from '#client/logger.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { ReadAhead, readAheadMin } from './read-ahead.ts';

const configMaps = { group: '', version: 'v1', resource: 'configmaps' } as const;
const place = { ...configMaps, cluster: 'project', namespace: 'n' } as const;
const keyOfName = (name: string) => ({ ...place, name });
const nameOf = (index: number) => `o-${String(index).padStart(4, '0')}`;

describe('reading ahead', () => {
  let server: ScriptedClient;
  let told: Map<string, string>;
  let stopping: AbortController;
  let ahead: ReadAhead;

  beforeEach(() => {
    server = new ScriptedClient();
    told = new Map();
    stopping = new AbortController();
    ahead = readAheadOf(server.client);
  });

  function readAheadOf(client: KubeClient): ReadAhead {
    return new ReadAhead({
      client,
      logger: silentLogger,
      told: ({ name }) => {
        const resourceVersion = told.get(name);
        return resourceVersion === undefined
          ? undefined
          : ({ metadata: { name, resourceVersion } } as KubeObject);
      },
      owns: (cluster) => cluster === 'project',
      signal: stopping.signal,
    });
  }

  /** Objects of these names, as a list shows them: without saying what they are. */
  function store(count: number, data = 'x'): string[] {
    const names = Array.from({ length: count }, (_, index) => nameOf(index));
    server.items = names.map((name, index) => {
      const resourceVersion = String(index + 1);
      told.set(name, resourceVersion);
      return {
        metadata: { name, namespace: 'n', resourceVersion },
        data: { key: data },
      } as unknown as KubeObject;
    });
    return names;
  }

  async function readAll(names: readonly string[]): Promise<string[]> {
    const got: string[] = [];
    for (const name of names) {
      const object = await ahead.take(keyOfName(name), configMaps);
      if (object !== undefined) got.push(object.metadata.name ?? '');
      ahead.passed(keyOfName(name));
    }
    return got;
  }

  test('objects that are announced come page by page, each once, whole and as GET shows them', async () => {
    const names = store(600);
    assert.equal(ahead.expect(place, names, 600), true);
    const first = await ahead.take(keyOfName(names[0] ?? ''), configMaps);
    assert.equal(first?.apiVersion, 'v1');
    assert.deepEqual(first?.['data'], { key: 'x' });
    ahead.passed(keyOfName(names[0] ?? ''));
    assert.deepEqual(await readAll(names), names.slice(1));
    assert.ok(server.lists.length < 10, `${server.lists.length} pages`);
    assert.ok(server.lists.every(({ limit = 0 }) => limit <= 128));
    assert.equal(ahead.take(keyOfName(names[1] ?? ''), configMaps), undefined);
  });

  test('many who wait at once share a page, and pages are read before they are asked for', async () => {
    const names = store(300);
    ahead.expect(place, names, 300);
    const all = await Promise.all(names.slice(0, 64).map((name) => ahead.take(keyOfName(name), configMaps)));
    assert.ok(all.every((object) => object !== undefined));
    assert.equal(server.lists.length, 2);
    const kept = names.slice(64, 144).map((name) => ahead.take(keyOfName(name), configMaps));
    assert.ok(kept.every((object) => object !== undefined && !(object instanceof Promise)));
    assert.equal(server.lists.length, 3);
  });

  test('what changed since, or was told of as gone, is to be read', async () => {
    const names = store(100);
    ahead.expect(place, names, 100);
    told.set(nameOf(3), '1000');
    told.delete(nameOf(5));
    const got = await readAll(names);
    assert.deepEqual(
      got,
      names.filter((name) => name !== nameOf(3) && name !== nameOf(5)),
    );
  });

  test('few objects, few of many, Secrets, other versions and what others look at are read one by one', async () => {
    const names = store(200);
    assert.equal(ahead.expect(place, names.slice(0, readAheadMin - 1), readAheadMin - 1), false);
    assert.equal(ahead.expect(place, names.slice(0, 90), 200), false);
    assert.equal(ahead.expect({ ...place, resource: 'secrets' }, names, 200), false);
    assert.equal(ahead.expect({ ...place, cluster: 'other' }, names, 200), false);
    assert.equal(ahead.take(keyOfName(nameOf(0)), configMaps), undefined);
    assert.equal(ahead.expect(place, names, 200), true);
    assert.equal(ahead.take(keyOfName(nameOf(0)), { ...configMaps, version: 'v2' }), undefined);
    assert.equal(ahead.take({ ...keyOfName(nameOf(0)), namespace: 'm' }, configMaps), undefined);
    assert.equal(server.lists.length, 0);
  });

  test('what others placed beside them is not kept', async () => {
    const names = store(200);
    const announced = names.filter((_, index) => index % 2 === 0);
    assert.equal(ahead.expect(place, announced, 200), true);
    assert.deepEqual(await readAll(announced), announced);
    assert.equal(ahead.take(keyOfName(nameOf(1)), configMaps), undefined);
  });

  test('an object far behind the page is not waited for long, one before it not at all', async () => {
    const names = store(1_000);
    ahead.expect(place, names, 1_000);
    assert.equal(await ahead.take(keyOfName(nameOf(999)), configMaps), undefined);
    assert.equal(server.lists.length, 2);
    assert.equal((await ahead.take(keyOfName(nameOf(130)), configMaps))?.metadata.name, nameOf(130));
    assert.equal(ahead.take(keyOfName(nameOf(130)), configMaps), undefined);
  });

  test('after a page that fails the rest is read one by one', async () => {
    const names = store(300);
    let pages = 0;
    const { client } = server;
    ahead = readAheadOf({
      ...client,
      list: (collection, options) =>
        ++pages === 1 ? client.list(collection, options) : Promise.reject(new Error('no answer')),
    });
    ahead.expect(place, names, 300);
    assert.deepEqual(await readAll(names), names.slice(0, 16));
    assert.equal(pages, 2);
  });

  test('large objects are not read together', async () => {
    const names = store(100, 'x'.repeat(40_000));
    ahead.expect(place, names, 100);
    assert.deepEqual(await readAll(names), names.slice(0, 16));
    assert.equal(server.lists.length, 1);
  });

  test('nothing is kept of what was looked at, was announced anew, or is no longer ours', async () => {
    const names = store(100);
    ahead.expect(place, names, 100);
    // Half of the first page and more: the second is being read.
    assert.deepEqual(await readAll(names.slice(0, 10)), names.slice(0, 10));
    ahead.forget((cluster) => cluster === 'project');
    assert.equal(ahead.take(keyOfName(nameOf(10)), configMaps), undefined);
    ahead.expect(place, names, 100);
    for (const name of names) ahead.passed(keyOfName(name));
    assert.equal(ahead.take(keyOfName(nameOf(10)), configMaps), undefined);
    assert.equal(server.lists.length, 2);
  });
});
