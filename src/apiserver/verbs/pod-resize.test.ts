import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { apiError, Harness } from './testing/harness.ts';

const pods = '/api/v1/namespaces/default/pods';

function amounts(cpu: string, more: JsonObject = {}): JsonObject {
  return { requests: { cpu, ...more } };
}

const container = { name: 'c', image: 'i' };
const bases: { readonly [name: string]: JsonObject } = {
  none: { containers: [container] },
  some: { containers: [{ ...container, resources: amounts('1', { memory: '1Gi' }) }] },
  sidecar: {
    containers: [{ ...container, resources: amounts('1') }],
    initContainers: [
      { name: 'n', image: 'i', resources: amounts('1') },
      { name: 's', image: 'i', restartPolicy: 'Always', resources: amounts('1') },
    ],
  },
  level: { resources: amounts('3'), containers: [{ ...container, resources: amounts('1') }] },
  windows: { os: { name: 'windows' }, containers: [{ ...container, resources: amounts('1') }] },
};

async function open(): Promise<Harness> {
  const harness = await Harness.open();
  for (const [name, spec] of Object.entries(bases)) {
    await harness.post(pods, { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec });
  }
  return harness;
}

test('a resize takes cpu and memory, of containers and of the pod (dropNonResizeUpdates)', async () => {
  await using harness = await open();
  const resize = (name: string, spec: JsonObject) =>
    harness.patch(`${pods}/${name}/resize`, 'strategic', { spec });
  const up = await resize('some', { containers: [{ name: 'c', image: 'other', resources: amounts('2') }] });
  assert.deepEqual((up.object['spec'] as { containers: JsonObject[] }).containers[0]?.['resources'], {
    requests: { cpu: '2', memory: '1Gi' },
  });
  assert.equal((up.object['spec'] as { containers: JsonObject[] }).containers[0]?.['image'], 'i');
  assert.equal(up.object.metadata.generation, 2);
  const level = await resize('level', { resources: amounts('4') });
  assert.deepEqual((level.object['spec'] as JsonObject)['resources'], { requests: { cpu: '4' } });
  await resize('sidecar', { initContainers: [{ name: 's', resources: amounts('2') }] });
});

test('what a resize may not change (core ValidatePodResize)', async () => {
  await using harness = await open();
  const ofC = (more: JsonObject): JsonObject => ({ containers: [{ name: 'c', ...more }] });
  const immutable = 'spec: Forbidden: only cpu and memory resources are mutable';
  const rows: [string, JsonObject, string][] = [
    [
      'none',
      ofC({ resources: amounts('1') }),
      'spec: Invalid value: "BestEffort": Pod QOS Class may not change as a result of resizing',
    ],
    [
      'some',
      ofC({ resources: { requests: { memory: null } } }),
      'spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed',
    ],
    ['some', ofC({ resources: { requests: { 'ephemeral-storage': '1Gi' } } }), immutable],
    ['some', ofC({ resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }] }), immutable],
    [
      'some',
      { containers: [{ name: 'd', image: 'i' }] },
      'spec.containers: Forbidden: containers may not be added or removed on resize',
    ],
    [
      'sidecar',
      { initContainers: [{ name: 's', resources: { requests: { 'ephemeral-storage': '1Gi' } } }] },
      'spec.initContainers[1]: Forbidden: only cpu and memory resources for init or sidecar containers are mutable',
    ],
    ['level', { resources: null }, 'spec.resources: Forbidden: pod-level resources cannot be removed'],
    ['windows', ofC({ resources: amounts('2') }), '[]: Forbidden: windows pods cannot be resized'],
  ];
  for (const [name, spec, why] of rows) {
    await assert.rejects(
      harness.patch(`${pods}/${name}/resize`, 'strategic', { spec }),
      apiError('Invalid', `Pod "${name}" is invalid: ${why}`, 422),
    );
  }
});
