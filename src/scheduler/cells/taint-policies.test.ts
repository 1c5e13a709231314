import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cell, Taint } from '#api/federation/cell.ts';
import type { ClusterTaintPolicy } from '#api/policy/cluster-taint-policy.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { until } from '../testing/control-plane.ts';
import { cellRef, startScheduler, world } from '../testing/world.ts';
import { taintsAfter } from './taint-policies.ts';

const now = '2026-01-01T00:00:00Z';
const down: Taint = { key: 'down', effect: 'NoExecute', timeAdded: now };
const own: Taint = { key: 'own', effect: 'NoSchedule' };
const ready = (...statusValues: string[]) => [
  { conditionType: 'Ready', operator: 'In' as const, statusValues },
];
const policy = (spec: Partial<ClusterTaintPolicy['spec']> = {}): ClusterTaintPolicy => ({
  apiVersion: 'policy.karmada.io/v1alpha1',
  kind: 'ClusterTaintPolicy',
  metadata: { name: 'down' },
  spec: {
    addOnConditions: ready('False', 'Unknown'),
    removeOnConditions: ready('True'),
    taints: [{ key: 'down', effect: 'NoExecute' }],
    ...spec,
  },
});
const cell = (status: 'True' | 'False' | undefined, taints: Taint[] = []): Cell => ({
  apiVersion: 'federation.cellplane.io/v1alpha1',
  kind: 'Cell',
  metadata: { name: 'fra' },
  spec: { taints, region: 'de' },
  ...(status === undefined ? {} : { status: { conditions: [{ type: 'Ready', status }] } }),
});

const rows: [string, Cell, ClusterTaintPolicy[], Taint[] | undefined][] = [
  ['a condition becomes a taint', cell('False', [own]), [policy()], [own, down]],
  ['which stays as it is', cell('False', [down]), [policy()], undefined],
  ['and goes with the condition', cell('True', [down, own]), [policy()], [own]],
  ['unless nothing says so', cell('True', [down]), [policy({ removeOnConditions: [] })], undefined],
  ['a condition not told is no reason', cell(undefined, [down]), [policy()], undefined],
  ['another cell', cell('False'), [policy({ targetClusters: { clusterNames: ['ams'] } })], undefined],
  [
    'all conditions must hold',
    cell('False'),
    [
      policy({
        addOnConditions: [
          ...ready('False'),
          { conditionType: 'Synced', operator: 'NotIn', statusValues: ['True'] },
        ],
      }),
    ],
    undefined,
  ],
];
for (const [what, given, policies, expected] of rows) {
  test(`taint policies: ${what}`, () => assert.deepEqual(taintsAfter(given, policies, now), expected));
}

test('the scheduler keeps taints by policy, and may write nothing else of a cell', async () => {
  await using w = await world();
  const { controlPlane } = w;
  await using _scheduler = await startScheduler(controlPlane);
  const fra = cellRef('fra');
  const degraded = (value: string) => [
    { conditionType: 'Degraded', operator: 'In' as const, statusValues: [value] },
  ];
  const byDegraded = policy({ addOnConditions: degraded('True'), removeOnConditions: degraded('False') });
  await controlPlane.create('root:cells', 'clustertaintpolicies', byDegraded);
  const setDegraded = async (status: string): Promise<void> => {
    const conditions = [{ type: 'Degraded', status, lastTransitionTime: now, reason: 'Test', message: '' }];
    await controlPlane.admin.patch(
      fra,
      { type: 'merge', body: { status: { conditions } } },
      { subresource: 'status' },
    );
  };
  const taintsAre = (count: number): Promise<unknown> =>
    until(`${count} taints`, async () => {
      const { spec } = (await controlPlane.admin.get(fra)) as Cell;
      return (spec?.taints ?? []).length === count;
    });
  await setDegraded('True');
  await taintsAre(1);
  await setDegraded('False');
  await taintsAre(0);
  await assert.rejects(
    controlPlane.scheduler.patch(fra, {
      type: 'merge',
      body: { spec: { apiEndpoint: 'https://evil.example.com' } },
    }),
    (error) => isApiError(error, 'Forbidden'),
  );
});
