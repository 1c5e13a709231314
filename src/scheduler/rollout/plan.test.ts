import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rollout } from '#api/policy/placement.ts';
import type { RolloutStatus } from '#api/work/resource-binding.ts';
import { cell } from '../algorithm/testing/cells.ts';
import { planRollout, type RolloutPlan } from './plan.ts';

const startMs = Date.parse('2026-01-01T00:00:00Z');
const cells = ['a', 'b', 'c', 'd'].map((name) => cell(name, { labels: { ring: name === 'a' ? '0' : '1' } }));
const rollout: Rollout = {
  waves: [
    { name: 'canary', clusterAffinity: { labelSelector: { matchLabels: { ring: '0' } } }, pauseSeconds: 60 },
    { name: 'few', clusterAffinity: { clusterNames: ['b'] }, approval: true },
  ],
  healthTimeoutSeconds: 300,
};

/** Goes on from what the plan before left. */
class Run {
  status: RolloutStatus | undefined;
  last: RolloutPlan | undefined;

  step(
    atSeconds: number,
    healthy: string,
    more: {
      unhealthy?: string;
      approved?: string;
      rollout?: Rollout;
      leaving?: string;
      joined?: string;
      isHeard?: boolean;
      cells?: string;
    } = {},
  ) {
    const words = (text = ''): string[] => text.split(' ').filter((word) => word !== '');
    this.last = planRollout({
      rollout: more.rollout ?? rollout,
      revision: 'new',
      kept: 'old',
      status: this.status,
      cells: more.cells === undefined ? cells : cells.filter(({ name }) => words(more.cells).includes(name)),
      leaving: new Set(words(more.leaving)),
      joined: new Set(words(more.joined)),
      isHeard: more.isHeard ?? true,
      healthy: new Set(words(healthy)),
      unhealthy: new Map(words(more.unhealthy).map((name) => [name, startMs])),
      approved: more.approved,
      nowMs: startMs + atSeconds * 1_000,
    });
    this.status = this.last.status;
    const { phase, wave } = this.status;
    const recheck = this.last.recheckAtMs;
    const after = recheck === undefined ? '' : ` until ${(recheck - startMs) / 1_000}`;
    return `${phase} ${wave}, behind: ${[...this.last.behind].join(' ')}${after}`;
  }
}

test('wave by wave, with a pause and an approval', () => {
  const run = new Run();
  assert.equal(run.step(0, 'a b c d'), 'Progressing 0, behind: b c d until 300', 'old health says nothing');
  assert.deepEqual(run.last?.awaited, new Set(['a']));
  assert.equal(run.step(10, 'b c d'), 'Progressing 0, behind: b c d until 300');
  assert.equal(run.step(20, 'a b c d'), 'Pausing 0, behind: b c d until 80');
  assert.equal(run.step(79, 'a b c d'), 'Pausing 0, behind: b c d until 80');
  assert.equal(run.step(80, 'a b c d'), 'AwaitingApproval 0, behind: b c d');
  assert.match(run.status?.message ?? '', /rollout-approved: new\/few/);
  assert.equal(run.step(90, 'a b c d', { approved: 'old/few' }), 'AwaitingApproval 0, behind: b c d');
  assert.equal(run.step(90, 'a b c d', { approved: 'new/few' }), 'Progressing 1, behind: c d until 390');
  assert.equal(run.step(95, 'a b c d', { approved: 'new/few' }), 'Progressing 2, behind:  until 395');
  assert.equal(run.status?.waveName, 'rest');
  assert.equal(run.step(99, 'a b c d'), 'Complete 2, behind: ');
  assert.equal(run.status?.stable, 'new');
});

test('a wave that is not healthy in time is gone back on, and stays so', () => {
  const run = new Run();
  run.step(0, '');
  assert.equal(run.step(300, 'b c d', { unhealthy: 'a' }), 'RolledBack 0, behind: a b c d');
  assert.match(run.status?.message ?? '', /not healthy in time: a/);
  assert.equal(run.step(9_000, 'a b c d'), 'RolledBack 0, behind: a b c d');
});

test('or stays as it is, until it is healthy', () => {
  const run = new Run();
  const pausing: Rollout = { ...rollout, onFailure: 'Pause' };
  run.step(0, '', { rollout: pausing });
  assert.equal(run.step(300, '', { rollout: pausing }), 'Paused 0, behind: b c d');
  assert.equal(run.step(400, 'a', { rollout: pausing }), 'Pausing 0, behind: b c d until 460');
});

test('bad news while it pauses or waits stops it', () => {
  const run = new Run();
  run.step(0, '');
  run.step(10, 'a');
  assert.equal(run.step(30, '', { unhealthy: 'a' }), 'Progressing 0, behind: b c d until 330');
  assert.equal(run.step(40, 'a'), 'Pausing 0, behind: b c d until 100');
  run.step(100, 'a');
  assert.equal(run.step(110, '', { unhealthy: 'a' }), 'Progressing 0, behind: b c d until 410');
});

test('what is new, and what was before, goes everywhere at once', () => {
  const given = {
    rollout,
    status: undefined,
    cells,
    leaving: new Set<string>(),
    joined: new Set<string>(),
    isHeard: true,
    healthy: new Set<string>(),
    unhealthy: new Map<string, number>(),
  };
  for (const kept of [undefined, 'new']) {
    const plan = planRollout({ ...given, revision: 'new', kept, approved: undefined, nowMs: startMs });
    assert.deepEqual([plan.status.phase, plan.behind.size, plan.recheckAtMs], ['Complete', 0, undefined]);
  }
});

