import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { KubeClient } from '#client/client.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import type { DiscoveredResource } from './discovery.ts';
import { PageReader } from './page-reader.ts';

const configMaps: DiscoveredResource = {
  ...{ group: '', version: 'v1', resource: 'configmaps', kind: 'ConfigMap' },
  ...{ namespaced: true, hasStatus: false, hasScale: false },
};
const nameOf = (index: number) => `object-${String(index).padStart(4, '0')}`;
const keyOfName = (name: string, resource = 'configmaps') => ({
  ...{ group: '', resource, cluster: 'project', namespace: 'n', name },
});

describe('objects read by pages', () => {
  let clock: ManualClock;
  let server: ScriptedClient;
  let stored: Map<string, KubeObject>;
  let told: Map<string, KubeObject>;
  let got: string[];
  let failsLists: boolean;
  let reader: PageReader;
  const stopping = new AbortController();

  beforeEach(() => {
    clock = new ManualClock();
    server = new ScriptedClient();
    stored = new Map();
    got = [];
    failsLists = false;
    const client: KubeClient = {
      ...server.client,
      async get({ name }) {
        got.push(name);
        await new Promise((resolve) => setImmediate(resolve));
        const object = stored.get(name);
        if (object === undefined) throw new ApiError('NotFound', `no ${name}`);
        return structuredClone(object);
      },
      list: (collection, options) =>
        failsLists
          ? Promise.reject(new ApiError('Forbidden', 'no'))
          : server.client.list(collection, options),
    };
    reader = new PageReader({
      ...{ client, clock, signal: stopping.signal },
      told: ({ name }) => told.get(name),
    });
  });
  afterEach(() => assert.ok(server.lists.every(({ limit = 0 }) => limit >= 16 && limit <= 256)));

  function store(count: number, text = 'value'): void {
    for (let index = 0; index < count; index++) {
      const metadata = { name: nameOf(index), namespace: 'n', resourceVersion: String(index + 1) };
      stored.set(metadata.name, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { text } });
    }
    // Kubernetes' lists of built-in kinds leave out what each item is.
    server.items = [...stored.values()].map(
      ({ metadata, data }) => ({ metadata, data }) as never as KubeObject,
    );
    told = structuredClone(stored);
  }

  /** By as many workers as the scheduler has, in this order. */
  async function readAll(
    names: readonly string[],
    resource = configMaps,
  ): Promise<(KubeObject | undefined)[]> {
    const found: (KubeObject | undefined)[] = [];
    let next = 0;
    const work = async () => {
      while (next < names.length) {
        const at = next++;
        const key = keyOfName(names[at] ?? '', resource.resource);
        found[at] = await reader.read(key, resource, stopping.signal);
      }
    };
    await Promise.all(Array.from({ length: 64 }, work));
    return found;
  }

  const names = () => [...stored.keys()];

  test('a few are read one by one', async () => {
    store(1_000);
    const some = names().slice(0, 16);
    assert.deepEqual(await readAll(some), [...stored.values()].slice(0, 16));
    assert.deepEqual(got, some);
    assert.equal(server.lists.length, 0);
  });

  test('of many the first are, the others come by pages, each once and as a request for it shows it', async () => {
    store(1_000);
    assert.deepEqual(await readAll(names()), [...stored.values()]);
    assert.equal(got.length, 16);
    assert.deepEqual(
      server.lists.map(({ limit }) => limit),
      [16, 256, 256, 256, 256],
    );
  });

  test('what is not as the watch told last is read by itself', async () => {
    store(200);
    for (const name of [nameOf(60), nameOf(150)]) {
      const changed = { ...stored.get(name), data: { text: 'changed' } } as KubeObject;
      const metadata = { ...changed.metadata, resourceVersion: '1000' };
      stored.set(name, { ...changed, metadata });
      told.set(name, { ...changed, metadata });
    }
    stored.delete(nameOf(100));
    told.delete(nameOf(100));
    const all = Array.from({ length: 200 }, (_, index) => nameOf(index));
    const found = await readAll(all);
    assert.deepEqual(
      found,
      all.map((name) => stored.get(name)),
    );
    assert.deepEqual(got.slice(16).sort(), [nameOf(60), nameOf(100), nameOf(150)]);
  });

  test('what nobody takes in time is read again', async () => {
    store(400);
    await readAll(names().slice(0, 100));
    clock.advance(5_001);
    const name = nameOf(200);
    stored.set(name, { ...(stored.get(name) as KubeObject), data: { text: 'restored' } });
    assert.deepEqual(await readAll([name]), [stored.get(name)]);
    assert.equal(got.at(-1), name);
  });

  test('a collection of which few are asked for is left alone for a minute', async () => {
    store(4_000);
    const tenth = names().filter((_, index) => index % 10 === 0);
    assert.deepEqual(
      await readAll(tenth),
      tenth.map((name) => stored.get(name)),
    );
    const { length } = server.lists;
    assert.ok(length <= 5, `${length} pages`);
    await readAll(tenth);
    assert.equal(server.lists.length, length);
    clock.advance(60_001);
    await readAll(names().slice(0, 100));
    assert.ok(server.lists.length > length);
  });

  test('large objects are read one by one after the first page', async () => {
    store(100, 'x'.repeat(64 * 1024));
    assert.deepEqual(await readAll(names()), [...stored.values()]);
    assert.equal(server.lists.length, 1);
  });

  test("a list that fails is nobody's failure", async () => {
    store(200);
    failsLists = true;
    assert.deepEqual(await readAll(names()), [...stored.values()]);
    assert.equal(got.length, 200);
  });

  test('Secrets are never listed', async () => {
    store(200);
    await readAll(names(), { ...configMaps, resource: 'secrets', kind: 'Secret' });
    assert.equal(server.lists.length, 0);
  });
});
