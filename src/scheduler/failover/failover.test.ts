import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Failover, Placement } from '#api/policy/placement.ts';
import type { GracefulEvictionTask } from '#api/work/resource-binding.ts';
import type { CellInfo, Taint } from '../algorithm/cell.ts';
import { cell, free, inputOf, show, snapshotOf, targets, template } from '../algorithm/testing/cells.ts';
import { aggregated } from '../algorithm/testing/placements.ts';
import { EvictionLimiter } from './eviction-limiter.ts';
import { applicationDueMs, decideWithFailover, type HealthRecord } from './failover.ts';

const startMs = Date.parse('2026-01-01T00:00:00Z');
const noExecute: Taint = { key: 'down', value: '', effect: 'NoExecute', timeAddedMs: startMs };

function record(more: Partial<HealthRecord> = {}): HealthRecord {
  return {
    healthy: new Set(),
    unhealthySinceMs: new Map(),
    avoidUntilMs: new Map(),
    preferredSinceMs: undefined,
    ...more,
  };
}

function run(
  cells: CellInfo[],
  previous: string,
  more: {
    placement?: Placement;
    failover?: Failover;
    tasks?: readonly GracefulEvictionTask[];
    health?: HealthRecord;
    released?: string;
    replicas?: number;
    atSeconds?: number;
    waitMs?: number;
    onTrial?: string;
    affinity?: string;
  } = {},
) {
  const all = targets(previous);
  const replicas = more.replicas ?? all.reduce((sum, one) => sum + (one.replicas ?? 0), 0);
  const { decision, tasks } = decideWithFailover({
    input: inputOf(snapshotOf(...cells), {
      template: template({ replicas }),
      previous: all,
      previousAffinity: more.affinity,
      nowMs: startMs + (more.atSeconds ?? 0) * 1_000,
    }),
    placement: more.placement ?? aggregated,
    failover: more.failover,
    tasks: more.tasks ?? [],
    released: more.released,
    health: more.health ?? record(),
    onTrial: new Set(more.onTrial === undefined ? [] : [more.onTrial]),
    mayEvict: () => more.waitMs ?? 0,
  });
  const after = decision.recheckAtMs === undefined ? undefined : (decision.recheckAtMs - startMs) / 1_000;
  return {
    placed: show(decision.targets),
    tasks,
    leaving: tasks.map(({ fromCluster, replicas: count, reason }) => `${fromCluster}:${count} ${reason}`),
    after,
    message: decision.message,
    affinity: decision.affinity,
  };
}

test('a taint takes the object elsewhere, and its copy stays until it is healthy there', () => {
  const cells = [cell('a', { ...free(9), taints: [noExecute] }), cell('b', free(9))];
  const first = run(cells, 'a:4');
  assert.equal(first.placed, 'b:4');
  assert.deepEqual(first.leaving, ['a:4 TaintUntolerated']);
  assert.equal(first.after, 600, 'its time is over then, healthy or not');
  const { tasks } = first;
  assert.deepEqual(run(cells, 'b:4', { tasks, atSeconds: 60 }).leaving, ['a:4 TaintUntolerated']);
  assert.deepEqual(run(cells, 'b:4', { tasks, health: record({ healthy: new Set(['b']) }) }).leaving, []);
  assert.deepEqual(run(cells, 'b:4', { tasks, atSeconds: 600 }).leaving, []);
  // Well again: the cell is not used while it is being left.
  const well = [cell('a', free(9)), cell('b', free(9))];
  assert.deepEqual(run(well, 'b:4', { tasks }).leaving, ['a:4 TaintUntolerated']);
  // The platform's rules leave nothing.
  const closed = [cell('a', { admitsProject: () => false }), cell('b', free(9))];
  assert.deepEqual(run(closed, 'b:4', { tasks }).leaving, []);
  assert.deepEqual(run([cell('b', free(9))], 'b:4', { tasks }).leaving, []);
});

test('without another place it stays, unless the policy purges directly', () => {
  const cells = [cell('a', { ...free(9), taints: [noExecute] }), cell('b', free(2))];
  const stays = run(cells, 'a:4');
  assert.equal(stays.placed, 'a:4');
  assert.deepEqual(stays.leaving, []);
  assert.match(stays.message, /it stays where it is/);
  const purged = run(cells, 'a:4', { failover: { cluster: { purgeMode: 'Directly' } } });
  assert.equal(purged.placed, '');
  assert.deepEqual(purged.leaving, []);
});

test('evictions wait for their turn', () => {
  const cells = [cell('a', { ...free(9), taints: [noExecute] }), cell('b', free(9))];
  const waits = run(cells, 'a:4', { waitMs: 2_000 });
  assert.equal(waits.placed, 'a:4');
  assert.equal(waits.after, 2);
});

