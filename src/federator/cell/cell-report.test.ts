import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Condition, conditionOf } from '#api/conditions.ts';
import type { Cell } from '#api/federation/cell.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { type CellReportInput, cellReport } from './cell-report.ts';
import { type CellHealth, HealthMonitor } from './health-monitor.ts';
import { HeldDeletions } from './held-deletions.ts';
import { SyncTally } from './sync-tally.ts';

const clock = new ManualClock();
const ready: CellHealth = {
  reachable: 'True',
  reason: 'Reachable',
  message: 'the edge API server answers',
  refused: false,
  kubernetesVersion: 'v1.36.0',
};

function input(changes: Partial<CellReportInput> = {}, status?: Cell['status']): CellReportInput {
  return {
    cell: {
      apiVersion: 'federation.cellplane.io/v1alpha1',
      kind: 'Cell',
      metadata: { name: 'cell-a', resourceVersion: '7' },
      ...(status === undefined ? {} : { status }),
    },
    health: ready,
    tally: new SyncTally(clock),
    held: new HeldDeletions(),
    copiesKnown: true,
    copiesBeyondMax: 0,
    isClaimed: false,
    apiEnablements: undefined,
    nowMs: clock.now(),
    ...changes,
  };
}

type Patch = { metadata?: { resourceVersion?: string }; status: NonNullable<Cell['status']> };
const patchOf = (one: CellReportInput) => cellReport(one)?.patch as Patch | undefined;
const conditionsOf = (one: CellReportInput): readonly Condition[] => patchOf(one)?.status.conditions ?? [];
const told = (one: CellReportInput, type: string) => {
  const condition = conditionOf(conditionsOf(one), type);
  return [condition?.status, condition?.reason];
};

const failing = new SyncTally(clock);
failing.markFailed('a', { reason: 'Forbidden', message: 'no' });
const pending = new SyncTally(clock);
pending.markPending('a');
const away: CellHealth = { ...ready, reachable: 'False', reason: 'ConnectionRefused', message: 'no' };
const refused: CellHealth = { ...ready, reason: 'Unauthorized', message: 'who', refused: true };

const rows: readonly (readonly [string, Partial<CellReportInput>, string, readonly [string, string]])[] = [
  ['all is well', {}, 'Synced', ['True', 'InSync']],
  ['something is on its way', { tally: pending }, 'Synced', ['False', 'Pending']],
  ['something fails', { tally: failing }, 'Synced', ['False', 'Forbidden']],
  ['copies are not known', { copiesKnown: false }, 'Synced', ['Unknown', 'CopiesNotListed']],
  ['the edge has our claim', { isClaimed: true }, 'Claimed', ['True', 'Claimed']],
  ['there are too many copies', { copiesBeyondMax: 3 }, 'Synced', ['False', 'TooManyCopies']],
  ['the edge is away', { health: away }, 'Synced', ['Unknown', 'EdgeNotUsable']],
  ['the edge is away', { health: away }, 'Ready', ['False', 'ConnectionRefused']],
  ['the edge refuses us', { health: refused }, 'Ready', ['False', 'Unauthorized']],
  ['the edge refuses us', { health: refused }, 'Reachable', ['True', 'Unauthorized']],
];
for (const [name, changes, type, want] of rows) {
  test(`report: ${name} → ${type} ${want.join(' ')}`, () =>
    assert.deepEqual(told(input(changes), type), want));
}

test('who has no word of the edge yet says so of a cell that is new, and leaves what a former holder said', () => {
  const { health: starting } = new HealthMonitor({
    clock,
    thresholds: () => ({ failures: 1, successes: 1 }),
    onChange: () => {},
  });
  assert.deepEqual(told(input({ health: starting }), 'Ready'), ['Unknown', 'Starting']);
  for (const health of [ready, away, refused]) {
    const status = patchOf(input({ health }))?.status;
    assert.equal(cellReport(input({ health: starting, copiesKnown: false }, status)), undefined);
  }
  assert.deepEqual(told(input({ health: away }, patchOf(input())?.status), 'Ready'), [
    'False',
    'ConnectionRefused',
  ]);
});

test('nothing is written when the Cell says it already; what is written names the revision it was made for', () => {
  const first = patchOf(input());
  assert.equal(first?.metadata?.resourceVersion, '7');
  const { status } = first ?? {};
  assert.ok(status);
  assert.equal(cellReport(input({}, status)), undefined);
  assert.equal(
    cellReport(input({ health: { ...ready, probe: { atMs: 1, latencyMs: 9 } } }, status)),
    undefined,
  );
  assert.ok(cellReport(input({ tally: pending }, status)));
});

test('kinds are told when they changed', () => {
  const apiEnablements = [{ groupVersion: 'v1', resources: [{ name: 'configmaps', kind: 'ConfigMap' }] }];
  const { status } = patchOf(input({ apiEnablements })) ?? {};
  assert.deepEqual(status?.apiEnablements, apiEnablements);
  assert.ok(status);
  assert.equal(cellReport(input({ apiEnablements }, status)), undefined);
});

test('held deletions are told with their token, and when none is left', () => {
  const held = new HeldDeletions();
  held.hold('a', 'it went without having been withdrawn');
  const condition = conditionOf(conditionsOf(input({ held })), 'DeletionHeld');
  assert.equal(condition?.status, 'True');
  assert.ok(condition?.message?.endsWith(`federation.cellplane.io/release-deletions=${held.token}`));
  assert.equal(conditionOf(conditionsOf(input()), 'DeletionHeld'), undefined, 'nobody is told of nothing');
  const { status } = patchOf(input({ held })) ?? {};
  assert.ok(status);
  assert.deepEqual(told(input({}, status), 'DeletionHeld'), ['False', 'NoneHeld']);
});

test('that objects are on their way or have come is progress, all else is news', () => {
  const { status } = patchOf(input()) ?? {};
  assert.ok(status);
  const synced = new SyncTally(clock);
  synced.markSynced('a');
  assert.equal(cellReport(input())?.isProgress, false, 'the first report');
  assert.equal(cellReport(input({ tally: pending }, status))?.isProgress, true);
  assert.equal(cellReport(input({ tally: synced }, status))?.isProgress, true);
  assert.equal(cellReport(input({ tally: failing }, status))?.isProgress, false);
  assert.equal(cellReport(input({ health: away }, status))?.isProgress, false);
  const { status: failed } = patchOf(input({ tally: failing })) ?? {};
  assert.ok(failed);
  assert.equal(cellReport(input({}, failed))?.isProgress, false, 'nothing fails any more');
});

test('that the edge has no claim any more is not taken back by a report', () => {
  const released = { type: 'Claimed', status: 'False' as const, reason: 'Released', message: '' };
  const { conditions } = patchOf(input({ isClaimed: false }, { conditions: [released] }))?.status ?? {};
  assert.deepEqual(conditionOf(conditions, 'Claimed'), released);
});
