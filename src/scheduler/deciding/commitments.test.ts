import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeDemandOf } from '../algorithm/node-demand.ts';
import { keyOf } from '../object-key.ts';
import { Commitments, type OfNodes, underWayOf } from './commitments.ts';
import type { Committed } from './committed.ts';

const key = keyOf({ group: 'apps', resource: 'deployments', cluster: 'p', namespace: 'n', name: 'web' });
const request = [['cpu', 0.5]] as const;
const at = (assumes: boolean, ...targets: [string, number][]): Committed => ({
  targets: targets.map(([name, replicas]) => ({ name, replicas })),
  request,
  assumes,
});

test('what is under way is told by the nodes that it may come to', () => {
  const commitments = new Commitments(() => 'free');
  const ssd = nodeDemandOf({ nodeSelector: { disk: 'ssd' } });
  const other = keyOf({
    group: 'apps',
    resource: 'deployments',
    cluster: 'p',
    namespace: 'n',
    name: 'other',
  });
  commitments.place(key, { ...at(true, ['a', 2]), nodes: ssd }, undefined, [], 0);
  commitments.place(other, at(true, ['a', 4]), undefined, [], 0);
  const podsOn = (ofNodes: OfNodes) => commitments.assumedOn('a', 0, ofNodes)?.get('pods');
  assert.equal(
    podsOn(() => true),
    6,
  );
  assert.equal(
    podsOn((nodes) => nodes === ssd),
    2,
  );
  assert.equal(
    podsOn((nodes) => nodes === undefined),
    4,
  );
  assert.equal(
    podsOn(() => false),
    undefined,
  );
  assert.equal(
    commitments.underWayOn('b', 0, () => true),
    undefined,
  );
  commitments.drop(key, { ...at(true, ['a', 2]), nodes: ssd });
  assert.equal(
    podsOn((nodes) => nodes === ssd),
    undefined,
  );
});

test('replicas count as taken until the cell tells of them, or their time is over', () => {
  const commitments = new Commitments((cell) => (cell === 'silent' ? 'none' : 'free'));
  const shown = (cell: string, nowMs = 0) => {
    const assumed = commitments.assumedIn(cell, nowMs);
    return assumed === undefined ? undefined : Object.fromEntries(assumed);
  };
  const first = at(true, ['a', 2], ['silent', 3]);
  commitments.place(key, first, undefined, [], 0);
  assert.deepEqual(shown('a'), { pods: 2, cpu: 1 });
  assert.equal(shown('silent'), undefined);
  assert.equal(commitments.loadBeside(undefined)('a'), 1);
  assert.equal(commitments.loadBeside(first)('a'), 0, 'others than itself');
  commitments.told('a');
  assert.deepEqual(shown('a'), { pods: 2, cpu: 1 }, 'it has not landed yet');
  const more = at(true, ['a', 3]);
  commitments.place(key, more, first, [], 1_000);
  assert.deepEqual(shown('a', 1_000), { pods: 3, cpu: 1.5 });
  assert.equal(commitments.loadBeside(undefined)('silent'), 0);
  const less = at(true, ['a', 1]);
  commitments.place(key, less, more, [], 2_000);
  assert.deepEqual(shown('a', 2_000), { pods: 1, cpu: 0.5 });
  assert.ok(commitments.landed(key, 'a'));
  commitments.told('a');
  assert.equal(shown('a', 2_000), undefined);
  const last = at(true, ['a', 5]);
  commitments.place(key, last, less, [], 3_000);
  assert.equal(commitments.nextExpiryMs(), 303_000);
  assert.equal(shown('a', 303_000), undefined);
  commitments.drop(key, last);
  assert.equal(commitments.loadBeside(undefined)('a'), 0);
});

