import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject, OwnerReference } from '#apimachinery/object.ts';
import { WaitingPods, waitingWorkloadOf, waitingWorkloadsMax } from './waiting-pods.ts';

const scheduled = (status: string, reason: string) => ({
  conditions: [
    { type: 'Initialized', status: 'False', reason: 'Unschedulable' },
    { type: 'PodScheduled', status, reason },
  ],
});
const unschedulable = scheduled('False', 'Unschedulable');

function pod(
  kind: string,
  name: string,
  {
    labels = {},
    status = unschedulable,
    nodeName,
    controller = true,
  }: {
    readonly labels?: Record<string, string>;
    readonly status?: JsonObject;
    readonly nodeName?: string;
    readonly controller?: boolean;
  } = {},
): KubeObject {
  const owner: OwnerReference = { apiVersion: 'apps/v1', kind, name, uid: 'u', controller };
  const metadata = { name: 'p', namespace: 'n', labels, ownerReferences: [owner] };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec: nodeName === undefined ? {} : { nodeName },
    status,
  };
}

describe('whose replica a pod without a node is', () => {
  const rows: readonly (readonly [what: string, pod: KubeObject, workload: string | undefined])[] = [
    [
      "a Deployment's, by its ReplicaSet",
      pod('ReplicaSet', 'web-5d4f8c', { labels: { 'pod-template-hash': '5d4f8c' } }),
      'Deployment web',
    ],
    [
      "a Rollout's",
      pod('ReplicaSet', 'web-5d4f8c', { labels: { 'rollouts-pod-template-hash': '5d4f8c' } }),
      'Rollout web',
    ],
    ["a ReplicaSet's of its own", pod('ReplicaSet', 'web-5d4f8c'), 'ReplicaSet web-5d4f8c'],
    [
      'of a ReplicaSet whose name ends otherwise',
      pod('ReplicaSet', 'web-other', { labels: { 'pod-template-hash': '5d4f8c' } }),
      'ReplicaSet web-other',
    ],
    ["a StatefulSet's", pod('StatefulSet', 'db'), 'StatefulSet db'],
    ["a custom kind's", pod('CloneSet', 'db'), 'CloneSet db'],
    ["a DaemonSet's: it has one for each node", pod('DaemonSet', 'agent'), undefined],
    ["nobody's", pod('StatefulSet', 'db', { controller: false }), undefined],
    ['one that has a node', pod('StatefulSet', 'db', { nodeName: 'a' }), undefined],
    ['one that nobody has looked at', pod('StatefulSet', 'db', { status: { conditions: [] } }), undefined],
    [
      'one that is held back (KEP-3521)',
      pod('StatefulSet', 'db', { status: scheduled('False', 'SchedulingGated') }),
      undefined,
    ],
    ['one that has been scheduled', pod('StatefulSet', 'db', { status: scheduled('True', '') }), undefined],
  ];
  for (const [what, one, workload] of rows) {
    test(what, () => {
      const found = waitingWorkloadOf(one);
      assert.equal(found && `${found.kind} ${found.name}`, workload);
    });
  }
});

test('pods are counted by workload; of too many those of which most wait are told, and how many others do', () => {
  const waiting = new WaitingPods();
  const add = (name: string, pods: number) => {
    for (let i = 0; i < pods; i++) waiting.add('n', { kind: 'Deployment', name });
  };
  add('b', 2);
  add('a', 1);
  assert.deepEqual(waiting.told(), {
    workloads: [
      { kind: 'Deployment', namespace: 'n', name: 'a', pods: 1 },
      { kind: 'Deployment', namespace: 'n', name: 'b', pods: 2 },
    ],
  });
  for (let i = 0; i < waitingWorkloadsMax; i++) add(`many-${String(i).padStart(3, '0')}`, 3);
  const { workloads, others } = waiting.told();
  assert.equal(workloads.length, waitingWorkloadsMax);
  assert.ok(workloads.every(({ pods }) => pods === 3));
  assert.equal(others, 3);
});
