import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Storage } from '../../storage.ts';
import { del, guard, key, plain, put, record, revision, until, write } from '../storage-fixture.ts';
import { rejectsWith } from './rejects-with.ts';

export function writes(store: () => Storage, keepsSizes: boolean): void {
  it('starts empty at revision 1, so that 0 can mean absent', async () => {
    assert.equal(await store().currentRevision(), 1);
    assert.equal(await store().compactedRevision(), 1);
    assert.deepEqual(await store().range({ prefix: '' }), {
      items: [],
      revision: 1,
      more: false,
      remaining: 0,
    });
    assert.notEqual(store().controlPlaneId, '');
    assert.notEqual(store().incarnationId, '');
  });

  it('gives each transaction the next revision', async () => {
    assert.equal(await write(store(), put('/g/r/c/n/a', '1')), 2);
    assert.equal(await write(store(), put('/g/r/c/n/b', '2'), put('/g/r/c/n/c', '3')), 3);
    assert.equal(await write(store(), del('/g/r/c/n/a')), 4);
    assert.equal(await store().currentRevision(), 4);
    assert.deepEqual(plain(await store().get(key('/g/r/c/n/c'))), {
      key: '/g/r/c/n/c',
      value: '3',
      revision: 3,
    });
    assert.equal(await store().get(key('/g/r/c/n/a')), undefined);
  });

  it('makes no revision for a transaction that changes nothing', async () => {
    await write(store(), put('/g/r/c/n/a', '1'));
    assert.equal(await write(store()), 2);
    assert.equal(await write(store(), del('/g/r/c/n/absent')), 2);
    assert.equal(await write(store(), del('/g/r/c/n/absent'), put('/g/r/c/n/a', '1')), 3);
    assert.equal(await store().currentRevision(), 3);
  });

  it('holds guards to the last write of the key', async () => {
    const name = '/g/r/c/n/a';
    const transact = (at: number) =>
      store().transact({ guards: [guard(name, at)], operations: [put(name, `after ${at}`)] });
    assert.deepEqual(await transact(0), { committed: true, revision: 2 });
    const created = await transact(0);
    assert.ok(!created.committed);
    assert.deepEqual(created.failedGuard, guard(name, 0));
    assert.deepEqual(plain(created.current), { key: name, value: 'after 0', revision: 2 });
    assert.equal(created.revision, 2);
    assert.deepEqual(await transact(2), { committed: true, revision: 3 });
    assert.equal((await transact(2)).committed, false);
    await write(store(), del(name));
    const deleted = await transact(3);
    assert.ok(!deleted.committed);
    assert.equal(deleted.current, undefined);
    assert.deepEqual(await transact(0), { committed: true, revision: 5 });
  });

  it('changes nothing when one of several guards fails, and names the first', async () => {
    await write(store(), put('/g/r/c/n/a', '1'));
    const result = await store().transact({
      guards: [guard('/g/r/c/n/a', 2), guard('/g/r/c/n/b', 7), guard('/g/r/c/n/c', 8)],
      operations: [put('/g/r/c/n/a', '2'), put('/g/r/c/n/d', '2')],
    });
    assert.ok(!result.committed);
    assert.equal(result.failedGuard.key, '/g/r/c/n/b');
    assert.equal(await store().currentRevision(), 2);
    assert.equal(await store().get(key('/g/r/c/n/d')), undefined);
  });

  it('lets exactly one of many racing guards win, and answers losers with what is readable', async () => {
    const name = '/g/r/c/n/counter';
    let wins = 0;
    const increment = async (): Promise<void> => {
      for (;;) {
        const current = await store().get(key(name));
        const count = current === undefined ? 0 : Number(current.value.toString());
        const result = await store().transact({
          guards: [guard(name, current?.revision ?? 0)],
          operations: [put(name, String(count + 1))],
        });
        if (result.committed) {
          wins++;
          return;
        }
        const seen = await store().get(key(name));
        assert.ok((seen?.revision ?? 0) >= (result.current?.revision ?? 0));
      }
    };
    await Promise.all(Array.from({ length: 20 }, increment));
    assert.equal(wins, 20);
    assert.equal((await store().get(key(name)))?.value.toString(), '20');
    assert.equal(await store().currentRevision(), 21);
  });

  it('keeps the order of concurrent writers: later revisions, later states', async () => {
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, index) => write(store(), put('/g/r/c/n/last', String(index)))),
    );
    assert.equal(new Set(results).size, 200);
    const winner = results.indexOf(Math.max(...results) as (typeof results)[number]);
    assert.equal((await store().get(key('/g/r/c/n/last')))?.value.toString(), String(winner));
  });

  it('commits 9,000 operations in one transaction', async () => {
    const operations = Array.from({ length: 9_000 }, (_, index) => put(`/g/r/c/n/${index}`, String(index)));
    const recording = await record(store(), { prefix: '/g/r/', afterRevision: revision(1) });
    assert.equal(await write(store(), ...operations), 2);
    assert.equal((await store().range({ prefix: '/g/r/' })).items.length, 9_000);
    await until('the events', () => recording.events.length === 9_000);
    assert.ok(recording.events.every((event) => event.revision === 2));
    assert.equal(recording.calls.length, 1);
  });

  it('refuses what is over the limits, and changes nothing', async () => {
    const long = `/g/r/c/n/${'x'.repeat(1024)}`;
    await assert.rejects(write(store(), put(long, '')), rejectsWith('too-large'));
    const large = Buffer.alloc(3.5 * 1024 * 1024 + 1);
    await assert.rejects(
      store().transact({ guards: [], operations: [{ type: 'put', key: key('/g/r/c/n/a'), value: large }] }),
      rejectsWith('too-large'),
    );
    const many = Array.from({ length: 10_001 }, (_, index) => del(`/g/r/c/n/${index}`));
    await assert.rejects(write(store(), ...many), rejectsWith('too-large'));
    await assert.rejects(write(store(), put('/g/r/c/n/a', '1'), del('/g/r/c/n/a')), RangeError);
    assert.equal(await store().currentRevision(), 1);
  });

  if (keepsSizes)
    it('keeps values as they are: empty, binary, at the limit, a view on something larger', {
      skip: !keepsSizes,
    }, async () => {
      const large = Buffer.alloc(3.5 * 1024 * 1024, 'ab');
      const view = Buffer.from('0123456789').subarray(3, 6);
      const values: [string, Buffer][] = [
        ['/g/r/c/n/empty', Buffer.alloc(0)],
        ['/g/r/c/n/binary', Buffer.from([0, 255, 10, 0, 128])],
        ['/g/r/c/n/large', large],
        ['/g/r/c/n/view', view],
      ];
      for (const [name, value] of values) {
        await store().transact({ guards: [], operations: [{ type: 'put', key: key(name), value }] });
      }
      for (const [name, value] of values)
        assert.ok((await store().get(key(name)))?.value.equals(value), name);
    });

  it('keeps keys as they are: RBAC names may hold any printable character (KUBERNETES.md O4)', async () => {
    const names = ['system:node', 'a b', 'é', '\uff5e', '😀', 'z', '~'].map(
      (name) => `/rbac/roles/c/n/${name}`,
    );
    for (const name of names) await write(store(), put(name, name));
    const { items } = await store().range({ prefix: '/rbac/roles/' });
    assert.deepEqual(
      items.map((item) => item.key),
      [...names].sort(),
    );
    for (const name of names) assert.equal((await store().get(key(name)))?.value.toString(), name);
  });
}
