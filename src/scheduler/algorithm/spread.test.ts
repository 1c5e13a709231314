import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Placement, SpreadConstraint } from '#api/policy/placement.ts';
import type { CellInfo } from './cell.ts';
import { decide } from './decide.ts';
import type { Decision, DecisionInput } from './decision.ts';
import { chooseGroups, fewestGroups, type GroupChoice } from './select-groups.ts';
import { levelShares } from './skew.ts';
import { cell, inputOf, show, snapshotOf, targets, template } from './testing/cells.ts';
import { dynamic, equally } from './testing/placements.ts';

const by = (field: string, minGroups: number, maxGroups?: number, more: SpreadConstraint = {}) => ({
  spreadByField: field,
  minGroups,
  ...(maxGroups === undefined ? {} : { maxGroups }),
  ...more,
});
/** `a/r1/z1:room` */
const cells = (text: string): CellInfo[] =>
  text.split(' ').map((part) => {
    const [where = '', room] = part.split(':');
    const [name = '', region = '', zone = ''] = where.split('/');
    return cell(name, {
      region,
      zones: zone === '' ? [] : [zone],
      labels: { rack: zone },
      pop: region,
      dataCenter: region === '' ? '' : `${region}-dc`,
      provider: region.slice(0, 1),
      free: room === undefined ? undefined : new Map([['pods', Number(room)]]),
    });
  });
const place = (text: string, placement: Placement, more: Partial<DecisionInput> = {}): Decision =>
  decide(inputOf(snapshotOf(...cells(text)), more), placement);

const rows: {
  rule: string;
  cells: string;
  constraints: SpreadConstraint[];
  replicas?: number;
  more?: Placement;
  previous?: string;
  expected: string;
}[] = [
  {
    rule: 'as few regions as minGroups, those with more cells first (PLACEMENT.md 2, Duplicated)',
    cells: 'a/r1 b/r2 c/r2 d/r3 e/r3 f/r3',
    constraints: [by('region', 2, 3)],
    expected: 'b c d e f',
  },
  {
    rule: 'best cell of each region, the rest up to the constraint over cells',
    cells: 'a/r1:9 b/r1:8 c/r2:9 d/r2:7',
    constraints: [by('region', 2), by('cluster', 2, 3)],
    replicas: 1,
    expected: 'a:1 b:1 c:1',
  },
  {
    rule: 'more regions where the cells asked for need them',
    cells: 'a/r1 b/r2 c/r3 d/r4',
    constraints: [by('region', 2, 4), by('cluster', 3)],
    expected: 'a b c',
  },
  {
    rule: 'a region by room: 1000·min(room, ⌈replicas/minGroups⌉)',
    cells: 'a/r1:2 b/r2:9 c/r3:5',
    constraints: [by('region', 2, 2)],
    replicas: 10,
    more: dynamic,
    expected: 'b:6 c:4',
  },
  {
    rule: 'more regions where room needs them',
    cells: 'a/r1:4 b/r2:4 c/r3:4',
    constraints: [by('region', 1, 3)],
    replicas: 10,
    more: dynamic,
    expected: 'a:4 b:3 c:3',
  },
  {
    rule: 'a region that holds it already stays',
    cells: 'a/r1 b/r2 c/r2',
    constraints: [by('region', 1, 1)],
    previous: 'a',
    expected: 'a',
  },
  {
    rule: 'a label, and a cell without it',
    cells: 'a/r1/z1 b/r1/z2 c/r1',
    constraints: [{ spreadByLabel: 'rack', minGroups: 2 }],
    expected: 'a b',
  },
  {
    rule: 'zones alone spread (in Karmada they filter)',
    cells: 'a/r1/z1 b/r1/z1 c/r1/z2',
    constraints: [by('zone', 2, 2), by('cluster', 2, 2)],
    expected: 'a c',
  },
  {
    rule: 'provider and pop',
    cells: 'a/r1 b/r2 c/s1',
    constraints: [by('provider', 2, 2), by('pop', 3, 3)],
    expected: 'a b c',
  },
  {
    rule: 'data centers',
    cells: 'a/r1 b/r1 c/r2 d',
    constraints: [by('dataCenter', 2, 2), by('cluster', 2, 2)],
    expected: 'a c',
  },
  {
    rule: 'regions before zones: no chosen region is lost to better zones',
    cells: 'a/r1/z1 b/r1/z1 c/r1/z2 d/r1/z2 e/r2/z3',
    constraints: [by('zone', 2, 2), by('region', 2, 2)],
    expected: 'a b e',
  },
  {
    rule: 'cells differ by maxSkew at most',
    cells: 'a/r1 b/r1 c/r1 d/r2',
    constraints: [by('region', 2, 2, { maxSkew: 1 })],
    expected: 'a b d',
  },
  {
    rule: 'replicas of groups differ by maxSkew at most',
    cells: 'a/r1 b/r1 c/r1 d/r2',
    constraints: [by('region', 2, 2, { maxSkew: 1 })],
    replicas: 8,
    more: equally,
    expected: 'a:2 b:1 c:1 d:4',
  },
];
for (const { rule, cells: text, constraints, replicas, more = {}, previous = '', expected } of rows) {
  test(`spread: ${rule}`, () => {
    const decision = place(
      text,
      { ...more, spreadConstraints: constraints },
      { template: template({ replicas }), previous: targets(previous) },
    );
    assert.equal(show(decision.targets), expected);
  });
}

