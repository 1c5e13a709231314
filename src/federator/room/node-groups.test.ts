import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '#test/harness/random.ts';
import { type Amounts, nodeGroupsMax, nodeGroupsOf } from './node-groups.ts';

const show = (free: Iterable<Amounts>, groupsMax?: number): string[] =>
  nodeGroupsOf(free, groupsMax).map((group) => `${group.nodes} × ${JSON.stringify(group.free)}`);

test('equal nodes are told together, different ones each as it is, as long as there are no more than groups', () => {
  const larger = { cpu: 4_000, memory: 8 };
  const nodes: Amounts[] = [{ cpu: 1_000 }, larger, { cpu: 1_000 }, { memory: 8, cpu: 4_000 }, {}];
  const told = ['2 × {"cpu":4000,"memory":8}', '2 × {"cpu":1000}', '1 × {}'];
  assert.deepEqual(show(nodes), told);
  assert.deepEqual(show([...nodes].reverse()).length, 3);
  assert.deepEqual(show([]), []);
});

test('of more different nodes those most alike are told by their average, and no more in all than there is', () => {
  const nodes = [{ cpu: 100 }, { cpu: 101 }, { cpu: 4_000 }, { cpu: 4_200 }, { cpu: 8_000 }];
  assert.deepEqual(show(nodes, 3), ['1 × {"cpu":8000}', '2 × {"cpu":4100}', '2 × {"cpu":100}']);
  assert.deepEqual(show(nodes, 1), ['5 × {"cpu":3280}']);
});

test('nodes of several kinds are in no group together, however alike', () => {
  const kinds = (groupsMax: number): string[] =>
    nodeGroupsOf([{ cpu: 2 }, { cpu: 2 }, { cpu: 1 }, { cpu: 2 }], groupsMax, [0, 1, 0, 0]).map(
      ({ nodes, free, kind }) => `${kind}: ${nodes} × ${free['cpu']}`,
    );
  assert.deepEqual(kinds(8), ['0: 2 × 2', '1: 1 × 2', '0: 1 × 1']);
  assert.deepEqual(kinds(1), ['1: 1 × 2', '0: 3 × 1']);
});

/** What nodes of three sizes have left once pods of all sizes lie on them. */
function busyNodes(random: Random, count: number, use: number): Amounts[] {
  const sizes = [4, 8, 16];
  return Array.from({ length: count }, () => {
    const size = random.pick(sizes);
    const free: Amounts = { cpu: size * 1_000, memory: size * 4_096, pods: 110 };
    const wanted = use * (0.5 + random.next());
    while (1 - (free['cpu'] as number) / (size * 1_000) < wanted) {
      const cpu = random.pick([50, 100, 250, 500, 1_000]);
      const memory = random.pick([64, 128, 256, 1_024, 2_048]);
      if ((free['cpu'] as number) < cpu || (free['memory'] as number) < memory) break;
      free['cpu'] = (free['cpu'] as number) - cpu;
      free['memory'] = (free['memory'] as number) - memory;
      free['pods'] = (free['pods'] as number) - 1;
    }
    return free;
  });
}

const fits = (free: Readonly<Amounts>, request: Amounts): number =>
  Math.min(
    ...Object.entries(request).map(([resource, amount]) => Math.floor((free[resource] ?? 0) / amount)),
  );

test('by the groups as many replicas fit as on the nodes, but for a tenth', () => {
  const random = new Random(7);
  const requests = [
    { cpu: 100, memory: 128, pods: 1 },
    { cpu: 250, memory: 512, pods: 1 },
    { cpu: 1_000, memory: 2_048, pods: 1 },
    { cpu: 250, memory: 4_096, pods: 1 },
  ];
  for (const count of [10, 60, 400, 2_000]) {
    for (const use of [0.3, 0.7]) {
      const nodes = busyNodes(random, count, use);
      const groups = nodeGroupsOf(nodes);
      assert.ok(groups.length <= nodeGroupsMax);
      assert.equal(
        groups.reduce((sum, group) => sum + group.nodes, 0),
        count,
      );
      for (const request of requests) {
        const there = nodes.reduce((sum, free) => sum + fits(free, request), 0);
        const told = groups.reduce((sum, group) => sum + group.nodes * fits(group.free, request), 0);
        const off = Math.abs(told - there) / there;
        const asked = `${count} nodes, ${use} of them taken, ${JSON.stringify(request)}`;
        assert.ok(off <= (count <= nodeGroupsMax ? 0 : 0.1), `${asked}: ${told} for ${there}`);
      }
    }
  }
});