test('what is under way counts beside an estimator, whatever its cell tells', () => {
  const words = { free: 'free', none: 'none', whole: 'whole' } as const;
  const commitments = new Commitments(
    (cell) => words[cell as keyof typeof words],
    undefined,
    () => true,
  );
  commitments.look('whole', () => []);
  const pods = (cell: string, nowMs = 0) => commitments.underWayIn(cell, nowMs)?.get('pods');
  const placed = at(true, ['free', 2], ['none', 3], ['whole', 4]);
  commitments.place(key, placed, undefined, [], 0);
  assert.deepEqual([pods('free'), pods('none'), pods('whole')], [2, 3, 4]);
  assert.equal(commitments.assumedIn('whole', 0)?.get('pods'), 4, 'all that is bound, once');
  for (const cell of ['none', 'whole']) {
    assert.ok(commitments.landed(key, cell, 10_000));
    assert.equal(pods(cell, 9_000), cell === 'none' ? 3 : 4);
    assert.equal(pods(cell, 10_000), undefined, 'by then the estimator has seen it');
  }
  assert.equal(commitments.assumedIn('whole', 10_000)?.get('pods'), 4);
});

test('what others’ bindings tell counts until it is there, goes, or is decided here', () => {
  const freed: string[] = [];
  const commitments = new Commitments(
    (cell) => (cell === 'whole' ? 'whole' : 'free'),
    (cell) => freed.push(cell),
  );
  commitments.look('whole', () => []);
  const pods = (cell: string, nowMs = 0) => commitments.assumedIn(cell, nowMs)?.get('pods');
  const tell = (underWay: number, ...targets: [string, number][]) => {
    const committed = at(false, ...targets);
    const told = { committed, underWay: underWay === 0 ? [] : [{ name: 'a', replicas: underWay }] };
    commitments.tell(key, told, 0, 10_000);
  };
  tell(3, ['a', 3], ['whole', 4]);
  assert.deepEqual([pods('a'), pods('whole')], [3, 4]);
  tell(2, ['a', 3], ['whole', 3]);
  assert.deepEqual([pods('a'), pods('whole')], [2, 3]);
  assert.deepEqual(freed.splice(0).sort(), ['a', 'whole']);
  tell(0, ['a', 3], ['whole', 3]);
  assert.equal(pods('a', 9_999), 2, 'they are there, and the cell has yet to tell');
  assert.equal(pods('a', 10_000), undefined);
  tell(2, ['a', 3], ['whole', 3]);
  tell(0, ['whole', 3]);
  assert.equal(pods('a'), undefined, 'another cell');
  tell(2, ['a', 3], ['whole', 3]);
  commitments.takeOver(key);
  commitments.place(key, at(true, ['a', 3], ['whole', 3]), undefined, [{ name: 'a', replicas: 3 }], 0);
  assert.deepEqual([pods('a'), pods('whole')], [undefined, 3], 'it is not counted twice');
  commitments.drop(key, at(true, ['a', 3], ['whole', 3]));
  assert.equal(pods('whole'), undefined);
  tell(1, ['a', 1], ['whole', 1]);
  commitments.tell(key, undefined, 0, 0);
  assert.deepEqual([pods('a'), pods('whole')], [undefined, undefined]);
});

test('what a binding said before a restart is no news to the cells', () => {
  const commitments = new Commitments(() => 'free');
  const known = [{ name: 'a', replicas: 2 }];
  commitments.place(key, at(true, ['a', 3]), undefined, known, 0);
  assert.deepEqual(
    commitments.assumedIn('a', 0),
    new Map([
      ['pods', 1],
      ['cpu', 0.5],
    ]),
  );
});

test('what is not divided by room is not assumed', () => {
  const commitments = new Commitments(() => 'free');
  commitments.place(key, at(false, ['a', 3]), undefined, [], 0);
  assert.equal(commitments.assumedIn('a', 0), undefined);
  assert.equal(commitments.loadBeside(undefined)('a'), 1);
});