const refused: [string, string, SpreadConstraint[], string][] = [
  [
    'too few regions',
    'a/r1 b/r1',
    [by('region', 2)],
    '1 group by region fits, the spread constraint asks for at least 2',
  ],
  [
    'too few cells in as many regions as may be used',
    'a/r1 b/r2 c/r3',
    [by('region', 1, 2), by('cluster', 3)],
    'no 2 groups by region have the cells and the room that the spread constraints ask for',
  ],
];
for (const [rule, text, constraints, message] of refused) {
  test(`spread refuses ${rule}`, () => {
    const decision = place(
      text,
      { spreadConstraints: constraints },
      { template: template({ replicas: undefined }) },
    );
    assert.equal(decision.outcome, 'Unschedulable');
    assert.equal(decision.message, message);
  });
}

test('cells that do not tell where they are, and cells of other groups', () => {
  const decision = place('a/r1 b c/r2', { spreadConstraints: [by('region', 1, 1)] });
  assert.deepEqual(decision.refusals, [undefined, 'TopologyUnknown', 'MaxGroupsReached']);
});

function subsets(groups: readonly GroupChoice[], size: number): GroupChoice[][] {
  if (size === 0) return [[]];
  return groups.flatMap((group, i) => subsets(groups.slice(i + 1), size - 1).map((rest) => [group, ...rest]));
}

test('groups chosen are as few as any enumeration finds, reach the target, and score best where it does not bind', () => {
  const group = fc.record({ score: fc.nat(5), cells: fc.integer({ min: 1, max: 6 }) });
  fc.assert(
    fc.property(
      fc.array(group, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 4 }),
      fc.nat(4),
      fc.nat(25),
      (raw, least, more, target) => {
        const groups = raw.map(({ score, cells: count }, i) => ({
          name: `g${i}`,
          held: false,
          score,
          brings: [count],
        }));
        const most = least + more;
        const sumOf = (chosen: readonly GroupChoice[]) =>
          chosen.reduce((sum, { brings }) => sum + (brings[0] as number), 0);
        let expected: number | undefined;
        for (let size = least; size <= Math.min(most, groups.length) && expected === undefined; size++) {
          if (subsets(groups, size).some((chosen) => sumOf(chosen) >= target)) expected = size;
        }
        const count = fewestGroups(groups, [target], least, most);
        assert.equal(count, expected);
        if (count === undefined) return;
        const chosen = chooseGroups(groups, [target], count);
        assert.equal(chosen?.length, count);
        assert.ok(sumOf(chosen ?? []) >= target);
        const scoreOf = (all: readonly GroupChoice[]) => all.reduce((sum, { score }) => sum + score, 0);
        const free = chooseGroups(groups, [0], count) ?? [];
        assert.equal(scoreOf(free), Math.max(...subsets(groups, count).map(scoreOf)));
        // The best of those that may be chosen at all is among them.
        const best = [...groups].sort(
          (a, b) => b.score - a.score || sumOf([b]) - sumOf([a]) || (a.name < b.name ? -1 : 1),
        );
        const first = best.find((one) =>
          subsets(groups, count).some((all) => all.includes(one) && sumOf(all) >= target),
        );
        assert.ok(chosen?.some(({ name }) => name === first?.name));
      },
    ),
    { numRuns: 300 },
  );
});

