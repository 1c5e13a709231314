import assert from 'node:assert/strict';
import { test } from 'node:test';
import { divideLanes, laneCount, laneOf } from './lanes.ts';

const membersOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `member-${index}`);

test('owners are spread over all lanes, each always in the same one', () => {
  const counts = new Array<number>(laneCount).fill(0);
  for (let index = 0; index < 16_000; index++) {
    const lane = laneOf(`1kz${index.toString(36)}q`);
    assert.equal(lane, laneOf(`1kz${index.toString(36)}q`));
    counts[lane] = (counts[lane] ?? 0) + 1;
  }
  for (const count of counts) assert.ok(count > 800 && count < 1_200, `${counts}`);
});

test('lanes are divided evenly, whatever the order in which the members are known', () => {
  assert.equal(divideLanes([]).size, 0);
  for (let count = 1; count <= laneCount + 3; count++) {
    const members = membersOf(count);
    const division = divideLanes(members);
    assert.equal(division.size, laneCount);
    assert.deepEqual(division, divideLanes([...members].reverse()));
    const sizes = members.map((member) => [...division.values()].filter((one) => one === member).length);
    assert.ok(Math.max(...sizes) <= Math.ceil(laneCount / count), `${count} members: ${sizes}`);
    if (count <= 4) assert.ok(Math.min(...sizes) >= 1, `${count} members: ${sizes}`);
  }
});

test('a member that comes or goes moves few lanes of the others', () => {
  const before = divideLanes(membersOf(4));
  const after = divideLanes(membersOf(3));
  const moved = [...before].filter(([lane, member]) => member !== 'member-3' && after.get(lane) !== member);
  assert.ok(moved.length <= 4, `${moved.length} lanes moved between those that stay`);
});
