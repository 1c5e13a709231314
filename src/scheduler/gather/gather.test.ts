import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { syncErrorReason, syncErrorText } from '../copies/sync-error.ts';
import { aggregateStatus } from './aggregate.ts';
import type { CellReport } from './cell-report.ts';
import { mergeConditions } from './conditions.ts';
import { gatheredStatus } from './gathered-status.ts';
import { healthOf } from './health.ts';
import { dropField } from './status-writer.ts';

const now = '2026-01-01T00:00:00Z';
const at = (minute: number): string => `2026-01-01T00:${String(minute).padStart(2, '0')}:00Z`;
const cells = (...statuses: JsonObject[]) => statuses.map((status, i) => ({ cell: `c${i}`, status }));

const sums: [string, JsonObject[], JsonObject | undefined][] = [
  [
    'deployments.apps',
    [
      { observedGeneration: 3, replicas: 2, readyReplicas: 1, unavailableReplicas: 1 },
      { observedGeneration: 9, replicas: 3, readyReplicas: 3 },
    ],
    { replicas: 5, readyReplicas: 4, unavailableReplicas: 1 },
  ],
  [
    'statefulsets.apps',
    [
      { replicas: 1, currentRevision: 'a', updateRevision: 'a' },
      { replicas: 1, currentRevision: 'a', updateRevision: 'b' },
    ],
    { replicas: 2, currentRevision: 'a' },
  ],
  [
    'daemonsets.apps',
    [
      { desiredNumberScheduled: 2, numberReady: 1 },
      { desiredNumberScheduled: 1, numberReady: 1 },
    ],
    { desiredNumberScheduled: 3, numberReady: 2 },
  ],
  [
    'jobs.batch',
    [
      { succeeded: 1, startTime: at(1), completionTime: at(5) },
      { active: 1, startTime: at(2) },
    ],
    { active: 1, succeeded: 1, startTime: at(1) },
  ],
  [
    'services.',
    [
      { loadBalancer: { ingress: [{ ip: '1.1.1.1' }] } },
      { loadBalancer: {} },
      { loadBalancer: { ingress: [{ ip: '1.1.1.1' }, { ip: '2.2.2.2' }] } },
    ],
    { loadBalancer: { ingress: [{ ip: '1.1.1.1' }, { ip: '2.2.2.2' }] } },
  ],
  ['persistentvolumeclaims.', [{ phase: 'Bound' }, { phase: 'Pending' }], { phase: 'Pending' }],
  ['cronjobs.batch', [{ lastScheduleTime: at(1) }, { lastScheduleTime: at(3) }], { lastScheduleTime: at(3) }],
  [
    'cronjobs.batch',
    [
      { active: [{ kind: 'Job', namespace: 'shop-default-x', name: 'a' }] },
      { active: [{ kind: 'Job', namespace: 'shop-default-x', name: 'a' }] },
    ],
    {
      active: [
        { kind: 'Job', name: 'a' },
        { kind: 'Job', name: 'a' },
      ],
    },
  ],
  [
    'poddisruptionbudgets.policy',
    [
      { currentHealthy: 2, disruptedPods: { p: at(1) } },
      { currentHealthy: 1, disruptedPods: { p: at(2) } },
    ],
    { currentHealthy: 3, disruptedPods: { 'c0/p': at(1), 'c1/p': at(2) } },
  ],
  ['persistentvolumes.', [{ phase: 'Bound' }, { phase: 'Available' }], { phase: 'Available' }],
  [
    'pods.',
    [
      {
        phase: 'Running',
        podIP: '10.0.0.1',
        containerStatuses: [{ name: 'a', ready: true, restartCount: 1, image: 'x' }],
      },
      {
        phase: 'Running',
        podIP: '10.0.0.2',
        containerStatuses: [{ name: 'a', ready: false, restartCount: 2, image: 'y' }],
      },
    ],
    {
      phase: 'Running',
      containerStatuses: [{ name: 'a', ready: false, restartCount: 3, image: 'y' }],
    },
  ],
  ['widgets.example.com', [{ observedGeneration: 1, phase: 'Up', size: 1 }], { phase: 'Up', size: 1 }],
  [
    'widgets.example.com',
    [
      { phase: 'Up', size: 1 },
      { phase: 'Up', size: 2 },
    ],
    { phase: 'Up' },
  ],
  ['widgets.example.com', [], undefined],
];
for (const [resource, statuses, want] of sums) {
  test(`status of ${resource} in ${statuses.length} cells`, () => {
    assert.deepEqual(aggregateStatus(resource, cells(...statuses), now), want);
  });
}