test('whatever is placed keeps all constraints, and one over regions is met whenever it can be', () => {
  const place1 = fc.record({
    region: fc.integer({ min: 0, max: 4 }),
    zone: fc.integer({ min: 0, max: 3 }),
    room: fc.nat(12),
  });
  fc.assert(
    fc.property(
      fc.array(place1, { minLength: 1, maxLength: 16 }),
      fc.record({
        region: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.nat(3)),
        zone: fc.option(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.nat(3))),
        cluster: fc.option(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.nat(4))),
        divided: fc.boolean(),
        replicas: fc.nat(30),
      }),
      (where, { region, zone, cluster, divided, replicas }) => {
        const all = where.map(({ region: r, zone: z, room }, i) =>
          cell(`c${String(i).padStart(2, '0')}`, {
            region: `r${r}`,
            zones: [`r${r}z${z}`],
            free: new Map([['pods', room]]),
          }),
        );
        const constraints: [string, number, number][] = [['region', region[0], region[0] + region[1]]];
        if (zone !== null) constraints.push(['zone', zone[0], zone[0] + zone[1]]);
        if (cluster !== null) constraints.push(['cluster', cluster[0], cluster[0] + cluster[1]]);
        const placement: Placement = {
          ...(divided ? dynamic : {}),
          spreadConstraints: constraints.map(([field, least, most]) => by(field, least, most)),
        };
        const input = inputOf(snapshotOf(...all), {
          template: template({ replicas: divided ? replicas : undefined }),
        });
        const decision = decide(input, placement);
        const byName = new Map(all.map((one) => [one.name, one]));
        const groupOf = (name: string, field: string): string => {
          const one = byName.get(name) as CellInfo;
          return field === 'region' ? one.region : field === 'zone' ? (one.zones[0] ?? '') : name;
        };
        if (decision.outcome === 'Scheduled') {
          for (const [field, least, most] of constraints) {
            const groups = new Set(decision.targets.map(({ name }) => groupOf(name, field)));
            assert.ok(groups.size <= most, `${field} ${groups.size} > ${most}`);
            if (!divided) assert.ok(groups.size >= least, `${field} ${groups.size} < ${least}`);
          }
          if (divided) {
            assert.equal(
              decision.targets.reduce((sum, one) => sum + (one.replicas ?? 0), 0),
              replicas,
            );
          }
        } else if (!divided && zone === null) {
          // Nothing was overlooked.
          const counts = new Map<string, number>();
          for (const one of all) counts.set(one.region, (counts.get(one.region) ?? 0) + 1);
          const sizes = [...counts.values()].sort((a, b) => b - a);
          const [least, most] = region;
          const [minCells, more] = cluster ?? [0, 100];
          const groups = Math.min(least + most, sizes.length, minCells + more);
          const reachable = sizes.slice(0, groups).reduce((sum, one) => sum + one, 0);
          assert.ok(groups < least || reachable < minCells, decision.message);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('levelled shares keep the total, the room and the skew, and are found when there are any', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(6), fc.nat(6)), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 4 }),
      (groups, skew) => {
        const sums = groups.map(([sum]) => sum);
        const rooms = groups.map(([sum, more]) => sum + more);
        const total = sums.reduce((sum, one) => sum + one, 0);
        const search = (at: number, left: number, low: number, high: number): boolean => {
          if (at === rooms.length) return left === 0;
          for (let share = 0; share <= Math.min(left, rooms[at] as number); share++) {
            const least = Math.min(low, share);
            const most = Math.max(high, share);
            if (most - least <= skew && search(at + 1, left - share, least, most)) return true;
          }
          return false;
        };
        const shares = levelShares(sums, rooms, skew);
        assert.equal(shares !== undefined, search(0, total, Number.POSITIVE_INFINITY, 0));
        if (shares === undefined) return;
        assert.equal(
          shares.reduce((sum, one) => sum + one, 0),
          total,
        );
        assert.ok(Math.max(...shares) - Math.min(...shares) <= skew);
        shares.forEach((share, g) => {
          assert.ok(share >= 0 && share <= (rooms[g] as number));
        });
        if (Math.max(...sums) - Math.min(...sums) <= skew) assert.deepEqual(shares, sums);
      },
    ),
    { numRuns: 500 },
  );
});

test('1,000 cells in 200 regions are decided in no time that grows with what could be combined', () => {
  const all = Array.from({ length: 1_000 }, (_, i) =>
    cell(`cell-${i}`, {
      region: `region-${i % 200}`,
      zones: [`zone-${i % 400}`],
      free: new Map([['pods', i % 7]]),
    }),
  );
  const input = inputOf(snapshotOf(...all), { template: template({ replicas: 900 }) });
  const placement: Placement = {
    ...dynamic,
    spreadConstraints: [by('region', 5, 150), by('zone', 5, 200), by('cluster', 300, 400)],
  };
  decide(input, placement);
  // Time of the processor, not of the day: what else the machine does must not matter.
  const before = process.cpuUsage();
  const rounds = 5;
  for (let i = 0; i < rounds; i++) assert.equal(decide(input, placement).outcome, 'Scheduled');
  const { user, system } = process.cpuUsage(before);
  const eachMs = (user + system) / 1_000 / rounds;
  assert.ok(eachMs < 1_000, `${eachMs} ms`);
});
