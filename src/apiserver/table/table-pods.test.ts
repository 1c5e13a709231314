import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { ago, cells, served } from './testing/cells.ts';

test('the status of pods (source: printPod)', () => {
  const running = { name: 'a', ready: true, restartCount: 0, state: { running: {} } };
  const rows: [string, JsonObject, string, string, string][] = [
    ['running', { status: { phase: 'Running', containerStatuses: [running] } }, '1/1', 'Running', '0'],
    [
      'waiting',
      {
        status: {
          phase: 'Pending',
          containerStatuses: [
            {
              restartCount: 2,
              state: { waiting: { reason: 'CrashLoopBackOff' } },
              lastState: { terminated: { finishedAt: ago(60) } },
            },
          ],
        },
      },
      '0/1',
      'CrashLoopBackOff',
      '2 (60s ago)',
    ],
    [
      'init',
      {
        spec: { initContainers: [{ name: 'i' }], containers: [{ name: 'a' }] },
        status: {
          phase: 'Pending',
          initContainerStatuses: [{ name: 'i', restartCount: 1, state: { running: {} } }],
        },
      },
      '0/1',
      'Init:0/1',
      '1',
    ],
    [
      'init failed',
      {
        status: {
          phase: 'Pending',
          initContainerStatuses: [{ name: 'i', state: { terminated: { exitCode: 3 } } }],
        },
      },
      '0/1',
      'Init:ExitCode:3',
      '0',
    ],
    [
      'gated',
      { status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', reason: 'SchedulingGated' }] } },
      '0/1',
      'SchedulingGated',
      '0',
    ],
    [
      'sidecar',
      {
        spec: { initContainers: [{ name: 's', restartPolicy: 'Always' }], containers: [{ name: 'a' }] },
        status: {
          phase: 'Running',
          initContainerStatuses: [
            { name: 's', ready: true, started: true, restartCount: 3, state: { running: {} } },
          ],
          containerStatuses: [running],
        },
      },
      '2/2',
      'Running',
      '3',
    ],
    [
      'half done',
      {
        spec: { containers: [{}, {}] },
        status: {
          phase: 'Running',
          containerStatuses: [{ state: { terminated: { reason: 'Completed', exitCode: 0 } } }, running],
        },
      },
      '1/2',
      'NotReady',
      '0',
    ],
    [
      'deleted',
      {
        metadata: { name: 'x', creationTimestamp: ago(90), deletionTimestamp: ago(1) },
        status: { phase: 'Running', containerStatuses: [running] },
      },
      '1/1',
      'Terminating',
      '0',
    ],
  ];
  for (const [what, pod, ready, status, restarts] of rows) {
    const found = cells(served('', 'pods'), { spec: { containers: [{ name: 'a' }] }, ...pod });
    assert.deepEqual([found['Ready'], found['Status'], found['Restarts']], [ready, status, restarts], what);
    assert.deepEqual([found['IP'], found['Node'], found['Readiness Gates']], ['<none>', '<none>', '<none>']);
  }
});
