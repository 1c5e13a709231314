import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeTaint } from '#api/federation/cell.ts';
import { type NodeMarks, nodeKindsMax, nodeKindsOf } from './node-kinds.ts';

function node(name: string, labels: Readonly<Record<string, string>>, ...taints: NodeTaint[]): NodeMarks {
  const hostname = { 'kubernetes.io/hostname': name };
  return { name, labels: { ...hostname, ...labels }, hasMoreLabels: false, taints };
}

const noSchedule = (key: string): NodeTaint => ({ key, effect: 'NoSchedule' });
const many = (count: number, of: (i: number) => Readonly<Record<string, string>>): NodeMarks[] =>
  Array.from({ length: count }, (_, i) => node(`n${i}`, of(i)));

test('nodes with the same labels and taints are of one kind, whatever their order', () => {
  const nodes = [
    node('a', { os: 'linux', disk: 'ssd' }),
    node('b', { os: 'linux', disk: 'hdd' }),
    node('c', { os: 'linux' }, noSchedule('own')),
    node('d', { os: 'linux', disk: 'ssd' }),
  ];
  const { told, kindOf } = nodeKindsOf(nodes);
  assert.deepEqual(told, {
    kinds: [{ labels: { disk: 'hdd' } }, { labels: { disk: 'ssd' } }, { taints: [noSchedule('own')] }],
    labels: { os: 'linux' },
    untoldLabels: ['kubernetes.io/hostname'],
  });
  assert.deepEqual(
    [...kindOf],
    [
      ['a', 1],
      ['b', 0],
      ['c', 2],
      ['d', 1],
    ],
  );
  assert.deepEqual(nodeKindsOf([...nodes].reverse()).told, told);
});

test('what all have is told, and what no node has is known not to be there', () => {
  const all = nodeKindsOf(many(500, () => ({ os: 'linux' })));
  assert.deepEqual(all.told?.labels, { os: 'linux' });
  assert.equal(all.told?.kinds.length, 1);
  assert.deepEqual(nodeKindsOf([node('a', {})]).told, {
    kinds: [{}],
    untoldLabels: ['kubernetes.io/hostname'],
  });
  assert.deepEqual(nodeKindsOf([]).told, { kinds: [] });
});

test('of many nodes what differs from one to the other is not told, and the rest is', () => {
  const { told } = nodeKindsOf(
    many(200, (i) => ({ machine: `m-${i}`, zone: `z${i % 3}`, pool: i % 4 === 0 ? 'gpu' : 'cpu' })),
  );
  assert.deepEqual(told?.untoldLabels, ['kubernetes.io/hostname', 'machine']);
  assert.equal(told?.kinds.length, 6);
  const few = nodeKindsOf(many(4, (i) => ({ machine: `m-${i}` })));
  assert.equal(few.told?.kinds.length, 4, 'of few nodes each is a kind');
});

test('there are never more kinds than may be: labels with the most values go first', () => {
  const { told } = nodeKindsOf(
    many(120, (i) => ({ a: `${i % 2}`, b: `${i % 3}`, c: `${i % 5}`, d: `${i % 15}` })),
  );
  assert.ok(told !== undefined && told.kinds.length <= nodeKindsMax);
  assert.deepEqual(told.untoldLabels, ['c', 'd', 'kubernetes.io/hostname']);
});

test('taints that distinguish too many kinds: nothing is told', () => {
  const tainted = Array.from({ length: nodeKindsMax + 1 }, (_, i) => node(`n${i}`, {}, noSchedule(`t${i}`)));
  assert.equal(nodeKindsOf(tainted).told, undefined);
  assert.equal(nodeKindsOf(tainted.slice(1)).told?.kinds.length, nodeKindsMax);
});

test('a status holds what is told, however many and long the labels are', () => {
  const long = 'x'.repeat(60);
  const labelled = many(300, (i) =>
    Object.fromEntries([
      ...Array.from({ length: 120 }, (_, k) => [`feature.example.com/common-${k}`, long]),
      ...Array.from({ length: 60 }, (_, k) => [
        `feature.example.com/other-${k}`,
        `${long}${(i >> (k % 8)) & 1}`,
      ]),
    ]),
  );
  const { told } = nodeKindsOf(labelled);
  assert.ok(JSON.stringify(told).length < 12_288, `${JSON.stringify(told).length} characters`);
  assert.deepEqual(told?.untoldLabels, ['*']);
  assert.ok((told?.kinds.length ?? 0) > 1 && Object.keys(told?.labels ?? {}).length > 10);
});

test('labels that were not remembered may be any', () => {
  const [one] = many(1, () => ({}));
  const { told } = nodeKindsOf([{ ...(one as NodeMarks), hasMoreLabels: true }]);
  assert.deepEqual(told?.untoldLabels, ['*']);
});

test('a label may be called as what objects have by themselves', () => {
  const { told } = nodeKindsOf([node('a', { constructor: 'x' }), node('b', {})]);
  assert.deepEqual(told?.kinds, [{ labels: { constructor: 'x' } }, {}]);
});