test('a tolerated time runs out first', () => {
  const cells = [cell('a', { ...free(9), taints: [noExecute] }), cell('b', free(9))];
  const placement: Placement = {
    ...aggregated,
    clusterTolerations: [{ key: 'down', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 30 }],
  };
  assert.deepEqual(
    [run(cells, 'a:4', { placement }).placed, run(cells, 'a:4', { placement }).after],
    ['a:4', 30],
  );
  assert.equal(run(cells, 'a:4', { placement, atSeconds: 30 }).placed, 'b:4');
});

test('an application that stays unhealthy leaves the cell, and is not brought back at once', () => {
  const cells = [cell('a', free(9)), cell('b', free(9))];
  const failover: Failover = {
    application: { decisionConditions: { tolerationSeconds: 60 }, purgeMode: 'Never' },
  };
  const health = record({ unhealthySinceMs: new Map([['a', startMs]]) });
  assert.equal(applicationDueMs(failover, health, startMs), startMs + 60_000);
  assert.equal(run(cells, 'a:4', { failover, health, atSeconds: 59 }).placed, 'a:4');
  assert.equal(run(cells, 'a:4', { health, atSeconds: 60 }).placed, 'a:4', 'only where the policy says so');
  assert.equal(run(cells, 'a:4', { failover, health, atSeconds: 60, onTrial: 'a' }).placed, 'a:4');
  assert.equal(applicationDueMs(failover, health, startMs + 60_001), undefined, 'settled by a decision');
  const moved = run(cells, 'a:4', { failover, health, atSeconds: 60 });
  assert.equal(moved.placed, 'b:4');
  assert.deepEqual(moved.leaving, ['a:4 ApplicationFailure']);
  assert.equal(applicationDueMs(failover, health, startMs + 60_000), undefined);
  const healthy = { ...health, healthy: new Set(['b']) };
  const later = run(cells, 'b:4', { failover, health: healthy, tasks: moved.tasks, atSeconds: 9_000 });
  assert.deepEqual(later.leaving, ['a:4 ApplicationFailure'], 'Never purges never');
  assert.equal(health.avoidUntilMs.size, 0, 'for a while');
  const again = { failover, health: healthy, tasks: moved.tasks, atSeconds: 9_000 };
  assert.deepEqual(run(cells, 'b:4', { ...again, released: 'b/2026-01-01T00:01:00Z,a' }).leaving.length, 1);
  const named = 'b/2026-01-01T00:01:00Z, a/2026-01-01T00:01:00Z';
  assert.deepEqual(run(cells, 'b:4', { ...again, released: named }).leaving, [], 'somebody lets go of it');
});

test('an object that avoids a cell is decided anew at the very moment when it need not any more', () => {
  const cells = [cell('a', free(9)), cell('b', { ...free(9), ready: false })];
  const failover: Failover = { application: { purgeMode: 'Directly' } };
  const unhealthySinceMs = new Map([['a', startMs]]);
  const health = record({ unhealthySinceMs });
  const left = run(cells, 'a:4', { failover, health, atSeconds: 300 });
  assert.equal(left.placed, '', 'Directly waits for no other place');
  assert.equal(left.after, 900);
  unhealthySinceMs.clear();
  const waiting = run(cells, '', { failover, health, replicas: 4, atSeconds: 500 });
  assert.equal(waiting.placed, '');
  assert.equal(waiting.after, 900, 'whatever it is decided anew for in between');
  const back = run(cells, '', { failover, health, replicas: 4, atSeconds: 900 });
  assert.equal(back.placed, 'a:4');
  assert.equal(back.after, undefined);
});

test('failover to another affinity group is graceful too, at the rate of evictions, and remembered', () => {
  const groups: Placement = {
    ...aggregated,
    clusterAffinities: [
      { affinityName: 'first', clusterNames: ['a', 'b'] },
      { affinityName: 'second', clusterNames: ['c'] },
    ],
  };
  const given = { placement: groups, affinity: 'first' };
  const cells = [cell('a', { ...free(9), taints: [noExecute] }), cell('b', free(2)), cell('c', free(9))];
  const moved = run(cells, 'a:4 b:2', given);
  assert.deepEqual([moved.placed, moved.affinity], ['c:6', 'second']);
  assert.deepEqual(moved.leaving, ['a:4 TaintUntolerated', 'b:2 TaintUntolerated']);
  const later = { placement: groups, affinity: 'second', tasks: moved.tasks };
  assert.deepEqual(run(cells, 'c:6', { ...later, atSeconds: 60 }).leaving.length, 2, 'it is not healthy yet');
  assert.deepEqual(run(cells, 'c:6', { ...later, health: record({ healthy: new Set(['c']) }) }).leaving, []);
  const edited = { ...groups, clusterAffinities: [{ affinityName: 'second', clusterNames: ['c'] }] };
  assert.deepEqual(
    run(cells, 'c:6', { ...later, placement: edited }).leaving,
    [],
    'the policy excludes them',
  );
  const waits = run(cells, 'a:4 b:2', { ...given, waitMs: 100 });
  assert.deepEqual([waits.placed, waits.affinity, waits.leaving], ['a:4 b:2', 'first', []]);

  const well = [cell('a', free(9)), cell('b', free(9)), cell('c', free(9))];
  const health = record({
    unhealthySinceMs: new Map([
      ['a', startMs],
      ['b', startMs],
    ]),
  });
  const failover: Failover = { application: { purgeMode: 'Never' } };
  const failed = run(well, 'a:4 b:2', { ...given, failover, health, atSeconds: 300 });
  assert.equal(failed.placed, 'c:6');
  assert.deepEqual(failed.leaving, ['a:4 ApplicationFailure', 'b:2 ApplicationFailure']);
  assert.deepEqual([...health.avoidUntilMs.keys()], ['a', 'b']);
});