test('another change begins anew', () => {
  const run = new Run();
  run.step(0, '');
  run.status = { ...(run.status as RolloutStatus), target: 'other', phase: 'RolledBack' };
  assert.equal(run.step(500, ''), 'Progressing 0, behind: b c d until 800');
});

test('a cell that is being left is waited for no more, and one that comes has its own time', () => {
  const run = new Run();
  run.step(0, '');
  assert.equal(run.step(100, '', { joined: 'a' }), 'Progressing 0, behind: b c d until 400');
  assert.equal(run.step(110, '', { joined: 'b' }), 'Progressing 0, behind: b c d until 400', 'not reached');
  const two: Rollout = { waves: [{ name: 'first', clusterAffinity: { clusterNames: ['a', 'b'] } }] };
  const other = new Run();
  other.step(0, '', { rollout: two });
  assert.equal(
    other.step(10, 'b', { rollout: two, leaving: 'a', unhealthy: 'a' }),
    'Progressing 1, behind:  until 610',
    'nor is its health',
  );
});

test('a wave that lost all its cells before it was done is not passed over', () => {
  const run = new Run();
  run.step(0, '');
  assert.equal(run.status?.waveCells, 1);
  assert.equal(run.step(120, '', { leaving: 'a' }), 'Progressing 0, behind: b c d until 300');
  assert.equal(run.status?.message, 'wave canary has none of its cells any more');
  assert.equal(run.last?.awaited, undefined, 'nothing that is heard of other cells wakes it');
  assert.equal(run.step(130, '', { cells: 'b c d' }), 'Progressing 0, behind: b c d until 300', 'gone');
  assert.equal(run.step(140, '', { joined: 'a' }), 'Progressing 0, behind: b c d until 440', 'it is back');
  assert.equal(run.step(150, 'a'), 'Pausing 0, behind: b c d until 210');
  // What was done is done.
  assert.equal(run.step(160, '', { leaving: 'a' }), 'Pausing 0, behind: b c d until 210');
  assert.equal(run.step(210, '', { cells: 'b c d' }), 'AwaitingApproval 0, behind: b c d');
  // Nor does it let go on what nobody approved.
  assert.equal(run.step(220, '', { cells: 'c d' }), 'AwaitingApproval 0, behind: c d');
  assert.equal(run.step(230, '', { cells: 'c d', approved: 'new/few' }), 'Progressing 2, behind:  until 530');
});

test('a wave that lost all its cells fails as one that is not healthy does; one that never had any is passed over', () => {
  const run = new Run();
  run.step(0, '');
  assert.equal(run.step(300, '', { cells: 'b c d' }), 'RolledBack 0, behind: b c d');
  assert.equal(run.status?.message, 'wave canary has none of its cells any more');
  const held = new Run();
  const pausing: Rollout = { ...rollout, onFailure: 'Pause' };
  held.step(0, '', { rollout: pausing });
  assert.equal(held.step(300, '', { rollout: pausing, cells: 'b c d' }), 'Paused 0, behind: b c d');
  assert.equal(held.step(400, 'b c d', { rollout: pausing, cells: 'b c d' }), 'Paused 0, behind: b c d');
  const nowhere = new Run();
  nowhere.step(0, '');
  assert.equal(nowhere.step(900, '', { cells: '-' }), 'Progressing 0, behind: ', 'nothing is anywhere');
  const never = new Run();
  assert.equal(never.step(0, '', { cells: 'b c d' }), 'AwaitingApproval 0, behind: b c d');
});

test('nothing is gone back on before the cells were heard', () => {
  const run = new Run();
  run.step(0, '');
  assert.equal(run.step(900, '', { isHeard: false }), 'Progressing 0, behind: b c d until 901');
  assert.equal(run.step(901, ''), 'RolledBack 0, behind: a b c d');
});

test('a wave that was to be approved and is no more holds nothing up', () => {
  const run = new Run();
  const waves = [
    { name: 'first', clusterAffinity: { clusterNames: ['a'] } },
    { name: 'second', approval: true },
  ];
  run.step(0, '', { rollout: { waves } });
  assert.equal(run.step(10, 'a', { rollout: { waves } }), 'AwaitingApproval 0, behind: b c d');
  const one = { waves: [{ name: 'first' }] };
  run.step(20, 'a b c d', { rollout: one });
  assert.equal(run.status?.phase, 'Complete');
});

test('a wave that has begun is found where the edited policy has it, and another in its place begins', () => {
  const run = new Run();
  run.step(0, '');
  const [canary, few] = rollout.waves as [Rollout['waves'][number], Rollout['waves'][number]];
  const smoke = { name: 'smoke', clusterAffinity: { clusterNames: ['d'] } };
  const before = { ...rollout, waves: [smoke, canary, few] };
  assert.equal(run.step(10, 'd', { rollout: before }), 'Progressing 1, behind: b c until 300');
  assert.equal(run.status?.waveName, 'canary');

  const instead = { ...rollout, waves: [smoke, few] };
  assert.equal(run.step(20, 'a', { rollout: instead }), 'Progressing 1, behind: a c until 320');
  assert.equal(run.status?.waveName, 'few');
  assert.equal(run.status?.waves, 3);
});