const condition = (type: string, status: string, minute: number, message = '') => ({
  type,
  status,
  reason: 'R',
  message,
  lastTransitionTime: at(minute),
});

test('a good condition holds when it holds everywhere, a bad one when it holds anywhere', () => {
  const merged = mergeConditions(
    [
      { cell: 'a', conditions: [condition('Available', 'True', 1), condition('ReplicaFailure', 'False', 1)] },
      {
        cell: 'b',
        conditions: [
          condition('Available', 'False', 2, 'too few'),
          condition('ReplicaFailure', 'True', 3, 'quota'),
        ],
      },
    ],
    now,
  );
  assert.deepEqual(merged, [
    {
      type: 'Available',
      status: 'False',
      lastTransitionTime: at(2),
      reason: 'R',
      message: 'cell b: too few',
    },
    {
      type: 'ReplicaFailure',
      status: 'True',
      lastTransitionTime: at(3),
      reason: 'R',
      message: 'cell b: quota',
    },
  ]);
});

test('jobs are complete when all are', () => {
  const complete = { conditions: [condition('Complete', 'True', 1)] };
  assert.deepEqual(aggregateStatus('jobs.batch', cells(complete, { active: 1 }), now), { active: 1 });
  const both = aggregateStatus('jobs.batch', cells(complete, complete), now) ?? {};
  assert.deepEqual(
    (both['conditions'] as JsonObject[]).map(({ status }) => status),
    ['True'],
  );
});

test('what must hold everywhere does not before every cell has told', () => {
  const done = { conditions: [condition('Complete', 'True', 1)], succeeded: 1, completionTime: at(1) };
  assert.deepEqual(aggregateStatus('jobs.batch', cells(done), now, ['c1']), { succeeded: 1 });
  assert.deepEqual(aggregateStatus('pods.', cells({ phase: 'Running' }), now, ['c1']), { phase: 'Pending' });
  assert.deepEqual(aggregateStatus('pods.', cells({ phase: 'Failed' }), now, ['c1']), { phase: 'Failed' });
  const told = { conditions: [condition('Ready', 'True', 1), condition('Stalled', 'True', 1, 'no')] };
  const merged = aggregateStatus('widgets.example.com', cells(told), now, ['c1', 'c2']) ?? {};
  assert.deepEqual(
    (merged['conditions'] as JsonObject[]).map(({ type, status, message }) => [type, status, message]),
    [
      ['Ready', 'Unknown', 'cell c1 and 1 more: nothing was reported yet'],
      ['Stalled', 'True', 'no'],
    ],
  );
});