test('failback is asked for, and comes when the preferred group could take it for long enough', () => {
  const cells = [cell('a', free(9)), cell('b', free(9))];
  const placement: Placement = {
    ...aggregated,
    clusterAffinities: [
      { affinityName: 'first', clusterNames: ['a'] },
      { affinityName: 'second', clusterNames: ['b'] },
    ],
  };
  const given = { placement, affinity: 'second' };
  assert.equal(run(cells, 'b:4', given).placed, 'b:4');
  const failover: Failover = { cluster: { failback: { afterSeconds: 60 } } };
  const health = record();
  const waits = run(cells, 'b:4', { ...given, failover, health });
  assert.deepEqual([waits.placed, waits.after], ['b:4', 60]);
  const back = run(cells, 'b:4', { ...given, failover, health, atSeconds: 60 });
  assert.deepEqual([back.placed, back.affinity, back.leaving], ['a:4', 'first', ['b:4 Failback']]);
  const kept = run(cells, 'a:4', { placement, affinity: 'first', tasks: back.tasks, atSeconds: 61 });
  assert.deepEqual(kept.leaving, ['b:4 Failback']);
  // A relapse in between starts anew.
  const again = record({ preferredSinceMs: startMs });
  run([cell('a', { ready: false }), cell('b', free(9))], 'b:4', { ...given, failover, health: again });
  assert.equal(again.preferredSinceMs, undefined);
});

test('the limiter: a rate for each region, a lower one where much fails, none in an outage', () => {
  const limiter = new EvictionLimiter({ perSecond: 2, slowPerSecond: 1 });
  const cells = [
    cell('a', { region: 'r1' }),
    cell('b', { region: 'r1' }),
    cell('c', { region: 'r2', ready: false }),
    cell('d', { region: 'r2' }),
    cell('e', { region: 'r2', ready: false }),
  ];
  const snapshot = snapshotOf(...cells);
  const take = (at: number, nowMs: number, from = snapshot) =>
    limiter.take(cells[at] as CellInfo, from, nowMs);
  assert.deepEqual([take(0, 0), take(1, 0), take(0, 0)], [0, 0, 500]);
  assert.deepEqual([take(2, 0), take(2, 0)], [0, 1_000], 'a region that fails, for itself');
  assert.deepEqual([take(0, 500), take(0, 500)], [0, 500]);
  assert.deepEqual([take(0, 60_000), take(0, 60_000), take(0, 60_000)], [0, 0, 500], 'no more than a burst');
  const dark = snapshotOf(...cells.map((one) => ({ ...one, ready: false })));
  assert.equal(take(0, 120_000, dark), 10_000);
});

test('the limiter: a cell that a person drains is emptied without a rate', () => {
  const limiter = new EvictionLimiter({ perSecond: 1 });
  const drained = cell('a', { taints: [{ ...noExecute, key: 'federation.cellplane.io/drain' }] });
  const snapshot = snapshotOf(drained);
  assert.deepEqual(
    Array.from({ length: 3 }, () => limiter.take(drained, snapshot, 0)),
    [0, 0, 0],
  );
});

test('follows the sun: outside its hours a cell is left for one within them, gracefully, and kept where there is none', () => {
  const placement: Placement = { ...aggregated, activeHours: [{ from: '08:00', to: '20:00' }] };
  const berlin = cell('berlin', { timeZone: 'Europe/Berlin' });
  const tokyo = cell('tokyo', { timeZone: 'Asia/Tokyo' });
  // 01:00 in Berlin, 09:00 in Tokyo.
  const moved = run([berlin, tokyo], 'berlin:2', { placement });
  assert.deepEqual([moved.placed, moved.leaving], ['tokyo:2', ['berlin:2 OutsideHours']]);
  const alone = run([berlin], 'berlin:2', { placement });
  assert.deepEqual([alone.placed, alone.leaving, alone.after], ['berlin:2', [], 7 * 3600]);
});

test('maintenance keeps new work away and leaves what is there', () => {
  const maintenance = [{ from: '00:00', to: '04:00' }];
  const cells = [cell('a', { maintenance, ...free(9) }), cell('b', free(9))];
  assert.equal(run(cells, 'a:2').placed, 'a:2');
  assert.equal(run(cells, '', { atSeconds: 60 }).placed, 'b:0');
});
