import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Storage } from '../../storage.ts';
import { del, key, listInPages, type PlainItem, plain, put, revision, write } from '../storage-fixture.ts';
import { rejectsWith } from './rejects-with.ts';

export function ranges(store: () => Storage, keepsSizes: boolean): void {
  const fill = async (): Promise<void> => {
    const names = [
      '/g/r/a/n/1',
      '/g/r/a/n/2',
      '/g/r/a/n2/1',
      '/g/r/b//1',
      '/g/r2/a/n/1',
      '/g/q/a/n/1',
      '/h/r/a/n/1',
    ];
    for (const name of names) await write(store(), put(name, name));
  };

  it('cuts exactly at the prefix', async () => {
    await fill();
    const table: [string, number][] = [
      ['', 7],
      ['/', 7],
      ['/g/', 6],
      ['/g/r', 5],
      ['/g/r/', 4],
      ['/g/r/a/', 3],
      ['/g/r/a/n/', 2],
      ['/g/r/a/n', 3],
      ['/g/r/a/n/1', 1],
      ['/g/r/a/n/3', 0],
      ['/g/r/b//', 1],
      ['/z', 0],
    ];
    for (const [prefix, count] of table) {
      const { items } = await store().range({ prefix });
      assert.equal(items.length, count, prefix);
      assert.ok(items.every((item) => item.key.startsWith(prefix)));
      const keys = items.map((item) => item.key);
      assert.deepEqual(keys, [...keys].sort());
    }
  });

  it('pages, counts what remains, and starts after a key that need not exist', async () => {
    await fill();
    const first = await store().range({ prefix: '/g/r/', limit: 2 });
    assert.deepEqual(
      [first.items.map((item) => item.key), first.more, first.remaining],
      [['/g/r/a/n/1', '/g/r/a/n/2'], true, 2],
    );
    const rest = await store().range({ prefix: '/g/r/', limit: 2, startAfter: key('/g/r/a/n/2') });
    assert.deepEqual([rest.items.length, rest.more, rest.remaining], [2, false, 0]);
    const between = await store().range({ prefix: '/g/r/', startAfter: key('/g/r/a/n/15') });
    assert.equal(between.items[0]?.key, '/g/r/a/n/2');
    const before = await store().range({ prefix: '/g/r/', startAfter: key('/a') });
    assert.equal(before.items.length, 4);
    const beyond = await store().range({ prefix: '/g/r/', startAfter: key('/g/s') });
    assert.equal(beyond.items.length, 0);
    const exact = await store().range({ prefix: '/g/r/', limit: 4 });
    assert.deepEqual([exact.items.length, exact.more, exact.remaining], [4, false, 0]);
  });

  if (keepsSizes)
    it('ends a page by bytes but never without an item', async () => {
      for (let index = 0; index < 10; index++)
        await write(store(), put(`/g/r/c/n/${index}`, 'x'.repeat(100)));
      const page = await store().range({ prefix: '/g/r/', bytesMax: 250 });
      assert.deepEqual([page.items.length, page.more, page.remaining], [3, true, 7]);
      assert.equal((await store().range({ prefix: '/g/r/', bytesMax: 1 })).items.length, 1);
    });

  it('tells the state at a past revision, whatever happened since', async () => {
    const states: PlainItem[][] = [[], []];
    const current = new Map<string, PlainItem>();
    const steps = [
      [put('/g/r/c/n/a', '1')],
      [put('/g/r/c/n/b', '1'), put('/g/r/c/n/c', '1')],
      [put('/g/r/c/n/a', '2'), del('/g/r/c/n/b')],
      [del('/g/r/c/n/a')],
      [put('/g/r/c/n/a', '3'), put('/g/r/c/n/b', '2')],
      [del('/g/r/c/n/c')],
      [put('/g/r/c/n/d', '1'), put('/other/r/c/n/a', '1')],
      [del('/g/r/c/n/a'), del('/g/r/c/n/b'), del('/g/r/c/n/d')],
    ];
    for (const operations of steps) {
      const at = await write(store(), ...operations);
      for (const operation of operations) {
        if (operation.type === 'delete') current.delete(operation.key);
        else
          current.set(operation.key, { key: operation.key, value: operation.value.toString(), revision: at });
      }
      states[at] = [...current.values()].sort((left, right) => (left.key < right.key ? -1 : 1));
    }
    for (const [at, state] of states.entries()) {
      if (at === 0) continue;
      const { items, revision: answered } = await store().range({ prefix: '', atRevision: revision(at) });
      assert.equal(answered, at);
      assert.deepEqual(
        items.map((item) => plain(item)),
        state,
        `revision ${at}`,
      );
      const page = await store().range({ prefix: '/g/', atRevision: revision(at), limit: 1 });
      const inside = state.filter((item) => item.key.startsWith('/g/'));
      assert.equal(page.remaining, Math.max(0, inside.length - 1), `remaining at ${at}`);
    }
    await assert.rejects(store().range({ prefix: '', atRevision: revision(99) }), rejectsWith('future'));
  });

  it('keeps pages at one revision consistent while others write', async () => {
    for (let index = 0; index < 50; index++) await write(store(), put(`/g/r/c/n/${index}`, 'before'));
    let writing = true;
    const writer = (async () => {
      for (let round = 0; writing; round++) {
        await write(store(), put(`/g/r/c/n/${round % 70}`, 'after'));
        await write(store(), del(`/g/r/c/n/${(round * 7) % 50}`), put('/g/r/c/n/both', String(round)));
      }
    })();
    try {
      for (let round = 0; round < 10; round++) {
        const whole = await store().range({ prefix: '/g/r/' });
        const again = await store().range({ prefix: '/g/r/', atRevision: whole.revision });
        assert.deepEqual(
          again.items.map((item) => plain(item)),
          whole.items.map((item) => plain(item)),
        );
        const keys = (await listInPages(store(), '/g/r/', 7)).map((item) => item.key);
        assert.deepEqual(keys, [...new Set(keys)].sort());
      }
    } finally {
      writing = false;
      await writer;
    }
  });
}