const base = { applied: true, observed: true, hasStatus: true, replicas: 2, spec: {}, status: undefined };
const health: [string, Partial<Parameters<typeof healthOf>[1]>, string][] = [
  ['deployments.apps', { status: { updatedReplicas: 2, availableReplicas: 2 } }, 'Healthy'],
  ['deployments.apps', { status: { updatedReplicas: 2, availableReplicas: 1 } }, 'Unhealthy'],
  ['deployments.apps', { status: { updatedReplicas: 2, availableReplicas: 2 }, observed: false }, 'Unknown'],
  ['deployments.apps', { applied: false, status: { updatedReplicas: 2, availableReplicas: 2 } }, 'Unknown'],
  ['deployments.apps', {}, 'Unknown'],
  ['configmaps.', { hasStatus: false }, 'Healthy'],
  ['services.', { status: { loadBalancer: {} } }, 'Healthy'],
  ['services.', { status: { loadBalancer: {} }, spec: { type: 'LoadBalancer' } }, 'Unhealthy'],
  ['services.', { status: { loadBalancer: { ingress: [{}] } }, spec: { type: 'LoadBalancer' } }, 'Unhealthy'],
  ['statefulsets.apps', { status: { readyReplicas: 2, updatedReplicas: 1 } }, 'Unhealthy'],
  [
    'statefulsets.apps',
    {
      status: { readyReplicas: 2, updatedReplicas: 1 },
      spec: { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } },
    },
    'Healthy',
  ],
  [
    'daemonsets.apps',
    {
      status: { desiredNumberScheduled: 2, numberAvailable: 2, updatedNumberScheduled: 0 },
      spec: { updateStrategy: { type: 'OnDelete' } },
    },
    'Healthy',
  ],
  ['pods.', { status: { phase: 'Running' } }, 'Unhealthy'],
  ['jobs.batch', { status: { conditions: [condition('Failed', 'True', 1)] } }, 'Unhealthy'],
  ['widgets.example.com', { status: { conditions: [condition('Ready', 'False', 1)] } }, 'Unhealthy'],
  ['widgets.example.com', { status: { conditions: [condition('Ready', 'True', 1)] } }, 'Healthy'],
];
for (const [resource, copy, want] of health) {
  test(`health of ${resource} with ${JSON.stringify(copy)}`, () => {
    assert.equal(healthOf(resource, { ...base, ...copy }), want);
  });
}

test('what the binding keeps: all cells up to 50, then those that are not healthy', () => {
  const report = (i: number, healthy: boolean): CellReport => ({
    cell: `cell-${i}`,
    applied: healthy,
    message: healthy ? undefined : 'x'.repeat(5_000),
    health: healthy ? 'Healthy' : 'Unhealthy',
    status: { text: 'y'.repeat(500) },
  });
  const few = gatheredStatus(
    undefined,
    Array.from({ length: 50 }, (_, i) => report(i, true)),
    now,
  );
  assert.equal(few.aggregatedStatus?.length, 50);
  assert.equal(few.conditions?.[0]?.status, 'True');
  const many = gatheredStatus(
    undefined,
    Array.from({ length: 1_000 }, (_, i) => report(i, i % 10 !== 0)),
    now,
  );
  assert.deepEqual(many.summary, { cells: 1_000, applied: 900, healthy: 900, unhealthy: 100, unknown: 0 });
  assert.equal(many.aggregatedStatus?.length, 50);
  assert.ok(many.aggregatedStatus.every(({ health: one }) => one === 'Unhealthy'));
  assert.ok(JSON.stringify(many).length < 48 * 1024);
});

test('sync errors are JSON, or whatever stands there', () => {
  assert.equal(syncErrorText(undefined), undefined);
  assert.equal(syncErrorText('{"reason":"Forbidden","message":"no"}'), 'Forbidden: no');
  assert.equal(syncErrorText('oops'), 'oops');
  assert.equal(syncErrorReason('{"reason":"Forbidden","message":"no: not here"}'), 'Forbidden');
  assert.equal(syncErrorReason('oops: no'), undefined);
});

test('a field in conflict is taken out, of conditions only the one named', () => {
  const status = {
    replicas: 1,
    conditions: [condition('Available', 'True', 1), condition('Progressing', 'True', 1)],
  };
  dropField(status, '.status.conditions[type="Available"].status');
  assert.deepEqual(
    status.conditions.map(({ type }) => type),
    ['Progressing'],
  );
  dropField(status, '.status.replicas');
  assert.deepEqual(Object.keys(status), ['conditions']);
});
