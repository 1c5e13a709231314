import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { nodeRoomOf, type PodRoom, podRoomOf, roomSums, sameNodeRoom, samePodRoom } from './room.ts';

function node(name: string, allocatable: JsonObject, more: { ready?: string; spec?: JsonObject } = {}) {
  const { ready = 'True', spec = {} } = more;
  const status = { allocatable, conditions: [{ type: 'Ready', status: ready }] };
  return nodeRoomOf({ apiVersion: 'v1', kind: 'Node', metadata: { name }, spec, status });
}

function pod(nodeName: string | undefined, cpu: string, memory: string, phase = 'Running') {
  const containers = [{ name: 'c', resources: { requests: { cpu, memory } } }];
  const spec = { containers, ...(nodeName === undefined ? {} : { nodeName }) };
  return podRoomOf({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec, status: { phase } });
}

test('what usable nodes have, and what pods on them or without a node ask for', () => {
  const sums = roomSums(
    [
      node('a', { cpu: '3920m', memory: '16Gi', pods: '110', 'nvidia.com/gpu': '2' }),
      node('b', { cpu: 4, memory: '15999872Ki', pods: '110' }),
      node(
        'cordoned',
        { cpu: '64', memory: '1Ti', 'acme.example/tpu': '8' },
        { spec: { unschedulable: true } },
      ),
      node('dead', { cpu: '64' }, { ready: 'Unknown' }),
    ],
    [
      pod('a', '250m', '1Gi'),
      pod('b', '1500m', '1025Mi'),
      pod(undefined, '1', '1', 'Pending'),
      pod('cordoned', '9', '9Gi'),
      pod('dead', '9', '9Gi'),
    ] as PodRoom[],
  );
  assert.deepEqual(sums.allocatable, {
    'acme.example/tpu': '0',
    cpu: '7920m',
    memory: '32777088Ki',
    'nvidia.com/gpu': '2',
    pods: '220',
  });
  assert.deepEqual(sums.allocated, { cpu: '2750m', memory: '2148532225', pods: '3' });
  assert.deepEqual(sums.nodeRoom, [
    { nodes: 1, free: { cpu: '3670m', memory: '15Gi', 'nvidia.com/gpu': '2', pods: '109' }, kind: 0 },
    { nodes: 1, free: { cpu: '2500m', memory: '14950272Ki', pods: '109' }, kind: 0 },
  ]);
});

test('a pod that has ended takes nothing; what changes of a pod is its node and what it asks for', () => {
  assert.equal(pod('a', '1', '1', 'Succeeded'), undefined);
  assert.equal(pod('a', '1', '1', 'Failed'), undefined);
  const waiting = pod(undefined, '1', '1Gi') as PodRoom;
  assert.ok(samePodRoom(waiting, pod(undefined, '1000m', '1024Mi', 'Pending') as PodRoom));
  assert.ok(!samePodRoom(waiting, pod('a', '1', '1Gi') as PodRoom));
  assert.ok(!samePodRoom(waiting, pod(undefined, '2', '1Gi') as PodRoom));
  const stuck = { ...waiting, waitsFor: { kind: 'Deployment', name: 'web' } };
  assert.ok(!samePodRoom(waiting, stuck));
  assert.ok(samePodRoom(stuck, { ...stuck, waitsFor: { kind: 'Deployment', name: 'web' } }));
  const { unschedulable } = roomSums([], [waiting, stuck]);
  assert.deepEqual(
    unschedulable.workloads.map(({ name, pods }) => [name, pods]),
    [['web', 1]],
  );
  assert.ok(sameNodeRoom(node('a', { cpu: '1' }), node('a', { cpu: '1000m' })));
  assert.ok(!sameNodeRoom(node('a', { cpu: '1' }), node('a', { cpu: '1', pods: '1' })));
  assert.ok(!sameNodeRoom(node('a', { cpu: '1', pods: '1' }), node('a', { cpu: '1' })));
  assert.ok(!sameNodeRoom(node('a', { cpu: '1' }), node('a', { cpu: '1' }, { ready: 'False' })));
});

test('nodes with as much free are told together; of eight resources each', () => {
  const more = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`acme.example/${i}`, '1']));
  const nodes = ['a', 'b', 'c'].map((name) => node(name, { cpu: '4', memory: '1Gi', pods: '9', ...more }));
  const { nodeRoom } = roomSums(nodes, ['a', 'b', 'c'].map((on) => pod(on, '3', '512Mi')) as PodRoom[]);
  assert.equal(nodeRoom.length, 1);
  assert.equal(nodeRoom[0]?.nodes, 3);
  const { free = {} } = nodeRoom[0] ?? {};
  assert.deepEqual([free['cpu'], free['memory'], free['pods']], ['1', '512Mi', '8']);
  assert.deepEqual(Object.keys(free).length, 8);
  const [full] = roomSums(nodes.slice(0, 1), [pod('a', '4', '2Gi')] as PodRoom[]).nodeRoom;
  assert.deepEqual([full?.free['cpu'], full?.free['memory']], [undefined, undefined], 'what is used up');
});