test('after a restart a binding tells what is under way', () => {
  const commitments = new Commitments(() => 'free');
  const spec = {
    clusters: [
      { name: 'a', replicas: 2 },
      { name: 'b', replicas: 1 },
      { name: 'c', replicas: 4 },
      { name: 'd', replicas: 5 },
    ],
  };
  const item = (clusterName: string, health: 'Healthy' | 'Unhealthy', status = {}) => ({
    clusterName,
    applied: true,
    health,
    status,
  });
  const status = {
    lastScheduledTime: '1970-01-01T00:00:10Z',
    aggregatedStatus: [
      item('a', 'Healthy'),
      item('b', 'Unhealthy'),
      // It was given two more: what runs there the cell tells.
      item('d', 'Unhealthy', { replicas: 4, readyReplicas: 3 }),
    ],
  };
  const underWay = underWayOf(spec, status, 20_000);
  assert.deepEqual(underWay, [
    { name: 'b', replicas: 1 },
    { name: 'c', replicas: 4 },
    { name: 'd', replicas: 2 },
  ]);
  const summary = { cells: 51, applied: 51, healthy: 50, unhealthy: 1, unknown: 0 };
  assert.deepEqual(
    underWayOf(spec, { ...status, summary }, 20_000).map(({ name }) => name),
    ['b', 'd'],
    'of many cells only those are told that are not well',
  );
  assert.deepEqual(underWayOf(spec, status, 310_000), [], 'what was decided long ago is known to the cells');
  commitments.restore(key, underWay, { request }, 20_000);
  commitments.place(key, at(true, ['a', 2], ['b', 1], ['c', 5]), undefined, spec.clusters, 20_000);
  const podsIn = (cell: string) => commitments.assumedIn(cell, 20_000)?.get('pods');
  assert.deepEqual(['a', 'b', 'c'].map(podsIn), [undefined, 1, 5]);
  commitments.landed(key, 'c');
  commitments.told('c');
  assert.equal(podsIn('c'), undefined);
});

test('what landed counts until the cell tells anew, or has nothing to tell by a while later', () => {
  const freed: string[] = [];
  const commitments = new Commitments(
    () => 'free',
    (cell) => freed.push(cell),
  );
  const other = keyOf({ group: 'apps', resource: 'deployments', cluster: 'p', namespace: 'n', name: 'api' });
  const podsAt = (nowMs: number) => commitments.assumedIn('a', nowMs)?.get('pods');
  commitments.place(key, at(true, ['a', 2]), undefined, [], 0);
  commitments.place(other, at(true, ['a', 3]), undefined, [], 1_000);
  commitments.told('a');
  assert.deepEqual(freed, [], 'nothing has landed');
  assert.ok(commitments.landed(key, 'a', 12_000));
  assert.ok(!commitments.landed(key, 'a', 13_000), 'once');
  assert.equal(podsAt(11_999), 5);
  assert.equal(commitments.nextExpiryMs(), 12_000);
  assert.equal(podsAt(12_000), 3);
  assert.ok(commitments.landed(other, 'a', 30_000));
  commitments.told('a');
  assert.deepEqual(freed, ['a']);
  assert.equal(podsAt(12_001), undefined);
});

test('where nobody tells what is taken, all that is bound is', () => {
  const words = new Map([
    ['a', 'free' as const],
    ['c', 'whole' as const],
  ]);
  const freed: string[] = [];
  const commitments = new Commitments(
    (cell) => words.get(cell) ?? 'none',
    (cell) => freed.push(cell),
  );
  const other = keyOf({ group: 'apps', resource: 'deployments', cluster: 'p', namespace: 'n', name: 'api' });
  const shown = () => Object.fromEntries(commitments.assumedIn('c', 9e9) ?? []);
  const first = at(false, ['c', 4], ['a', 1]);
  commitments.place(key, first, undefined, [], 0);
  assert.ok(!commitments.countsBound);
  commitments.look('c', () => [first]);
  assert.ok(commitments.countsBound);
  assert.deepEqual(shown(), { pods: 4, cpu: 2 }, 'however long ago, and however divided');
  commitments.foresee(other, at(true, ['c', 2]));
  assert.deepEqual(shown(), { pods: 6, cpu: 3 }, 'as a binding says, before it is decided about');
  const second = at(true, ['c', 3]);
  commitments.place(other, second, undefined, [], 0);
  assert.deepEqual(shown(), { pods: 7, cpu: 3.5 });
  commitments.told('c');
  assert.deepEqual(shown(), { pods: 7, cpu: 3.5 });
  assert.deepEqual(freed, []);
  const less = at(true, ['c', 1]);
  commitments.place(other, less, second, [], 0);
  assert.deepEqual(freed, ['c']);
  commitments.drop(key, first);
  assert.deepEqual(shown(), { pods: 1, cpu: 0.5 });
  words.set('c', 'free');
  commitments.look('c', () => [less]);
  assert.deepEqual(shown(), {}, 'the cell tells it now');
});
